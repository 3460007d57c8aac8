/*
 * Google Benchmark's JSON, as tidemark micro tabulates it. An input is the results of one row after
 * the other, a line "%%" between them. Leaves out the file (json_file_test.c).
 */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

#include "harness/json_file.h"
#include "harness/micro_table.h"

#include <string.h>

enum { MOST_ROWS = 8 };

/* Adds a row, or checks that what is no JSON is an error with file and line. */
static void add_row(json_t *results, struct fuzz_part part, int number)
{
    struct file_text text = {.bytes = fuzz_copy(part), .length = part.length};
    char name[16], error[JSON_FILE_ERROR_BYTES] = "";
    json_t *result = json_file_parse("micro.json", &text, error);

    file_text_free(&text);
    snprintf(name, sizeof name, "row%d", number);
    if (result)
        json_object_set_new(results, name, result);
    else
        FUZZ_CHECK(strncmp(error, "micro.json:", 11) == 0 && error[11] >= '1' && error[11] <= '9');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    json_t *results = json_object();
    char *table = NULL;
    size_t table_bytes = 0;
    FILE *out = open_memstream(&table, &table_bytes);
    /* As a name, which may be spelt by escapes; as a time it says nothing. */
    int may_say_inf = length && (memmem(data, length, "inf", 3) || memmem(data, length, "\\u", 2));

    json_object_seed(1); /* the same input takes the same way each time */
    FUZZ_CHECK(results && out);
    for (int number = 1; length > 0 && number <= MOST_ROWS; number++)
        add_row(results, fuzz_next_part(&data, &length), number);
    micro_table_print(out, results);
    FUZZ_CHECK(fclose(out) == 0);
    for (const char *at = table; *at; at++)
        FUZZ_CHECK(*at == '\n' || ((unsigned char)*at >= ' ' && *at != 0x7f));
    FUZZ_CHECK(may_say_inf || !strstr(table, "inf"));
    free(table);
    json_decref(results);
    return 0;
}
