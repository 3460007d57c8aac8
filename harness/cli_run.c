/*
 * tidemark run: from the command line to a plan, and from the plan to a run. Leaves out
 * what a resumed run needs (harness/run_start.h).
 */
#define _GNU_SOURCE
#include "harness/cli.h"
#include "harness/json_file.h"
#include "harness/machine.h"
#include "harness/memory_parent.h"
#include "harness/pass.h"
#include "harness/program_cells.h"
#include "harness/proof.h"
#include "harness/run_plan.h"
#include "harness/runner.h"
#include "harness/scale.h"
#include "harness/suite.h"
#include "harness/table.h"
#include "harness/text.h"
#include "harness/trace_files.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Strings as given; an empty one was not given. */
struct run_options {
    struct run_choice choice;
    const char *folder;
    double scale;
    uint64_t seed;
    uint64_t tick_ns;
    uint64_t timeout_ns;
    uint64_t memory_limit_bytes; /* 0: 80 % of what is available */
    uint64_t warm_up_bytes;
    int no_control;
    int no_repeats;
    unsigned passes;  /* a set (harness/pass.h) */
    int chose_passes; /* 0: as the suite says */
    int no_census;
    int dry_run;
    int report;
    const char *resume;      /* an earlier run to finish */
    const char *of_new_runs; /* an option given that only a new run takes */
    const char *name;        /* of a folder of its own: results/TIME-NAME; NULL: the suite's */
    char *folder_used;       /* for another command (CLI_FOLDER_BYTES); or NULL */
    int no_table;
};

enum option_key {
    OPTION_HOST = 256,
    OPTION_SCALE,
    OPTION_ROUNDS,
    OPTION_IDLE,
    OPTION_TICK,
    OPTION_TIMEOUT,
    OPTION_MEMORY_LIMIT,
    OPTION_WARM_UP,
    OPTION_NO_CONTROL,
    OPTION_NO_REPEATS,
    OPTION_PASSES,
    OPTION_NO_CENSUS,
    OPTION_SEED,
    OPTION_RETURN,
    OPTION_ACTIVITY,
    OPTION_THP,
    OPTION_REBUILD,
    OPTION_REPORT,
    OPTION_RESUME,
};

