/*
 * tidemark-graph: runs one workload unmeasured and writes what its objects are and who holds them.
 * Leaves out pictures and tables, which `tidemark graph` makes of the JSON; it is started by it,
 * and started by hand it says so.
 */
#include "harness/graph_record.h"
#include "harness/observe.h"
#include "harness/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CHOSEN = 32, PROBLEM_BYTES = 1024 };

/* What the user chose: an object of a type, by its place among them; or by its number. */
struct choice {
    char type[64]; /* empty: any */
    uint64_t index;
};

struct arguments {
    uint64_t fd;
    int is_growth;
    const char *phase; /* NULL: the best one */
    struct choice choices[MOST_CHOSEN];
    size_t choice_count;
    enum view_direction direction;
    uint64_t depth, fan, most;
};

struct recorder {
    const struct arguments *arguments;
    json_t *phases, *picture;
    uint64_t best;               /* of the picture: how much there is to see, 0: none */
    char problem[PROBLEM_BYTES]; /* why there is no picture */
    int error;
};

static const char usage_text[] =
    "usage: tidemark-graph --fd N [--growth] [--at PHASE] [--type TYPE:K]... [--index N]...\n"
    "                      [--direction both|refs|backrefs] [--depth N] [--fan N] [--most N] -- "
    "...\n"
    "The objects of a workload, as JSON into descriptor N. It is started by `tidemark graph`.\n"
    "After -- :\n";

/* --- Choosing objects. --- */

static void list_types(const struct object_graph *graph, char *text, size_t text_bytes)
{
    size_t used = strlen(text);

    for (uint32_t i = 0; i < graph->type_count && used < text_bytes; i++)
        if (graph->types[i].count > 0)
            used += (size_t)snprintf(text + used, text_bytes - used, " %s (%" PRIu64 ")",
                                     graph->types[i].name, graph->types[i].count);
}

/* The index-th object of a type in the order of the graph, or GRAPH_NONE. */
static uint32_t find_of_type(const struct object_graph *graph, uint32_t type, uint64_t index)
{
    for (uint32_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i].type == type && !graph->nodes[i].is_shared && index-- == 0)
            return i;
    return GRAPH_NONE;
}

/* The chosen object, or GRAPH_NONE with the reason in `problem`. */
static uint32_t find_chosen(const struct object_graph *graph, const struct choice *choice,
                            const char *phase, char *problem)
{
    uint32_t type = choice->type[0] ? object_graph_type(graph, choice->type) : GRAPH_NONE;

    if (!choice->type[0] && choice->index < graph->node_count)
        return (uint32_t)choice->index;
    if (!choice->type[0]) {
        snprintf(problem, PROBLEM_BYTES,
                 "--index: there is no object %" PRIu64 " at the end of '%s', only 0 to %" PRIu32,
                 choice->index, phase, graph->node_count - 1);
        return GRAPH_NONE;
    }
    if (type == GRAPH_NONE || graph->types[type].count == 0) {
        snprintf(problem, PROBLEM_BYTES,
                 "--type: no object is a '%s' at the end of '%s'; there are:", choice->type, phase);
        list_types(graph, problem, PROBLEM_BYTES);
        return GRAPH_NONE;
    }
    if (choice->index >= graph->types[type].count) {
        snprintf(problem, PROBLEM_BYTES,
                 "--type: there is no '%s' number %" PRIu64
                 " at the end of '%s', only 0 to %" PRIu64,
                 choice->type, choice->index, phase, graph->types[type].count - 1);
        return GRAPH_NONE;
    }
    return find_of_type(graph, type, choice->index);
}

static uint32_t find_largest(const struct object_graph *graph)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < graph->node_count; i++)
        if (graph->nodes[i].bytes > graph->nodes[best].bytes)
            best = i;
    return best;
}

