/*
 * tidemark fit: the shape of a trace, to be shown to others. Leaves out the counting
 * (harness/trace/trace_fit.h).
 */
#define _GNU_SOURCE
#include "harness/cli.h"
#include "harness/json_file.h"
#include "harness/same_file.h"
#include "harness/statistics.h"
#include "harness/text.h"
#include "harness/trace/flat_peak.h"
#include "harness/trace/trace_fit.h"
#include "harness/trace_files.h"
#include "workloads/workload.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OPTION_CHECK = 256, WORD_BYTES = 4 * WORKLOAD_TEXT_BYTES + 64, MOST_PEAKS = 64 };

static const double aim = 0.1; /* of the peak */

struct fit_options {
    const char *file, *output;
    char *rows; /* to check it on; NULL: not */
};

static const struct argp_option option_table[] = {
    {"check", OPTION_CHECK, "ROW,...", 0,
     "Replay both on these rows, three times each, and keep in PARAMS how far their peaks differ",
     1},
    {"output", 'o', "PARAMS", 0, "The fit, JSON (needed; replaced)", 1},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct fit_options *options = state->input;

    switch (key) {
    case 'o':
        options->output = argument;
        return 0;
    case OPTION_CHECK:
        options->rows = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (options->file)
            argp_error(state, "one trace, not '%s' too", argument);
        options->file = argument;
        return 0;
    case ARGP_KEY_END:
        if (!options->file || !options->output)
            argp_error(state, "it needs a trace and -o PARAMS");
        else if (same_file_replaces(options->output, options->file))
            argp_error(state, "-o '%s' would replace the trace '%s' itself", options->output,
                       options->file);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_fit_parser = {
    .options = option_table,
    .parser = parse,
    .args_doc = "FILE",
    .doc =
        "Write how many blocks of which size live how long in a trace, and nothing else of it: no "
        "order, no names, no stacks, no times. `tidemark replay PARAMS` makes a program of that "
        "shape and runs it as it would the trace."
        "\vOf the process with the most calls, as in a replay. The life of each thread is cut into "
        "64 parts of equal numbers of blocks (of fewer, where a part would have less than 64), and "
        "each part where most is alive in it. Of each of these stretches, sizes are kept in "
        "classes "
        "of 1/32 with their bytes; of a block that outlives its stretch that in which it ends, of "
        "any other the lifetime, in four classes a doubling, counted in blocks that the thread "
        "makes "
        "meanwhile. So what is alive where stretches meet is what it was, and in between it is no "
        "more. A realloc of 64 KiB and more is one in the program too, a smaller one a malloc and "
        "a "
        "free. A block is freed by who made it, and all threads start at once.\n\n"
        "Printed and kept in PARAMS is how many bytes are alive at the most in the trace and in "
        "the program of its shape, where threads take turns, a call each. A peak that differs by "
        "more than 10 %, of that or with --check of resident memory, is told as such: what the "
        "trace does is then not only a matter of sizes and lifetimes.\n\n"
        "Example:\n"
        "  tidemark fit server.trace -o server.fit --check glibc,jemalloc,mimalloc\n"
        "  tidemark run -w 'trace:file=server.trace|server.fit' -a glibc,jemalloc,mimalloc\n\n"
        "Exit status: 0 written, and checked where that was asked for, whatever came of it; 1 it "
        "could not be; 2 usage.",
};

static int fail(const char *message)
{
    fprintf(stderr, "tidemark fit: %s\n", message);
    return CLI_FAILED;
}

static int write_fit(const json_t *fit, const char *output)
{
    char partial[PATH_MAX];

    if (snprintf(partial, sizeof partial, "%s.partial", output) >= PATH_MAX)
        return -ENAMETOOLONG;
    FILE *file = fopen(partial, "we");
    int error = file ? 0 : -errno;
    if (!error && json_dumpf(fit, file, JSON_COMPACT) != 0)
        error = -EIO;
    if (file && fclose(file) != 0 && !error)
        error = -errno;
    if (!error && rename(partial, output) != 0)
        error = -errno;
    if (error)
        unlink(partial);
    return error;
}

static void tell(const json_t *fit, const char *output)
{
    const json_t *threads = json_object_get(fit, "threads");
    const json_int_t left_out = json_integer_value(json_object_get(fit, "left_out"));
    json_int_t blocks = 0;
    size_t i, kinds = 0;
    const json_t *thread;

    json_array_foreach(threads, i, thread)
    {
        blocks += json_integer_value(json_object_get(thread, "blocks"));
        kinds += json_array_size(json_object_get(thread, "passing")) / 4 +
                 json_array_size(json_object_get(thread, "staying")) / 4 +
                 json_array_size(json_object_get(thread, "moving")) / 7;
    }
    fprintf(stderr, "tidemark fit: %s: %lld blocks of %zu thread%s, of %zu kinds, %zu bytes\n",
            output, (long long)blocks, json_array_size(threads),
            json_array_size(threads) == 1 ? "" : "s", kinds,
            json_dumpb(fit, NULL, 0, JSON_COMPACT));
    if (left_out > 0)
        fprintf(stderr, "tidemark fit: %lld threads that make fewer blocks are left out\n",
                (long long)left_out);
}

/* What of the trace is not in the fit. */
static void tell_others(const char *file, const struct trace_index *index, uint32_t process)
{
    uint32_t with_events = 0;
    char name[64];

    for (uint32_t i = 0; i < index->process_room; i++)
        with_events += index->processes[i].is_known && index->processes[i].events > 0;
    if (with_events < 2)
        return;
    snprintf(name, sizeof name, "%s", index->processes[process].name);
    text_make_printable(name);
    fprintf(stderr,
            "tidemark fit: %s: of %u processes the one with the most events is fitted, %s\n", file,
            with_events, name);
}

/* --- Live bytes. --- */

/* Of the process as a replay does its calls, or of a program of the fit's shape. Returns 0, or a
 * negative errno with a message in `error`. */
static int find_peak(const struct trace_index *index, struct trace_reader *reader,
                     const json_t *fit, uint64_t *peak_bytes, char *error)
{
    struct trace_compiled compiled;
    const int fd = trace_files_temporary();
    int failed = fd < 0 ? fd : 0;

    if (failed) {
        snprintf(error, TRACE_ERROR_BYTES, "no temporary file in TMPDIR, or /tmp: %s",
                 strerror(-failed));
        return failed;
    }
    failed = fit ? trace_fit_compile(fit, FIT_SEED, fd, &compiled, error)
                 : trace_compile(index, reader, trace_largest_process(index), fd, &compiled, error);
    if (!failed) {
        failed = flat_peak(fd, peak_bytes);
        snprintf(error, TRACE_ERROR_BYTES, "%s", strerror(-failed));
    }
    close(fd);
    return failed;
}

static int is_off(double off)
{
    return off > aim || off < -aim;
}

/* A fit that cannot be held against its trace here is one all the same. */
static void compare_live(json_t *fit, const struct trace_index *index, struct trace_reader *reader)
{
    char error[TRACE_ERROR_BYTES];
    uint64_t trace = 0, fitted = 0;

    if (find_peak(index, reader, NULL, &trace, error) != 0 ||
        find_peak(index, reader, fit, &fitted, error) != 0 || trace == 0) {
        fprintf(stderr, "tidemark fit: how much is alive at the most is not compared: %s\n", error);
        return;
    }
    const double off = (double)fitted / (double)trace - 1;
    printf("alive at the most: %llu bytes in the trace, %llu in the fit, %+.1f %%%s\n",
           (unsigned long long)trace, (unsigned long long)fitted, 100 * off,
           is_off(off) ? "; more than 10 % off" : "");
    json_object_set_new(fit, "live",
                        json_pack("{sI sI}", "trace_peak_bytes", (json_int_t)trace,
                                  "fit_peak_bytes", (json_int_t)fitted));
}

/* --- The check. --- */

static double peak_of(const json_t *sample)
{
    return json_number_value(json_object_get(sample, "peak_bytes")) -
           json_number_value(json_object_get(sample, "baseline_bytes"));
}

/* The median over the good samples of a cell; 0 where there is none. */
static double median_peak(const struct cli_samples *read, size_t cell)
{
    double peaks[MOST_PEAKS];
    size_t count = 0, i;
    const json_t *sample;

    json_array_foreach(read->samples, i, sample)
    {
        if (count < MOST_PEAKS && strcmp(json_text(sample, "status"), "ok") == 0 &&
            (size_t)json_integer_value(json_object_get(sample, "cell")) == cell)
            peaks[count++] = peak_of(sample);
    }
    return count ? statistics_median(peaks, count).median : 0;
}

/* Of the same row, the other workload. */
static double other_peak(const struct cli_samples *read, size_t cell)
{
    const char *row = json_text(json_array_get(read->cells, cell), "allocator");

    for (size_t i = cell + 1; i < json_array_size(read->cells); i++)
        if (strcmp(json_text(json_array_get(read->cells, i), "allocator"), row) == 0)
            return median_peak(read, i);
    return 0;
}

static void tell_row(const char *row, double trace, double fitted)
{
    char a[TEXT_NUMBER_BYTES], b[TEXT_NUMBER_BYTES];
    const double off = fitted / trace - 1;

    printf("%-32s %12s %12s %+8.1f %%%s\n", row, text_format_bytes(a, trace),
           text_format_bytes(b, fitted), 100 * off, is_off(off) ? "  more than 10 % off" : "");
}

/* The cells of the trace come first, in the order of the rows, then those of the fit. */
static json_t *compare(const struct cli_samples *read)
{
    json_t *checked = json_array();
    const size_t rows = json_array_size(read->cells) / 2;

    printf("%-32s %12s %12s %10s\n", "peak on", "trace", "fit", "");
    for (size_t i = 0; i < rows; i++) {
        const char *row = json_text(json_array_get(read->cells, i), "allocator");
        const double trace = median_peak(read, i), fitted = other_peak(read, i);
        if (trace <= 0 || fitted <= 0) {
            printf("%-32s n/a\n", row);
            continue;
        }
        tell_row(row, trace, fitted);
        json_array_append_new(checked,
                              json_pack("{ss sI sI}", "row", row, "trace_peak_bytes",
                                        (json_int_t)trace, "fit_peak_bytes", (json_int_t)fitted));
    }
    return checked;
}

/* Replays both. Returns an exit status. */
static int check(const struct fit_options *options, json_t *fit)
{
    static char run[] = "run", w[] = "-w", a[] = "-a", rounds[] = "--rounds", three[] = "3",
                idle[] = "--idle", none[] = "0s", control[] = "--no-control",
                census[] = "--no-census", word[WORD_BYTES], folder[CLI_FOLDER_BYTES];
    char *words[] = {run, w, word, a, options->rows, rounds, three, idle, none, control, census};
    const struct cli_words_run asked = {
        .count = sizeof words / sizeof words[0], .words = words, .name = "fit", .no_table = 1};
    struct cli_samples read;

    int failed = cli_name_workload(word, WORD_BYTES / 2, "trace:file", options->file);
    const size_t length = strlen(word);
    if (!failed)
        failed = cli_name_workload(word + length, WORD_BYTES / 2, "", options->output);
    if (failed)
        return cli_usage_error("fit", "the path of the trace or of the fit is too long");
    word[length] = '|'; /* a sweep: "trace:file=A|B" */
    const int status = cli_run_words(&asked, folder);
    if (!folder[0] || status == CLI_INTERRUPTED || cli_samples_read(&read, "fit", folder) != 0)
        return status ? status : CLI_FAILED;
    json_object_set_new(fit, "checked", compare(&read));
    cli_samples_free(&read);
    printf("run folder: %s\n", folder);
    failed = write_fit(fit, options->output);
    if (failed)
        fprintf(stderr, "tidemark fit: cannot write %s: %s\n", options->output, strerror(-failed));
    return failed ? CLI_FAILED : status;
}

static int fit(const struct fit_options *options, struct trace_reader *reader)
{
    char error[TRACE_ERROR_BYTES];
    struct trace_index index;

    if (trace_index_make(&index, reader, error) != 0)
        return fail(error);
    if (trace_reader_damage(reader))
        fprintf(stderr, "tidemark fit: %s: %s\n", options->file, trace_reader_damage(reader));
    const uint32_t process = trace_largest_process(&index);
    json_t *made = index.makes == 0 ? NULL : trace_fit_make(&index, reader, process, error);
    const int empty = index.makes == 0;
    if (made) {
        tell_others(options->file, &index, process);
        compare_live(made, &index, reader);
    }
    trace_index_free(&index);
    if (!made)
        return fail(empty ? "no block is made in it" : error);
    const int failed = write_fit(made, options->output);
    if (failed)
        fprintf(stderr, "tidemark fit: cannot write %s: %s\n", options->output, strerror(-failed));
    else
        tell(made, options->output);
    const int status = failed ? CLI_FAILED : options->rows ? check(options, made) : CLI_OK;
    json_decref(made);
    return status;
}

int cli_fit(int argc, char **argv)
{
    struct fit_options options = {0};
    char error[TRACE_ERROR_BYTES];
    struct trace_reader *reader;

    argp_parse(&cli_fit_parser, argc, argv, 0, NULL, &options);
    if (trace_reader_open(&reader, options.file, error) != 0)
        return fail(error);
    const int status = fit(&options, reader);
    trace_reader_close(reader);
    return cli_finish("fit", status);
}
