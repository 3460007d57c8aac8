/*
 * The recorder's parts: the table of blocks against a plain array, the tree of stacks against
 * itself, threads on both, frame pointers on a chain made by hand. Leaves out what they are for,
 * which snapshot_test.py sees from outside.
 */
#define _GNU_SOURCE
#include "harness/sites/block_table.h"
#include "harness/sites/capture.h"
#include "harness/sites/recorder.h"
#include "harness/sites/stack_tree.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { ADDRESSES = 20000, STEPS = 400000, THREADS = 4, STACKS = 3000 };

static struct block_table table; /* empty again after each test */

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* Blocks in few pages, one a page, and at odd addresses, as some allocators would have them. */
static uintptr_t address_of(size_t index)
{
    if (index % 3 == 0)
        return 0x100000 + index * 16;
    if (index % 3 == 1)
        return UINT64_C(0x7f0000000000) + index * 0x10000;
    return 0x5550000 + index * 3;
}

static struct block_entry entry_of(size_t index, uint64_t mark)
{
    return (struct block_entry){.address = address_of(index),
                                .bytes = mark,
                                .stack = (uint32_t)(mark * 7),
                                .label = (uint16_t)(mark * 5),
                                .domain = (uint16_t)(mark % BLOCK_DOMAINS)};
}

static void assert_entry(const struct block_entry *found, const struct block_entry *expected)
{
    assert_int_equal(found->address, expected->address);
    assert_int_equal(found->bytes, expected->bytes);
    assert_int_equal(found->stack, expected->stack);
    assert_int_equal(found->label, expected->label);
    assert_int_equal(found->domain, expected->domain);
}

struct sum {
    uint64_t count, bytes, addresses;
};

static int add_to_sum(const struct block_entry *entry, void *argument)
{
    struct sum *sum = argument;

    sum->count++;
    sum->bytes += entry->bytes;
    sum->addresses += entry->address;
    return 0;
}

static struct sum sum_of_table(void)
{
    struct sum sum = {0};

    block_table_lock_all(&table);
    assert_int_equal(block_table_each(&table, add_to_sum, &sum), 0);
    block_table_unlock_all(&table);
    return sum;
}

static void table_keeps_what_an_array_keeps(void **state)
{
    static uint64_t marks[ADDRESSES]; /* 0: not there */
    uint64_t random = 1;
    struct sum expected = {0};

    (void)state;
    for (size_t step = 1; step <= STEPS; step++) {
        size_t index = next_random(&random) % ADDRESSES;
        struct block_entry before = entry_of(index, marks[index]), found = {0};
        /* Mostly full in one half of the time, mostly empty in the other. */
        if (next_random(&random) % 4 < (step / 50000 % 2 ? 1 : 3)) {
            marks[index] = step;
            before = entry_of(index, step);
            assert_int_equal(block_table_put(&table, &before), 0);
        } else if (marks[index]) {
            assert_int_equal(block_table_take(&table, before.address, &found), 0);
            assert_entry(&found, &before);
            marks[index] = 0;
        } else {
            assert_int_equal(block_table_take(&table, before.address, &found), -ENOENT);
            assert_int_equal(found.address, 0);
        }
    }
    for (size_t index = 0; index < ADDRESSES; index++) {
        if (marks[index]) {
            const struct block_entry entry = entry_of(index, marks[index]);
            add_to_sum(&entry, &expected);
        }
    }
    struct sum sum = sum_of_table();
    assert_int_equal(sum.count, expected.count);
    assert_int_equal(sum.bytes, expected.bytes);
    assert_int_equal(sum.addresses, expected.addresses);
    block_table_free(&table);
}

/* A block at each byte, as no allocator has them: the largest room that a page can need. */
static void page_may_be_full(void **state)
{
    enum { PAGE = 4096 };
    struct block_entry entry = {.stack = 1}, found;

    (void)state;
    for (uintptr_t place = 0; place < PAGE; place++) {
        entry.address = 0x40000000 + place;
        entry.bytes = place + 1;
        assert_int_equal(block_table_put(&table, &entry), 0);
    }
    assert_int_equal(sum_of_table().count, PAGE);
    for (uintptr_t place = PAGE; place-- > 0;) {
        assert_int_equal(block_table_take(&table, 0x40000000 + place, &found), 0);
        assert_int_equal(found.bytes, place + 1);
    }
    assert_int_equal(sum_of_table().count, 0);
    block_table_free(&table);
}