static const struct argp_option option_table[] = {
    {"allocator", 'a', "ROW", 0,
     "Rows, separated by commas: name, name+tunable:value, pymalloc@name; a name may be the full "
     "path of a malloc library or a plug-in; may be repeated",
     1},
    {"workload", 'w', "WORKLOAD", 0,
     "name:param=value,...; a value may be a sweep (1|2, 1..8, 1M..16M*2); may be repeated", 1},
    {"host", OPTION_HOST, "HOST", 0,
     "objects (default), python3, or a path to a CPython; with -w; may be repeated", 1},
    {"scale", OPTION_SCALE, "FACTOR", 0,
     "Multiply what workloads do and hold, named or usual, 0.001 to 1000 (default 1: made for 2 "
     "cores and 8 GiB)",
     2},
    {"rounds", OPTION_ROUNDS, "N", 0,
     "Samples of each cell, 1 to 1000 (default 6: the fewest with a 95 % interval)", 2},
    {"idle", OPTION_IDLE, "TIME", 0,
     "How long a workload waits at its end, up to 10min (default 0.5s; 30s for --return idle)", 2},
    {"return", OPTION_RETURN, "MODE,...", 0,
     "How memory is given back after the last free (default stock): stock, idle (a long rest), "
     "eager (with the allocator's tunables that give back soonest), purge (asked for all it can), "
     "pressure (the kernel takes what it can get); in each but stock the workload runs once more "
     "afterwards, which shows what taking memory again costs",
     2},
    {"activity", OPTION_ACTIVITY, "TIME,...", 0,
     "With --return idle: take, write and free an object of 64 bytes and a buffer of 64 KiB each "
     "TIME of the rest, 1ms to 10s, or off (default off)",
     2},
    {"thp", OPTION_THP, "on|off,...", 0,
     "Transparent huge pages: off for the child, or on where the system's setting is always "
     "(default system, as they are)",
     2},
    {"rebuild", OPTION_REBUILD, NULL, 0, "Run the workload once more in stock too", 2},
    {"seed", OPTION_SEED, "N", 0, "Orders the rounds and seeds the workloads (default 1)", 2},
    {"tick", OPTION_TICK, "TIME", 0, "Sampling interval, 100us to 1s (default 1ms)", 2},
    {"timeout", OPTION_TIMEOUT, "TIME", 0,
     "Limit of a sample's time beyond its idle time, 1s to 60min (default 2min)", 3},
    {"memory-limit", OPTION_MEMORY_LIMIT, "SIZE", 0,
     "Limit of a sample's memory, 16MiB or more (default 80 % of what is available): the kernel "
     "keeps it, on all that is charged to a memory cgroup of the sample, where such a group can be "
     "made; else the sampler, on what is resident at a tick",
     3},
    {"warm-up", OPTION_WARM_UP, "SIZE", 0,
     "Memory that is touched before the first sample, at most a quarter of what is available; 0 "
     "for none (default 1GiB)",
     3},
    {"no-control", OPTION_NO_CONTROL, NULL, 0,
     "Measure no row twice: the run then shows no noise floor", 3},
    {"no-repeats", OPTION_NO_REPEATS, NULL, 0,
     "Run no round once more, whatever else used the machine", 3},
    {"passes", OPTION_PASSES, "LIST", 0,
     "What to look at after the rounds, in one further child of each cell for each, separated by "
     "commas, or all or none: census, every pool of an allocator that can tell of them; latency, "
     "how long each call took; ledger, the system calls that map, give back or advise on memory; "
     "pages, what the program holds, the pages that this takes, and what is held back (default: as "
     "the suite says, else census)",
     3},
    {"no-census", OPTION_NO_CENSUS, NULL, 0,
     "The same passes without census: tidemark stats then has nothing to tell", 3},
    {"output", 'o', "FOLDER", 0, "The run folder, new or empty (default results/TIME-SUITE)", 4},
    {"report", OPTION_REPORT, NULL, 0, "Draw the report when the run has ended", 4},
    {"dry-run", 'n', NULL, 0, "Print the plan and measure nothing", 4},
    {"resume", OPTION_RESUME, "RUN", 0,
     "Finish an interrupted run by its own plan; goes with --report alone", 5},
    {0},
};

struct duration_option {
    const char *name;
    const char *bounds; /* as a user would write them */
    uint64_t minimum_ns, maximum_ns;
};

static const struct duration_option idle_option = {"--idle", "0s and 10min", 0, 600000000000};
static const struct duration_option tick_option = {"--tick", "100us and 1s", 100000, 1000000000};
static const struct duration_option timeout_option = {"--timeout", "1s and 60min", 1000000000,
                                                      3600000000000};

static void read_duration(struct argp_state *state, const struct duration_option *option,
                          const char *text, uint64_t *duration_ns)
{
    uint64_t read;

    if (text_parse_duration(text, &read) != 0 || read < option->minimum_ns ||
        read > option->maximum_ns)
        argp_error(state, "%s: '%s' is no time between %s (written 250us, 1ms, 0.5s or 2min)",
                   option->name, text, option->bounds);
    *duration_ns = read;
}

static const struct duration_option activity_option = {"--activity", "1ms and 10s", 1000000,
                                                       10000000000};

enum { WORD_BYTES = 32 };

/* The next of words separated by commas, and what is behind it. A word that is too long is cut,
 * and so is none that is accepted. */
static const char *next_word(const char *text, char *word)
{
    size_t length = strcspn(text, ",");

    snprintf(word, WORD_BYTES, "%.*s", (int)length, text);
    return text[length] == ',' ? text + length + 1 : NULL;
}

