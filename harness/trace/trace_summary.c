/*
 * One pass with what is alive at hand: see trace_summary.h. Leaves out the order of threads but for
 * time, of which a trace has a millisecond, or their own blocks, where it has no times.
 */
#include "harness/trace/trace_summary.h"

#include "harness/trace/birth_table.h"

#include <errno.h>
#include <stdlib.h>

enum { MOST_STEPS = 1 << 20, STEP_NS = 1000000, NS_PER_US = 1000 };

/* What came and went within a step of time, or of blocks made. */
struct step {
    int64_t bytes, blocks;
    int64_t rise_bytes; /* the most that one thread had added to what was there, on its way */
};

struct work {
    const struct trace_index *index;
    struct trace_summary *summary;
    struct birth_table *births;
    struct trace_sites *sites;
    struct step *steps;
    uint64_t step, step_count;       /* in nanoseconds, or blocks */
    uint32_t thread;                 /* whose event it is */
    uint64_t *asked;                 /* by thread: bytes that it asked for so far */
    uint64_t *born;                  /* by thread: blocks that were met so far */
    int64_t live_bytes, live_blocks; /* of a single thread: exact */
    uint64_t rising_step;            /* of which `risen_bytes` were added by one thread */
    uint32_t rising_thread;
    int64_t risen_bytes;
};

static size_t size_class(uint64_t bytes)
{
    const size_t bits = bytes ? (size_t)(64 - __builtin_clzll(bytes)) : 0;

    return bits < TRACE_SIZE_CLASSES ? bits : TRACE_SIZE_CLASSES - 1;
}

static void note_rise(struct work *work, uint64_t at, int64_t bytes)
{
    if (work->rising_step != at || work->rising_thread != work->thread)
        work->risen_bytes = 0;
    work->rising_step = at;
    work->rising_thread = work->thread;
    work->risen_bytes += bytes;
    if (work->risen_bytes > work->steps[at].rise_bytes)
        work->steps[at].rise_bytes = work->risen_bytes;
}

static void change(struct work *work, uint64_t when, int64_t bytes, int64_t blocks)
{
    struct trace_summary *summary = work->summary;
    uint64_t at = when / work->step;

    if (at >= work->step_count)
        at = work->step_count - 1;
    work->steps[at].bytes += bytes;
    work->steps[at].blocks += blocks;
    note_rise(work, at, bytes);
    work->live_bytes += bytes;
    work->live_blocks += blocks;
    if (summary->peak_is_exact && work->live_bytes > (int64_t)summary->peak_bytes) {
        summary->peak_bytes = (uint64_t)work->live_bytes;
        summary->peak_blocks = (uint64_t)work->live_blocks;
        summary->peak_at = when;
    }
}

/* Both ends are known, in whichever order they came. */
static void settle(struct work *work, const struct birth *birth, uint64_t end_ns)
{
    const uint64_t lived_ns = end_ns > birth->time_ns ? end_ns - birth->time_ns : 0;

    if (!work->summary->is_timeless)
        latency_histogram_add(&work->summary->lifetime_time, lived_ns / NS_PER_US);
    change(work, end_ns > birth->time_ns ? end_ns : birth->time_ns, -(int64_t)birth->size_bytes,
           -1);
}

/* A forked process frees what it has of its parent's: the parent's block lives on. */
static int is_inherited(const struct work *work, const struct event_reader *thread,
                        const struct trace_event *event)
{
    return work->index->threads[event->ends.thread].process != thread->process;
}

static int end_block(struct work *work, const struct event_reader *thread,
                     const struct trace_event *event)
{
    if (is_inherited(work, thread, event)) {
        work->summary->inherited++;
        return 0;
    }
    /* Twice: only a trace that somebody made up has that. */
    struct birth *birth = birth_table_find(work->births, &event->ends);
    if (birth ? birth->has_ended : event->ends.ordinal < work->born[event->ends.thread])
        return 0;
    birth = birth_table_at(work->births, &event->ends);
    if (!birth)
        return -ENOMEM;
    work->summary->ended++;
    work->summary->remote += event->ends.thread != thread->thread;
    birth->has_ended = 1;
    if (!birth->is_born) {
        birth->time_ns = event->time_ns; /* its beginning is still to come */
        return 0;
    }
    if (event->ends.thread == thread->thread)
        latency_histogram_add(&work->summary->lifetime, work->asked[thread->thread] - birth->clock);
    settle(work, birth, event->time_ns);
    birth_table_done(work->births, &event->ends);
    return 0;
}

