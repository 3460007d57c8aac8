/*
 * `tidemark stats` against the real thing: after the same operations the text that is made of our
 * heap, by way of the lines of a child and the JSON of a run, is line for line what
 * _PyObject_DebugMallocStats of libpython 3.11 prints. Leaves out what an operation does
 * (pymalloc_oracle_test.c). Not run without libpython3.11.so.1.0; with CI set, that is a failure.
 */
#define _GNU_SOURCE
#include "harness/census.h"
#include "harness/census_check.h"
#include "harness/census_child.h"
#include "harness/stats_text.h"
#include "tests/pymalloc_oracle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

enum { MOST_BLOCKS = 60000, LARGEST_SMALL = 512, LARGEST = 2000, TEXT_BYTES = 1 << 16 };

static struct twin held[MOST_BLOCKS];
static size_t held_count;

/* --- The two texts. --- */

static char our_text[TEXT_BYTES], their_text[TEXT_BYTES];

/* As a child would write it at the end of a phase, and as the parent understands it. */
static json_t *census_of_ours(void)
{
    const struct page_phase phase = {.name = "now"};
    int fd = memfd_create("census_oracle_test", 0);
    struct stat info;
    char error[CENSUS_ERROR_BYTES] = "";

    assert_true(fd >= 0);
    census_child_begin(fd, "3.11 geometry");
    census_child_phase(oracle_our_heap(), &phase);
    assert_int_equal(fstat(fd, &info), 0);
    size_t length = (size_t)info.st_size;
    char *lines = calloc(1, length + 1);
    assert_non_null(lines);
    assert_int_equal(pread(fd, lines, length, 0), length);
    close(fd);
    json_t *census = census_from_lines(lines, length, 0, error);
    free(lines);
    if (!census || census_check(census, error) != 0)
        fail_msg("%s", error);
    return census;
}

static void print_ours(void)
{
    json_t *census = census_of_ours();
    FILE *out = fmemopen(our_text, sizeof our_text, "w");

    assert_non_null(out);
    stats_text_print(out, json_array_get(json_object_get(census, "phases"), 0));
    fclose(out);
    json_decref(census);
}

/* From the head of the table of classes to the first "Total". */
static void print_theirs(void)
{
    FILE *file = tmpfile();
    char line[256];
    size_t used = 0;
    int is_inside = 0, is_last = 0;

    assert_non_null(file);
    oracle_print_their_statistics(file);
    rewind(file);
    their_text[0] = '\0';
    while (!is_last && fgets(line, sizeof line, file)) {
        is_inside |= strncmp(line, "class ", 6) == 0;
        is_last = strncmp(line, "Total ", 6) == 0;
        if (is_inside)
            used += (size_t)snprintf(their_text + used, sizeof their_text - used, "%s", line);
    }
    fclose(file);
    assert_true(is_inside && is_last);
}

static void assert_same_text(void)
{
    print_ours();
    print_theirs();
    const char *our = our_text, *their = their_text;

    while (*our && *their) {
        size_t our_length = strcspn(our, "\n"), their_length = strcspn(their, "\n");
        if (our_length != their_length || strncmp(our, their, our_length) != 0)
            fail_msg("ours:   '%.*s'\ntheirs: '%.*s'", (int)our_length, our, (int)their_length,
                     their);
        our += our_length + 1;
        their += their_length + 1;
    }
    assert_int_equal(*our, *their);
}

/* --- Heaps. --- */

static uint64_t random_state = 88172645463325252u;

/* xorshift64 (Marsaglia 2003). */
static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void fill(size_t count, size_t largest)
{
    while (held_count < count)
        twin_malloc(&held[held_count++], 1 + next_random() % largest);
}

/* All but one in `keep`, by chance; 0 keeps none. */
static void thin_out(size_t keep)
{
    size_t kept = 0;

    for (size_t i = 0; i < held_count; i++) {
        if (keep && next_random() % keep == 0)
            held[kept++] = held[i];
        else
            twin_free(&held[i]);
    }
    held_count = kept;
}

static void every_phase_of_a_heap_prints_as_the_real_one(void **state)
{
    (void)state;
    oracle_need();
    thin_out(0);
    assert_same_text();
    for (size_t keep = 2; keep <= 1000; keep *= 5) {
        fill(MOST_BLOCKS, LARGEST_SMALL);
        assert_same_text();
        thin_out(keep);
        assert_same_text();
    }
    fill(MOST_BLOCKS / 10, LARGEST);
    assert_same_text();
    thin_out(0);
    assert_same_text();
}

static void one_class_prints_as_the_real_one(void **state)
{
    (void)state;
    oracle_need();
    for (size_t size = 16; size <= LARGEST_SMALL; size += 16) {
        for (size_t i = 0; i < 3000; i++)
            twin_malloc(&held[held_count++], size);
        assert_same_text();
        thin_out(100);
        assert_same_text();
        thin_out(0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_SKEW(every_phase_of_a_heap_prints_as_the_real_one),
        ON_EVERY_SKEW(one_class_prints_as_the_real_one),
    };
    return cmocka_run_group_tests_name("census_oracle", tests, oracle_open, oracle_close);
}
