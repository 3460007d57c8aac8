/*
 * The parts of the pages census: the map of pages against a sum over every byte, the blocks that a
 * program holds against a plain list of them, resident pages against what was touched. Leaves out
 * real allocators and the file, which pages_run_test.py sees from outside.
 */
#define _GNU_SOURCE
#include "harness/live_blocks.h"
#include "harness/page_map.h"
#include "harness/resident_pages.h"
#include "harness/sites/own_memory.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE        ((size_t)4096)
#define SPACE_BYTES ((size_t)4 << 20)
#define PAGES       (SPACE_BYTES / PAGE)

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* --- The map of pages. --- */

/* Blocks at random places, not overlapping, some of several pages; the usable part of a block ends
 * where the next one begins. Each byte of the space is marked, and counted page by page. */
static void map_counts_what_counting_each_byte_counts(void **state)
{
    static unsigned char marks[SPACE_BYTES]; /* 1 asked for, 2 usable besides */
    const uintptr_t base = UINT64_C(0x7f0000000000);
    struct page_map map = {.page_bytes = PAGE};
    uint64_t random = 7;
    struct block {
        size_t at, bytes, usable;
    } blocks[4000];
    size_t count = 0;

    (void)state;
    for (size_t at = 0; count < 4000;) {
        at += next_random(&random) % (count % 50 == 0 ? 30000 : 600);
        const size_t bytes = next_random(&random) % (count % 40 == 0 ? 20000 : 700);
        const size_t usable = bytes + next_random(&random) % 100;
        if (at + usable > SPACE_BYTES)
            break;
        blocks[count++] = (struct block){at, bytes, usable};
        memset(marks + at, 1, bytes);
        memset(marks + at + bytes, 2, usable - bytes);
        at += usable;
    }
    assert_true(count > 1000);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(page_map_add_live(&map, base + blocks[i].at, blocks[i].bytes), 0);
    for (size_t i = 0; i < count; i++)
        page_map_add_usable(&map, base + blocks[i].at, blocks[i].usable);
    size_t pages = 0;
    for (size_t number = 0; number < PAGES; number++) {
        uint32_t live = 0, usable = 0;
        for (size_t i = 0; i < PAGE; i++) {
            live += marks[number * PAGE + i] == 1;
            usable += marks[number * PAGE + i] != 0;
        }
        const struct page_use *page = page_map_find(&map, base + number * PAGE + number);
        assert_int_equal(page != NULL, live > 0);
        if (!page)
            continue;
        assert_int_equal(page->live_bytes, live);
        assert_int_equal(page->usable_bytes, usable);
        assert_int_equal(page->is_resident, 0);
        pages++;
    }
    assert_int_equal(map.count, pages);
    page_map_clear(&map);
    assert_int_equal(map.count, 0);
    assert_null(page_map_find(&map, base + blocks[count / 2].at));
    page_map_free(&map);
}

static void map_tells_where_blocks_overlap(void **state)
{
    struct page_map map = {.page_bytes = PAGE};

    (void)state;
    assert_null(page_map_find(&map, 0x10000));
    assert_int_equal(page_map_add_live(&map, 0x10000, 3000), 0);
    assert_int_equal(page_map_add_live(&map, 0x10000, 3000), 0);
    assert_true(page_map_find(&map, 0x10000)->live_bytes > PAGE);
    page_map_free(&map);
}

/* --- The blocks that are held. --- */

#define SLOTS   ((size_t)3000)
#define THREADS ((size_t)4)
enum { STEPS = 60000 };

static size_t fake_failing; /* the next realloc gives NULL */
static size_t region_ends;

static void *fake_realloc(void *block, size_t bytes)
{
    if (fake_failing) {
        fake_failing = 0;
        return NULL;
    }
    return realloc(block, bytes);
}

static size_t fake_usable(void *block)
{
    (void)block;
    return 77;
}

static char region_space[1 << 20];
static size_t region_used;

