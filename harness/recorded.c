/*
 * Tables of fields and one walk over them, as for a run. Leaves out whether a row can be opened
 * here: a run says so of its own cells.
 */
#define _GNU_SOURCE
#include "harness/recorded.h"

#include "harness/json_file.h"
#include "harness/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What a field may be; several at once. Text is printable ASCII: it goes to terminals as it is. */
enum kind { IS_TEXT = 1, IS_SIZE = 2, IS_ARRAY = 4, IS_OBJECT = 8, IS_BOOLEAN = 16, IS_NULL = 32 };

enum { FORMAT = 1 };

struct field {
    const char *name; /* NULL ends a table */
    unsigned kinds;
    const char *wanted; /* in words */
};

#define TEXT_FIELD(name)                                                                           \
    {                                                                                              \
        name, IS_TEXT, "a string of printable ASCII"                                               \
    }
#define TEXT_OR_NULL(name)                                                                         \
    {                                                                                              \
        name, IS_TEXT | IS_NULL, "a string of printable ASCII, or null"                            \
    }
#define SIZE_OR_NULL(name)                                                                         \
    {                                                                                              \
        name, IS_SIZE | IS_NULL, "a number from 0 to 1e15, or null"                                \
    }
#define ARRAY_FIELD(name)                                                                          \
    {                                                                                              \
        name, IS_ARRAY, "an array"                                                                 \
    }
#define BOOLEAN_FIELD(name)                                                                        \
    {                                                                                              \
        name, IS_BOOLEAN, "a boolean"                                                              \
    }

static const struct field document_fields[] = {
    {"reasons", IS_OBJECT, "an object"},
    ARRAY_FIELD("experiments"),
    ARRAY_FIELD("published"),
    ARRAY_FIELD("not_compared"),
    {0},
};

static const struct field experiment_fields[] = {
    TEXT_FIELD("name"),     TEXT_FIELD("title"),
    TEXT_FIELD("workload"), TEXT_FIELD("row"),
    TEXT_FIELD("base"),     ARRAY_FIELD("measured"),
    ARRAY_FIELD("phases"),  {"recorded", IS_OBJECT | IS_NULL, "an object or null"},
    TEXT_OR_NULL("note"),   {0},
};

static const struct field source_fields[] = {
    TEXT_FIELD("version"),
    TEXT_FIELD("platform"),
    TEXT_FIELD("program"),
    SIZE_OR_NULL("start_kb"),
    {0},
};

static const struct field phase_fields[] = {
    TEXT_FIELD("phase"),
    SIZE_OR_NULL("recorded_kb"),
    SIZE_OR_NULL("bound_percent"),
    SIZE_OR_NULL("bound_kb"),
    TEXT_OR_NULL("reason"),
    SIZE_OR_NULL("reason_kb"),
    {0},
};

static const struct field published_fields[] = {
    TEXT_FIELD("article"),
    TEXT_FIELD("platform"),
    TEXT_FIELD("claim"),
    TEXT_FIELD("why"),
    ARRAY_FIELD("figures"),
    ARRAY_FIELD("holds"),
    {0},
};

static const struct field figure_fields[] = {
    TEXT_FIELD("what"),
    {"published_kb", IS_SIZE, "a number from 0 to 1e15"},
    TEXT_OR_NULL("experiment"),
    TEXT_OR_NULL("phase"),
    SIZE_OR_NULL("recorded_kb"),
    TEXT_OR_NULL("recorded_on"),
    {0},
};

static const struct field holds_fields[] = {
    TEXT_FIELD("version"),
    BOOLEAN_FIELD("holds"),
    TEXT_FIELD("why"),
    {0},
};

static const struct field excluded_fields[] = {
    TEXT_FIELD("program"),
    TEXT_FIELD("why"),
    {0},
};

/* An object and where it stands, for messages: "experiments[3].phases[0]". */
struct place {
    const json_t *object;
    char where[96];
    const char *file;
    char *error;
};

__attribute__((format(printf, 2, 3))) static int refuse(const struct place *place,
                                                        const char *format, ...)
{
    char what[RECORDED_ERROR_BYTES / 2];
    va_list values;

    va_start(values, format);
    vsnprintf(what, sizeof what, format, values);
    va_end(values);
    snprintf(place->error, RECORDED_ERROR_BYTES, "%.512s: %s%s%s", place->file, place->where,
             place->where[0] ? ": " : "", what);
    text_make_printable(place->error);
    return -EINVAL;
}

static int is_printable(const char *text)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~')
            return 0;
    }
    return 1;
}

