/*
 * tidemark history: hands its words to plot/history.py. Leaves out the file and the figures: those
 * are Python's.
 */
#include "harness/cli.h"
#include "harness/script_words.h"

#include <stdio.h>
#include <string.h>

enum { OPTION_DB = 256, OPTION_JSON, OPTION_METRIC, OPTION_ORDER, OPTION_VERSION };

struct history_options {
    const char *action, *run;
    const char *db, *version, *workload, *row, *metric, *order, *output; /* NULL: not given */
    int json;
};

static const struct argp_option option_table[] = {
    {"allocator", 'a', "ROW", 0,
     "show, plot: of this row alone, as `show` calls it; a row with a label is called by it", 1},
    {"db", OPTION_DB, "FILE", 0,
     "The file (default: $XDG_DATA_HOME/tidemark/history.db, that is "
     "~/.local/share/tidemark/history.db)",
     0},
    {"json", OPTION_JSON, NULL, 0, "list, show: print JSON (results/FORMAT.md, history)", 1},
    {"metric", OPTION_METRIC, "time|peak|retained|given_back", 0,
     "show, plot: which figure (default: time)", 1},
    {"order", OPTION_ORDER, "time|version", 0,
     "show, plot: runs by when they were made, or by their versions, 1.9 before 1.10 (default: "
     "time)",
     1},
    {"output", 'o', "FILE", 0,
     "plot: the picture, .png or .svg (default: history-WORKLOAD-METRIC.png)", 1},
    {"version", OPTION_VERSION, "LABEL", 0,
     "add: what version this is of (default: for each row the version that it recorded; of "
     "tidemark's own allocators with its git revision)",
     1},
    {"workload", 'w', "WORKLOAD", 0,
     "show, plot (which needs it): its name, or name:param=value,... as for tidemark run; "
     "parameters that are not named may have any value",
     1},
    {0},
};

static int is_one_of(const char *word, const char *const *words)
{
    while (*words && strcmp(*words, word) != 0)
        words++;
    return *words != NULL;
}

static int ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), tail = strlen(end);

    return length > tail && strcmp(text + length - tail, end) == 0;
}

static const char *const metrics[] = {"time", "peak", "retained", "given_back", NULL};
static const char *const orders[] = {"time", "version", NULL};
static const char *const actions[] = {"add", "list", "remove", "show", "plot", NULL};

static int is(const struct history_options *options, const char *action)
{
    return options->action && strcmp(options->action, action) == 0;
}

/* Each option is of the actions that look at it: one that nothing looks at is a mistake. */
static void check_options(const struct history_options *options, struct argp_state *state)
{
    const int looks = is(options, "show") || is(options, "plot");
    const struct {
        int is_given, is_fit;
        const char *name;
    } given[] = {
        {options->version != NULL, is(options, "add"), "--version"},
        {options->json, is(options, "list") || is(options, "show"), "--json"},
        {options->output != NULL, is(options, "plot"), "--output"},
        {options->workload != NULL, looks, "--workload"},
        {options->row != NULL, looks, "--allocator"},
        {options->metric != NULL, looks, "--metric"},
        {options->order != NULL, looks, "--order"},
    };

    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        if (given[i].is_given && !given[i].is_fit)
            argp_error(state, "%s is not for %s", given[i].name, options->action);
    }
}

static void check(const struct history_options *options, struct argp_state *state)
{
    if (!options->action)
        argp_error(state, "what of the history? add RUN, list, remove RUN, show or plot");
    const int takes_run = is(options, "add") || is(options, "remove");
    if (takes_run && !options->run)
        argp_error(state, "%s which run?", options->action);
    if (!takes_run && options->run)
        argp_error(state, "%s takes no run, not '%s'", options->action, options->run);
    if (is(options, "plot") && !options->workload)
        argp_error(state, "plot of which workload? It needs -w");
    check_options(options, state);
}

static void set_action(struct history_options *options, const char *word, struct argp_state *state)
{
    if (options->run)
        argp_error(state, "one run at a time, not '%s' too", word);
    if (options->action)
        options->run = word;
    else if (!is_one_of(word, actions))
        argp_error(state, "'%s': wanted add RUN, list, remove RUN, show or plot", word);
    else
        options->action = word;
}

