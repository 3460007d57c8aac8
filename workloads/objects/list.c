/*
 * Lists: see list.h. Storage is asked for, grown and given back when CPython does, and items are
 * dropped from last to first. Leaves out growth by more than one item at a time, but for the rule
 * itself. After CPython Objects/listobject.c, 2.7, 3.8 and 3.11 (PyList_New,
 * list_preallocate_exact, list_resize, app1, list_dealloc, list_clear).
 */
#include "workloads/objects/list.h"

#include "workloads/objects/runtime.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

_Static_assert(sizeof(struct list) == 40, "PyListObject");

static size_t storage_bytes(size_t allocated)
{
    return allocated * sizeof(struct object *);
}

static size_t list_bytes(const struct runtime *runtime, const struct object *object)
{
    const struct list *list = (const struct list *)object;

    return runtime->profile->gc_head_bytes + sizeof *list + storage_bytes(list->allocated);
}

/*
 * From last to first: the order in which CPython drops them, and so the order of a free list
 * afterwards.
 */
static void drop_items(struct runtime *runtime, struct object **items, size_t size)
{
    while (size-- > 0)
        object_drop(runtime, items[size]);
}

static void free_storage(struct runtime *runtime, struct object **items, size_t allocated)
{
    if (items)
        heap_free(&runtime->heap, runtime->profile->mem_domain, items, storage_bytes(allocated));
}

void lists_start(struct runtime *runtime)
{
    for (size_t i = 0; i < LISTS_AT_START; i++) {
        void *head = runtime->lists.at_start[i];
        free_list_push(&runtime->lists.free, object_of(runtime, head), SIZE_MAX);
    }
}

/* Those of the start are in no allocator's memory: they are forgotten. */
static void free_list_object(struct runtime *runtime, struct object *object)
{
    uintptr_t offset = (uintptr_t)object - (uintptr_t)runtime->lists.at_start;

    if (offset >= sizeof runtime->lists.at_start)
        container_free(runtime, object, sizeof(struct list));
}

/* Without storage and not tracked. */
static void give_list(struct runtime *runtime, struct object *object)
{
    if (!free_list_push(&runtime->lists.free, object, runtime->profile->list_free_most))
        free_list_object(runtime, object);
}

static void list_dealloc(struct runtime *runtime, struct object *object)
{
    struct list *list = (struct list *)object;

    container_untrack(runtime, object);
    if (!runtime_enter(runtime, object))
        return;
    runtime_dropping(runtime, list_bytes(runtime, object), list->size);
    drop_items(runtime, list->items, list->size);
    free_storage(runtime, list->items, list->allocated);
    give_list(runtime, object);
    runtime_leave(runtime);
}

static void list_traverse(struct object *object, object_visitor *visit, void *argument)
{
    struct list *list = (struct list *)object;

    for (size_t i = list->size; i-- > 0;)
        visit(list->items[i], argument);
}

/* The list is empty before the first item goes: that drop may lead back to it. */
static void list_clear(struct runtime *runtime, struct object *object)
{
    struct list *list = (struct list *)object;
    struct object **items = list->items;
    size_t size = list->size;
    size_t allocated = list->allocated;

    list->items = NULL;
    list->size = 0;
    list->allocated = 0;
    gauge_subtract(runtime->dying_bytes, storage_bytes(allocated));
    drop_items(runtime, items, size);
    free_storage(runtime, items, allocated);
}

static const struct object_type list_type = {
    .name = "list",
    .dealloc = list_dealloc,
    .bytes = list_bytes,
    .traverse = list_traverse,
    .clear = list_clear,
};

static int preallocate(struct runtime *runtime, struct list *list, size_t room)
{
    const struct profile *profile = runtime->profile;

    if (room > PTRDIFF_MAX / sizeof(struct object *))
        return -ENOMEM;
    list->items = heap_malloc(&runtime->heap, profile->mem_domain, storage_bytes(room));
    if (!list->items)
        return -ENOMEM;
    observed_storage(list->items, "list items");
    if (profile->list_room_zeroed)
        memset(list->items, 0, storage_bytes(room));
    list->allocated = room;
    return 0;
}

/* A list object from the free list or made; all of it is still to be written. */
static struct list *take_list(struct runtime *runtime)
{
    struct object *object = free_list_pop(&runtime->lists.free);

    if (!object)
        return (struct list *)container_alloc(runtime, sizeof(struct list));
    container_renew(runtime, object);
    return (struct list *)object;
}

struct list *list_new(struct runtime *runtime, size_t room)
{
    struct list *list = take_list(runtime);

    if (!list)
        return NULL;
    list->object.references = 1;
    list->object.type = &list_type;
    list->size = 0;
    list->items = NULL;
    list->allocated = 0;
    if (room > 0 && preallocate(runtime, list, room) != 0) {
        give_list(runtime, &list->object);
        return NULL;
    }
    runtime_made(runtime, list_bytes(runtime, &list->object), room);
    observed_object(runtime, &list->object);
    container_track(runtime, &list->object);
    return list;
}

int list_resize(struct runtime *runtime, struct list *list, size_t size)
{
    size_t allocated = list->allocated;

    assert(size > 0);
    if (allocated >= size && size >= allocated >> 1) {
        list->size = size;
        return 0;
    }
    if (size > SIZE_MAX / 2 / sizeof(struct object *)) /* so that the room cannot wrap */
        return -ENOMEM;
    size_t room = runtime->profile->list_growth(list->size, size);
    struct object **items = heap_realloc(&runtime->heap, runtime->profile->mem_domain, list->items,
                                         storage_bytes(allocated), storage_bytes(room));
    if (!items)
        return -ENOMEM;
    runtime_resized(runtime, storage_bytes(allocated), storage_bytes(room));
    observed_storage(items, "list items");
    list->items = items;
    list->allocated = room;
    list->size = size;
    return 0;
}

int list_append(struct runtime *runtime, struct list *list, struct object *item)
{
    size_t size = list->size;

    if (size < list->allocated)
        list->size = size + 1;
    else if (list_resize(runtime, list, size + 1) != 0)
        return -ENOMEM;
    list->items[size] = object_keep(item);
    return 0;
}

struct list *list_of_range(struct runtime *runtime, uint64_t n)
{
    const size_t multiple = runtime->profile->list_room_multiple;
    struct list *list = list_new(runtime, (n + multiple - 1) / multiple * multiple);

    for (uint64_t value = 0; list && value < n; value++) {
        struct object *item = int_new(runtime, (int64_t)value);
        int error = item ? list_append(runtime, list, item) : -ENOMEM;
        if (item)
            object_drop(runtime, item);
        if (error) {
            object_drop(runtime, &list->object);
            list = NULL;
        }
    }
    return list;
}

void lists_clear_free_list(struct runtime *runtime)
{
    struct object *object;

    while ((object = free_list_pop(&runtime->lists.free)))
        free_list_object(runtime, object);
}