static void *fake_region_create(void)
{
    return region_space;
}

static void *fake_region_alloc(void *region, size_t bytes, size_t alignment)
{
    assert_ptr_equal(region, region_space); /* it is the real one that is asked */
    region_used = (region_used + alignment - 1) & ~(alignment - 1);
    region_used += bytes;
    return region_space + region_used - bytes;
}

static void fake_region_end(void *region)
{
    assert_ptr_equal(region, region_space);
    region_ends++;
    region_used = 0;
}

static const struct allocator_ops fake_object = {.malloc = malloc,
                                                 .calloc = calloc,
                                                 .realloc = fake_realloc,
                                                 .aligned_alloc = aligned_alloc,
                                                 .free = free,
                                                 .usable_size = fake_usable,
                                                 .region_create = fake_region_create,
                                                 .region_alloc = fake_region_alloc,
                                                 .region_reset = fake_region_end,
                                                 .region_destroy = fake_region_end};
static const struct allocator_ops fake_raw = {.malloc = malloc, .free = free};
static const struct allocator_ops *object = &fake_object, *raw = &fake_raw;

struct sum {
    uint64_t count, bytes, addresses;
    uint64_t by_source[3];
};

static int add_block(const struct live_block *block, void *argument)
{
    struct sum *sum = argument;

    sum->count++;
    sum->bytes += block->bytes;
    sum->addresses += block->address;
    sum->by_source[block->source]++;
    return 0;
}

static struct sum sum_of_blocks(void)
{
    struct sum sum = {0};

    assert_int_equal(live_blocks_each(add_block, &sum), 0);
    return sum;
}

/* What a thread does: each slot is empty or a block, whose size is known. */
struct worker {
    uint64_t random;
    void *blocks[SLOTS];
    size_t bytes[SLOTS];
};

static void *allocate(size_t way, size_t bytes, size_t *held)
{
    *held = bytes;
    switch (way) {
    case 0:
        return raw->malloc(bytes);
    case 1:
        *held = 3 * bytes;
        return object->calloc(3, bytes);
    case 2:
        *held = bytes = (bytes + 63) / 64 * 64;
        return object->aligned_alloc(64, bytes);
    case 3:
        return object->realloc(NULL, bytes);
    default:
        return object->malloc(bytes);
    }
}

static void *work(void *argument)
{
    struct worker *worker = argument;

    for (size_t step = 0; step < STEPS; step++) {
        const size_t i = next_random(&worker->random) % SLOTS;
        const size_t bytes = 1 + next_random(&worker->random) % 300;
        if (!worker->blocks[i]) {
            worker->blocks[i] =
                allocate(next_random(&worker->random) % 6, bytes, &worker->bytes[i]);
        } else if (next_random(&worker->random) % 3 == 0) {
            worker->blocks[i] = object->realloc(worker->blocks[i], bytes);
            worker->bytes[i] = bytes;
        } else {
            (i % 2 ? object : raw)->free(worker->blocks[i]);
            worker->blocks[i] = NULL;
        }
    }
    return NULL;
}

static void table_holds_what_the_program_holds(void **state)
{
    static struct worker workers[THREADS];
    pthread_t threads[THREADS];
    struct sum expected = {0};

    (void)state;
    for (size_t i = 0; i < THREADS; i++) {
        workers[i].random = i + 1;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < THREADS * SLOTS; i++) {
        const struct worker *worker = &workers[i / SLOTS];
        expected.count += worker->blocks[i % SLOTS] != NULL;
        expected.bytes += worker->blocks[i % SLOTS] ? worker->bytes[i % SLOTS] : 0;
        expected.addresses += (uintptr_t)worker->blocks[i % SLOTS];
    }
    struct sum sum = sum_of_blocks();
    assert_true(expected.count > 1000);
    assert_int_equal(sum.count, expected.count);
    assert_int_equal(sum.bytes, expected.bytes);
    assert_int_equal(sum.addresses, expected.addresses);
    assert_true(sum.by_source[LIVE_RAW] > 0 && sum.by_source[LIVE_OBJECT] > 0);
    for (size_t i = 0; i < THREADS * SLOTS; i++)
        object->free(workers[i / SLOTS].blocks[i % SLOTS]);
    assert_int_equal(sum_of_blocks().count, 0);
    assert_int_equal(live_blocks_lost(), 0);
}

