/*
 * tidemark graph: the objects of a workload at a phase's end, who holds them, and growth by type.
 * Leaves out finding it out, which is tidemark-graph's, and layout, which is Graphviz's. After
 * Marius Gedminas' objgraph: show_refs, show_backrefs, find_backref_chain, show_growth.
 */
#include "harness/cli.h"
#include "harness/graph_output.h"
#include "harness/graph_process.h"
#include "harness/graph_text.h"
#include "harness/json_file.h"
#include "harness/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    OPTION_AT = 256,
    OPTION_TYPE,
    OPTION_INDEX,
    OPTION_REFS,
    OPTION_BACKREFS,
    OPTION_DEPTH,
    OPTION_FAN,
    OPTION_MOST,
    OPTION_GROWTH,
    OPTION_FROM,
    OPTION_TO,
    OPTION_SEED,
    OPTION_HOST,
    MOST_CHOSEN = 32,
    MOST_DRAWN = 2000,
    CHOICE_BYTES = 96,
    DEPTH_OF_BOTH = 1,
    DEPTH_OF_ONE = 3,
};

struct graph_options {
    const char *workload, *row, *host, *output, *phase, *from, *to;
    const char *picture_option; /* one that makes no sense with --growth, if any was given */
    struct {
        const char *flag;
        char text[CHOICE_BYTES];
    } choices[MOST_CHOSEN];
    size_t choice_count;
    int refs, backrefs, growth, json;
    uint64_t depth, fan, most, seed; /* depth UINT64_MAX: as usual */
};

static void set_once(struct argp_state *state, const char **option, const char *name,
                     const char *argument)
{
    if (*option)
        argp_error(state, "one %s at a time, not '%s' too", name, argument);
    *option = argument;
}

static void read_number(struct argp_state *state, const char *name, const char *text,
                        uint64_t minimum, uint64_t maximum, uint64_t *number)
{
    if (text_parse_number(text, minimum, maximum, number) != 0)
        argp_error(state, "%s: '%s' is no number between %" PRIu64 " and %" PRIu64, name, text,
                   minimum, maximum);
}

/* TYPE, TYPE:K or, for --index, a number. */
static void add_choice(struct argp_state *state, struct graph_options *options, const char *flag,
                       const char *text)
{
    const char *colon = strrchr(text, ':');
    int is_type = strcmp(flag, "--type") == 0;
    uint64_t number = 0;

    if (options->choice_count == MOST_CHOSEN)
        argp_error(state, "%s: at most %d objects, '%s' is one more", flag, MOST_CHOSEN, text);
    if (is_type && (text[0] == '\0' || colon == text || strlen(text) > CHOICE_BYTES / 2))
        argp_error(state, "--type: '%s' is no TYPE or TYPE:K, such as list or Node:3", text);
    if (!is_type || colon)
        read_number(state, flag, is_type ? colon + 1 : text, 0, UINT32_MAX, &number);
    options->choices[options->choice_count].flag = flag;
    snprintf(options->choices[options->choice_count].text, CHOICE_BYTES, "%s%s", text,
             is_type && !colon ? ":0" : "");
    options->choice_count++;
}

static void read_picture_option(struct argp_state *state, struct graph_options *options, int key,
                                const char *argument)
{
    switch (key) {
    case OPTION_AT:
        set_once(state, &options->phase, "phase", argument);
        break;
    case OPTION_TYPE:
        add_choice(state, options, "--type", argument);
        break;
    case OPTION_INDEX:
        add_choice(state, options, "--index", argument);
        break;
    case OPTION_REFS:
        options->refs = 1;
        break;
    case OPTION_BACKREFS:
        options->backrefs = 1;
        break;
    case OPTION_DEPTH:
        read_number(state, "--depth", argument, 0, 1000, &options->depth);
        break;
    case OPTION_FAN:
        read_number(state, "--fan", argument, 1, MOST_DRAWN, &options->fan);
        break;
    case OPTION_MOST:
        read_number(state, "--most", argument, 1, MOST_DRAWN, &options->most);
        break;
    default:
        set_once(state, &options->output, "file", argument);
        break;
    }
}

