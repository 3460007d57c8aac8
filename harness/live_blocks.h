/*
 * The blocks that the program holds: asked for and not given back, by address and size. Operations
 * that stand around those of a row enter and remove them. Leaves out what an allocator asks of the
 * one beneath it, who asked (harness/sites/), and time, which this changes. One per process.
 */
#ifndef TIDEMARK_HARNESS_LIVE_BLOCKS_H
#define TIDEMARK_HARNESS_LIVE_BLOCKS_H

#include "allocators/allocator.h"

enum live_block_source { LIVE_OBJECT, LIVE_RAW, LIVE_REGION };

struct live_block {
    uintptr_t address;
    uint64_t bytes;                /* as asked for; may be 0 */
    enum live_block_source source; /* whose operations gave it; those of a region live until it is
                                      reset or destroyed */
};

/*
 * From now on `*object` and `*raw` are operations that stand around those that they were: what
 * comes from them is entered. They may be called from any thread where the real ones may. The real
 * ones are called as before; their own calls of each other, and of allocators beneath, are not
 * seen. Uses own_memory.h.
 */
void live_blocks_begin(const struct allocator_ops **object, const struct allocator_ops **raw);

/* Calls `visit` for each live block, in no order, until it returns other than 0, and returns that.
 * No other thread may use the operations meanwhile. */
typedef int live_block_visitor(const struct live_block *block, void *argument);
int live_blocks_each(live_block_visitor *visit, void *argument);

/* Blocks that could not be entered for want of memory: with one, nothing else is whole. */
uint64_t live_blocks_lost(void);

/* What the real operations say of a live block, which is not of a region; only where they have
 * usable_size. */
size_t live_blocks_usable_bytes(const struct live_block *block);

/* 1 when that can be asked for a block of that source. */
int live_blocks_has_usable(enum live_block_source source);

#endif