static void realloc_that_fails_keeps_the_block(void **state)
{
    void *block = object->malloc(100);

    (void)state;
    fake_failing = 1;
    assert_null(object->realloc(block, 1 << 20));
    struct sum sum = sum_of_blocks();
    assert_int_equal(sum.count, 1);
    assert_int_equal(sum.bytes, 100);
    assert_int_equal(sum.addresses, (uintptr_t)block);
    object->free(block);
    assert_int_equal(sum_of_blocks().count, 0);
}

static void blocks_of_a_region_live_until_it_ends(void **state)
{
    const size_t block_count = 500; /* more than one sheet */
    void *region = object->region_create();

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 1; i <= block_count; i++)
            assert_non_null(object->region_alloc(region, i, 8));
        struct sum sum = sum_of_blocks();
        assert_int_equal(sum.by_source[LIVE_REGION], block_count);
        assert_int_equal(sum.bytes, block_count * (block_count + 1) / 2);
        object->region_reset(region);
        assert_int_equal(sum_of_blocks().count, 0);
    }
    void *other = object->region_create();
    object->region_alloc(region, 10, 1);
    object->region_alloc(other, 20, 1);
    object->region_destroy(region);
    assert_int_equal(sum_of_blocks().bytes, 20);
    object->region_destroy(other);
    assert_int_equal(sum_of_blocks().count, 0);
    assert_int_equal(region_ends, 5);
}

static void usable_size_is_that_of_the_real_one(void **state)
{
    const struct live_block block = {.address = 16, .bytes = 1, .source = LIVE_OBJECT};

    (void)state;
    assert_int_equal(live_blocks_has_usable(LIVE_OBJECT), 1);
    assert_int_equal(live_blocks_has_usable(LIVE_RAW), 0);
    assert_int_equal(live_blocks_has_usable(LIVE_REGION), 0);
    assert_int_equal(live_blocks_usable_bytes(&block), 77);
    assert_null(raw->realloc);
    assert_null(raw->region_create);
}

/* --- Resident pages. --- */

struct seen {
    uintptr_t begin, end;
    unsigned char pages[PAGES];
    uint64_t all, own, huge;
    uintptr_t last;
    int stacks, files;
};

static void see(const struct resident_page *page, void *argument)
{
    struct seen *seen = argument;

    assert_true(page->address > seen->last);
    seen->last = page->address;
    seen->all++;
    seen->own += own_memory_holds(page->address) != 0;
    seen->stacks += page->is_stack;
    seen->files += page->is_file;
    if (page->address >= seen->begin && page->address < seen->end) {
        seen->pages[(page->address - seen->begin) / PAGE]++;
        seen->huge += page->mapping_bytes > PAGE;
    }
}

