/*
 * On a collector that frees what it finds no pointer to: every block that a workload holds, and
 * every block that a region has from beneath, is found by each collection, of which there are many
 * here. Leaves out speed. Whether a block was found is the collector's own answer, GC_is_marked.
 */
#define _GNU_SOURCE
#include "workloads/workload.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

/* --- What is live, where the collector does not look, and not as it would be read. --- */

enum { PLACES = 1 << 16 };

static uintptr_t *places; /* each a block's address with every bit turned over, or 0 */
static size_t lost, collections, calls, next_call;

static struct allocator_ops collected;
static void (*gc_collect)(void);
static int (*gc_is_marked)(const void *block);
static void *(*gc_base)(void *block); /* NULL where no block is */

static uintptr_t *place_of(uintptr_t hidden)
{
    size_t at = (size_t)(hidden * UINT64_C(0x9e3779b97f4a7c15) >> 40) % PLACES;

    while (places[at] != hidden && places[at] != 0)
        at = (at + 1) % PLACES;
    return &places[at];
}

static void remember(const void *block)
{
    const uintptr_t hidden = ~(uintptr_t)block;

    if (block)
        *place_of(hidden) = hidden;
}

/* What stands behind it moves up, so that a search may end at the first 0. */
static void forget(const void *block)
{
    size_t at = (size_t)(place_of(~(uintptr_t)block) - places);

    if (!block)
        return;
    places[at] = 0;
    for (at = (at + 1) % PLACES; places[at] != 0; at = (at + 1) % PLACES) {
        uintptr_t hidden = places[at];
        places[at] = 0;
        *place_of(hidden) = hidden;
    }
}

/* Right after a collection. Of a page that was freed as a whole there is no mark to be read. */
static int was_found(void *block)
{
    return gc_base(block) == block && gc_is_marked(block);
}

static void look(void)
{
    gc_collect();
    collections++;
    for (size_t i = 0; i < PLACES; i++)
        lost += places[i] != 0 && !was_found((void *)~places[i]);
}

/* Ever more seldom: a run of a hundred thousand calls has some fifty collections. */
static void look_now_and_then(void)
{
    enum { LEAST_CALLS = 17, SHARE = 5 };

    if (++calls < next_call)
        return;
    look();
    next_call = calls + LEAST_CALLS + calls / SHARE;
}

static void begin_watch(void)
{
    memset(places, 0, PLACES * sizeof *places);
    lost = collections = calls = next_call = 0;
}

/* --- The collector with a watch on each of its blocks. --- */

static void *watched_malloc(size_t size)
{
    look_now_and_then();
    void *block = collected.malloc(size);
    remember(block);
    return block;
}

static void *watched_calloc(size_t count, size_t size)
{
    look_now_and_then();
    void *block = collected.calloc(count, size);
    remember(block);
    return block;
}

static void *watched_realloc(void *old, size_t size)
{
    look_now_and_then();
    forget(old);
    void *block = collected.realloc(old, size);
    remember(block);
    return block;
}

static void watched_free(void *block)
{
    look_now_and_then();
    forget(block);
    collected.free(block);
}

static const struct allocator_ops watched = {.malloc = watched_malloc,
                                             .calloc = watched_calloc,
                                             .realloc = watched_realloc,
                                             .free = watched_free};

