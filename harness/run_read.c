/*
 * Tables of fields, one for each kind of object, and one walk over them. Leaves out a schema
 * language: three tables need none.
 */
#include "harness/run_read.h"

#include "harness/page.h"
#include "harness/plan.h"
#include "harness/sample.h"
#include "harness/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a field may be; several at once. */
enum kind {
    IS_TEXT = 1,
    IS_WORD = 2, /* printable ASCII: it goes into file names, tables and terminals as it is */
    IS_WHOLE = 4,
    IS_NUMBER = 8,
    IS_OBJECT = 16,
    IS_ARRAY = 32,
    IS_BOOLEAN = 64,
    IS_NULL = 128,
    IS_ABSENT = 256
};

struct field {
    const char *name; /* NULL ends a table */
    unsigned kinds;
};

static const struct field plan_fields[] = {
    {"suite", IS_WORD | IS_NULL},
    {"seed", IS_WHOLE},
    {"tick_ns", IS_WHOLE},
    {"timeout_ns", IS_WHOLE},
    {"memory_limit_bytes", IS_WHOLE},
    {"cells", IS_ARRAY},
    {"order", IS_ARRAY},
    {"until", IS_OBJECT | IS_ABSENT},
    {"shard", IS_OBJECT | IS_ABSENT},
    {0},
};

static const struct field cell_fields[] = {
    {"workload", IS_WORD},
    {"params", IS_OBJECT},
    {"allocator", IS_WORD},
    {"host", IS_WORD},
    {"idle_ns", IS_WHOLE},
    {"return", IS_WORD | IS_ABSENT},
    {"activity_ns", IS_WHOLE | IS_ABSENT},
    {"rebuild", IS_BOOLEAN | IS_ABSENT},
    {"thp", IS_WORD | IS_ABSENT},
    {"rounds", IS_WHOLE},
    {"not_available", IS_TEXT | IS_NULL},
    {"shard", IS_WHOLE | IS_ABSENT},
    {0},
};

static const struct field machine_fields[] = {
    {"libraries", IS_OBJECT | IS_ABSENT},    {"python", IS_OBJECT | IS_ABSENT},
    {"resumed", IS_ARRAY | IS_ABSENT},       {"finished", IS_WORD | IS_NULL | IS_ABSENT},
    {"interrupted", IS_BOOLEAN | IS_ABSENT}, {0},
};

/* Figures may be absent: an older build knew fewer of them. */
static const struct field sample_fields[] = {
    {"sample", IS_WHOLE},
    {"cell", IS_WHOLE},
    {"round", IS_WHOLE},
    {"status", IS_WORD},
    {"reason", IS_TEXT | IS_NULL},
    {"version", IS_TEXT | IS_NULL | IS_ABSENT},
    {"providers", IS_OBJECT | IS_NULL | IS_ABSENT},
    {"statm_error_bytes", IS_WHOLE | IS_NULL | IS_ABSENT},
    {"baseline_bytes", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"peak_bytes", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"retained_bytes", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"live_peak_bytes", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"return_ratio", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"return_ratio_live", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"since_last_free_ns", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"took_ns", IS_WHOLE | IS_ABSENT},
    {"wall_ns", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"cpu_ns", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"minor_faults", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"exit_status", IS_WHOLE | IS_NULL | IS_ABSENT},
    {"moments", IS_ARRAY | IS_ABSENT},
    {"returnable_bytes", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"watched_ns", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"give_back_50_ns", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"give_back_90_ns", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"give_back_ns", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"rebuild_ns", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"rebuild_minor_faults", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"phases", IS_ARRAY},
    {0},
};

static const struct field phase_fields[] = {
    {"name", IS_WORD},
    {"begin_ns", IS_NUMBER | IS_ABSENT},
    {"end_ns", IS_NUMBER | IS_ABSENT},
    {"wall_ns", IS_NUMBER | IS_ABSENT},
    {"rss_bytes", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"uss_bytes", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"lazyfree_bytes", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"object_bytes", IS_NUMBER | IS_NULL | IS_ABSENT},
    {"live_bytes", IS_NUMBER | IS_NULL | IS_ABSENT},
    {0},
};

static const struct {
    enum kind kind;
    const char *name;
} kind_names[] = {
    {IS_TEXT, "a string"},        {IS_WORD, "a string of printable ASCII"},
    {IS_WHOLE, "a whole number"}, {IS_NUMBER, "a number"},
    {IS_OBJECT, "an object"},     {IS_ARRAY, "an array"},
    {IS_BOOLEAN, "a boolean"},    {IS_NULL, "null"},
};