static unsigned kind_of(const json_t *value)
{
    if (!value || json_is_null(value))
        return IS_NULL;
    if (json_is_string(value))
        return is_printable(json_string_value(value)) ? IS_TEXT : 0;
    if (json_is_number(value))
        return json_number_value(value) >= 0 && json_number_value(value) <= 1e15 ? IS_SIZE : 0;
    if (json_is_array(value))
        return IS_ARRAY;
    return json_is_object(value) ? IS_OBJECT : IS_BOOLEAN;
}

static int check_fields(const struct place *place, const struct field *fields)
{
    if (!json_is_object(place->object))
        return refuse(place, "wanted an object");
    for (; fields->name; fields++) {
        if (!(kind_of(json_object_get(place->object, fields->name)) & fields->kinds))
            return refuse(place, "%s: wanted %s", fields->name, fields->wanted);
    }
    return 0;
}

/* The elements of the array `name`: each has the fields, and then passes `check`. */
static int check_array(const struct place *place, const char *name, const struct field *fields,
                       int check(const struct place *element))
{
    struct place element = {.file = place->file, .error = place->error};
    size_t i;

    json_array_foreach(json_object_get(place->object, name), i, element.object)
    {
        snprintf(element.where, sizeof element.where, "%.60s%s%s[%zu]", place->where,
                 place->where[0] ? "." : "", name, i);
        if (check_fields(&element, fields) != 0 || (check && check(&element) != 0))
            return -EINVAL;
    }
    return 0;
}

static int check_workload(const struct place *place)
{
    const char *text = json_text(place->object, "workload");
    struct workload_words words;
    char error[GRAMMAR_ERROR_BYTES];

    if (grammar_parse_workload(&words, text, SIZE_FULL, error) != 0)
        return refuse(place, "workload: %s", error);
    for (size_t i = 0; words.workload->parameters[i].name; i++) {
        if (words.value_counts[i] != 1)
            return refuse(place, "workload: '%.200s' sweeps %s: wanted one value", text,
                          words.workload->parameters[i].name);
    }
    return 0;
}

static const json_t *find_phase(const json_t *phases, const char *name)
{
    const json_t *phase;
    size_t i;

    json_array_foreach(phases, i, phase)
    {
        if (strcmp(json_text(phase, "phase"), name) == 0)
            return phase;
    }
    return NULL;
}

static int check_base(const struct place *place)
{
    const json_t *recorded = json_object_get(place->object, "recorded");
    const char *base = json_text(place->object, "base");

    if (strcmp(base, "start") == 0) {
        if (json_is_object(recorded) && !json_is_number(json_object_get(recorded, "start_kb")))
            return refuse(place, "base: it is start, and recorded.start_kb is null");
        return 0;
    }
    if (!find_phase(json_object_get(place->object, "phases"), base))
        return refuse(place, "base: '%.64s' is neither start nor one of its phases", base);
    return 0;
}

/* A recorded experiment has a figure for each of its phases, another for none. */
static int check_figures(const struct place *place)
{
    const json_t *phases = json_object_get(place->object, "phases"), *phase;
    const int is_recorded = json_is_object(json_object_get(place->object, "recorded"));
    size_t i;

    if (json_array_size(phases) == 0)
        return refuse(place, "phases: wanted at least one");
    json_array_foreach(phases, i, phase)
    {
        const char *name = json_text(phase, "phase");
        if (json_is_number(json_object_get(phase, "recorded_kb")) != is_recorded)
            return refuse(place,
                          "phases[%zu].recorded_kb: wanted a number where recorded is an "
                          "object, and null where it is null",
                          i);
        if (find_phase(phases, name) != phase)
            return refuse(place, "phases[%zu]: '%.64s' is there twice", i, name);
    }
    return 0;
}

/* Versions of CPython. Their number is of no account: none says that it is only recorded. */
static int check_measured(const struct place *place)
{
    const json_t *measured = json_object_get(place->object, "measured"), *version;
    size_t i;

    json_array_foreach(measured, i, version)
    {
        if (kind_of(version) != IS_TEXT)
            return refuse(place, "measured[%zu]: wanted a string of printable ASCII", i);
    }
    if (json_array_size(measured) == 0 &&
        !json_is_object(json_object_get(place->object, "recorded")))
        return refuse(place, "neither recorded nor measured");
    return 0;
}

static int check_experiment(const struct place *place)
{
    const json_t *recorded = json_object_get(place->object, "recorded");
    struct place source = {.object = recorded, .file = place->file, .error = place->error};

    snprintf(source.where, sizeof source.where, "%.80s.recorded", place->where);
    if (check_array(place, "phases", phase_fields, NULL) != 0 || check_workload(place) != 0)
        return -EINVAL;
    if (json_is_object(recorded) && check_fields(&source, source_fields) != 0)
        return -EINVAL;
    if (check_measured(place) != 0)
        return -EINVAL;
    return check_figures(place) != 0 ? -EINVAL : check_base(place);
}

