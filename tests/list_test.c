/*
 * What lists promise: when storage is asked for, grown and given back, and in which order items go.
 * Leaves out cycles (collector_test.c). Expected sizes are what real CPythons were seen to do
 * (2.7.18 and 3.11.7 on x86-64, sys.getsizeof; 3.8 has the growth of 2.7).
 */
#include "tests/objects_fixture.h"

#include <errno.h>

static void check_append_growth(const struct profile *profile, const size_t *rooms, size_t count)
{
    start(profile);
    struct list *list = empty_list();
    size_t seen = 0;

    for (size_t size = 1; size <= rooms[count - 1]; size++) {
        append_number(list, 0);
        if (list->allocated == (seen ? rooms[seen - 1] : 0))
            continue;
        assert_true(seen < count);
        assert_int_equal(list->allocated, rooms[seen]);
        seen++;
    }
    assert_int_equal(seen, count);
    drop_list(list);
    finish();
}

static void appending_grows_a_list_as_2_7_and_3_8_do(void **state)
{
    static const size_t rooms[] = {4,   8,   16,  25,  35,   46,   58,   72,   88,   106, 126,
                                   148, 173, 201, 233, 269,  309,  354,  405,  462,  526, 598,
                                   679, 771, 874, 990, 1120, 1267, 1432, 1618, 1827, 2062};

    (void)state;
    check_append_growth(python_2_7, rooms, sizeof rooms / sizeof rooms[0]);
    check_append_growth(python_3_8, rooms, sizeof rooms / sizeof rooms[0]);
}

static void appending_grows_a_list_as_3_11_does(void **state)
{
    static const size_t rooms[] = {4,   8,   16,  24,  32,  40,   52,   64,   76,   92,   108,
                                   128, 148, 172, 200, 232, 268,  308,  352,  400,  456,  520,
                                   592, 672, 760, 860, 972, 1100, 1244, 1404, 1584, 1788, 2016};

    (void)state;
    check_append_growth(python_3_11, rooms, sizeof rooms / sizeof rooms[0]);
}

/* `by` items more, on a full list of `size`: l.extend() of a real CPython. */
static void a_long_step_takes_no_room_to_spare(void **state)
{
    static const struct {
        size_t size, by, room_to_3_8, room_3_11;
    } steps[] = {{4, 1, 8, 8},        {4, 2, 9, 12},  {4, 3, 10, 12}, {4, 4, 12, 12},
                 {4, 5, 16, 16},      {4, 6, 17, 16}, {4, 9, 20, 16}, {8, 10, 26, 20},
                 {16, 100, 136, 116}, {16, 3, 27, 24}};

    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        size_t size = steps[i].size + steps[i].by;
        assert_int_equal(python_2_7->list_growth(steps[i].size, size), steps[i].room_to_3_8);
        assert_int_equal(python_3_8->list_growth(steps[i].size, size), steps[i].room_to_3_8);
        assert_int_equal(python_3_11->list_growth(steps[i].size, size), steps[i].room_3_11);
    }
}

/* del list[size:] */
static void shorten(struct list *list, size_t size)
{
    for (size_t i = size; i < list->size; i++)
        object_drop(&runtime, list->items[i]);
    assert_int_equal(list_resize(&runtime, list, size), 0);
}

/* From 100 ints, shortened: real CPythons keep 106 (2.7) and 108 (3.11) slots down to half of them.
 */
static void check_shrink(const struct profile *profile, size_t kept, size_t room_below)
{
    start(profile);
    struct list *list = empty_list();

    for (int i = 0; i < 100; i++)
        append_number(list, 1000);
    assert_int_equal(list->allocated, kept);
    shorten(list, 54);
    assert_int_equal(list->allocated, kept);
    shorten(list, kept / 2 - 1);
    assert_int_equal(list->allocated, room_below);
    drop_list(list);
    finish();
}

static void a_list_keeps_its_storage_until_less_than_half_is_used(void **state)
{
    (void)state;
    check_shrink(python_2_7, 106, 52 + 52 / 8 + 6);
    check_shrink(python_3_8, 106, 52 + 52 / 8 + 6);
    check_shrink(python_3_11, 108, 64);
}

static void a_list_of_known_length_gets_its_storage_at_once(void **state)
{
    (void)state;
    start(python_2_7);
    struct list *list = list_new(&runtime, 101);
    assert_int_equal(list->allocated, 101);
    assert_int_equal(gauge.object_bytes, 72 + 101 * 8);
    drop_list(list);
    finish();

    start(python_3_8);
    list = list_new(&runtime, 101);
    assert_int_equal(list->allocated, 101);
    assert_int_equal(gauge.object_bytes, 56 + 101 * 8);
    drop_list(list);
    finish();

    /* A slice of 101 items on 3.11, and list(range(101)): sys.getsizeof says one more for that. */
    start(python_3_11);
    list = list_new(&runtime, 101);
    assert_int_equal(list->allocated, 101);
    assert_int_equal(gauge.object_bytes, 56 + 101 * 8);
    drop_list(list);
    list = list_of_range(&runtime, 101);
    assert_int_equal(list->allocated, 102);
    drop_list(list);
    finish();
}

/* ops that say which domain was asked */
static size_t raw_requests;

static void *raw_malloc(size_t bytes)
{
    raw_requests++;
    return recording_malloc(bytes);
}

