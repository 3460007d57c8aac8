/*
 * Blocks and stacks brought together: see recorder.h. Leaves out a running total by stack: live
 * blocks are added up when a snapshot is taken, so that a malloc and a free need not count.
 */
#include "harness/sites/recorder.h"

#include "harness/sites/own_memory.h"

#include <errno.h>
#include <string.h>

enum { FIRST_SITES = 1 << 12 };

int recorder_init(struct recorder *recorder)
{
    memset(recorder, 0, sizeof *recorder);
    atomic_store(&recorder->label_count, 1);
    return stack_tree_init(&recorder->stacks);
}

void recorder_add(struct recorder *recorder, const struct block_entry *entry)
{
    stack_tree_count(&recorder->stacks, entry->stack, entry->bytes);
    if (block_table_put(&recorder->blocks, entry) != 0)
        atomic_fetch_add_explicit(&recorder->lost, 1, memory_order_relaxed);
}

static uint16_t find_label(const struct recorder *recorder, const char *name)
{
    const uint32_t count = atomic_load_explicit(&recorder->label_count, memory_order_acquire);

    for (uint32_t i = 1; i < count; i++) {
        if (recorder->labels[i] == name || strcmp(recorder->labels[i], name) == 0)
            return (uint16_t)i;
    }
    return 0;
}

uint16_t recorder_label(struct recorder *recorder, const char *name)
{
    uint16_t label = find_label(recorder, name);

    if (label)
        return label;
    spin_lock_take(&recorder->labelling);
    label = find_label(recorder, name);
    const uint32_t count = atomic_load_explicit(&recorder->label_count, memory_order_relaxed);
    if (!label && count < RECORDER_MOST_LABELS) {
        recorder->labels[count] = name;
        atomic_store_explicit(&recorder->label_count, count + 1, memory_order_release);
        label = (uint16_t)count;
    }
    spin_lock_release(&recorder->labelling);
    return label;
}

/* --- Adding up. --- */

static size_t find_site(const struct recorder_sites *sites, const struct recorder_site *site)
{
    uint64_t key = (uint64_t)site->stack << 32 | (uint64_t)site->label << 16 | site->domain;
    size_t at = (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 24) & sites->mask;

    while (sites->places[at].count > 0 &&
           (sites->places[at].stack != site->stack || sites->places[at].label != site->label ||
            sites->places[at].domain != site->domain))
        at = (at + 1) & sites->mask;
    return at;
}

static int grow_sites(struct recorder_sites *sites)
{
    struct recorder_sites grown = {.mask = sites->places ? 2 * sites->mask + 1 : FIRST_SITES - 1,
                                   .count = sites->count};

    grown.places = own_memory_map((grown.mask + 1) * sizeof *grown.places);
    if (!grown.places)
        return -ENOMEM;
    for (size_t i = 0; sites->places && i <= sites->mask; i++) {
        if (sites->places[i].count > 0)
            grown.places[find_site(&grown, &sites->places[i])] = sites->places[i];
    }
    recorder_sites_free(sites);
    *sites = grown;
    return 0;
}

static int add_block(const struct block_entry *entry, void *argument)
{
    struct recorder_sites *sites = argument;
    const struct recorder_site site = {
        .stack = entry->stack, .label = entry->label, .domain = entry->domain};

    if (!sites->places || sites->count > sites->mask / 2) {
        int error = grow_sites(sites);
        if (error)
            return error;
    }
    struct recorder_site *at = &sites->places[find_site(sites, &site)];
    if (at->count == 0) {
        *at = site;
        sites->count++;
    }
    at->count++;
    at->bytes += entry->bytes;
    return 0;
}

int recorder_add_up(struct recorder *recorder, struct recorder_sites *sites)
{
    struct recorder_sites found = {.places = NULL};

    block_table_lock_all(&recorder->blocks);
    int error = block_table_each(&recorder->blocks, add_block, &found);
    block_table_unlock_all(&recorder->blocks);
    if (error)
        recorder_sites_free(&found);
    else
        *sites = found;
    return error;
}

void recorder_sites_free(struct recorder_sites *sites)
{
    own_memory_unmap(sites->places, (sites->mask + 1) * sizeof *sites->places);
    *sites = (struct recorder_sites){.places = NULL};
}

void recorder_free(struct recorder *recorder)
{
    block_table_free(&recorder->blocks);
    stack_tree_free(&recorder->stacks);
}
