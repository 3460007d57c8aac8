/*
 * The tree of stacks: see stack_tree.h. Readers take no lock: a node is written before its number
 * is published, and never changes. Leaves out removal: a program's stacks are as many as its code.
 */
#include "harness/sites/stack_tree.h"

#include "harness/sites/own_memory.h"

#include <errno.h>
#include <string.h>

enum { FIRST_PLACES = 1 << 14 };

/* Numbers of nodes by their hash, 0 where there is none. An outgrown one stays mapped: somebody may
 * be reading it. All of them together are at most twice the last. */
struct stack_index {
    struct stack_index *before;
    size_t mask;
    _Atomic uint32_t places[];
};

/* The stack that this thread asked for last, outermost first. */
struct last_stack {
    const struct stack_tree *tree;
    size_t depth;
    uintptr_t addresses[STACK_MOST_FRAMES];
    uint32_t nodes[STACK_MOST_FRAMES];
};

static _Thread_local struct last_stack last;

static size_t index_bytes(size_t places)
{
    return sizeof(struct stack_index) + places * sizeof(_Atomic uint32_t);
}

static struct stack_index *new_index(size_t places, struct stack_index *before)
{
    struct stack_index *index = own_memory_map(index_bytes(places));

    if (index) {
        index->before = before;
        index->mask = places - 1;
    }
    return index;
}

int stack_tree_init(struct stack_tree *tree)
{
    struct stack_node *nodes = own_memory_map(STACK_MOST_NODES * sizeof *nodes);
    struct stack_index *index = new_index(FIRST_PLACES, NULL);

    if (!nodes || !index) {
        own_memory_unmap(nodes, STACK_MOST_NODES * sizeof *nodes);
        own_memory_unmap(index, index_bytes(FIRST_PLACES));
        return -ENOMEM;
    }
    memset(tree, 0, sizeof *tree);
    tree->nodes = nodes;
    atomic_store(&tree->index, index);
    atomic_store(&tree->count, 1);
    return 0;
}

static size_t home_of(uintptr_t address, uint32_t parent, size_t mask)
{
    uint64_t mixed = ((uint64_t)address ^ (uint64_t)parent << 40) * UINT64_C(0x9E3779B97F4A7C15);

    return (size_t)(mixed >> 32 ^ mixed >> 20) & mask;
}

/* The place of the node, or the free one where it belongs. */
static inline size_t find_place(const struct stack_tree *tree, struct stack_index *index,
                                uintptr_t address, uint32_t parent)
{
    size_t at = home_of(address, parent, index->mask);

    for (;; at = (at + 1) & index->mask) {
        uint32_t node = atomic_load_explicit(&index->places[at], memory_order_acquire);
        if (node == 0 ||
            (tree->nodes[node].address == address && tree->nodes[node].parent == parent))
            return at;
    }
}

/* Doubles the index when half of it is taken. Returns the one to use, or NULL without memory. */
static struct stack_index *grow_index(struct stack_tree *tree, struct stack_index *index)
{
    const uint32_t count = atomic_load_explicit(&tree->count, memory_order_relaxed);

    if (count <= index->mask / 2)
        return index;
    struct stack_index *grown = new_index(2 * (index->mask + 1), index);
    if (!grown)
        return NULL;
    for (uint32_t node = 1; node < count; node++) {
        size_t at = find_place(tree, grown, tree->nodes[node].address, tree->nodes[node].parent);
        atomic_store_explicit(&grown->places[at], node, memory_order_relaxed);
    }
    atomic_store_explicit(&tree->index, grown, memory_order_release);
    return grown;
}

/* With the lock held. Returns the node, or 0 without memory. */
static uint32_t add_node(struct stack_tree *tree, uintptr_t address, uint32_t parent)
{
    struct stack_index *index = atomic_load_explicit(&tree->index, memory_order_relaxed);
    const uint32_t count = atomic_load_explicit(&tree->count, memory_order_relaxed);
    size_t at = find_place(tree, index, address, parent);
    uint32_t node = atomic_load_explicit(&index->places[at], memory_order_relaxed);

    if (node != 0 || count == STACK_MOST_NODES)
        return node;
    index = grow_index(tree, index);
    if (!index)
        return 0;
    tree->nodes[count].address = address;
    tree->nodes[count].parent = parent;
    at = find_place(tree, index, address, parent);
    atomic_store_explicit(&index->places[at], count, memory_order_release);
    atomic_store_explicit(&tree->count, count + 1, memory_order_release);
    return count;
}

uint32_t stack_tree_child(struct stack_tree *tree, uint32_t parent, uintptr_t address)
{
    struct stack_index *index = atomic_load_explicit(&tree->index, memory_order_acquire);
    size_t at = find_place(tree, index, address, parent);
    uint32_t node = atomic_load_explicit(&index->places[at], memory_order_acquire);

    if (node != 0)
        return node;
    spin_lock_take(&tree->growing);
    node = add_node(tree, address, parent);
    spin_lock_release(&tree->growing);
    return node;
}

uint32_t stack_tree_find(struct stack_tree *tree, const uintptr_t *frames, size_t depth)
{
    size_t shared = 0;
    uint32_t node = 0;

    if (last.tree != tree) {
        last.tree = tree;
        last.depth = 0;
    }
    depth = depth < STACK_MOST_FRAMES ? depth : STACK_MOST_FRAMES;
    while (shared < depth && shared < last.depth &&
           last.addresses[shared] == frames[depth - 1 - shared])
        shared++;
    if (shared > 0)
        node = last.nodes[shared - 1];
    for (size_t i = shared; i < depth; i++) {
        node = stack_tree_child(tree, node, frames[depth - 1 - i]);
        if (node == 0) {
            last.depth = i;
            return 0;
        }
        last.addresses[i] = frames[depth - 1 - i];
        last.nodes[i] = node;
    }
    last.depth = depth;
    return node;
}

void stack_tree_free(struct stack_tree *tree)
{
    struct stack_index *index = atomic_load(&tree->index);

    while (index) {
        struct stack_index *before = index->before;
        own_memory_unmap(index, index_bytes(index->mask + 1));
        index = before;
    }
    own_memory_unmap(tree->nodes, STACK_MOST_NODES * sizeof *tree->nodes);
    memset(tree, 0, sizeof *tree);
    last.tree = NULL;
}
