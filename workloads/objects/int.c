/*
 * Ints: see int.h. Leaves out arithmetic. After CPython 2.7 Objects/intobject.c (PyInt_FromLong)
, 3.8 and 3.11 Objects/longobject.c.
 */
#include "workloads/objects/int.h"

#include "workloads/objects/runtime.h"

#include <assert.h>
#include <errno.h>

_Static_assert(sizeof(struct long_int) == 32, "3.x's PyLongObject");
_Static_assert(offsetof(struct long_int, digit) == 24, "its first digit ends 28 bytes");

static size_t int_bytes(const struct runtime *runtime, const struct object *object)
{
    (void)object;
    return runtime->profile->int_bytes;
}

/* As CPython's, but for -1, which is no error here. */
static uint64_t int_hash(struct object *object)
{
    return (uint64_t)int_value(object);
}

static int int_equal(const struct object *object, const struct object *other)
{
    return int_value(object) == int_value(other);
}

static void block_int_dealloc(struct runtime *runtime, struct object *object)
{
    runtime_dropping(runtime, runtime->profile->int_bytes, (uint64_t)int_value(object));
    number_blocks_give(&runtime->ints.blocks, object);
}

static void long_int_dealloc(struct runtime *runtime, struct object *object)
{
    runtime_dropping(runtime, runtime->profile->int_bytes, (uint64_t)int_value(object));
    heap_free(&runtime->heap, HEAP_OBJECT, object, runtime->profile->int_block_bytes);
}

static const struct object_type block_int_type = {
    .name = "int",
    .dealloc = block_int_dealloc,
    .bytes = int_bytes,
    .hash = int_hash,
    .equal = int_equal,
};

static const struct object_type long_int_type = {
    .name = "int",
    .dealloc = long_int_dealloc,
    .bytes = int_bytes,
    .hash = int_hash,
    .equal = int_equal,
};

static struct object *block_int_new(struct runtime *runtime, int64_t value)
{
    struct object *object = number_blocks_take(runtime, &runtime->ints.blocks);

    if (!object)
        return NULL;
    object->references = 1;
    object->type = &block_int_type;
    ((struct block_number *)object)->integer = value;
    return object;
}

static void long_int_write(struct long_int *new, int64_t value)
{
    new->object.references = 1;
    new->object.type = &long_int_type;
    new->digit_count = (value > 0) - (value < 0);
    new->digit = (uint32_t)(value < 0 ? -value : value);
}

static struct object *long_int_new(struct runtime *runtime, int64_t value)
{
    struct long_int *new =
        heap_malloc(&runtime->heap, HEAP_OBJECT, runtime->profile->int_block_bytes);

    if (!new)
        return NULL;
    long_int_write(new, value);
    return &new->object;
}

struct object *int_new(struct runtime *runtime, int64_t value)
{
    struct object *object;

    assert(-(INT64_C(1) << 30) < value && value < INT64_C(1) << 30);
    if (INT_SMALLEST_SHARED <= value && value <= INT_LARGEST_SHARED)
        return object_keep(runtime->ints.shared[value - INT_SMALLEST_SHARED]);
    if (runtime->profile->number_source == NUMBER_FROM_BLOCKS)
        object = block_int_new(runtime, value);
    else
        object = long_int_new(runtime, value);
    if (!object)
        return NULL;
    runtime_made(runtime, runtime->profile->int_bytes, (uint64_t)value);
    observed_object(runtime, object);
    return object;
}

int64_t int_value(const struct object *object)
{
    if (object->type == &block_int_type)
        return ((const struct block_number *)object)->integer;
    const struct long_int *number = (const struct long_int *)object;
    return number->digit_count * (int64_t)number->digit;
}

/* The shared ints belong to the runtime, not to the program: they are not counted as its objects.
 */
int ints_init(struct runtime *runtime)
{
    struct int_store *ints = &runtime->ints;

    for (size_t i = 0; i < INT_SHARED; i++) {
        int64_t value = (int64_t)i + INT_SMALLEST_SHARED;
        if (runtime->profile->number_source == NUMBER_FROM_OBJECT) {
            long_int_write(&ints->static_ints[i], value);
            ints->shared[i] = &ints->static_ints[i].object;
            continue;
        }
        ints->shared[i] = block_int_new(runtime, value);
        if (!ints->shared[i]) {
            ints_finish(runtime);
            return -ENOMEM;
        }
    }
    return 0;
}

void ints_finish(struct runtime *runtime)
{
    struct int_store *ints = &runtime->ints;

    if (runtime->profile->number_source == NUMBER_FROM_OBJECT)
        return;
    for (size_t i = 0; i < INT_SHARED && ints->shared[i]; i++)
        if (--ints->shared[i]->references == 0)
            number_blocks_give(&ints->blocks, ints->shared[i]);
    ints_clear_free_list(runtime);
}

void ints_clear_free_list(struct runtime *runtime)
{
    number_blocks_clear(runtime, &runtime->ints.blocks, &block_int_type);
}
