/* tidemark overhead: what the harness adds. Leaves out the measuring (harness/overhead.h). */
#define _GNU_SOURCE
#include "harness/cli.h"
#include "harness/interrupts.h"
#include "harness/json_file.h"
#include "harness/overhead.h"
#include "harness/overhead_record.h"
#include "harness/text.h"

#include <stdio.h>

enum { OPTION_RECORD = 256 };

struct overhead_cli {
    struct overhead_options options;
    char **command; /* to be recorded; NULL: ours */
    int records, json;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct overhead_cli *cli = state->input;
    uint64_t rounds;

    switch (key) {
    case 'r':
        if (text_parse_number(argument, 1, 1000, &rounds) != 0)
            argp_error(state, "--rounds: '%s' is no number between 1 and 1000", argument);
        cli->options.rounds = (unsigned)rounds;
        return 0;
    case 's':
        if (text_parse_bytes(argument, &cli->options.resident_bytes) != 0 ||
            cli->options.resident_bytes < 16u << 20 || cli->options.resident_bytes > 64ull << 30)
            argp_error(state, "--size: '%s' is no size between 16MiB and 64GiB", argument);
        return 0;
    case 'j':
        cli->json = 1;
        return 0;
    case OPTION_RECORD:
        cli->records = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (!state->quoted || state->next <= state->quoted)
            argp_error(state, "'%s'? A command to record stands behind --", argument);
        cli->command = &state->argv[state->next - 1];
        state->next = state->argc;
        return 0;
    case ARGP_KEY_END:
        if (cli->command && !cli->records)
            argp_error(state, "a command is for --record");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_table[] = {
    {"rounds", 'r', "N", 0, "Pairs of children, 1 to 1000 (default 10)", 0},
    {"size", 's', "SIZE", 0, "Resident memory of the children, 16MiB to 64GiB (default 1GiB)", 0},
    {"record", OPTION_RECORD, NULL, 0,
     "Measure `tidemark record` instead: a program as it is, recorded, with call stacks, and under "
     "heaptrack where that is installed",
     0},
    {"json", 'j', NULL, 0, "Print JSON", 0},
    {0},
};

const struct argp cli_overhead_parser = {
    .options = option_table,
    .parser = parse,
    .args_doc = "[--record [-- COMMAND...]]",
    .doc = "Measure what the harness itself adds on this machine: calls through pointers, the "
           "slow-down of a child that is sampled each millisecond against each second, the "
           "harness's own processor time and memory, the wait at a phase's end, and what recording "
           "every block by its call stack (tidemark snapshot), watching each system call (--passes "
           "ledger) and timing each call of the allocator (--passes latency) cost."
           "\vA malloc and a free that do nothing are measured three times in one process of "
           "tidemark-micro each round, interleaved at random, by Google Benchmark: the loop around "
           "them by itself, the two called by name, the two called through struct allocator_ops as "
           "every workload does. Nothing is subtracted from the three. `dispatch`, which has the "
           "aim, is the third less the second: what the contract adds to a malloc and a free. The "
           "calls themselves, which any program makes, are the second less the first.\n\n"
           "--record runs whole commands one after another, COMMAND or a program of ours that "
           "factors numbers and does hardly anything but malloc and free. All that a command takes "
           "counts, until its file is written; `record_program` is the part that the program "
           "itself waits for. It reads nothing, what it writes is thrown away, and its status must "
           "be 0. The trace is then replayed on `null`, whose calls cost next to nothing: "
           "`replay_null` is how many operations a second, all threads together, `replay_bytes` "
           "what is resident when that replay begins, less what is resident with a trace of a few "
           "calls, over the operations of the trace; n/a below 1 MiB. Both are n/a for a trace "
           "with a block above 1 MiB, of which `null` has none.\n\n"
           "Ctrl-C, SIGTERM and SIGHUP end what runs, with all that it started, and leave no file: "
           "the figures of the rounds that were done are printed, and that it was interrupted.\n\n"
           "Example:\n"
           "  tidemark overhead\n"
           "  tidemark overhead --rounds 20 --size 256MiB --json\n"
           "  tidemark overhead --record --rounds 6 -- python3 script.py\n\n"
           "Exit status: 0 measured; 1 it could not be; 2 usage; 130 interrupted.",
};

static double number_in(const json_t *figure, const char *key)
{
    return json_number_value(json_object_get(figure, key));
}

static int is_least(const json_t *figure)
{
    return json_is_true(json_object_get(figure, "aim_is_least"));
}

/* A median alone meets no aim: its interval has to. */
static const char *verdict(const json_t *figure)
{
    if (!json_is_number(json_object_get(figure, "low")))
        return "too few rounds to tell (6 give an interval)";
    const double aim = number_in(figure, "aim"), low = number_in(figure, "low"),
                 high = number_in(figure, "high");
    if (is_least(figure) ? low >= aim : high <= aim)
        return "met";
    return (is_least(figure) ? high < aim : low > aim) ? "not met here"
                                                       : "cannot tell: more rounds";
}

static void print_figure(const json_t *figure)
{
    printf("%-24s %9.2f %-3s", json_text(figure, "name"), number_in(figure, "median"),
           json_text(figure, "unit"));
    if (json_is_number(json_object_get(figure, "low")))
        printf(" [%.2f, %.2f]", number_in(figure, "low"), number_in(figure, "high"));
    if (json_is_number(json_object_get(figure, "aim")))
        printf("  aim: at %s %g; %s", is_least(figure) ? "least" : "most", number_in(figure, "aim"),
               verdict(figure));
    printf("\n%-24s %s\n", "", json_text(figure, "summary"));
}

static void print_all(const struct overhead_cli *cli, const json_t *all)
{
    size_t i;
    const json_t *figure;

    if (!cli->json) {
        json_array_foreach(all, i, figure) print_figure(figure);
        return;
    }
    json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    putchar('\n');
}

/* Whatever came of it. Returns an exit status. */
static int measure(const struct overhead_cli *cli, const struct program_paths *paths)
{
    char error[OVERHEAD_ERROR_BYTES] = "";
    unsigned done = 0;
    struct interrupts interrupts;

    interrupts_catch(&interrupts);
    json_t *all = cli->records ? overhead_record_measure(cli->command, cli->options.rounds, paths,
                                                         &done, error)
                               : overhead_measure(&cli->options, paths, &done, error);
    const int is_interrupted = *interrupts_noted() != 0;
    interrupts_release(&interrupts);
    if (all)
        print_all(cli, all);
    json_decref(all);
    if (is_interrupted && done < cli->options.rounds) {
        fprintf(stderr, "tidemark overhead: interrupted; %u of %u rounds were done%s\n", done,
                cli->options.rounds, done ? ", and the figures are those of them" : "");
        return CLI_INTERRUPTED;
    }
    if (!all)
        fprintf(stderr, "tidemark overhead: %s\n", error);
    return all ? CLI_OK : CLI_FAILED;
}

int cli_overhead(int argc, char **argv)
{
    struct overhead_cli cli = {.options = {.rounds = 10, .resident_bytes = 1u << 30}};
    struct program_paths paths;

    argp_parse(&cli_overhead_parser, argc, argv, ARGP_IN_ORDER, NULL, &cli);
    if (cli_refuse_sanitized("overhead"))
        return CLI_FAILED;
    if (cli_find_programs("overhead", &paths) != CLI_OK)
        return CLI_FAILED;
    const int status = measure(&cli, &paths);
    return cli_finish("overhead", status);
}
