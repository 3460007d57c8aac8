/*
 * The command line's words, read by hand: three small rules need no parser generator.
 * Leaves out quoting beyond the backslash: the shell has its own.
 */
#include "harness/grammar.h"

#include "harness/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { WORD_BYTES = 128, ASSIGNMENT_BYTES = 16 * WORKLOAD_TEXT_BYTES };

const char *grammar_word(const char *text, const char *stops, char *word, size_t word_bytes)
{
    size_t used = 0;

    while (*text && !strchr(stops, *text)) {
        if (*text == '\\' && text[1])
            text++;
        if (used + 1 >= word_bytes)
            return NULL;
        word[used++] = *text++;
    }
    word[used] = '\0';
    return text;
}

static void append(char *error, size_t error_bytes, const char *text)
{
    size_t used = strlen(error);

    snprintf(error + used, error_bytes - used, "%s", text);
}

void grammar_suggest(char *error, size_t error_bytes, const char *word, const char *const *names,
                     size_t count)
{
    enum { NEAR_EDITS = 2 };
    const char *nearest = NULL;
    unsigned least = NEAR_EDITS + 1;

    for (size_t i = 0; i < count; i++) {
        unsigned distance = text_distance(word, names[i]);
        if (distance < least) {
            least = distance;
            nearest = names[i];
        }
    }
    if (nearest) {
        append(error, error_bytes, "; did you mean ");
        append(error, error_bytes, nearest);
        append(error, error_bytes, "?");
    }
    append(error, error_bytes, " (accepted: ");
    for (size_t i = 0; i < count; i++) {
        append(error, error_bytes, i ? ", " : "");
        append(error, error_bytes, names[i]);
    }
    append(error, error_bytes, ")");
}

static int unknown_workload(const char *name, char *error)
{
    const char *names[128];
    size_t count = 0;

    for (; count < workload_registry_count && count < 128; count++)
        names[count] = workload_registry[count]->name;
    snprintf(error, GRAMMAR_ERROR_BYTES, "no workload is called '%.64s'", name);
    grammar_suggest(error, GRAMMAR_ERROR_BYTES, name, names, count);
    return -EINVAL;
}

static int unknown_parameter(const struct workload *workload, const char *name, char *error)
{
    const char *names[WORKLOAD_PARAMETERS];
    size_t count = 0;

    for (; workload->parameters[count].name; count++)
        names[count] = workload->parameters[count].name;
    snprintf(error, GRAMMAR_ERROR_BYTES, "%s has no parameter '%.64s'", workload->name, name);
    grammar_suggest(error, GRAMMAR_ERROR_BYTES, name, names, count);
    return -EINVAL;
}

static int bad_value(const struct parameter *parameter, const char *value, char *error)
{
    size_t count = 0;

    if (parameter->kind == PARAMETER_COUNT) {
        snprintf(error, GRAMMAR_ERROR_BYTES,
                 "%s: '%.64s' is no count between %llu and %llu (written 10000, 10k or 10M)",
                 parameter->name, value, (unsigned long long)parameter->minimum,
                 (unsigned long long)parameter->maximum);
        return -EINVAL;
    }
    if (parameter->kind != PARAMETER_CHOICE) {
        snprintf(error, GRAMMAR_ERROR_BYTES, "%s: '%.64s' is no text of 1 to %d bytes",
                 parameter->name, value, WORKLOAD_TEXT_BYTES - 1);
        return -EINVAL;
    }
    while (parameter->choices[count])
        count++;
    snprintf(error, GRAMMAR_ERROR_BYTES, "%s: '%.64s' is no choice", parameter->name, value);
    grammar_suggest(error, GRAMMAR_ERROR_BYTES, value, parameter->choices, count);
    return -EINVAL;
}

struct sweep {
    const struct parameter *parameter;
    uint64_t *values;
    size_t *count;
    char *error;
};

static int sweep_add(struct sweep *sweep, uint64_t value)
{
    if (*sweep->count == GRAMMAR_VALUES) {
        snprintf(sweep->error, GRAMMAR_ERROR_BYTES, "%s: a sweep has at most %d values",
                 sweep->parameter->name, GRAMMAR_VALUES);
        return -EINVAL;
    }
    sweep->values[(*sweep->count)++] = value;
    return 0;
}

static int sweep_add_text(struct sweep *sweep, const char *text)
{
    uint64_t value;

    if (parameter_parse(sweep->parameter, text, &value) != 0)
        return bad_value(sweep->parameter, text, sweep->error);
    return sweep_add(sweep, value);
}

