/*
 * The object runtime's promises, against what real CPythons were seen to do (2.7.18 and 3.11.7 on
 * x86-64, sys.getsizeof). Leaves out resident memory, which depends on the allocator beneath: that
 * is the fidelity test's.
 */
#include "tests/recording_allocator.h"
#include "workloads/objects/list.h"
#include "workloads/objects/runtime.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

/* One runtime at a time, over one recording allocator for both domains. */
static struct runtime runtime;
static struct workload_gauge gauge;

static const struct profile *const python_2_7 = &profiles[0];
static const struct profile *const python_3_11 = &profiles[1];

static void start(const struct profile *profile)
{
    recording_reset();
    memset(&gauge, 0, sizeof gauge);
    assert_int_equal(runtime_init(&runtime, profile, &recording_ops, &recording_ops, &gauge), 0);
}

static void finish(void)
{
    runtime_finish(&runtime);
    assert_int_equal(gauge.object_bytes, 0);
    assert_int_equal(gauge.live_bytes, 0);
    assert_int_equal(recording.live_bytes, 0);
    assert_int_equal(recording.live_blocks, 0);
}

static struct object *number(int64_t value)
{
    struct object *object = int_new(&runtime, value);

    assert_non_null(object);
    assert_int_equal(int_value(object), value);
    return object;
}

static struct list *empty_list(void)
{
    struct list *list = list_new(&runtime, 0);

    assert_non_null(list);
    return list;
}

static void append(struct list *list, struct object *item)
{
    assert_int_equal(list_append(&runtime, list, item), 0);
}

/* Appends an int that nothing else holds. */
static void append_number(struct list *list, int64_t value)
{
    struct object *item = number(value);

    append(list, item);
    object_drop(&runtime, item);
}

static void drop_list(struct list *list)
{
    object_drop(&runtime, &list->object);
}

/* --- Lists
 * ----------------------------------------------------------------------------------------------------------
 */

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

static void appending_grows_a_list_as_2_7_does(void **state)
{
    static const size_t rooms[] = {4,   8,   16,  25,  35,   46,   58,   72,   88,   106, 126,
                                   148, 173, 201, 233, 269,  309,  354,  405,  462,  526, 598,
                                   679, 771, 874, 990, 1120, 1267, 1432, 1618, 1827, 2062};

    (void)state;
    check_append_growth(python_2_7, rooms, sizeof rooms / sizeof rooms[0]);
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
        size_t size, by, room_2_7, room_3_11;
    } steps[] = {{4, 1, 8, 8},        {4, 2, 9, 12},  {4, 3, 10, 12}, {4, 4, 12, 12},
                 {4, 5, 16, 16},      {4, 6, 17, 16}, {4, 9, 20, 16}, {8, 10, 26, 20},
                 {16, 100, 136, 116}, {16, 3, 27, 24}};

    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        size_t size = steps[i].size + steps[i].by;
        assert_int_equal(python_2_7->list_growth(steps[i].size, size), steps[i].room_2_7);
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

    /* list(range(101)) on 3.11: sys.getsizeof says 56 + 102 * 8. */
    start(python_3_11);
    list = list_new(&runtime, 101);
    assert_int_equal(list->allocated, 102);
    assert_int_equal(gauge.object_bytes, 56 + 102 * 8);
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

static void list_storage_comes_from_raw_on_2_7_and_from_objects_on_3_11(void **state)
{
    (void)state;
    assert_int_equal(raw_requests_of_a_list(python_2_7), 1);
    assert_int_equal(raw_requests_of_a_list(python_3_11), 0);
}

static void a_list_object_takes_its_head_and_forty_bytes(void **state)
{
    (void)state;
    start(python_2_7);
    struct list *list = empty_list();
    assert_int_equal(recording.made[recording.made_count - 1].bytes, 72);
    drop_list(list);
    finish();
    start(python_3_11);
    list = empty_list();
    assert_int_equal(recording.made[recording.made_count - 1].bytes, 56);
    drop_list(list);
    finish();
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

/*
 * --- References and counts
 * -------------------------------------------------------------------------------------------
 */

static void references_are_kept_and_dropped_in_balance(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        struct object *item = number(1000);
        struct list *list = empty_list();
        assert_int_equal(item->references, 1);
        append(list, item);
        append(list, item);
        assert_int_equal(item->references, 3);
        drop_list(list);
        assert_int_equal(item->references, 1);
        object_drop(&runtime, item);
        finish();
    }
}