static int open_collector(void **state)
{
    const struct allocator *allocator = allocator_find("boehm-collected");
    char reason[ALLOCATOR_TEXT_BYTES];

    (void)state;
    if (allocator->open(allocator, &collected, NULL, reason) != 0) {
        fprintf(stderr, "%s\n", reason);
        return -1;
    }
    void *library = dlopen(allocator->soname, RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);
    void *collect = library ? dlsym(library, "GC_gcollect") : NULL;
    void *base = library ? dlsym(library, "GC_base") : NULL;
    void *is_marked = library ? dlsym(library, "GC_is_marked") : NULL;
    memcpy(&gc_collect, &collect, sizeof collect);
    memcpy(&gc_base, &base, sizeof base);
    memcpy(&gc_is_marked, &is_marked, sizeof is_marked);
    places = mmap(NULL, PLACES * sizeof *places, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return collect && base && is_marked && places != MAP_FAILED ? 0 : -1;
}

/* --- A workload on it. --- */

static void enter_phase(struct workload_context *context, const char *name)
{
    (void)context;
    (void)name;
    look();
}

static void leave_phase(struct workload_context *context)
{
    (void)context;
    look();
}

/* Counts are `count`, or what of their bounds is nearest; of what takes long, few. */
static uint64_t count_of(const struct parameter *parameter, uint64_t count)
{
    if (strcmp(parameter->name, "digits") == 0 || strcmp(parameter->name, "threads") == 0)
        count = 4;
    if (count < parameter->minimum)
        return parameter->minimum;
    return count < parameter->maximum ? count : parameter->maximum;
}

static void run_on(const struct workload *workload, const uint64_t *values,
                   const struct allocator_ops *ops)
{
    static struct workload_gauge gauge;
    struct workload_context context = {.object = ops,
                                       .raw = ops,
                                       .gauge = &gauge,
                                       .workload = workload,
                                       .seed = 1,
                                       .begin_phase = enter_phase,
                                       .end_phase = leave_phase};

    memset(&gauge, 0, sizeof gauge);
    memcpy(context.values, values, sizeof context.values);
    begin_watch();
    assert_int_equal(workload->run(&context), 0);
    assert_true(collections > 2);
}

/* The next combination of choices, like an odometer; 0 after the last. */
static int next_choices(const struct workload *workload, uint64_t *values)
{
    for (size_t i = 0; workload->parameters[i].name; i++) {
        if (workload->parameters[i].kind != PARAMETER_CHOICE)
            continue;
        if (workload->parameters[i].choices[++values[i]])
            return 1;
        values[i] = 0;
    }
    return 0;
}

static int uses_regions(const struct workload *workload, const uint64_t *values)
{
    unsigned needs = workload->object_needs;

    for (size_t i = 0; workload->parameters[i].name; i++)
        if (workload->parameters[i].needs)
            needs |= workload->parameters[i].needs[values[i]];
    return (needs & ALLOCATOR_REGIONS) != 0;
}

static void run_every_choice(const struct workload *workload, int with_regions,
                             const struct allocator_ops *ops)
{
    enum { COUNT = 60 };
    uint64_t values[WORKLOAD_PARAMETERS] = {0};

    for (size_t i = 0; workload->parameters[i].name; i++)
        if (workload->parameters[i].kind == PARAMETER_COUNT)
            values[i] = count_of(&workload->parameters[i], COUNT);
    do {
        if (uses_regions(workload, values) != with_regions)
            continue;
        run_on(workload, values, ops);
        if (lost > 0)
            fail_msg("%s: %zu times a block in use was not found", workload->name, lost);
    } while (next_choices(workload, values));
}

static void all_that_a_reachable_workload_holds_is_found(void **state)
{
    size_t ran = 0;

    (void)state;
    for (size_t i = 0; i < workload_registry_count; i++) {
        if (!workload_registry[i]->is_reachable)
            continue;
        run_every_choice(workload_registry[i], 0, &watched);
        ran++;
    }
    assert_true(ran > 0);
}

/* That a loss would be seen. `bulk` reads no block again, so that it comes to its end all the same.
 */
static void what_a_mapped_table_holds_is_lost(void **state)
{
    const struct workload *workload = workload_find("bulk");
    uint64_t values[WORKLOAD_PARAMETERS] = {0};

    (void)state;
    assert_false(workload->is_reachable);
    for (size_t i = 0; workload->parameters[i].name; i++)
        if (workload->parameters[i].kind == PARAMETER_COUNT)
            values[i] = count_of(&workload->parameters[i], 200);
    run_on(workload, values, &watched);
    assert_true(lost > 100);
}

/* --- Regions on it. --- */

static void open_region(const struct allocator *allocator, struct allocator_ops *ops)
{
    char reason[ALLOCATOR_TEXT_BYTES];

    if (allocator->open(allocator, ops, &watched, reason) != 0)
        fail_msg("%s: %s", allocator->name, reason);
}

/* Only the region itself is held: its blocks are of no more interest once they are filled. */
static void fill_region(const struct allocator_ops *ops, void *region)
{
    enum { BLOCKS = 1500, LEAST_BYTES = 8, STEP_BYTES = 13, LARGE_BYTES = 300000 };

    for (size_t i = 0; i < BLOCKS; i++) {
        size_t bytes = i % 100 == 99 ? LARGE_BYTES : LEAST_BYTES + i * STEP_BYTES;
        void *block = ops->region_alloc(region, bytes, (size_t)16 << i % 4);
        assert_non_null(block);
        memset(block, 0, bytes);
    }
}

static void for_traceable(void (*check)(const struct allocator *allocator,
                                        const struct allocator_ops *ops))
{
    size_t checked = 0;

    for (size_t i = 0; i < allocator_registry_count; i++) {
        struct allocator_ops ops;
        if (!(allocator_registry[i]->capabilities & ALLOCATOR_TRACEABLE))
            continue;
        assert_true(allocator_registry[i]->capabilities & ALLOCATOR_BENEATH);
        open_region(allocator_registry[i], &ops);
        check(allocator_registry[i], &ops);
        checked++;
    }
    assert_true(checked > 0);
}

static void check_region(const struct allocator *allocator, const struct allocator_ops *ops)
{
    begin_watch();
    void *volatile region = ops->region_create();
    assert_non_null(region);
    for (int round = 0; round < 2; round++) {
        fill_region(ops, region);
        look();
        ops->region_reset(region);
        look();
    }
    fill_region(ops, region);
    look();
    ops->region_destroy(region);
    assert_true(collections > 5);
    if (lost > 0)
        fail_msg("%s: %zu times a block of a region was not found", allocator->name, lost);
}

static void all_of_a_traceable_region_is_found(void **state)
{
    (void)state;
    for_traceable(check_region);
}

static void check_workloads_with_regions(const struct allocator *allocator,
                                         const struct allocator_ops *ops)
{
    size_t ran = 0;

    (void)allocator;
    for (size_t i = 0; i < workload_registry_count; i++) {
        if (!workload_registry[i]->has_reachable_regions)
            continue;
        run_every_choice(workload_registry[i], 1, ops);
        ran++;
    }
    assert_true(ran > 0);
}

static void all_that_reachable_regions_hold_is_found(void **state)
{
    (void)state;
    for_traceable(check_workloads_with_regions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_a_reachable_workload_holds_is_found),
        cmocka_unit_test(what_a_mapped_table_holds_is_lost),
        cmocka_unit_test(all_of_a_traceable_region_is_found),
        cmocka_unit_test(all_that_reachable_regions_hold_is_found),
    };

    return cmocka_run_group_tests(tests, open_collector, NULL);
}
