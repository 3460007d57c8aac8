/*
 * The words of `tidemark run`, read into struct run_options. Leaves out whether a suite, a workload
 * or a row is known, which the plan says.
 */
#include "harness/cli_run_options.h"

#include "harness/cli.h"
#include "harness/pass.h"
#include "harness/scale.h"
#include "harness/shard_text.h"
#include "harness/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
    OPTION_TOGETHER,
    OPTION_PASSES,
    OPTION_NO_CENSUS,
    OPTION_SEED,
    OPTION_RETURN,
    OPTION_ACTIVITY,
    OPTION_THP,
    OPTION_REBUILD,
    OPTION_REPORT,
    OPTION_RESUME,
    OPTION_SHARD,
    OPTION_UNTIL,
    OPTION_UNTIL_OF,
    OPTION_UNTIL_ROUNDS,
    OPTION_UNTIL_TIME,
    OPTION_PROGRESS,
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
    {"until", OPTION_UNTIL, "SHARE", 0,
     "After these, more rounds of each experiment until half the 95 % interval of each row's "
     "median "
     "is at most this share of it, 0.01% to 50% (written 2% or 0.5%), or a bound below is reached",
     2},
    {"until-of", OPTION_UNTIL_OF, "FIGURE,...", 0,
     "What is to be that narrow: time, peak, retained (default time)", 2},
    {"until-rounds", OPTION_UNTIL_ROUNDS, "N", 0,
     "Rounds of an experiment at most, the first ones included, 6 to 1000 (default 60)", 2},
    {"until-time", OPTION_UNTIL_TIME, "TIME", 0,
     "No round is added once all samples took so long, 1s to 10080min (default 30min)", 2},
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
    {"together", OPTION_TOGETHER, NULL, 0,
     "Run the rows of a round at once, on one processor that they share: what else uses the "
     "machine then meets all of them alike, so that a difference of their processor time shows in "
     "few rounds (tidemark compare --metric cpu). What `time` they take is that of all together",
     3},
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
    {"shard", OPTION_SHARD, "I/N", 0,
     "Measure part I of N of the plan, on this machine, the same part each time; what is compared "
     "stays together: all rows, hosts and ways of a workload with its parameters, in all rounds. "
     "Each part is a run of its own; tidemark merge joins them (docs/cluster.md)",
     4},
    {"output", 'o', "FOLDER", 0, "The run folder, new or empty (default results/TIME-SUITE)", 4},
    {"report", OPTION_REPORT, NULL, 0, "Draw the report when the run has ended", 4},
    {"dry-run", 'n', NULL, 0, "Print the plan and measure nothing", 4},
    {"progress", OPTION_PROGRESS, "MODE", 0,
     "On stderr: live, lines that are redrawn in place; plain, a line for each sample; none, "
     "warnings alone (default live where stderr is a terminal, else plain)",
     4},
    {"resume", OPTION_RESUME, "RUN", 0,
     "Finish an interrupted run by its own plan; goes with --report and --progress alone", 5},
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

static const struct duration_option until_time_option = {"--until-time", "1s and 10080min",
                                                         1000000000, 604800000000000};

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
    if (options->of_new_runs || key == OPTION_REPORT || key == OPTION_RESUME ||
        key == OPTION_PROGRESS)
        return;
    if (key == ARGP_KEY_ARG)
        options->of_new_runs = argument;
    for (const struct argp_option *option = option_table; option->name; option++) {
        if (option->key == key)
            options->of_new_runs = option->name;
    }
}

static void read_until_of(struct argp_state *state, struct until *until, const char *text)
{
    char error[UNTIL_ERROR_BYTES];

    if (until_parse_metrics(text, &until->metrics, error) != 0)
        argp_error(state, "--until-of: %s", error);
}

/* The options of rounds beyond the planned ones. */
static error_t parse_until(int key, char *argument, struct argp_state *state)
{
    struct run_options *options = state->input;
    uint64_t rounds = 0;

    switch (key) {
    case OPTION_UNTIL:
        if (until_parse_share(argument, &options->until.share) != 0)
            argp_error(state,
                       "--until: '%s' is no share from 0.01%% to 50%% (written 2%% or 0.5%%)",
                       argument);
        return 0;
    case OPTION_UNTIL_OF:
        read_until_of(state, &options->until, argument);
        options->of_until = "--until-of";
        return 0;
    case OPTION_UNTIL_ROUNDS:
        read_number(state, "--until-rounds", argument, UNTIL_LEAST_ROUNDS, PLAN_MOST_ROUNDS,
                    &rounds);
        options->until.most_rounds = (unsigned)rounds;
        options->of_until = "--until-rounds";
        options->chose_until_rounds = 1;
        return 0;
    case OPTION_UNTIL_TIME:
        read_duration(state, &until_time_option, argument, &options->until.most_ns);
        options->of_until = "--until-time";
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void check_until(const struct run_options *options, struct argp_state *state)
{
    if (options->of_until && options->until.share == 0)
        argp_error(state, "%s goes with --until: name the share too", options->of_until);
    if (options->chose_until_rounds && options->choice.rounds > options->until.most_rounds)
        argp_error(state, "--until-rounds: %u is fewer than the %" PRIu64 " of --rounds",
                   options->until.most_rounds, options->choice.rounds);
}

static void read_progress(struct argp_state *state, enum run_view_mode *mode, const char *text)
{
    if (run_view_mode_parse(text, mode) != 0)
        argp_error(state, "--progress: '%s' is neither live nor plain nor none nor auto", text);
    if (*mode == RUN_VIEW_LIVE && !live_screen_is_possible(STDERR_FILENO))
        argp_error(state, "--progress: 'live' needs a terminal: stderr is none, or TERM is not set "
                          "or dumb; plain and none are possible here");
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
    check_until(options, state);
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
    case OPTION_TOGETHER:
        options->together = 1;
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
    case OPTION_SHARD:
        shard_parse_option(state, argument, &options->shard);
        return 0;
    case OPTION_RESUME:
        options->resume = argument;
        return 0;
    case OPTION_PROGRESS:
        read_progress(state, &options->view, argument);
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
        return parse_until(key, argument, state);
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
        "noise. With --until rounds are added until the intervals are narrow; a row that stops at "
        "a "
        "bound without is told as inconclusive. After all rounds each cell whose allocator can "
        "tell of its pools is run once more, "
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
        "  tidemark run -w larson -a glibc,mimalloc --until 2% --until-time 10min\n"
        "  tidemark run --resume results/2026-01-31T120000Z-quick\n\n"
        "Exit status: 0 done; 1 a sample crashed, hung or broke a limit, or the run could not "
        "be stored; 2 usage; 130 interrupted.",
};

const struct run_options cli_run_usual_options = {
    .choice = {.idle_ns = UINT64_MAX},
    .scale = 1,
    .seed = 1,
    .tick_ns = 1000000,
    .timeout_ns = 120000000000,
    .warm_up_bytes = 1u << 30,
    .until = {.metrics = 1u << UNTIL_TIME,
              .most_rounds = UNTIL_USUAL_ROUNDS,
              .most_ns = UINT64_C(1800000000000)},
};
