/*
 * The file of the pass `pages`: what a child writes becomes it, and what cannot be is refused by
 * its field, as a file may come from anywhere. Leaves out whether the figures are true
 * (pages_look_test.c, pages_run_test.py).
 */
#define _GNU_SOURCE
#include "harness/pass.h"
#include "harness/pass_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CELL = 3 };

static char error[PASS_ERROR_BYTES];

#define HEAD "{\"page_bytes\":4096,\"version\":\"jemalloc 5.3.0\"}\n"
/* Three pages of which two are resident, 1000 bytes in one and 3000 in the other. */
#define PHASE(NAME)                                                                                \
    "{\"name\":\"" NAME "\",\"object_bytes\":4000,\"live_bytes\":4100,\"blocks\":4,"               \
    "\"requested_bytes\":4100,\"usable_bytes\":5000,\"live_page_bytes\":12288,"                    \
    "\"requested_resident_bytes\":4000,\"usable_resident_bytes\":4500,\"no_usable\":null,"         \
    "\"floor_bytes\":8192,\"floor_mapped_bytes\":2097152,\"no_mapped\":null,"                      \
    "\"share_pages\":[0,1,0,0,0,1,0,0],\"held_bytes\":4096,\"resident_bytes\":12288,"              \
    "\"lazyfree_bytes\":0,\"process_bytes\":100000,\"own_bytes\":50000,\"unread_bytes\":0,"        \
    "\"rss_bytes\":2500000,\"anon_huge_bytes\":2097152,\"swap_bytes\":0}\n"

static json_t *understand(const char *lines)
{
    char *text = strdup(lines);
    const struct pass_output output = {
        .text = text, .length = strlen(text), .cell = CELL, .phases = 1};

    assert_non_null(text);
    json_t *json = pages_pass.understand(&output, error);
    free(text);
    return json;
}

static json_t *good(void)
{
    json_t *json = understand(HEAD PHASE("build") PHASE("free"));

    assert_non_null(json);
    return json;
}

static void lines_of_a_child_become_a_file(void **state)
{
    json_t *json = good();

    (void)state;
    assert_int_equal(pages_pass.check(json, error), 0);
    assert_int_equal(json_integer_value(json_object_get(json, "format")), 1);
    assert_int_equal(json_integer_value(json_object_get(json, "cell")), CELL);
    const json_t *phases = json_object_get(json, "phases");
    assert_int_equal(json_array_size(phases), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(phases, 1), "name")),
                        "free");
    json_decref(json);
}

static void a_child_that_has_no_figure_says_why(void **state)
{
    (void)state;
    assert_null(understand(HEAD PHASE("build") "{\"error\":\"blocks overlap\"}\n"));
    assert_string_equal(error, "blocks overlap");
    assert_null(understand(""));
    assert_null(understand(HEAD "{\"name\":\n"));
}

/* `place` is a field of the file, or of its second phase where `is_phase`; `text` its new value,
 * or NULL: it is removed. */
struct change {
    int is_phase;
    const char *place, *text, *message;
};

