/*
 * One pass with what is alive at hand: see trace_summary.h. Leaves out the order of threads but for
 * time, of which a trace has a millisecond.
 */
#include "harness/trace/trace_summary.h"

#include "harness/trace/birth_table.h"

#include <errno.h>
#include <stdlib.h>

enum { MOST_STEPS = 1 << 20, STEP_NS = 1000000, NS_PER_US = 1000 };

/* What came and went within a step of time. */
struct step {
    int64_t bytes, blocks;
};

struct work {
    const struct trace_index *index;
    struct trace_summary *summary;
    struct birth_table *births;
    struct step *steps;
    uint64_t step_ns, step_count;
    uint64_t *asked;                 /* by thread: bytes that it asked for so far */
    int64_t live_bytes, live_blocks; /* of a single thread: exact */
};

static size_t size_class(uint64_t bytes)
{
    const size_t bits = bytes ? (size_t)(64 - __builtin_clzll(bytes)) : 0;

    return bits < TRACE_SIZE_CLASSES ? bits : TRACE_SIZE_CLASSES - 1;
}

static void change(struct work *work, uint64_t time_ns, int64_t bytes, int64_t blocks)
{
    struct trace_summary *summary = work->summary;
    uint64_t at = time_ns / work->step_ns;

    if (at >= work->step_count)
        at = work->step_count - 1;
    work->steps[at].bytes += bytes;
    work->steps[at].blocks += blocks;
    work->live_bytes += bytes;
    work->live_blocks += blocks;
    if (summary->peak_is_exact && work->live_bytes > (int64_t)summary->peak_bytes) {
        summary->peak_bytes = (uint64_t)work->live_bytes;
        summary->peak_blocks = (uint64_t)work->live_blocks;
        summary->peak_ns = time_ns;
    }
}

/* Both ends are known, in whichever order they came. */
static void settle(struct work *work, const struct birth *birth, uint64_t end_ns)
{
    const uint64_t lived_ns = end_ns > birth->time_ns ? end_ns - birth->time_ns : 0;

    latency_histogram_add(&work->summary->lifetime_time, lived_ns / NS_PER_US);
    change(work, end_ns > birth->time_ns ? end_ns : birth->time_ns, -(int64_t)birth->size_bytes,
           -1);
}

static int end_block(struct work *work, const struct event_reader *thread,
                     const struct trace_event *event)
{
    struct birth *birth = birth_table_at(work->births, &event->ends);

    if (!birth)
        return -ENOMEM;
    if (birth->has_ended)
        return 0; /* twice: only a trace that somebody made up has that */
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
    int error = 0;

    work->summary->calls[event->kind]++;
    if (event->kind == TRACE_FREE || event->kind == TRACE_REALLOC)
        error = end_block(work, thread, event);
    if (!error && trace_makes(event->kind))
        error = make_block(work, thread, event);
    return error;
}

static void count_left(void *context, const struct birth *birth)
{
    struct trace_summary *summary = context;

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
    const uint64_t each = (work->step_count + TRACE_CURVE_POINTS - 1) / TRACE_CURVE_POINTS;
    int64_t bytes = 0, blocks = 0;

    for (uint64_t i = 0; i < work->step_count; i++) {
        struct trace_point *point = &summary->curve[i / each];
        bytes += work->steps[i].bytes;
        blocks += work->steps[i].blocks;
        if (i % each == 0)
            *point = (struct trace_point){.time_ns = i * work->step_ns};
        if (at_least_zero(bytes) > point->live_bytes || i % each == 0) {
            point->live_bytes = at_least_zero(bytes);
            point->live_blocks = at_least_zero(blocks);
        }
        if (!summary->peak_is_exact && bytes > (int64_t)summary->peak_bytes) {
            summary->peak_bytes = (uint64_t)bytes;
            summary->peak_blocks = at_least_zero(blocks);
            summary->peak_ns = i * work->step_ns;
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

int trace_summary_make(struct trace_summary *summary, const struct trace_index *index,
                       struct trace_reader *reader)
{
    struct work work = {.index = index, .summary = summary, .step_ns = STEP_NS};
    int error = -ENOMEM;

    *summary = (struct trace_summary){.duration_ns = index->last_ns};
    while (index->last_ns / work.step_ns >= MOST_STEPS)
        work.step_ns *= 2;
    work.step_count = index->last_ns / work.step_ns + 1;
    work.steps = calloc(work.step_count, sizeof *work.steps);
    work.births = birth_table_make();
    work.asked = calloc(index->thread_room + 1, sizeof *work.asked);
    count_threads(&work);
    if (work.steps && work.births && work.asked)
        error = trace_index_scan(index, reader, visit, &work);
    if (!error) {
        birth_table_each(work.births, count_left, summary);
        draw_curve(&work);
    }
    birth_table_free(work.births);
    free(work.steps);
    free(work.asked);
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
        json_array_append_new(curve, json_pack("[I, I, I]", (json_int_t)summary->curve[i].time_ns,
                                               (json_int_t)summary->curve[i].live_bytes,
                                               (json_int_t)summary->curve[i].live_blocks));
    return curve;
}

json_t *trace_summary_to_json(const struct trace_summary *summary, const struct trace_index *index)
{
    return json_pack(
        "{sO? s{sI sI sI sI sI sI} sI sI sI sI sI sI sI sI sI sb sI sI sI so so so so so}", "about",
        index->about, "calls", "malloc", (json_int_t)summary->calls[TRACE_MALLOC], "calloc",
        (json_int_t)summary->calls[TRACE_CALLOC], "aligned",
        (json_int_t)summary->calls[TRACE_ALIGNED], "realloc",
        (json_int_t)summary->calls[TRACE_REALLOC], "free", (json_int_t)summary->calls[TRACE_FREE],
        "thread_starts", (json_int_t)summary->calls[TRACE_START], "made", (json_int_t)summary->made,
        "ended", (json_int_t)summary->ended, "remote", (json_int_t)summary->remote, "left",
        (json_int_t)summary->left, "left_bytes", (json_int_t)summary->left_bytes, "asked_bytes",
        (json_int_t)summary->asked_bytes, "peak_bytes", (json_int_t)summary->peak_bytes,
        "peak_blocks", (json_int_t)summary->peak_blocks, "peak_ns", (json_int_t)summary->peak_ns,
        "peak_is_exact", summary->peak_is_exact, "threads", (json_int_t)summary->threads,
        "processes", (json_int_t)summary->processes, "duration_ns",
        (json_int_t)summary->duration_ns, "size_bytes", quantiles(&summary->size), "lifetime_bytes",
        quantiles(&summary->lifetime), "lifetime_us", quantiles(&summary->lifetime_time), "sizes",
        sizes_to_json(summary), "curve", curve_to_json(summary));
}
