/*
 * Whether a file of latencies holds: each figure against its buckets, sizes against their sum, the
 * slowest against the most. Leaves out repair, and what a phase can have been.
 */
#include "harness/latency_check.h"

#include "harness/json_file.h"
#include "harness/json_place.h"
#include "harness/latency_json.h"
#include "harness/latency_operation.h"
#include "harness/ledger_calls.h"
#include "harness/page.h"
#include "harness/pass.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_REASON_BYTES = 256 /* of a reason; LEDGER_REASON_BYTES and more */ };

#define MOST_SYSTEM_CALLS (INT64_C(1) << 50)

static uint64_t whole(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static struct json_place element(const struct json_place *parent, const char *array, size_t index,
                                 const json_t *object)
{
    struct json_place place = {.object = object, .error = parent->error};

    snprintf(place.where, sizeof place.where, "%.60s%s[%zu].", parent->where, array, index);
    return place;
}

static int check_whole(const struct json_place *place, const char *key, int may_be_null)
{
    const json_t *value = json_object_get(place->object, key);

    if (may_be_null && json_is_null(value))
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return json_place_refuse(place, "%s: wanted a whole number, not negative%s", key,
                                 may_be_null ? ", or null" : "");
    return 0;
}

static int check_wholes(const struct json_place *place, const char *const *keys, int may_be_null)
{
    int failed = 0;

    for (; *keys && !failed; keys++)
        failed = check_whole(place, *keys, may_be_null);
    return failed;
}

/* Not negative, and finite: JSON has no other. */
static int check_time(const struct json_place *place, const char *key)
{
    const json_t *value = json_object_get(place->object, key);

    if (!json_is_number(value) || !(json_number_value(value) >= 0))
        return json_place_refuse(place, "%s: wanted a number, not negative", key);
    return 0;
}

/* Printable ASCII, below `most` characters. */
static int check_word(const struct json_place *place, const char *key, size_t most)
{
    const char *text = json_string_value(json_object_get(place->object, key));
    size_t length = 0;

    while (text && text[length] >= ' ' && text[length] <= '~')
        length++;
    if (!text || text[length] || length >= most)
        return json_place_refuse(place, "%s: wanted at most %zu characters of printable ASCII", key,
                                 most - 1);
    return 0;
}

static int check_histogram(const struct json_place *place, struct latency_histogram *histogram,
                           double tick_ns)
{
    char error[LATENCY_JSON_ERROR_BYTES];

    if (latency_json_read(place->object, histogram, error) != 0 ||
        latency_json_check_figures(place->object, histogram, tick_ns, error) != 0)
        return json_place_refuse(place, "%s", error);
    return 0;
}

/* One of the classes, or none: both bounds null. */
static int check_class(const struct json_place *place, unsigned *size_class)
{
    const json_t *least = json_object_get(place->object, "least_bytes");
    const json_t *most = json_object_get(place->object, "most_bytes");
    uint64_t least_bytes, most_bytes;

    for (unsigned class = 0; class < LATENCY_CLASSES; class ++) {
        const int has_size = latency_class_bounds(class, &least_bytes, &most_bytes);
        const int same_least =
            has_size ? json_is_integer(least) && (uint64_t)json_integer_value(least) == least_bytes
                     : json_is_null(least);
        const int same_most =
            has_size && most_bytes != UINT64_MAX
                ? json_is_integer(most) && (uint64_t)json_integer_value(most) == most_bytes
                : json_is_null(most);
        if (same_least && same_most) {
            *size_class = class;
            return 0;
        }
    }
    return json_place_refuse(place,
                             "least_bytes: it and most_bytes are the bounds of no size class");
}

static int check_sizes(const struct json_place *place, double tick_ns,
                       struct latency_histogram *all)
{
    static struct latency_histogram one;
    const json_t *sizes = json_object_get(place->object, "sizes"), *entry;
    unsigned next = 0, size_class;
    size_t i;

    memset(all, 0, sizeof *all);
    if (!json_is_array(sizes))
        return json_place_refuse(place, "sizes: wanted an array");
    json_array_foreach(sizes, i, entry)
    {
        const struct json_place at = element(place, "sizes", i, entry);
        if (check_histogram(&at, &one, tick_ns) != 0 || check_class(&at, &size_class) != 0)
            return -EINVAL;
        if (size_class < next)
            return json_place_refuse(&at, "least_bytes: not above the class before");
        next = size_class + 1;
        latency_histogram_merge(all, &one);
    }
    return 0;
}

static int is_system_call(const char *name)
{
    for (int call = 0; call < LEDGER_CALLS; call++) {
        if (strcmp(ledger_call_name((enum ledger_call)call), name) == 0)
            return 1;
    }
    return 0;
}

/* How often each of them was made; null, or absent in a file of an earlier version, where that is
 * not known. */
static int check_system_calls(const struct json_place *place)
{
    json_t *calls = json_object_get(place->object, "system_calls"), *count;
    const char *name;

    if (!calls || json_is_null(calls))
        return 0;
    if (!json_is_object(calls))
        return json_place_refuse(place, "system_calls: wanted an object, or null");
    json_object_foreach(calls, name, count)
    {
        if (!is_system_call(name))
            return json_place_refuse(place, "system_calls: '%.32s' is none that is counted", name);
        if (!json_is_integer(count) || json_integer_value(count) < 1 ||
            json_integer_value(count) > MOST_SYSTEM_CALLS)
            return json_place_refuse(place, "system_calls.%s: wanted 1 to 2^50", name);
    }
    return 0;
}

static int check_slow(const struct json_place *place, double tick_ns, uint64_t most_ticks)
{
    static const char *const wholes[] = {"ticks", "thread", NULL};
    static const char *const or_null[] = {"size_bytes",  "page_faults", "switches",
                                          "preemptions", "mappings",    NULL};
    const double ns = json_number_value(json_object_get(place->object, "ns"));
    const double expected_ns = (double)whole(place->object, "ticks") * tick_ns;
    unsigned size_class;

    if (check_wholes(place, wholes, 0) != 0 || check_wholes(place, or_null, 1) != 0 ||
        check_time(place, "ns") != 0 || check_time(place, "at_ns") != 0 ||
        check_class(place, &size_class) != 0 || check_system_calls(place) != 0)
        return -EINVAL;
    if (whole(place->object, "ticks") > most_ticks)
        return json_place_refuse(place, "ticks: more than those of the one before");
    return fabs(ns - expected_ns) > expected_ns * 1e-6
               ? json_place_refuse(place, "ns: its ticks say %.6g", expected_ns)
               : 0;
}

static int check_slowest(const struct json_place *place, double tick_ns,
                         const struct latency_histogram *all)
{
    const json_t *slowest = json_object_get(place->object, "slowest"), *entry;
    uint64_t most_ticks = all->most;
    size_t i;

    if (!json_is_array(slowest) || json_array_size(slowest) > LATENCY_MOST_SLOWEST ||
        json_array_size(slowest) > all->count)
        return json_place_refuse(
            place, "slowest: wanted an array of at most %d, and of no more than there are",
            LATENCY_MOST_SLOWEST);
    json_array_foreach(slowest, i, entry)
    {
        const struct json_place at = element(place, "slowest", i, entry);
        if (check_slow(&at, tick_ns, most_ticks) != 0)
            return -EINVAL;
        most_ticks = whole(entry, "ticks");
        if (i == 0 && most_ticks != all->most)
            return json_place_refuse(&at, "ticks: the slowest has most_ticks, %" PRIu64, all->most);
    }
    return 0;
}

/* The index of the operation's spot, or -1. */
static int spot_of(const json_t *operation)
{
    for (unsigned i = 0; i < LATENCY_SPOTS; i++) {
        if (strcmp(json_text(operation, "layer"), latency_layer_name(i / LATENCY_OPERATIONS)) ==
                0 &&
            strcmp(json_text(operation, "operation"),
                   latency_operation_name(i % LATENCY_OPERATIONS)) == 0)
            return (int)i;
    }
    return -1;
}

static int check_trapped(const struct json_place *place, uint64_t calls)
{
    const json_t *trapped = json_object_get(place->object, "trapped_count");

    if (trapped && check_whole(place, "trapped_count", 1) != 0)
        return -EINVAL;
    if (whole(place->object, "trapped_count") > calls)
        return json_place_refuse(place, "trapped_count: more than there are");
    return check_system_calls(place);
}

static int check_operation(const struct json_place *place, double tick_ns, int *last_spot)
{
    static struct latency_histogram all, sum;
    static const char *const faulted[] = {"faulted_count", "faulted_ticks", NULL};
    const int spot = json_is_object(place->object) ? spot_of(place->object) : -1;

    if (spot <= *last_spot)
        return json_place_refuse(place,
                                 "operation: it and layer are of no operation, or of one before");
    *last_spot = spot;
    if (check_histogram(place, &all, tick_ns) != 0 || check_sizes(place, tick_ns, &sum) != 0 ||
        check_wholes(place, faulted, 1) != 0 || check_trapped(place, all.count) != 0)
        return -EINVAL;
    if (memcmp(&all, &sum, sizeof all) != 0)
        return json_place_refuse(place, "buckets: those of its sizes add up to others");
    if (whole(place->object, "faulted_count") > all.count ||
        whole(place->object, "faulted_ticks") > all.sum)
        return json_place_refuse(place, "faulted_count: more than there are");
    return check_slowest(place, tick_ns, &all);
}

static int check_phase(const struct json_place *place, double tick_ns)
{
    const json_t *operations = json_object_get(place->object, "operations"), *operation;
    int last_spot = -1;
    size_t i;

    if (check_word(place, "name", sizeof((struct page_phase *)0)->name) != 0 ||
        check_whole(place, "unrecorded", 0) != 0)
        return -EINVAL;
    if (!json_is_array(operations))
        return json_place_refuse(place, "operations: wanted an array");
    json_array_foreach(operations, i, operation)
    {
        const struct json_place at = element(place, "operations", i, operation);
        if (check_operation(&at, tick_ns, &last_spot) != 0)
            return -EINVAL;
    }
    return 0;
}

static int check_clock(const struct json_place *file, double *tick_ns)
{
    static struct latency_histogram own;
    static const char *const wholes[] = {"calibration_ticks", "calibration_ns",
                                         "calibration_error_ns", NULL};
    struct json_place clock = {.where = "clock.", .error = file->error};
    struct json_place its_own = {.where = "clock.own.", .error = file->error};

    clock.object = json_object_get(file->object, "clock");
    its_own.object = json_object_get(clock.object, "own");
    if (check_word(&clock, "name", 32) != 0 || check_word(&clock, "source", 32) != 0 ||
        check_wholes(&clock, wholes, 0) != 0 || check_time(&clock, "tick_ns") != 0 ||
        check_time(&clock, "call_cost_ns") != 0)
        return -EINVAL;
    *tick_ns = json_number_value(json_object_get(clock.object, "tick_ns"));
    if (!(*tick_ns > 0 && *tick_ns < 1e6))
        return json_place_refuse(&clock, "tick_ns: not above 0 and below a million");
    return check_histogram(&its_own, &own, *tick_ns);
}

/* Whether system calls were counted, and what that cost; files of earlier versions tell nothing. */
static int check_trap(const struct json_place *file)
{
    const json_t *is_there = json_object_get(file->object, "system_calls");
    const json_t *because = json_object_get(file->object, "no_system_calls_because");

    if (!is_there)
        return 0;
    if (!json_is_boolean(is_there))
        return json_place_refuse(file, "system_calls: wanted true or false");
    if (check_whole(file, "plain_call_ns", !json_is_true(is_there)) != 0 ||
        check_whole(file, "trapped_call_ns", !json_is_true(is_there)) != 0)
        return -EINVAL;
    return json_is_null(because) ? 0
                                 : check_word(file, "no_system_calls_because", MOST_REASON_BYTES);
}

static int check_head(const struct json_place *file, double *tick_ns)
{
    const json_t *because = json_object_get(file->object, "no_events_because");

    if (!json_is_object(file->object))
        return json_place_refuse(file, "it is no object");
    if (!json_is_integer(json_object_get(file->object, "format")) ||
        whole(file->object, "format") != LATENCY_FORMAT)
        return json_place_refuse(file, "format: this program reads %d", LATENCY_FORMAT);
    if (check_whole(file, "cell", 0) != 0)
        return -EINVAL;
    if (!json_is_boolean(json_object_get(file->object, "events")) ||
        !json_is_boolean(json_object_get(file->object, "freed_sizes")))
        return json_place_refuse(file, "events: it and freed_sizes are true or false");
    if (!json_is_null(because) && check_word(file, "no_events_because", 128) != 0)
        return -EINVAL;
    return check_trap(file) != 0 ? -EINVAL : check_clock(file, tick_ns);
}

int latency_check(const json_t *json, char *error)
{
    const struct json_place file = {.object = json, .error = error};
    const json_t *phases = json_object_get(json, "phases"), *phase;
    double tick_ns = 0;
    size_t i;

    if (check_head(&file, &tick_ns) != 0)
        return -EINVAL;
    if (!json_is_array(phases) || json_array_size(phases) == 0 ||
        json_array_size(phases) > PAGE_PHASES)
        return json_place_refuse(&file, "phases: wanted 1 to %d", PAGE_PHASES);
    json_array_foreach(phases, i, phase)
    {
        const struct json_place at = element(&file, "phases", i, phase);
        if (check_phase(&at, tick_ns) != 0)
            return -EINVAL;
    }
    return 0;
}
