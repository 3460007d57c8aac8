/*
 * Ints: see int.h. The order in which slots are handed out, reused and given back is CPython's,
 * because it decides which blocks a survivor pins. Leaves out arithmetic. After CPython 2.7
 * Objects/intobject.c (fill_free_list, PyInt_FromLong, PyInt_ClearFreeList) and 3.11
 * Objects/longobject.c.
 */
#include "workloads/objects/int.h"

#include "workloads/objects/runtime.h"

#include <assert.h>
#include <errno.h>

_Static_assert(sizeof(struct block_int) == 24, "2.7's PyIntObject");
_Static_assert(sizeof(struct int_block) == 992, "2.7's PyIntBlock");
_Static_assert(sizeof(struct long_int) == 32, "3.11's PyLongObject");

static void free_list_push(struct int_store *ints, struct object *object)
{
    object->next_free = ints->free;
    ints->free = object;
}

static void block_int_dealloc(struct runtime *runtime, struct object *object)
{
    runtime_dropping(runtime, runtime->profile->int_bytes, (uint64_t)int_value(object));
    free_list_push(&runtime->ints, object);
}

static void long_int_dealloc(struct runtime *runtime, struct object *object)
{
    runtime_dropping(runtime, runtime->profile->int_bytes, (uint64_t)int_value(object));
    heap_free(&runtime->heap, HEAP_OBJECT, object, sizeof(struct long_int));
}

static const struct object_type block_int_type = {.name = "int", .dealloc = block_int_dealloc};
static const struct object_type long_int_type = {.name = "int", .dealloc = long_int_dealloc};

/* fill_free_list: the last int of a new block is handed out first. */
static int free_list_fill(struct runtime *runtime)
{
    struct int_store *ints = &runtime->ints;
    struct int_block *block = heap_malloc(&runtime->heap, HEAP_RAW, sizeof *block);

    if (!block)
        return -ENOMEM;
    block->next = ints->blocks;
    ints->blocks = block;
    for (size_t i = INTS_PER_BLOCK; i-- > 1;)
        block->ints[i].object.next_free = &block->ints[i - 1].object;
    block->ints[0].object.next_free = NULL;
    ints->free = &block->ints[INTS_PER_BLOCK - 1].object;
    return 0;
}

static struct object *block_int_new(struct runtime *runtime, int64_t value)
{
    struct int_store *ints = &runtime->ints;

    if (!ints->free && free_list_fill(runtime) != 0)
        return NULL;
    struct object *object = ints->free;
    ints->free = object->next_free;
    object->references = 1;
    object->type = &block_int_type;
    ((struct block_int *)object)->value = value;
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
    struct long_int *new = heap_malloc(&runtime->heap, HEAP_OBJECT, sizeof *new);

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
    if (runtime->profile->int_source == INT_FROM_BLOCKS)
        object = block_int_new(runtime, value);
    else
        object = long_int_new(runtime, value);
    if (object)
        runtime_made(runtime, runtime->profile->int_bytes, (uint64_t)value);
    return object;
}

int64_t int_value(const struct object *object)
{
    if (object->type == &block_int_type)
        return ((const struct block_int *)object)->value;
    const struct long_int *number = (const struct long_int *)object;
    return number->digit_count * (int64_t)number->digit;
}

/* The shared ints belong to the runtime, not to the program: they are not counted as its objects.
 */
int ints_init(struct runtime *runtime)
{
    struct int_store *ints = &runtime->ints;

    ints->blocks = NULL;
    ints->free = NULL;
    for (size_t i = 0; i < INT_SHARED; i++)
        ints->shared[i] = NULL;
    for (size_t i = 0; i < INT_SHARED; i++) {
        int64_t value = (int64_t)i + INT_SMALLEST_SHARED;
        if (runtime->profile->int_source == INT_FROM_OBJECT) {
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

    if (runtime->profile->int_source == INT_FROM_OBJECT)
        return;
    for (size_t i = 0; i < INT_SHARED && ints->shared[i]; i++)
        if (--ints->shared[i]->references == 0)
            free_list_push(ints, ints->shared[i]);
    ints_clear_free_list(runtime);
}

/* The type is looked at first: a slot that was never handed out has no count of references. */
static int slot_is_live(const struct block_int *slot)
{
    return slot->object.type == &block_int_type && slot->object.references != 0;
}

static int block_is_live(const struct int_block *block)
{
    for (size_t i = 0; i < INTS_PER_BLOCK; i++)
        if (slot_is_live(&block->ints[i]))
            return 1;
    return 0;
}

/*
 * Blocks are kept by pushing them, so their order turns with every collection, as it does in
 * CPython.
 */
void ints_clear_free_list(struct runtime *runtime)
{
    struct int_store *ints = &runtime->ints;
    struct int_block *block = ints->blocks;

    ints->blocks = NULL;
    ints->free = NULL;
    while (block) {
        struct int_block *next = block->next;
        if (!block_is_live(block)) {
            heap_free(&runtime->heap, HEAP_RAW, block, sizeof *block);
        } else {
            block->next = ints->blocks;
            ints->blocks = block;
            for (size_t i = 0; i < INTS_PER_BLOCK; i++)
                if (!slot_is_live(&block->ints[i]))
                    free_list_push(ints, &block->ints[i].object);
        }
        block = next;
    }
}
