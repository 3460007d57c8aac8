/*
 * Figures of a sample, computed once and stored: definitions are those of results/FORMAT.md, in its
 * order. Leaves out medians: a record is one process.
 */
#include "harness/record.h"

#include "harness/returned.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { RATIO_FLOOR_BYTES = 1 << 20 }; /* below it a ratio of returned memory says nothing */

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static void set(json_t *object, const char *key, uint64_t value)
{
    json_object_set_new(object, key, number(value));
}

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

/* `value`, or null where the figure does not exist. */
static void set_if(json_t *object, const char *key, int exists, uint64_t value)
{
    json_object_set_new(object, key, exists ? number(value) : json_null());
}

static json_t *phase_to_json(const struct sample *sample, const struct sample_phase *phase)
{
    const struct page_phase *stamps = &phase->stamps;
    json_t *object = json_object();

    json_object_set_new(object, "name", json_string(stamps->name));
    set(object, "begin_ns", stamps->begin_ns - sample->baseline_ns);
    set(object, "end_ns", stamps->end_ns - sample->baseline_ns);
    set(object, "wall_ns", stamps->end_ns - stamps->begin_ns);
    set(object, "park_ns", phase->park_ns);
    const int is_used = sample->usage == SAMPLE_USAGE_OF_PHASES;
    set_if(object, "cpu_ns", is_used, stamps->cpu_ns);
    set_if(object, "minor_faults", is_used, stamps->minor_faults);
    set_if(object, "major_faults", is_used, stamps->major_faults);
    set_if(object, "voluntary_switches", is_used, stamps->voluntary_switches);
    set_if(object, "involuntary_switches", is_used, stamps->involuntary_switches);
    set_if(object, "operations", sample->counts_operations, stamps->operations);
    set(object, "rss_bytes", phase->rollup.rss_bytes);
    set(object, "uss_bytes", phase->rollup.uss_bytes);
    set(object, "lazyfree_bytes", phase->rollup.lazyfree_bytes);
    set(object, "anon_huge_bytes", phase->rollup.anon_huge_bytes);
    set(object, "swap_bytes", phase->rollup.swap_bytes);
    set(object, "page_table_bytes", phase->status.page_table_bytes);
    set(object, "peak_bytes", phase->status.peak_bytes);
    set_if(object, "charge_bytes", phase->charge_bytes != SAMPLE_NO_CHARGE, phase->charge_bytes);
    set(object, "object_bytes", stamps->object_bytes);
    set(object, "live_bytes", stamps->live_bytes);
    return object;
}

/* Sums that leave out the waiting, and what is done to have memory given back and to take it again:
 * these have figures of their own. */
static void set_sums(json_t *object, const struct sample *sample)
{
    uint64_t wall = 0, cpu = 0, minor = 0, major = 0, voluntary = 0, involuntary = 0;

    for (size_t i = 0; i < sample->phase_count; i++) {
        const struct page_phase *stamps = &sample->phases[i].stamps;
        if (!sample_is_own_phase(&sample->phases[i]))
            continue;
        wall += stamps->end_ns - stamps->begin_ns;
        cpu += stamps->cpu_ns;
        minor += stamps->minor_faults;
        major += stamps->major_faults;
        voluntary += stamps->voluntary_switches;
        involuntary += stamps->involuntary_switches;
    }
    int exists = sample->baseline_ns != 0;
    const int is_used = exists && sample->usage != SAMPLE_USAGE_OF_NONE;
    set_if(object, "wall_ns", exists, wall);
    set_if(object, "cpu_ns", is_used, cpu);
    set_if(object, "minor_faults", is_used, minor);
    set_if(object, "major_faults", is_used, major);
    set_if(object, "voluntary_switches", is_used, voluntary);
    set_if(object, "involuntary_switches", is_used, involuntary);
}

/* How many phases there are before it rebuilds: those that all figures but one are of. */
static size_t first_phases(const struct sample *sample)
{
    size_t count = 0;

    while (count < sample->phase_count && !sample_is_rebuild(&sample->phases[count]))
        count++;
    return count;
}

static uint64_t live_peak(const struct sample *sample)
{
    const size_t phases = first_phases(sample);
    uint64_t most = 0;

    for (size_t i = 0; i < sample->tick_count; i++) {
        if (sample->ticks[i].phase <= phases && sample->ticks[i].live_bytes > most)
            most = sample->ticks[i].live_bytes;
    }
    for (size_t i = 0; i < phases; i++)
        most =
            sample->phases[i].stamps.live_bytes > most ? sample->phases[i].stamps.live_bytes : most;
    return most;
}

