/*
 * A fit's promise: where two stretches of a thread meet, what is alive in the program of its shape
 * is what was in the trace, to the byte, and never more is than was. Leaves out files of fits
 * (import_test.py), and what a replay of one holds on an allocator.
 */
#define _GNU_SOURCE
#include "harness/trace/flat_peak.h"
#include "harness/trace/section_writer.h"
#include "harness/trace/trace_fit.h"

#include "workloads/draw.h"
#include "workloads/flat_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PROCESS = 1, THREAD = 3, MOST_CALLS = 1 << 20, PAIRS = 400, MOST_LIVE = 4096 };

/* --- A trace, and what is alive behind each of its blocks. --- */

struct recorded {
    struct trace_event *calls; /* MOST_CALLS */
    size_t count;
    uint64_t *sizes, *levels; /* by block; what was alive once it was made */
    uint64_t made, live, most, left;
};

static void make_recorded(struct recorded *recorded)
{
    *recorded = (struct recorded){.calls = calloc(MOST_CALLS, sizeof *recorded->calls),
                                  .sizes = calloc(MOST_CALLS, sizeof *recorded->sizes),
                                  .levels = calloc(MOST_CALLS, sizeof *recorded->levels)};
    assert_true(recorded->calls && recorded->sizes && recorded->levels);
}

static void free_recorded(struct recorded *recorded)
{
    free(recorded->calls);
    free(recorded->sizes);
    free(recorded->levels);
}

static uint64_t born(struct recorded *recorded, uint64_t bytes)
{
    recorded->live += bytes;
    recorded->left++;
    recorded->most = recorded->live > recorded->most ? recorded->live : recorded->most;
    recorded->sizes[recorded->made] = bytes;
    recorded->levels[recorded->made] = recorded->live;
    return recorded->made++;
}

static uint64_t add_malloc(struct recorded *recorded, uint64_t bytes)
{
    recorded->calls[recorded->count++] =
        (struct trace_event){.kind = TRACE_MALLOC, .size_bytes = bytes};
    return born(recorded, bytes);
}

static void add_free(struct recorded *recorded, uint64_t block)
{
    recorded->calls[recorded->count++] =
        (struct trace_event){.kind = TRACE_FREE, .ends = {THREAD, block}};
    recorded->live -= recorded->sizes[block];
    recorded->left--;
}

static uint64_t add_realloc(struct recorded *recorded, uint64_t block, uint64_t bytes)
{
    recorded->calls[recorded->count++] =
        (struct trace_event){.kind = TRACE_REALLOC, .size_bytes = bytes, .ends = {THREAD, block}};
    recorded->live -= recorded->sizes[block];
    recorded->left--;
    return born(recorded, bytes);
}

static void write_recorded(const struct recorded *recorded, const char *path)
{
    static const char process[] = "{\"process\":1,\"parent\":0,\"name\":\"p\"}";
    char error[TRACE_ERROR_BYTES];
    struct section_writer sections;
    struct event_writer events;
    struct trace_writer *writer;

    assert_int_equal(trace_writer_open(&writer, path, 1, error), 0);
    assert_int_equal(section_writer_init(&sections, writer), 0);
    assert_int_equal(trace_writer_add(writer, TRACE_BLOCK_ABOUT, "{}", 2), 0);
    assert_int_equal(trace_writer_add(writer, TRACE_BLOCK_PROCESS, process, strlen(process)), 0);
    event_writer_init(&events, PROCESS, THREAD, 0, 0);
    for (size_t i = 0; i < recorded->count; i++) {
        assert_int_equal(event_writer_add(&events, &recorded->calls[i]), 0);
        if (event_writer_is_full(&events))
            assert_int_equal(section_writer_take(&sections, &events), 0);
    }
    assert_int_equal(section_writer_take(&sections, &events), 0);
    assert_int_equal(section_writer_flush(&sections), 0);
    assert_int_equal(trace_writer_add(writer, TRACE_BLOCK_END, "{}", 2), 0);
    event_writer_free(&events);
    section_writer_free(&sections);
    assert_int_equal(trace_writer_close(writer), 0);
}

static json_t *fit_recorded(const struct recorded *recorded)
{
    char folder[] = "/tmp/tidemark-fit-XXXXXX", path[sizeof folder + 8], error[TRACE_ERROR_BYTES];
    struct trace_reader *reader;
    struct trace_index index;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a", folder);
    write_recorded(recorded, path);
    assert_int_equal(trace_reader_open(&reader, path, error), 0);
    assert_int_equal(trace_index_make(&index, reader, error), 0);
    json_t *fit = trace_fit_make(&index, reader, PROCESS, error);
    assert_non_null(fit);
    trace_index_free(&index);
    trace_reader_close(reader);
    unlink(path);
    rmdir(folder);
    return fit;
}

/* --- Its program. --- */

/* How many blocks each stretch of the one thread has, from its rows. Returns how many stretches. */
static size_t count_stretches(const json_t *fit, uint64_t *blocks)
{
    static const struct {
        const char *name;
        size_t fields;
    } rows[] = {{"passing", 4}, {"staying", 4}, {"moving", 7}};
    const json_t *thread = json_array_get(json_object_get(fit, "threads"), 0);

    memset(blocks, 0, FIT_STRETCHES * sizeof *blocks);
    for (size_t sort = 0; sort < sizeof rows / sizeof rows[0]; sort++) {
        const json_t *array = json_object_get(thread, rows[sort].name);
        assert_true(json_is_array(array));
        for (size_t at = 0; at < json_array_size(array); at += rows[sort].fields)
            blocks[json_integer_value(json_array_get(array, at))] +=
                (uint64_t)json_integer_value(json_array_get(array, at + 3));
    }
    return (size_t)json_integer_value(json_object_get(thread, "stretches"));
}

