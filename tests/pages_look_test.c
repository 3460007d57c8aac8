/*
 * A look at the pages of this process, with allocators whose every figure is known beforehand: one
 * block a page, a bump pointer whose usable size is a multiple of 64, regions, memory that is kept
 * though nobody uses it. The oracle counts bytes of a plain list of blocks. Leaves out real
 * allocators (pages_run_test.py).
 */
#define _GNU_SOURCE
#include "harness/pages_look.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE        ((size_t)4096)
#define MIB         ((size_t)1 << 20)
#define SPACE_BYTES (256 * MIB)

/* What this program touches between two looks for itself, at most: stack, cmocka, libc. */
#define SLACK_BYTES (16 * PAGE)

static char *space;       /* small pages, on a page */
static size_t space_used; /* of both allocators; each begins on a page of its own */

static char *take_space(size_t bytes, size_t alignment)
{
    space_used = (space_used + alignment - 1) / alignment * alignment + bytes;
    assert_true(space_used <= SPACE_BYTES);
    return space + space_used - bytes;
}

static void free_nothing(void *block)
{
    (void)block;
}

/* Each block begins on a page of its own. */
static void *page_malloc(size_t bytes)
{
    return take_space((bytes + PAGE - 1) / PAGE * PAGE, PAGE);
}

static size_t says_less; /* of usable_size */

/* A block's usable size is what it was asked for, rounded up to 64: the block before knows. */
static void *bump_malloc(size_t bytes)
{
    return take_space((bytes + 63) / 64 * 64, 64);
}

static size_t usable_of_each; /* all blocks of a test have one size */

static size_t page_usable(void *block)
{
    (void)block;
    return PAGE - says_less;
}

static size_t bump_usable(void *block)
{
    (void)block;
    return usable_of_each;
}

static void *region_create(void)
{
    return space;
}

static void *region_alloc(void *region, size_t bytes, size_t alignment)
{
    (void)region;
    return take_space(bytes, alignment);
}

static const struct allocator_ops pages_ops = {.malloc = page_malloc,
                                               .free = free_nothing,
                                               .usable_size = page_usable,
                                               .region_create = region_create,
                                               .region_alloc = region_alloc,
                                               .region_reset = free_nothing,
                                               .region_destroy = free_nothing};
static const struct allocator_ops bump_ops = {
    .malloc = bump_malloc, .free = free_nothing, .usable_size = bump_usable};
static const struct allocator_ops *object = &pages_ops, *raw = &bump_ops;

static struct pages_look look_now(void)
{
    struct pages_look look;

    assert_int_equal(pages_look(&look), 0);
    assert_int_equal(look.lost_blocks, 0);
    /* What is counted is what the kernel counts. */
    const uint64_t counted_bytes = look.floor_bytes + look.held_bytes + look.process_bytes +
                                   look.own_bytes + look.unread_bytes;
    assert_true(counted_bytes + SLACK_BYTES > look.rss_bytes);
    assert_true(counted_bytes < look.rss_bytes + SLACK_BYTES);
    return look;
}

/* `actual` is `expected`, or a little more. */
static void assert_about(uint64_t actual, uint64_t expected)
{
    assert_in_range(actual, expected, expected + SLACK_BYTES);
}

/* Gives back what a test took. */
static int empty_space(void **state)
{
    (void)state;
    madvise(space, SPACE_BYTES, MADV_DONTNEED);
    space_used = 0;
    says_less = 0;
    return 0;
}

static void one_block_a_page_is_one_page_a_block(void **state)
{
    enum { BLOCKS = 1000, BYTES = 100 };
    static void *blocks[BLOCKS];
    const struct pages_look before = look_now();

    (void)state;
    for (size_t i = 0; i < BLOCKS; i++)
        memset(blocks[i] = object->malloc(BYTES), 1, BYTES);
    struct pages_look look = look_now();
    assert_int_equal(look.blocks, BLOCKS);
    assert_int_equal(look.requested_bytes, BLOCKS * BYTES);
    assert_int_equal(look.requested_resident_bytes, BLOCKS * BYTES);
    assert_int_equal(look.has_usable, 1);
    assert_int_equal(look.odd_usable, 0);
    assert_int_equal(look.usable_bytes, BLOCKS * PAGE);
    assert_int_equal(look.usable_resident_bytes, BLOCKS * PAGE);
    assert_int_equal(look.live_page_bytes, BLOCKS * PAGE);
    assert_int_equal(look.floor_bytes, BLOCKS * PAGE);
    assert_int_equal(look.share_pages[0], BLOCKS);
    assert_int_equal(look.overlapping_pages, 0);
    assert_about(look.held_bytes, before.held_bytes);
    for (size_t i = 0; i < BLOCKS; i++)
        object->free(blocks[i]);
    look = look_now();
    assert_int_equal(look.blocks, 0);
    assert_int_equal(look.requested_bytes, 0);
    assert_int_equal(look.floor_bytes, 0);
    assert_about(look.held_bytes, before.held_bytes + BLOCKS * PAGE); /* it gave nothing back */
}