/* first..last steps by one, first..last*k multiplies. */
static int sweep_add_range(struct sweep *sweep, char *text)
{
    char *dots = strstr(text, "..");
    char *star = strchr(dots, '*');
    uint64_t first, last, factor = 0;

    *dots = '\0';
    if (star)
        *star = '\0';
    if (parameter_parse(sweep->parameter, text, &first) != 0)
        return bad_value(sweep->parameter, text, sweep->error);
    if (parameter_parse(sweep->parameter, dots + 2, &last) != 0)
        return bad_value(sweep->parameter, dots + 2, sweep->error);
    if (first > last || (star && text_parse_number(star + 1, 2, 1000, &factor) != 0)) {
        snprintf(
            sweep->error, GRAMMAR_ERROR_BYTES,
            "%s: a range is first..last or first..last*factor, rising, with a factor of 2 or more",
            sweep->parameter->name);
        return -EINVAL;
    }
    for (uint64_t value = first; value <= last; value = star ? value * factor : value + 1) {
        int error = sweep_add(sweep, value);
        if (error)
            return error;
    }
    return 0;
}

static int parse_value(struct sweep *sweep, const char *text)
{
    char part[WORKLOAD_TEXT_BYTES];

    for (;;) {
        const char *end = grammar_word(text, "|", part, sizeof part);
        if (!end)
            return bad_value(sweep->parameter, text, sweep->error);
        int is_range = sweep->parameter->kind == PARAMETER_COUNT && strstr(part, "..");
        int error = is_range ? sweep_add_range(sweep, part) : sweep_add_text(sweep, part);
        if (error || !*end)
            return error;
        text = end + 1;
    }
}

static struct sweep sweep_of(struct workload_words *words, size_t index, char *error)
{
    return (struct sweep){
        .parameter = &words->workload->parameters[index],
        .values = words->values[index],
        .count = &words->value_counts[index],
        .error = error,
    };
}

/* One param=value. */
static int parse_assignment(struct workload_words *words, const char *text, char *error)
{
    char name[WORD_BYTES];
    const char *equals = grammar_word(text, "=", name, sizeof name);

    if (!equals || *equals != '=') {
        snprintf(error, GRAMMAR_ERROR_BYTES, "'%.64s' is no parameter=value", text);
        return -EINVAL;
    }
    for (size_t i = 0; words->workload->parameters[i].name; i++) {
        if (strcmp(words->workload->parameters[i].name, name) != 0)
            continue;
        if (words->value_counts[i]) {
            snprintf(error, GRAMMAR_ERROR_BYTES, "%s is given twice", name);
            return -EINVAL;
        }
        struct sweep sweep = sweep_of(words, i, error);
        return parse_value(&sweep, equals + 1);
    }
    return unknown_parameter(words->workload, name, error);
}

static int fill_defaults(struct workload_words *words, enum workload_size size, char *error)
{
    for (size_t i = 0; words->workload->parameters[i].name; i++) {
        const struct parameter *parameter = &words->workload->parameters[i];
        if (words->value_counts[i])
            continue;
        struct sweep sweep = sweep_of(words, i, error);
        int failed = parse_value(&sweep, size == SIZE_FULL ? parameter->full : parameter->quick);
        if (failed)
            return failed;
    }
    return 0;
}

/* Up to a comma that is not escaped. */
static size_t assignment_length(const char *text)
{
    size_t length = 0;

    while (text[length] && text[length] != ',')
        length += text[length] == '\\' && text[length + 1] ? 2 : 1;
    return length;
}

int grammar_parse_workload(struct workload_words *words, const char *text, enum workload_size size,
                           char *error)
{
    struct workload_words read = {0};
    char word[ASSIGNMENT_BYTES];
    const char *at = grammar_word(text, ":", word, sizeof word);

    read.workload = at ? workload_find(word) : NULL;
    if (!read.workload)
        return unknown_workload(at ? word : text, error);
    while (*at) {
        /* Only the comma ends an assignment; backslashes inside are undone by the readers of its
         * two halves. */
        size_t length = assignment_length(++at);
        if (length >= sizeof word) {
            snprintf(error, GRAMMAR_ERROR_BYTES, "'%.64s...' is too long", at);
            return -EINVAL;
        }
        memcpy(word, at, length);
        word[length] = '\0';
        int failed = parse_assignment(&read, word, error);
        if (failed)
            return failed;
        at += length;
    }
    int failed = fill_defaults(&read, size, error);
    if (!failed)
        *words = read;
    return failed;
}

int grammar_names_parameter(const char *text, const char *name)
{
    const size_t length = strlen(name);

    for (const char *at = strpbrk(text, ":,"); at; at = strpbrk(at + 1, ":,")) {
        if (strncmp(at + 1, name, length) == 0 && at[1 + length] == '=')
            return 1;
    }
    return 0;
}
