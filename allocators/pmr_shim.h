/*
 * The memory resources of C++17 for C: each is created over a malloc and a free, and has the four
 * functions of a region. Leaves out synchronized_pool_resource, and deallocating one block. Source:
 * ISO C++17 [mem.res]; the shape is harness/gbench_shim.h's.
 *
 * They are in a library of their own, libtidemark-pmr.so, which pmr.c opens: no other row has the
 * C++ library in its process. No C++ exception leaves any function.
 */
#ifndef TIDEMARK_ALLOCATORS_PMR_SHIM_H
#define TIDEMARK_ALLOCATORS_PMR_SHIM_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where the resources and their handles take their memory from now on, and give it back. */
void tidemark_pmr_stand_on(void *(*raw_malloc)(size_t size), void (*raw_free)(void *block));

/* The release of the C++ library, as its _GLIBCXX_RELEASE. */
int tidemark_pmr_release(void);

/* The four of struct allocator_ops (allocator.h), for std::pmr::monotonic_buffer_resource. */
void *tidemark_pmr_monotonic_create(void);
void *tidemark_pmr_monotonic_alloc(void *region, size_t size, size_t alignment);
void tidemark_pmr_monotonic_reset(void *region);
void tidemark_pmr_monotonic_destroy(void *region);

/* The same for std::pmr::unsynchronized_pool_resource. */
void *tidemark_pmr_pool_create(void);
void *tidemark_pmr_pool_alloc(void *region, size_t size, size_t alignment);
void tidemark_pmr_pool_reset(void *region);
void tidemark_pmr_pool_destroy(void *region);

#ifdef __cplusplus
}
#endif

#endif
