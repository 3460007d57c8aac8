/*
 * Numbers of fixed width in a trace's heads, little-endian on every machine. Leaves out varints
 * (varint.h), which is what most of a trace is.
 */
#ifndef TIDEMARK_HARNESS_TRACE_TRACE_BYTES_H
#define TIDEMARK_HARNESS_TRACE_TRACE_BYTES_H

#include <stdint.h>

static inline void trace_put_u32(uint8_t *at, uint32_t number)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(number >> 8 * i);
}

static inline uint32_t trace_get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

#endif
