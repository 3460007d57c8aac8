/*
 * Whole numbers in as few bytes as they need: seven bits a byte, the lowest first, and the eighth
 * says that more follow (LEB128, as DWARF has it); signed ones with the sign in the lowest bit
 * (zigzag, as Protocol Buffers has it). Leaves out room: the writer has VARINT_MOST_BYTES.
 */
#ifndef TIDEMARK_HARNESS_TRACE_VARINT_H
#define TIDEMARK_HARNESS_TRACE_VARINT_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

enum { VARINT_MOST_BYTES = 10 };

/* Returns the byte behind. `at` has VARINT_MOST_BYTES. Thread-safe, as all here. */
static inline uint8_t *varint_put(uint8_t *at, uint64_t number)
{
    while (number >= 0x80) {
        *at++ = (uint8_t)(number | 0x80);
        number >>= 7;
    }
    *at++ = (uint8_t)number;
    return at;
}

static inline uint64_t varint_from_signed(int64_t number)
{
    return ((uint64_t)number << 1) ^ (uint64_t)(number >> 63);
}

static inline int64_t varint_to_signed(uint64_t number)
{
    return (int64_t)(number >> 1) ^ -(int64_t)(number & 1);
}

/* What is being read: moved along by varint_get. */
struct varint_run {
    const uint8_t *at, *end;
};

/* Returns 0, or -EBADMSG for what ends early or has more than 64 bits, with `number` untouched. */
static inline int varint_get(struct varint_run *run, uint64_t *number)
{
    uint64_t found = 0;

    for (unsigned shift = 0; run->at < run->end && shift < 64; shift += 7) {
        const uint8_t byte = *run->at++;
        const uint64_t bits = byte & 0x7f;
        if (shift == 63 && bits > 1)
            return -EBADMSG;
        found |= bits << shift;
        if (!(byte & 0x80)) {
            *number = found;
            return 0;
        }
    }
    return -EBADMSG;
}

#endif
