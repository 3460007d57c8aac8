/*
 * Memory of the recorder's own, straight from the kernel. Leaves out any allocator, since it is the
 * allocator that is looked at: no block of the recorder may be among those that it records.
 */
#ifndef TIDEMARK_HARNESS_SITES_OWN_MEMORY_H
#define TIDEMARK_HARNESS_SITES_OWN_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/*
 * Zeroed pages, whole ones, that the kernel supplies as they are touched and does not count against
 * its limit of commitments before; or NULL. Thread-safe.
 */
void *own_memory_map(size_t bytes);

/* Gives back what own_memory_map gave; `pages` may be NULL. */
void own_memory_unmap(void *pages, size_t bytes);

/*
 * From now on all comes from one range of so many bytes of addresses, without huge pages, so that
 * what is resident of it can be told from all else. Addresses that are given back are not used
 * again: the range is to be ample, it costs nothing. Before the first own_memory_map, once. Returns
 * 0 or -ENOMEM.
 */
int own_memory_confine(size_t bytes);

/* 1 when the address lies in that range. */
int own_memory_holds(uintptr_t address);

#endif