static void rounding_of_a_bump_pointer_is_told(void **state)
{
    enum { BLOCKS = 64 * 100, BYTES = 40 }; /* 64 blocks a page */
    static void *blocks[BLOCKS];

    (void)state;
    usable_of_each = 64;
    for (size_t i = 0; i < BLOCKS; i++)
        memset(blocks[i] = raw->malloc(BYTES), 1, BYTES);
    struct pages_look look = look_now();
    assert_int_equal(look.requested_bytes, BLOCKS * 40);
    assert_int_equal(look.usable_bytes, BLOCKS * 64);
    assert_int_equal(look.usable_resident_bytes, BLOCKS * 64);
    assert_int_equal(look.floor_bytes, BLOCKS * 64);
    assert_int_equal(look.share_pages[4], 100); /* 40 / 64 is to 5/8 */
    /* One in fifty stays: the pages with one of them are known, and so is what is in each. */
    uint64_t kept = 0, pages = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        pages += i % 50 == 0 && (i == 0 || i / 64 != (i - 50) / 64);
        kept += i % 50 == 0;
        if (i % 50 != 0)
            raw->free(blocks[i]);
    }
    look = look_now();
    assert_int_equal(look.blocks, kept);
    assert_int_equal(look.requested_bytes, kept * 40);
    assert_int_equal(look.usable_bytes, kept * 64);
    assert_int_equal(look.floor_bytes, pages * PAGE);
    assert_int_equal(look.share_pages[0], pages);
    for (size_t i = 0; i < BLOCKS; i += 50)
        raw->free(blocks[i]);
}

static void untouched_bytes_are_live_and_not_resident(void **state)
{
    enum { PAGES = 64 };
    char *block = object->malloc(PAGES * PAGE - 100);

    (void)state;
    memset(block + 10 * PAGE, 1, 20 * PAGE); /* and never the others */
    struct pages_look look = look_now();
    assert_int_equal(look.live_page_bytes, PAGES * PAGE);
    assert_int_equal(look.floor_bytes, 20 * PAGE);
    assert_int_equal(look.requested_bytes, PAGES * PAGE - 100);
    assert_int_equal(look.requested_resident_bytes, 20 * PAGE);
    assert_int_equal(look.share_pages[7], 20);
    object->free(block);
}

static void blocks_of_regions_count_and_have_no_usable_size(void **state)
{
    void *region = object->region_create();

    (void)state;
    memset(object->region_alloc(region, 5000, 4096), 1, 5000);
    struct pages_look look = look_now();
    assert_int_equal(look.requested_bytes, 5000);
    assert_int_equal(look.floor_bytes, 2 * PAGE);
    assert_int_equal(look.has_usable, 0);
    assert_int_equal(look.usable_bytes, 0);
    object->region_reset(region);
    assert_int_equal(look_now().requested_bytes, 0);
    object->region_destroy(region);
}

/*
 * Frees lazily what was touched on this processor, all of it. A page becomes LazyFree when it
 * leaves the processor's batch of 31 (mm/swap.c, lru_add_drain), which the second call empties at
 * its start.
 */
static int free_lazily(char *start, size_t bytes)
{
    return madvise(start, bytes, MADV_FREE) == 0 ? madvise(start, bytes, MADV_FREE) : -1;
}

static void what_is_kept_is_held_and_lazily_freed_is_told(void **state)
{
    const struct pages_look before = look_now();
    char *kept = take_space(8 * MIB, PAGE);
    cpu_set_t allowed, one;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    memset(kept, 1, 8 * MIB);
    struct pages_look look = look_now();
    assert_about(look.held_bytes, before.held_bytes + 8 * MIB);
    assert_int_equal(look.floor_bytes, before.floor_bytes);
    if (free_lazily(kept, 4 * MIB) != 0)
        skip(); /* Linux before 4.5 */
    look = look_now();
    assert_about(look.held_bytes, before.held_bytes + 8 * MIB);
    assert_int_equal(look.lazyfree_bytes, before.lazyfree_bytes + 4 * MIB);
    madvise(kept, 8 * MIB, MADV_DONTNEED);
    assert_about(look_now().held_bytes, before.held_bytes);
    assert_int_equal(sched_setaffinity(0, sizeof allowed, &allowed), 0);
}

static void own_tables_are_apart(void **state)
{
    enum { BLOCKS = 200000 };
    static void *blocks[BLOCKS];
    const struct pages_look before = look_now();

    (void)state;
    usable_of_each = 64;
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = raw->malloc(64); /* untouched: what grows is the table alone */
    struct pages_look look = look_now();
    assert_true(look.own_bytes > before.own_bytes + (size_t)BLOCKS * 16);
    /* But for `blocks` itself, whole pages of which this test has touched. */
    assert_about(look.held_bytes, before.held_bytes + sizeof blocks - 2 * PAGE);
    for (size_t i = 0; i < BLOCKS; i++)
        raw->free(blocks[i]);
}

