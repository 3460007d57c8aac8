/*
 * realloc_grow: vectors that grow by half in turn, each to `limit` bytes, and write what is new, as
 * a program that appends. Whether a block grows where it stands, moves by remapping, or is copied.
 * Sizes: from 64 bytes by factors of 1.5 to the limit, 64 MiB at the full size; lifetime: a round;
 * one thread. Source: the growth of vectors in C++ and Python; no one program.
 */
#include "workloads/block.h"

enum { VECTORS = 3, FIRST_BYTES = 64 };

struct grow {
    struct slot vectors[VECTORS];
    size_t limit_bytes;
    uint64_t rounds;
};

/* Writes the part that is new. -EBADMSG when the last byte of what was kept has changed. */
static int use(unsigned char *block, size_t old_bytes, size_t new_bytes)
{
    int error = old_bytes > 0 && block[old_bytes - 1] != 0x5a ? -EBADMSG : 0;

    memset(block + old_bytes, 0x5a, new_bytes - old_bytes);
    return error;
}

static int grow_one(struct worker *worker, struct slot *vector, size_t bytes)
{
    size_t old_bytes = vector->block ? vector->bytes : 0;
    void *moved = worker->ops->realloc(vector->block, bytes);

    if (!moved)
        return -ENOMEM;
    worker_lose(worker, old_bytes);
    block_count_made(worker, bytes);
    *vector = (struct slot){.block = moved, .bytes = bytes};
    return use(moved, old_bytes, bytes);
}

static int grow_all(struct worker *worker)
{
    struct grow *grow = worker->program;
    int error = 0;

    for (size_t bytes = FIRST_BYTES; bytes <= grow->limit_bytes && !error; bytes += bytes / 2)
        for (size_t i = 0; i < VECTORS && !error; i++)
            error = grow_one(worker, &grow->vectors[i], bytes);
    return error;
}

static int work(struct worker *worker)
{
    struct grow *grow = worker->program;
    int error = 0;

    for (uint64_t round = 0; round < grow->rounds && !error; round++) {
        slots_empty(worker, grow->vectors, VECTORS);
        error = grow_all(worker);
    }
    return error;
}

static int clear(struct worker *worker)
{
    struct grow *grow = worker->program;

    slots_empty(worker, grow->vectors, VECTORS);
    return 0;
}

static const struct stage stages[] = {
    {"work", work, ON_MAIN},
    {"free", clear, ON_MAIN},
    {0},
};

static int realloc_grow_run(struct workload_context *context)
{
    struct grow grow = {
        .limit_bytes = workload_value(context, "limit"),
        .rounds = workload_value(context, "rounds"),
    };

    return team_play(context, 0, &grow, stages);
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("limit", "bytes that no vector exceeds", FIRST_BYTES, 1000000000, "16777216",
                     "67108864"),
    PARAMETER_COUNTED("rounds", "times that all three vectors grow from nothing", 1, 1000000, "8",
                      "16"),
    {0},
};

const struct workload workload_realloc_grow = {
    .name = "realloc_grow",
    .summary = "three vectors grow in turn by half, to 16 or 64 MiB each",
    .source = "growth of vectors in C++ and Python",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS | ALLOCATOR_REALLOC,
    .is_reachable = 1,
    .run = realloc_grow_run,
};
