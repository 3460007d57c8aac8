/*
 * compiler_phases: a compiler of one large unit. It parses n nodes, analyses them into half as many
 * types and symbols and frees the nodes, emits code for each second of those and frees them, and
 * frees the code. What was freed of one stage, in its sizes, is of use to the next one or is not.
 * Sizes: nodes 24 to 120 bytes, symbols 48 to 400, code 64 to 4096, falling in a straight line;
 * lifetime: to the end of the next stage; one thread. Source: the phases of compilers that GCC's
 * obstacks and zones were made for; no one program.
 */
#include "workloads/draw.h"
#include "workloads/scope.h"
#include "workloads/table.h"

struct compiler {
    struct scope nodes, symbols, code;
    size_t count; /* of nodes */
};

static int make(struct worker *worker, struct scope *scope, size_t count, size_t least_bytes,
                size_t most_bytes)
{
    for (size_t i = 0; i < count; i++)
        if (!scope_make(worker, scope, draw_falloff(&worker->random, least_bytes, most_bytes)))
            return -ENOMEM;
    return 0;
}

static int parse(struct worker *worker)
{
    struct compiler *compiler = worker->program;

    return make(worker, &compiler->nodes, compiler->count, 24, 120);
}

static int analyse(struct worker *worker)
{
    struct compiler *compiler = worker->program;
    int error = make(worker, &compiler->symbols, compiler->count / 2, 48, 400);

    scope_close(worker, &compiler->nodes);
    return error;
}

static int emit(struct worker *worker)
{
    struct compiler *compiler = worker->program;
    int error = make(worker, &compiler->code, compiler->count / 4, 64, 4096);

    scope_close(worker, &compiler->symbols);
    return error;
}

static int clear(struct worker *worker)
{
    struct compiler *compiler = worker->program;

    scope_close(worker, &compiler->nodes);
    scope_close(worker, &compiler->symbols);
    scope_close(worker, &compiler->code);
    return 0;
}

static const struct stage stages[] = {
    {"parse", parse, ON_MAIN},
    {"analyse", analyse, ON_MAIN},
    {"emit", emit, ON_MAIN},
    {"free", clear, ON_MAIN},
    {0},
};

static int compiler_phases_run(struct workload_context *context)
{
    size_t n = workload_value(context, "n");
    enum scope_how how = (enum scope_how)workload_value(context, "how");
    struct slot *slots = table_map(2 * n, sizeof *slots);
    struct compiler compiler = {
        .nodes = {.how = how, .slots = slots, .most = n},
        .symbols = {.how = how, .slots = slots + n, .most = n / 2},
        .code = {.how = how, .slots = slots + n + n / 2, .most = n / 4},
        .count = n,
    };

    if (!slots)
        return -ENOMEM;
    int error = team_play(context, 0, &compiler, stages);
    table_unmap(slots, 2 * n, sizeof *slots);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "nodes of the unit", 1, 100000000, "500k", "5M"),
    PARAMETER_SCOPE,
    {0},
};

const struct workload workload_compiler_phases = {
    .name = "compiler_phases",
    .summary = "parse, analyse, emit: each stage frees what the one before it made",
    .source = "phases of a compiler",
    .parameters = parameters,
    .has_reachable_regions = 1,
    .run = compiler_phases_run,
};
