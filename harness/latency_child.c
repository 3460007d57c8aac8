/*
 * The child's side of the latency pass: operations that read the clock, call the row's own, and
 * read it again. Leaves out what the figures mean (harness/latency_pass.c). Of what stands between
 * two readings only the call is ours; all that is kept of it is kept afterwards, and nothing of it
 * asks the allocator.
 *
 * Lines of JSON go out: the first of the clock, then one for each phase.
 */
#define _GNU_SOURCE
#include "harness/block_sizes.h"
#include "harness/child_pass.h"
#include "harness/cycle_clock.h"
#include "harness/latency_table.h"
#include "harness/ledger_trap.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { COST_CALLS = 100000 };

static struct cycle_clock the_clock;
static struct block_sizes sizes;
static struct allocator_ops real[LATENCY_LAYERS];
static pthread_key_t at_thread_end;
static int events_error; /* of the first thread: 0 where the kernel grants its records */
static uint64_t phase_begin_ticks;
static uint64_t cost_ticks;         /* of COST_CALLS calls, what timing added */
static _Atomic uint64_t unrecorded; /* operations of threads without a table */
static struct {
    int is_there;
    char reason[LEDGER_REASON_BYTES]; /* where it is not */
    uint64_t plain_ns;                /* a call that does nothing, not trapped, ... */
    struct ledger_cost cost;          /* ... and trapped */
} trap;

static _Thread_local struct latency_table *own;

/* --- Around each operation. --- */

static void end_thread(void *table)
{
    own = NULL;
    latency_table_give_back(table);
}

/* The first operation of a thread; the allocator's own work in it is not measured with this. */
static struct latency_table *enter_thread(void)
{
    own = latency_table_take();
    if (own)
        pthread_setspecific(at_thread_end, own);
    return own;
}

/* An operation under way. */
struct timing {
    struct latency_table *table;
    struct latency_mark before;
    uint64_t begin_ticks;
};

static inline struct timing begin_timing(void)
{
    struct timing timing = {.table = own};

    if (__builtin_expect(!timing.table, 0))
        timing.table = enter_thread();
    if (timing.table)
        timing.before = latency_table_mark(timing.table);
    timing.begin_ticks = cycle_clock_begin(&the_clock);
    return timing;
}

static inline void end_timing(const struct timing *timing, unsigned spot, size_t size_bytes,
                              unsigned size_class)
{
    const uint64_t end_ticks = cycle_clock_end(&the_clock);

    if (__builtin_expect(!timing->table, 0)) {
        atomic_fetch_add_explicit(&unrecorded, 1, memory_order_relaxed);
        return;
    }
    const struct latency_call call = {
        .ticks = cycle_clock_between(timing->begin_ticks, end_ticks),
        .begin_ticks = timing->begin_ticks,
        .size_bytes = size_bytes,
        .size_class = size_class,
    };
    latency_table_add(timing->table, spot, &call, &timing->before);
}

/* A block came out of it, or none. */
static inline void end_with_block(const struct timing *timing, unsigned spot, size_t size_bytes,
                                  const void *block)
{
    const unsigned size_class = latency_class_of(size_bytes);

    end_timing(timing, spot, size_bytes, size_class);
    block_sizes_set(&sizes, block, (uint8_t)size_class);
}

static inline void *time_malloc(unsigned layer, size_t size)
{
    const struct timing timing = begin_timing();
    void *block = real[layer].malloc(size);

    end_with_block(&timing, latency_spot_of(layer, LATENCY_MALLOC), size, block);
    return block;
}

static inline void *time_calloc(unsigned layer, size_t count, size_t size)
{
    size_t all_bytes;
    const int wraps = __builtin_mul_overflow(count, size, &all_bytes);
    const struct timing timing = begin_timing();
    void *block = real[layer].calloc(count, size);

    end_with_block(&timing, latency_spot_of(layer, LATENCY_CALLOC), wraps ? SIZE_MAX : all_bytes,
                   block);
    return block;
}

static inline void *time_realloc(unsigned layer, void *old, size_t size)
{
    const struct timing timing = begin_timing();
    void *block = real[layer].realloc(old, size);

    end_with_block(&timing, latency_spot_of(layer, LATENCY_REALLOC), size, block);
    return block;
}

static inline void *time_aligned_alloc(unsigned layer, size_t alignment, size_t size)
{
    const struct timing timing = begin_timing();
    void *block = real[layer].aligned_alloc(alignment, size);

    end_with_block(&timing, latency_spot_of(layer, LATENCY_ALIGNED_ALLOC), size, block);
    return block;
}

