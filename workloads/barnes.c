/*
 * barnes: n bodies under gravity. At each step an octree is built of blocks, the pull of far bodies
 * is taken from its cells, and the tree is freed: few blocks and much arithmetic, the case where an
 * allocator should not matter. Sizes: a body 64 bytes, a cell 144; lifetime: a step, or to the end;
 * one thread. Deviations: bodies start in a uniform cube; no quadrupoles; at the greatest depth a
 * cell takes all that come. Source: Barnes and Hut, "A Hierarchical O(N log N) Force-Calculation
 * Algorithm", Nature 324, 1986, as Hoard's benchmarks have it among theirs.
 */
#define _GNU_SOURCE
#include "workloads/block.h"
#include "workloads/draw.h"
#include "workloads/table.h"

#include <math.h>

enum { AXES = 3, OCTANTS = 8, DEPTH_MOST = 40, STACK = (OCTANTS - 1) * DEPTH_MOST + OCTANTS };
static const double time_step = 1e-4, softening = 1e-4, opening = 0.25; /* the last two squared */

struct body {
    double mass, place[AXES], speed[AXES];
    uint64_t number;
};

/* A leaf has a body and no children, an inner cell has children and none. */
struct cell {
    double mass, moment[AXES]; /* of all bodies in it: their masses, and masses times places */
    double middle[AXES], half; /* of its cube */
    struct cell *children[OCTANTS];
    const struct body *body;
};

struct sky {
    struct slot *bodies;
    size_t count;
    uint64_t steps;
};

static struct cell *make_cell(struct worker *worker, const double *middle, double half)
{
    struct cell *cell = block_make(worker, sizeof *cell);

    if (cell) {
        *cell = (struct cell){.half = half};
        memcpy(cell->middle, middle, sizeof cell->middle);
    }
    return cell;
}

static void weigh_in(struct cell *cell, const struct body *body)
{
    cell->mass += body->mass;
    for (int axis = 0; axis < AXES; axis++)
        cell->moment[axis] += body->mass * body->place[axis];
}

/* The child of `cell` in whose octant the body lies, made if there is none. */
static struct cell *child_for(struct worker *worker, struct cell *cell, const struct body *body)
{
    double middle[AXES], quarter = cell->half / 2;
    unsigned octant = 0;

    for (int axis = 0; axis < AXES; axis++) {
        unsigned is_above = body->place[axis] >= cell->middle[axis];
        octant |= is_above << axis;
        middle[axis] = cell->middle[axis] + (is_above ? quarter : -quarter);
    }
    if (!cell->children[octant])
        cell->children[octant] = make_cell(worker, middle, quarter);
    return cell->children[octant];
}

/* The body of a leaf goes into a child, which was not there. */
static int split(struct worker *worker, struct cell *leaf)
{
    struct cell *child = child_for(worker, leaf, leaf->body);

    if (!child)
        return -ENOMEM;
    weigh_in(child, leaf->body);
    child->body = leaf->body;
    leaf->body = NULL;
    return 0;
}

static int insert(struct worker *worker, struct cell *cell, const struct body *body)
{
    for (int depth = 0;; depth++) {
        int is_empty = cell->mass == 0; /* no body has none */
        weigh_in(cell, body);
        if (is_empty)
            cell->body = body;
        if (is_empty || depth == DEPTH_MOST)
            return 0;
        if (cell->body && split(worker, cell) != 0)
            return -ENOMEM;
        cell = child_for(worker, cell, body);
        if (!cell)
            return -ENOMEM;
    }
}

/* Adds the children of a cell to a stack of cells, whose new height is returned. */
static size_t push_children(struct cell **stack, size_t height, const struct cell *cell)
{
    for (int octant = 0; octant < OCTANTS; octant++)
        if (cell->children[octant])
            stack[height++] = cell->children[octant];
    return height;
}

static void drop_tree(struct worker *worker, struct cell *root)
{
    struct cell *stack[STACK];
    size_t height = 0;

    if (root)
        stack[height++] = root;
    while (height > 0) {
        struct cell *cell = stack[--height];
        height = push_children(stack, height, cell);
        block_drop(worker, cell, sizeof *cell);
    }
}

