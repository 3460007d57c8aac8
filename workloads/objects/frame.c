/*
 * Generators of 2.7 and 3.8: a small object, and a frame that is an object of its own, made by each
 * call and freed when the generator ends. A code keeps one dead frame, and 200 more wait for any
 * code. Leaves out frames of plain calls, which come and go with them. After CPython 2.7 and 3.8
 * Objects/frameobject.c (PyFrame_New, frame_dealloc), Objects/genobject.c.
 */
#include "workloads/objects/generator.h"
#include "workloads/objects/runtime.h"

#include <string.h>

/* One place for a local is in PyFrameObject and asked for on top; sys.getsizeof leaves it out. */
enum { SPARE_SLOT_BYTES = sizeof(struct object *) };

struct frame {
    struct object object;
    size_t slots; /* ob_size: those it has room for */
    struct generator_code *code;
    uint64_t step;
    struct object *locals[]; /* in CPython behind the other fields, at the end of the block */
};

struct weakref;

struct generator { /* 2.7's PyGenObject; 3.8 has names and the state of exceptions behind it */
    struct object object;
    struct object *frame; /* NULL: it has ended */
    uint64_t running;
    struct generator_code *code;
    struct weakref *weakrefs;
};

_Static_assert(sizeof(struct generator) == 48, "2.7's PyGenObject");

static size_t block_bytes(const struct runtime *runtime, size_t slots)
{
    return runtime->profile->frame_bytes + slots * sizeof(struct object *) + SPARE_SLOT_BYTES;
}

static size_t frame_bytes(const struct runtime *runtime, const struct object *object)
{
    size_t slots = ((const struct frame *)object)->slots;

    return runtime->profile->gc_head_bytes + block_bytes(runtime, slots) - SPARE_SLOT_BYTES;
}

static void free_frame(struct runtime *runtime, struct object *object)
{
    container_free(runtime, object, block_bytes(runtime, ((struct frame *)object)->slots));
}

static void frame_clear(struct runtime *runtime, struct object *object)
{
    struct frame *frame = (struct frame *)object;

    for (size_t i = 0; i < frame->code->locals; i++)
        object_assign(runtime, &frame->locals[i], NULL);
}

static void frame_dealloc(struct runtime *runtime, struct object *object)
{
    struct frame *frame = (struct frame *)object;

    container_untrack(runtime, object);
    if (!runtime_enter(runtime, object))
        return;
    runtime_dropping(runtime, frame_bytes(runtime, object), frame->step);
    frame_clear(runtime, object);
    if (!frame->code->zombie)
        frame->code->zombie = object;
    else if (!free_list_push(&runtime->frames, object, runtime->profile->frame_free_most))
        free_frame(runtime, object);
    runtime_leave(runtime);
}

static void frame_traverse(struct object *object, object_visitor *visit, void *argument)
{
    struct frame *frame = (struct frame *)object;

    for (size_t i = 0; i < frame->code->locals; i++)
        if (frame->locals[i])
            visit(frame->locals[i], argument);
}

static const struct object_type frame_type = {
    .name = "frame",
    .dealloc = frame_dealloc,
    .bytes = frame_bytes,
    .traverse = frame_traverse,
    .clear = frame_clear,
};

/* One that waits may be too small: it is made larger, and stays so. */
static struct object *reuse_frame(struct runtime *runtime, size_t slots)
{
    struct object *object = free_list_pop(&runtime->frames);
    size_t had = object ? ((struct frame *)object)->slots : 0;

    if (!object || had >= slots)
        return object;
    struct object *grown =
        container_resize(runtime, object, block_bytes(runtime, had), block_bytes(runtime, slots));
    if (!grown) {
        container_free(runtime, object, block_bytes(runtime, had));
        return NULL;
    }
    ((struct frame *)grown)->slots = slots;
    return grown;
}

/* The code's own, or one that waits, or a new one. */
static struct object *take_frame(struct runtime *runtime, struct generator_code *code)
{
    size_t slots = code->locals + code->stack;
    struct object *object = code->zombie;

    if (object) {
        code->zombie = NULL;
        return object;
    }
    if (runtime->frames.first)
        return reuse_frame(runtime, slots);
    object = container_alloc(runtime, block_bytes(runtime, slots));
    if (object)
        ((struct frame *)object)->slots = slots;
    return object;
}