static const struct change refused[] = {
    {0, "format", "2", "format: wanted a whole number from 1 to 1"},
    {0, "cell", "-1", "cell: wanted"},
    {0, "page_bytes", "0", "page_bytes: wanted"},
    {0, "page_bytes", NULL, "page_bytes is missing"},
    {0, "version", "\"\"", "version: wanted"},
    {0, "version", "\"\\u001b[31m\"", "version: wanted"},
    {0, "phases", "[]", "phases: wanted"},
    {0, "phases", "{}", "phases: wanted"},
    {0, "phases", "[3]", "phases[0].it is no object"},
    {1, "name", "\"a name of more than 23 bytes\"", "phases[1].name: wanted"},
    {1, "name", "7", "phases[1].name: wanted"},
    {1, "blocks", NULL, "phases[1].blocks is missing"},
    {1, "blocks", "-1", "phases[1].blocks: wanted"},
    {1, "blocks", "1.5", "phases[1].blocks: wanted"},
    {1, "rss_bytes", "72057594037927937", "phases[1].rss_bytes: wanted"},
    {1, "usable_bytes", "null", "phases[1].usable_bytes: wanted null where no_usable says why"},
    {1, "usable_bytes", NULL, "phases[1].usable_bytes is missing"},
    {1, "no_usable", "\"because\"", "phases[1].usable_bytes: wanted null"},
    {1, "no_usable", "7", "phases[1].no_usable: wanted"},
    {1, "no_mapped", "\"\\u0007\"", "phases[1].no_mapped: wanted"},
    {1, "floor_mapped_bytes", "8191", "floor_bytes is 8192, more than floor_mapped_bytes, 8191"},
    {1, "requested_bytes", "3999", "requested_resident_bytes is 4000, more than requested_bytes"},
    {1, "requested_bytes", "5001", "requested_bytes is 5001, more than usable_bytes, 5000"},
    {1, "usable_resident_bytes", "3999", "more than usable_resident_bytes, 3999"},
    {1, "usable_resident_bytes", "5001", "more than usable_bytes, 5000"},
    {1, "live_page_bytes", "4096", "more than live_page_bytes, 4096"},
    {1, "resident_bytes", "8192", "phases[1].resident_bytes is not the sum"},
    {1, "held_bytes", "8192", "phases[1].resident_bytes is not the sum"},
    {1, "lazyfree_bytes", "2500001", "more than rss_bytes"},
    {1, "share_pages", "[0,1,0,0,0,2,0,0]", "floor_bytes is 8192, share_pages has 3 pages"},
    {1, "share_pages", "[0,1,0,0,0,1,0]", "share_pages: wanted 8 numbers"},
    {1, "share_pages", "[0,1,0,0,0,1,0,-2]", "share_pages[7]: wanted a number of pages"},
    {1, "share_pages", "[0,1,0,0,0,1,0,9223372036854775807]", "share_pages[7]: wanted"},
};

static void apply(json_t *json, const struct change *change)
{
    json_t *object = change->is_phase ? json_array_get(json_object_get(json, "phases"), 1) : json;

    if (!change->text) {
        json_object_del(object, change->place);
        return;
    }
    json_t *value = json_loads(change->text, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    json_object_set_new(object, change->place, value);
}

static void what_cannot_be_is_refused_by_its_field(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        json_t *json = good();
        apply(json, &refused[i]);
        error[0] = '\0';
        assert_int_equal(pages_pass.check(json, error), -EINVAL);
        if (!strstr(error, refused[i].message))
            fail_msg("%s = %s: %s", refused[i].place, refused[i].text, error);
        json_decref(json);
    }
    json_t *list = json_array();
    assert_int_equal(pages_pass.check(list, error), -EINVAL);
    json_decref(list);
}

/* A figure that is absent, with its reason. */
static void absent_figures_have_a_reason(void **state)
{
    static const struct change changes[] = {
        {1, "usable_bytes", "null", NULL},
        {1, "usable_resident_bytes", "null", NULL},
        {1, "no_usable", "\"a block of a region has no usable size\"", NULL},
        {1, "floor_mapped_bytes", "null", NULL},
        {1, "no_mapped", "\"this kernel does not tell\"", NULL},
    };
    json_t *json = good();

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        apply(json, &changes[i]);
    assert_int_equal(pages_pass.check(json, error), 0);
    json_decref(json);
}

static void every_row_suits_whose_blocks_are_distinct(void **state)
{
    static const struct {
        const char *name;
        int suits;
    } rows[] = {
        {"glibc", 1}, {"bump", 1}, {"boehm-collected", 1}, {"pymalloc-3.11", 1}, {"null", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cell cell = {.row.object.allocator = allocator_find(rows[i].name)};
        assert_non_null(cell.row.object.allocator);
        assert_int_equal(pages_pass.suits(&cell), rows[i].suits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_a_child_become_a_file),
        cmocka_unit_test(a_child_that_has_no_figure_says_why),
        cmocka_unit_test(what_cannot_be_is_refused_by_its_field),
        cmocka_unit_test(absent_figures_have_a_reason),
        cmocka_unit_test(every_row_suits_whose_blocks_are_distinct),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
