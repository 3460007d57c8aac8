/*
 * Rows: [label=] component [@ row]. A tunable binds to the component on its left, `@` binds last.
 * Leaves out more than one level beneath: pools, and some regions, stand on one general allocator.
 */
#define _GNU_SOURCE
#include "harness/row.h"

#include "harness/grammar.h"
#include "harness/library.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NAMES = 64 };

static int unknown_allocator(const char *name, char *error)
{
    const char *names[MOST_NAMES];
    size_t count = 0;

    for (; count < allocator_registry_count && count < MOST_NAMES; count++)
        names[count] = allocator_registry[count]->name;
    snprintf(error, ROW_ERROR_BYTES, "no allocator is called '%.64s'", name);
    grammar_suggest(error, ROW_ERROR_BYTES, name, names, count);
    return -EINVAL;
}

static int unknown_tunable(const struct allocator *allocator, const char *name, char *error)
{
    const char *names[MOST_NAMES];
    size_t count = 0;

    for (const struct allocator_tunable *t = allocator->tunables;
         t && t->name && count < MOST_NAMES; t++)
        names[count++] = t->name;
    if (count == 0) {
        snprintf(error, ROW_ERROR_BYTES, "%s has no tunables, so no '%.64s'", allocator->name,
                 name);
        return -EINVAL;
    }
    snprintf(error, ROW_ERROR_BYTES, "%s has no tunable '%.64s'", allocator->name, name);
    grammar_suggest(error, ROW_ERROR_BYTES, name, names, count);
    return -EINVAL;
}

static const struct allocator_tunable *find_tunable(const struct allocator *allocator,
                                                    const char *name)
{
    for (const struct allocator_tunable *t = allocator->tunables; t && t->name; t++) {
        if (strcmp(t->name, name) == 0)
            return t;
    }
    return NULL;
}

/* 1 when `value` is one of the words, which '|' separates. */
static int is_one_of(const char *words, const char *value)
{
    size_t length = strlen(value);

    for (const char *word = words; length > 0; word++) {
        size_t word_length = strcspn(word, "|");
        if (word_length == length && strncmp(word, value, length) == 0)
            return 1;
        word += word_length;
        if (!*word)
            break;
    }
    return 0;
}

/* 0, or -EINVAL with a message that says what is accepted. */
static int check_value(const struct row_component *component,
                       const struct allocator_tunable *tunable, const char *value, char *error)
{
    char *end;

    if (tunable->words) {
        if (is_one_of(tunable->words, value))
            return 0;
        snprintf(error, ROW_ERROR_BYTES, "%s of %s: '%.64s' is not %s", tunable->name,
                 component->allocator->name, value, tunable->words);
        return -EINVAL;
    }
    errno = 0;
    long long number = strtoll(value, &end, 10);
    int is_number = isdigit((unsigned char)value[value[0] == '-']) && !*end && !errno;
    if (is_number && number >= tunable->minimum && number <= tunable->maximum)
        return 0;
    snprintf(error, ROW_ERROR_BYTES, "%s of %s: '%.64s' is no whole number between %lld and %lld",
             tunable->name, component->allocator->name, value, (long long)tunable->minimum,
             (long long)tunable->maximum);
    return -EINVAL;
}

static int is_given(const struct row_component *component, const struct allocator_tunable *tunable)
{
    for (size_t i = 0; i < component->tunable_count; i++) {
        if (component->tunables[i].tunable == tunable)
            return 1;
    }
    return 0;
}

/* A value of which nothing is known but where it ends. */
static const char *skip_value(const char *name, const char *text, char *error)
{
    char value[sizeof((struct row_tunable *)0)->value];
    const char *end = grammar_word(text, "+,@", value, sizeof value);

    if (!end)
        snprintf(error, ROW_ERROR_BYTES, "the value of %s is too long", name);
    return end;
}