/* Fills `chosen` and says how. Returns how many, 0 with the problem told. */
static size_t choose(struct recorder *recorder, const struct object_graph *graph,
                     const struct object_cycles *cycles, const char *phase, uint32_t *chosen,
                     const char **chosen_by)
{
    const struct arguments *arguments = recorder->arguments;

    *chosen_by = "as asked for";
    for (size_t i = 0; i < arguments->choice_count; i++) {
        chosen[i] = find_chosen(graph, &arguments->choices[i], phase, recorder->problem);
        if (chosen[i] == GRAPH_NONE)
            return 0;
    }
    if (arguments->choice_count > 0)
        return arguments->choice_count;
    uint32_t component = object_cycles_largest(cycles, graph);
    *chosen_by = component == GRAPH_NONE ? "the largest object" : "an object of the largest cycle";
    chosen[0] = component == GRAPH_NONE ? find_largest(graph) : cycles->firsts[component];
    return 1;
}

/* --- A phase. --- */

/* Takes the place of the picture before it. */
static int draw(struct recorder *recorder, const struct object_graph *graph,
                const struct object_cycles *cycles, const char *phase, uint64_t worth)
{
    const struct arguments *arguments = recorder->arguments;
    uint32_t chosen[MOST_CHOSEN];
    struct object_view view;
    const char *chosen_by;
    struct view_request request = {
        .chosen = chosen,
        .chosen_count = choose(recorder, graph, cycles, phase, chosen, &chosen_by),
        .direction = arguments->direction,
        .depth = (unsigned)arguments->depth,
        .fan = (unsigned)arguments->fan,
        .most = (uint32_t)arguments->most,
    };

    if (request.chosen_count == 0)
        return 0;
    int error = object_view_make(&view, graph, cycles, &request);
    if (error)
        return error;
    json_decref(recorder->picture);
    recorder->picture = graph_record_picture(phase, chosen_by, graph, cycles, &view);
    recorder->best = worth;
    object_view_free(&view);
    return recorder->picture ? 0 : -ENOMEM;
}

/*
 * How much a picture of this phase would show: cycles that no name leads to count for more than any
 * number of other objects. 0: nothing.
 */
static uint64_t worth_of(const struct object_graph *graph, const struct object_cycles *cycles)
{
    return (cycles->dead_cyclic_objects << 32) + graph->node_count;
}

static int look(struct recorder *recorder, const struct object_graph *graph, const char *phase)
{
    const struct arguments *arguments = recorder->arguments;
    struct object_cycles cycles = {0};
    int error = arguments->is_growth ? 0 : object_cycles_find(&cycles, graph);

    if (error)
        return error;
    json_t *record = graph_record_phase(phase, graph, arguments->is_growth ? NULL : &cycles);
    error = record ? json_array_append_new(recorder->phases, record) : -ENOMEM;
    int is_asked = !arguments->phase || strcmp(arguments->phase, phase) == 0;
    if (!error && !arguments->is_growth && is_asked && graph->node_count > 0 &&
        worth_of(graph, &cycles) > recorder->best)
        error = draw(recorder, graph, &cycles, phase, worth_of(graph, &cycles));
    object_cycles_free(&cycles);
    return error;
}

static void take(struct recorder *recorder, struct workload_context *context, const char *phase)
{
    struct object_graph graph;

    if (recorder->error || !context->objects)
        return;
    recorder->error = object_graph_take(&graph, context->objects);
    if (recorder->error)
        return;
    recorder->error = look(recorder, &graph, phase);
    object_graph_free(&graph);
}

static void at_phase_end(void *argument, struct workload_context *context, const char *phase)
{
    take(argument, context, phase);
}

/* --- The end. --- */

/* Returns the exit status. A file that cannot be written is the parent's: it says so. */
static int write_record(const struct recorder *recorder)
{
    json_t *root =
        json_pack("{s:O, s:O?, s:s?}", "phases", recorder->phases, "picture", recorder->picture,
                  "problem", recorder->picture || !recorder->problem[0] ? NULL : recorder->problem);
    int failed = !root || json_dumpfd(root, (int)recorder->arguments->fd, JSON_COMPACT) != 0;

    json_decref(root);
    if (failed)
        fputs("tidemark-graph: cannot write what was found\n", stderr);
    return failed ? OBSERVE_FAILED : 0;
}