static void read_modes(struct argp_state *state, struct run_ways *ways, const char *text)
{
    const char *names[RETURN_MODES];
    char word[WORD_BYTES], error[GRAMMAR_ERROR_BYTES];
    enum return_mode mode = RETURN_STOCK;

    for (size_t i = 0; i < RETURN_MODES; i++)
        names[i] = return_mode_name((enum return_mode)i);
    while (text) {
        text = next_word(text, word);
        if (return_mode_parse(word, &mode) != 0) {
            snprintf(error, sizeof error, "--return: '%s' is no mode", word);
            grammar_suggest(error, sizeof error, word, names, RETURN_MODES);
            argp_error(state, "%s", error);
        }
        for (size_t i = 0; i < ways->mode_count; i++) {
            if (ways->modes[i] == mode)
                argp_error(state, "--return: %s is given twice", word);
        }
        ways->modes[ways->mode_count++] = mode;
    }
}

static void read_thps(struct argp_state *state, struct run_ways *ways, const char *text)
{
    char word[WORD_BYTES];
    enum return_thp thp = RETURN_THP_SYSTEM;

    while (text) {
        text = next_word(text, word);
        if (return_thp_parse(word, &thp) != 0)
            argp_error(state, "--thp: '%s' is neither on nor off nor system", word);
        for (size_t i = 0; i < ways->thp_count; i++) {
            if (ways->thps[i] == thp)
                argp_error(state, "--thp: %s is given twice", word);
        }
        ways->thps[ways->thp_count++] = thp;
    }
}

static void read_activities(struct argp_state *state, struct run_ways *ways, const char *text)
{
    char word[WORD_BYTES];

    while (text) {
        uint64_t interval_ns = 0;
        text = next_word(text, word);
        if (strcmp(word, "off") != 0)
            read_duration(state, &activity_option, word, &interval_ns);
        for (size_t i = 0; i < ways->activity_count; i++) {
            if (ways->activities_ns[i] == interval_ns)
                argp_error(state, "--activity: %s is given twice", word);
        }
        if (ways->activity_count == RUN_MOST_INTERVALS)
            argp_error(state, "--activity: more than %d intervals", RUN_MOST_INTERVALS);
        ways->activities_ns[ways->activity_count++] = interval_ns;
    }
}

static void read_number(struct argp_state *state, const char *option, const char *text,
                        uint64_t minimum, uint64_t maximum, uint64_t *number)
{
    if (text_parse_number(text, minimum, maximum, number) != 0)
        argp_error(state, "%s: '%s' is no number between %" PRIu64 " and %" PRIu64, option, text,
                   minimum, maximum);
}

static void add_word(struct argp_state *state, const char **words, size_t *count, const char *word)
{
    if (*count == RUN_MOST_WORDS)
        argp_error(state, "more than %d of one option", RUN_MOST_WORDS);
    words[(*count)++] = word;
}

/* Remembers the first word that --resume excludes: the plan of an earlier run is not changed. */
static void note_option(struct run_options *options, int key, const char *argument)
{
    if (options->of_new_runs || key == OPTION_REPORT || key == OPTION_RESUME)
        return;
    if (key == ARGP_KEY_ARG)
        options->of_new_runs = argument;
    for (const struct argp_option *option = option_table; option->name; option++) {
        if (option->key == key)
            options->of_new_runs = option->name;
    }
}

static int has_mode(const struct run_ways *ways, enum return_mode mode)
{
    for (size_t i = 0; i < ways->mode_count; i++) {
        if (ways->modes[i] == mode)
            return 1;
    }
    return 0;
}

