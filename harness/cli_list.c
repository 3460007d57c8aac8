/* tidemark list: what this build holds. Leaves out whether it is installed: a row says at its
 * first sample what it misses. */
#include "harness/cli.h"
#include "harness/grammar.h"
#include "harness/json_file.h"
#include "harness/proof.h"
#include "harness/suite.h"
#include "harness/text.h"
#include "workloads/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct list_options {
    const char *what;
    int json;
};

/* What it is with nothing set, of `settings`, or null where the allocator does not tell. */
static json_t *default_of(const struct allocator_tunable *tunable, const json_t *settings)
{
    size_t i;
    const json_t *setting;

    json_array_foreach(settings, i, setting)
    {
        if (strcmp(json_text(setting, "name"), tunable->name) == 0)
            return json_incref(json_object_get(setting, "value"));
    }
    return json_null();
}

static json_t *tunable_to_json(const struct allocator_tunable *tunable, const json_t *settings)
{
    char accepted[96];

    snprintf(accepted, sizeof accepted, "%lld to %lld", (long long)tunable->minimum,
             (long long)tunable->maximum);
    return json_pack("{s:s, s:s, s:s, s:o}", "name", tunable->name, "summary", tunable->summary,
                     "accepted", tunable->words ? tunable->words : accepted, "default",
                     default_of(tunable, settings));
}

/* Told by a process that opens the allocator with nothing set: empty where it is not installed. */
static json_t *ask_settings(const struct allocator *allocator)
{
    static struct row row;
    char error[ROW_ERROR_BYTES];
    json_t *settings = json_array();

    if (row_parse(&row, allocator->name, error) == 0)
        proof_settings(&row, settings);
    return settings;
}

static json_t *allocators_to_json(void)
{
    json_t *all = json_array();
    char names[256];

    for (size_t i = 0; i < allocator_registry_count; i++) {
        const struct allocator *a = allocator_registry[i];
        json_t *tunables = json_array();
        json_t *settings = a->tunables ? ask_settings(a) : NULL;
        for (const struct allocator_tunable *t = a->tunables; t && t->name; t++)
            json_array_append_new(tunables, tunable_to_json(t, settings));
        json_decref(settings);
        json_array_append_new(
            all,
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:o, s:s?}", "name", a->name, "family",
                      allocator_family_name(a->family), "summary", a->summary, "source", a->source,
                      "capabilities",
                      allocator_capability_names(a->capabilities, names, sizeof names), "soname",
                      a->soname, "package", a->package, "tunables", tunables, "eager", a->eager));
    }
    return all;
}

static json_t *parameter_to_json(const struct parameter *parameter)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s}", "name", parameter->name, "summary", parameter->summary,
                  "quick", parameter->quick, "full", parameter->full);

    if (parameter->kind == PARAMETER_COUNT) {
        json_object_set_new(object, "minimum", json_integer((json_int_t)parameter->minimum));
        json_object_set_new(object, "maximum", json_integer((json_int_t)parameter->maximum));
        json_object_set_new(object, "scales", json_boolean(parameter->scales));
        return object;
    }
    if (parameter->kind != PARAMETER_CHOICE)
        return object;
    json_t *choices = json_array();
    for (const char *const *choice = parameter->choices; *choice; choice++)
        json_array_append_new(choices, json_string(*choice));
    json_object_set_new(object, "choices", choices);
    return object;
}

static json_t *workloads_to_json(void)
{
    json_t *all = json_array();

    for (size_t i = 0; i < workload_registry_count; i++) {
        const struct workload *w = workload_registry[i];
        json_t *parameters = json_array();
        for (const struct parameter *p = w->parameters; p->name; p++)
            json_array_append_new(parameters, parameter_to_json(p));
        json_array_append_new(all,
                              json_pack("{s:s, s:s, s:s, s:b, s:o}", "name", w->name, "summary",
                                        w->summary, "source", w->source, "python_script",
                                        w->python_script, "parameters", parameters));
    }
    return all;
}

static json_t *suites_to_json(void)
{
    json_t *all = json_array();

    for (size_t i = 0; i < suite_registry_count; i++) {
        const struct suite *suite = suite_registry[i];
        json_t *lines = json_array(), *parts = json_array();
        for (const struct suite *const *part = suite->parts; part && *part; part++)
            json_array_append_new(parts, json_string((*part)->name));
        for (const struct suite_line *line = suite->lines; line->workload; line++) {
            json_t *rows = json_array();
            for (const char *const *row = line->rows; *row; row++)
                json_array_append_new(rows, json_string(*row));
            json_array_append_new(
                lines,
                json_pack("{s:s, s:s, s:i, s:I, s:o}", "workload", line->workload, "host",
                          line->host, "rounds", (int)(line->rounds ? line->rounds : suite->rounds),
                          "idle_ns", (json_int_t)(line->idle_ns ? line->idle_ns : suite->idle_ns),
                          "rows", rows));
        }
        json_array_append_new(all, json_pack("{s:s, s:s, s:i, s:o, s:o}", "name", suite->name,
                                             "summary", suite->summary, "rounds",
                                             (int)suite->rounds, "lines", lines, "parts", parts));
    }
    return all;
}

