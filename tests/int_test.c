/*
 * What ints promise: which are shared, and how 2.7's blocks and its free list are filled, reused
 * and given back. Leaves out resident memory, which depends on the allocator beneath
 * (fidelity_test.py). Expected sizes are those of CPython 2.7.18 and 3.11.7 on x86-64.
 */
#include "tests/objects_fixture.h"

static void small_ints_are_shared_from_minus_5_to_256(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        for (int64_t value = -6; value <= 257; value++) {
            struct object *one = number(value);
            struct object *other = number(value);
            assert_int_equal(one == other, -5 <= value && value <= 256);
            object_drop(&runtime, one);
            object_drop(&runtime, other);
        }
        finish();
    }
}

/* sys.getsizeof says 28 on all three. */
static void an_int_of_3_8_asks_for_28_bytes_and_a_later_one_for_32(void **state)
{
    (void)state;
    for (size_t i = 1; profile_names[i]; i++) {
        start(&profiles[i]);
        struct object *object = number(1000);
        assert_int_equal(recording.made_count, 1);
        assert_int_equal(recording.made[0].bytes, &profiles[i] == python_3_8 ? 28 : 32);
        assert_int_equal(gauge.live_bytes, recording.live_bytes);
        assert_int_equal(gauge.object_bytes, 28);
        object_drop(&runtime, object);
        finish();
    }
}

/*
 * The start-up of 2.7 leaves free slots in the last block of small ints; with those filled, the
 * next int begins a block. Ints from here on are numbered from there.
 */
enum { FILLER = 25, BLOCKS = 4, PROBES = BLOCKS * NUMBERS_PER_BLOCK };

static struct object *fillers[FILLER];
static struct object *probes[PROBES];

static void start_with_full_blocks(void)
{
    start(python_2_7);
    assert_int_equal(recording.made_count, 7);
    for (size_t i = 0; i < FILLER; i++)
        fillers[i] = number(1000);
    assert_int_equal(recording.made_count, 7);
}

static void make_probes(size_t count)
{
    for (size_t i = 0; i < count; i++)
        probes[i] = number(2000);
}

static void drop_probes(size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        object_drop(&runtime, probes[i]);
}

static void finish_with_fillers(void)
{
    for (size_t i = 0; i < FILLER; i++)
        object_drop(&runtime, fillers[i]);
    finish();
}

static void a_2_7_block_of_992_bytes_holds_41_ints(void **state)
{
    (void)state;
    start_with_full_blocks();
    make_probes(NUMBERS_PER_BLOCK);
    assert_int_equal(recording.made_count, 8);
    assert_int_equal(recording.made[7].bytes, 992);
    struct object *one_more = number(2000);
    assert_int_equal(recording.made_count, 9);
    object_drop(&runtime, one_more);
    drop_probes(0, NUMBERS_PER_BLOCK);
    finish_with_fillers();
}

static void a_new_block_hands_out_its_last_int_first(void **state)
{
    (void)state;
    start_with_full_blocks();
    make_probes(NUMBERS_PER_BLOCK);
    const struct number_block *block = recording.made[7].block;
    for (size_t i = 0; i < NUMBERS_PER_BLOCK; i++)
        assert_ptr_equal(probes[i], &block->numbers[NUMBERS_PER_BLOCK - 1 - i]);
    drop_probes(0, NUMBERS_PER_BLOCK);
    finish_with_fillers();
}

static void the_last_int_dropped_is_the_first_reused(void **state)
{
    (void)state;
    start_with_full_blocks();
    make_probes(3);
    object_drop(&runtime, probes[0]);
    object_drop(&runtime, probes[2]);
    struct object *first = number(3000);
    struct object *second = number(3000);
    assert_ptr_equal(first, probes[2]);
    assert_ptr_equal(second, probes[0]);
    drop_probes(0, 3);
    finish_with_fillers();
}

static void dropped_ints_of_2_7_stay_until_a_full_collection(void **state)
{
    (void)state;
    start_with_full_blocks();
    make_probes(PROBES);
    size_t with_blocks = gauge.live_bytes;
    drop_probes(0, PROBES);
    assert_int_equal(gauge.live_bytes, with_blocks);
    objects_collect(&runtime, OLDEST);
    assert_int_equal(gauge.live_bytes, with_blocks - (size_t)BLOCKS * 992);
    finish_with_fillers();
}

static void a_full_collection_frees_the_newest_block_first(void **state)
{
    (void)state;
    start_with_full_blocks();
    make_probes(PROBES);
    drop_probes(0, PROBES);
    size_t before = recording.freed_count;
    objects_collect(&runtime, OLDEST);
    assert_int_equal(recording.freed_count - before, BLOCKS);
    for (size_t i = 0; i < BLOCKS; i++)
        assert_ptr_equal(recording.freed[before + i].block,
                         recording.made[7 + BLOCKS - 1 - i].block);
    finish_with_fillers();
}

static void one_live_int_pins_its_block_and_no_other(void **state)
{
    enum { SURVIVOR = NUMBERS_PER_BLOCK + 7 }; /* in the second block */

    (void)state;
    start_with_full_blocks();
    make_probes(PROBES);
    drop_probes(0, SURVIVOR);
    drop_probes(SURVIVOR + 1, PROBES);
    size_t before = recording.freed_count;
    objects_collect(&runtime, OLDEST);
    assert_int_equal(recording.freed_count - before, BLOCKS - 1);
    for (size_t i = before; i < recording.freed_count; i++)
        assert_ptr_not_equal(recording.freed[i].block, recording.made[8].block);
    assert_int_equal(int_value(probes[SURVIVOR]), 2000);
    object_drop(&runtime, probes[SURVIVOR]);
    finish_with_fillers();
}

static void the_dead_ints_of_a_pinned_block_are_reused(void **state)
{
    (void)state;
    start_with_full_blocks();
    make_probes(NUMBERS_PER_BLOCK);
    drop_probes(1, NUMBERS_PER_BLOCK);
    objects_collect(&runtime, OLDEST);
    for (size_t i = 1; i < NUMBERS_PER_BLOCK; i++)
        probes[i] = number(3000);
    assert_int_equal(recording.made_count, 8);
    assert_int_equal(int_value(probes[0]), 2000);
    drop_probes(0, NUMBERS_PER_BLOCK);
    finish_with_fillers();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_ints_are_shared_from_minus_5_to_256),
        cmocka_unit_test(an_int_of_3_8_asks_for_28_bytes_and_a_later_one_for_32),
        cmocka_unit_test(a_2_7_block_of_992_bytes_holds_41_ints),
        cmocka_unit_test(a_new_block_hands_out_its_last_int_first),
        cmocka_unit_test(the_last_int_dropped_is_the_first_reused),
        cmocka_unit_test(dropped_ints_of_2_7_stay_until_a_full_collection),
        cmocka_unit_test(a_full_collection_frees_the_newest_block_first),
        cmocka_unit_test(one_live_int_pins_its_block_and_no_other),
        cmocka_unit_test(the_dead_ints_of_a_pinned_block_are_reused),
    };

    return cmocka_run_group_tests_name("int", tests, NULL, NULL);
}