/* What is alive once each block is made, in a flat program of one thread. Returns how many. */
static uint64_t play(const struct flat_head *head, uint64_t *levels)
{
    const struct flat_thread *thread = (const struct flat_thread *)(head + 1);
    const uint64_t *words = (const uint64_t *)(thread + 1);
    uint64_t *sizes = calloc(thread->slots, sizeof *sizes), live = 0, made = 0;

    assert_non_null(sizes);
    for (uint64_t i = 0; i < thread->words; i++) {
        const uint64_t word = words[i];
        uint64_t *slot = &sizes[flat_slot(word)];
        if (flat_operation(word) == FLAT_MALLOC) {
            assert_true(flat_size(word) != FLAT_SIZE_FOLLOWS && *slot == 0);
            *slot = flat_size(word);
            live += *slot;
            levels[made++] = live;
        } else {
            live -= *slot;
            *slot = 0;
        }
    }
    free(sizes);
    return made;
}

/* Returns the most that is alive in the fit's program. */
static uint64_t check_fit(const struct recorded *recorded)
{
    static uint64_t levels[MOST_CALLS];
    char error[TRACE_ERROR_BYTES];
    uint64_t blocks[FIT_STRETCHES], made = 0, peak;
    struct trace_compiled compiled;
    json_t *fit = fit_recorded(recorded);
    const size_t stretches = count_stretches(fit, blocks);
    const int fd = memfd_create("fit", MFD_CLOEXEC);

    assert_int_equal(trace_fit_compile(fit, FIT_SEED, fd, &compiled, error), 0);
    assert_int_equal(compiled.makes, recorded->made);
    assert_int_equal(compiled.makes - compiled.ends, recorded->left);
    void *pages = mmap(NULL, compiled.file_bytes, PROT_READ, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(pages, MAP_FAILED);
    assert_int_equal(play(pages, levels), recorded->made);
    for (size_t i = 0; i < stretches; i++) {
        assert_true(blocks[i] > 0);
        made += blocks[i];
        assert_int_equal(levels[made - 1], recorded->levels[made - 1]);
    }
    assert_int_equal(flat_peak(fd, &peak), 0);
    munmap(pages, compiled.file_bytes);
    close(fd);
    json_decref(fit);
    return peak;
}

/* --- Programs. --- */

/* Grows and shrinks some times, in sizes of all kinds. */
static void draw_program(struct recorded *recorded, uint64_t seed)
{
    uint64_t live[MOST_LIVE], count = 0, random = seed;
    uint64_t target = MOST_LIVE / 2;

    for (size_t i = 0; i < 40000; i++) {
        if (i % 3000 == 0)
            target = 1 + draw_below(&random, MOST_LIVE - 1);
        if (count < MOST_LIVE && (count < target || draw_chance(&random, 30)))
            live[count++] =
                add_malloc(recorded, 1 + (random_next(&random) >> (44 + draw_below(&random, 19))));
        else if (count > 0) {
            const uint64_t drawn = draw_below(&random, count);
            add_free(recorded, live[drawn]);
            live[drawn] = live[--count];
        }
    }
}

static void test_levels_where_stretches_meet_are_those_of_the_trace(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct recorded recorded;
        make_recorded(&recorded);
        draw_program(&recorded, seed);
        assert_int_equal(check_fit(&recorded), recorded.most);
        free_recorded(&recorded);
    }
}

/* Vectors that grow side by side by an eighth, as lists of CPython do, among small blocks. */
static void test_levels_are_kept_where_vectors_move(void **state)
{
    struct recorded recorded;
    uint64_t vectors[4];

    (void)state;
    make_recorded(&recorded);
    for (size_t i = 0; i < 4; i++)
        vectors[i] = add_malloc(&recorded, 1000 * (i + 1));
    for (size_t step = 0; step < 60; step++) {
        for (size_t i = 0; i < 4; i++) {
            for (size_t j = 0; j < 100; j++)
                (void)add_malloc(&recorded, 32);
            const uint64_t bytes = recorded.sizes[vectors[i]];
            vectors[i] = add_realloc(&recorded, vectors[i], bytes + bytes / 8);
        }
    }
    const uint64_t peak = check_fit(&recorded);
    assert_in_range(peak, recorded.most, recorded.most + recorded.most / 50);
    free_recorded(&recorded);
}

static void test_a_realloc_ends_a_block_before_it_makes_one(void **state)
{
    struct recorded recorded;

    (void)state;
    make_recorded(&recorded);
    for (size_t i = 0; i < PAIRS; i++) {
        const uint64_t block = add_realloc(&recorded, add_malloc(&recorded, 60000), 60001);
        add_free(&recorded, block);
    }
    assert_int_equal(recorded.most, 60001);
    assert_int_equal(check_fit(&recorded), 60001);
    free_recorded(&recorded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels_where_stretches_meet_are_those_of_the_trace),
        cmocka_unit_test(test_levels_are_kept_where_vectors_move),
        cmocka_unit_test(test_a_realloc_ends_a_block_before_it_makes_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