static void *raw_realloc(void *block, size_t bytes)
{
    raw_requests++;
    return recording_realloc(block, bytes);
}

static size_t raw_requests_of_a_list(const struct profile *profile)
{
    static const struct allocator_ops raw = {
        .malloc = raw_malloc, .realloc = raw_realloc, .free = recording_free};

    recording_reset();
    memset(&gauge, 0, sizeof gauge);
    assert_int_equal(runtime_init(&runtime, profile, &recording_ops, &raw, &gauge), 0);
    raw_requests = 0;
    struct list *list = empty_list();
    append_number(list, 0);
    size_t requests = raw_requests;
    drop_list(list);
    finish();
    return requests;
}

static void list_storage_comes_from_raw_on_2_7_and_from_objects_on_3_x(void **state)
{
    (void)state;
    assert_int_equal(raw_requests_of_a_list(python_2_7), 1);
    for (size_t i = 1; profile_names[i]; i++)
        assert_int_equal(raw_requests_of_a_list(&profiles[i]), 0);
}

static void a_list_object_takes_its_head_and_forty_bytes(void **state)
{
    (void)state;
    start(python_2_7);
    struct list *list = empty_list();
    assert_int_equal(recording.made[recording.made_count - 1].bytes, 72);
    drop_list(list);
    finish();
    for (size_t i = 1; profile_names[i]; i++) {
        start(&profiles[i]);
        list = empty_list();
        assert_int_equal(recording.made[recording.made_count - 1].bytes, 56);
        drop_list(list);
        finish();
    }
}

static void a_list_drops_its_items_from_last_to_first(void **state)
{
    (void)state;
    start(python_3_11);
    struct list *list = empty_list();
    void *items[3];

    for (int i = 0; i < 3; i++) {
        append_number(list, 1000 + i);
        items[i] = list->items[i];
    }
    size_t before = recording.freed_count;
    drop_list(list);
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(recording.freed[before + i].block, items[2 - i]);
    finish();
}

/* list(range(n)) in storage made once: every int in its place, held by the list alone. */
static void a_list_of_a_range_holds_each_int_once(void **state)
{
    enum { N = 1001 };

    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        struct list *list = list_of_range(&runtime, N);
        assert_non_null(list);
        assert_int_equal(list->object.references, 1);
        assert_int_equal(list->size, N);
        assert_int_equal(list->allocated, &profiles[i] <= python_3_8 ? N : N + 1);
        for (size_t at = 0; at < N; at++)
            assert_int_equal(int_value(list->items[at]), at);
        for (size_t at = INT_LARGEST_SHARED + 1; at < N; at++)
            assert_int_equal(list->items[at]->references, 1);
        drop_list(list);
        finish();
    }
}

/* Whichever of its requests fails. */
static void a_list_of_a_range_without_memory_is_null_and_no_leak(void **state)
{
    enum { N = 400 };

    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        size_t before = recording.requests;
        drop_list(list_of_range(&runtime, N));
        size_t requests = recording.requests - before;
        finish();
        for (size_t k = 1; k <= requests; k++) {
            start(&profiles[i]);
            recording.fail_at = recording.requests + k;
            assert_null(list_of_range(&runtime, N));
            assert_int_equal(gauge.object_bytes, 0);
            finish();
        }
    }
}

static void a_length_that_no_machine_has_is_out_of_memory(void **state)
{
    (void)state;
    start(python_3_11);
    assert_null(list_new(&runtime, SIZE_MAX));
    assert_null(list_new(&runtime, SIZE_MAX / 8));
    struct list *list = empty_list();
    assert_int_equal(list_resize(&runtime, list, SIZE_MAX / 8), -ENOMEM);
    assert_int_equal(list->size, 0);
    drop_list(list);
    finish();
}

/* An interpreter's start leaves dead lists: they are used first, and no allocator gets them. */
static void lists_of_the_start_are_used_first_and_never_freed(void **state)
{
    enum { LISTS = 100 };
    struct list *lists[LISTS];

    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        lists_start(&runtime);
        size_t made = recording.made_count;
        for (size_t i = 0; i < LISTS; i++)
            lists[i] = empty_list();
        assert_int_equal(recording.made_count, made + LISTS - LISTS_AT_START);
        for (size_t i = LISTS; i-- > 0;)
            drop_list(lists[i]);
        assert_int_equal(gauge.object_bytes, 0);
        finish();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appending_grows_a_list_as_2_7_and_3_8_do),
        cmocka_unit_test(appending_grows_a_list_as_3_11_does),
        cmocka_unit_test(a_long_step_takes_no_room_to_spare),
        cmocka_unit_test(a_list_keeps_its_storage_until_less_than_half_is_used),
        cmocka_unit_test(a_list_of_known_length_gets_its_storage_at_once),
        cmocka_unit_test(list_storage_comes_from_raw_on_2_7_and_from_objects_on_3_x),
        cmocka_unit_test(a_list_object_takes_its_head_and_forty_bytes),
        cmocka_unit_test(a_list_drops_its_items_from_last_to_first),
        cmocka_unit_test(a_list_of_a_range_holds_each_int_once),
        cmocka_unit_test(a_list_of_a_range_without_memory_is_null_and_no_leak),
        cmocka_unit_test(lists_of_the_start_are_used_first_and_never_freed),
        cmocka_unit_test(a_length_that_no_machine_has_is_out_of_memory),
    };

    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
