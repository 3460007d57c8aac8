/*
 * entity_pools: a game's entities of four kinds, made and destroyed frame after frame. A place is
 * used again with its generation raised, so that an old handle is told from a new one. Each entity
 * is a block, or all of a kind lie in chunks of 256 that are taken when needed and kept to the end.
 * Sizes: 64, 128, 256 and 512 bytes; lifetime: geometric, about 50 frames; one thread. A stale
 * handle that is taken for a live one fails the run. Source: entity component systems with slot
 * maps; no one program.
 */
#include "workloads/block.h"
#include "workloads/draw.h"
#include "workloads/table.h"

enum { KINDS = 4, LEAST_BYTES = 64, CHUNK_ENTITIES = 256, CHURN_ONE_IN = 50 };
enum how { HOW_BLOCKS, HOW_CHUNKS };

static const char *const hows[] = {"blocks", "chunks", NULL};

/* A place for one entity. */
struct place {
    void *entity;
    uint32_t generation; /* odd while there is one */
};

struct kind {
    struct place *places;
    struct slot *chunks; /* place i stands in chunk i / CHUNK_ENTITIES */
    size_t bytes;
};

struct game {
    struct kind kinds[KINDS];
    size_t each; /* places of a kind */
    uint64_t frames;
    enum how how;
};

static int take_block(struct worker *worker, const struct kind *kind, struct place *place)
{
    place->entity = block_make(worker, kind->bytes);
    return place->entity ? 0 : -ENOMEM;
}

static int take_from_chunk(struct worker *worker, struct kind *kind, size_t index)
{
    struct slot *chunk = &kind->chunks[index / CHUNK_ENTITIES];

    if (!chunk->block && slot_fill(worker, chunk, CHUNK_ENTITIES * kind->bytes) != 0)
        return -ENOMEM;
    kind->places[index].entity = (char *)chunk->block + index % CHUNK_ENTITIES * kind->bytes;
    return 0;
}

/* The first words of an entity are its handle: kind's place and generation. */
static int create(struct worker *worker, struct game *game, struct kind *kind, size_t index)
{
    struct place *place = &kind->places[index];
    int error = game->how == HOW_BLOCKS ? take_block(worker, kind, place)
                                        : take_from_chunk(worker, kind, index);

    if (error)
        return error;
    place->generation++;
    memset(place->entity, (int)place->generation & 0xff, kind->bytes);
    *(uint64_t *)place->entity = (uint64_t)index << 32 | place->generation;
    worker_mix(worker, index);
    return 0;
}

/* -EBADMSG when the entity is not the one of this place and generation. */
static int destroy(struct worker *worker, const struct game *game, const struct kind *kind,
                   size_t index)
{
    struct place *place = &kind->places[index];
    uint64_t handle = (uint64_t)index << 32 | place->generation;
    int error = *(const uint64_t *)place->entity == handle ? 0 : -EBADMSG;

    if (game->how == HOW_BLOCKS)
        block_drop(worker, place->entity, kind->bytes);
    place->entity = NULL;
    place->generation++;
    worker_mix(worker, index);
    return error;
}

static int build(struct worker *worker)
{
    struct game *game = worker->program;
    int error = 0;

    for (size_t i = 0; i < game->each && !error; i++)
        for (size_t kind = 0; kind < KINDS && !error; kind++)
            error = create(worker, game, &game->kinds[kind], i);
    return error;
}

/* One entity in fifty is drawn: it goes, or there is a new one where none is. */
static int play_frame(struct worker *worker, struct game *game)
{
    int error = 0;

    for (size_t i = 0; i < game->each * KINDS / CHURN_ONE_IN + 1 && !error; i++) {
        struct kind *kind = &game->kinds[draw_below(&worker->random, KINDS)];
        size_t index = draw_below(&worker->random, game->each);
        error = kind->places[index].entity ? destroy(worker, game, kind, index)
                                           : create(worker, game, kind, index);
    }
    return error;
}

static int play(struct worker *worker)
{
    struct game *game = worker->program;
    int error = 0;

    for (uint64_t frame = 0; frame < game->frames && !error; frame++)
        error = play_frame(worker, game);
    return error;
}

static int clear(struct worker *worker)
{
    struct game *game = worker->program;
    int error = 0;

    for (size_t k = 0; k < KINDS; k++) {
        struct kind *kind = &game->kinds[k];
        for (size_t i = 0; i < game->each; i++) {
            int found = kind->places[i].entity ? destroy(worker, game, kind, i) : 0;
            error = error ? error : found;
        }
        slots_empty(worker, kind->chunks, game->each / CHUNK_ENTITIES + 1);
    }
    return error;
}

static const struct stage stages[] = {
    {"build", build, ON_MAIN},
    {"work", play, ON_MAIN},
    {"free", clear, ON_MAIN},
    {0},
};

static int entity_pools_run(struct workload_context *context)
{
    struct game game = {
        .each = workload_value(context, "n"),
        .frames = workload_value(context, "frames"),
        .how = (enum how)workload_value(context, "how"),
    };
    size_t chunks = game.each / CHUNK_ENTITIES + 1;
    struct place *places = table_map(KINDS * game.each, sizeof *places);
    struct slot *slots = table_map(KINDS * chunks, sizeof *slots);
    int error = places && slots ? 0 : -ENOMEM;

    for (size_t kind = 0; kind < KINDS && !error; kind++)
        game.kinds[kind] = (struct kind){.places = places + kind * game.each,
                                         .chunks = slots + kind * chunks,
                                         .bytes = (size_t)LEAST_BYTES << kind};
    if (!error)
        error = team_play(context, 0, &game, stages);
    table_unmap(slots, KINDS * chunks, sizeof *slots);
    table_unmap(places, KINDS * game.each, sizeof *places);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "places of each of four kinds", 1, 10000000, "20k", "100k"),
    PARAMETER_COUNTED("frames", "frames, in each of which one place in fifty is drawn", 1, 10000000,
                      "2k", "5k"),
    {.name = "how",
     .summary = "each entity a block, or chunks of 256 of a kind",
     .kind = PARAMETER_CHOICE,
     .choices = hows,
     .quick = "blocks",
     .full = "blocks"},
    {0},
};

const struct workload workload_entity_pools = {
    .name = "entity_pools",
    .summary = "entities of four sizes made and destroyed, places used again with a generation",
    .source = "entity component systems",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS,
    .run = entity_pools_run,
};
