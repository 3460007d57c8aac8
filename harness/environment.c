/*
 * A child's environment, built from nothing. Leaves out everything that the caller's shell happened
 * to hold.
 */
#define _GNU_SOURCE
#include "harness/environment.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void environment_init(struct environment *environment)
{
    const char *path = getenv("PATH");

    memset(environment, 0, sizeof *environment);
    environment_add(environment, "PATH", path && strlen(path) < 4096 ? path : "/usr/bin:/bin");
    environment_add(environment, "HOME", "/");
    environment_add(environment, "LANG", "C.UTF-8");
}

int environment_add(struct environment *environment, const char *name, const char *value)
{
    size_t bytes = strlen(name) + 1 + strlen(value) + 1;

    if (environment->count == ENVIRONMENT_VARIABLES ||
        bytes > ENVIRONMENT_BYTES - environment->used_bytes)
        return -E2BIG;
    char *at = environment->text + environment->used_bytes;
    snprintf(at, bytes, "%s=%s", name, value);
    environment->variables[environment->count++] = at;
    environment->used_bytes += bytes;
    return 0;
}

int environment_add_pad(struct environment *environment, unsigned pad_bytes)
{
    enum { MOST_PAD_BYTES = 4096 };
    char pad[MOST_PAD_BYTES + 1];

    if (pad_bytes > MOST_PAD_BYTES)
        return -E2BIG;
    memset(pad, 'x', pad_bytes);
    pad[pad_bytes] = '\0';
    return environment_add(environment, "TIDEMARK_PAD", pad);
}

/* Adds "PREFIX name ASSIGN value", after the separator when `joined` already holds something. */
static int join(char *joined, size_t joined_bytes, const struct allocator_environment *form,
                const struct row_tunable *tunable)
{
    size_t used = strlen(joined);
    char separator[2] = {form->separator, '\0'};
    int wrote = snprintf(joined + used, joined_bytes - used, "%s%s%s%c%s", used ? separator : "",
                         form->prefix, tunable->tunable->name, form->assign, tunable->value);

    return wrote < 0 || (size_t)wrote >= joined_bytes - used ? -E2BIG : 0;
}

static int add_own_variables(struct environment *environment, const struct row_component *component)
{
    const char *prefix = component->allocator->environment.prefix;

    for (size_t i = 0; i < component->tunable_count; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", prefix, component->tunables[i].tunable->name);
        for (char *at = name; *at; at++)
            *at = (char)toupper((unsigned char)*at);
        int error = environment_add(environment, name, component->tunables[i].value);
        if (error)
            return error;
    }
    return 0;
}

enum { JOINED_BYTES = 1024 };

/* `glibc_tunables` collects what goes into the one variable that the loader itself reads too. */
static int add_component(struct environment *environment, const struct row_component *component,
                         char *glibc_tunables)
{
    const struct allocator_environment *form;
    char own[JOINED_BYTES] = "";

    if (!component->allocator || component->tunable_count == 0)
        return 0;
    form = &component->allocator->environment;
    if (!form->variable)
        return add_own_variables(environment, component);
    int is_glibc = strcmp(form->variable, "GLIBC_TUNABLES") == 0;
    char *joined = is_glibc ? glibc_tunables : own;
    for (size_t i = 0; i < component->tunable_count; i++) {
        int error = join(joined, JOINED_BYTES, form, &component->tunables[i]);
        if (error)
            return error;
    }
    return is_glibc ? 0 : environment_add(environment, form->variable, own);
}

int environment_add_row(struct environment *environment, const struct row *row)
{
    /* 4096: jemalloc's thread-local storage is about 2.7 kB and glibc's default surplus 512 B (rtld
     * tunables of the glibc manual). */
    char glibc_tunables[JOINED_BYTES] = "glibc.rtld.optional_static_tls=4096";
    int error = add_component(environment, &row->object, glibc_tunables);

    if (!error)
        error = add_component(environment, &row->raw, glibc_tunables);
    if (!error)
        error = environment_add(environment, "GLIBC_TUNABLES", glibc_tunables);
    return error;
}

/* A value as it is safe to store: what is not printable ASCII becomes '?', and a path stays
 * private. */
static json_t *describe_variable(const char *variable, int with_value)
{
    char text[512];
    size_t length = with_value ? strlen(variable) : strcspn(variable, "=");

    snprintf(text, sizeof text, "%.*s", (int)(length < sizeof text ? length : sizeof text - 1),
             variable);
    for (char *at = text; *at; at++) {
        if (*at < ' ' || *at > '~')
            *at = '?';
    }
    return json_string(text);
}

json_t *environment_dropped(void)
{
    static const struct {
        const char *prefix;
        int with_value;
    } kinds[] = {
        {"GLIBC_TUNABLES=", 1}, {"MALLOC_", 1},     {"MIMALLOC_", 1},        {"TCMALLOC_", 1},
        {"TBB_MALLOC_", 1},     {"GC_", 1},         {"G_SLICE=", 1},         {"_RJEM_", 1},
        {"PYTHONMALLOC", 1},    {"LD_PRELOAD=", 0}, {"LD_LIBRARY_PATH=", 0}, {"HEAPPROFILE=", 0},
        {"HEAPCHECK=", 1},
    };
    json_t *dropped = json_array();

    for (char **variable = environ; variable && *variable; variable++) {
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
            if (strncmp(*variable, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
                json_array_append_new(dropped, describe_variable(*variable, kinds[i].with_value));
        }
    }
    return dropped;
}