/* `text` is name:value; returns where it stopped or NULL with `error` set. */
static const char *parse_tunable(const struct row *row, struct row_component *component,
                                 const char *text, char *error)
{
    struct row_tunable *slot = &component->tunables[component->tunable_count];
    char name[64];
    const char *at = grammar_word(text, ":+,@", name, sizeof name);

    if (component->tunable_count == ROW_TUNABLES) {
        snprintf(error, ROW_ERROR_BYTES, "a component takes at most %d tunables", ROW_TUNABLES);
        return NULL;
    }
    if (!at || *at != ':') {
        snprintf(error, ROW_ERROR_BYTES, "'+%.64s' is no tunable:value", text);
        return NULL;
    }
    if (row->not_available[0]) /* nothing is known of its tunables */
        return skip_value(name, at + 1, error);
    slot->tunable = find_tunable(component->allocator, name);
    if (!slot->tunable) {
        unknown_tunable(component->allocator, name, error);
        return NULL;
    }
    at = grammar_word(at + 1, "+,@", slot->value, sizeof slot->value);
    if (!at) {
        snprintf(error, ROW_ERROR_BYTES, "the value of %s is too long", name);
        return NULL;
    }
    if (is_given(component, slot->tunable)) {
        snprintf(error, ROW_ERROR_BYTES, "%s is given twice", name);
        return NULL;
    }
    if (check_value(component, slot->tunable, slot->value, error) != 0)
        return NULL;
    component->tunable_count++;
    return at;
}

/* Adds those of the component's eager tunables that it does not name itself. Returns how many, or
 * -EINVAL with a message. */
static int add_eager(const struct row *row, struct row_component *component, char *error)
{
    const char *at = component->allocator ? component->allocator->eager : NULL;
    const size_t before = component->tunable_count;
    char name[64];

    for (; at && *at; at += *at == '+') {
        const char *value = grammar_word(at, ":+", name, sizeof name);
        const struct allocator_tunable *known =
            value ? find_tunable(component->allocator, name) : NULL;
        at = known && *value == ':' && is_given(component, known)
                 ? skip_value(name, value + 1, error)
                 : parse_tunable(row, component, at, error);
        if (!at)
            return -EINVAL;
    }
    return (int)(component->tunable_count - before);
}

int row_make_eager(struct row *row, char *error)
{
    struct row made = *row;
    const int object = add_eager(row, &made.object, error);
    const int raw = object < 0 ? object : add_eager(row, &made.raw, error);

    if (raw < 0)
        return raw;
    if (!row->object.allocator->eager && !(row->raw.allocator && row->raw.allocator->eager))
        return -ENOENT;
    *row = made;
    return 0;
}

static int relative_path(const char *path, char *error)
{
    char full[PATH_MAX];

    if (realpath(path, full))
        snprintf(error, ROW_ERROR_BYTES,
                 "'%.100s': a library is named by its full path, here %.300s", path, full);
    else
        snprintf(error, ROW_ERROR_BYTES, "'%.100s': a library is named by its full path, from /",
                 path);
    return -EINVAL;
}

/* Returns 0, or -EINVAL with a message. */
static int find_library(struct row *row, struct row_component *component, const char *path,
                        char *error)
{
    if (path[0] != '/')
        return relative_path(path, error);
    const struct library *library = library_find(path);
    if (!library) {
        snprintf(error, ROW_ERROR_BYTES, "not enough memory for %.200s", path);
        return -EINVAL;
    }
    component->allocator = &library->allocator;
    snprintf(component->path, sizeof component->path, "%s", path);
    if (library->reason[0] && !row->not_available[0]) {
        /* The loader's own sentences begin with the path. */
        const char *reason = library->reason;
        size_t length = strlen(path);
        if (strncmp(reason, path, length) == 0 && strncmp(reason + length, ": ", 2) == 0)
            reason += length + 2;
        snprintf(row->not_available, sizeof row->not_available, "%.180s: %.300s", path, reason);
    }
    return 0;
}

static int find_component(struct row *row, struct row_component *component, const char *name,
                          char *error)
{
    if (strchr(name, '/'))
        return find_library(row, component, name, error);
    component->allocator = allocator_find(name);
    return component->allocator ? 0 : unknown_allocator(name, error);
}

static const char *parse_component(struct row *row, struct row_component *component,
                                   const char *text, char *error)
{
    char name[ROW_TEXT_BYTES];
    const char *at = grammar_word(text, "+,@", name, sizeof name);

    /* A row is shorter than ROW_TEXT_BYTES, and so is each word of it. */
    if (!at || find_component(row, component, name, error) != 0)
        return NULL;
    while (*at == '+') {
        at = parse_tunable(row, component, at + 1, error);
        if (!at)
            return NULL;
    }
    return at;
}

