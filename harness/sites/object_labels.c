/*
 * From an object to its block: see object_labels.h. A container begins behind its collector's head
 * and, on 3.11, what an instance keeps before that; blocks do not overlap, so that the nearest one
 * that begins at one of these places is the object's own. Leaves out objects in blocks of numbers
 * and in the interpreter's static memory: no block begins there.
 */
#include "harness/sites/object_labels.h"

#include "workloads/objects/observed.h"
#include "workloads/objects/runtime.h"

enum { MOST_BEFORE_HEAD_BYTES = 32, BEFORE_HEAD_STEP_BYTES = 16 };

static struct recorder *labelled;
/* Of the runtime's profile: there is one runtime in this process. */
static size_t gc_head_bytes;

void object_labels_begin(struct recorder *recorder)
{
    labelled = recorder;
}

static uint16_t set_label(uint16_t label, const void *argument)
{
    (void)label;
    return *(const uint16_t *)argument;
}

static uint16_t set_free(uint16_t label, const void *argument)
{
    (void)argument;
    return (uint16_t)(label | RECORDER_FREE_LIST);
}

static void relabel_container(uintptr_t object, block_label_change *change, const void *argument)
{
    for (size_t before = 0; before <= MOST_BEFORE_HEAD_BYTES; before += BEFORE_HEAD_STEP_BYTES) {
        if (block_table_relabel(&labelled->blocks, object - gc_head_bytes - before, change,
                                argument) == 0)
            return;
    }
}

void observed_object(const struct runtime *runtime, const struct object *object)
{
    const uint16_t label = recorder_label(labelled, object->type->name);

    gc_head_bytes = runtime->profile->gc_head_bytes;
    if (object_is_container(object))
        relabel_container((uintptr_t)object, set_label, &label);
    else
        block_table_relabel(&labelled->blocks, (uintptr_t)object, set_label, &label);
}

void observed_storage(const void *block, const char *what)
{
    const uint16_t label = recorder_label(labelled, what);

    block_table_relabel(&labelled->blocks, (uintptr_t)block, set_label, &label);
}

/* What is kept may be a number or a table of keys, which begin their blocks, or a container. */
void observed_kept(const void *object)
{
    if (block_table_relabel(&labelled->blocks, (uintptr_t)object, set_free, NULL) != 0)
        relabel_container((uintptr_t)object, set_free, NULL);
}
