/*
 * request_server: requests, each of some tens of objects that die with it; one in `leak` leaves an
 * object in a cache of a thousand, until a later one takes its place. With blocks, that object
 * stays and pins what lies around it; with a region for each request, the cache keeps the whole
 * region for its sake. Sizes: 16 to 1024 bytes, falling in a straight line; lifetime: a request, or
 * a thousand leaks; one thread. Source: Apache's pools and their leaks; no one program.
 */
#include "workloads/draw.h"
#include "workloads/scope.h"
#include "workloads/table.h"

enum { LEAST_BYTES = 16, MOST_BYTES = 1024, LEAST_OBJECTS = 20, MOST_OBJECTS = 100 };
enum { CACHED_MOST = 1000 };

/* What a request left: one object of a block's own, or a region with all of the request in it. */
struct cached {
    struct slot slot;
    struct scope scope;
    size_t stranded_bytes; /* of the region, but for the one object */
};

struct server {
    struct scope request;
    struct cached *cache;
    size_t next; /* place in the cache */
    uint64_t requests, leak;
    struct slot slots[MOST_OBJECTS];
};

static void evict(struct worker *worker, struct cached *cached)
{
    slot_empty(worker, &cached->slot);
    worker_unstrand(worker, cached->stranded_bytes);
    scope_close(worker, &cached->scope);
    cached->stranded_bytes = 0;
}

static void leak_block(struct server *server, struct cached *cached)
{
    struct scope *request = &server->request;

    cached->slot = request->slots[--request->count];
    request->bytes -= cached->slot.bytes;
}

static void leak_region(struct worker *worker, struct server *server, struct cached *cached,
                        size_t object_bytes)
{
    struct scope *request = &server->request;

    cached->scope = *request;
    cached->stranded_bytes = request->bytes - object_bytes;
    worker_strand(worker, cached->stranded_bytes);
    request->region = NULL;
    request->count = 0;
    request->bytes = 0;
}

static void leak_last(struct worker *worker, struct server *server, size_t object_bytes)
{
    struct cached *cached = &server->cache[server->next];

    server->next = (server->next + 1) % CACHED_MOST;
    evict(worker, cached);
    if (server->request.how == SCOPE_BLOCKS)
        leak_block(server, cached);
    else
        leak_region(worker, server, cached, object_bytes);
}

static int serve_one(struct worker *worker, struct server *server)
{
    size_t objects = draw_between(&worker->random, LEAST_OBJECTS, MOST_OBJECTS), bytes = 0;

    for (size_t i = 0; i < objects; i++) {
        bytes = draw_falloff(&worker->random, LEAST_BYTES, MOST_BYTES);
        if (!scope_make(worker, &server->request, bytes))
            return -ENOMEM;
    }
    if (draw_below(&worker->random, server->leak) == 0)
        leak_last(worker, server, bytes);
    scope_end(worker, &server->request);
    return 0;
}

static int serve(struct worker *worker)
{
    struct server *server = worker->program;
    int error = 0;

    for (uint64_t i = 0; i < server->requests && !error; i++)
        error = serve_one(worker, server);
    return error;
}

static int clear(struct worker *worker)
{
    struct server *server = worker->program;

    for (size_t i = 0; i < CACHED_MOST; i++)
        evict(worker, &server->cache[i]);
    scope_close(worker, &server->request);
    return 0;
}

static const struct stage stages[] = {
    {"serve", serve, ON_MAIN},
    {"free", clear, ON_MAIN},
    {0},
};

static int request_server_run(struct workload_context *context)
{
    struct server server = {
        .request = {.how = (enum scope_how)workload_value(context, "how"), .most = MOST_OBJECTS},
        .cache = table_map(CACHED_MOST, sizeof *server.cache),
        .requests = workload_value(context, "n"),
        .leak = workload_value(context, "leak"),
    };

    if (!server.cache)
        return -ENOMEM;
    server.request.slots = server.slots;
    int error = team_play(context, 0, &server, stages);
    table_unmap(server.cache, CACHED_MOST, sizeof *server.cache);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "requests", 1, 1000000000, "300k", "3M"),
    PARAMETER_COUNTED("leak", "one request in so many leaves an object in the cache", 1, 1000000,
                      "20", "20"),
    PARAMETER_SCOPE,
    {0},
};

const struct workload workload_request_server = {
    .name = "request_server",
    .summary = "requests whose objects die together, but for one in k that a cache keeps",
    .source = "Apache's pools",
    .parameters = parameters,
    .run = request_server_run,
};