/* (peak - retained) / (peak - floor), all above the baseline. */
static json_t *return_ratio(int64_t peak_bytes, int64_t retained_bytes, uint64_t floor_bytes)
{
    int64_t denominator = peak_bytes - (int64_t)floor_bytes;

    if (denominator < RATIO_FLOOR_BYTES)
        return json_null();
    return json_real((double)(peak_bytes - retained_bytes) / (double)denominator);
}

static json_t *since_last_free(const struct sample *sample)
{
    const size_t phases = first_phases(sample);
    uint64_t end_ns = sample->phases[phases - 1].stamps.end_ns;

    for (size_t i = phases; i > 0; i--) {
        if (sample->phases[i - 1].stamps.freed)
            return number(end_ns - sample->phases[i - 1].stamps.end_ns);
    }
    return json_null();
}

static void set_memory(json_t *object, const struct sample *sample)
{
    const size_t phases = first_phases(sample);
    const struct sample_phase *last = &sample->phases[phases - 1];
    int64_t baseline = (int64_t)sample->baseline.rss_bytes;
    int64_t retained = (int64_t)last->rollup.rss_bytes - baseline;
    uint64_t peak = sample->peak_floor_bytes;

    for (size_t i = 0; i < phases; i++)
        peak =
            sample->phases[i].status.peak_bytes > peak ? sample->phases[i].status.peak_bytes : peak;
    set(object, "peak_bytes", peak);
    json_object_set_new(object, "retained_bytes", json_integer(retained));
    set(object, "live_peak_bytes", live_peak(sample));
    json_object_set_new(
        object, "return_ratio",
        return_ratio((int64_t)peak - baseline, retained, last->stamps.object_bytes));
    json_object_set_new(object, "return_ratio_live",
                        return_ratio((int64_t)peak - baseline, retained, last->stamps.live_bytes));
    json_object_set_new(object, "since_last_free_ns", since_last_free(sample));
}