static struct cell *build_tree(struct worker *worker, const struct sky *sky)
{
    static const double origin[AXES];
    double half = 0;

    for (size_t i = 0; i < sky->count; i++)
        for (int axis = 0; axis < AXES; axis++)
            half = fmax(half, fabs(((struct body *)sky->bodies[i].block)->place[axis]));
    struct cell *root = make_cell(worker, origin, half);
    int error = root ? 0 : -ENOMEM;
    for (size_t i = 0; i < sky->count && !error; i++)
        error = insert(worker, root, sky->bodies[i].block);
    if (!error)
        return root;
    drop_tree(worker, root);
    return NULL;
}

/* Adds the pull of a cell as of one mass. Returns 0 when the cell is too near for that. */
static int pull_as_one(const struct body *body, const struct cell *cell, double *pull)
{
    double away[AXES], distance = softening; /* squared */

    for (int axis = 0; axis < AXES; axis++) {
        away[axis] = cell->moment[axis] / cell->mass - body->place[axis];
        distance += away[axis] * away[axis];
    }
    if (!cell->body && 4 * cell->half * cell->half > opening * distance)
        return 0;
    double strength = cell->mass / (distance * sqrt(distance));
    for (int axis = 0; axis < AXES; axis++)
        pull[axis] += strength * away[axis];
    return 1;
}

static void accelerate(struct body *body, struct cell *root)
{
    struct cell *stack[STACK];
    double pull[AXES] = {0};
    size_t height = 0;

    stack[height++] = root;
    while (height > 0) {
        const struct cell *cell = stack[--height];
        if (!pull_as_one(body, cell, pull))
            height = push_children(stack, height, cell);
    }
    for (int axis = 0; axis < AXES; axis++)
        body->speed[axis] += time_step * pull[axis];
}

static int step(struct worker *worker, const struct sky *sky)
{
    struct cell *root = build_tree(worker, sky);

    if (!root)
        return -ENOMEM;
    for (size_t i = 0; i < sky->count; i++)
        accelerate(sky->bodies[i].block, root);
    for (size_t i = 0; i < sky->count; i++) {
        struct body *body = sky->bodies[i].block;
        for (int axis = 0; axis < AXES; axis++)
            body->place[axis] += time_step * body->speed[axis];
    }
    drop_tree(worker, root);
    return 0;
}

static int build(struct worker *worker)
{
    const struct sky *sky = worker->program;

    for (size_t i = 0; i < sky->count; i++) {
        if (slot_fill(worker, &sky->bodies[i], sizeof(struct body)) != 0)
            return -ENOMEM;
        struct body *body = sky->bodies[i].block;
        *body = (struct body){.mass = 1.0 / (double)sky->count, .number = i};
        for (int axis = 0; axis < AXES; axis++)
            body->place[axis] = 2 * draw_unit(&worker->random) - 1;
    }
    return 0;
}

static int work(struct worker *worker)
{
    const struct sky *sky = worker->program;
    int error = 0;

    for (uint64_t i = 0; i < sky->steps && !error; i++)
        error = step(worker, sky);
    return error;
}

static int clear(struct worker *worker)
{
    const struct sky *sky = worker->program;

    slots_empty(worker, sky->bodies, sky->count);
    return 0;
}

static const struct stage stages[] = {
    {"build", build, ON_MAIN},
    {"work", work, ON_MAIN},
    {"free", clear, ON_MAIN},
    {0},
};

static int barnes_run(struct workload_context *context)
{
    struct sky sky = {
        .count = workload_value(context, "n"),
        .steps = workload_value(context, "rounds"),
    };

    sky.bodies = table_map(sky.count, sizeof *sky.bodies);
    if (!sky.bodies)
        return -ENOMEM;
    int error = team_play(context, 0, &sky, stages);
    table_unmap(sky.bodies, sky.count, sizeof *sky.bodies);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "bodies", 1, 10000000, "5k", "20k"),
    PARAMETER_COUNTED("rounds", "steps of time", 1, 1000000, "10", "20"),
    {0},
};

const struct workload workload_barnes = {
    .name = "barnes",
    .summary = "bodies under gravity: few blocks and much arithmetic",
    .source = "Barnes and Hut 1986",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS,
    .run = barnes_run,
};
