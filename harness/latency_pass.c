/*
 * The latency pass: what the child's lines become. Leaves out the child's side
 * (harness/latency_child.c) and the check of a file (harness/latency_check.h). Figures follow from
 * the buckets, here when a file is made, and again when it is checked.
 */
#include "harness/json_file.h"
#include "harness/latency_check.h"
#include "harness/latency_json.h"
#include "harness/latency_operation.h"
#include "harness/pass.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { IDLE_NS = 10000000 /* most that the child waits where the cell is idle */ };

/* Every workload on the objects host calls its row's operations. */
static int suits(const struct cell *cell)
{
    (void)cell;
    return 1;
}

/* --- From the child's lines. --- */

static uint64_t whole(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static int add_ns(json_t *object, const char *ticks_key, const char *ns_key, double tick_ns)
{
    return json_object_set_new(object, ns_key,
                               json_real((double)whole(object, ticks_key) * tick_ns));
}

static void set_null(json_t *object, const char *key)
{
    json_object_set_new(object, key, json_null());
}

/* The bounds of `class`, which goes. */
static void name_class(json_t *object)
{
    uint64_t least_bytes, most_bytes;
    const unsigned size_class = (unsigned)whole(object, "class");

    json_object_del(object, "class");
    set_null(object, "least_bytes");
    set_null(object, "most_bytes");
    if (!latency_class_bounds(size_class, &least_bytes, &most_bytes))
        return;
    json_object_set_new(object, "least_bytes", json_integer((json_int_t)least_bytes));
    if (most_bytes != UINT64_MAX)
        json_object_set_new(object, "most_bytes", json_integer((json_int_t)most_bytes));
}

/* What this child could see. */
struct known {
    int events, system_calls;
};

/* What is not known becomes null: a size that the operation was not told, all that no record tells
 * of. */
static void finish_slow(json_t *slow, int is_told_size, struct known known, double tick_ns)
{
    static const char *const read_ones[] = {"switches", "preemptions", "mappings"};

    add_ns(slow, "ticks", "ns", tick_ns);
    add_ns(slow, "at_ticks", "at_ns", tick_ns);
    json_object_del(slow, "at_ticks");
    if (!is_told_size)
        set_null(slow, "size_bytes");
    name_class(slow);
    if (!known.events)
        set_null(slow, "page_faults");
    for (size_t i = 0; i < sizeof read_ones / sizeof read_ones[0]; i++) {
        if (!known.events || whole(slow, "lost"))
            set_null(slow, read_ones[i]);
    }
    if (!known.system_calls)
        set_null(slow, "system_calls");
    json_object_del(slow, "lost");
}

static int is_told_size(const char *operation)
{
    return strcmp(operation, "free") != 0 && strcmp(operation, "region_create") != 0 &&
           strcmp(operation, "region_reset") != 0 && strcmp(operation, "region_destroy") != 0;
}

/* Of all its sizes together, and of each. Returns 0, or -EINVAL with a message. */
static int finish_operation(json_t *operation, struct known known, double tick_ns, char *error)
{
    static struct latency_histogram all, one;
    const int told = is_told_size(json_text(operation, "operation"));
    json_t *entry;
    size_t i;

    memset(&all, 0, sizeof all);
    json_array_foreach(json_object_get(operation, "sizes"), i, entry)
    {
        if (latency_json_read(entry, &one, error) != 0)
            return -EINVAL;
        latency_histogram_merge(&all, &one);
        latency_json_add_figures(entry, &one, tick_ns);
        name_class(entry);
    }
    latency_json_write(operation, &all);
    latency_json_add_figures(operation, &all, tick_ns);
    add_ns(operation, "faulted_ticks", "faulted_ns", tick_ns);
    if (!known.events) {
        set_null(operation, "faulted_count");
        set_null(operation, "faulted_ticks");
        set_null(operation, "faulted_ns");
    }
    if (!known.system_calls) {
        set_null(operation, "trapped_count");
        set_null(operation, "system_calls");
    }
    json_array_foreach(json_object_get(operation, "slowest"), i, entry)
        finish_slow(entry, told, known, tick_ns);
    return 0;
}

static int finish_phase(json_t *phase, struct known known, double tick_ns, char *error)
{
    json_t *operation;
    size_t i;

    json_array_foreach(json_object_get(phase, "operations"), i, operation)
    {
        if (finish_operation(operation, known, tick_ns, error) != 0)
            return -EINVAL;
    }
    return 0;
}

static double tick_of(const json_t *clock)
{
    return (double)whole(clock, "calibration_ns") / (double)whole(clock, "calibration_ticks");
}

/* Whether system calls were trapped, and what that made each longer. */
static void finish_trap(json_t *json)
{
    const int is_there = whole(json, "knows_system_calls") != 0;

    json_object_set_new(json, "system_calls", json_boolean(is_there));
    json_object_del(json, "knows_system_calls");
    if (is_there) {
        set_null(json, "no_system_calls_because");
        return;
    }
    set_null(json, "plain_call_ns");
    set_null(json, "trapped_call_ns");
}

/* The child's first line into the file's head. */
static int finish_head(json_t *json, size_t cell, char *error)
{
    static struct latency_histogram own;
    json_t *clock = json_object_get(json, "clock"), *its_own = json_object_get(clock, "own");
    const uint64_t refused = whole(json, "events_error");
    const double tick_ns = tick_of(clock);

    if (latency_json_read(its_own, &own, error) != 0)
        return -EINVAL;
    latency_json_add_figures(its_own, &own, tick_ns);
    json_object_set_new(clock, "tick_ns", json_real(tick_ns));
    json_object_set_new(clock, "call_cost_ns",
                        json_real((double)whole(clock, "cost_ticks") * tick_ns /
                                  (double)whole(clock, "cost_calls")));
    json_object_del(clock, "cost_ticks");
    json_object_del(clock, "cost_calls");
    json_object_del(json, "events_error");
    json_object_set_new(json, "events", json_boolean(refused == 0));
    json_object_set_new(json, "no_events_because",
                        refused ? json_string(strerror((int)refused)) : json_null());
    json_object_set_new(json, "freed_sizes", json_boolean(whole(json, "knows_freed_sizes") != 0));
    json_object_del(json, "knows_freed_sizes");
    finish_trap(json);
    json_object_set_new(json, "format", json_integer(LATENCY_FORMAT));
    json_object_set_new(json, "cell", json_integer((json_int_t)cell));
    return 0;
}

/* The next line, parsed; `*text` moves on. NULL when it is none, or at the end. */
static json_t *next_line(const char **text)
{
    const size_t length = strcspn(*text, "\n");
    json_t *json = length > 0 ? json_loadb(*text, length, 0, NULL) : NULL;

    *text += length + ((*text)[length] == '\n');
    return json;
}

static int add_phases(json_t *json, const char *text, char *error)
{
    const struct known known = {
        .events = json_is_true(json_object_get(json, "events")),
        .system_calls = json_is_true(json_object_get(json, "system_calls")),
    };
    const double tick_ns = tick_of(json_object_get(json, "clock"));
    json_t *phases = json_array();

    json_object_set_new(json, "phases", phases);
    while (*text) {
        json_t *phase = next_line(&text);
        int failed = phase ? finish_phase(phase, known, tick_ns, error) : -EINVAL;
        if (!phase)
            snprintf(error, LATENCY_JSON_ERROR_BYTES, "a line of it is no JSON");
        json_array_append_new(phases, phase ? phase : json_null());
        if (failed)
            return failed;
    }
    return 0;
}

static json_t *understand(const struct pass_output *output, char *why)
{
    char error[LATENCY_JSON_ERROR_BYTES] = "its first line is no JSON";
    const char *text = output->text;
    json_t *json = next_line(&text);

    if (json && finish_head(json, output->cell, error) == 0 && add_phases(json, text, error) == 0)
        return json;
    snprintf(why, PASS_ERROR_BYTES, "what the child wrote: %s", error);
    json_decref(json);
    return NULL;
}

const struct pass latency_pass = {
    .name = "latency",
    .summary = "how long each malloc and free took: a histogram by operation, size and phase",
    .most_idle_ns = IDLE_NS,
    .suits = suits,
    .understand = understand,
    .check = latency_check,
};