static int make_block(struct work *work, const struct event_reader *thread,
                      const struct trace_event *event)
{
    /* The reader has counted it by now. */
    const struct trace_block_name name = {thread->thread, thread->code.born - 1};
    struct trace_summary *summary = work->summary;
    struct birth *birth = birth_table_at(work->births, &name);

    if (!birth)
        return -ENOMEM;
    work->asked[thread->thread] += event->size_bytes;
    work->born[thread->thread] = thread->code.born;
    summary->made++;
    summary->asked_bytes += event->size_bytes;
    summary->sizes[size_class(event->size_bytes)].count++;
    summary->sizes[size_class(event->size_bytes)].bytes += event->size_bytes;
    latency_histogram_add(&summary->size, event->size_bytes);
    const uint64_t end_ns = birth->time_ns;
    birth->is_born = 1;
    birth->size_bytes = event->size_bytes;
    birth->time_ns = event->time_ns;
    birth->clock = work->asked[thread->thread];
    birth->site = trace_sites_made(work->sites, thread->process, event->stack, event->size_bytes);
    change(work, event->time_ns, (int64_t)event->size_bytes, 1);
    if (!birth->has_ended)
        return 0;
    settle(work, birth, end_ns);
    birth_table_done(work->births, &name);
    return 0;
}

static int visit(void *context, const struct event_reader *thread, const struct trace_event *event)
{
    struct work *work = context;
    struct trace_event placed = *event;
    int error = 0;

    work->summary->calls[event->kind]++;
    work->thread = thread->thread;
    if (work->summary->is_timeless)
        placed.time_ns = thread->code.born;
    if (event->kind == TRACE_FREE || event->kind == TRACE_REALLOC)
        error = end_block(work, thread, &placed);
    if (!error && trace_makes(event->kind))
        error = make_block(work, thread, &placed);
    return error;
}

static void count_left(void *context, const struct trace_block_name *name,
                       const struct birth *birth)
{
    const struct work *work = context;
    struct trace_summary *summary = work->summary;

    (void)name;
    if (!birth->is_born || birth->has_ended)
        return;
    trace_sites_left(work->sites, birth->site, birth->size_bytes);
    summary->left++;
    summary->left_bytes += birth->size_bytes;
}

static uint64_t at_least_zero(int64_t number)
{
    return number > 0 ? (uint64_t)number : 0;
}

/* Steps of a millisecond become points, each with the most of its steps. */
static void draw_curve(const struct work *work)
{
    struct trace_summary *summary = work->summary;
    const uint64_t each = work->step_count / TRACE_CURVE_POINTS + 1;
    int64_t bytes = 0, blocks = 0;

    for (uint64_t i = 0; i < work->step_count; i++) {
        struct trace_point *point = &summary->curve[i / each];
        const int64_t within = bytes + work->steps[i].rise_bytes;
        bytes += work->steps[i].bytes;
        blocks += work->steps[i].blocks;
        const uint64_t most = at_least_zero(bytes > within ? bytes : within);
        if (i % each == 0)
            *point = (struct trace_point){.at = i * work->step};
        if (most > point->live_bytes || i % each == 0) {
            point->live_bytes = most;
            point->live_blocks = at_least_zero(blocks);
        }
        if (!summary->peak_is_exact && most > summary->peak_bytes) {
            summary->peak_bytes = most;
            summary->peak_blocks = at_least_zero(blocks);
            summary->peak_at = i * work->step;
        }
    }
    summary->curve_points = (size_t)((work->step_count + each - 1) / each);
}

static void count_threads(struct work *work)
{
    for (uint32_t i = 0; i < work->index->thread_room; i++)
        work->summary->threads += work->index->threads[i].events > 0;
    for (uint32_t i = 0; i < work->index->process_room; i++)
        work->summary->processes += work->index->processes[i].events > 0;
    work->summary->peak_is_exact = work->summary->threads <= 1;
}

/* How far the curve goes, and in which steps. */
static void measure(struct work *work)
{
    struct trace_summary *summary = work->summary;
    const struct trace_index *index = work->index;

    summary->is_timeless = index->last_ns == 0;
    summary->curve_end = index->last_ns;
    for (uint32_t i = 0; summary->is_timeless && i < index->thread_room; i++)
        if (index->threads[i].makes > summary->curve_end)
            summary->curve_end = index->threads[i].makes;
    work->step = summary->is_timeless ? 1 : STEP_NS;
    while (summary->curve_end / work->step >= MOST_STEPS)
        work->step *= 2;
    work->step_count = summary->curve_end / work->step + 1;
}

int trace_summary_make(struct trace_summary *summary, const struct trace_index *index,
                       struct trace_sites *sites, struct trace_reader *reader)
{
    struct work work = {.index = index, .summary = summary, .sites = sites};
    int error = -ENOMEM;