static inline void time_free(unsigned layer, void *block)
{
    const unsigned size_class = block_sizes_get(&sizes, block);
    const struct timing timing = begin_timing();

    real[layer].free(block);
    end_timing(&timing, latency_spot_of(layer, LATENCY_FREE), 0, size_class);
}

static inline void *time_region_create(unsigned layer)
{
    const struct timing timing = begin_timing();
    void *region = real[layer].region_create();

    end_timing(&timing, latency_spot_of(layer, LATENCY_REGION_CREATE), 0, 0);
    return region;
}

static inline void *time_region_alloc(unsigned layer, void *region, size_t size, size_t alignment)
{
    const struct timing timing = begin_timing();
    void *block = real[layer].region_alloc(region, size, alignment);

    end_timing(&timing, latency_spot_of(layer, LATENCY_REGION_ALLOC), size, latency_class_of(size));
    return block;
}

static inline void time_region_reset(unsigned layer, void *region)
{
    const struct timing timing = begin_timing();

    real[layer].region_reset(region);
    end_timing(&timing, latency_spot_of(layer, LATENCY_REGION_RESET), 0, 0);
}

static inline void time_region_destroy(unsigned layer, void *region)
{
    const struct timing timing = begin_timing();

    real[layer].region_destroy(region);
    end_timing(&timing, latency_spot_of(layer, LATENCY_REGION_DESTROY), 0, 0);
}

/* A function of the contract knows no context, so each layer has functions of its own. */
#define TIMED_OPERATIONS(name, layer)                                                              \
    static void *name##_malloc(size_t size)                                                        \
    {                                                                                              \
        return time_malloc(layer, size);                                                           \
    }                                                                                              \
    static void *name##_calloc(size_t count, size_t size)                                          \
    {                                                                                              \
        return time_calloc(layer, count, size);                                                    \
    }                                                                                              \
    static void *name##_realloc(void *block, size_t size)                                          \
    {                                                                                              \
        return time_realloc(layer, block, size);                                                   \
    }                                                                                              \
    static void *name##_aligned_alloc(size_t alignment, size_t size)                               \
    {                                                                                              \
        return time_aligned_alloc(layer, alignment, size);                                         \
    }                                                                                              \
    static void name##_free(void *block)                                                           \
    {                                                                                              \
        time_free(layer, block);                                                                   \
    }                                                                                              \
    static void *name##_region_create(void)                                                        \
    {                                                                                              \
        return time_region_create(layer);                                                          \
    }                                                                                              \
    static void *name##_region_alloc(void *region, size_t size, size_t alignment)                  \
    {                                                                                              \
        return time_region_alloc(layer, region, size, alignment);                                  \
    }                                                                                              \
    static void name##_region_reset(void *region)                                                  \
    {                                                                                              \
        time_region_reset(layer, region);                                                          \
    }                                                                                              \
    static void name##_region_destroy(void *region)                                                \
    {                                                                                              \
        time_region_destroy(layer, region);                                                        \
    }                                                                                              \
    static const struct allocator_ops name##_operations = {                                        \
        .malloc = name##_malloc,                                                                   \
        .calloc = name##_calloc,                                                                   \
        .realloc = name##_realloc,                                                                 \
        .aligned_alloc = name##_aligned_alloc,                                                     \
        .free = name##_free,                                                                       \
        .region_create = name##_region_create,                                                     \
        .region_alloc = name##_region_alloc,                                                       \
        .region_reset = name##_region_reset,                                                       \
        .region_destroy = name##_region_destroy,                                                   \
    }

TIMED_OPERATIONS(object, LATENCY_OBJECT);
TIMED_OPERATIONS(raw, LATENCY_RAW);

/* What `ops` has is timed; what it lacks stays absent, and what is not timed is its own. */
static void stand_around(struct allocator_ops *timed, const struct allocator_ops *ops,
                         const struct allocator_ops *around)
{
    *timed = *ops;
    timed->malloc = ops->malloc ? around->malloc : NULL;
    timed->calloc = ops->calloc ? around->calloc : NULL;
    timed->realloc = ops->realloc ? around->realloc : NULL;
    timed->aligned_alloc = ops->aligned_alloc ? around->aligned_alloc : NULL;
    timed->free = ops->free ? around->free : NULL;
    timed->region_create = ops->region_create ? around->region_create : NULL;
    timed->region_alloc = ops->region_alloc ? around->region_alloc : NULL;
    timed->region_reset = ops->region_reset ? around->region_reset : NULL;
    timed->region_destroy = ops->region_destroy ? around->region_destroy : NULL;
}

