/*
 * Two heaps in step: our pymalloc and that of libpython 3.11, over arenas at the same relative
 * addresses. Every operation on both asserts that the block lies at the same place and that the
 * same was asked of the world beneath. Leaves out which operations to do (pymalloc_oracle_test.c).
 * Both heaps start empty and live as long as the process. One thread.
 */
#ifndef TIDEMARK_TESTS_PYMALLOC_ORACLE_H
#define TIDEMARK_TESTS_PYMALLOC_ORACLE_H

#include <stddef.h>

/*
 * How far past a slot's start (of the address map) arenas begin; each kind has a region of its own,
 * and arenas of all kinds can live at a time. One page: the first pool is lost. Half a slot more:
 * two neighbours have pools in one slot.
 */
enum skew { ALIGNED, PAGE, HALF, SKEWS };

/* A block of each heap, made by the same operation. */
struct twin {
    void *block[2];
    size_t size;
};

/*
 * Opens libpython 3.11 and both heaps. Returns 0, also without that library (then oracle_need skips
 * every test), or -1 when no address space could be had.
 */
int oracle_open(void);

/* Says how much was compared, and puts our arenas back on mmap. */
void oracle_close(void);

/* First line of every test: skips it without libpython 3.11; with CI set, that is a failure. */
void oracle_need(void);

/* Where arenas from now on begin. */
void oracle_skew_arenas(enum skew skew);

/* One operation on both heaps; fails the test where they differ. Each fills the blocks. */
void twin_malloc(struct twin *twin, size_t size);
void twin_calloc(struct twin *twin, size_t size);
void twin_realloc(struct twin *twin, size_t size);
void twin_free(const struct twin *twin);

/* Fails unless sys._debugmallocstats() of the real one has our numbers. Costs a temporary file. */
void oracle_assert_same_statistics(void);

#endif