/* What contradicts itself. */
static void check(struct argp_state *state, const struct graph_options *options)
{
    if (!options->workload)
        argp_error(state, "which workload? -w NAME, as for tidemark run");
    if (options->refs && options->backrefs)
        argp_error(state, "--refs or --backrefs; without either both are shown");
    if (options->growth && options->picture_option)
        argp_error(state, "%s says what to draw, and --growth draws nothing",
                   options->picture_option);
    if (!options->growth && (options->from || options->to))
        argp_error(state, "--from and --to are for --growth");
    if (!options->growth && options->host && strcmp(options->host, "objects") != 0)
        argp_error(state, "--host %s: of a real CPython there is --growth alone", options->host);
    if (!options->from != !options->to)
        argp_error(state, "--from and --to go together");
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    static const struct {
        int key;
        const char *name;
    } of_pictures[] = {
        {OPTION_AT, "--at"},     {OPTION_TYPE, "--type"},         {OPTION_INDEX, "--index"},
        {OPTION_REFS, "--refs"}, {OPTION_BACKREFS, "--backrefs"}, {OPTION_DEPTH, "--depth"},
        {OPTION_FAN, "--fan"},   {OPTION_MOST, "--most"},         {'o', "--output"},
    };
    struct graph_options *options = state->input;

    for (size_t i = 0; i < sizeof of_pictures / sizeof of_pictures[0]; i++) {
        if (of_pictures[i].key != key)
            continue;
        options->picture_option = of_pictures[i].name;
        read_picture_option(state, options, key, argument);
        return 0;
    }
    switch (key) {
    case 'w':
        set_once(state, &options->workload, "workload", argument);
        return 0;
    case 'a':
        set_once(state, &options->row, "row", argument);
        return 0;
    case OPTION_GROWTH:
        options->growth = 1;
        return 0;
    case OPTION_FROM:
        set_once(state, &options->from, "phase", argument);
        return 0;
    case OPTION_TO:
        set_once(state, &options->to, "phase", argument);
        return 0;
    case OPTION_HOST:
        set_once(state, &options->host, "host", argument);
        return 0;
    case OPTION_SEED:
        read_number(state, "--seed", argument, 0, INT64_MAX, &options->seed);
        return 0;
    case 'j':
        options->json = 1;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "a workload follows -w, as in '-w %s'", argument);
        return 0;
    case ARGP_KEY_END:
        check(state, options);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_table[] = {
    {"workload", 'w', "WORKLOAD", 0, "What to look into: name:param=value,... as for tidemark run",
     0},
    {"allocator", 'a', "ROW", 0,
     "Which allocator it runs on (default pymalloc): its objects are the same on each", 0},
    {"seed", OPTION_SEED, "N", 0, "Seeds the workload (default 1)", 0},
    {"at", OPTION_AT, "PHASE", 0,
     "At the end of this phase (default: where most objects are in cycles that no name leads to, "
     "else where there are most objects)",
     1},
    {"type", OPTION_TYPE, "TYPE[:K]", 0,
     "The K-th object of this type, from 0, the oldest generation first (default 0); may be "
     "repeated",
     1},
    {"index", OPTION_INDEX, "N", 0,
     "The object that pictures call #N; may be repeated (default: an object of the largest cycle, "
     "else the largest object)",
     1},
    {"refs", OPTION_REFS, NULL, 0,
     "Draw what the chosen objects lead to (default: what keeps them, their whole cycle, and what "
     "is around those)",
     2},
    {"backrefs", OPTION_BACKREFS, NULL, 0, "Draw what leads to them", 2},
    {"depth", OPTION_DEPTH, "N", 0,
     "How many steps, up to 1000 (default 3; without --refs and --backrefs 1)", 2},
    {"fan", OPTION_FAN, "N", 0, "New objects next to one, at most (default 6)", 2},
    {"most", OPTION_MOST, "N", 0,
     "Objects in the picture, at most, 1 to 2000 (default 60); it says how many more there are", 2},
    {"output", 'o', "FILE", 0,
     "Write the picture: FILE.dot, or FILE.svg, .png or .pdf by Graphviz's dot; or FILE.json", 3},
    {"growth", OPTION_GROWTH, NULL, 0,
     "Print how many objects of each type there are at the end of each phase, and their growth", 4},
    {"from", OPTION_FROM, "PHASE", 0, "With --growth: from the end of this phase", 4},
    {"host", OPTION_HOST, "HOST", 0,
     "With --growth: where it runs: objects (default), python3, or a path to a CPython", 4},
    {"to", OPTION_TO, "PHASE", 0, "to the end of this one, with bytes", 4},
    {"json", 'j', NULL, 0, "Print JSON (docs/graph.md) instead of text", 5},
    {0},
};

const struct argp cli_graph_parser = {
    .options = option_table,
    .parser = parse,
    .doc =
        "Run a workload once, unmeasured, and look at its objects at the end of its phases: who "
        "refers to whom by which name, what no name of the program leads to any more, the cycle "
        "that keeps it, and how many objects of each type there are. Prints why the chosen object "
        "is still there: the shortest way from a name of the program, or the cycle; and with -o "
        "draws it, the cycle in red."
        "\vExample:\n"
        "  tidemark graph -w cycles:n=100,shape=rings -o ring.svg\n"
        "  tidemark graph -w cycles:n=100,shape=rings --at build --type Node:3\n"
        "  tidemark graph -w global_leak:n=1000 --type str --backrefs -o leak.dot\n"
        "  tidemark graph -w user_batches:n=10k --growth\n"
        "  tidemark graph -w user_batches:n=10k --growth --host python3\n"
        "  tidemark graph -w user_batches:n=10k --growth --json | jq '.phases[].types'\n\n"
        "Exit status: 0 done; 1 the workload failed, a file cannot be written, or Graphviz is "
        "missing; 2 usage, or there is no such phase, type or object; 130 interrupted.",
};

static int fail(const char *message)
{
    fprintf(stderr, "tidemark graph: %s\n", message);
    return CLI_FAILED;
}

/* --- What was found. --- */

static int has_phase(const json_t *phases, const char *name)
{
    const json_t *phase;
    size_t i;

    json_array_foreach(phases, i, phase)
    {
        if (strcmp(json_text(phase, "name"), name) == 0)
            return 1;
    }
    return 0;
}

/* 1, with a message, when a phase that was asked for is none of this workload. */
static int misses_phase(const struct graph_options *options, const json_t *phases)
{
    const char *const asked[] = {options->phase, options->from, options->to};
    const json_t *phase;
    size_t j;

    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        if (!asked[i] || has_phase(phases, asked[i]))
            continue;
        fprintf(stderr, "tidemark graph: no phase is called '%s'; there are:", asked[i]);
        json_array_foreach(phases, j, phase) fprintf(stderr, " %s", json_text(phase, "name"));
        putc('\n', stderr);
        return 1;
    }
    return 0;
}