/* A sample that did not come to its end has phases, but no figure that speaks of the end. */
static void set_no_memory(json_t *object)
{
    static const char *const keys[] = {"peak_bytes",   "retained_bytes",    "live_peak_bytes",
                                       "return_ratio", "return_ratio_live", "since_last_free_ns"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        json_object_set_new(object, keys[i], json_null());
}

/* The wall time of the phase of one of these names, or null. */
static json_t *time_of(const struct sample *sample, const char *name, const char *other)
{
    for (size_t i = 0; i < sample->phase_count; i++) {
        const struct page_phase *stamps = &sample->phases[i].stamps;
        if (strcmp(stamps->name, name) == 0 || strcmp(stamps->name, other) == 0)
            return number(stamps->end_ns - stamps->begin_ns);
    }
    return json_null();
}

static json_t *faults_of_rebuild(const struct sample *sample)
{
    const size_t first = first_phases(sample);

    return first < sample->phase_count ? number(sample->phases[first].stamps.minor_faults)
                                       : json_null();
}

static struct returned_curve curve_of(const struct sample *sample)
{
    const size_t phases = first_phases(sample);
    const int64_t baseline = (int64_t)sample->baseline.rss_bytes;
    struct returned_curve curve = {
        .ticks = sample->ticks,
        .count = sample->tick_count,
        .from_ns = sample->moments.last_free_ns - sample->baseline_ns,
        .until_ns = sample->phases[phases - 1].stamps.end_ns - sample->baseline_ns,
        .first_bytes = (int64_t)sample->moments.taken[0].rollup.rss_bytes - baseline,
        .baseline_bytes = baseline,
        .floor_bytes = (int64_t)sample->phases[phases - 1].stamps.live_bytes,
    };

    for (size_t i = 0; i < phases; i++) {
        int64_t peak = (int64_t)sample->phases[i].status.peak_bytes - baseline;
        curve.peak_bytes = peak > curve.peak_bytes ? peak : curve.peak_bytes;
        if (sample->phases[i].stamps.end_ns == sample->moments.last_free_ns)
            curve.first_live_bytes = (int64_t)sample->phases[i].stamps.live_bytes;
    }
    return curve;
}

static json_t *moment_to_json(const struct sample *sample, const struct returned_curve *curve,
                              size_t index)
{
    const struct moment *moment = &sample->moments.taken[index];
    double excess;
    json_t *object = json_object();

    set(object, "after_ns", moment_after_ns[index]);
    set(object, "at_ns", moment->at_ns - sample->baseline_ns);
    set(object, "rss_bytes", moment->rollup.rss_bytes);
    set(object, "lazyfree_bytes", moment->rollup.lazyfree_bytes);
    set(object, "anon_huge_bytes", moment->rollup.anon_huge_bytes);
    set(object, "page_table_bytes", moment->page_table_bytes);
    set_if(object, "charge_bytes", moment->charge_bytes != MOMENT_NO_CHARGE, moment->charge_bytes);
    json_object_set_new(object, "excess_byte_seconds",
                        returned_excess(curve, moment_after_ns[index], &excess) == 0
                            ? json_real(excess)
                            : json_null());
    return object;
}

static void set_share(json_t *object, const char *key, const struct returned_curve *curve,
                      double share)
{
    uint64_t after_ns = 0;
    const int is_reached = curve && returned_time(curve, share, &after_ns) == 0;

    set_if(object, key, is_reached, after_ns);
}

/* How memory went back after the last free. `returnable_bytes` tells a share that was not reached
 * from one that there is none of. */
static void set_return(json_t *object, const struct sample *sample, int has_end)
{
    const int exists = has_end && sample->moments.last_free_ns != 0;
    const struct returned_curve curve = exists ? curve_of(sample) : (struct returned_curve){0};
    json_t *moments = json_array();

    for (size_t i = 0; exists && i < MOMENTS; i++) {
        if (sample->moments.taken[i].at_ns != 0)
            json_array_append_new(moments, moment_to_json(sample, &curve, i));
    }
    json_object_set_new(object, "moments", moments);
    json_object_set_new(object, "returnable_bytes",
                        exists ? json_integer(curve.peak_bytes - curve.floor_bytes) : json_null());
    set_if(object, "watched_ns", exists, exists ? curve.until_ns - curve.from_ns : 0);
    set_share(object, "give_back_50_ns", exists ? &curve : NULL, 0.5);
    set_share(object, "give_back_90_ns", exists ? &curve : NULL, 0.9);
    json_object_set_new(object, "give_back_ns", time_of(sample, "purge", "pressure"));
    json_object_set_new(object, "rebuild_ns", time_of(sample, "rebuild", "rebuild"));
    json_object_set_new(object, "rebuild_minor_faults", faults_of_rebuild(sample));
}

static void set_canary(json_t *object, const struct record_place *place)
{
    json_t *canary = place->canary ? json_object() : json_null();

    for (size_t piece = 0; place->canary && piece < CANARY_PIECES; piece++)
        json_object_set_new(canary, canary_piece_name(piece),
                            json_real(canary_piece(place->canary, piece)));
    json_object_set_new(object, "canary", canary);
    json_object_set_new(object, "dirty", json_boolean(place->is_dirty));
}

json_t *record_sample(const struct sample *sample, const struct record_place *place)
{
    json_t *object = json_object();
    json_t *phases = json_array();
    char checksum[17];

    set(object, "sample", place->number);
    set(object, "cell", place->cell);
    set(object, "round", place->round);
    set(object, "repeat", place->repeat);
    set_canary(object, place);
    json_object_set_new(object, "status", json_string(sample_status_name(sample->status)));
    json_object_set_new(object, "reason", text_or_null(sample->reason));
    json_object_set_new(object, "limited_by", json_string(sample_limiter_name(sample->limited_by)));
    json_object_set_new(object, "version", text_or_null(sample->version));
    json_object_set_new(object, "providers",
                        json_pack("{s:o, s:o}", "object", text_or_null(sample->object_provider),
                                  "raw", text_or_null(sample->raw_provider)));
    json_object_set_new(object, "started", json_string(place->started));
    set(object, "took_ns", place->took_ns);
    set(object, "pad_bytes", sample->pad_bytes);
    json_object_set_new(object, "cpu", sample->cpu < 0 ? json_null() : json_integer(sample->cpu));
    json_object_set_new(object, "statm_error_bytes",
                        sample->statm_error_bytes == INT64_MIN
                            ? json_null()
                            : json_integer(sample->statm_error_bytes));
    int has_baseline = sample->baseline_ns != 0;
    set_if(object, "baseline_bytes", has_baseline, sample->baseline.rss_bytes);
    set_if(object, "baseline_uss_bytes", has_baseline, sample->baseline.uss_bytes);
    const int has_end = sample->status == SAMPLE_OK && first_phases(sample) > 0;
    if (has_end)
        set_memory(object, sample);
    else
        set_no_memory(object);
    set_return(object, sample, has_end);
    set_sums(object, sample);
    set_if(object, "operations", sample->counts_operations, sample->operations);
    snprintf(checksum, sizeof checksum, "%016" PRIx64, sample->checksum);
    json_object_set_new(object, "checksum",
                        sample->counts_operations ? json_string(checksum) : json_null());
    set_if(object, "exit_status", sample->has_exit_status, sample->exit_status);
    set(object, "ticks", sample->tick_count);
    set(object, "late_ticks", sample->late_ticks);
    set_if(object, "tick_ns", has_baseline, sample->tick_ns);
    for (size_t i = 0; i < sample->phase_count; i++)
        json_array_append_new(phases, phase_to_json(sample, &sample->phases[i]));
    json_object_set_new(object, "phases", phases);
    return object;
}
