/*
 * A treap by split and merge: recursion as deep as the tree, some 2.5 log2 n in expectation. Leaves
 * out lookup, which adding answers.
 */
#include "harness/interval_set.h"

#include "workloads/random.h"

#include <errno.h>

void interval_set_init(struct interval_set *set, struct interval_node *nodes, uint32_t node_count)
{
    *set = (struct interval_set){.nodes = nodes, .node_count = node_count, .random = node_count};
    for (uint32_t i = node_count - 1; i > 0; i--) {
        nodes[i].left = set->free;
        set->free = i;
    }
}

/* The last interval that begins before `address`, or 0. */
static uint32_t find_before(const struct interval_set *set, uintptr_t address)
{
    uint32_t found = 0;

    for (uint32_t at = set->root; at;) {
        const struct interval_node *node = &set->nodes[at];
        if (node->interval.begin < address)
            found = at;
        at = node->interval.begin < address ? node->right : node->left;
    }
    return found;
}

/* Splits the tree at `at`: what begins before `address`, and the rest. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tree */
static void split(struct interval_set *set, uint32_t at, uintptr_t address, uint32_t *left,
                  uint32_t *right)
{
    struct interval_node *node = &set->nodes[at];

    if (!at) {
        *left = 0;
        *right = 0;
    } else if (node->interval.begin < address) {
        split(set, node->right, address, &node->right, right);
        *left = at;
    } else {
        split(set, node->left, address, left, &node->left);
        *right = at;
    }
}

/* All of `left` lies before all of `right`. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tree */
static uint32_t merge(struct interval_set *set, uint32_t left, uint32_t right)
{
    struct interval_node *nodes = set->nodes;

    if (!left || !right)
        return left ? left : right;
    if (nodes[left].priority > nodes[right].priority) {
        nodes[left].right = merge(set, nodes[left].right, right);
        return left;
    }
    nodes[right].left = merge(set, left, nodes[right].left);
    return right;
}

int interval_set_add(struct interval_set *set, struct interval interval, struct interval *met)
{
    /* Of those that begin before its end the last one is the only one that can reach into it: the
     * set holds none that overlap. */
    uint32_t before = find_before(set, interval.end), left, right;
    uint32_t at = set->free;

    if (before && set->nodes[before].interval.end > interval.begin) {
        if (met)
            *met = set->nodes[before].interval;
        return -EEXIST;
    }
    if (!at)
        return -ENOSPC;
    set->free = set->nodes[at].left;
    set->nodes[at] =
        (struct interval_node){.interval = interval, .priority = random_next(&set->random)};
    split(set, set->root, interval.begin, &left, &right);
    set->root = merge(set, merge(set, left, at), right);
    return 0;
}

int interval_set_remove(struct interval_set *set, uintptr_t begin)
{
    uint32_t before, rest, at, after;

    split(set, set->root, begin, &before, &rest);
    split(set, rest, begin + 1, &at, &after);
    set->root = merge(set, before, after);
    if (!at)
        return -ENOENT;
    set->nodes[at].left = set->free;
    set->free = at;
    return 0;
}