static struct object *frame_new(struct runtime *runtime, struct generator_code *code)
{
    struct object *object = take_frame(runtime, code);
    struct frame *frame = (struct frame *)object;

    if (!object)
        return NULL;
    container_renew(runtime, object);
    object->references = 1;
    object->type = &frame_type;
    frame->code = code;
    frame->step = 0;
    memset(frame->locals, 0, code->locals * sizeof(struct object *));
    runtime_made(runtime, frame_bytes(runtime, object), 0);
    container_track(runtime, object);
    return object;
}

/* --- The generator. --- */

static size_t generator_bytes(const struct runtime *runtime, const struct object *object)
{
    (void)object;
    return runtime->profile->gc_head_bytes + runtime->profile->generator_bytes;
}

static void generator_dealloc(struct runtime *runtime, struct object *object)
{
    struct generator *generator = (struct generator *)object;

    container_untrack(runtime, object);
    if (!runtime_enter(runtime, object))
        return;
    if (generator->weakrefs)
        weakrefs_clear(runtime, object);
    runtime_dropping(runtime, generator_bytes(runtime, object), 0);
    object_assign(runtime, &generator->frame, NULL);
    container_free(runtime, object, runtime->profile->generator_bytes);
    runtime_leave(runtime);
}

static void generator_traverse(struct object *object, object_visitor *visit, void *argument)
{
    struct generator *generator = (struct generator *)object;

    if (generator->frame)
        visit(generator->frame, argument);
}

/* _PyGen_Finalize: 3.8 also closes one that has not begun. */
static void generator_finalize(struct runtime *runtime, struct object *object)
{
    object_assign(runtime, &((struct generator *)object)->frame, NULL);
}

/* There is nothing to clear: the frame is a container and has its own. */
static const struct object_type generator_type_2_7 = {
    .name = "generator",
    .dealloc = generator_dealloc,
    .bytes = generator_bytes,
    .traverse = generator_traverse,
    .weak_list_offset = offsetof(struct generator, weakrefs),
};

/* On 3.x a collection ends it by its finalizer. */
static const struct object_type generator_type_3_8 = {
    .name = "generator",
    .dealloc = generator_dealloc,
    .bytes = generator_bytes,
    .traverse = generator_traverse,
    .finalize = generator_finalize,
    .weak_list_offset = offsetof(struct generator, weakrefs),
};

static struct object *framed_new(struct runtime *runtime, struct generator_code *code)
{
    const struct profile *profile = runtime->profile;
    struct object *frame = frame_new(runtime, code);
    struct object *object = frame ? container_alloc(runtime, profile->generator_bytes) : NULL;

    if (!object) {
        object_assign(runtime, &frame, NULL);
        return NULL;
    }
    *(struct generator *)object = (struct generator){.object = {.references = 1}};
    object->type = profile->finalizers_block ? &generator_type_2_7 : &generator_type_3_8;
    ((struct generator *)object)->frame = frame;
    ((struct generator *)object)->code = code;
    runtime_made(runtime, generator_bytes(runtime, object), 0);
    container_track(runtime, object);
    return object;
}

static struct object **framed_locals(const struct object *object)
{
    struct frame *frame = (struct frame *)((const struct generator *)object)->frame;

    return frame ? frame->locals : NULL;
}

/* Generator and frame are kept while they run: what they do may drop the last name of either. */
static struct object *framed_next(struct runtime *runtime, struct object *object)
{
    struct generator *generator = (struct generator *)object;
    struct frame *frame = (struct frame *)generator->frame;

    if (!frame)
        return NULL;
    object_keep(object);
    object_keep(&frame->object);
    struct object *item = generator->code->resume(runtime, frame->locals, &frame->step);
    object_drop(runtime, &frame->object);
    if (!item)
        object_assign(runtime, &generator->frame, NULL);
    object_drop(runtime, object);
    return item;
}

const struct generator_layout generator_with_frame = {
    .new = framed_new, .locals = framed_locals, .next = framed_next};

void generator_code_finish(struct runtime *runtime, struct generator_code *code)
{
    if (code->zombie)
        free_frame(runtime, code->zombie);
    code->zombie = NULL;
}

void frames_clear_free_list(struct runtime *runtime)
{
    struct object *object;

    while ((object = free_list_pop(&runtime->frames)))
        free_frame(runtime, object);
}
