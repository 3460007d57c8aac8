/*
 * From cells to verdicts. Leaves out judging the share given back, which follows from peak and end.
 * A figure of the CPython that the run measured stands before the recorded one.
 */
#include "harness/fidelity.h"

#include "harness/json_file.h"
#include "harness/recorded.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LEAST_OF_RATIO_KB = 1024 }; /* below, a ratio is that of two starts */

/* What one experiment is compared of: cells of the summary, or NULL. */
struct sides {
    const json_t *reasons; /* of recorded.json, by name */
    const json_t *experiment;
    const json_t *replay;
    const json_t *real;   /* ok: measured beside the replay */
    const json_t *failed; /* of the real cells, one that broke off */
};

/* --- Finding the cells. --- */

static int has_status(const json_t *cell, const char *status)
{
    return strcmp(json_text(cell, "status"), status) == 0;
}

static int same_params(const struct workload_words *words, const json_t *params)
{
    char value[WORKLOAD_TEXT_BYTES];

    for (size_t i = 0; words->workload->parameters[i].name; i++) {
        const struct parameter *parameter = &words->workload->parameters[i];
        if (strcmp(parameter_format(parameter, words->values[i][0], value, sizeof value),
                   json_text(params, parameter->name)) != 0)
            return 0;
    }
    return 1;
}

static int is_of(const json_t *cell, const struct workload_words *words, const json_t *experiment)
{
    return !json_is_true(json_object_get(cell, "control")) &&
           strcmp(json_text(cell, "workload"), words->workload->name) == 0 &&
           strcmp(json_text(cell, "allocator"), json_text(experiment, "row")) == 0 &&
           same_params(words, json_object_get(cell, "params"));
}

/* Whether the interpreter of a cell, "CPython 3.11.2", is of a version that the experiment takes.
 */
static int is_real_of(const json_t *cell, const json_t *experiment)
{
    static const char prefix[] = "CPython ";
    const char *has = json_text(cell, "version");
    const json_t *version;
    size_t i;

    if (strncmp(has, prefix, sizeof prefix - 1) != 0)
        return 0;
    has += sizeof prefix - 1;
    json_array_foreach(json_object_get(experiment, "measured"), i, version)
    {
        const char *wanted = json_string_value(version);
        if (strncmp(has, wanted, strlen(wanted)) == 0 && has[strlen(wanted)] == '.')
            return 1;
    }
    return 0;
}

static void find_sides(struct sides *sides, const json_t *experiment, const json_t *summary)
{
    struct workload_words words;
    const json_t *cell;
    size_t i;

    *sides = (struct sides){.reasons = sides->reasons, .experiment = experiment};
    recorded_workload(experiment, &words);
    json_array_foreach(summary, i, cell)
    {
        if (!is_of(cell, &words, experiment))
            continue;
        if (strcmp(json_text(cell, "host"), "objects") == 0)
            sides->replay = sides->replay ? sides->replay : cell;
        else if (has_status(cell, "ok") && is_real_of(cell, experiment))
            sides->real = sides->real ? sides->real : cell;
        else if (!has_status(cell, "ok") && !has_status(cell, "n/a"))
            sides->failed = cell;
    }
}

/* --- Figures, in kB. --- */

static double kb_of(const json_t *bytes)
{
    return json_is_number(bytes) ? json_number_value(bytes) / 1024 : NAN;
}

static double median_kb(const json_t *cell, const char *figure)
{
    return kb_of(json_object_get(json_object_get(cell, figure), "median"));
}

static const json_t *find_named(const json_t *array, const char *key, const char *name)
{
    const json_t *element;
    size_t i;

    json_array_foreach(array, i, element)
    {
        if (strcmp(json_text(element, key), name) == 0)
            return element;
    }
    return NULL;
}

/* What was resident in a measured cell; NAN where it has no such phase. */
static double measured_kb(const json_t *cell, const char *phase)
{
    if (strcmp(phase, "start") == 0)
        return median_kb(cell, "baseline_bytes");
    if (strcmp(phase, "peak") == 0)
        return median_kb(cell, "peak_bytes");
    const json_t *found = find_named(json_object_get(cell, "phases"), "name", phase);
    return kb_of(json_object_get(found, "rss_bytes"));
}

static double recorded_kb(const json_t *experiment, const char *phase)
{
    const json_t *found = find_named(json_object_get(experiment, "phases"), "phase", phase);
    const json_t *start = json_object_get(json_object_get(experiment, "recorded"), "start_kb");
    const json_t *kb = strcmp(phase, "start") == 0 ? start : json_object_get(found, "recorded_kb");

    return json_is_number(kb) ? json_number_value(kb) : NAN;
}

