/*
 * Rules of return addresses (frame_rule.h), each read once: a table of a fixed size that all
 * threads share without a lock. Leaves out removal: what was unloaded is forgotten with all else,
 * by a new generation.
 */
#ifndef TIDEMARK_HARNESS_SITES_RULE_TABLE_H
#define TIDEMARK_HARNESS_SITES_RULE_TABLE_H

#include "harness/sites/frame_rule.h"

#include <stdatomic.h>
#include <stdint.h>

enum { RULE_PLACES = 1 << 18 }; /* 4 MiB of addresses; pages are taken as they are used */

/* Either word is 0 until it is written, once in a generation, which both tell. */
struct rule_place {
    _Atomic uint64_t key;  /* the address, and above it the generation's lower 16 bits */
    _Atomic uint64_t rule; /* packed, with the generation's lower 24 bits */
};

struct rule_table {
    struct rule_place *places;
    _Atomic uint32_t generation;
};

/* Returns 0, or -ENOMEM with nothing taken. */
int rule_table_init(struct rule_table *table);

enum {
    RULE_ADDRESS_BITS = 48,
    RULE_KIND_BITS = 3, /* its number and 1, so that no packed rule is 0 */
    RULE_END_BITS = 24, /* in words of 8 bytes, as the next */
    RULE_SAVED_BITS = 13,
    RULE_GENERATION_BITS = 64 - RULE_KIND_BITS - RULE_END_BITS - RULE_SAVED_BITS,
    RULE_PLACE_BITS = 18,
    RULE_WORD = 8,
};

_Static_assert(RULE_PLACES == 1 << RULE_PLACE_BITS, "a place is the upper bits of a hash");

static inline uint64_t rule_low_bits(uint64_t value, unsigned bits)
{
    return value & ((UINT64_C(1) << bits) - 1);
}

static inline struct frame_rule rule_unpack(uint64_t packed)
{
    const uint64_t saved =
        rule_low_bits(packed >> (RULE_KIND_BITS + RULE_END_BITS), RULE_SAVED_BITS);

    return (struct frame_rule){
        .kind = (enum frame_rule_kind)(rule_low_bits(packed, RULE_KIND_BITS) - 1),
        .end_offset = (int64_t)rule_low_bits(packed >> RULE_KIND_BITS, RULE_END_BITS) * RULE_WORD,
        .bp_saved_offset = -(int64_t)saved * RULE_WORD};
}

static inline int rule_is_of(uint64_t packed, uint32_t generation)
{
    return packed &&
           packed >> (64 - RULE_GENERATION_BITS) == rule_low_bits(generation, RULE_GENERATION_BITS);
}

static inline uint64_t rule_key(uintptr_t return_address, uint32_t generation)
{
    return (uint64_t)return_address | (uint64_t)generation << RULE_ADDRESS_BITS;
}

static inline size_t rule_home(uintptr_t return_address)
{
    return (size_t)((return_address * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - RULE_PLACE_BITS));
}

/* What rule_table_find does where the first place that an address may have holds another. */
struct frame_rule rule_table_search(struct rule_table *table, uintptr_t return_address);

/*
 * The rule of a return address: from the table, some nanoseconds, or by frame_rule_find, a
 * microsecond and more. Thread-safe, also in a signal's handler.
 */
static inline struct frame_rule rule_table_find(struct rule_table *table, uintptr_t return_address)
{
    const uint32_t generation = atomic_load_explicit(&table->generation, memory_order_relaxed);
    struct rule_place *place = &table->places[rule_home(return_address)];

    if (__builtin_expect(atomic_load_explicit(&place->key, memory_order_acquire) ==
                             rule_key(return_address, generation),
                         1)) {
        const uint64_t packed = atomic_load_explicit(&place->rule, memory_order_acquire);
        if (__builtin_expect(rule_is_of(packed, generation), 1))
            return rule_unpack(packed);
    }
    return rule_table_search(table, return_address);
}

/* From now on no rule is known. Thread-safe. */
static inline void rule_table_forget(struct rule_table *table)
{
    atomic_fetch_add(&table->generation, 1);
}

#endif
