/*
 * tidemark trace: what is in a trace. Leaves out recording (cli_record.c) and replaying (cli_replay.c).
 */
#define _GNU_SOURCE
#include "harness/cli.h"
#include "harness/trace/trace_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct trace_options {
    const char *file;
    int json;
};

enum { OPTION_JSON = 256 };

static const struct argp_option option_table[] = {
    {"json", OPTION_JSON, NULL, 0, "Print JSON", 1},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct trace_options *options = state->input;

    switch (key) {
    case OPTION_JSON:
        options->json = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (options->file)
            argp_error(state, "one trace, not '%s' too", argument);
        options->file = argument;
        return 0;
    case ARGP_KEY_END:
        if (!options->file)
            argp_error(state, "of which trace? A file of `tidemark record`");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_trace_parser = {
    .options = option_table,
    .parser = parse,
    .args_doc = "FILE",
    .doc = "Print what is in a trace: calls, sizes, how long blocks live, how much is alive over "
           "time, threads, and how many blocks another thread frees than made them."
           "\vA lifetime in bytes is what the same thread asked for between the two calls: it means "
           "the same on a fast machine and a slow one. A trace that was cut off or damaged is shown "
           "up to there, with a warning.\n\n"
           "Example:\n"
           "  tidemark record -o python.trace -- python3 -c 'print(sum(range(10**6)))'\n"
           "  tidemark trace python.trace\n\n"
           "Exit status: 0 printed; 1 it could not be read; 2 usage.",
};

static int fail(const char *message)
{
    fprintf(stderr, "tidemark trace: %s\n", message);
    return CLI_FAILED;
}

static int print(const struct trace_options *options, const char *damage,
                 const struct trace_index *index, const struct trace_summary *summary)
{
    if (damage)
        fprintf(stderr, "tidemark trace: %s: %s\n", options->file, damage);
    if (!options->json) {
        trace_text_print(stdout, options->file, index->good_bytes, damage, index, summary);
        return CLI_OK;
    }
    json_t *document = trace_summary_to_json(summary, index);
    const int failed = document ? json_dumpf(document, stdout, JSON_INDENT(1)) : -1;
    json_decref(document);
    putchar('\n');
    return failed ? fail("not enough memory") : CLI_OK;
}

static int show(const struct trace_options *options, struct trace_reader *reader)
{
    static struct trace_summary summary; /* too large for a stack */
    char error[TRACE_ERROR_BYTES];
    struct trace_index index;

    if (trace_index_make(&index, reader, error) != 0)
        return fail(error);
    /* A second pass ends before the damage, and forgets it. */
    char kept[TRACE_ERROR_BYTES] = "";
    const char *damage = trace_reader_damage(reader);
    if (damage)
        snprintf(kept, sizeof kept, "%s", damage);
    const int failed = trace_summary_make(&summary, &index, reader);
    const int status = failed ? fail(strerror(-failed))
                              : print(options, damage ? kept : NULL, &index, &summary);
    trace_index_free(&index);
    return status;
}

int cli_trace(int argc, char **argv)
{
    struct trace_options options = {0};
    char error[TRACE_ERROR_BYTES];
    struct trace_reader *reader;

    argp_parse(&cli_trace_parser, argc, argv, 0, NULL, &options);
    if (trace_reader_open(&reader, options.file, error) != 0)
        return fail(error);
    const int status = show(&options, reader);
    trace_reader_close(reader);
    return cli_finish("trace", status);
}