/* Above the experiment's base. */
static double measured_growth_kb(const struct sides *sides, const json_t *cell, const char *phase)
{
    return measured_kb(cell, phase) - measured_kb(cell, json_text(sides->experiment, "base"));
}

static double recorded_growth_kb(const struct sides *sides, const char *phase)
{
    return recorded_kb(sides->experiment, phase) -
           recorded_kb(sides->experiment, json_text(sides->experiment, "base"));
}

static double real_growth_kb(const struct sides *sides, const char *phase)
{
    return sides->real ? measured_growth_kb(sides, sides->real, phase)
                       : recorded_growth_kb(sides, phase);
}

/* JSON has no NAN: null stands for it. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* --- Verdicts. --- */

static double bound_kb(const json_t *phase, double real_kb)
{
    const json_t *percent = json_object_get(phase, "bound_percent");
    const json_t *kb = json_object_get(phase, "bound_kb");
    double bound = json_is_number(kb) ? json_number_value(kb) : NAN;

    if (json_is_number(percent))
        bound = fmax(bound, fabs(real_kb) * json_number_value(percent) / 100);
    return bound;
}

/* How far off a phase may be for the reason that it names; without one, not at all. */
static double explained_kb(const json_t *phase)
{
    const json_t *kb = json_object_get(phase, "reason_kb");

    return json_is_string(json_object_get(phase, "reason")) && json_is_number(kb)
               ? json_number_value(kb)
               : -1;
}

static const char *judge(const json_t *phase, double difference_kb, double bound)
{
    if (isnan(difference_kb))
        return "missing";
    if (isnan(bound))
        return "no bound";
    if (fabs(difference_kb) <= bound)
        return "within";
    return fabs(difference_kb) <= explained_kb(phase) ? "explained" : "outside";
}

/* A reason is told of what it explains alone: a figure within its bound needs none. */
static json_t *reason_of(const struct sides *sides, const json_t *phase, const char *verdict)
{
    json_t *reason = json_object_get(sides->reasons, json_text(phase, "reason"));

    if (!reason || (strcmp(verdict, "explained") != 0 && strcmp(verdict, "no bound") != 0))
        return json_null();
    return json_incref(reason);
}

static json_t *compare_phase(const struct sides *sides, const json_t *phase)
{
    const char *name = json_text(phase, "phase");
    double real = real_growth_kb(sides, name);
    double replay = measured_growth_kb(sides, sides->replay, name);
    double bound = bound_kb(phase, real);
    const char *verdict = judge(phase, replay - real, bound);

    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o}", "phase", name, "real_kb",
                     number(real), "recorded_kb", number(recorded_growth_kb(sides, name)),
                     "replay_kb", number(replay), "difference_kb", number(replay - real), "ratio",
                     number(fabs(real) >= LEAST_OF_RATIO_KB ? replay / real : NAN), "bound_kb",
                     number(bound), "verdict", verdict, "reason", reason_of(sides, phase, verdict));
}

/* Of the largest figure that an experiment has, what was gone at its last. */
static json_t *given_back(const json_t *lines, const char *key)
{
    const json_t *last = json_array_get(lines, json_array_size(lines) - 1), *line;
    double peak = NAN;
    size_t i;

    json_array_foreach(lines, i, line)
    {
        if (json_is_number(json_object_get(line, key)))
            peak = fmax(peak, json_number_value(json_object_get(line, key)));
    }
    if (!(peak >= LEAST_OF_RATIO_KB) || !json_is_number(json_object_get(last, key)))
        return json_null();
    return json_real((peak - json_number_value(json_object_get(last, key))) / peak);
}

/* --- One experiment. --- */

/* Why there is nothing to compare, or NULL. `status` is then "absent", "n/a" or that of a sample.
 */
static const char *why_not(const struct sides *sides, const char **status)
{
    const json_t *broken = sides->failed ? sides->failed : sides->replay;

    *status = "absent";
    if (!sides->replay)
        return "the run has no such cell";
    *status = json_text(broken, "status");
    if (strcmp(*status, "ok") != 0)
        return json_text(broken, "reason");
    *status = "n/a";
    if (!sides->real && !json_is_object(json_object_get(sides->experiment, "recorded")))
        return "no CPython with such objects was measured beside it, and none is recorded";
    *status = "ok";
    return NULL;
}

static json_t *describe_real(const struct sides *sides)
{
    const json_t *recorded = json_object_get(sides->experiment, "recorded");

    if (sides->real)
        return json_pack("{s:s, s:s, s:s, s:o}", "source", "measured here", "version",
                         json_text(sides->real, "version"), "platform", "this machine", "start_kb",
                         number(measured_kb(sides->real, "start")));
    if (!json_is_object(recorded))
        return json_null();
    return json_pack("{s:s, s:O, s:O, s:o}", "source", "recorded", "version",
                     json_object_get(recorded, "version"), "platform",
                     json_object_get(recorded, "platform"), "start_kb",
                     number(recorded_kb(sides->experiment, "start")));
}

