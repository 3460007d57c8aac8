/*
 * A fit read with nothing believed, and a program of its shape: see trace_fit.h. Leaves out the
 * calls of each thread (fit_thread.h).
 */
#define _GNU_SOURCE
#include "harness/trace/trace_fit.h"

#include "harness/trace/fit_thread.h"
#include "harness/trace/flat_check.h"
#include "harness/trace/flat_writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MOST_FIELDS = 7,
    MOST_CLASS = 160, /* of lifetimes: 2^41 blocks */
    NEVER = -1,
    SLOT_BYTES = 16, /* in the replay */
};

static const uint64_t most_blocks = UINT64_C(1) << 31; /* of a thread: slots are numbered */

struct fit_program {
    struct fit_thread threads[FIT_MOST_THREADS];
    size_t count;
};

/* --- Reading. --- */

static int read_numbers(json_int_t *numbers, const json_t *array, size_t at, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *number = json_array_get(array, at + i);
        if (!json_is_integer(number))
            return -EBADMSG;
        numbers[i] = json_integer_value(number);
    }
    return 0;
}

/* The three arrays of a thread. */
enum rows { PASSING, STAYING, MOVING, ROWS };

static const char *const row_names[ROWS] = {"passing", "staying", "moving"};
static const size_t row_fields[ROWS] = {4, 4, MOST_FIELDS};

/* Where the blocks of a row end. */
static int read_end(struct fit_kind *kind, json_int_t end, json_int_t life, uint32_t stretches)
{
    if (life < 0 || life > MOST_CLASS || end < NEVER || end > (json_int_t)stretches ||
        (end != NEVER && end < (json_int_t)kind->stretch))
        return -EBADMSG;
    kind->end = end == NEVER ? FIT_NEVER : (uint32_t)end;
    kind->life = (unsigned)life;
    return 0;
}

static int read_move(struct fit_kind *kind, json_int_t from, json_int_t is_moved)
{
    if (from < 0 || from > (json_int_t)FIT_MOST_BLOCK_BYTES || is_moved < 0 || is_moved > 1 ||
        (is_moved && kind->end == FIT_NEVER))
        return -EBADMSG;
    kind->from = from ? 1 + fit_size_class((uint64_t)from) : 0;
    kind->is_moved = (int)is_moved;
    return 0;
}

static int read_ends(struct fit_kind *kind, const json_int_t *numbers, enum rows rows,
                     uint32_t stretches)
{
    if (rows == PASSING)
        return read_end(kind, kind->stretch, numbers[2], stretches);
    if (rows == STAYING && numbers[2] == (json_int_t)kind->stretch)
        return -EBADMSG;
    if (rows == STAYING)
        return read_end(kind, numbers[2], 0, stretches);
    const int error = read_end(kind, numbers[2], numbers[4], stretches);
    return error ? error : read_move(kind, numbers[5], numbers[6]);
}

static int add_kind(struct fit_thread *thread, const struct fit_kind *kind)
{
    const uint64_t words = flat_writer_words(kind->bytes) + (uint64_t)(kind->end != FIT_NEVER);

    if (kind->count == 0)
        return 0;
    thread->kinds[thread->count++] = *kind;
    thread->blocks += kind->count;
    thread->words += kind->count * words;
    return kind->bytes <= FIT_MOST_BLOCK_BYTES && thread->blocks <= most_blocks ? 0 : -EBADMSG;
}

/* The blocks of a row are of its mean size, rounded so that they add up to its bytes. */
static int read_row(struct fit_thread *thread, const json_t *array, size_t at, enum rows rows)
{
    json_int_t numbers[MOST_FIELDS];
    int error = read_numbers(numbers, array, at, row_fields[rows]);

    if (error)
        return error;
    const json_int_t stretch = numbers[0], bytes = numbers[1], count = numbers[3];
    if (stretch < 0 || stretch >= thread->stretches || count < 1 || (uint64_t)count > most_blocks ||
        bytes < count)
        return -EBADMSG;
    struct fit_kind kind = {.stretch = (uint32_t)stretch,
                            .bytes = (uint64_t)(bytes / count),
                            .count = (uint64_t)(count - bytes % count)};
    error = read_ends(&kind, numbers, rows, thread->stretches);
    if (!error)
        error = add_kind(thread, &kind);
    kind.bytes++;
    kind.count = (uint64_t)(bytes % count);
    return error ? error : add_kind(thread, &kind);
}

static int read_rows(struct fit_thread *thread, const json_t *array, enum rows rows)
{
    const size_t numbers = json_array_size(array), fields = row_fields[rows];
    int error = json_is_array(array) && numbers % fields == 0 ? 0 : -EBADMSG;

    for (size_t i = 0; i < numbers && !error; i += fields)
        error = read_row(thread, array, i, rows);
    return error;
}

static int read_last(struct fit_thread *thread, const json_t *array)
{
    if (json_array_size(array) != thread->stretches)
        return -EBADMSG;
    for (uint32_t i = 0; i < thread->stretches; i++) {
        const json_int_t bytes = json_integer_value(json_array_get(array, i));
        if (bytes < 1 || bytes > (json_int_t)FIT_MOST_BLOCK_BYTES)
            return -EBADMSG;
        thread->last[i] = fit_size_class((uint64_t)bytes);
    }
    return 0;
}

/* What is alive at a stretch's beginning, and all that is made in it: no more slots are needed.
 * Also bounds all bytes, so that sums of them are numbers. */
