/*
 * What is recorded of a process: its live blocks with the stack that asked for each, and how much
 * was asked for by each stack so far. Leaves out who calls it: a workload's allocators wrapped
 * (workload_sites.c), or malloc itself (preload.c). After CPython's tracemalloc (PEP 454).
 */
#ifndef TIDEMARK_HARNESS_SITES_RECORDER_H
#define TIDEMARK_HARNESS_SITES_RECORDER_H

#include "harness/sites/block_table.h"
#include "harness/sites/stack_tree.h"

enum {
    RECORDER_MOST_LABELS = 1 << 12,
    RECORDER_FREE_LIST = 1 << 15, /* in a label: a dead object of that type, in a free list */
};

struct recorder {
    struct block_table blocks;
    struct stack_tree stacks;
    _Atomic uint64_t lost;                    /* blocks that were not entered for want of memory */
    const char *labels[RECORDER_MOST_LABELS]; /* [0]: none */
    _Atomic uint32_t label_count;
    struct spin_lock labelling;
};

/* Returns 0, or -ENOMEM with nothing taken. */
int recorder_init(struct recorder *recorder);

/* Enters a new block. Thread-safe. */
void recorder_add(struct recorder *recorder, const struct block_entry *entry);

/* The number of a label, made at its first use; 0 when there are too many. `name` outlives the
 * recorder. Thread-safe. */
uint16_t recorder_label(struct recorder *recorder, const char *name);

/* A row of a snapshot: the live blocks of one stack, label and domain. */
struct recorder_site {
    uint64_t count, bytes;
    uint32_t stack;
    uint16_t label, domain;
};

struct recorder_sites {
    struct recorder_site *places; /* with count 0 where there is none */
    size_t mask, count;
};

/*
 * Adds up the live blocks; all other threads that allocate wait meanwhile. Returns 0 with `sites`
 * to be given back by recorder_sites_free, or -ENOMEM.
 */
int recorder_add_up(struct recorder *recorder, struct recorder_sites *sites);

void recorder_sites_free(struct recorder_sites *sites);

void recorder_free(struct recorder *recorder);

#endif
