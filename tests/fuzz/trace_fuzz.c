/*
 * A trace or a fit from anywhere, through what `tidemark trace`, `tidemark replay` and `tidemark
 * fit` do with it. An input is a byte and the rest: 'f' and a whole file; 'j' and a fit; or
 * anything else and blocks of events, each behind two bytes of its length, which are put into a
 * file with good checksums, since no fuzzer finds those. Leaves out the replay itself, which trusts
 * what was compiled.
 */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

#include "harness/trace/flat_peak.h"
#include "harness/trace/trace_compile.h"
#include "harness/trace/trace_fit.h"
#include "harness/trace/trace_summary.h"
#include "workloads/flat_trace.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PATH_BYTES = 64, MOST_BLOCKS = 1 << 16, CHUNKS = 8, MOST_SITES = 10 };

static void name_file(char *path, int fd)
{
    snprintf(path, PATH_BYTES, "/proc/self/fd/%d", fd);
}

/* Reads it as every reader does, within the bounds that a compiled trace promises. */
static void check_compiled(int fd, const struct trace_compiled *compiled)
{
    struct flat_head head;

    FUZZ_CHECK(pread(fd, &head, sizeof head, 0) == (ssize_t)sizeof head);
    FUZZ_CHECK(head.file_bytes == compiled->file_bytes && head.threads == compiled->threads);
    FUZZ_CHECK(head.threads >= 1);
    uint64_t words = 0;
    for (uint64_t i = 0; i < head.threads; i++) {
        struct flat_thread thread;
        FUZZ_CHECK(pread(fd, &thread, sizeof thread, (off_t)(sizeof head + i * sizeof thread)) ==
                   (ssize_t)sizeof thread);
        FUZZ_CHECK(thread.first_word + thread.words <= head.words);
        words += thread.words;
    }
    FUZZ_CHECK(words == head.words);
}

static void compile(const struct trace_index *index, struct trace_reader *reader)
{
    char error[TRACE_ERROR_BYTES] = "";
    struct trace_compiled compiled;
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);

    FUZZ_CHECK(fd >= 0);
    if (index->events > 0 &&
        trace_compile(index, reader, trace_largest_process(index), fd, &compiled, error) == 0)
        check_compiled(fd, &compiled);
    else
        FUZZ_CHECK(index->events == 0 || error[0]);
    close(fd);
}

/* --- Fits. --- */

/* Whether all blocks of a fit are few: what it may say of many takes memory and time. */
static int is_small(const json_t *fit)
{
    static const struct {
        const char *name;
        size_t fields;
    } rows[] = {{"passing", 4}, {"staying", 4}, {"moving", 7}};
    json_int_t blocks = 0;
    size_t i, at;
    const json_t *thread, *number;

    json_array_foreach(json_object_get(fit, "threads"), i, thread)
    {
        for (size_t sort = 0; sort < sizeof rows / sizeof rows[0]; sort++) {
            json_array_foreach(json_object_get(thread, rows[sort].name), at, number)
            {
                const json_int_t count =
                    at % rows[sort].fields == 3 ? json_integer_value(number) : 0;
                if (count > MOST_BLOCKS)
                    return 0;
                blocks += count > 0 ? count : 0;
            }
        }
    }
    return blocks <= MOST_BLOCKS;
}

/* A program that was made was checked (flat_check.h); it has all that the fit says. */
static void compile_fit(const json_t *fit, int is_own)
{
    char error[TRACE_ERROR_BYTES] = "";
    struct trace_compiled compiled;
    uint64_t peak = 0;
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);

    FUZZ_CHECK(fd >= 0);
    const int failed = trace_fit_compile(fit, FIT_SEED, fd, &compiled, error);
    FUZZ_CHECK(!failed || error[0]);
    FUZZ_CHECK(!failed || !is_own);
    if (!failed) {
        check_compiled(fd, &compiled);
        FUZZ_CHECK(compiled.makes >= 1 && compiled.ends <= compiled.makes);
        FUZZ_CHECK(flat_peak(fd, &peak) == 0 && peak > 0);
    }
    close(fd);
}

static void read_fit(const uint8_t *data, size_t length)
{
    json_t *fit = json_loadb((const char *)data, length, 0, NULL);

    if (is_small(fit))
        compile_fit(fit, 0);
    json_decref(fit);
}