static int bound_slots(struct fit_thread *thread)
{
    uint64_t ends[FIT_STRETCHES + 1] = {0}, live = 0, bytes = 0;
    size_t at = 0;

    for (uint32_t stretch = 0; stretch < thread->stretches; stretch++) {
        uint64_t made = 0, stays = 0;
        for (; at < thread->count && thread->kinds[at].stretch == stretch; at++) {
            const struct fit_kind *kind = &thread->kinds[at];
            if (kind->count > (FIT_MOST_ASKED_BYTES - bytes) / kind->bytes)
                return -EBADMSG;
            bytes += kind->bytes * kind->count;
            made += kind->count;
            stays += kind->end != stretch ? kind->count : 0;
            if (kind->end != stretch && kind->end != FIT_NEVER)
                ends[kind->end] += kind->count;
        }
        if (live + made > thread->most_slots)
            thread->most_slots = live + made;
        live += stays - ends[stretch];
    }
    return 0;
}

static int read_thread(struct fit_thread *thread, const json_t *json)
{
    const json_int_t stretches = json_integer_value(json_object_get(json, "stretches"));
    size_t rows = 0;
    int error = 0;

    for (int i = 0; i < ROWS; i++)
        rows += json_array_size(json_object_get(json, row_names[i])) / row_fields[i];
    if (stretches < 1 || stretches > FIT_STRETCHES || rows == 0)
        return -EBADMSG;
    thread->stretches = (uint32_t)stretches;
    thread->kinds = calloc(2 * rows, sizeof *thread->kinds);
    if (!thread->kinds)
        return -ENOMEM;
    for (int i = 0; i < ROWS && !error; i++)
        error = read_rows(thread, json_object_get(json, row_names[i]), (enum rows)i);
    if (!error)
        error = read_last(thread, json_object_get(json, "last"));
    if (error)
        return error;
    qsort(thread->kinds, thread->count, sizeof *thread->kinds, fit_kind_order);
    return bound_slots(thread);
}

static int read_fit(struct fit_program *program, const json_t *fit)
{
    const json_t *threads = json_object_get(fit, "threads"),
                 *format = json_object_get(fit, "tidemark_fit");
    int error = !json_is_integer(format)                   ? -EBADMSG
                : json_integer_value(format) != FIT_FORMAT ? -ENOTSUP
                : json_array_size(threads) < 1 || json_array_size(threads) > FIT_MOST_THREADS
                    ? -EBADMSG
                    : 0;

    for (size_t i = 0; i < json_array_size(threads) && !error; i++) {
        error = read_thread(&program->threads[i], json_array_get(threads, i));
        program->count++;
    }
    return error;
}

/* --- Making. --- */

/* A few bytes of a fit may stand for any number of blocks. */
static int check_memory(const struct fit_program *program)
{
    const uint64_t memory_bytes =
        (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t needed_bytes = 0, making_bytes = 0;

    for (size_t i = 0; i < program->count; i++) {
        const struct fit_thread *thread = &program->threads[i];
        const uint64_t each_bytes = fit_thread_memory(thread);
        needed_bytes += thread->words * sizeof(uint64_t) + thread->most_slots * SLOT_BYTES;
        making_bytes = each_bytes > making_bytes ? each_bytes : making_bytes;
    }
    return needed_bytes + making_bytes <= memory_bytes / 2 ? 0 : -E2BIG;
}

static int make_program(struct fit_program *program, uint64_t seed, int fd,
                        struct trace_compiled *compiled)
{
    struct flat_head head = {.threads = program->count};
    struct flat_writer writer;

    for (size_t i = 0; i < program->count; i++)
        head.words += program->threads[i].words;
    int error = check_memory(program);
    if (!error)
        error = flat_writer_open(&writer, &head, fd);
    if (error)
        return error;
    uint64_t first = 0;
    for (size_t i = 0; i < program->count && !error; i++) {
        struct fit_made made = {0};
        error = fit_thread_make(&program->threads[i], seed + i, writer.words + first, &made);
        writer.threads[i] =
            (struct flat_thread){.first_word = first, .words = made.words, .slots = made.slots};
        first += program->threads[i].words;
        compiled->makes += program->threads[i].blocks;
        compiled->ends += made.ends;
        compiled->operations += made.operations;
    }
    if (!error)
        error = flat_check(writer.head, writer.threads, writer.words);
    writer.head->operations = compiled->operations;
    compiled->threads = program->count;
    compiled->file_bytes = writer.head->file_bytes;
    flat_writer_close(&writer);
    return error;
}

int trace_fit_compile(const json_t *fit, uint64_t seed, int fd, struct trace_compiled *compiled,
                      char *error)
{
    struct fit_program *program = calloc(1, sizeof *program);
    int failed = program ? 0 : -ENOMEM;

    *compiled = (struct trace_compiled){0};
    if (!failed)
        failed = read_fit(program, fit);
    if (!failed)
        failed = make_program(program, seed, fd, compiled);
    for (size_t i = 0; program && i < FIT_MOST_THREADS; i++)
        free(program->threads[i].kinds);
    free(program);
    if (failed == -ENOTSUP)
        snprintf(error, TRACE_ERROR_BYTES,
                 "it is a fit of format %lld, and this tidemark reads format %d: make it anew with "
                 "`tidemark fit`",
                 (long long)json_integer_value(json_object_get(fit, "tidemark_fit")), FIT_FORMAT);
    else if (failed)
        snprintf(error, TRACE_ERROR_BYTES, "%s",
                 failed == -EBADMSG ? "it is no fit of tidemark fit"
                 : failed == -E2BIG
                     ? "a program of its shape takes more than half of the memory of "
                       "this machine"
                     : strerror(-failed));
    return failed;
}
