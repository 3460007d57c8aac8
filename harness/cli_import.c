/*
 * tidemark import: a capture that somebody has already, as a trace. Leaves out the formats
 * (harness/trace/import.h).
 */
#define _GNU_SOURCE
#include "harness/cli.h"
#include "harness/grammar.h"
#include "harness/same_file.h"
#include "harness/trace/import.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OPTION_FROM = 256, MOST_FORMATS = 16 };

struct import_options {
    const struct import_format *format;
    const char *input, *output;
};

static const struct argp_option option_table[] = {
    {"from", OPTION_FROM, "FORMAT", 0,
     "mtrace (glibc's mtrace(), text), wl (glibc's trace-utils), heaptrack (unpacked by zstd -d), "
     "valgrind (what --trace-malloc=yes prints) or rep (malloc lab); needed",
     1},
    {"output", 'o', "FILE", 0, "The trace (needed; replaced once all was read)", 1},
    {0},
};

static void choose_format(struct argp_state *state, struct import_options *options,
                          const char *name)
{
    const char *names[MOST_FORMATS];
    char error[GRAMMAR_ERROR_BYTES];
    size_t count = 0;

    for (; import_formats[count].name; count++) {
        names[count] = import_formats[count].name;
        if (strcmp(names[count], name) == 0)
            options->format = &import_formats[count];
    }
    if (options->format)
        return;
    snprintf(error, sizeof error, "--from: '%.64s' is no format", name);
    grammar_suggest(error, sizeof error, name, names, count);
    argp_error(state, "%s", error);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct import_options *options = state->input;

    switch (key) {
    case OPTION_FROM:
        choose_format(state, options, argument);
        return 0;
    case 'o':
        options->output = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (options->input)
            argp_error(state, "one capture, not '%s' too", argument);
        options->input = argument;
        return 0;
    case ARGP_KEY_END:
        if (!options->input || !options->format || !options->output)
            argp_error(state, "it needs a capture, --from FORMAT and -o FILE");
        else if (same_file_replaces(options->output, options->input))
            argp_error(state, "-o '%s' would replace the capture '%s' itself", options->output,
                       options->input);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_import_parser = {
    .options = option_table,
    .parser = parse,
    .args_doc = "CAPTURE",
    .doc =
        "Turn what another tool captured of a program's mallocs into a trace, for `tidemark "
        "trace` and `tidemark replay`."
        "\vA trace has what the capture has: only wl knows threads, only heaptrack times. mtrace "
        "tells every new block alike, and heaptrack not which of equal blocks is freed: the "
        "oldest is then. Frees of blocks that were never made are left out, and counted.\n\n"
        "Example:\n"
        "  valgrind --trace-malloc=yes ls 2>&1 >/dev/null | tee ls.txt >/dev/null\n"
        "  tidemark import --from valgrind -o ls.trace ls.txt\n\n"
        "Exit status: 0 written; 1 it could not be read, or nothing is in it; 2 usage.",
};

static void warn(uint64_t count, const char *what)
{
    if (count > 0)
        fprintf(stderr, "tidemark import: %llu %s\n", (unsigned long long)count, what);
}

int cli_import(int argc, char **argv)
{
    struct import_options options = {0};
    struct import_counts counts;
    char error[IMPORT_ERROR_BYTES], partial[PATH_MAX];

    argp_parse(&cli_import_parser, argc, argv, 0, NULL, &options);
    if (snprintf(partial, sizeof partial, "%s.partial", options.output) >= PATH_MAX)
        return cli_usage_error("import", "the name of the file is too long");
    unlink(partial); /* of an import that was killed */
    if (import_run(options.format, options.input, partial, &counts, error) != 0) {
        fprintf(stderr, "tidemark import: %s\n", error);
        return CLI_FAILED;
    }
    if (rename(partial, options.output) != 0) {
        perror("tidemark import");
        unlink(partial);
        return CLI_FAILED;
    }
    fprintf(stderr, "tidemark import: %s: %llu events of %llu thread%s\n", options.output,
            (unsigned long long)counts.events, (unsigned long long)counts.threads,
            counts.threads == 1 ? "" : "s");
    warn(counts.unknown, "frees of blocks that were never made: left out");
    warn(counts.unseen,
         "blocks that were never freed, and whose place was given again: ended there");
    if (counts.odd > 0)
        fprintf(stderr, "tidemark import: %llu lines are not understood, the first is line %llu\n",
                (unsigned long long)counts.odd, (unsigned long long)counts.first_odd);
    return CLI_OK;
}
