/*
 * From an object to its block: see object_labels.h. An object that is made in a block from a free
 * list has the stack of that, as since 3.8 in tracemalloc (_PyTraceMalloc_NewReference). A
 * container begins behind its collector's head and, on 3.11, what an instance keeps before that;
 * blocks do not overlap, so that the nearest one that begins at one of these places is the object's
 * own. Leaves out objects in blocks of numbers and in the interpreter's static memory: no block
 * begins there.
 */
#include "harness/sites/object_labels.h"

#include "workloads/objects/observed.h"
#include "workloads/objects/runtime.h"

enum { MOST_BEFORE_HEAD_BYTES = 32, BEFORE_HEAD_STEP_BYTES = 16 };

static struct recorder *labelled;
static object_labels_stack *current_stack;
/* Of the runtime's profile: there is one runtime in this process. */
static size_t gc_head_bytes;

void object_labels_begin(struct recorder *recorder, object_labels_stack *stack)
{
    labelled = recorder;
    current_stack = stack;
}

/* What a block becomes, and whether it was in a free list before. */
struct renaming {
    uint16_t label;
    int *was_free;
};

static uint16_t set_label(uint16_t label, const void *argument)
{
    const struct renaming *renaming = argument;

    *renaming->was_free = (label & RECORDER_FREE_LIST) != 0;
    return renaming->label;
}

static uint16_t set_free(uint16_t label, const void *argument)
{
    (void)argument;
    return (uint16_t)(label | RECORDER_FREE_LIST);
}

/* Returns the address of the block, 0 when there is none. */
static uintptr_t relabel(uintptr_t address, block_label_change *change, const void *argument)
{
    return block_table_relabel(&labelled->blocks, address, change, argument) == 0 ? address : 0;
}

static uintptr_t relabel_container(uintptr_t object, block_label_change *change,
                                   const void *argument)
{
    for (size_t before = 0; before <= MOST_BEFORE_HEAD_BYTES; before += BEFORE_HEAD_STEP_BYTES) {
        const uintptr_t block = relabel(object - gc_head_bytes - before, change, argument);
        if (block)
            return block;
    }
    return 0;
}

static void move_to_this_stack(uintptr_t block, const void *frame, void *return_address)
{
    struct block_entry entry;

    if (block_table_take(&labelled->blocks, block, &entry) != 0)
        return;
    entry.stack = current_stack(frame, return_address);
    (void)block_table_put(&labelled->blocks, &entry); /* its room is still there */
}

void observed_object(const struct runtime *runtime, const struct object *object)
{
    int was_free = 0;
    const struct renaming renaming = {recorder_label(labelled, object->type->name), &was_free};

    gc_head_bytes = runtime->profile->gc_head_bytes;
    const uintptr_t block = object_is_container(object)
                                ? relabel_container((uintptr_t)object, set_label, &renaming)
                                : relabel((uintptr_t)object, set_label, &renaming);
    if (block && was_free)
        move_to_this_stack(block, __builtin_frame_address(0), __builtin_return_address(0));
}

void observed_storage(const void *block, const char *what)
{
    int was_free = 0;
    const struct renaming renaming = {recorder_label(labelled, what), &was_free};

    if (relabel((uintptr_t)block, set_label, &renaming) && was_free)
        move_to_this_stack((uintptr_t)block, __builtin_frame_address(0),
                           __builtin_return_address(0));
}

/* What is kept may be a number or a table of keys, which begin their blocks, or a container. */
void observed_kept(const void *object)
{
    if (!relabel((uintptr_t)object, set_free, NULL))
        relabel_container((uintptr_t)object, set_free, NULL);
}