static char *map_space(void)
{
    char *space =
        mmap(NULL, SPACE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(space, MAP_FAILED);
    return space;
}

static void pages_that_were_written_are_resident_and_no_others(void **state)
{
    static struct seen seen;
    char *space = map_space();
    struct resident_sums sums;
    uint64_t sum = 0;

    (void)state;
    madvise(space, SPACE_BYTES, MADV_NOHUGEPAGE);
    memset(&seen, 0, sizeof seen);
    seen.begin = (uintptr_t)space;
    seen.end = (uintptr_t)space + SPACE_BYTES;
    for (size_t i = 0; i < PAGES; i += 3)
        space[i * PAGE] = 1;
    for (size_t i = 1; i < PAGES; i += 3)
        sum += (uint64_t)((volatile char *)space)[i * PAGE]; /* the page of zeros */
    assert_int_equal(sum, 0);
    assert_int_equal(resident_pages_each(see, &seen, &sums), 0);
    for (size_t i = 0; i < PAGES; i++)
        assert_int_equal(seen.pages[i], i % 3 == 0);
    assert_true(seen.stacks > 0 && seen.files > 0);
    /* What is visited is what the kernel counts; between its lines the process has not stood still
     * for this function's own pages. */
    const uint64_t visited_bytes = seen.all * PAGE + sums.unread_bytes;
    assert_true(visited_bytes + 16 * PAGE > sums.rss_bytes);
    assert_true(visited_bytes < sums.rss_bytes + 16 * PAGE);
    munmap(space, SPACE_BYTES);
}

static void own_memory_is_told_from_all_else(void **state)
{
    static struct seen seen;
    struct resident_sums sums;

    (void)state;
    memset(&seen, 0, sizeof seen);
    assert_int_equal(resident_pages_each(see, &seen, &sums), 0);
    const uint64_t before = seen.own;
    char *pages = own_memory_map(10 * PAGE - 1);
    assert_non_null(pages);
    memset(pages, 1, 7 * PAGE);
    memset(&seen, 0, sizeof seen);
    assert_int_equal(resident_pages_each(see, &seen, &sums), 0);
    assert_int_equal(seen.own, before + 7);
    own_memory_unmap(pages, 10 * PAGE - 1);
    memset(&seen, 0, sizeof seen);
    assert_int_equal(resident_pages_each(see, &seen, &sums), 0);
    assert_int_equal(seen.own, before);
    assert_null(own_memory_map(SIZE_MAX - PAGE));
}

/* Where the machine has huge pages, and a kernel that tells which: one of them, beside small ones
 * in the same mapping. */
static void huge_pages_are_told_from_small_ones(void **state)
{
    const size_t huge_bytes = (size_t)2 << 20;
    static struct seen seen;
    struct resident_sums sums;
    char *space = map_space();
    char *aligned = (char *)(((uintptr_t)space + huge_bytes - 1) / huge_bytes * huge_bytes);

    (void)state;
    madvise(space, SPACE_BYTES, MADV_HUGEPAGE);
    aligned[0] = 1;
    memset(&seen, 0, sizeof seen);
    seen.begin = (uintptr_t)space;
    seen.end = (uintptr_t)space + SPACE_BYTES;
    assert_int_equal(resident_pages_each(see, &seen, &sums), 0);
    size_t resident = 0;
    for (size_t i = 0; i < PAGES; i++)
        resident += seen.pages[i];
    if (resident == 1) {
        munmap(space, SPACE_BYTES);
        print_message("this machine gave no huge page\n");
        skip();
    }
    assert_int_equal(resident, huge_bytes / PAGE);
    assert_true(sums.anon_huge_bytes >= huge_bytes);
    assert_true(seen.huge == huge_bytes / PAGE || seen.huge == 0); /* 0: Linux before 6.7 */
    munmap(space, SPACE_BYTES);
}

static int confine(void **state)
{
    (void)state;
    if (own_memory_confine((size_t)1 << 36) != 0)
        return -1;
    live_blocks_begin(&object, &raw);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_counts_what_counting_each_byte_counts),
        cmocka_unit_test(map_tells_where_blocks_overlap),
        cmocka_unit_test(table_holds_what_the_program_holds),
        cmocka_unit_test(realloc_that_fails_keeps_the_block),
        cmocka_unit_test(blocks_of_a_region_live_until_it_ends),
        cmocka_unit_test(usable_size_is_that_of_the_real_one),
        cmocka_unit_test(pages_that_were_written_are_resident_and_no_others),
        cmocka_unit_test(own_memory_is_told_from_all_else),
        cmocka_unit_test(huge_pages_are_told_from_small_ones),
    };

    return cmocka_run_group_tests(tests, confine, NULL);
}