/* Whether there is what was asked for; a message where not. */
static int judge(const struct graph_options *options, const json_t *record)
{
    const char *problem = json_text(record, "problem");

    if (!problem[0] && misses_phase(options, json_object_get(record, "phases")))
        return CLI_USAGE;
    if (problem[0]) {
        fail(problem);
        return CLI_USAGE;
    }
    if (options->growth || json_is_object(json_object_get(record, "picture")))
        return CLI_OK;
    fprintf(stderr, "tidemark graph: no object is tracked by the collector at the end of %s\n",
            options->phase ? options->phase : "any phase");
    return CLI_USAGE;
}

static int tell(const struct graph_options *options, const struct graph_output *output,
                const json_t *record, const char *subject)
{
    int status = CLI_OK;

    if (options->json) {
        json_dumpf(record, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        printf("%s\n", subject);
        if (options->growth)
            graph_growth_print(stdout, json_object_get(record, "phases"), options->from,
                               options->to);
        else
            graph_text_print(stdout, record);
    }
    fflush(stdout);
    if (output->format == GRAPH_FORMAT_JSON)
        status = graph_output_write_json(output, record);
    else if (output->format != GRAPH_FORMAT_NONE)
        status = graph_output_draw(output, json_object_get(record, "picture"), subject);
    return cli_finish("graph", status);
}

/* --- The run. --- */

struct child_options {
    const char *argv[2 * MOST_CHOSEN + 16];
    size_t count;
    char depth[TEXT_NUMBER_BYTES], fan[TEXT_NUMBER_BYTES], most[TEXT_NUMBER_BYTES];
};

static void add_pair(struct child_options *child, const char *flag, const char *value)
{
    child->argv[child->count++] = flag;
    child->argv[child->count++] = value;
}

static void make_options(struct child_options *child, const struct graph_options *options)
{
    int is_one_way = options->refs || options->backrefs;
    uint64_t depth = options->depth != UINT64_MAX ? options->depth
                     : is_one_way                 ? DEPTH_OF_ONE
                                                  : DEPTH_OF_BOTH;

    snprintf(child->depth, sizeof child->depth, "%" PRIu64, depth);
    snprintf(child->fan, sizeof child->fan, "%" PRIu64, options->fan);
    snprintf(child->most, sizeof child->most, "%" PRIu64, options->most);
    add_pair(child, "--depth", child->depth);
    add_pair(child, "--fan", child->fan);
    add_pair(child, "--most", child->most);
    if (is_one_way)
        add_pair(child, "--direction", options->refs ? "refs" : "backrefs");
    if (options->phase)
        add_pair(child, "--at", options->phase);
    for (size_t i = 0; i < options->choice_count; i++)
        add_pair(child, options->choices[i].flag, options->choices[i].text);
    if (options->growth)
        child->argv[child->count++] = "--growth";
    child->argv[child->count] = NULL;
}

/* What the JSON says of the run itself. */
static void add_run(json_t *record, const struct cell *cell)
{
    json_t *params = json_object();
    char value[64];

    for (size_t i = 0; cell->workload->parameters[i].name; i++)
        json_object_set_new(params, cell->workload->parameters[i].name,
                            json_string(parameter_format(&cell->workload->parameters[i],
                                                         cell->values[i], value, sizeof value)));
    json_object_set_new(record, "format", json_integer(1));
    json_object_set_new(record, "workload", json_string(cell->workload->name));
    json_object_set_new(record, "params", params);
    json_object_set_new(record, "allocator", json_string(cell->row.text));
    json_object_set_new(record, "host", json_string(cell->host.text));
}

static int run_cell(const struct graph_options *options, const struct graph_output *output,
                    const struct cell *cell)
{
    struct program_paths paths;
    struct child_options child = {.count = 0};
    char error[GRAPH_PROCESS_ERROR_BYTES], parameters[192], subject[320];
    json_t *record = NULL;

    if (cli_find_programs("graph", &paths) != CLI_OK)
        return CLI_FAILED;
    make_options(&child, options);
    int failed = host_is_objects(&cell->host)
                     ? graph_process_run(&paths, cell, options->seed, child.argv, &record, error)
                     : graph_process_count(&paths, cell, options->seed, &record, error);
    if (failed == -EINTR)
        return CLI_INTERRUPTED;
    if (failed)
        return error[0] ? fail(error) : CLI_FAILED;
    int status = judge(options, record);
    if (status == CLI_OK) {
        add_run(record, cell);
        snprintf(subject, sizeof subject, "%s:%s%s%s", cell->workload->name,
                 cell_format_parameters(cell, parameters, sizeof parameters),
                 cell->host.version[0] ? " on " : "", cell->host.version);
        status = tell(options, output, record, subject);
    }
    json_decref(record);
    return status;
}

static int plan_one(struct plan *plan, const struct graph_options *options)
{
    const char *rows[] = {options->row ? options->row : "pymalloc"};
    char error[PLAN_ERROR_BYTES];
    const struct plan_request request = {
        .workload = options->workload,
        .rows = rows,
        .row_count = 1,
        .host = options->host ? options->host : "objects",
        .size = SIZE_QUICK,
        .rounds = 1,
    };

    plan->seed = options->seed;
    if (plan_add(plan, &request, error) != 0)
        return cli_usage_error("graph", error);
    if (plan->cell_count > 1)
        return cli_usage_error("graph", "-w: one experiment at a time, no sweep of values");
    if (plan->cells[0].workload->is_program)
        return cli_usage_error("graph", "-w: that workload runs a program, and keeps no objects");
    return plan->cells[0].not_available[0] ? fail(plan->cells[0].not_available) : CLI_OK;
}

int cli_graph(int argc, char **argv)
{
    struct graph_options options = {.depth = UINT64_MAX, .fan = 6, .most = 60, .seed = 1};
    struct graph_output output = {.format = GRAPH_FORMAT_NONE};
    struct plan plan = {0};

    argp_parse(&cli_graph_parser, argc, argv, 0, NULL, &options);
    int status = plan_one(&plan, &options);
    if (status == CLI_OK)
        status = graph_output_open(&output, options.output);
    if (status == CLI_OK)
        status = run_cell(&options, &output, &plan.cells[0]);
    plan_free(&plan);
    return status;
}