static int parse_raw(struct row *row, const char *text, char *error)
{
    const struct allocator *object = row->object.allocator;

    char reason[ALLOCATOR_TEXT_BYTES];

    /* What a file that cannot be used would have been is not known. */
    if (!allocator_stands_on_another(object) && !row->not_available[0]) {
        snprintf(
            error, ROW_ERROR_BYTES,
            "'@' puts pools, or regions that take their memory there, over a general allocator; "
            "%s serves every size itself",
            object->name);
        return -EINVAL;
    }
    const char *end = parse_component(row, &row->raw, text, error);
    if (!end || !row->raw.allocator)
        return -EINVAL;
    if (row->raw.allocator->family != ALLOCATOR_GENERAL || *end) {
        snprintf(error, ROW_ERROR_BYTES, "beneath '@' stands one general allocator, not '%.64s'",
                 text);
        return -EINVAL;
    }
    if (allocator_check_beneath(object, row->raw.allocator, reason) != 0) {
        snprintf(error, ROW_ERROR_BYTES, "%s", reason);
        return -EINVAL;
    }
    return 0;
}

/* A label is a word before '=' that comes before any tunable; returns the length with the '=', or
 * 0. */
static size_t label_length(const char *text)
{
    size_t length = strcspn(text, "=+@:,/\\");

    return text[length] == '=' && length > 0 ? length + 1 : 0;
}

int row_parse(struct row *row, const char *text, char *error)
{
    struct row read = {0};
    size_t label = label_length(text);

    /* A row goes into JSON, file names and terminals as it is. */
    for (const char *at = text; *at; at++) {
        if (*at >= ' ' && *at <= '~')
            continue;
        snprintf(error, ROW_ERROR_BYTES, "a row is printable ASCII; byte %td is not",
                 at - text + 1);
        return -EINVAL;
    }
    if (strlen(text) >= ROW_TEXT_BYTES) {
        snprintf(error, ROW_ERROR_BYTES, "a row is at most %d bytes long", ROW_TEXT_BYTES - 1);
        return -EINVAL;
    }
    memcpy(read.text, text, strlen(text));
    const char *at = parse_component(&read, &read.object, text + label, error);
    if (!at)
        return -EINVAL;
    if (*at == '@') {
        int failed = parse_raw(&read, at + 1, error);
        if (failed)
            return failed;
    } else if (*at) {
        snprintf(error, ROW_ERROR_BYTES, "'%.64s' is left over after the row", at);
        return -EINVAL;
    } else if (allocator_stands_on_another(read.object.allocator)) {
        read.raw.allocator = allocator_find("glibc");
    }
    *row = read;
    return 0;
}

const char *row_component_name(const struct row_component *component)
{
    return component->path[0] ? component->path : component->allocator->name;
}

const char *row_key(const struct row *row, char *key)
{
    if (row->has_chosen_geometry)
        snprintf(key, ROW_KEY_BYTES, "%s (%.24s)", row->text, row->object.allocator->name);
    else
        snprintf(key, ROW_KEY_BYTES, "%s", row->text);
    return key;
}

const char *row_short_name(const char *text, char *name)
{
    const char *at = text + label_length(text);
    size_t used = (size_t)snprintf(name, ROW_TEXT_BYTES, "%.*s", (int)(at - text), text);

    while (*at && used < ROW_TEXT_BYTES - 1) {
        /* A component ends at '@'; its name, where a path can stand, at '+' before that. */
        size_t length = strcspn(at, "@"), name_length = strcspn(at, "+@");
        const char *shown = at;
        for (size_t i = 0; at[0] == '/' && i < name_length; i++)
            shown = at[i] == '/' ? at + i + 1 : shown;
        length += at[length] == '@';
        used += (size_t)snprintf(name + used, ROW_TEXT_BYTES - used, "%.*s",
                                 (int)(at + length - shown), shown);
        at += length;
    }
    return name;
}

unsigned row_raw_capabilities(const struct row *row)
{
    return row->raw.allocator ? row->raw.allocator->capabilities
                              : row->object.allocator->capabilities;
}