/* A workload without objects need not run. */
static void before_phases(void *argument, struct workload_context *context)
{
    struct recorder *recorder = argument;

    if (context->objects) {
        if (recorder->arguments->is_growth)
            take(recorder, context, "(start)");
        return;
    }
    snprintf(recorder->problem, sizeof recorder->problem,
             "the workload %s keeps no objects, only blocks of memory", context->workload->name);
    exit(write_record(recorder));
}

static void usage_error(const char *problem, const char *value)
{
    fprintf(stderr, "tidemark-graph: %s: %s\n%s%s", problem, value, usage_text, observe_usage);
    exit(OBSERVE_USAGE);
}

static uint64_t read_number(const char *flag, const char *text)
{
    uint64_t number = 0;

    if (text_parse_number(text, 0, UINT32_MAX, &number) != 0)
        usage_error(flag, text);
    return number;
}

/* TYPE:K, or for --index the number alone. */
static void add_choice(struct arguments *arguments, const char *flag, const char *text)
{
    struct choice *choice = &arguments->choices[arguments->choice_count];
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : 0;

    if (arguments->choice_count == MOST_CHOSEN || length >= sizeof choice->type)
        usage_error(flag, text);
    memcpy(choice->type, text, length);
    choice->type[length] = '\0';
    choice->index = read_number(flag, colon ? colon + 1 : text);
    arguments->choice_count++;
}

static enum view_direction read_direction(const char *text)
{
    if (strcmp(text, "refs") == 0)
        return VIEW_TARGETS;
    if (strcmp(text, "backrefs") == 0)
        return VIEW_SOURCES;
    if (strcmp(text, "both") != 0)
        usage_error("--direction", text);
    return VIEW_BOTH;
}

static void read_flag(struct arguments *arguments, const char *flag, const char *value)
{
    if (!value)
        usage_error("a flag without its value", flag);
    if (strcmp(flag, "--at") == 0)
        arguments->phase = value;
    else if (strcmp(flag, "--type") == 0 || strcmp(flag, "--index") == 0)
        add_choice(arguments, flag, value);
    else if (strcmp(flag, "--direction") == 0)
        arguments->direction = read_direction(value);
    else if (strcmp(flag, "--depth") == 0)
        arguments->depth = read_number(flag, value);
    else if (strcmp(flag, "--fan") == 0)
        arguments->fan = read_number(flag, value);
    else if (strcmp(flag, "--most") == 0)
        arguments->most = read_number(flag, value);
    else if (strcmp(flag, "--fd") == 0)
        arguments->fd = read_number(flag, value);
    else
        usage_error("unknown flag", flag);
}

/* Returns where observe_run's own begin: the index of `--`. */
static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
    int i = 1;

    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            printf("%s%s", usage_text, observe_usage);
            exit(0);
        }
        if (strcmp(argv[i], "--growth") == 0) {
            arguments->is_growth = 1;
        } else {
            read_flag(arguments, argv[i], argv[i + 1]);
            i++;
        }
    }
    if (i >= argc || arguments->fd <= 2 || arguments->most == 0)
        usage_error("needed", "--fd of 3 or more, --most of 1 or more, and --");
    return i;
}

int main(int argc, char **argv)
{
    static struct arguments arguments = {.depth = 1, .fan = 6, .most = 60};
    static struct recorder recorder = {.arguments = &arguments};
    const struct observer observer = {
        .baseline = before_phases, .phase_ended = at_phase_end, .argument = &recorder};
    int separator = read_arguments(argc, argv, &arguments);

    recorder.phases = json_array();
    argv[separator] = argv[0];
    int status = observe_run(argc - separator, argv + separator, &observer);
    if (status)
        return status;
    if (recorder.error) {
        fprintf(stderr, "tidemark-graph: the graph of objects: %s\n", strerror(-recorder.error));
        return OBSERVE_FAILED;
    }
    return write_record(&recorder);
}