/* --- What timing costs. --- */

static void *nothing(size_t size)
{
    static char slot[64];

    (void)size;
    return slot;
}

static uint64_t time_calls(void *(*volatile function)(size_t size))
{
    const uint64_t begin_ticks = cycle_clock_begin(&the_clock);

    for (int i = 0; i < COST_CALLS; i++)
        function(64);
    return cycle_clock_between(begin_ticks, cycle_clock_end(&the_clock));
}

/* A malloc that does nothing, timed and not; each twice, the second counts. */
static void measure_cost(void)
{
    real[LATENCY_OBJECT].malloc = nothing;
    time_calls(nothing);
    const uint64_t plain_ticks = time_calls(nothing);
    time_calls(object_malloc);
    cost_ticks = cycle_clock_between(plain_ticks, time_calls(object_malloc));
}

/* --- Text. --- */

static void put_field(const char *name, uint64_t value)
{
    pass_put(',');
    pass_put('"');
    pass_put_text(name);
    pass_put_text("\":");
    pass_put_number(value);
}

/* Its fields, without braces. */
static void put_histogram(const struct latency_histogram *histogram)
{
    int is_first = 1;

    pass_put_text("\"count\":");
    pass_put_number(histogram->count);
    put_field("sum_ticks", histogram->sum);
    put_field("least_ticks", histogram->least);
    put_field("most_ticks", histogram->most);
    pass_put_text(",\"buckets\":[");
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        if (histogram->buckets[i] == 0)
            continue;
        if (!is_first)
            pass_put(',');
        is_first = 0;
        pass_put_number(latency_bucket_least(i));
        pass_put(',');
        pass_put_number(histogram->buckets[i]);
    }
    pass_put(']');
}

static void put_clock(void)
{
    pass_put_text("{\"clock\":{\"name\":\"");
    pass_put_text(the_clock.name);
    pass_put_text("\",\"source\":\"");
    pass_put_text(the_clock.source);
    pass_put('"');
    put_field("calibration_ticks", the_clock.calibration_ticks);
    put_field("calibration_ns", the_clock.calibration_ns);
    put_field("calibration_error_ns", the_clock.calibration_error_ns);
    put_field("cost_calls", COST_CALLS);
    put_field("cost_ticks", cost_ticks);
    pass_put_text(",\"own\":{");
    put_histogram(&the_clock.own_ticks);
    pass_put_text("}}");
    put_field("events_error", (uint64_t)-events_error);
    put_field("knows_freed_sizes", sizes.bytes != NULL);
    put_field("knows_system_calls", (uint64_t)trap.is_there);
    put_field("plain_call_ns", trap.plain_ns);
    put_field("trapped_call_ns", trap.cost.trapped_call_ns);
    pass_put_text(",\"no_system_calls_because\":\"");
    pass_put_text(trap.reason);
    pass_put('"');
    pass_put_text("}\n");
}

/* An object with those calls of which there are any. */
static void put_system_calls(const uint64_t *counts)
{
    const char *between = "";

    pass_put_text(",\"system_calls\":{");
    for (size_t i = 0; i < LEDGER_CALLS; i++) {
        if (counts[i] == 0)
            continue;
        pass_put_text(between);
        pass_put('"');
        pass_put_text(ledger_call_name((enum ledger_call)i));
        pass_put_text("\":");
        pass_put_number(counts[i]);
        between = ",";
    }
    pass_put('}');
}

static void put_slow(const struct latency_slow *slow)
{
    uint64_t system_calls[LEDGER_CALLS];

    for (size_t i = 0; i < LEDGER_CALLS; i++)
        system_calls[i] = slow->system_calls.by_call[i];
    pass_put_text("{\"ticks\":");
    pass_put_number(slow->call.ticks);
    put_field("at_ticks", cycle_clock_between(phase_begin_ticks, slow->call.begin_ticks));
    put_field("size_bytes", slow->call.size_bytes);
    put_field("class", slow->call.size_class);
    put_field("thread", slow->thread);
    put_field("page_faults", slow->events.page_faults);
    put_field("switches", slow->events.switches);
    put_field("preemptions", slow->events.preemptions);
    put_field("mappings", slow->events.mappings);
    put_field("lost", (uint64_t)slow->events.lost);
    put_system_calls(system_calls);
    pass_put('}');
}