static json_t *compare_experiment(const struct sides *sides)
{
    const char *status, *reason = why_not(sides, &status);
    json_t *lines = json_array();
    const json_t *phase;
    size_t i;

    if (!reason) {
        json_array_foreach(json_object_get(sides->experiment, "phases"), i, phase)
            json_array_append_new(lines, compare_phase(sides, phase));
    }
    json_t *share = json_pack("{s:o, s:o}", "real", given_back(lines, "real_kb"), "replay",
                              given_back(lines, "replay_kb"));
    json_t *object = json_object();
    static const char *const copied[] = {"name", "title", "workload", "row", "base"};
    for (size_t j = 0; j < sizeof copied / sizeof copied[0]; j++)
        json_object_set(object, copied[j], json_object_get(sides->experiment, copied[j]));
    json_t *note = json_object_get(sides->experiment, "note");
    json_object_set_new(object, "note", note ? json_incref(note) : json_null());
    json_object_set_new(object, "status", json_string(status));
    json_object_set_new(object, "reason", reason ? json_string(reason) : json_null());
    json_object_set_new(object, "real", describe_real(sides));
    json_object_set_new(object, "phases", lines);
    json_object_set_new(object, "given_back", share);
    return object;
}

/* --- What was published. --- */

/*
 * As the article would have read it: the replay's growth on the start of the real one, as an
 * article tells what was resident, not what was added.
 */
static void set_beside(json_t *figure, const json_t *experiments)
{
    const char *name = json_text(figure, "experiment"), *phase = json_text(figure, "phase");
    const json_t *experiment = find_named(experiments, "name", name);
    const json_t *line = find_named(json_object_get(experiment, "phases"), "phase", phase);
    const json_t *start = json_object_get(json_object_get(experiment, "real"), "start_kb");
    const json_t *replay = json_object_get(line, "replay_kb");
    double kb = NAN;

    if (json_is_number(start) && json_is_number(replay))
        kb = json_number_value(start) + json_number_value(replay);
    json_object_set_new(figure, "replay_kb", number(kb));
}

static json_t *compare_published(const json_t *recorded, const json_t *experiments)
{
    json_t *published = json_deep_copy(json_object_get(recorded, "published"));
    json_t *article, *figure;
    size_t i, j;

    json_array_foreach(published, i, article)
        json_array_foreach(json_object_get(article, "figures"), j, figure)
            set_beside(figure, experiments);
    return published;
}

/* --- All of them. --- */

static void add_one(json_t *counts, const char *name)
{
    json_int_t count = json_integer_value(json_object_get(counts, name));

    json_object_set_new(counts, name, json_integer(count + 1));
}

/* Experiments by status; figures of those that are ok by verdict. */
static json_t *count_all(const json_t *experiments)
{
    json_t *counts = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "compared", 0,
                               "absent", 0, "n/a", 0, "failed", 0, "within", 0, "explained", 0,
                               "no bound", 0, "outside", 0, "missing", 0);
    const json_t *experiment, *line;
    size_t i, j;

    json_array_foreach(experiments, i, experiment)
    {
        const char *status = json_text(experiment, "status");
        if (strcmp(status, "ok") == 0)
            add_one(counts, "compared");
        else
            add_one(counts, json_object_get(counts, status) ? status : "failed");
        json_array_foreach(json_object_get(experiment, "phases"), j, line)
            add_one(counts, json_text(line, "verdict"));
    }
    return counts;
}

json_t *fidelity_compare(const json_t *recorded, const json_t *summary)
{
    json_t *experiments = json_array();
    const json_t *experiment;
    struct sides sides = {.reasons = json_object_get(recorded, "reasons")};
    size_t i;

    json_array_foreach(json_object_get(recorded, "experiments"), i, experiment)
    {
        find_sides(&sides, experiment, summary);
        json_array_append_new(experiments, compare_experiment(&sides));
    }
    json_t *published = compare_published(recorded, experiments);
    json_t *counts = count_all(experiments);
    return json_pack("{s:o, s:o, s:O, s:o}", "experiments", experiments, "published", published,
                     "not_compared", json_object_get(recorded, "not_compared"), "counts", counts);
}

int fidelity_holds(const json_t *report)
{
    const json_t *counts = json_object_get(report, "counts");

    return json_integer_value(json_object_get(counts, "compared")) > 0 &&
           json_integer_value(json_object_get(counts, "failed")) == 0 &&
           json_integer_value(json_object_get(counts, "outside")) == 0 &&
           json_integer_value(json_object_get(counts, "missing")) == 0;
}