/* What stands beside a published figure is an experiment's phase, or a figure of its own. */
static int check_figure(const struct place *place)
{
    const int has_phase = json_is_string(json_object_get(place->object, "experiment")) &&
                          json_is_string(json_object_get(place->object, "phase"));
    const int has_figure = json_is_number(json_object_get(place->object, "recorded_kb")) &&
                           json_is_string(json_object_get(place->object, "recorded_on"));

    if (has_phase == has_figure)
        return refuse(place, "wanted experiment and phase, or recorded_kb and recorded_on");
    return 0;
}

static int check_published(const struct place *place)
{
    if (check_array(place, "figures", figure_fields, check_figure) != 0)
        return -EINVAL;
    return check_array(place, "holds", holds_fields, NULL);
}

static int check_names(const struct place *place)
{
    const json_t *experiments = json_object_get(place->object, "experiments"), *experiment;
    json_t *names = json_object();
    int failed = 0;
    size_t i;

    json_array_foreach(experiments, i, experiment)
    {
        const char *name = json_text(experiment, "name");
        if (!failed && json_object_get(names, name))
            failed = refuse(place, "experiments[%zu].name: '%.64s' is there twice", i, name);
        json_object_set_new(names, name, json_null());
    }
    json_decref(names);
    return failed;
}

static int check_reasons(const struct place *place)
{
    const char *name;
    json_t *text;

    json_object_foreach(json_object_get(place->object, "reasons"), name, text)
    {
        if (!is_printable(name) || kind_of(text) != IS_TEXT)
            return refuse(place, "reasons.%.64s: wanted a string of printable ASCII", name);
    }
    return 0;
}

/* A reason that a phase names is there. */
static int check_reason_names(const struct place *place)
{
    const json_t *reasons = json_object_get(place->object, "reasons"), *experiment, *phase;
    size_t i, j;

    json_array_foreach(json_object_get(place->object, "experiments"), i, experiment)
        json_array_foreach(json_object_get(experiment, "phases"), j, phase)
    {
        const json_t *reason = json_object_get(phase, "reason");
        if (json_is_string(reason) && !json_object_get(reasons, json_string_value(reason)))
            return refuse(place, "experiments[%zu].phases[%zu].reason: '%.64s' is none of reasons",
                          i, j, json_string_value(reason));
    }
    return 0;
}

/* Each figure beside which an experiment is named finds it, and its phase. */
static int check_references(const struct place *place)
{
    const json_t *published, *figure, *experiment;
    size_t i, j, k;

    json_array_foreach(json_object_get(place->object, "published"), i, published)
        json_array_foreach(json_object_get(published, "figures"), j, figure)
    {
        const json_t *found = NULL;
        if (!json_is_string(json_object_get(figure, "experiment")))
            continue;
        json_array_foreach(json_object_get(place->object, "experiments"), k, experiment)
        {
            if (json_equal(json_object_get(experiment, "name"),
                           json_object_get(figure, "experiment")))
                found =
                    find_phase(json_object_get(experiment, "phases"), json_text(figure, "phase"));
        }
        if (!found)
            return refuse(place,
                          "published[%zu].figures[%zu]: no experiment '%.64s' with a phase "
                          "'%.32s'",
                          i, j, json_text(figure, "experiment"), json_text(figure, "phase"));
    }
    return 0;
}

static int check_document(const struct place *place)
{
    const json_t *format = json_object_get(place->object, "format");

    if (!json_is_integer(format) || json_integer_value(format) != FORMAT)
        return refuse(place, "format: wanted %d", FORMAT);
    if (check_fields(place, document_fields) != 0 || check_reasons(place) != 0 ||
        check_array(place, "experiments", experiment_fields, check_experiment) != 0 ||
        check_array(place, "published", published_fields, check_published) != 0 ||
        check_array(place, "not_compared", excluded_fields, NULL) != 0)
        return -EINVAL;
    if (check_names(place) != 0 || check_reason_names(place) != 0)
        return -EINVAL;
    return check_references(place);
}

json_t *recorded_read(const char *path, char *error)
{
    char what[JSON_FILE_ERROR_BYTES];
    struct place place = {.file = path, .error = error};
    json_t *document = json_file_read(AT_FDCWD, path, what);

    if (!document) {
        snprintf(error, RECORDED_ERROR_BYTES, "%s", what);
        text_make_printable(error);
        return NULL;
    }
    place.object = document;
    if (check_document(&place) == 0)
        return document;
    json_decref(document);
    return NULL;
}

void recorded_workload(const json_t *experiment, struct workload_words *words)
{
    char error[GRAMMAR_ERROR_BYTES];

    /* It was read before, by the same build. */
    (void)grammar_parse_workload(words, json_text(experiment, "workload"), SIZE_FULL, error);
}
