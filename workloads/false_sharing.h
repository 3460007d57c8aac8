/*
 * What cache_scratch and cache_thrash have in common: threads that write a small block of their own
 * over and over. Two that lie in one cache line make it travel between cores at each write, and
 * more threads are then no faster. Leaves out where the first block comes from. Source: Berger et
 * al., "Hoard", ASPLOS 2000.
 */
#ifndef TIDEMARK_WORKLOADS_FALSE_SHARING_H
#define TIDEMARK_WORKLOADS_FALSE_SHARING_H

#include "workloads/block.h"

struct false_sharing {
    size_t bytes;                 /* of a block */
    uint64_t blocks;              /* that each thread makes, one after the other */
    uint64_t writes;              /* to all blocks of one turn, shared out among the threads */
    struct slot given[TEAM_MOST]; /* one to each thread; empty ones are fine */
};

/* Frees the block that the thread was given, if any; then makes one, writes and reads each byte of
 * it `writes` / threads times, frees it, `blocks` times. A team_work; its program is a struct
 * false_sharing. */
int false_sharing_work(struct worker *worker);

/* Frees what is left of `given`. */
int false_sharing_clear(struct worker *worker);

/* The parameters, in one list for both. */
extern const struct parameter false_sharing_parameters[];

/* Reads them. */
struct false_sharing false_sharing_of(const struct workload_context *context);

#endif
