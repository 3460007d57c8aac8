/*
 * Completes by cutting a word at the grammar's own separators (docs: README.md, Words): what is
 * left of the last one stays, what is right of it is a beginning. Leaves out checking what stays.
 */
#define _GNU_SOURCE
#include "harness/complete.h"

#include "harness/check.h"
#include "harness/suite.h"
#include "workloads/workload.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES = 128 };

void complete_offer(const struct completion *completion, const char *typed, const char *name,
                    size_t length, char tail, const char *summary)
{
    size_t typed_length = strlen(typed);
    int kept = (int)(typed - completion->word);

    if (typed_length > length || strncmp(name, typed, typed_length) != 0)
        return;
    fprintf(completion->out, "%s%.*s%.*s", completion->head, kept, completion->word, (int)length,
            name);
    if (tail)
        putc(tail, completion->out);
    if (summary)
        fprintf(completion->out, "\t%s", summary);
    putc('\n', completion->out);
}

static void offer(const struct completion *completion, const char *typed, const char *name,
                  char tail, const char *summary)
{
    complete_offer(completion, typed, name, strlen(name), tail, summary);
}

/* Words that '|' separates. */
static void offer_choices(const struct completion *completion, const char *typed,
                          const char *choices)
{
    while (*choices) {
        size_t length = strcspn(choices, "|");
        complete_offer(completion, typed, choices, length, '\0', NULL);
        choices += length;
        choices += *choices == '|';
    }
}

/* The text between two places, cut to fit. */
static const char *copy(char *text, const char *begin, const char *end)
{
    size_t length = (size_t)(end - begin);

    length = length < NAME_BYTES - 1 ? length : NAME_BYTES - 1;
    memcpy(text, begin, length);
    text[length] = '\0';
    return text;
}

/* 1 when one of the separators in `text` is followed by `name` and `assign`: it is given once. */
static int is_given(const char *text, const char *separators, const char *name, char assign)
{
    size_t length = strlen(name);

    for (const char *at = strpbrk(text, separators); at; at = strpbrk(at + 1, separators)) {
        if (strncmp(at + 1, name, length) == 0 && at[1 + length] == assign)
            return 1;
    }
    return 0;
}

/* `component` has a '+'. */
static void complete_tunable(const struct completion *completion, const char *component)
{
    char name[NAME_BYTES];
    const struct allocator *allocator =
        allocator_find(copy(name, component, strchr(component, '+')));
    const char *typed = strrchr(component, '+') + 1;
    const char *colon = strchr(typed, ':');

    for (const struct allocator_tunable *t = allocator ? allocator->tunables : NULL; t && t->name;
         t++) {
        if (!colon && !is_given(component, "+", t->name, ':'))
            offer(completion, typed, t->name, ':', t->summary);
        else if (colon && t->words && strcmp(copy(name, typed, colon), t->name) == 0)
            offer_choices(completion, colon + 1, t->words);
    }
}

static void complete_value(const struct completion *completion, const struct parameter *parameter,
                           const char *value)
{
    const char *last = strrchr(value, '|'); /* of a sweep */
    const char *typed = last ? last + 1 : value;

    if (parameter->kind == PARAMETER_CHOICE) {
        /* From the '=' on: what a sweep has already is followed by '|'. */
        for (const char *const *choice = parameter->choices; *choice; choice++) {
            if (!is_given(value - 1, "=|", *choice, '|'))
                offer(completion, typed, *choice, '\0', NULL);
        }
        return;
    }
    offer(completion, typed, parameter->quick, '\0', "as in the suite quick");
    if (strcmp(parameter->full, parameter->quick) != 0)
        offer(completion, typed, parameter->full, '\0', "as in the suite full");
}

/* `parameters` begins with the ':' after the workload's name. */
static void complete_parameter(const struct completion *completion, const struct workload *workload,
                               const char *parameters)
{
    char name[NAME_BYTES];
    const char *comma = strrchr(parameters, ',');
    const char *typed = (comma ? comma : parameters) + 1;
    const char *equals = strchr(typed, '=');

    for (const struct parameter *p = workload->parameters; p->name; p++) {
        if (!equals && !is_given(parameters, ":,", p->name, '='))
            offer(completion, typed, p->name, '=', p->summary);
        else if (equals && strcmp(copy(name, typed, equals), p->name) == 0)
            complete_value(completion, p, equals + 1);
    }
}

static void complete_workload(const struct completion *completion)
{
    char name[NAME_BYTES];
    const char *colon = strchr(completion->word, ':');

    if (colon) {
        const struct workload *workload = workload_find(copy(name, completion->word, colon));
        if (workload)
            complete_parameter(completion, workload, colon);
        return;
    }
    for (size_t i = 0; i < workload_registry_count; i++)
        offer(completion, completion->word, workload_registry[i]->name, '\0',
              workload_registry[i]->summary);
}

static void complete_suite(const struct completion *completion)
{
    for (size_t i = 0; i < suite_registry_count; i++)
        offer(completion, completion->word, suite_registry[i]->name, '\0',
              suite_registry[i]->summary);
}

enum path_kind { PATH_FOLDER, PATH_RUN, PATH_PROGRAM, PATH_LIBRARY };

