/* Copies words. Leaves out quoting: no shell is between here and the script. */
#define _GNU_SOURCE
#include "harness/script_words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Takes `word`; NULL: there was no memory for it. */
static void add_owned(struct script_words *words, char *word)
{
    if (!words->failed && !word)
        words->failed = -ENOMEM;
    if (!words->failed && words->count == SCRIPT_WORDS)
        words->failed = -E2BIG;
    if (words->failed)
        free(word);
    else
        words->words[words->count++] = word;
}

void script_words_add(struct script_words *words, const char *word)
{
    add_owned(words, strdup(word));
}

void script_words_add_value(struct script_words *words, const char *option, const char *value)
{
    char *word;

    add_owned(words, asprintf(&word, "%s=%s", option, value) < 0 ? NULL : word);
}

static void add_values(struct script_words *words, const struct workload_words *asked, size_t index)
{
    const struct parameter *parameter = &asked->workload->parameters[index];
    char value[WORKLOAD_TEXT_BYTES], named[WORKLOAD_TEXT_BYTES + 64];

    for (size_t i = 0; i < asked->value_counts[index]; i++) {
        parameter_format(parameter, asked->values[index][i], value, sizeof value);
        snprintf(named, sizeof named, "%.63s=%s", parameter->name, value);
        script_words_add_value(words, "--parameter", named);
    }
}

int script_words_add_workload(struct script_words *words, const char *text, char *error)
{
    struct workload_words asked;

    if (grammar_parse_workload(&asked, text, SIZE_QUICK, error) != 0)
        return -EINVAL;
    script_words_add_value(words, "--workload", asked.workload->name);
    for (size_t i = 0; asked.workload->parameters[i].name; i++) {
        if (grammar_names_parameter(text, asked.workload->parameters[i].name))
            add_values(words, &asked, i);
    }
    return 0;
}

int script_words_check(const struct script_words *words, char *error)
{
    if (words->failed)
        snprintf(error, GRAMMAR_ERROR_BYTES, "the options: %s", strerror(-words->failed));
    return words->failed;
}

void script_words_free(struct script_words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->words[i]);
    *words = (struct script_words){.count = 0};
}
