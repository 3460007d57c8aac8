/*
 * tidemark-describe: what an allocator is, asked of it in a process of its own, so that a library
 * whose initializers crash, hang or print harms nothing. Leaves out measuring, and any second
 * question: each is asked of a fresh process.
 */
#define _GNU_SOURCE
#include "harness/open_row.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2, EXIT_NOT_AVAILABLE = 3 };

static const char usage_text[] =
    "usage: tidemark-describe --object NAME [--raw NAME] [--prove-object TUNABLE=VALUE |\n"
    "                         --prove-raw TUNABLE=VALUE | --tell object|raw]\n"
    "Opens a row and prints one JSON object: what the allocator that serves objects says of "
    "itself,\n"
    "the version of what was loaded and the files that serve malloc. NAME is a name of\n"
    "`tidemark list allocators` or the path of a library. With --prove-... also what that tunable\n"
    "of it, set to VALUE in the environment, really is in this process, and how that was found "
    "out. With --tell what each tunable of that side is here, as far as the allocator itself "
    "tells\n"
    "it.\n"
    "It is started by `tidemark run`, `micro` and `doctor`.\n"
    "Exit status: 0 described; 2 usage; 3 it cannot be opened, and stderr says why.\n";

struct arguments {
    const char *object, *raw;
    const char *prove_object, *prove_raw;
    const char *tell;
};

static int usage_error(const char *problem, const char *value)
{
    fprintf(stderr, "tidemark-describe: %s%s\n%s", problem, value, usage_text);
    return EXIT_USAGE;
}

static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
    const struct {
        const char *flag;
        const char **value;
    } flags[] = {
        {"--object", &arguments->object},
        {"--raw", &arguments->raw},
        {"--prove-object", &arguments->prove_object},
        {"--prove-raw", &arguments->prove_raw},
        {"--tell", &arguments->tell},
    };

    for (int i = 1; i < argc; i += 2) {
        size_t at = 0;
        while (at < sizeof flags / sizeof flags[0] && strcmp(flags[at].flag, argv[i]) != 0)
            at++;
        if (at == sizeof flags / sizeof flags[0])
            return usage_error("unknown flag ", argv[i]);
        if (!argv[i + 1])
            return usage_error("a value is missing after ", argv[i]);
        *flags[at].value = argv[i + 1];
    }
    if (!arguments->object)
        return usage_error("--object NAME is missing", "");
    if (arguments->prove_object && arguments->prove_raw)
        return usage_error("one tunable at a time: one of --prove-object and --prove-raw", "");
    if (arguments->tell && strcmp(arguments->tell, "object") != 0 &&
        strcmp(arguments->tell, "raw") != 0)
        return usage_error("--tell takes object or raw, not ", arguments->tell);
    return 0;
}

static json_t *describe_tunables(const struct allocator *allocator)
{
    json_t *tunables = json_array();

    for (const struct allocator_tunable *t = allocator->tunables; t && t->name; t++)
        json_array_append_new(tunables,
                              json_pack("{s:s, s:s, s:s?, s:I, s:I}", "name", t->name, "summary",
                                        t->summary ? t->summary : "", "words", t->words, "minimum",
                                        (json_int_t)t->minimum, "maximum", (json_int_t)t->maximum));
    return tunables;
}

/* A character of the environment's form, which may be '\0', as a string. */
static json_t *describe_character(char character)
{
    const char text[] = {character, '\0'};

    return json_string(text);
}

static json_t *describe(const struct open_row *row)
{
    const struct allocator *allocator = row->object_allocator;
    const struct allocator_environment *form = &allocator->environment;
    json_t *environment = json_pack("{s:s?, s:s?, s:o, s:o}", "variable", form->variable, "prefix",
                                    form->prefix, "assign", describe_character(form->assign),
                                    "separator", describe_character(form->separator));

    /* NULL where a string of a plug-in is no UTF-8. */
    return json_pack("{s:s, s:s, s:s, s:i, s:I, s:s?, s:o, s:o, s:s?, s:s, s:s, s:s}", "name",
                     allocator->name, "summary", allocator->summary, "source", allocator->source,
                     "family", (int)allocator->family, "capabilities",
                     (json_int_t)allocator->capabilities, "soname", allocator->soname,
                     "environment", environment, "tunables", describe_tunables(allocator), "eager",
                     allocator->eager, "version", row->version, "object_provider",
                     row->object_provider, "raw_provider", row->raw_provider);
}