static void set_text(const char **option, const char *argument, const char *name,
                     struct argp_state *state)
{
    if (!*argument)
        argp_error(state, "%s is empty", name);
    if (*option)
        argp_error(state, "one %s at a time, not '%s' too", name, argument);
    *option = argument;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct history_options *options = state->input;

    switch (key) {
    case 'a':
        set_text(&options->row, argument, "--allocator", state);
        return 0;
    case 'o':
        if (!ends_with(argument, ".png") && !ends_with(argument, ".svg"))
            argp_error(state, "--output: '%s' ends neither in .png nor in .svg", argument);
        options->output = argument;
        return 0;
    case 'w':
        set_text(&options->workload, argument, "--workload", state);
        return 0;
    case OPTION_DB:
        set_text(&options->db, argument, "--db", state);
        return 0;
    case OPTION_JSON:
        options->json = 1;
        return 0;
    case OPTION_METRIC:
        if (!is_one_of(argument, metrics))
            argp_error(state, "--metric: '%s', wanted time, peak, retained or given_back",
                       argument);
        options->metric = argument;
        return 0;
    case OPTION_ORDER:
        if (!is_one_of(argument, orders))
            argp_error(state, "--order: '%s', wanted time or version", argument);
        options->order = argument;
        return 0;
    case OPTION_VERSION:
        set_text(&options->version, argument, "--version", state);
        return 0;
    case ARGP_KEY_ARG:
        set_action(options, argument, state);
        return 0;
    case ARGP_KEY_END:
        check(options, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_history_parser = {
    .options = option_table,
    .parser = parse,
    .args_doc = "add|list|remove|show|plot [RUN]",
    .doc =
        "Keep runs in a file, and show a figure over versions with the points where it changed. "
        "`add RUN` keeps every value of a finished run, with its machine and its plan; a run that "
        "is there is left as it is. `list` prints the runs, `remove RUN` takes one out by the "
        "number that `list` shows, `show` prints a figure run by run, `plot` draws it."
        "\vValues stand in one series only where machine, kernel, workload, its parameters, row "
        "and way of giving back are the same. A change of level takes two runs on either side, at "
        "least, and shows with its size and 95 % interval; docs/history.md says how it is "
        "found.\n\n"
        "Example:\n"
        "  tidemark history add results/2026-01-31T120000Z-quick\n"
        "  tidemark history add results/mine --version 1.4-rc2\n"
        "  tidemark history list\n"
        "  tidemark history show -w larson -a jemalloc\n"
        "  tidemark history plot -w larson --metric peak -o peak.svg\n\n"
        "Exit status: 0 done, or the run is there already; 1 the run or the file cannot be read or "
        "written; 2 usage, or nothing in the file is as asked for; 130 interrupted.",
};

/* What a user names comes behind "--": it may begin with a dash. */
static int fill(struct script_words *words, const struct history_options *options, char *error)
{
    const struct {
        const char *option, *value;
    } given[] = {
        {"--db", options->db},         {"--label", options->version}, {"--allocator", options->row},
        {"--metric", options->metric}, {"--order", options->order},   {"--output", options->output},
    };

    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        if (given[i].value)
            script_words_add_value(words, given[i].option, given[i].value);
    }
    if (options->json)
        script_words_add(words, "--json");
    if (options->workload && script_words_add_workload(words, options->workload, error) != 0)
        return -1;
    script_words_add(words, "--");
    script_words_add(words, options->action);
    if (options->run)
        script_words_add(words, options->run);
    return script_words_check(words, error);
}

int cli_history(int argc, char **argv)
{
    struct history_options options = {0};
    struct script_words words = {.count = 0};
    struct program_paths paths;
    char error[GRAMMAR_ERROR_BYTES];
    int status;

    argp_parse(&cli_history_parser, argc, argv, 0, NULL, &options);
    if (fill(&words, &options, error) != 0)
        status = cli_usage_error("history", error);
    else if (cli_find_programs("history", &paths) != CLI_OK)
        status = CLI_FAILED;
    else
        status = cli_run_script("history", paths.history_script, (const char *const *)words.words);
    script_words_free(&words);
    return status;
}