    *summary = (struct trace_summary){.duration_ns = index->last_ns};
    measure(&work);
    work.steps = calloc(work.step_count, sizeof *work.steps);
    work.births = birth_table_make();
    work.asked = calloc(index->thread_room + 1, sizeof *work.asked);
    work.born = calloc(index->thread_room + 1, sizeof *work.born);
    count_threads(&work);
    if (work.steps && work.births && work.asked && work.born)
        error = trace_index_scan(index, reader, visit, &work);
    if (!error) {
        birth_table_each(work.births, count_left, &work);
        draw_curve(&work);
    }
    birth_table_free(work.births);
    free(work.steps);
    free(work.asked);
    free(work.born);
    return error;
}

/* --- JSON. --- */

static json_t *quantiles(const struct latency_histogram *histogram)
{
    return json_pack("{sI sI sI sI sI sI}", "count", (json_int_t)histogram->count, "p10",
                     (json_int_t)latency_histogram_quantile(histogram, 100000), "p50",
                     (json_int_t)latency_histogram_quantile(histogram, 500000), "p90",
                     (json_int_t)latency_histogram_quantile(histogram, 900000), "p99",
                     (json_int_t)latency_histogram_quantile(histogram, 990000), "most",
                     (json_int_t)histogram->most);
}

static json_t *sizes_to_json(const struct trace_summary *summary)
{
    json_t *sizes = json_array();

    for (size_t i = 0; i < TRACE_SIZE_CLASSES; i++)
        if (summary->sizes[i].count)
            json_array_append_new(sizes, json_pack("{sI sI sI}", "below_bytes",
                                                   (json_int_t)(INT64_C(1) << i), "blocks",
                                                   (json_int_t)summary->sizes[i].count, "bytes",
                                                   (json_int_t)summary->sizes[i].bytes));
    return sizes;
}

static json_t *curve_to_json(const struct trace_summary *summary)
{
    json_t *curve = json_array();

    for (size_t i = 0; i < summary->curve_points; i++)
        json_array_append_new(curve, json_pack("[I, I, I]", (json_int_t)summary->curve[i].at,
                                               (json_int_t)summary->curve[i].live_bytes,
                                               (json_int_t)summary->curve[i].live_blocks));
    return curve;
}

static json_t *calls_to_json(const struct trace_summary *summary)
{
    static const char *const names[TRACE_KINDS] = {
        [TRACE_MALLOC] = "malloc",   [TRACE_CALLOC] = "calloc", [TRACE_ALIGNED] = "aligned",
        [TRACE_REALLOC] = "realloc", [TRACE_FREE] = "free",     [TRACE_START] = "thread_starts"};
    json_t *calls = json_object();

    for (size_t i = 0; i < TRACE_KINDS; i++)
        json_object_set_new(calls, names[i], json_integer((json_int_t)summary->calls[i]));
    return calls;
}

json_t *trace_summary_to_json(const struct trace_summary *summary, const struct trace_index *index)
{
    const struct {
        const char *name;
        uint64_t value;
    } figures[] = {
        {"made", summary->made},
        {"ended", summary->ended},
        {"remote", summary->remote},
        {"inherited", summary->inherited},
        {"left", summary->left},
        {"left_bytes", summary->left_bytes},
        {"asked_bytes", summary->asked_bytes},
        {"peak_bytes", summary->peak_bytes},
        {"peak_blocks", summary->peak_blocks},
        {summary->is_timeless ? "peak_made" : "peak_ns", summary->peak_at},
        {"threads", summary->threads},
        {"processes", summary->processes},
        {"duration_ns", summary->duration_ns},
    };
    json_t *document = json_object();

    json_object_set(document, "about", index->about ? index->about : json_null());
    json_object_set_new(document, "calls", calls_to_json(summary));
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        json_object_set_new(document, figures[i].name, json_integer((json_int_t)figures[i].value));
    json_object_set_new(document, "peak_is_exact", json_boolean(summary->peak_is_exact));
    json_object_set_new(document, "size_bytes", quantiles(&summary->size));
    json_object_set_new(document, "lifetime_bytes", quantiles(&summary->lifetime));
    json_object_set_new(document, "lifetime_us", quantiles(&summary->lifetime_time));
    json_object_set_new(document, "sizes", sizes_to_json(summary));
    json_object_set_new(document, "curve_over",
                        json_string(summary->is_timeless ? "blocks" : "time"));
    json_object_set_new(document, "curve_end", json_integer((json_int_t)summary->curve_end));
    json_object_set_new(document, "curve", curve_to_json(summary));
    return document;
}
