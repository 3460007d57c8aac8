/*
 * Lines of a stream joined to one document: addresses become a module and an offset in it, by the
 * modules of the line in which they first appear. Leaves out checking numbers against each other:
 * the writer is a part of this build.
 */
#define _GNU_SOURCE
#include "harness/snapshot_stream.h"

#include "harness/json_file.h"
#include "harness/sites/recorder.h"
#include "harness/sites/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a line: where a module lies, and its number in the document. */
struct loaded {
    uint64_t base, begin, end;
    json_int_t number;
};

struct joining {
    json_t *modules, *frames, *stacks, *labels, *snapshots;
    json_t *module_numbers, *frame_numbers,
        *label_numbers; /* of what is there already, by its text */
    json_t *unwinder;
    struct loaded *loaded; /* of the line that is read */
    size_t loaded_count;
};

/* The number of `text` among those that `numbers` has; a new one when it has none. */
static json_int_t number_of(json_t *numbers, const char *text, int *is_new)
{
    const json_t *known = json_object_get(numbers, text);

    *is_new = !known;
    if (known)
        return json_integer_value(known);
    json_int_t number = (json_int_t)json_object_size(numbers);
    json_object_set_new(numbers, text, json_integer(number));
    return number;
}

static void read_modules(struct joining *joining, const json_t *modules)
{
    size_t i;
    const json_t *module;

    free(joining->loaded);
    joining->loaded = calloc(json_array_size(modules) + 1, sizeof *joining->loaded);
    joining->loaded_count = joining->loaded ? json_array_size(modules) : 0;
    for (i = 0; i < joining->loaded_count; i++) {
        char *key = NULL;
        int is_new;
        module = json_array_get(modules, i);
        const char *path = json_string_value(json_array_get(module, 0));
        const char *build_id = json_string_value(json_array_get(module, 1));
        if (asprintf(&key, "%s %s", build_id, path) < 0)
            continue;
        joining->loaded[i] = (struct loaded){
            .base = (uint64_t)json_integer_value(json_array_get(module, 2)),
            .begin = (uint64_t)json_integer_value(json_array_get(module, 3)),
            .end = (uint64_t)json_integer_value(json_array_get(module, 4)),
            .number = number_of(joining->module_numbers, key, &is_new),
        };
        if (is_new)
            json_array_append_new(joining->modules, json_pack("[s, s]", path, build_id));
        free(key);
    }
}

/* The number of a frame; a module of -1 is unknown code, such as what a program made itself. */
static json_int_t frame_of(struct joining *joining, uint64_t address)
{
    struct loaded in = {.number = -1};
    char key[64];
    int is_new;

    for (size_t i = 0; i < joining->loaded_count; i++) {
        if (address >= joining->loaded[i].begin && address < joining->loaded[i].end)
            in = joining->loaded[i];
    }
    snprintf(key, sizeof key, "%" JSON_INTEGER_FORMAT " %" PRIu64, in.number, address - in.base);
    json_int_t number = number_of(joining->frame_numbers, key, &is_new);
    if (is_new)
        json_array_append_new(joining->frames,
                              json_pack("[I, I]", in.number, (json_int_t)(address - in.base)));
    return number;
}

static void read_nodes(struct joining *joining, const json_t *nodes)
{
    for (size_t i = 0; i + 1 < json_array_size(nodes); i += 2) {
        uint64_t address = (uint64_t)json_integer_value(json_array_get(nodes, i + 1));
        json_array_append(joining->stacks, json_array_get(nodes, i));
        json_array_append_new(joining->stacks, json_integer(frame_of(joining, address)));
    }
}

