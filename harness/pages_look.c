/*
 * Blocks into the map of pages, the map against what is resident, then usable sizes: in this order,
 * as asking for one may touch memory. Leaves out any estimate: what cannot be told is absent.
 */
#define _GNU_SOURCE
#include "harness/pages_look.h"

#include "harness/live_blocks.h"
#include "harness/page_map.h"
#include "harness/resident_pages.h"
#include "harness/sites/own_memory.h"

#include <errno.h>
#include <unistd.h>

/* Addresses for tables; some of them stay unused after each doubling. */
#define OWN_BYTES ((size_t)1 << 40)

static struct page_map live;     /* filled at each look */
static struct page_map baseline; /* `live_bytes` of each is that of the page */

int pages_look_begin(const struct allocator_ops **object, const struct allocator_ops **raw)
{
    const int error = own_memory_confine(OWN_BYTES);

    if (error)
        return error;
    live.page_bytes = baseline.page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    live_blocks_begin(object, raw);
    return 0;
}

/* --- The baseline. --- */

static void remember(const struct resident_page *page, void *argument)
{
    int *error = argument;

    if (!page->is_file && !own_memory_holds(page->address) && *error == 0)
        *error = page_map_add_live(&baseline, page->address, baseline.page_bytes);
}

int pages_look_baseline(void)
{
    struct resident_sums sums;
    struct pages_look look;
    int error = 0;
    const int failed = resident_pages_each(remember, &error, &sums);

    /* Once for nothing: what a look touches for the first time is the process's own as well. */
    return failed ? failed : error ? error : pages_look(&look);
}

/* --- Live blocks. --- */

static int add_block(const struct live_block *block, void *argument)
{
    struct pages_look *look = argument;

    look->blocks++;
    look->requested_bytes += block->bytes;
    look->has_usable &= live_blocks_has_usable(block->source);
    return page_map_add_live(&live, block->address, block->bytes);
}

static int add_usable(const struct live_block *block, void *argument)
{
    struct pages_look *look = argument;
    const size_t bytes = live_blocks_usable_bytes(block);

    look->usable_bytes += bytes;
    look->odd_usable += bytes < block->bytes;
    page_map_add_usable(&live, block->address, bytes);
    return 0;
}

/* --- Resident pages. --- */

struct count {
    struct pages_look *look;
    uintptr_t huge; /* the huge page of the page before, or 0 */
    int is_counted; /* it has a live byte */
};

/* At its size in the page table: a huge page once, at its first page with a live byte. */
static void count_mapped(struct count *count, const struct resident_page *page, int is_live)
{
    const uintptr_t huge =
        page->mapping_bytes > live.page_bytes ? page->address / page->mapping_bytes + 1 : 0;

    if (huge != count->huge)
        count->is_counted = 0;
    count->huge = huge;
    if (!is_live || (huge && count->is_counted))
        return;
    count->look->has_mapped &= page->mapping_bytes > 0;
    count->look->floor_mapped_bytes += page->mapping_bytes;
    count->is_counted = 1;
}

static void count_page(const struct resident_page *page, void *argument)
{
    struct count *count = argument;
    struct page_use *use = page_map_find(&live, page->address);

    count_mapped(count, page, use != NULL);
    if (use) {
        use->is_resident = 1;
        count->look->floor_bytes += live.page_bytes;
    } else if (own_memory_holds(page->address)) {
        count->look->own_bytes += live.page_bytes;
    } else if (page->is_file || page->is_stack || page_map_find(&baseline, page->address)) {
        count->look->process_bytes += live.page_bytes;
    } else {
        count->look->held_bytes += live.page_bytes;
    }
}

/* --- Sums over the map. --- */

static void add_up_page(struct pages_look *look, const struct page_use *page)
{
    look->live_page_bytes += live.page_bytes;
    look->overlapping_pages += page->live_bytes > live.page_bytes;
    look->odd_usable += page->usable_bytes > live.page_bytes;
    if (!page->is_resident || page->live_bytes > live.page_bytes)
        return;
    look->requested_resident_bytes += page->live_bytes;
    look->usable_resident_bytes += page->usable_bytes;
    look->share_pages[((uint64_t)page->live_bytes * PAGES_SHARES - 1) / live.page_bytes]++;
}

static void add_up(struct pages_look *look)
{
    for (size_t i = 0; live.slots && i <= live.mask; i++) {
        if (live.slots[i].number)
            add_up_page(look, &live.slots[i]);
    }
}

static int take(struct pages_look *look)
{
    struct count count = {.look = look};
    struct resident_sums sums;

    page_map_clear(&live);
    int error = live_blocks_each(add_block, look);
    if (!error)
        error = resident_pages_each(count_page, &count, &sums);
    if (error)
        return error;
    look->unread_bytes = sums.unread_bytes;
    look->rss_bytes = sums.rss_bytes;
    look->lazyfree_bytes = sums.lazyfree_bytes;
    look->anon_huge_bytes = sums.anon_huge_bytes;
    look->swap_bytes = sums.swap_bytes;
    if (look->has_usable)
        live_blocks_each(add_usable, look);
    add_up(look);
    return 0;
}

int pages_look(struct pages_look *look)
{
    struct pages_look taken = {.has_usable = live_blocks_has_usable(LIVE_OBJECT), .has_mapped = 1};
    const int error = take(&taken);

    if (error)
        return error;
    taken.lost_blocks = live_blocks_lost();
    *look = taken;
    return 0;
}