static void blocks_that_overlap_are_told(void **state)
{
    char *first = raw->malloc(PAGE);

    (void)state;
    memset(first, 1, PAGE);
    space_used -= PAGE - 64;
    char *second = raw->malloc(PAGE);
    assert_ptr_equal(second, first + 64);
    usable_of_each = PAGE;
    assert_true(look_now().overlapping_pages > 0);
    raw->free(first);
    raw->free(second);
    assert_int_equal(look_now().overlapping_pages, 0);
}

static void usable_sizes_that_cannot_be_are_told(void **state)
{
    void *block = object->malloc(PAGE);

    (void)state;
    assert_int_equal(look_now().odd_usable, 0);
    says_less = 1;
    assert_int_equal(look_now().odd_usable, 1);
    object->free(block);
}

/* Blocks in a huge page hold all of it, once: 2 MiB where the page table has one, pages where not.
 */
static void a_huge_page_counts_whole_where_it_is_mapped(void **state)
{
    enum { BLOCKS = 3 };
    const size_t huge_bytes = 2 * MIB, places[BLOCKS] = {0, 5 * PAGE, huge_bytes};
    char *area = take_space(2 * huge_bytes, huge_bytes);
    void *blocks[BLOCKS];
    const size_t used = space_used - 2 * huge_bytes;

    (void)state;
    madvise(area, 2 * huge_bytes, MADV_HUGEPAGE);
    usable_of_each = 64;
    for (size_t i = 0; i < BLOCKS; i++) {
        space_used = used + places[i];
        memset(blocks[i] = raw->malloc(64), 1, 64);
    }
    const struct pages_look look = look_now();
    assert_int_equal(look.floor_bytes, BLOCKS * PAGE);
    if (look.anon_huge_bytes == 0)
        assert_int_equal(look.floor_mapped_bytes, BLOCKS * PAGE);
    else if (look.has_mapped && look.anon_huge_bytes >= 2 * huge_bytes)
        assert_int_equal(look.floor_mapped_bytes, 2 * huge_bytes);
    for (size_t i = 0; i < BLOCKS; i++)
        raw->free(blocks[i]);
    madvise(area, 2 * huge_bytes, MADV_NOHUGEPAGE);
    if (look.anon_huge_bytes < 2 * huge_bytes)
        skip(); /* this machine gave no huge pages */
}

/* Pages of the stack, deeper than this process has been. */
__attribute__((noinline)) static void touch_stack(void)
{
    volatile char deep[MIB];

    for (size_t i = 0; i < sizeof deep; i += PAGE)
        deep[i] = 1;
}

static void the_stack_is_of_the_process(void **state)
{
    const struct pages_look before = look_now();

    (void)state;
    touch_stack();
    const struct pages_look look = look_now();
    assert_about(look.process_bytes, before.process_bytes + MIB - SLACK_BYTES);
    assert_about(look.held_bytes, before.held_bytes);
}

static char before[4 << 20]; /* touched before the baseline */

static void what_was_there_before_is_of_the_process(void **state)
{
    const struct pages_look look = look_now();

    (void)state;
    assert_true(look.process_bytes >= sizeof before - 2 * PAGE);
    assert_true(look.held_bytes < sizeof before); /* what other tests have touched */
}

static int begin(void **state)
{
    (void)state;
    memset(before, 1, sizeof before);
    space = mmap(NULL, SPACE_BYTES + 2 * MIB, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space == MAP_FAILED || pages_look_begin(&object, &raw) != 0)
        return -1;
    madvise(space, SPACE_BYTES + 2 * MIB, MADV_NOHUGEPAGE);
    space += -(uintptr_t)space & (2 * MIB - 1); /* a huge page could begin there */
    space_used = 0;
    return pages_look_baseline();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_there_before_is_of_the_process),
        cmocka_unit_test_teardown(one_block_a_page_is_one_page_a_block, empty_space),
        cmocka_unit_test_teardown(rounding_of_a_bump_pointer_is_told, empty_space),
        cmocka_unit_test_teardown(untouched_bytes_are_live_and_not_resident, empty_space),
        cmocka_unit_test_teardown(blocks_of_regions_count_and_have_no_usable_size, empty_space),
        cmocka_unit_test_teardown(what_is_kept_is_held_and_lazily_freed_is_told, empty_space),
        cmocka_unit_test_teardown(own_tables_are_apart, empty_space),
        cmocka_unit_test_teardown(blocks_that_overlap_are_told, empty_space),
        cmocka_unit_test_teardown(usable_sizes_that_cannot_be_are_told, empty_space),
        cmocka_unit_test_teardown(a_huge_page_counts_whole_where_it_is_mapped, empty_space),
        cmocka_unit_test_teardown(the_stack_is_of_the_process, empty_space),
    };

    return cmocka_run_group_tests(tests, begin, NULL);
}
