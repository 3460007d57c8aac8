/*
 * Rows: [label=] component [@ row]. A tunable binds to the component on its left, `@` binds last.
 * Leaves out more than one level beneath: a pool allocator stands on one general allocator.
 */
#include "harness/row.h"

#include "harness/grammar.h"

#include <ctype.h>
#include <errno.h>
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

/* `text` is name:value; returns where it stopped or NULL with `error` set. */
static const char *parse_tunable(struct row_component *component, const char *text, char *error)
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

static const char *parse_component(struct row_component *component, const char *text, char *error)
{
    char name[128];
    const char *at = grammar_word(text, "+,@", name, sizeof name);

    component->allocator = at ? allocator_find(name) : NULL;
    if (!component->allocator) {
        unknown_allocator(at ? name : text, error);
        return NULL;
    }
    while (*at == '+') {
        at = parse_tunable(component, at + 1, error);
        if (!at)
            return NULL;
    }
    return at;
}

static int parse_raw(struct row *row, const char *text, char *error)
{
    const struct allocator *object = row->object.allocator;

    if (object->family != ALLOCATOR_POOL) {
        snprintf(error, ROW_ERROR_BYTES,
                 "'@' puts a pool allocator over a general one; %s serves every size itself",
                 object->name);
        return -EINVAL;
    }
    const char *end = parse_component(&row->raw, text, error);
    if (!end)
        return -EINVAL;
    if (row->raw.allocator->family != ALLOCATOR_GENERAL || *end) {
        snprintf(error, ROW_ERROR_BYTES, "beneath '@' stands one general allocator, not '%.64s'",
                 text);
        return -EINVAL;
    }
    return 0;
}

/* A label is a word before '=' that comes before any tunable; returns the length with the '=', or
 * 0. */
static size_t label_length(const char *text)
{
    size_t length = strcspn(text, "=+@:,\\");

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
    const char *at = parse_component(&read.object, text + label, error);
    if (!at)
        return -EINVAL;
    if (*at == '@') {
        int failed = parse_raw(&read, at + 1, error);
        if (failed)
            return failed;
    } else if (*at) {
        snprintf(error, ROW_ERROR_BYTES, "'%.64s' is left over after the row", at);
        return -EINVAL;
    } else if (read.object.allocator->family == ALLOCATOR_POOL) {
        read.raw.allocator = allocator_find("glibc");
    }
    *row = read;
    return 0;
}

unsigned row_raw_capabilities(const struct row *row)
{
    return row->raw.allocator ? row->raw.allocator->capabilities
                              : row->object.allocator->capabilities;
}