static void a_name_drops_what_it_held_before(void **state)
{
    (void)state;
    start(python_3_11);
    struct object *name = NULL;
    object_assign(&runtime, &name, number(1000));
    object_assign(&runtime, &name, number(1001));
    assert_int_equal(gauge.live_bytes, 32);
    assert_int_equal(gauge.frees, 1);
    object_assign(&runtime, &name, NULL);
    assert_int_equal(gauge.live_bytes, 0);
    assert_int_equal(gauge.frees, 2);
    finish();
}

static void object_bytes_are_what_getsizeof_says(void **state)
{
    static const size_t int_bytes[] = {24, 28}, list_bytes[] = {72, 56}, rooms[] = {8, 8};

    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        struct list *list = empty_list();
        assert_int_equal(gauge.object_bytes, list_bytes[i]);
        for (int value = 1000; value < 1005; value++)
            append_number(list, value);
        assert_int_equal(gauge.object_bytes, list_bytes[i] + rooms[i] * 8 + 5 * int_bytes[i]);
        drop_list(list);
        assert_int_equal(gauge.object_bytes, 0);
        finish();
    }
}

static void live_bytes_are_what_the_allocator_was_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        size_t before = gauge.live_bytes;
        struct list *list = empty_list();
        for (int value = 0; value < 1000; value++) {
            append_number(list, value);
            assert_int_equal(gauge.live_bytes, recording.live_bytes);
        }
        drop_list(list);
        objects_collect(&runtime);
        assert_int_equal(gauge.live_bytes, before);
        finish();
    }
}

/* --- Ints
 * ------------------------------------------------------------------------------------------------------------
 */

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

static void an_int_of_3_11_asks_for_32_bytes(void **state)
{
    (void)state;
    start(python_3_11);
    struct object *object = number(1000);
    assert_int_equal(recording.made_count, 1);
    assert_int_equal(recording.made[0].bytes, 32);
    assert_int_equal(gauge.object_bytes, 28);
    object_drop(&runtime, object);
    finish();
}

/*
 * The start-up of 2.7 leaves free slots in the last block of small ints; with those filled, the
 * next int begins a block. Ints from here on are numbered from there.
 */
enum { FILLER = 25, BLOCKS = 4, PROBES = BLOCKS * INTS_PER_BLOCK };

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
    make_probes(INTS_PER_BLOCK);
    assert_int_equal(recording.made_count, 8);
    assert_int_equal(recording.made[7].bytes, 992);
    struct object *one_more = number(2000);
    assert_int_equal(recording.made_count, 9);
    object_drop(&runtime, one_more);
    drop_probes(0, INTS_PER_BLOCK);
    finish_with_fillers();
}

static void a_new_block_hands_out_its_last_int_first(void **state)
{
    (void)state;
    start_with_full_blocks();
    make_probes(INTS_PER_BLOCK);
    const struct int_block *block = recording.made[7].block;
    for (size_t i = 0; i < INTS_PER_BLOCK; i++)
        assert_ptr_equal(probes[i], &block->ints[INTS_PER_BLOCK - 1 - i]);
    drop_probes(0, INTS_PER_BLOCK);
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
    objects_collect(&runtime);
    assert_int_equal(gauge.live_bytes, with_blocks - BLOCKS * 992);
    finish_with_fillers();
}

static void a_full_collection_frees_the_newest_block_first(void **state)
{
    (void)state;
    start_with_full_blocks();
    make_probes(PROBES);
    drop_probes(0, PROBES);
    size_t before = recording.freed_count;
    objects_collect(&runtime);
    assert_int_equal(recording.freed_count - before, BLOCKS);
    for (size_t i = 0; i < BLOCKS; i++)
        assert_ptr_equal(recording.freed[before + i].block,
                         recording.made[7 + BLOCKS - 1 - i].block);
    finish_with_fillers();
}

static void one_live_int_pins_its_block_and_no_other(void **state)
{
    enum { SURVIVOR = INTS_PER_BLOCK + 7 }; /* in the second block */

    (void)state;
    start_with_full_blocks();
    make_probes(PROBES);
    drop_probes(0, SURVIVOR);
    drop_probes(SURVIVOR + 1, PROBES);
    size_t before = recording.freed_count;
    objects_collect(&runtime);
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
    make_probes(INTS_PER_BLOCK);
    drop_probes(1, INTS_PER_BLOCK);
    objects_collect(&runtime);
    for (size_t i = 1; i < INTS_PER_BLOCK; i++)
        probes[i] = number(3000);
    assert_int_equal(recording.made_count, 8);
    assert_int_equal(int_value(probes[0]), 2000);
    drop_probes(0, INTS_PER_BLOCK);
    finish_with_fillers();
}

/* --- The collector
 * ---------------------------------------------------------------------------------------------------
 */

