/*
 * tidemark fit: the shape of a trace, to be shown to others. Leaves out the counting
 * (harness/trace/trace_fit.h).
 */
#define _GNU_SOURCE
#include "harness/cli.h"
#include "harness/text.h"
#include "harness/trace/trace_fit.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct fit_options {
    const char *file, *output;
};

static const struct argp_option option_table[] = {
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
    case ARGP_KEY_ARG:
        if (options->file)
            argp_error(state, "one trace, not '%s' too", argument);
        options->file = argument;
        return 0;
    case ARGP_KEY_END:
        if (!options->file || !options->output)
            argp_error(state, "it needs a trace and -o PARAMS");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_fit_parser = {
    .options = option_table,
    .parser = parse,
    .args_doc = "FILE",
    .doc = "Write how many blocks of which size live how long in a trace, and nothing else of it: no "
           "order, no names, no stacks, no times. `tidemark replay PARAMS` makes a program of that "
           "shape and runs it as it would the trace."
           "\vOf each thread, and of each of 64 stretches of equal numbers of blocks, the sizes are "
           "kept in classes of 1/32 with their mean, the lifetimes in four classes a doubling, "
           "counted in blocks that the thread makes meanwhile. A block is freed by who made it, and "
           "a realloc is a malloc and a free.\n\n"
           "Example:\n"
           "  tidemark fit server.trace -o server.fit\n"
           "  tidemark run -w 'trace:file=server.trace|server.fit' -a glibc,jemalloc,mimalloc\n\n"
           "Exit status: 0 written; 1 it could not be; 2 usage.",
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
    size_t i, classes = 0;
    const json_t *thread;

    json_array_foreach(threads, i, thread)
    {
        blocks += json_integer_value(json_object_get(thread, "blocks"));
        classes += json_array_size(json_object_get(thread, "cells")) / 4;
    }
    fprintf(stderr, "tidemark fit: %s: %lld blocks of %zu thread%s in %zu classes\n", output,
            (long long)blocks, json_array_size(threads), json_array_size(threads) == 1 ? "" : "s",
            classes);
    if (left_out > 0)
        fprintf(stderr, "tidemark fit: %lld threads that make fewer blocks are left out\n",
                (long long)left_out);
}

static int fit(const struct fit_options *options, struct trace_reader *reader)
{
    char error[TRACE_ERROR_BYTES];
    struct trace_index index;

    if (trace_index_make(&index, reader, error) != 0)
        return fail(error);
    if (trace_reader_damage(reader))
        fprintf(stderr, "tidemark fit: %s: %s\n", options->file, trace_reader_damage(reader));
    json_t *made = index.makes == 0
                       ? NULL
                       : trace_fit_make(&index, reader, trace_largest_process(&index), error);
    const int empty = index.makes == 0;
    trace_index_free(&index);
    if (!made)
        return fail(empty ? "no block is made in it" : error);
    const int failed = write_fit(made, options->output);
    if (failed)
        fprintf(stderr, "tidemark fit: cannot write %s: %s\n", options->output, strerror(-failed));
    else
        tell(made, options->output);
    json_decref(made);
    return failed ? CLI_FAILED : CLI_OK;
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
    return status;
}
