/*
 * What a tunable of glibc's malloc really is, found out by what malloc does: glibc has no function
 * that tells, and `ld.so --list-tunables` shows its own defaults whatever was set. Leaves out
 * hugetlb, which depends on the kernel's mode as well.
 */
#ifndef TIDEMARK_ALLOCATORS_GLIBC_TUNABLES_H
#define TIDEMARK_ALLOCATORS_GLIBC_TUNABLES_H

#include "allocators/allocator.h"

/* As `struct allocator` has it. One thread, which may start others; some of what it allocates is
 * never freed. */
enum allocator_proof glibc_tunable_value(const struct allocator_tunable *tunable, const char *asked,
                                         char *value);

#endif
