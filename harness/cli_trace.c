/*
 * tidemark trace: what is in a trace. Leaves out recording (cli_record.c) and replaying
 * (cli_replay.c).
 */
#define _GNU_SOURCE
#include "harness/cli.h"
#include "harness/same_file.h"
#include "harness/snapshot_symbols.h"
#include "harness/trace/trace_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct trace_options {
    const char *file, *figure;
    int json;
};

enum { OPTION_JSON = 256, OPTION_FIGURE, MOST_SITES = 10 };

static const struct argp_option option_table[] = {
    {"figure", OPTION_FIGURE, "FILE", 0,
     "Draw live memory over time, sizes and lifetimes to FILE, .png or .svg", 1},
    {"json", OPTION_JSON, NULL, 0, "Print JSON", 1},
    {0},
};

static int ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), tail = strlen(end);

    return length > tail && strcmp(text + length - tail, end) == 0;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct trace_options *options = state->input;

    switch (key) {
    case OPTION_JSON:
        options->json = 1;
        return 0;
    case OPTION_FIGURE:
        if (!ends_with(argument, ".png") && !ends_with(argument, ".svg"))
            argp_error(state, "--figure: '%s' ends neither in .png nor in .svg", argument);
        options->figure = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (options->file)
            argp_error(state, "one trace, not '%s' too", argument);
        options->file = argument;
        return 0;
    case ARGP_KEY_END:
        if (!options->file)
            argp_error(state, "of which trace? A file of `tidemark record`");
        else if (options->figure && same_file(options->figure, options->file))
            argp_error(state, "--figure '%s' would replace the trace itself", options->figure);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_trace_parser = {
    .options = option_table,
    .parser = parse,
    .args_doc = "FILE",
    .doc =
        "Print what is in a trace: calls, sizes, how long blocks live, how much is alive over "
        "time, threads, how many blocks another thread frees than made them, and, of a trace with "
        "--stacks, which call stacks asked for most."
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

/* By way of a file with the JSON. Returns an exit status. */
static int draw(const char *figure, const json_t *document)
{
    const char *folder = getenv("TMPDIR");
    struct program_paths paths;
    char name[512];

    if (cli_find_programs("trace", &paths) != CLI_OK)
        return CLI_FAILED;
    snprintf(name, sizeof name, "%.480s/tidemark-trace-XXXXXX",
             folder && folder[0] ? folder : "/tmp");
    const int fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0)
        return fail("no temporary file in TMPDIR, or /tmp");
    int status = json_dumpfd(document, fd, JSON_COMPACT) == 0 ? CLI_OK : CLI_FAILED;
    if (close(fd) != 0 || status != CLI_OK)
        status = fail("the temporary file could not be written");
    else
        status = cli_draw("trace", paths.trace_script, name, figure);
    unlink(name);
    return status;
}

static void print_text(const struct trace_options *options, const char *damage,
                       const struct trace_index *index, const struct trace_summary *summary,
                       const json_t *document)
{
    trace_text_print(stdout, options->file, index->good_bytes, damage, index, summary);
    trace_text_print_sites(stdout, summary, json_object_get(document, "sites"));
}

static int print(const struct trace_options *options, const char *damage,
                 const struct trace_index *index, const struct trace_summary *summary,
                 const struct trace_sites *sites)
{
    if (damage)
        fprintf(stderr, "tidemark trace: %s: %s\n", options->file, damage);
    json_t *document = trace_summary_to_json(summary, index);
    json_object_set_new(document, "sites",
                        trace_sites_to_json(sites, MOST_SITES, snapshot_symbols_add));
    int status = options->figure ? draw(options->figure, document) : CLI_OK;
    if (!options->json)
        print_text(options, damage, index, summary, document);
    else if (json_dumpf(document, stdout, JSON_INDENT(1)) != 0)
        status = fail("not enough memory");
    else
        putchar('\n');
    json_decref(document);
    return status;
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
    struct trace_sites *sites = NULL;
    int failed = trace_sites_read(&sites, &index, reader);
    if (!failed)
        failed = trace_summary_make(&summary, &index, sites, reader);
    const int status = failed
                           ? fail(failed == -EBADMSG ? "its call stacks are not as they should be"
                                                     : strerror(-failed))
                           : print(options, damage ? kept : NULL, &index, &summary, sites);
    trace_sites_free(sites);
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