static void check_conflicts(const struct run_options *options, struct argp_state *state)
{
    if (options->resume && options->of_new_runs)
        argp_error(state, "--resume runs the plan as it is stored: not with %s%s",
                   options->of_new_runs == options->choice.suite ? "the suite " : "--",
                   options->of_new_runs);
    if (options->choice.suite && options->choice.workload_count)
        argp_error(state, "a suite names its own workloads: give '%s' or -w, not both",
                   options->choice.suite);
    if (options->choice.ways.activity_count > 0 && !has_mode(&options->choice.ways, RETURN_IDLE))
        argp_error(state, "--activity is of the rest of --return idle: name that mode too");
    if (options->choice.host_count && !options->choice.workload_count)
        argp_error(state, "--host goes with -w: a suite names its own hosts");
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct run_options *options = state->input;
    char error[ROW_ERROR_BYTES], why[PASS_ERROR_BYTES];

    note_option(options, key, argument);
    switch (key) {
    case 'a':
        if (row_list_add(&options->choice.rows, argument, error) != 0)
            argp_error(state, "%s", error);
        return 0;
    case 'w':
        add_word(state, options->choice.workloads, &options->choice.workload_count, argument);
        return 0;
    case OPTION_HOST:
        add_word(state, options->choice.hosts, &options->choice.host_count, argument);
        return 0;
    case OPTION_SCALE:
        if (scale_parse(argument, &options->scale) != 0)
            argp_error(state, "--scale: '%s' is no factor from 0.001 to 1000 (written 2 or 0.25)",
                       argument);
        return 0;
    case OPTION_ROUNDS:
        read_number(state, "--rounds", argument, 1, PLAN_MOST_ROUNDS, &options->choice.rounds);
        return 0;
    case OPTION_SEED:
        read_number(state, "--seed", argument, 0, INT64_MAX, &options->seed);
        return 0;
    case OPTION_IDLE:
        read_duration(state, &idle_option, argument, &options->choice.idle_ns);
        return 0;
    case OPTION_RETURN:
        read_modes(state, &options->choice.ways, argument);
        return 0;
    case OPTION_ACTIVITY:
        read_activities(state, &options->choice.ways, argument);
        return 0;
    case OPTION_THP:
        read_thps(state, &options->choice.ways, argument);
        return 0;
    case OPTION_REBUILD:
        options->choice.ways.rebuilds = 1;
        return 0;
    case OPTION_TICK:
        read_duration(state, &tick_option, argument, &options->tick_ns);
        return 0;
    case OPTION_TIMEOUT:
        read_duration(state, &timeout_option, argument, &options->timeout_ns);
        return 0;
    case OPTION_MEMORY_LIMIT:
        if (text_parse_bytes(argument, &options->memory_limit_bytes) != 0 ||
            options->memory_limit_bytes < 16u << 20)
            argp_error(state,
                       "--memory-limit: '%s' is no size of 16MiB or more (written 512MiB or 4GiB)",
                       argument);
        return 0;
    case OPTION_WARM_UP:
        if (text_parse_bytes(argument, &options->warm_up_bytes) != 0 ||
            options->warm_up_bytes > INT64_MAX)
            argp_error(state, "--warm-up: '%s' is no size (written 0, 512MiB or 4GiB)", argument);
        return 0;
    case OPTION_NO_CONTROL:
        options->no_control = 1;
        return 0;
    case OPTION_NO_REPEATS:
        options->no_repeats = 1;
        return 0;
    case OPTION_PASSES:
        if (pass_parse_set(argument, &options->passes, why) != 0)
            argp_error(state, "--passes: %s", why);
        options->chose_passes = 1;
        return 0;
    case OPTION_NO_CENSUS:
        options->no_census = 1;
        return 0;
    case OPTION_REPORT:
        options->report = 1;
        return 0;
    case OPTION_RESUME:
        options->resume = argument;
        return 0;
    case 'o':
        options->folder = argument;
        return 0;
    case 'n':
        options->dry_run = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (options->choice.suite)
            argp_error(state, "one suite at a time, not '%s' too", argument);
        options->choice.suite = argument;
        return 0;
    case ARGP_KEY_END:
        check_conflicts(options, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_run_parser = {
    .options = option_table,
    .parser = parse,
    .args_doc = "[SUITE]",
    .doc =
        "Measure a suite (quick when nothing is named), or the workloads of -w on the rows of "
        "-a, each sample in a fresh process, into a new run folder. With a suite, -a replaces "
        "its rows; its long idle cells keep their own rounds and idle time. With -w, "
        "parameters that are not named take the quick suite's values, and without -a the rows "
        "are pymalloc, glibc, jemalloc, mimalloc and tcmalloc. A row may have a label, "
        "lean=jemalloc+dirty_decay_ms:0. That its tunables take effect is proved before the first "
        "sample, as far as the allocator can be asked or seen. Before each sample a canary, the "
        "same little work each time, tells whether something else uses the machine: where it does, "
        "the round of all that is compared is run once more at the end, and both count. From six "
        "rounds and two rows on, one row of each workload is measured twice, which shows the "
        "noise. After all rounds each cell whose allocator can tell of its pools is run once more, "
        "untimed, for its census, which `tidemark stats` prints, and so for what else --passes "
        "asks for. Each finished sample is stored "
        "before the next one starts: Ctrl-C keeps what was "
        "measured, and --resume goes on from there, with the same build and libraries on the same "
        "machine."
        "\vExample:\n"
        "  tidemark run quick --report\n"
        "  tidemark run -w 'del_collect:n=8M..32M*2' -a pymalloc \\\n"
        "      -a pymalloc@glibc+tcache_count:0\n"
        "  tidemark run -w 'list_lifetime:how=local|cycle_collect' -a pymalloc \\\n"
        "      --host objects --host python3\n"
        "  tidemark run --resume results/2026-01-31T120000Z-quick\n\n"
        "Exit status: 0 done; 1 a sample crashed, hung or broke a limit, or the run could not "
        "be stored; 2 usage; 130 interrupted.",
};

static int fail(const char *message)
{
    fprintf(stderr, "tidemark run: %s\n", message);
    return CLI_FAILED;
}

static unsigned chosen_passes(const struct run_options *options)
{
    const struct suite *suite = run_plan_suite(&options->choice);
    unsigned passes = pass_bit(&census_pass);
    char error[PASS_ERROR_BYTES];

    if (options->chose_passes)
        passes = options->passes;
    else if (suite && suite->passes && pass_parse_set(suite->passes, &passes, error) != 0)
        abort(); /* suite.c names what there is */
    return options->no_census ? passes & ~pass_bit(&census_pass) : passes;
}

/* Whether there can be groups is known before the run, so that the plan says so. */
static void look_for_pressure(struct plan *plan)
{
    struct memory_parent parent;

    if (!plan_needs_pressure(plan))
        return;
    memory_parent_open(&parent);
    if (parent.version == 0)
        plan_rule_out_pressure(plan, parent.reason);
    memory_parent_close(&parent);
}

static int make_plan(struct plan *plan, const struct run_options *options, char *error)
{
    plan->scale = options->scale;
    plan->seed = options->seed;
    plan->tick_ns = options->tick_ns;
    plan->timeout_ns = options->timeout_ns;
    plan->memory_limit_bytes = options->memory_limit_bytes ? options->memory_limit_bytes
                                                           : machine_available_bytes() / 5 * 4;
    plan->warm_up_bytes = options->warm_up_bytes;
    plan->repeat_dirty = !options->no_repeats;
    int failed = run_plan_cells(plan, &options->choice, error);

    if (!failed)
        failed = trace_files_prepare(plan, error);
    if (!failed) {
        plan->passes = chosen_passes(options);
        look_for_pressure(plan);
    }
    return failed;
}

static void print_plan(const struct plan *plan)
{
    const struct return_way usual = {0};
    char parameters[128], idle[TEXT_NUMBER_BYTES], way[RETURN_WAY_TEXT_BYTES];

    for (size_t i = 0; i < plan->cell_count; i++) {
        const struct cell *cell = &plan->cells[i];
        printf("%s:%s  row %s  host %s  idle %s  rounds %u", cell->workload->name,
               cell_format_parameters(cell, parameters, sizeof parameters), cell->row.text,
               cell->host.text, text_format_duration(idle, (double)cell->idle_ns), cell->rounds);
        if (!return_way_is_same(&cell->way, &usual))
            printf("  return %s%s", return_way_text(&cell->way, way),
                   cell->way.rebuilds ? ", rebuilt" : "");
        if (cell->not_available[0])
            printf("  n/a: %s", cell->not_available);
        if (cell->is_control)
            printf("  control");
        putchar('\n');
    }
    printf("%zu cells", plan->cell_count - plan_controls(plan));
    if (plan_controls(plan) > 0)
        printf(" + %zu control cell%s", plan_controls(plan), plan_controls(plan) == 1 ? "" : "s");
    printf(", %zu samples, seed %" PRIu64, plan_samples(plan), plan->seed);
    if (plan->scale != 1)
        printf(", scale %g", plan->scale);
    putchar('\n');
}

static const char *default_folder(const struct plan *plan, const struct run_options *options,
                                  char *path, size_t path_bytes)
{
    const char *name = options->name ? options->name : plan->suite[0] ? plan->suite : "run";
    char utc[32], stamp[32];
    size_t used = 0;

    /* A colon in a name troubles make, rsync and Windows: 2026-01-31T120000Z. */
    machine_utc_now(utc);
    for (const char *at = utc; *at; at++) {
        if (*at != ':')
            stamp[used++] = *at;
    }
    stamp[used] = '\0';
    snprintf(path, path_bytes, "results/%s-%s", stamp, name);
    return path;
}

static void warn_of_environment(void)
{
    json_t *dropped = environment_dropped();
    size_t i;
    json_t *variable;

    json_array_foreach(dropped, i, variable) fprintf(
        stderr, "tidemark run: not passed on to the allocators: %s\n", json_string_value(variable));
    json_decref(dropped);
}

/* A tunable that nobody can read back is told: the row's figures rest on trust. */
static void warn_of_unproved(const struct plan *plan)
{
    const char *row;
    json_t *findings;
    size_t i;
    const json_t *finding;

    json_object_foreach(plan->tunables, row, findings)
    {
        json_array_foreach(findings, i, finding)
        {
            if (json_is_null(json_object_get(finding, "proof")))
                fprintf(stderr,
                        "tidemark run: %s: that %s:%s took effect is not proved: %s does not "
                        "tell it, nor does its behaviour here\n",
                        row, json_text(finding, "name"), json_text(finding, "asked"),
                        json_text(finding, "allocator"));
        }
    }
}

/* Returns CLI_OK, or the exit status that ends this program. */
static int prove_tunables(struct plan *plan)
{
    int error = proof_of_plan(plan);

    if (error == -EINTR)
        return CLI_INTERRUPTED;
    if (error)
        return fail("not enough memory to prove the tunables");
    warn_of_unproved(plan);
    return CLI_OK;
}

/* The table, and where everything lies; the report where it was asked for. */
static int tell(const struct run_options *options, const char *folder, int status)
{
    if (options->folder_used)
        snprintf(options->folder_used, CLI_FOLDER_BYTES, "%s", folder);
    if (options->no_table)
        return status;
    json_t *summary = cli_read_summary("run", folder);

    if (!summary)
        return CLI_FAILED;
    table_print(stdout, summary);
    json_decref(summary);
    printf("\nrun folder: %s\n", folder);
    status = cli_finish("run", status);
    if (options->report) {
        int drawn = cli_draw_report("run", folder);
        if (drawn == CLI_OK)
            printf("report:     %s/report.html\nfigures:    %s/figures/\n", folder, folder);
        else if (status == CLI_OK)
            status = drawn;
    }
    return status;
}

static int measure(struct run_start *start, const struct program_paths *paths,
                   const struct run_options *options, const char *folder)
{
    char error[RUNNER_ERROR_BYTES], quoted[TEXT_QUOTED_BYTES(RUN_FOLDER_PATH_BYTES)];

    warn_of_environment();
    int end = runner_run(start, paths, error);
    if (end < 0)
        return fail(error);
    int status = tell(options, folder, end == RUNNER_COMPLETE ? CLI_OK : CLI_FAILED);
    if (end == RUNNER_INTERRUPTED) {
        fprintf(stderr,
                "tidemark run: interrupted; what was measured is in %s\n"
                "finish it with: tidemark run --resume %s\n",
                folder, text_quote(folder, quoted));
        return CLI_INTERRUPTED;
    }
    return cli_finish("run", status);
}

/* Of a new run, or of one that goes on; its plan is then read into `plan`. */
static int run_and_tell(struct plan *plan, const struct run_options *options)
{
    struct program_paths paths;
    struct run_start start;
    char path[CLI_FOLDER_BYTES], error[RUN_START_ERROR_BYTES];
    const char *folder = options->resume   ? options->resume
                         : options->folder ? options->folder
                                           : default_folder(plan, options, path, sizeof path);
    int status;

    if (cli_find_programs("run", &paths) != CLI_OK)
        return CLI_FAILED;
    program_cells_prepare(plan, &paths);
    int failed = options->resume ? run_start_resumed(&start, plan, &paths, folder, error)
                                 : run_start_new(&start, plan, &paths, folder, error);
    if (failed) {
        fail(error);
        status = failed == -EEXIST || failed == -EINVAL ? CLI_USAGE
                 : failed == -EINTR                     ? CLI_INTERRUPTED
                                                        : CLI_FAILED;
    } else if (start.is_complete) {
        fprintf(stderr, "tidemark run: %s is complete: nothing is left to run\n", folder);
        status = cli_finish("run", tell(options, folder, CLI_OK));
    } else {
        status = measure(&start, &paths, options, folder);
    }
    run_start_close(&start);
    return status;
}

static void tell_scale_notes(const struct plan *plan)
{
    size_t i;
    const json_t *note;

    json_array_foreach(plan->scale_notes, i, note)
        fprintf(stderr, "tidemark run: --scale %g: %s\n", plan->scale, json_string_value(note));
}

/* The plan of a new run; an earlier one brings its own. Returns CLI_OK, or the exit status that
 * ends this program. */
static int prepare(struct plan *plan, const struct run_options *options)
{
    char error[PLAN_ERROR_BYTES];

    if (options->resume)
        return CLI_OK;
    if (make_plan(plan, options, error) != 0)
        return cli_usage_error("run", error);
    tell_scale_notes(plan);
    int status = prove_tunables(plan);
    /* Now it is known which rows can run: a control is of one that can. */
    if (status == CLI_OK && !options->no_control && plan_add_controls(plan) != 0)
        status = fail("not enough memory for the plan");
    return status;
}

static int run(struct plan *plan, const struct run_options *options)
{
    if (options->dry_run) {
        print_plan(plan);
        return cli_finish("run", CLI_OK);
    }
    return cli_refuse_sanitized("run") ? CLI_FAILED : run_and_tell(plan, options);
}

static int plan_and_run(const struct run_options *options)
{
    struct plan plan = {0};

    int status = prepare(&plan, options);
    if (status == CLI_OK)
        status = run(&plan, options);
    plan_free(&plan);
    return status;
}

static const struct run_options usual_options = {
    .choice = {.idle_ns = UINT64_MAX},
    .scale = 1,
    .seed = 1,
    .tick_ns = 1000000,
    .timeout_ns = 120000000000,
    .warm_up_bytes = 1u << 30,
};

int cli_run_suite(const struct cli_suite_run *asked, char *folder)
{
    struct run_options options = usual_options;

    if (asked->folder && strlen(asked->folder) >= CLI_FOLDER_BYTES) {
        folder[0] = '\0';
        return cli_usage_error("run", "the path of the run folder is too long");
    }
    options.choice.suite = asked->suite;
    options.folder = asked->folder;
    options.choice.rounds = asked->rounds;
    options.tick_ns = asked->tick_ns;
    options.no_control = options.no_repeats = options.chose_passes = 1;
    options.folder_used = folder;
    options.no_table = 1;
    folder[0] = '\0';
    return plan_and_run(&options);
}

int cli_run_words(const struct cli_words_run *asked, char *folder)
{
    struct run_options options = usual_options;

    options.name = asked->name;
    options.no_table = asked->no_table;
    options.folder_used = folder;
    folder[0] = '\0';
    argp_parse(&cli_run_parser, asked->count, asked->words, 0, NULL, &options);
    const int status = plan_and_run(&options);
    row_list_free(&options.choice.rows);
    return status;
}

int cli_run(int argc, char **argv)
{
    struct run_options options = usual_options;

    argp_parse(&cli_run_parser, argc, argv, 0, NULL, &options);
    int status = plan_and_run(&options);
    row_list_free(&options.choice.rows);
    return status;
}