static uint16_t add_ten(uint16_t label, const void *argument)
{
    return (uint16_t)(label + *(const uint16_t *)argument);
}

static void relabelling_changes_the_label_alone(void **state)
{
    struct block_entry entry = entry_of(5, 9), found;
    const uint16_t ten = 10;

    (void)state;
    assert_int_equal(block_table_relabel(&table, entry.address, add_ten, &ten), -ENOENT);
    assert_int_equal(block_table_relabel(&table, 0, add_ten, &ten), -ENOENT);
    assert_int_equal(block_table_put(&table, &entry), 0);
    assert_int_equal(block_table_relabel(&table, entry.address, add_ten, &ten), 0);
    assert_int_equal(block_table_take(&table, entry.address, &found), 0);
    entry.label = (uint16_t)(entry.label + ten);
    assert_entry(&found, &entry);
    block_table_free(&table);
}

/* --- Stacks. --- */

static struct stack_tree tree;

/* Stacks of 1 to 40 frames, of which many share their outer ones. */
static size_t make_stack(size_t number, uintptr_t *frames)
{
    const size_t depth = 1 + number % 40;

    for (size_t i = 0; i < depth; i++)
        frames[depth - 1 - i] = 0x1000 + i * 16 + (i > depth / 2 ? number : 0);
    return depth;
}

static void assert_stack(uint32_t node, const uintptr_t *frames, size_t depth)
{
    for (size_t i = 0; i < depth; i++) {
        assert_int_equal(tree.nodes[node].address, frames[i]);
        assert_true(tree.nodes[node].parent < node);
        node = tree.nodes[node].parent;
    }
    assert_int_equal(node, 0);
}

static void equal_stacks_are_one_node_and_others_are_not(void **state)
{
    static uint32_t nodes[STACKS];
    uintptr_t frames[STACK_MOST_FRAMES];

    (void)state;
    assert_int_equal(stack_tree_init(&tree), 0);
    for (size_t i = 0; i < STACKS; i++) {
        size_t depth = make_stack(i, frames);
        nodes[i] = stack_tree_find(&tree, frames, depth);
        assert_stack(nodes[i], frames, depth);
    }
    const uint32_t count = atomic_load(&tree.count);
    for (size_t i = STACKS; i-- > 0;) {
        size_t depth = make_stack(i, frames);
        assert_int_equal(stack_tree_find(&tree, frames, depth), nodes[i]);
    }
    assert_int_equal(atomic_load(&tree.count), count);
    assert_int_equal(stack_tree_find(&tree, frames, 0), 0);
    stack_tree_free(&tree);
}

static void counts_belong_to_their_stack(void **state)
{
    const uintptr_t inner[] = {3, 2, 1}, outer[] = {2, 1};

    (void)state;
    assert_int_equal(stack_tree_init(&tree), 0);
    uint32_t a = stack_tree_find(&tree, inner, 3), b = stack_tree_find(&tree, outer, 2);
    stack_tree_count(&tree, a, 100);
    stack_tree_count(&tree, a, 20);
    stack_tree_count(&tree, b, 3);
    assert_int_equal(tree.nodes[a].parent, b);
    assert_int_equal(tree.nodes[a].allocated_count, 2);
    assert_int_equal(tree.nodes[a].allocated_bytes, 120);
    assert_int_equal(tree.nodes[b].allocated_bytes, 3);
    stack_tree_free(&tree);
}

/* --- Threads. --- */

static struct recorder recorder;

/* Each enters blocks of its own, takes half of them back, and stacks that all share. */
static void *record_blocks(void *argument)
{
    const uintptr_t own = (uintptr_t)argument << 32;
    uintptr_t frames[STACK_MOST_FRAMES];
    struct block_entry entry;

    for (size_t i = 0; i < STACKS; i++) {
        size_t depth = make_stack(i, frames);
        entry = (struct block_entry){.address = own + i * 64,
                                     .bytes = 8,
                                     .stack = stack_tree_find(&recorder.stacks, frames, depth),
                                     .label = recorder_label(&recorder, i % 2 ? "odd" : "even")};
        recorder_add(&recorder, &entry);
        if (i % 2 && block_table_take(&recorder.blocks, own + i * 64, &entry) != 0)
            return &recorder; /* not NULL: it failed */
    }
    return NULL;
}

