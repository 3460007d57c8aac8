/*
 * Two machines, field by field. Leaves out a verdict: who asks refuses or not.
 */
#define _GNU_SOURCE
#include "harness/run_compare.h"

#include "harness/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A growing list of reasons, one a line. */
struct reasons {
    char *text;
    size_t bytes, count;
};

__attribute__((format(printf, 2, 3))) static void add_reason(struct reasons *reasons,
                                                             const char *format, ...)
{
    size_t used = strlen(reasons->text);
    char line[512];
    va_list words;

    va_start(words, format);
    vsnprintf(line, sizeof line, format, words);
    va_end(words);
    text_make_printable(line);
    snprintf(reasons->text + used, reasons->bytes - used, "\n  %s", line);
    reasons->count++;
}

/* A fact as a reader would say it; the caller frees it. */
static char *fact_text(const json_t *fact)
{
    return fact && !json_is_null(fact) ? json_dumps(fact, JSON_ENCODE_ANY | JSON_COMPACT)
                                       : strdup("not known");
}

static void compare(struct reasons *reasons, const char *what, const json_t *then,
                    const json_t *now)
{
    if (then && now && json_equal(then, now))
        return;
    char *was = fact_text(then), *is = fact_text(now);
    add_reason(reasons, "%.160s was %.128s, and is %.128s now", what, was ? was : "?",
               is ? is : "?");
    free(was);
    free(is);
}

static void compare_program(struct reasons *reasons, const char *name, const json_t *then,
                            const json_t *now)
{
    char what[160];

    /* One that cannot be read is not known to be the same. */
    if (json_is_null(now))
        now = NULL;
    snprintf(what, sizeof what, "the programs have changed since: the CRC-32 of %.64s", name);
    compare(reasons, what, then, now);
}

static void compare_programs(struct reasons *reasons, json_t *then, json_t *now)
{
    const char *name;
    json_t *value;

    if (!json_is_object(then)) {
        add_reason(reasons, "whether the programs have changed is not known: the tidemark that "
                            "began this run recorded no CRC-32 of them");
        return;
    }
    json_object_foreach(now, name, value)
        compare_program(reasons, name, json_object_get(then, name), value);
    json_object_foreach(then, name, value)
    {
        if (!json_object_get(now, name))
            compare_program(reasons, name, value, NULL);
    }
}

static const json_t *python_version(const json_t *machine, const char *host)
{
    return json_object_get(json_object_get(json_object_get(machine, "python"), host), "version");
}

/* Each interpreter that a cell runs on, once. */
static void compare_pythons(struct reasons *reasons, const struct plan *plan, const json_t *then,
                            const json_t *now)
{
    const char *last = "";

    for (size_t i = 0; i < plan->cell_count; i++) {
        const struct cell *cell = &plan->cells[i];
        if (host_is_objects(&cell->host) || cell->not_available[0] ||
            strcmp(cell->host.text, last) == 0)
            continue;
        last = cell->host.text;
        compare(reasons, last, python_version(then, last), python_version(now, last));
    }
}

/* Of a row that has loaded several versions the last one counts: going on with it adds none. */
static const json_t *last_version(const json_t *versions)
{
    size_t count = json_array_size(versions);

    return count ? json_array_get(versions, count - 1) : versions;
}

/* Rows without a sample have no version yet: what they load now will be the first. */
static void compare_versions(struct reasons *reasons, json_t *then, json_t *now)
{
    char what[300];
    const char *row;
    json_t *value;

    json_object_foreach(now, row, value)
    {
        const json_t *was = last_version(json_object_get(then, row));
        if (!was)
            continue;
        snprintf(what, sizeof what, "the version that row %.128s loads", row);
        compare(reasons, what, was, value);
    }
}

/* The traces that cells replay, by path. */
static void compare_traces(struct reasons *reasons, const json_t *then, json_t *now)
{
    char what[300];
    const char *path;
    json_t *value;

    json_object_foreach(now, path, value)
    {
        snprintf(what, sizeof what, "the CRC-32 of %.160s", path);
        compare(reasons, what, json_object_get(json_object_get(then, path), "checksum"),
                json_object_get(value, "checksum"));
    }
}

size_t run_compare(const struct plan *plan, json_t *then, json_t *now, char *text,
                   size_t text_bytes)
{
    static const char *const facts[] = {"kernel", "cpu", "cores", "host_name"};
    struct reasons reasons = {.text = text, .bytes = text_bytes};

    if (!json_is_string(json_object_get(then, "plan")))
        add_reason(&reasons, "whether plan.json has changed is not known: the tidemark that began "
                             "this run recorded no CRC-32 of it");
    compare_programs(&reasons, json_object_get(then, "programs"), json_object_get(now, "programs"));
    compare_traces(&reasons, json_object_get(then, "traces"), json_object_get(now, "traces"));
    /* The name only of a shard: what it compares is measured on one machine. */
    const size_t count = sizeof facts / sizeof facts[0] - (plan->shard.count > 0 ? 0 : 1);
    for (size_t i = 0; i < count; i++)
        compare(&reasons, facts[i], json_object_get(then, facts[i]),
                json_object_get(now, facts[i]));
    compare_pythons(&reasons, plan, then, now);
    compare_versions(&reasons, json_object_get(then, "libraries"),
                     json_object_get(now, "libraries"));
    return reasons.count;
}