/* Two lists of a few ints, each in the other; the caller holds both. */
static void make_cycle(struct list **a, struct list **b)
{
    *a = empty_list();
    *b = empty_list();
    for (int value = 1000; value < 1010; value++) {
        append_number(*a, value);
        append_number(*b, value);
    }
    append(*a, &(*b)->object);
    append(*b, &(*a)->object);
}

static void two_lists_that_hold_each_other_are_collected(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        struct list *a, *b;
        start(&profiles[i]);
        size_t before = gauge.live_bytes;
        make_cycle(&a, &b);
        drop_list(a);
        drop_list(b);
        assert_true(gauge.live_bytes > before);
        assert_int_equal(objects_collect(&runtime), 2);
        assert_int_equal(gauge.live_bytes, before);
        assert_int_equal(gauge.object_bytes, 0);
        finish();
    }
}

static void a_cycle_with_a_name_survives(void **state)
{
    struct list *a, *b;

    (void)state;
    start(python_3_11);
    make_cycle(&a, &b);
    drop_list(b);
    size_t live = gauge.live_bytes;
    assert_int_equal(objects_collect(&runtime), 0);
    assert_int_equal(gauge.live_bytes, live);
    assert_ptr_equal(a->items[10], &b->object);
    assert_int_equal(int_value(b->items[0]), 1000);
    drop_list(a);
    assert_int_equal(objects_collect(&runtime), 2);
    finish();
}

static void a_reachable_list_survives_every_collection(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        struct list *list = empty_list();
        append_number(list, 1000);
        for (int round = 0; round < 3; round++)
            assert_int_equal(objects_collect(&runtime), 0);
        assert_int_equal(list->object.references, 1);
        assert_int_equal(int_value(list->items[0]), 1000);
        drop_list(list);
        finish();
    }
}

static void a_list_that_holds_itself_is_collected(void **state)
{
    (void)state;
    start(python_3_11);
    struct list *list = empty_list();
    append(list, &list->object);
    append(list, &list->object);
    drop_list(list);
    assert_int_equal(objects_collect(&runtime), 1);
    finish();
}

static void lists_within_lists_go_with_the_outermost(void **state)
{
    (void)state;
    start(python_3_11);
    struct list *outer = empty_list();
    for (int i = 0; i < 10; i++) {
        struct list *inner = empty_list();
        append_number(inner, 1000 + i);
        append(outer, &inner->object);
        drop_list(inner);
    }
    assert_int_equal(objects_collect(&runtime), 0);
    drop_list(outer);
    assert_int_equal(gauge.live_bytes, 0);
    finish();
}

/*
 * The named list is the youngest, so that all it leads to has been put aside before it is met; and
 * the other way round. What a cycle holds but is no part of it counts as unreachable too.
 */
static void what_a_name_leads_to_survives_whatever_its_age(void **state)
{
    (void)state;
    for (int name_is_oldest = 0; name_is_oldest < 2; name_is_oldest++) {
        struct list *chain[8];
        start(python_3_11);
        for (size_t i = 0; i < 8; i++)
            chain[i] = empty_list();
        size_t root = name_is_oldest ? 0 : 7;
        for (size_t step = 0; step < 7; step++) {
            size_t from = name_is_oldest ? step : 7 - step;
            append(chain[from], &chain[name_is_oldest ? from + 1 : from - 1]->object);
        }
        append(chain[7 - root], &chain[root]->object); /* closes the ring */
        for (size_t i = 0; i < 8; i++)
            if (i != root)
                drop_list(chain[i]);
        struct list *garbage = empty_list(), *held = empty_list();
        append(garbage, &garbage->object);
        append(garbage, &held->object);
        drop_list(garbage);
        drop_list(held);
        assert_int_equal(objects_collect(&runtime), 2);
        for (size_t i = 0; i < 8; i++)
            assert_int_equal(chain[i]->size, 1);
        drop_list(chain[root]);
        assert_int_equal(objects_collect(&runtime), 8);
        finish();
    }
}

static void abandoned_objects_leave_object_bytes_once(void **state)
{
    struct list *a, *b;

    (void)state;
    start(python_2_7);
    make_cycle(&a, &b);
    uint64_t cycle_bytes = gauge.object_bytes;
    struct object *other = number(2000);
    drop_list(a);
    drop_list(b);
    objects_abandon(&runtime, cycle_bytes);
    assert_int_equal(gauge.object_bytes, 24);
    assert_int_equal(objects_collect(&runtime), 2);
    assert_int_equal(gauge.object_bytes, 24);
    object_drop(&runtime, other);
    finish();
}

