/*
 * A document from anywhere, held to results/FORMAT.md (snapshot). Leaves out repair, and names what
 * is wrong first.
 */
#include "harness/snapshot_check.h"

#include "harness/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FRAME_HEAD = 2, CALL_FIELDS = 3, STACK_FIELDS = 2, SITE_FIELDS = 5, ALLOCATED_FIELDS = 3 };

/* Of bytes, in a site and in all of a snapshot: so that no sum wraps. A block has a byte or more,
 * but for malloc(0): the same bounds the blocks. */
#define MOST_BYTES (INT64_C(1) << 56)

__attribute__((format(printf, 2, 3))) static int refuse(char *error, const char *format, ...)
{
    va_list words;

    va_start(words, format);
    vsnprintf(error, SNAPSHOT_ERROR_BYTES, format, words);
    va_end(words);
    text_make_printable(error);
    return -EINVAL;
}

static int is_whole(const json_t *value, json_int_t minimum, json_int_t maximum)
{
    return json_is_integer(value) && json_integer_value(value) >= minimum &&
           json_integer_value(value) <= maximum;
}

static int check_arrays(const json_t *document, char *error)
{
    static const char *const arrays[] = {"domains", "modules", "frames",
                                         "stacks",  "labels",  "snapshots"};

    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        if (!json_is_array(json_object_get(document, arrays[i])))
            return refuse(error, "%s: wanted an array", arrays[i]);
    }
    return 0;
}

static int check_texts(const json_t *document, const char *key, char *error)
{
    size_t i;
    const json_t *text;

    json_array_foreach(json_object_get(document, key), i, text)
    {
        if (!json_is_string(text))
            return refuse(error, "%s[%zu]: wanted a string", key, i);
    }
    return 0;
}

static int check_modules(const json_t *document, char *error)
{
    size_t i;
    const json_t *module;

    json_array_foreach(json_object_get(document, "modules"), i, module)
    {
        if (json_array_size(module) != 2 || !json_is_string(json_array_get(module, 0)) ||
            !json_is_string(json_array_get(module, 1)))
            return refuse(error, "modules[%zu]: wanted a path and a build-id", i);
    }
    return 0;
}

static int is_call(const json_t *frame, size_t at)
{
    return json_is_string(json_array_get(frame, at)) &&
           json_is_string(json_array_get(frame, at + 1)) &&
           is_whole(json_array_get(frame, at + 2), 0, INT32_MAX);
}

static int check_frames(const json_t *document, char *error)
{
    const json_int_t modules = (json_int_t)json_array_size(json_object_get(document, "modules"));
    size_t i;
    const json_t *frame;

    json_array_foreach(json_object_get(document, "frames"), i, frame)
    {
        const size_t fields = json_array_size(frame);
        if (fields < FRAME_HEAD || (fields - FRAME_HEAD) % CALL_FIELDS != 0 ||
            !is_whole(json_array_get(frame, 0), -1, modules - 1) ||
            !json_is_integer(json_array_get(frame, 1)))
            return refuse(error, "frames[%zu]: wanted a module, an offset and calls", i);
        for (size_t at = FRAME_HEAD; at < fields; at += CALL_FIELDS) {
            if (!is_call(frame, at))
                return refuse(error, "frames[%zu]: wanted function, file and line at %zu", i, at);
        }
    }
    return 0;
}

/* A parent comes before its child, so that a way outwards ends. */
static int check_stacks(const json_t *document, char *error)
{
    const json_t *stacks = json_object_get(document, "stacks"), *value;
    const json_int_t frames = (json_int_t)json_array_size(json_object_get(document, "frames"));
    size_t i;

    if (json_array_size(stacks) % STACK_FIELDS != 0)
        return refuse(error, "stacks: wanted pairs");
    json_array_foreach(stacks, i, value)
    {
        const json_int_t stack = (json_int_t)(i / STACK_FIELDS) + 1;
        if (!is_whole(value, 0, i % STACK_FIELDS == 0 ? stack - 1 : frames - 1))
            return refuse(error, "stacks[%zu]: no earlier stack, or no frame", i);
    }
    return 0;
}