/* The document's number of a label of the line: 0 is none, and a dead object has one of its own. */
static json_int_t label_of(struct joining *joining, const json_t *labels, json_int_t label)
{
    const int is_free = (label & RECORDER_FREE_LIST) != 0;
    const size_t index = (size_t)(label & ~(json_int_t)RECORDER_FREE_LIST);
    const char *name = index ? json_string_value(json_array_get(labels, index - 1)) : "(storage)";
    char text[256];
    int is_new;

    if (!name || (index == 0 && !is_free))
        return 0;
    snprintf(text, sizeof text, "%s%.200s", is_free ? "free list of " : "", name);
    json_int_t number = number_of(joining->label_numbers, text, &is_new);
    if (is_new)
        json_array_append_new(joining->labels, json_string(text));
    return number + 1;
}

static json_t *read_sites(struct joining *joining, const json_t *line)
{
    enum { FIELDS = 5, LABEL = 2 };
    const json_t *labels = json_object_get(line, "labels"), *value;
    json_t *sites = json_array();
    size_t i;

    json_array_foreach(json_object_get(line, "sites"), i, value)
    {
        if (i % FIELDS == LABEL)
            json_array_append_new(
                sites, json_integer(label_of(joining, labels, json_integer_value(value))));
        else
            json_array_append_new(sites, json_integer(json_integer_value(value)));
    }
    return sites;
}

static int read_line(struct joining *joining, const json_t *line)
{
    if (json_integer_value(json_object_get(line, "format")) != STREAM_FORMAT)
        return -EINVAL;
    read_modules(joining, json_object_get(line, "modules"));
    read_nodes(joining, json_object_get(line, "nodes"));
    if (!joining->unwinder)
        joining->unwinder = json_incref(json_object_get(line, "unwinder"));
    json_array_append_new(
        joining->snapshots,
        json_pack("{s:O, s:O, s:O, s:O, s:o, s:O}", "name", json_object_get(line, "name"),
                  "time_ns", json_object_get(line, "time_ns"), "lost",
                  json_object_get(line, "lost"), "live_bytes", json_object_get(line, "live_bytes"),
                  "sites", read_sites(joining, line), "allocated",
                  json_object_get(line, "allocated")));
    return 0;
}

/* The next whole line, or NULL: a process that was killed may have left a part of one. */
static json_t *next_line(FILE *file, char **text, size_t *room)
{
    ssize_t length = getline(text, room, file);

    if (length <= 0 || (*text)[length - 1] != '\n')
        return NULL;
    return json_loadb(*text, (size_t)length, 0, NULL);
}

static int read_lines(struct joining *joining, FILE *file)
{
    char *text = NULL;
    size_t room = 0;
    json_t *line;
    int failed = 0;

    while (!failed && (line = next_line(file, &text, &room))) {
        failed = read_line(joining, line);
        json_decref(line);
    }
    free(text);
    return failed;
}

static void forget(struct joining *joining)
{
    json_decref(joining->module_numbers);
    json_decref(joining->frame_numbers);
    json_decref(joining->label_numbers);
    free(joining->loaded);
}

json_t *snapshot_stream_read(const char *path, json_t *domains, char *error)
{
    struct joining joining = {.modules = json_array(),
                              .frames = json_array(),
                              .stacks = json_array(),
                              .labels = json_array(),
                              .snapshots = json_array(),
                              .module_numbers = json_object(),
                              .frame_numbers = json_object(),
                              .label_numbers = json_object()};
    FILE *file = fopen(path, "re");
    int failed = file ? read_lines(&joining, file) : -errno;

    if (file)
        fclose(file);
    forget(&joining);
    json_t *document = json_pack(
        "{s:i, s:o*, s:O, s:o, s:o, s:o, s:o, s:o}", "format", SNAPSHOT_FORMAT, "unwinder",
        joining.unwinder, "domains", domains, "modules", joining.modules, "frames", joining.frames,
        "stacks", joining.stacks, "labels", joining.labels, "snapshots", joining.snapshots);
    if (document && !failed)
        return document;
    snprintf(error, SNAPSHOT_ERROR_BYTES, "what was recorded cannot be read: %s",
             strerror(failed ? -failed : ENOMEM));
    json_decref(document);
    return NULL;
}