static void the_checksum_tells_one_order_from_another(void **state)
{
    uint64_t sums[2];

    (void)state;
    for (int turned = 0; turned < 2; turned++) {
        start(python_3_11);
        struct object *first = number(turned ? 1001 : 1000);
        struct object *second = number(turned ? 1000 : 1001);
        object_drop(&runtime, first);
        object_drop(&runtime, second);
        sums[turned] = gauge.checksum;
        assert_int_equal(gauge.operations, 4);
        finish();
    }
    assert_int_not_equal(sums[0], sums[1]);
}

/* --- Out of memory
 * -----------------------------------------------------------------------------------------------------
 */

/*
 * Makes a cycle of two lists of `n` ints and drops it, whatever fails on the way. Returns 0 or
 * -ENOMEM.
 */
static int build_and_drop(int64_t n)
{
    struct list *lists[2] = {NULL, NULL};
    int error = 0;

    for (size_t i = 0; i < 2 && !error; i++) {
        lists[i] = list_new(&runtime, i ? (size_t)n : 0);
        error = lists[i] ? 0 : -ENOMEM;
        for (int64_t value = 0; value < n && !error; value++) {
            struct object *item = int_new(&runtime, 1000 + value);
            error = item ? list_append(&runtime, lists[i], item) : -ENOMEM;
            if (item)
                object_drop(&runtime, item);
        }
    }
    for (size_t i = 0; i < 2 && !error; i++)
        error = list_append(&runtime, lists[i], &lists[1 - i]->object);
    for (size_t i = 0; i < 2; i++)
        if (lists[i])
            drop_list(lists[i]);
    return error;
}

static int attempt(const struct profile *profile, size_t fail_at)
{
    recording_reset();
    memset(&gauge, 0, sizeof gauge);
    recording.fail_at = fail_at;
    int error = runtime_init(&runtime, profile, &recording_ops, &recording_ops, &gauge);
    if (!error) {
        error = build_and_drop(100);
        runtime_finish(&runtime);
    }
    return error;
}

static void running_out_of_memory_anywhere_leaks_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        assert_int_equal(attempt(&profiles[i], 0), 0);
        size_t requests = recording.requests;
        assert_true(requests > 10);
        for (size_t k = 1; k <= requests; k++) {
            assert_int_equal(attempt(&profiles[i], k), -ENOMEM);
            assert_int_equal(recording.live_blocks, 0);
            assert_int_equal(gauge.live_bytes, 0);
            assert_int_equal(gauge.object_bytes, 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appending_grows_a_list_as_2_7_does),
        cmocka_unit_test(appending_grows_a_list_as_3_11_does),
        cmocka_unit_test(a_long_step_takes_no_room_to_spare),
        cmocka_unit_test(a_list_keeps_its_storage_until_less_than_half_is_used),
        cmocka_unit_test(a_list_of_known_length_gets_its_storage_at_once),
        cmocka_unit_test(list_storage_comes_from_raw_on_2_7_and_from_objects_on_3_11),
        cmocka_unit_test(a_list_object_takes_its_head_and_forty_bytes),
        cmocka_unit_test(a_list_drops_its_items_from_last_to_first),
        cmocka_unit_test(references_are_kept_and_dropped_in_balance),
        cmocka_unit_test(a_name_drops_what_it_held_before),
        cmocka_unit_test(object_bytes_are_what_getsizeof_says),
        cmocka_unit_test(live_bytes_are_what_the_allocator_was_asked_for),
        cmocka_unit_test(small_ints_are_shared_from_minus_5_to_256),
        cmocka_unit_test(an_int_of_3_11_asks_for_32_bytes),
        cmocka_unit_test(a_2_7_block_of_992_bytes_holds_41_ints),
        cmocka_unit_test(a_new_block_hands_out_its_last_int_first),
        cmocka_unit_test(the_last_int_dropped_is_the_first_reused),
        cmocka_unit_test(dropped_ints_of_2_7_stay_until_a_full_collection),
        cmocka_unit_test(a_full_collection_frees_the_newest_block_first),
        cmocka_unit_test(one_live_int_pins_its_block_and_no_other),
        cmocka_unit_test(the_dead_ints_of_a_pinned_block_are_reused),
        cmocka_unit_test(two_lists_that_hold_each_other_are_collected),
        cmocka_unit_test(a_cycle_with_a_name_survives),
        cmocka_unit_test(a_reachable_list_survives_every_collection),
        cmocka_unit_test(a_list_that_holds_itself_is_collected),
        cmocka_unit_test(lists_within_lists_go_with_the_outermost),
        cmocka_unit_test(what_a_name_leads_to_survives_whatever_its_age),
        cmocka_unit_test(abandoned_objects_leave_object_bytes_once),
        cmocka_unit_test(the_checksum_tells_one_order_from_another),
        cmocka_unit_test(running_out_of_memory_anywhere_leaks_nothing),
        cmocka_unit_test(a_length_that_no_machine_has_is_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
