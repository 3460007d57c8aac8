/*
 * Two words for a rule: see rule_table.h. A place is claimed by its key, then given its rule; who
 * comes in between reads the rule anew. Where all places that an address may have are taken, it is
 * read anew each time.
 */
#include "harness/sites/rule_table.h"

#include "harness/sites/own_memory.h"

#include <errno.h>

enum { MOST_PROBES = 8 };

int rule_table_init(struct rule_table *table)
{
    struct rule_place *places = own_memory_map(RULE_PLACES * sizeof *places);

    if (!places)
        return -ENOMEM;
    table->places = places;
    atomic_store(&table->generation, 1);
    return 0;
}

/* A frame that is too large for its bits is one for libunwind. */
static uint64_t pack(const struct frame_rule *rule, uint32_t generation)
{
    uint64_t kind = rule->kind;
    uint64_t end = (uint64_t)rule->end_offset / RULE_WORD;
    uint64_t saved = (uint64_t)-rule->bp_saved_offset / RULE_WORD;

    if (kind == FRAME_OTHER || kind == FRAME_OUTERMOST)
        end = saved = 0;
    if (end >> RULE_END_BITS || saved >> RULE_SAVED_BITS)
        kind = FRAME_OTHER;
    return (kind + 1) | rule_low_bits(end, RULE_END_BITS) << RULE_KIND_BITS |
           rule_low_bits(saved, RULE_SAVED_BITS) << (RULE_KIND_BITS + RULE_END_BITS) |
           rule_low_bits(generation, RULE_GENERATION_BITS) << (64 - RULE_GENERATION_BITS);
}

static struct frame_rule find_anew(struct rule_place *place, uintptr_t address, uint32_t generation)
{
    const struct frame_rule found = frame_rule_find(address);
    const uint64_t packed = pack(&found, generation);

    if (place)
        atomic_store_explicit(&place->rule, packed, memory_order_release);
    return rule_unpack(packed);
}

struct frame_rule rule_table_search(struct rule_table *table, uintptr_t return_address)
{
    const uint32_t generation = atomic_load_explicit(&table->generation, memory_order_acquire);
    const uint64_t key = rule_key(return_address, generation);
    const size_t home = rule_home(return_address);

    if (return_address >> RULE_ADDRESS_BITS != 0)
        return (struct frame_rule){.kind = FRAME_OTHER};
    for (size_t i = 0; i < MOST_PROBES; i++) {
        struct rule_place *place = &table->places[(home + i) % RULE_PLACES];
        uint64_t held = atomic_load_explicit(&place->key, memory_order_acquire);
        if (held == key) {
            const uint64_t packed = atomic_load_explicit(&place->rule, memory_order_acquire);
            return rule_is_of(packed, generation) ? rule_unpack(packed)
                                                  : find_anew(NULL, return_address, generation);
        }
        if (held >> RULE_ADDRESS_BITS == rule_low_bits(generation, 64 - RULE_ADDRESS_BITS))
            continue;
        /* Never used, or of an older generation. */
        if (atomic_compare_exchange_strong(&place->key, &held, key))
            return find_anew(place, return_address, generation);
        if (held == key)
            return find_anew(NULL, return_address, generation);
    }
    return find_anew(NULL, return_address, generation);
}
