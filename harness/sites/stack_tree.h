/*
 * Call stacks, each once: a tree from the outermost frame inwards, in which equal stacks are the
 * same node. Leaves out what the addresses mean (harness/snapshot_symbols.h). Hash-consing a stack
 * from its parent is how heaptrack's trace tree (Wolff, 2014) keeps millions of stacks small.
 */
#ifndef TIDEMARK_HARNESS_SITES_STACK_TREE_H
#define TIDEMARK_HARNESS_SITES_STACK_TREE_H

#include "harness/sites/spin_lock.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STACK_MOST_FRAMES = 128,    /* of one stack; the outermost beyond are cut off */
    STACK_MOST_NODES = 1 << 22, /* 128 MiB of nodes, taken as they are used */
};

/* Node 0 is the root: the empty stack, and every stack when there is no room for more. */
struct stack_node {
    uintptr_t address; /* of the instruction behind the call; constant once the node is known */
    uint32_t parent;   /* the stack without this frame, a smaller number; constant as well */
    /* Of the blocks that were asked for with exactly this stack, since the start. */
    _Atomic uint64_t allocated_count, allocated_bytes;
};

struct stack_index;

struct stack_tree {
    struct stack_node *nodes;
    _Atomic(struct stack_index *) index;
    struct spin_lock growing; /* held by who adds a node */
    _Atomic uint32_t count;   /* of nodes, the root included */
};

/* Returns 0, or -ENOMEM with nothing taken. */
int stack_tree_init(struct stack_tree *tree);

/*
 * The node of a stack of `depth` return addresses, innermost first; 0 when there is no memory for
 * it. Thread-safe. Costs one comparison for each frame that it shares, from outside, with the stack
 * that the same thread asked for before, and one look-up for each of the others.
 */
uint32_t stack_tree_find(struct stack_tree *tree, const uintptr_t *frames, size_t depth);

/* The node of the stack `parent` with a frame more, inward of it; 0 when there is no memory for it.
 * Thread-safe. Costs one look-up. */
uint32_t stack_tree_child(struct stack_tree *tree, uint32_t parent, uintptr_t address);

/* Counts a block of `bytes` for the stack `node`. Thread-safe. */
static inline void stack_tree_count(struct stack_tree *tree, uint32_t node, uint64_t bytes)
{
    struct stack_node *at = &tree->nodes[node];

    atomic_fetch_add_explicit(&at->allocated_count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&at->allocated_bytes, bytes, memory_order_relaxed);
}

/* Gives all memory back. Threads that asked before may not ask again. */
void stack_tree_free(struct stack_tree *tree);

#endif
