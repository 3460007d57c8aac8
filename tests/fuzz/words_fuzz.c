/*
 * What a user writes on the command line: rows, workloads, sizes, durations, numbers, paths. An
 * input is one word, and each reader gets it. Leaves out argp, which is libc's.
 */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

#include "harness/grammar.h"
#include "harness/row.h"
#include "harness/text.h"

#include <string.h>

/* Also says that the result is there or untouched. */
static void check_numbers(const char *word)
{
    const uint64_t untouched = UINT64_MAX;
    char text[TEXT_NUMBER_BYTES];
    uint64_t value = untouched;

    FUZZ_CHECK((text_parse_duration(word, &value) == 0) == (value != untouched));
    text_format_duration(text, (double)value);
    value = untouched;
    FUZZ_CHECK((text_parse_bytes(word, &value) == 0) == (value != untouched));
    text_format_bytes(text, (double)value);
    value = untouched;
    FUZZ_CHECK((text_parse_number(word, 3, 1000, &value) == 0) == (value >= 3 && value <= 1000));
    value = untouched;
    FUZZ_CHECK((text_parse_number(word, 0, INT64_MAX, &value) == 0) == (value != untouched));
}

static void check_components(const struct row *row)
{
    FUZZ_CHECK(row->object.allocator && row->object.tunable_count <= ROW_TUNABLES);
    FUZZ_CHECK(row->raw.tunable_count <= ROW_TUNABLES);
    /* What a file that cannot be used would have been is not known: something may stand beneath it.
     */
    FUZZ_CHECK(row->not_available[0] ||
               (row->raw.allocator != NULL) == (row->object.allocator->family == ALLOCATOR_POOL));
}

static void check_row(const char *word)
{
    struct row row = {.text = "untouched"};
    char error[ROW_ERROR_BYTES] = "";

    if (row_parse(&row, word, error) != 0) {
        FUZZ_CHECK(error[0] && strcmp(row.text, "untouched") == 0);
        return;
    }
    FUZZ_CHECK(strcmp(row.text, word) == 0);
    check_components(&row);
}

static void check_values(const struct workload_words *words)
{
    for (size_t i = 0; words->workload->parameters[i].name; i++) {
        const struct parameter *parameter = &words->workload->parameters[i];
        FUZZ_CHECK(words->value_counts[i] >= 1 && words->value_counts[i] <= GRAMMAR_VALUES);
        for (size_t j = 0; j < words->value_counts[i]; j++) {
            char text[64];
            uint64_t again;
            parameter_format(parameter, words->values[i][j], text, sizeof text);
            FUZZ_CHECK(parameter_parse(parameter, text, &again) == 0);
            FUZZ_CHECK(again == words->values[i][j]);
        }
    }
}

static void check_workload(const char *word, enum workload_size size)
{
    struct workload_words words = {0};
    char error[GRAMMAR_ERROR_BYTES] = "";

    if (grammar_parse_workload(&words, word, size, error) != 0)
        FUZZ_CHECK(error[0] && !words.workload);
    else
        check_values(&words);
}

/* Reads one word back as a POSIX shell does, single quotes and backslashes alone. */
static void unquote(const char *quoted, char *word)
{
    for (int inside = 0; *quoted; quoted++) {
        if (*quoted == '\'')
            inside = !inside;
        else if (*quoted == '\\' && !inside)
            *word++ = *++quoted;
        else
            *word++ = *quoted;
    }
    *word = '\0';
}

static void check_texts(const char *word)
{
    size_t length = strlen(word);
    char *quoted = malloc(TEXT_QUOTED_BYTES(length)), *again = malloc(length + 1);

    FUZZ_CHECK(quoted && again);
    unquote(text_quote(word, quoted), again);
    FUZZ_CHECK(strcmp(again, word) == 0);
    text_make_printable(again);
    FUZZ_CHECK(strlen(again) == length);
    text_in_brackets(word, again, length + 1);
    FUZZ_CHECK(text_distance(word, word) == 0 || length >= 64);
    text_distance(word, "list_lifetime");
    free(quoted);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    char *word = fuzz_copy((struct fuzz_part){(const char *)data, length});

    check_numbers(word);
    check_row(word);
    check_workload(word, SIZE_QUICK);
    check_workload(word, SIZE_FULL);
    check_texts(word);
    free(word);
    return 0;
}
