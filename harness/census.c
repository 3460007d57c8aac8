/*
 * Lines to JSON. Leaves out any choice: what a child wrote is there, or nothing is.
 */
#include "harness/census.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 32 };

/* What is under way; all but `census` is borrowed from it, and NULL outside. */
struct builder {
    json_t *census;
    json_t *phase;
    json_t *pools; /* of the last arena */
    const char *at;
};

/* A blank and digits. Returns 0 or -EINVAL. */
static int take_number(struct builder *builder, int base, uint64_t *number)
{
    static const char digits[] = "0123456789abcdef";
    char *end;

    if (builder->at[0] != ' ' || !builder->at[1] || !memchr(digits, builder->at[1], (size_t)base))
        return -EINVAL;
    errno = 0;
    *number = strtoull(builder->at + 1, &end, base);
    builder->at = end;
    return errno || *number > INT64_MAX ? -EINVAL : 0;
}

/* How much of `text` is ASCII from `first` to '~'. */
static size_t printable(const char *text, char first)
{
    size_t length = 0;

    while (text[length] >= first && text[length] <= '~')
        length++;
    return length;
}

/* A blank and a word, cut at the next blank. */
static int take_name(struct builder *builder, char *name)
{
    if (builder->at[0] != ' ')
        return -EINVAL;
    size_t length = printable(builder->at + 1, '!');
    if (length == 0 || length >= NAME_BYTES)
        return -EINVAL;
    memcpy(name, builder->at + 1, length);
    name[length] = '\0';
    builder->at += 1 + length;
    return 0;
}

/* All text is ASCII here, so that a jansson call that failed had no memory. */
static int added(int result)
{
    return result == 0 ? 0 : -ENOMEM;
}

static int take_version(struct builder *builder)
{
    size_t length = printable(builder->at, ' ');

    if (builder->at[0] != ' ' || json_object_get(builder->census, "version"))
        return -EINVAL;
    json_t *version = json_stringn(builder->at + 1, length - 1);
    builder->at += length;
    return added(json_object_set_new(builder->census, "version", version));
}

static int take_phase(struct builder *builder)
{
    char name[NAME_BYTES];
    uint64_t object_bytes, live_bytes;

    if (builder->phase || take_name(builder, name) != 0 ||
        take_number(builder, 10, &object_bytes) != 0 || take_number(builder, 10, &live_bytes) != 0)
        return -EINVAL;
    builder->phase = json_pack("{s:s, s:I, s:I, s:{}, s:[], s:[]}", "name", name, "object_bytes",
                               (json_int_t)object_bytes, "live_bytes", (json_int_t)live_bytes,
                               "figures", "classes", "arenas");
    return added(json_array_append_new(json_object_get(builder->census, "phases"), builder->phase));
}

static int take_figure(struct builder *builder)
{
    json_t *figures = json_object_get(builder->phase, "figures");
    char name[NAME_BYTES];
    uint64_t value;

    if (!builder->phase || take_name(builder, name) != 0 || take_number(builder, 10, &value) != 0 ||
        json_object_get(figures, name))
        return -EINVAL;
    return added(json_object_set_new(figures, name, json_integer((json_int_t)value)));
}

static int take_class(struct builder *builder)
{
    uint64_t block_bytes, pools, in_use, available;

    if (!builder->phase || take_number(builder, 10, &block_bytes) != 0 ||
        take_number(builder, 10, &pools) != 0 || take_number(builder, 10, &in_use) != 0 ||
        take_number(builder, 10, &available) != 0)
        return -EINVAL;
    json_t *class = json_pack("{s:I, s:I, s:I, s:I}", "block_bytes", (json_int_t)block_bytes,
                              "pools", (json_int_t)pools, "blocks_in_use", (json_int_t)in_use,
                              "blocks_available", (json_int_t)available);
    return added(json_array_append_new(json_object_get(builder->phase, "classes"), class));
}

static int take_arena(struct builder *builder)
{
    uint64_t base;
    char text[2 + 16 + 1];

    if (!builder->phase || take_number(builder, 16, &base) != 0)
        return -EINVAL;
    snprintf(text, sizeof text, "0x%" PRIx64, base);
    builder->pools = json_array();
    json_t *arena = json_pack("{s:s, s:o}", "base", text, "pools", builder->pools);
    return added(json_array_append_new(json_object_get(builder->phase, "arenas"), arena));
}

static int take_pool(struct builder *builder)
{
    uint64_t block_bytes, in_use;

    if (!builder->pools || take_number(builder, 10, &block_bytes) != 0 ||
        take_number(builder, 10, &in_use) != 0)
        return -EINVAL;
    int error = added(json_array_append_new(builder->pools, json_integer((json_int_t)block_bytes)));
    return error ? error
                 : added(json_array_append_new(builder->pools, json_integer((json_int_t)in_use)));
}

static int end_phase(struct builder *builder)
{
    if (!builder->phase)
        return -EINVAL;
    builder->phase = NULL;
    builder->pools = NULL;
    return 0;
}

static int take_line(struct builder *builder)
{
    switch (*builder->at++) {
    case 'v':
        return take_version(builder);
    case 'n':
        return take_phase(builder);
    case 'f':
        return take_figure(builder);
    case 'c':
        return take_class(builder);
    case 'a':
        return take_arena(builder);
    case 'p':
        return take_pool(builder);
    case 'e':
        return end_phase(builder);
    default:
        return -EINVAL;
    }
}

/* Returns 0 or a negative errno; `number` is then that of the line. */
static int take_lines(struct builder *builder, const char *end, size_t *number)
{
    int error = 0;

    for (; builder->at < end && !error; ++*number) {
        error = take_line(builder);
        if (!error && *builder->at++ != '\n')
            error = -EINVAL;
    }
    return error;
}

json_t *census_from_lines(const char *lines, size_t length, size_t cell, char *error)
{
    struct builder builder = {.at = lines};
    size_t number = 0;

    builder.census =
        json_pack("{s:i, s:I, s:[]}", "format", CENSUS_FORMAT, "cell", (json_int_t)cell, "phases");
    int failed = builder.census ? take_lines(&builder, lines + length, &number) : -ENOMEM;
    if (!failed && !builder.phase)
        return builder.census;
    if (failed == -ENOMEM)
        snprintf(error, CENSUS_ERROR_BYTES, "not enough memory for its census");
    else if (failed)
        snprintf(error, CENSUS_ERROR_BYTES, "line %zu of what it wrote is none of a census",
                 number);
    else
        snprintf(error, CENSUS_ERROR_BYTES, "its last phase is not whole");
    json_decref(builder.census);
    return NULL;
}
