/*
 * A trace as the replay runs it: words of 8 bytes, one for each operation, in flat arrays, so that
 * the measured loop looks nothing up and reads nothing but what it does next. Leaves out how it
 * comes out of a trace (harness/trace/trace_compile.h), and other machines: it is made for one run,
 * by the same build.
 *
 * A block lies in a slot: a place of its thread's own, used again after it, where that thread also
 * ends it; one for it alone, that all threads share, where another one does, which waits until
 * there is something in it. So harness memory is 8 bytes an operation, and 16 a block that is alive
 * or was ended by another thread.
 */
#ifndef TIDEMARK_WORKLOADS_FLAT_TRACE_H
#define TIDEMARK_WORKLOADS_FLAT_TRACE_H

#include <stdint.h>

#define FLAT_MAGIC "TMFLAT1\n"

enum flat_operation {
    FLAT_MALLOC,
    FLAT_CALLOC,
    FLAT_ALIGNED, /* the alignment is in the word behind */
    FLAT_REALLOC, /* of the slot; what it makes is in the word behind, as a FLAT_MALLOC */
    FLAT_FREE,
    FLAT_START, /* the thread that is in place of a slot */
    FLAT_PAUSE, /* nothing was done for the nanoseconds in the word behind */
    FLAT_OPERATIONS
};

/* operation in 3 bits, shared in 1, slot in 32, size of what is made in 28 */
enum {
    FLAT_OPERATION_BITS = 3,
    FLAT_SHARED_BIT = FLAT_OPERATION_BITS,
    FLAT_SLOT_SHIFT = FLAT_SHARED_BIT + 1,
    FLAT_SLOT_BITS = 32,
    FLAT_SIZE_SHIFT = FLAT_SLOT_SHIFT + FLAT_SLOT_BITS,
    FLAT_SIZE_FOLLOWS = (1 << (64 - FLAT_SIZE_SHIFT)) - 1, /* in the next word, before all else */
    FLAT_MOST_THREADS = 1 << 16,
};

static inline uint64_t flat_word(enum flat_operation operation, unsigned is_shared, uint32_t slot,
                                 uint64_t size)
{
    return (uint64_t)operation | (uint64_t)is_shared << FLAT_SHARED_BIT |
           (uint64_t)slot << FLAT_SLOT_SHIFT | size << FLAT_SIZE_SHIFT;
}

static inline enum flat_operation flat_operation(uint64_t word)
{
    return (enum flat_operation)(word & ((1u << FLAT_OPERATION_BITS) - 1));
}

static inline unsigned flat_is_shared(uint64_t word)
{
    return (unsigned)(word >> FLAT_SHARED_BIT) & 1;
}

static inline uint32_t flat_slot(uint64_t word)
{
    return (uint32_t)(word >> FLAT_SLOT_SHIFT);
}

static inline uint64_t flat_size(uint64_t word)
{
    return word >> FLAT_SIZE_SHIFT;
}

/* The file: the head, a thread's entry each, the words of each thread. All of it is little-endian,
 * as this machine. */
struct flat_head {
    char magic[8];
    uint64_t file_bytes;
    uint64_t threads;
    uint64_t shared_slots;
    uint64_t words;
    uint64_t operations; /* of the allocator */
    uint64_t checksum;   /* of the words: the same for each run */
};

struct flat_thread {
    uint64_t first_word, words; /* in the array of all words */
    uint64_t slots;             /* of its own */
    uint64_t is_started;        /* 1: by a FLAT_START of another; 0: when the replay begins */
};

#endif