/* A fit that was made can be read. */
static void fit(const struct trace_index *index, struct trace_reader *reader)
{
    char error[TRACE_ERROR_BYTES] = "";
    json_t *made =
        index->makes ? trace_fit_make(index, reader, trace_largest_process(index), error) : NULL;

    FUZZ_CHECK(made || error[0] || !index->makes);
    if (made && json_array_size(json_object_get(made, "threads")) > 0 && is_small(made))
        compile_fit(made, 1);
    json_decref(made);
}

/* The names are libdw's to look for. */
static void leave_unnamed(json_t *document, const char *root)
{
    FUZZ_CHECK(json_is_array(json_object_get(document, "frames")) && !root);
}

/* What was found in it, and the calls of it as a replay has them. */
static void sum_up(struct trace_index *index, struct trace_reader *reader)
{
    static struct trace_summary summary;
    struct trace_sites *sites = NULL;
    const int read = trace_sites_read(&sites, index, reader);

    FUZZ_CHECK(read == 0 || (read == -EBADMSG && !sites));
    FUZZ_CHECK(trace_summary_make(&summary, index, sites, reader) == 0);
    FUZZ_CHECK(summary.ended <= summary.made && summary.made == index->makes);
    FUZZ_CHECK(summary.left == summary.made - summary.ended);
    json_decref(trace_summary_to_json(&summary, index));
    json_decref(trace_sites_to_json(sites, MOST_SITES, leave_unnamed));
    trace_sites_free(sites);
    compile(index, reader);
    fit(index, reader);
}

static void read_trace(const char *path)
{
    char error[TRACE_ERROR_BYTES] = "";
    struct trace_reader *reader;
    struct trace_index index;

    if (trace_reader_open(&reader, path, error) != 0) {
        FUZZ_CHECK(error[0]);
        return;
    }
    FUZZ_CHECK(trace_index_make(&index, reader, error) == 0);
    FUZZ_CHECK(index.makes <= index.events && index.ends <= index.events);
    sum_up(&index, reader);
    trace_index_free(&index);
    trace_reader_close(reader);
}

static void write_bytes(int fd, const uint8_t *bytes, size_t length)
{
    FUZZ_CHECK(write(fd, bytes, length) == (ssize_t)length);
}

/* A file with a block for each part of the input: events, stacks or modules. */
static void write_blocks(const uint8_t *data, size_t length, const char *path)
{
    static const char processes[] = "{\"process\":1,\"parent\":0,\"name\":\"a\"}";
    char error[TRACE_ERROR_BYTES];
    struct trace_writer *writer;

    unlink(path);
    FUZZ_CHECK(trace_writer_open(&writer, path, 1, error) == 0);
    FUZZ_CHECK(trace_writer_add(writer, TRACE_BLOCK_PROCESS, processes, strlen(processes)) == 0);
    for (unsigned i = 0; i < CHUNKS && length >= 2; i++) {
        static const enum trace_block_kind kinds[] = {TRACE_BLOCK_EVENTS, TRACE_BLOCK_EVENTS,
                                                      TRACE_BLOCK_STACKS, TRACE_BLOCK_MODULES};
        const enum trace_block_kind kind = kinds[data[1] >> 6];
        size_t bytes = (size_t)data[0] | (size_t)(data[1] & 0x3f) << 8;
        data += 2;
        length -= 2;
        bytes = bytes < length ? bytes : length;
        FUZZ_CHECK(trace_writer_add(writer, kind, data, bytes) == 0);
        data += bytes;
        length -= bytes;
    }
    FUZZ_CHECK(trace_writer_add(writer, TRACE_BLOCK_END, "{}", 2) == 0);
    FUZZ_CHECK(trace_writer_close(writer) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    char path[PATH_BYTES];

    if (length == 0)
        return 0;
    if (data[0] == 'f') {
        const int fd = memfd_create("fuzz", MFD_CLOEXEC);
        FUZZ_CHECK(fd >= 0);
        write_bytes(fd, data + 1, length - 1);
        name_file(path, fd);
        read_trace(path);
        close(fd);
        return 0;
    }
    if (data[0] == 'j') {
        read_fit(data + 1, length - 1);
        return 0;
    }
    snprintf(path, sizeof path, "/tmp/tidemark-fuzz-%d.trace", (int)getpid());
    write_blocks(data + 1, length - 1, path);
    read_trace(path);
    unlink(path);
    return 0;
}