static void put_classes(unsigned spot_index, const struct latency_spot *spot)
{
    static struct latency_histogram merged;
    int is_first = 1;

    pass_put_text(",\"sizes\":[");
    for (unsigned class = 0; class < LATENCY_CLASSES; class ++) {
        if (!(spot->classes >> class & 1))
            continue;
        latency_tables_histogram(spot_index, class, &merged);
        pass_put_text(is_first ? "{\"class\":" : ",{\"class\":");
        pass_put_number(class);
        pass_put(',');
        put_histogram(&merged);
        pass_put('}');
        is_first = 0;
    }
    pass_put(']');
}

static void put_spot(unsigned layer, unsigned operation, const struct latency_spot *spot)
{
    static struct latency_slow calls[LATENCY_MOST_SLOWEST];

    pass_put_text("{\"layer\":\"");
    pass_put_text(latency_layer_name(layer));
    pass_put_text("\",\"operation\":\"");
    pass_put_text(latency_operation_name(operation));
    pass_put('"');
    put_field("faulted_count", spot->faulted_count);
    put_field("faulted_ticks", spot->faulted_ticks);
    put_field("trapped_count", spot->trapped_count);
    put_system_calls(spot->system_calls);
    put_classes(latency_spot_of(layer, operation), spot);
    const unsigned count = latency_spot_sort(spot, calls);
    pass_put_text(",\"slowest\":[");
    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            pass_put(',');
        put_slow(&calls[i]);
    }
    pass_put_text("]}");
}

static void put_phase(const char *name)
{
    static struct latency_spot spot;
    int is_first = 1;

    pass_put_text("{\"name\":\"");
    pass_put_text(name);
    pass_put('"');
    put_field("unrecorded", atomic_load(&unrecorded));
    pass_put_text(",\"operations\":[");
    for (unsigned i = 0; i < LATENCY_SPOTS; i++) {
        latency_tables_spot(i, &spot);
        if (spot.classes == 0)
            continue;
        if (!is_first)
            pass_put(',');
        is_first = 0;
        put_spot(i / LATENCY_OPERATIONS, i % LATENCY_OPERATIONS, &spot);
    }
    pass_put_text("]}\n");
}

/* --- The pass. --- */

/* System calls are counted where that can be: without them the times are all the same. */
static int prepare(char *reason)
{
    (void)reason;
    trap.plain_ns = ledger_trap_measure_plain();
    trap.is_there = ledger_trap_install(trap.reason) == 0;
    if (trap.is_there)
        ledger_trap_measure(&trap.cost);
    return 0;
}

static int begin(struct workload_context *context, const struct open_row *row, char *reason)
{
    static struct allocator_ops timed[LATENCY_LAYERS];
    struct thread_events probe;
    const int is_composed = row->raw_allocator != row->object_allocator;

    if (pthread_key_create(&at_thread_end, end_thread) != 0) {
        snprintf(reason, ALLOCATOR_TEXT_BYTES, "no key is left for what a thread leaves");
        return -EAGAIN;
    }
    events_error = thread_events_open(&probe);
    thread_events_close(&probe);
    cycle_clock_open(&the_clock);
    block_sizes_open(&sizes); /* without it the sizes of freed blocks are unknown */
    measure_cost();
    real[LATENCY_OBJECT] = *context->object;
    real[LATENCY_RAW] = *context->raw;
    stand_around(&timed[LATENCY_OBJECT], context->object, &object_operations);
    stand_around(&timed[LATENCY_RAW], context->raw, &raw_operations);
    context->object = &timed[LATENCY_OBJECT];
    context->raw = is_composed ? &timed[LATENCY_RAW] : &timed[LATENCY_OBJECT];
    put_clock();
    return 0;
}

static void phase_begun(struct workload_context *context, const char *name)
{
    (void)context;
    (void)name;
    latency_tables_reset();
    atomic_store(&unrecorded, 0);
    phase_begin_ticks = cycle_clock_begin(&the_clock);
}

static void phase_ended(struct workload_context *context, const struct page_phase *phase)
{
    (void)context;
    put_phase(phase->name);
}

const struct child_pass latency_child_pass = {
    .name = "latency",
    .prepare = prepare,
    .begin = begin,
    .phase_begun = phase_begun,
    .phase_ended = phase_ended,
};
