/* Copies words. Leaves out quoting: no shell is between here and the script. */
#define _GNU_SOURCE
#include "harness/script_words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int add_owned(struct script_words *words, char *word)
{
    if (!word)
        return -ENOMEM;
    if (words->count == SCRIPT_WORDS) {
        free(word);
        return -E2BIG;
    }
    words->words[words->count++] = word;
    return 0;
}

int script_words_add(struct script_words *words, const char *word)
{
    return add_owned(words, strdup(word));
}

int script_words_add_value(struct script_words *words, const char *option, const char *value)
{
    char *word;

    if (asprintf(&word, "%s=%s", option, value) < 0)
        return -ENOMEM;
    return add_owned(words, word);
}

static int add_values(struct script_words *words, const struct workload_words *asked, size_t index)
{
    const struct parameter *parameter = &asked->workload->parameters[index];
    char value[WORKLOAD_TEXT_BYTES], named[WORKLOAD_TEXT_BYTES + 64];
    int failed = 0;

    for (size_t i = 0; i < asked->value_counts[index] && !failed; i++) {
        parameter_format(parameter, asked->values[index][i], value, sizeof value);
        snprintf(named, sizeof named, "%.63s=%s", parameter->name, value);
        failed = script_words_add_value(words, "--parameter", named);
    }
    return failed;
}

int script_words_add_workload(struct script_words *words, const char *text, char *error)
{
    struct workload_words asked;

    if (grammar_parse_workload(&asked, text, SIZE_QUICK, error) != 0)
        return -EINVAL;
    int failed = script_words_add_value(words, "--workload", asked.workload->name);
    for (size_t i = 0; asked.workload->parameters[i].name && !failed; i++) {
        if (grammar_names_parameter(text, asked.workload->parameters[i].name))
            failed = add_values(words, &asked, i);
    }
    if (failed)
        snprintf(error, GRAMMAR_ERROR_BYTES, "'%.64s': %s", text, strerror(-failed));
    return failed;
}

void script_words_free(struct script_words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->words[i]);
    *words = (struct script_words){.count = 0};
}
