/*
 * Floats: see float.h. Leaves out arithmetic and the hash of a whole number, which CPython makes
 * that of the int. After CPython Objects/floatobject.c, 2.7, 3.8, 3.11 and 3.13.
 */
#include "workloads/objects/float.h"

#include "workloads/objects/runtime.h"

#include <string.h>

struct float_object { /* PyFloatObject, the same as a slot of 2.7's blocks */
    struct object object;
    double value;
};

_Static_assert(sizeof(struct float_object) == 24, "PyFloatObject");

static uint64_t float_hash(struct object *object)
{
    double value = float_value(object);
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits ^ bits >> 32;
}

/* As IEEE 754 compares: no NaN equals another one. */
static int float_equal(const struct object *object, const struct object *other)
{
    return float_value(object) == float_value(other);
}

static size_t float_bytes(const struct runtime *runtime, const struct object *object)
{
    (void)runtime;
    (void)object;
    return sizeof(struct float_object);
}

static void float_dealloc(struct runtime *runtime, struct object *object)
{
    const struct profile *profile = runtime->profile;

    runtime_dropping(runtime, sizeof(struct float_object), float_hash(object));
    if (profile->number_source == NUMBER_FROM_BLOCKS)
        number_blocks_give(&runtime->floats.blocks, object);
    else if (!free_list_push(&runtime->floats.free, object, profile->float_free_most))
        heap_free(&runtime->heap, HEAP_OBJECT, object, sizeof(struct float_object));
}

static const struct object_type float_type = {
    .name = "float",
    .dealloc = float_dealloc,
    .bytes = float_bytes,
    .hash = float_hash,
    .equal = float_equal,
};

static struct object *take_float(struct runtime *runtime)
{
    if (runtime->profile->number_source == NUMBER_FROM_BLOCKS)
        return number_blocks_take(runtime, &runtime->floats.blocks);
    struct object *object = free_list_pop(&runtime->floats.free);
    if (object)
        return object;
    return heap_malloc(&runtime->heap, HEAP_OBJECT, sizeof(struct float_object));
}

struct object *float_new(struct runtime *runtime, double value)
{
    struct object *object = take_float(runtime);

    if (!object)
        return NULL;
    object->references = 1;
    object->type = &float_type;
    ((struct float_object *)object)->value = value;
    runtime_made(runtime, sizeof(struct float_object), float_hash(object));
    return object;
}

double float_value(const struct object *object)
{
    return ((const struct float_object *)object)->value;
}

void floats_clear_free_list(struct runtime *runtime)
{
    struct object *object;

    if (runtime->profile->number_source == NUMBER_FROM_BLOCKS)
        number_blocks_clear(runtime, &runtime->floats.blocks, &float_type);
    while ((object = free_list_pop(&runtime->floats.free)))
        heap_free(&runtime->heap, HEAP_OBJECT, object, sizeof(struct float_object));
}