/* An object and where it stands, for messages: "samples.jsonl:7: phases[2].". */
struct place {
    const json_t *object;
    char where[96];
    char *error;
};

static int is_word(const char *text)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~')
            return 0;
    }
    return 1;
}

static unsigned kinds_of(const json_t *value)
{
    if (!value)
        return IS_ABSENT;
    switch (json_typeof(value)) {
    case JSON_STRING:
        return IS_TEXT | (is_word(json_string_value(value)) ? IS_WORD : 0u);
    case JSON_INTEGER:
        return IS_WHOLE | IS_NUMBER;
    case JSON_REAL:
        return IS_NUMBER;
    case JSON_OBJECT:
        return IS_OBJECT;
    case JSON_ARRAY:
        return IS_ARRAY;
    case JSON_NULL:
        return IS_NULL;
    default:
        return IS_BOOLEAN;
    }
}

/* Says that `field` of the place is not of these kinds. The name is what a file may have made up.
 */
static int refuse(const struct place *place, const char *field, unsigned kinds)
{
    size_t used = (size_t)snprintf(place->error, RUN_FOLDER_ERROR_BYTES, "%s%.64s: wanted",
                                   place->where, field);
    const char *before = " ";

    for (size_t i = 0; i < sizeof kind_names / sizeof kind_names[0]; i++) {
        if (!(kinds & kind_names[i].kind))
            continue;
        used += (size_t)snprintf(place->error + used, RUN_FOLDER_ERROR_BYTES - used, "%s%s", before,
                                 kind_names[i].name);
        before = " or ";
    }
    text_make_printable(place->error);
    return -EINVAL;
}

static int check_fields(const struct place *place, const struct field *fields)
{
    for (; fields->name; fields++) {
        if (!(kinds_of(json_object_get(place->object, fields->name)) & fields->kinds))
            return refuse(place, fields->name, fields->kinds);
    }
    return 0;
}

/* Every parameter is a string, and so is its name. */
static int check_parameters(const struct place *place)
{
    struct place params = {.object = json_object_get(place->object, "params"),
                           .error = place->error};
    const char *name;
    json_t *value;

    snprintf(params.where, sizeof params.where, "%.80sparams.", place->where);
    json_object_foreach(json_object_get(place->object, "params"), name, value)
    {
        if (!is_word(name) || !(kinds_of(value) & IS_WORD))
            return refuse(&params, name, IS_WORD);
    }
    return 0;
}

static int check_cells(const json_t *cells, char *error)
{
    struct place place = {.error = error};
    size_t i;

    if (json_array_size(cells) > PLAN_MOST_CELLS) {
        snprintf(error, RUN_FOLDER_ERROR_BYTES, "plan.json: it has more than %d cells",
                 PLAN_MOST_CELLS);
        return -EINVAL;
    }
    json_array_foreach(cells, i, place.object)
    {
        snprintf(place.where, sizeof place.where, "plan.json: cells[%zu].", i);
        if (check_fields(&place, cell_fields) != 0 || check_parameters(&place) != 0)
            return -EINVAL;
    }
    return 0;
}

static int check_plan(const json_t *plan, char *error)
{
    struct place place = {.object = plan, .where = "plan.json: ", .error = error};
    const json_t *order = json_object_get(plan, "order"), *round;
    char name[32];
    size_t i;

    if (check_fields(&place, plan_fields) != 0 ||
        check_cells(json_object_get(plan, "cells"), error) != 0)
        return -EINVAL;
    json_array_foreach(order, i, round)
    {
        snprintf(name, sizeof name, "order[%zu]", i);
        if (!json_is_array(round))
            return refuse(&place, name, IS_ARRAY);
    }
    return 0;
}

static int check_phases(const json_t *phases, size_t line, char *error)
{
    struct place place = {.error = error};
    size_t i;

    if (json_array_size(phases) > PAGE_PHASES) {
        snprintf(error, RUN_FOLDER_ERROR_BYTES, "samples.jsonl:%zu: it has more than %d phases",
                 line, PAGE_PHASES);
        return -EINVAL;
    }
    json_array_foreach(phases, i, place.object)
    {
        snprintf(place.where, sizeof place.where, "samples.jsonl:%zu: phases[%zu].", line, i);
        if (check_fields(&place, phase_fields) != 0)
            return -EINVAL;
    }
    return 0;
}

