/*
 * Blocks of the classic workloads: made, written, checked and freed by a worker, and counted on the
 * way. Leaves out who holds them. Inline: a pair of calls of a good allocator takes 3 ns, and what
 * stands around it is timed with it, on every allocator alike (docs/workloads.md has how much).
 */
#ifndef TIDEMARK_WORKLOADS_BLOCK_H
#define TIDEMARK_WORKLOADS_BLOCK_H

#include "workloads/team.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What block.h asks of a row; a workload with threads adds ALLOCATOR_THREADS. */
enum { BLOCK_NEEDS = ALLOCATOR_MALLOC | ALLOCATOR_FREE | ALLOCATOR_DISTINCT };

/* Where a program keeps a block: outside of the heap, with its size. */
struct slot {
    void *block; /* NULL: it is empty */
    size_t bytes;
};

/* Counts a block that was made of `bytes`, a size that the worker decided by itself. */
static inline void block_count_made(struct worker *worker, size_t bytes)
{
    worker->operations++;
    worker_mix(worker, bytes);
    worker_gain(worker, bytes);
}

/* Not written yet. NULL when there is no memory. */
static inline void *block_make(struct worker *worker, size_t bytes)
{
    void *block = worker->ops->malloc(bytes);

    if (block)
        block_count_made(worker, bytes);
    return block;
}

/* `block` is not NULL; whoever made it asked for `bytes`. */
static inline void block_drop(struct worker *worker, void *block, size_t bytes)
{
    worker->ops->free(block);
    worker->operations++;
    worker->frees++;
    worker_lose(worker, bytes);
}

/* Writes a byte of each page of the block, the first and the last: what a program does that uses a
 * block, at the least cost. */
static inline void block_touch(void *block, size_t bytes)
{
    enum { PAGE_BYTES = 4096 };
    volatile char *at = block;

    for (size_t offset = 0; offset < bytes; offset += PAGE_BYTES)
        at[offset] = (char)offset;
    if (bytes > 0)
        at[bytes - 1] = (char)bytes;
}

/* Makes and touches. Returns 0, or -ENOMEM with the slot empty. */
static inline int slot_fill(struct worker *worker, struct slot *slot, size_t bytes)
{
    slot->block = block_make(worker, bytes);
    if (!slot->block)
        return -ENOMEM;
    slot->bytes = bytes;
    block_touch(slot->block, bytes);
    return 0;
}

static inline void slot_empty(struct worker *worker, struct slot *slot)
{
    if (!slot->block)
        return;
    block_drop(worker, slot->block, slot->bytes);
    slot->block = NULL;
}

static inline void slots_empty(struct worker *worker, struct slot *slots, size_t count)
{
    for (size_t i = 0; i < count; i++)
        slot_empty(worker, &slots[i]);
}

/* What stands in word i of a block with this cookie. */
static inline uint64_t cookie_word(uint64_t cookie, size_t i)
{
    return cookie ^ (i * UINT64_C(0x9e3779b97f4a7c15));
}

/* Fills all whole words of a block; what is left over of a word stays as it is. */
static inline void cookie_fill(void *block, size_t bytes, uint64_t cookie)
{
    uint64_t *words = block;

    for (size_t i = 0; i < bytes / sizeof *words; i++)
        words[i] = cookie_word(cookie, i);
}

/* Whether the block still holds what cookie_fill wrote: 0, or -EBADMSG, when an allocator gave it
 * to somebody else as well, or lost it. */
static inline int cookie_check(const void *block, size_t bytes, uint64_t cookie)
{
    const uint64_t *words = block;

    for (size_t i = 0; i < bytes / sizeof *words; i++)
        if (words[i] != cookie_word(cookie, i))
            return -EBADMSG;
    return 0;
}

/*
 * A block that tells its own size, so that whoever gets it can check and free it: its first word is
 * the size, under a mark; the rest holds a cookie of the size, but for what `reserved` bytes the
 * workload keeps behind the first word. At least 8 bytes, plus what is reserved.
 */
enum { SIGNED_LEAST_BYTES = 8, SIGNED_MARK_SHIFT = 40 };
static const uint64_t signed_mark = UINT64_C(0x71de0d) << SIGNED_MARK_SHIFT;

/* NULL when there is no memory. */
static inline void *signed_make(struct worker *worker, size_t bytes, size_t reserved)
{
    uint64_t *block = block_make(worker, bytes);

    if (!block)
        return NULL;
    *block = signed_mark | bytes;
    size_t head = SIGNED_LEAST_BYTES + reserved;
    cookie_fill((char *)block + head, bytes - head, bytes);
    return block;
}

/* Frees a block of signed_make that is still as it was; `block` may be NULL. Returns 0, or -EBADMSG
 * with the block left alone. */
static inline int signed_drop(struct worker *worker, void *block, size_t reserved)
{
    if (!block)
        return 0;
    uint64_t word = *(uint64_t *)block;
    size_t bytes = word & (((uint64_t)1 << SIGNED_MARK_SHIFT) - 1);
    size_t head = SIGNED_LEAST_BYTES + reserved;
    if ((word ^ bytes) != signed_mark || bytes < head ||
        cookie_check((char *)block + head, bytes - head, bytes) != 0)
        return -EBADMSG;
    block_drop(worker, block, bytes);
    return 0;
}

#endif