static int check_rows(const json_t *rows, const json_int_t *most, size_t fields, const char *name,
                      size_t snapshot, char *error)
{
    size_t i;
    const json_t *value;

    if (!json_is_array(rows) || json_array_size(rows) % fields != 0)
        return refuse(error, "snapshots[%zu].%s: wanted rows of %zu numbers", snapshot, name,
                      fields);
    json_array_foreach(rows, i, value)
    {
        if (!is_whole(value, 0, most[i % fields]))
            return refuse(error, "snapshots[%zu].%s[%zu]: out of bounds", snapshot, name, i);
    }
    return 0;
}

/* Of the sites, each within bounds. */
static int check_sums(const json_t *sites, size_t snapshot, char *error)
{
    enum { COUNT = 3 };
    json_int_t sum = 0;
    size_t i;
    const json_t *value;

    json_array_foreach(sites, i, value)
    {
        if (i % SITE_FIELDS >= COUNT)
            sum += json_integer_value(value);
        if (sum > MOST_BYTES)
            return refuse(error, "snapshots[%zu].sites: more than an address space", snapshot);
    }
    return 0;
}

static int check_snapshot(const json_t *document, const json_t *snapshot, size_t index, char *error)
{
    const json_int_t stacks =
        (json_int_t)(json_array_size(json_object_get(document, "stacks")) / STACK_FIELDS);
    const json_int_t domains = (json_int_t)json_array_size(json_object_get(document, "domains"));
    const json_int_t labels = (json_int_t)json_array_size(json_object_get(document, "labels"));
    const json_int_t site[SITE_FIELDS] = {stacks, domains - 1, labels, MOST_BYTES, MOST_BYTES};
    const json_int_t allocated[ALLOCATED_FIELDS] = {stacks, MOST_BYTES, INT64_MAX};
    const json_t *live = json_object_get(snapshot, "live_bytes");

    if (!json_is_string(json_object_get(snapshot, "name")) ||
        !is_whole(json_object_get(snapshot, "time_ns"), 0, INT64_MAX) ||
        !is_whole(json_object_get(snapshot, "lost"), 0, INT64_MAX) ||
        !(json_is_null(live) || is_whole(live, 0, INT64_MAX)))
        return refuse(error, "snapshots[%zu]: wanted name, time_ns, lost and live_bytes", index);
    int failed =
        check_rows(json_object_get(snapshot, "sites"), site, SITE_FIELDS, "sites", index, error);
    if (!failed)
        failed = check_sums(json_object_get(snapshot, "sites"), index, error);
    return failed ? failed
                  : check_rows(json_object_get(snapshot, "allocated"), allocated, ALLOCATED_FIELDS,
                               "allocated", index, error);
}

static int check_snapshots(const json_t *document, char *error)
{
    size_t i;
    const json_t *snapshot;
    int failed = 0;

    json_array_foreach(json_object_get(document, "snapshots"), i, snapshot)
    {
        if (!failed)
            failed = check_snapshot(document, snapshot, i, error);
    }
    return failed;
}

int snapshot_check(const json_t *document, char *error)
{
    if (!is_whole(json_object_get(document, "format"), SNAPSHOT_FORMAT, SNAPSHOT_FORMAT))
        return refuse(error, "it is no snapshot of format %d", SNAPSHOT_FORMAT);
    if (!json_is_string(json_object_get(document, "unwinder")) ||
        !json_is_string(json_object_get(document, "recorded")))
        return refuse(error, "wanted strings: recorded, unwinder");
    int failed = check_arrays(document, error);
    if (!failed)
        failed = check_texts(document, "domains", error);
    if (!failed)
        failed = check_texts(document, "labels", error);
    if (!failed)
        failed = check_modules(document, error);
    if (!failed)
        failed = check_frames(document, error);
    if (!failed)
        failed = check_stacks(document, error);
    return failed ? failed : check_snapshots(document, error);
}