static void threads_record_into_one(void **state)
{
    pthread_t threads[THREADS];
    struct recorder_sites sites;
    uint64_t count = 0, bytes = 0;

    (void)state;
    assert_int_equal(recorder_init(&recorder), 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, record_blocks, (void *)(i + 1)), 0);
    /* Meanwhile, what is added up is one state of the table. */
    for (int i = 0; i < 20; i++) {
        assert_int_equal(recorder_add_up(&recorder, &sites), 0);
        recorder_sites_free(&sites);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(recorder_add_up(&recorder, &sites), 0);
    for (size_t i = 0; i <= sites.mask; i++) {
        count += sites.places[i].count;
        bytes += sites.places[i].bytes;
        if (sites.places[i].count)
            assert_string_equal(recorder.labels[sites.places[i].label], "even");
    }
    assert_int_equal(count, THREADS * STACKS / 2);
    assert_int_equal(bytes, 8 * count);
    assert_int_equal(recorder.lost, 0);
    assert_int_equal(recorder.label_count, 3);
    recorder_sites_free(&sites);
    recorder_free(&recorder);
}

/* --- Frame pointers. --- */

struct record {
    const void *caller;
    uintptr_t return_address;
};

static void chain_of_frames_is_followed_to_its_end(void **state)
{
    struct record chain[] = {
        {&chain[1], 0x1010}, {&chain[2], 0x1020}, {&chain[3], 0x1030}, {NULL, 0x9999}};
    struct capture_bounds bounds = {&chain[3], 0x1000, 0x2000};
    uintptr_t frames[4] = {0};

    (void)state;
    assert_int_equal(capture_frame_pointers(&bounds, chain, frames, 4), 3);
    assert_int_equal(frames[0], 0x1010);
    assert_int_equal(frames[2], 0x1030);
    /* The innermost where there is no room for all. */
    assert_int_equal(capture_frame_pointers(&bounds, chain, frames, 2), 2);
    assert_int_equal(frames[1], 0x1020);
}

static void chain_through_other_code_is_none(void **state)
{
    struct record chain[] = {
        {&chain[1], 0x1010}, {&chain[2], 0x1020}, {&chain[3], 0x1030}, {NULL, 0x9999}};
    struct capture_bounds bounds = {&chain[3], 0x1000, 0x2000};
    uintptr_t frames[4];

    (void)state;
    chain[1].return_address = 0x2000; /* a library's */
    assert_int_equal(capture_frame_pointers(&bounds, chain, frames, 4), 0);
    chain[1].return_address = 0x1020;
    chain[2].caller = &chain[1]; /* back again */
    assert_int_equal(capture_frame_pointers(&bounds, chain, frames, 4), 0);
    chain[2].caller = (char *)&chain[3] + 1;
    assert_int_equal(capture_frame_pointers(&bounds, chain, frames, 4), 0);
    assert_int_equal(capture_frame_pointers(&bounds, &chain[3] + 1, frames, 4), 0);
}

__attribute__((noinline)) static size_t unwind_here(uintptr_t *frames, size_t most)
{
    return capture_unwind(__builtin_return_address(0), frames, most);
}

static void unwinder_begins_with_the_caller(void **state)
{
    uintptr_t frames[STACK_MOST_FRAMES];

    (void)state;
    capture_init();
    size_t depth = unwind_here(frames, STACK_MOST_FRAMES);
    assert_true(depth > 2);
    void (*self)(void **) = unwinder_begins_with_the_caller;
    uintptr_t begin;
    memcpy(&begin, &self, sizeof begin);
    assert_true(frames[0] > begin && frames[0] < begin + 4096);
    assert_int_equal(unwind_here(frames, 1), 1);
    assert_int_equal(capture_unwind(&frames, frames, 8), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_keeps_what_an_array_keeps),
        cmocka_unit_test(page_may_be_full),
        cmocka_unit_test(relabelling_changes_the_label_alone),
        cmocka_unit_test(equal_stacks_are_one_node_and_others_are_not),
        cmocka_unit_test(counts_belong_to_their_stack),
        cmocka_unit_test(threads_record_into_one),
        cmocka_unit_test(chain_of_frames_is_followed_to_its_end),
        cmocka_unit_test(chain_through_other_code_is_none),
        cmocka_unit_test(unwinder_begins_with_the_caller),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
