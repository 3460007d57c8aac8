/*
 * server_day: three waves of load. In each, sessions of twenty objects come until there are `n`,
 * requests replace objects of random sessions, sessions go but for one in twenty; then the program
 * rests as long as `idle` says, in no phase, and serves a few requests more. Does memory follow the
 * load down, and if so while the program rests, or once it calls its allocator again? Sizes: 32 to
 * 2048 bytes, falling in a straight line; lifetime: some requests, a wave, or more; nothing is
 * shared. Source: the daily curve of a server, as in the reports on jemalloc's decay; no one
 * program.
 */
#include "workloads/block.h"
#include "workloads/draw.h"
#include "workloads/table.h"

enum { OBJECTS = 20, LEAST_BYTES = 32, MOST_BYTES = 2048, STAYS_ONE_IN = 20, TRICKLE_ONE_IN = 100 };

struct session {
    int is_open;
    struct slot objects[OBJECTS];
};

struct server {
    struct session *sessions; /* `own` of each thread in a row */
    size_t own;
    uint64_t requests; /* of each thread and wave */
};

static struct session *own_sessions(const struct worker *worker)
{
    const struct server *server = worker->program;

    return server->sessions + worker->index * server->own;
}

static int fill(struct worker *worker, struct slot *slot)
{
    return slot_fill(worker, slot, draw_falloff(&worker->random, LEAST_BYTES, MOST_BYTES));
}

static int rise(struct worker *worker)
{
    const struct server *server = worker->program;
    struct session *own = own_sessions(worker);
    int error = 0;

    for (size_t i = 0; i < server->own && !error; i++) {
        for (size_t k = 0; k < OBJECTS && !own[i].is_open && !error; k++)
            error = fill(worker, &own[i].objects[k]);
        own[i].is_open = !error;
    }
    return error;
}

/* A request to a session that is not there does nothing. */
static int serve_requests(struct worker *worker, uint64_t requests)
{
    const struct server *server = worker->program;
    struct session *own = own_sessions(worker);
    int error = 0;

    for (uint64_t i = 0; i < requests && !error; i++) {
        size_t session = draw_below(&worker->random, server->own);
        size_t object = draw_below(&worker->random, OBJECTS);
        if (!own[session].is_open)
            continue;
        worker_mix(worker, session);
        slot_empty(worker, &own[session].objects[object]);
        error = fill(worker, &own[session].objects[object]);
    }
    return error;
}

static int serve(struct worker *worker)
{
    const struct server *server = worker->program;

    return serve_requests(worker, server->requests);
}

static int trickle(struct worker *worker)
{
    const struct server *server = worker->program;

    return serve_requests(worker, server->requests / TRICKLE_ONE_IN);
}

static void close_session(struct worker *worker, struct session *session)
{
    slots_empty(worker, session->objects, OBJECTS);
    session->is_open = 0;
}

static int fall(struct worker *worker)
{
    const struct server *server = worker->program;
    struct session *own = own_sessions(worker);

    for (size_t i = 0; i < server->own; i++)
        if (draw_below(&worker->random, STAYS_ONE_IN) != 0)
            close_session(worker, &own[i]);
    return 0;
}

static int rest(struct worker *worker)
{
    workload_rest(worker->team->context);
    return 0;
}

static int clear(struct worker *worker)
{
    const struct server *server = worker->program;
    struct session *own = own_sessions(worker);

    for (size_t i = 0; i < server->own; i++)
        close_session(worker, &own[i]);
    return 0;
}

static const struct stage stages[] = {
    {"rise_1", rise, ON_TEAM},    {"serve_1", serve, ON_TEAM},  {"fall_1", fall, ON_TEAM},
    {NULL, rest, ON_MAIN},        {"rest_1", trickle, ON_TEAM}, {"rise_2", rise, ON_TEAM},
    {"serve_2", serve, ON_TEAM},  {"fall_2", fall, ON_TEAM},    {NULL, rest, ON_MAIN},
    {"rest_2", trickle, ON_TEAM}, {"rise_3", rise, ON_TEAM},    {"serve_3", serve, ON_TEAM},
    {"fall_3", fall, ON_TEAM},    {"free", clear, ON_TEAM},     {0},
};

static int server_day_run(struct workload_context *context)
{
    unsigned threads = (unsigned)workload_value(context, "threads");
    struct server server = {
        .own = workload_value(context, "n"),
        .requests = workload_value(context, "requests"),
    };

    server.sessions = table_map(server.own * threads, sizeof *server.sessions);
    if (!server.sessions)
        return -ENOMEM;
    int error = team_play(context, threads, &server, stages);
    table_unmap(server.sessions, server.own * threads, sizeof *server.sessions);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "sessions of each thread at its busiest", 1, 10000000, "2500", "5k"),
    PARAMETER_SCALED("requests", "requests of each thread and wave", 1, 1000000000, "500k", "3M"),
    PARAMETER_THREADS,
    {0},
};

const struct workload workload_server_day = {
    .name = "server_day",
    .summary = "three waves of sessions and requests with idle valleys in between",
    .source = "the daily curve of a server",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS | ALLOCATOR_THREADS,
    .run = server_day_run,
};
