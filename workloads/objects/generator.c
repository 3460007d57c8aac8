/*
 * Generators: see generator.h. This file has the frame within the generator, of 3.11 and later;
 * frame.c the frame of 2.7 and 3.8. Leaves out what the interpreter keeps in a frame beside locals
 * and stack. After CPython 3.11 and 3.13 Objects/genobject.c (make_gen, gen_dealloc,
 * _PyGen_Finalize).
 */
#include "workloads/objects/generator.h"

#include "workloads/objects/runtime.h"

#include <string.h>

struct weakref;

struct generator { /* PyGenObject with its _PyInterpreterFrame, which is larger */
    struct object object;
    struct weakref *weakrefs;
    struct generator_code *code;
    uint64_t step;
    uint32_t begun;
    uint32_t ended;
    struct object *locals[]; /* in CPython at the end of the block, and the stack behind them */
};

struct object *generator_new(struct runtime *runtime, struct generator_code *code)
{
    return runtime->profile->generator->new (runtime, code);
}

struct object **generator_locals(const struct runtime *runtime, const struct object *object)
{
    return runtime->profile->generator->locals(object);
}

struct object *generator_next(struct runtime *runtime, struct object *object)
{
    return runtime->profile->generator->next(runtime, object);
}

/* --- The frame within. --- */

static size_t block_bytes(const struct runtime *runtime, const struct generator_code *code)
{
    return runtime->profile->generator_bytes +
           (code->locals + code->stack) * sizeof(struct object *);
}

static size_t inline_bytes(const struct runtime *runtime, const struct object *object)
{
    const struct generator *generator = (const struct generator *)object;

    return runtime->profile->gc_head_bytes + block_bytes(runtime, generator->code);
}

/* _PyFrame_Clear: from the first to the last. */
static void end(struct runtime *runtime, struct generator *generator)
{
    generator->ended = 1;
    for (size_t i = 0; i < generator->code->locals; i++)
        object_assign(runtime, &generator->locals[i], NULL);
}

/* _PyGen_Finalize: 3.13 leaves one that has not begun its arguments, 3.11 closes it too. */
static void inline_finalize(struct runtime *runtime, struct object *object)
{
    struct generator *generator = (struct generator *)object;

    if (!generator->ended && (generator->begun || runtime->profile->generator_closes_unbegun))
        end(runtime, generator);
}

static void inline_dealloc(struct runtime *runtime, struct object *object)
{
    struct generator *generator = (struct generator *)object;

    container_untrack(runtime, object);
    if (!runtime_enter(runtime, object))
        return;
    if (generator->weakrefs)
        weakrefs_clear(runtime, object);
    runtime_dropping(runtime, inline_bytes(runtime, object), generator->step);
    end(runtime, generator);
    container_free(runtime, object, block_bytes(runtime, generator->code));
    runtime_leave(runtime);
}

static void inline_traverse(struct object *object, object_visitor *visit, void *argument)
{
    struct generator *generator = (struct generator *)object;

    for (size_t i = 0; i < generator->code->locals; i++)
        if (generator->locals[i])
            visit(generator->locals[i], argument);
}

/* As in CPython there is nothing to clear: a collection ends it by its finalizer. */
static const struct object_type inline_type = {
    .name = "generator",
    .dealloc = inline_dealloc,
    .bytes = inline_bytes,
    .traverse = inline_traverse,
    .finalize = inline_finalize,
    .weak_list_offset = offsetof(struct generator, weakrefs),
};

static struct object *inline_new(struct runtime *runtime, struct generator_code *code)
{
    struct object *object = container_alloc(runtime, block_bytes(runtime, code));
    struct generator *generator = (struct generator *)object;

    if (!object)
        return NULL;
    *generator =
        (struct generator){.object = {.references = 1, .type = &inline_type}, .code = code};
    memset(generator->locals, 0, code->locals * sizeof(struct object *));
    runtime_made(runtime, inline_bytes(runtime, object), 0);
    container_track(runtime, object);
    return object;
}

static struct object **inline_locals(const struct object *object)
{
    struct generator *generator = (struct generator *)(uintptr_t)object;

    return generator->ended ? NULL : generator->locals;
}

/* The generator is kept while it runs: what it does may drop the last name of it. */
static struct object *inline_next(struct runtime *runtime, struct object *object)
{
    struct generator *generator = (struct generator *)object;

    if (generator->ended)
        return NULL;
    generator->begun = 1;
    object_keep(object);
    struct object *item = generator->code->resume(runtime, generator->locals, &generator->step);
    if (!item)
        end(runtime, generator);
    object_drop(runtime, object);
    return item;
}

const struct generator_layout generator_inline_frame = {
    .new = inline_new, .locals = inline_locals, .next = inline_next};
