/*
 * A byte for each block in use, by its address: what free needs to know of it and must not ask the
 * allocator, whose answer would fetch the very bytes that free is about to read. Leaves out exact
 * sizes. The idea of a table that mirrors all of memory is AddressSanitizer's shadow (Serebryany et
 * al., 2012).
 *
 * A byte stands for 16 bytes of memory, so a line of the table for 1 KiB: blocks that are
 * neighbours share lines, and the table takes of caches and of resident memory what a sixteenth of
 * the blocks would. Two blocks below 16 bytes may share a byte; they are of one kind, or the later
 * one wins.
 */
#ifndef TIDEMARK_HARNESS_BLOCK_SIZES_H
#define TIDEMARK_HARNESS_BLOCK_SIZES_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BLOCK_SIZES_ADDRESS_BITS = 48, /* of user space; what lies above has no byte */
    BLOCK_SIZES_GRAIN_BITS = 4,
};

struct block_sizes {
    _Atomic uint8_t *bytes; /* NULL: no table */
};

/* Reserves the address space, of which only what is written takes memory. Returns 0, or a negative
 * errno with no table: where the kernel counts each reservation (overcommit_memory 2). */
int block_sizes_open(struct block_sizes *sizes);

void block_sizes_close(struct block_sizes *sizes);

/* The byte of a block, or NULL. Two threads may use those of different blocks at once. */
static inline _Atomic uint8_t *block_sizes_of(const struct block_sizes *sizes, const void *block)
{
    const uintptr_t address = (uintptr_t)block;

    if (!sizes->bytes || !block || address >> BLOCK_SIZES_ADDRESS_BITS)
        return NULL;
    return sizes->bytes + (address >> BLOCK_SIZES_GRAIN_BITS);
}

static inline void block_sizes_set(const struct block_sizes *sizes, const void *block, uint8_t kind)
{
    _Atomic uint8_t *byte = block_sizes_of(sizes, block);

    if (byte)
        atomic_store_explicit(byte, kind, memory_order_relaxed);
}

/* What was set last of that block; 0 of one that was never set. */
static inline uint8_t block_sizes_get(const struct block_sizes *sizes, const void *block)
{
    const _Atomic uint8_t *byte = block_sizes_of(sizes, block);

    return byte ? atomic_load_explicit(byte, memory_order_relaxed) : 0;
}

#endif
