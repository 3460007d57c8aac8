/*
 * Two heaps in step: our pymalloc and that of libpython 3.11, over arenas at the same relative
 * addresses. Every operation on both asserts that the block lies at the same place and that the
 * same was asked of the world beneath. Leaves out which operations to do (pymalloc_oracle_test.c,
 * pymalloc_shapes_test.c). Both heaps start empty and live as long as the process. One thread.
 */
#ifndef TIDEMARK_TESTS_PYMALLOC_ORACLE_H
#define TIDEMARK_TESTS_PYMALLOC_ORACLE_H

#include "allocators/allocator.h"

#include <stddef.h>
#include <stdio.h>

/* A block of each heap, made by the same operation. */
struct twin {
    void *block[2];
    size_t size;
};

/*
 * Group set-up: opens libpython 3.11 and both heaps. Returns 0, also without that library (then
 * oracle_need skips every test), or -1 when no address space could be had.
 */
int oracle_open(void **state);

/* Group tear-down: says how much was compared, and puts our arenas back on mmap. */
int oracle_close(void **state);

/* First line of every test: skips it without libpython 3.11; with CI set, that is a failure. */
void oracle_need(void);

/* Set-up of a test: where arenas from now on begin. */
int oracle_align_arenas(void **state);
int oracle_skew_by_a_page(void **state);
int oracle_skew_by_half(void **state);

/* The same test with each kind of arena; cmocka shows the three under names of their own. */
#define ORACLE_WITH_ARENAS(skew, set_up, test)                                                     \
    {                                                                                              \
        .name = #test " (" skew ")", .test_func = (test), .setup_func = (set_up)                   \
    }
#define ON_EVERY_SKEW(test)                                                                        \
    ORACLE_WITH_ARENAS("aligned", oracle_align_arenas, test),                                      \
        ORACLE_WITH_ARENAS("one page off", oracle_skew_by_a_page, test),                           \
        ORACLE_WITH_ARENAS("half an arena off", oracle_skew_by_half, test)

/* One operation on both heaps; fails the test where they differ. Each fills the blocks. */
void twin_malloc(struct twin *twin, size_t size);
void twin_calloc(struct twin *twin, size_t size);
void twin_realloc(struct twin *twin, size_t size);
void twin_free(const struct twin *twin);

/* Which arena holds the blocks, from 0; SIZE_MAX when they are raw. */
size_t oracle_arena_of(const struct twin *twin);

/* One more than the largest arena that oracle_arena_of can give. */
size_t oracle_arenas_max(void);

/* Our heap, to be looked at; what is done to it alone brings the two out of step. */
const struct allocator_ops *oracle_our_heap(void);

/* Has the real one print what sys._debugmallocstats() prints of it. */
void oracle_print_their_statistics(FILE *out);

/* Fails unless sys._debugmallocstats() of the real one has our numbers. Costs a temporary file. */
void oracle_assert_same_statistics(void);

#endif
