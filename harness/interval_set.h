/*
 * The address ranges of live blocks, in order, so that a new one is compared with its two
 * neighbours alone. A treap in memory of the caller's: leaves out malloc, since that may be what is
 * checked, and growth. Source: Seidel and Aragon, "Randomized Search Trees", Algorithmica 16, 1996.
 */
#ifndef TIDEMARK_HARNESS_INTERVAL_SET_H
#define TIDEMARK_HARNESS_INTERVAL_SET_H

#include <stddef.h>
#include <stdint.h>

struct interval {
    uintptr_t begin, end; /* end is past the last byte; end > begin */
};

struct interval_node {
    struct interval interval;
    uint64_t priority;
    uint32_t left, right; /* places in `nodes`; 0: none */
};

struct interval_set {
    struct interval_node *nodes; /* nodes[0] is not used */
    uint32_t node_count;
    uint32_t root, free; /* `free` is a list through `left` */
    uint64_t random;
};

/* An empty set over `node_count` nodes of zeroed memory, which hold one interval less. */
void interval_set_init(struct interval_set *set, struct interval_node *nodes, uint32_t node_count);

/*
 * Adds an interval. Returns 0; -EEXIST with the one that it meets in `met` (may be NULL); or
 * -ENOSPC. The set is then as it was. Expected time O(log n).
 */
int interval_set_add(struct interval_set *set, struct interval interval, struct interval *met);

/* Removes the interval that begins there. Returns 0 or -ENOENT. Expected time O(log n). */
int interval_set_remove(struct interval_set *set, uintptr_t begin);

#endif