/* A name that would tear a line of the answer, or a terminal's, is left out. */
static int is_printable(const char *name)
{
    while (*name && !iscntrl((unsigned char)*name))
        name++;
    return !*name;
}

/* Whether a file, not a folder, may stand where `kind` is asked for. */
static int is_offered(const char *path, const char *name, const struct stat *entry,
                      enum path_kind kind)
{
    if (!S_ISREG(entry->st_mode))
        return 0;
    return kind == PATH_PROGRAM   ? access(path, X_OK) == 0
           : kind == PATH_LIBRARY ? strstr(name, ".so") != NULL
                                  : 0;
}

/* An entry of `folder`, offered as `shown` and its name in place of `typed`. */
static void offer_entry(const struct completion *completion, const char *typed, const char *folder,
                        const char *shown, const char *name, enum path_kind kind)
{
    char path[PATH_MAX], plan[PATH_MAX], text[PATH_MAX];
    struct stat entry;
    int length = snprintf(plan, sizeof plan, "%s%s/plan.json", folder, name);

    snprintf(path, sizeof path, "%s%s", folder, name);
    snprintf(text, sizeof text, "%s%s", shown, name);
    if (length >= (int)sizeof plan || stat(path, &entry) != 0)
        return;
    if (!S_ISDIR(entry.st_mode)) {
        if (is_offered(path, name, &entry, kind))
            offer(completion, typed, text, '\0', NULL);
        return;
    }
    int is_run = kind == PATH_RUN && access(plan, R_OK) == 0;
    offer(completion, typed, text, is_run ? '\0' : '/', is_run ? "a run" : NULL);
}

static void offer_folder(const struct completion *completion, const char *typed, const char *folder,
                         const char *shown, enum path_kind kind)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        int is_asked = name[0] != '.' || (typed[0] == '.' && strcmp(name, ".") != 0);
        if (is_asked && is_printable(name))
            offer_entry(completion, typed, folder, shown, name, kind);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

/* `word` is what of the completion's word is a path. */
static void complete_path(const struct completion *completion, const char *word,
                          enum path_kind kind)
{
    const char *slash = strrchr(word, '/');
    const char *home = strncmp(word, "~/", 2) == 0 ? getenv("HOME") : NULL;
    char folder[PATH_MAX];

    if (!slash) {
        offer_folder(completion, word, "./", "", kind);
        /* Where `tidemark run` puts a run that is not told where. */
        if (kind == PATH_RUN)
            offer_folder(completion, word, "results/", "results/", kind);
        return;
    }
    if (home)
        word++;
    int length =
        snprintf(folder, sizeof folder, "%s%.*s", home ? home : "", (int)(slash + 1 - word), word);
    if (length < (int)sizeof folder)
        offer_folder(completion, slash + 1, folder, "", kind);
}

static void complete_row(const struct completion *completion)
{
    const char *comma = strrchr(completion->word, ',');
    const char *row = comma ? comma + 1 : completion->word;
    /* A label ends with the first '=' before anything else of the grammar (harness/row.c). */
    size_t label = strcspn(row, "=+@:,/\\");
    const char *component = row + (row[label] == '=' && label > 0 ? label + 1 : 0);
    const char *beneath = strrchr(component, '@');

    if (beneath)
        component = beneath + 1;
    if (strchr(component, '+')) {
        complete_tunable(completion, component);
        return;
    }
    if (strchr(component, '/')) {
        complete_path(completion, component, PATH_LIBRARY);
        return;
    }
    for (size_t i = 0; i < allocator_registry_count; i++) {
        const struct allocator *allocator = allocator_registry[i];
        if (!beneath || (allocator->family == ALLOCATOR_GENERAL &&
                         !(allocator->capabilities & ALLOCATOR_COLLECTED)))
            offer(completion, component, allocator->name, '\0', allocator->summary);
    }
}

static void complete_folder(const struct completion *completion)
{
    complete_path(completion, completion->word, PATH_FOLDER);
}

static void complete_run(const struct completion *completion)
{
    complete_path(completion, completion->word, PATH_RUN);
}

static void complete_host(const struct completion *completion)
{
    offer(completion, completion->word, "objects", '\0', "the object runtime in C");
    offer(completion, completion->word, "python3", '\0', "a real CPython");
    if (strchr(completion->word, '/'))
        complete_path(completion, completion->word, PATH_PROGRAM);
}

static void complete_check(const struct completion *completion)
{
    for (size_t i = 0; i < check_table_count; i++)
        offer(completion, completion->word, check_table[i].name, '\0', check_table[i].summary);
}

void complete_kind(const struct completion *completion, const char *kind)
{
    static const struct {
        const char *name;
        void (*complete)(const struct completion *completion);
    } kinds[] = {
        {"ROW", complete_row},     {"WORKLOAD", complete_workload}, {"SUITE", complete_suite},
        {"HOST", complete_host},   {"RUN", complete_run},           {"FOLDER", complete_folder},
        {"CHECK", complete_check},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, kind) == 0)
            kinds[i].complete(completion);
    }
    if (strchr(kind, '|'))
        offer_choices(completion, completion->word, kind);
}