static const struct allocator_tunable *find_tunable(const struct allocator *allocator,
                                                    const char *name, size_t length)
{
    for (const struct allocator_tunable *t = allocator->tunables; t && t->name; t++) {
        if (strlen(t->name) == length && strncmp(t->name, name, length) == 0)
            return t;
    }
    return NULL;
}

/* `assignment` is TUNABLE=VALUE. Returns 0, or the exit status of a usage error. */
static int prove(const struct allocator *allocator, const char *assignment, json_t *description)
{
    static const char *const how[] = {
        [ALLOCATOR_UNPROVED] = NULL, [ALLOCATOR_TOLD] = "told", [ALLOCATOR_SEEN] = "seen"};
    const char *equals = strchr(assignment, '=');
    const struct allocator_tunable *tunable =
        equals ? find_tunable(allocator, assignment, (size_t)(equals - assignment)) : NULL;
    char value[ALLOCATOR_VALUE_BYTES] = "";

    if (!tunable)
        return usage_error("no TUNABLE=VALUE of it: ", assignment);
    enum allocator_proof proof = allocator->tunable_value
                                     ? allocator->tunable_value(tunable, equals + 1, value)
                                     : ALLOCATOR_UNPROVED;
    json_object_set_new(description, "proof", how[proof] ? json_string(how[proof]) : json_null());
    json_object_set_new(description, "value", how[proof] ? json_string(value) : json_null());
    return 0;
}

/* A value that the tunable accepts. */
static const char *any_value(const struct allocator_tunable *tunable, char *text)
{
    if (tunable->words)
        snprintf(text, ALLOCATOR_VALUE_BYTES, "%.*s", (int)strcspn(tunable->words, "|"),
                 tunable->words);
    else
        snprintf(text, ALLOCATOR_VALUE_BYTES, "%lld", (long long)tunable->minimum);
    return text;
}

/* Only what is told counts: what is seen would depend on what was asked for. */
static void tell(const struct allocator *allocator, json_t *description)
{
    json_t *values = json_object();
    char asked[ALLOCATOR_VALUE_BYTES], value[ALLOCATOR_VALUE_BYTES];

    for (const struct allocator_tunable *t = allocator->tunables;
         t && t->name && allocator->tunable_value; t++) {
        value[0] = '\0';
        if (allocator->tunable_value(t, any_value(t, asked), value) == ALLOCATOR_TOLD)
            json_object_set_new(values, t->name, json_string(value));
    }
    json_object_set_new(description, "values", values);
}

static int describe_row(const struct arguments *arguments)
{
    static struct open_row row;
    char reason[ALLOCATOR_TEXT_BYTES] = "";
    int status = 0;
    int error = open_row(&row, arguments->object, arguments->raw, reason);

    if (error) {
        fprintf(stderr, "tidemark-describe: %s\n", reason);
        return error == -EINVAL ? EXIT_USAGE : EXIT_NOT_AVAILABLE;
    }
    json_t *description = describe(&row);
    if (!description) {
        fprintf(stderr, "tidemark-describe: what it says of itself is no UTF-8\n");
        return EXIT_NOT_AVAILABLE;
    }
    if (arguments->prove_object)
        status = prove(row.object_allocator, arguments->prove_object, description);
    if (arguments->prove_raw)
        status = prove(row.raw_allocator, arguments->prove_raw, description);
    if (arguments->tell)
        tell(strcmp(arguments->tell, "raw") == 0 ? row.raw_allocator : row.object_allocator,
             description);
    if (!status) {
        json_dumpf(description, stdout, JSON_COMPACT);
        putchar('\n');
    }
    json_decref(description);
    return status;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage_text, stdout);
        return fflush(stdout) == 0 ? 0 : 1;
    }
    int status = read_arguments(argc, argv, &arguments);
    if (!status)
        status = describe_row(&arguments);
    return fflush(stdout) == 0 ? status : 1;
}