static int check_moments(const json_t *moments, size_t line, char *error)
{
    static const struct field fields[] = {
        {"after_ns", IS_WHOLE},
        {"rss_bytes", IS_NUMBER | IS_NULL},
        {"lazyfree_bytes", IS_NUMBER | IS_NULL | IS_ABSENT},
        {"anon_huge_bytes", IS_NUMBER | IS_NULL | IS_ABSENT},
        {"page_table_bytes", IS_NUMBER | IS_NULL | IS_ABSENT},
        {"charge_bytes", IS_NUMBER | IS_NULL | IS_ABSENT},
        {"excess_byte_seconds", IS_NUMBER | IS_NULL | IS_ABSENT},
        {0},
    };
    struct place place = {.error = error};
    size_t i;

    if (json_array_size(moments) > MOMENTS) {
        snprintf(error, RUN_FOLDER_ERROR_BYTES, "samples.jsonl:%zu: it has more than %d moments",
                 line, MOMENTS);
        return -EINVAL;
    }
    json_array_foreach(moments, i, place.object)
    {
        snprintf(place.where, sizeof place.where, "samples.jsonl:%zu: moments[%zu].", line, i);
        if (check_fields(&place, fields) != 0)
            return -EINVAL;
    }
    return 0;
}

static int is_status(const char *text)
{
    for (int i = SAMPLE_OK; i < SAMPLE_INTERRUPTED; i++) {
        if (strcmp(text, sample_status_name((enum sample_status)i)) == 0)
            return 1;
    }
    return 0;
}

static int check_sample(const struct place *place, size_t cells, size_t line)
{
    if (check_fields(place, sample_fields) != 0 ||
        check_phases(json_object_get(place->object, "phases"), line, place->error) != 0 ||
        check_moments(json_object_get(place->object, "moments"), line, place->error) != 0)
        return -EINVAL;
    json_int_t cell = json_integer_value(json_object_get(place->object, "cell"));
    if (cell < 0 || (size_t)cell >= cells) {
        snprintf(place->error, RUN_FOLDER_ERROR_BYTES, "%sno cell of the plan", place->where);
        return -EINVAL;
    }
    const char *status = json_string_value(json_object_get(place->object, "status"));
    if (is_status(status))
        return 0;
    snprintf(place->error, RUN_FOLDER_ERROR_BYTES, "%s'%.64s' is no status that a sample has",
             place->where, status);
    return -EINVAL;
}

static int check_samples(const json_t *samples, size_t cells, char *error)
{
    struct place place = {.error = error};
    size_t i;

    json_array_foreach(samples, i, place.object)
    {
        snprintf(place.where, sizeof place.where, "samples.jsonl:%zu: ", i + 1);
        if (check_sample(&place, cells, i + 1) != 0)
            return -EINVAL;
    }
    return 0;
}

static int check(const struct run_content *content, char *error)
{
    struct place machine = {.object = content->machine, .where = "machine.json: ", .error = error};

    if (check_plan(content->plan, error) != 0 || check_fields(&machine, machine_fields) != 0)
        return -EINVAL;
    return check_samples(content->samples, json_array_size(json_object_get(content->plan, "cells")),
                         error);
}

int run_content_parse(struct run_content *content, const struct run_texts *texts, char *error)
{
    struct run_content read = {0};
    int failed = run_texts_parse(texts, &read.plan, &read.machine, &read.samples, error);

    if (!failed)
        failed = check(&read, error);
    checksum_bytes(texts->plan.bytes, texts->plan.length, read.plan_checksum);
    if (failed)
        run_content_free(&read);
    else
        *content = read;
    return failed;
}

int run_content_read(struct run_content *content, const struct run_folder *folder, char *error)
{
    struct run_texts texts;
    char what[RUN_FOLDER_ERROR_BYTES];
    int failed = run_texts_read(&texts, folder, what);

    if (!failed)
        failed = run_content_parse(content, &texts, what);
    if (failed)
        snprintf(error, RUN_FOLDER_ERROR_BYTES, "%.900s/%.600s", folder->path, what);
    run_texts_free(&texts);
    return failed;
}

void run_content_free(struct run_content *content)
{
    json_decref(content->plan);
    json_decref(content->machine);
    json_decref(content->samples);
    *content = (struct run_content){0};
}
