/*
 * tidemark replay: a run of the workload `trace` (workloads/trace.c). Leaves out all that a run
 * does (cli_run.c), whose options it takes.
 */
#define _GNU_SOURCE
#include "harness/cli.h"
#include "workloads/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_PACE = 256, WORD_BYTES = 2 * WORKLOAD_TEXT_BYTES + 64 };

static const struct argp_option option_table[] = {
    {"pace", OPTION_PACE, NULL, 0, "Keep the program's rests of 10 ms and more", 1},
    {0},
};

/* Only what stands before a trace comes here: help, or a mistake. */
static error_t parse(int key, char *argument, struct argp_state *state)
{
    (void)argument;
    if (key == OPTION_PACE || key == ARGP_KEY_END)
        argp_error(state, "which trace? A file of `tidemark record`, before all options");
    return ARGP_ERR_UNKNOWN;
}

const struct argp cli_replay_parser = {
    .options = option_table,
    .parser = parse,
    .args_doc = "FILE -a ROW,... [OPTION of tidemark run...]",
    .doc =
        "Run what `tidemark record` recorded once more on each row: `tidemark run -w "
        "trace:file=FILE`, with all of its options. Each thread does its calls in their order; a "
        "block that another thread frees is waited for, and nothing else is. A block is written "
        "to once, a byte of each page. What the program did in between is left out, so that time "
        "is the allocator's and its memory's."
        "\vThe trace is compiled before the run into a file without a name in TMPDIR (or /tmp), "
        "of 8 to 16 bytes a call, whose pages are there before the baseline: no figure counts "
        "them. Of a trace with several processes that with the most calls is replayed.\n\n"
        "Example:\n"
        "  tidemark replay python.trace -a glibc,jemalloc,mimalloc --rounds 6 --report\n"
        "  tidemark replay python.trace -a jemalloc --return stock,idle,purge --pace\n\n"
        "Exit status: 0 done; 1 a sample crashed, hung or broke a limit, or the run could not be "
        "stored; 2 usage; 130 interrupted.",
};

int cli_replay(int argc, char **argv)
{
    static char run[] = "run", workload_option[] = "-w", word[WORD_BYTES];
    static const char pace[] = ",pace=recorded";
    int is_paced = 0, count = 0;

    if (argc < 2 || argv[1][0] == '-')
        argp_parse(&cli_replay_parser, argc, argv, 0, NULL, NULL);
    char **passed = calloc((size_t)argc + 3, sizeof *passed);
    if (!passed)
        return CLI_FAILED;
    passed[count++] = run;
    passed[count++] = workload_option;
    passed[count++] = word;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--pace") == 0)
            is_paced = 1;
        else
            passed[count++] = argv[i];
    }
    const int named = cli_name_workload(word, WORD_BYTES - sizeof pace, "trace:file", argv[1]);
    if (is_paced)
        snprintf(word + strlen(word), sizeof pace, "%s", pace);
    const int status = named == 0 ? cli_run(count, passed)
                                  : cli_usage_error("replay", "the path of the trace is too long");
    free(passed);
    return status;
}