static void print_allocator(const json_t *entry)
{
    size_t i;
    const json_t *tunable;

    printf("%-15s %-8s %s\n", json_text(entry, "name"), json_text(entry, "family"),
           json_text(entry, "summary"));
    if (json_text(entry, "package")[0])
        printf("%-15s %-8s package %s (%s)\n", "", "", json_text(entry, "package"),
               json_text(entry, "soname"));
    json_array_foreach(json_object_get(entry, "tunables"), i, tunable)
    {
        const char *value = json_string_value(json_object_get(tunable, "default"));
        printf("%-15s %-8s   +%s  %s%s%s\n", "", "", json_text(tunable, "name"),
               json_text(tunable, "summary"), value ? "; here " : "", value ? value : "");
    }
    if (json_text(entry, "eager")[0])
        printf("%-15s %-8s   --return eager: +%s\n", "", "", json_text(entry, "eager"));
}

static void print_workload(const json_t *entry)
{
    size_t i, j;
    const json_t *parameter, *choice;

    printf("%s  %s\n  source: %s\n", json_text(entry, "name"), json_text(entry, "summary"),
           json_text(entry, "source"));
    json_array_foreach(json_object_get(entry, "parameters"), i, parameter)
    {
        printf("  %-8s %s; ", json_text(parameter, "name"), json_text(parameter, "summary"));
        if (json_object_get(parameter, "choices")) {
            json_array_foreach(json_object_get(parameter, "choices"), j, choice)
                printf("%s%s", j ? " | " : "", json_string_value(choice));
        } else {
            printf("%lld to %lld",
                   (long long)json_integer_value(json_object_get(parameter, "minimum")),
                   (long long)json_integer_value(json_object_get(parameter, "maximum")));
        }
        printf("; default %s, full %s\n", json_text(parameter, "quick"),
               json_text(parameter, "full"));
    }
}

static void print_suite(const json_t *entry)
{
    char idle[TEXT_NUMBER_BYTES];
    size_t i, j;
    const json_t *line, *row;

    printf("%s  %s\n", json_text(entry, "name"), json_text(entry, "summary"));
    json_array_foreach(json_object_get(entry, "lines"), i, line)
    {
        printf("  %s on %s, %lld rounds, %s idle:", json_text(line, "workload"),
               json_text(line, "host"),
               (long long)json_integer_value(json_object_get(line, "rounds")),
               text_format_duration(idle, json_number_value(json_object_get(line, "idle_ns"))));
        json_array_foreach(json_object_get(line, "rows"), j, row)
            printf(" %s", json_string_value(row));
        putchar('\n');
    }
}

static const struct {
    const char *name;
    json_t *(*to_json)(void);
    void (*print)(const json_t *entry);
} lists[] = {
    {"allocators", allocators_to_json, print_allocator},
    {"workloads", workloads_to_json, print_workload},
    {"suites", suites_to_json, print_suite},
};

enum { LISTS = sizeof lists / sizeof lists[0] };

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct list_options *options = state->input;

    switch (key) {
    case 'j':
        options->json = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (options->what)
            argp_error(state, "one list at a time, not '%s' too", argument);
        options->what = argument;
        return 0;
    case ARGP_KEY_END:
        if (!options->what)
            argp_error(state, "which list? (accepted: allocators, workloads, suites)");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_table[] = {
    {"json", 'j', NULL, 0, "Print JSON", 0},
    {0},
};

const struct argp cli_list_parser = {
    .options = option_table,
    .parser = parse,
    .args_doc = "allocators|workloads|suites",
    .doc = "List the allocators (with the tunables that may follow a name in a row), the "
           "workloads (with their parameters and bounds) or the suites of this build."
           "\vWhat a tunable is here, with nothing set, is told where the allocator tells it.\n\n"
           "Example:\n"
           "  tidemark list workloads\n"
           "  tidemark list allocators --json",
};

int cli_list(int argc, char **argv)
{
    struct list_options options = {0};
    const char *names[LISTS];
    char message[GRAMMAR_ERROR_BYTES];

    argp_parse(&cli_list_parser, argc, argv, 0, NULL, &options);
    for (size_t i = 0; i < LISTS; i++) {
        names[i] = lists[i].name;
        if (strcmp(options.what, lists[i].name) != 0)
            continue;
        json_t *all = lists[i].to_json();
        size_t j;
        const json_t *entry;
        if (options.json) {
            json_dumpf(all, stdout, JSON_INDENT(2));
            putchar('\n');
        } else {
            json_array_foreach(all, j, entry) lists[i].print(entry);
        }
        json_decref(all);
        return cli_finish("list", CLI_OK);
    }
    snprintf(message, sizeof message, "there is no list of '%.64s'", options.what);
    grammar_suggest(message, sizeof message, options.what, names, LISTS);
    return cli_usage_error("list", message);
}
