/*
 * Deques: see deque.h. An empty deque keeps the block that it has come to. After CPython
 * Modules/_collectionsmodule.c, 2.7, 3.8, 3.11 and 3.13 (newblock, freeblock,
 * deque_append_internal, deque_popleft, deque_clear, deque_dealloc).
 */
#include "workloads/objects/deque.h"

#include "workloads/objects/runtime.h"

#include <errno.h>
#include <stdint.h>

struct deque_block { /* 512 bytes on 2.7, 528 on 3.x */
    struct deque_block *left;
    struct deque_block *right;
    struct object *items[];
};

struct weakref;

struct deque { /* dequeobject */
    struct object object;
    size_t length;
    struct deque_block *left_block, *right_block;
    size_t left, right; /* first and last item, in those blocks; right may be one before 0 */
    size_t maxlen;
    size_t block_items; /* in CPython the counter that tells an iterator of changes */
    struct weakref *weakrefs;
    struct deque_free_blocks own; /* not to 3.8 */
};

_Static_assert(offsetof(struct deque, own) == 80, "2.7's and 3.8's dequeobject");
_Static_assert(sizeof(struct deque) == 216, "3.11's dequeobject");

/* BLOCKLEN, MAXFREEBLOCKS. To 3.10 the spare blocks are shared. */
const struct deque_rule deque_rule_2_7 = {.block_items = 62,
                                          .object_bytes = 80,
                                          .free_blocks_most = 10,
                                          .shares_free_blocks = 1,
                                          .clears_item_by_item = 1};
const struct deque_rule deque_rule_3_8 = {
    .block_items = 64, .object_bytes = 80, .free_blocks_most = 16, .shares_free_blocks = 1};
const struct deque_rule deque_rule_3_11 = {
    .block_items = 64, .object_bytes = 216, .free_blocks_most = 16};

static size_t block_bytes(const struct runtime *runtime)
{
    return sizeof(struct deque_block) +
           runtime->profile->deque->block_items * sizeof(struct object *);
}

static size_t blocks_of(const struct deque *deque)
{
    size_t blocks = 1;

    for (const struct deque_block *block = deque->left_block; block != deque->right_block;
         block = block->right)
        blocks++;
    return blocks;
}

static size_t deque_bytes(const struct runtime *runtime, const struct object *object)
{
    const struct deque *deque = (const struct deque *)object;

    return runtime->profile->gc_head_bytes + runtime->profile->deque->object_bytes +
           blocks_of(deque) * block_bytes(runtime);
}

static struct deque_free_blocks *spare_blocks(struct runtime *runtime, struct deque *deque)
{
    return runtime->profile->deque->shares_free_blocks ? &runtime->deque_blocks : &deque->own;
}

static struct deque_block *take_block(struct runtime *runtime, struct deque *deque)
{
    struct deque_free_blocks *spare = spare_blocks(runtime, deque);

    if (spare->count > 0)
        return spare->blocks[--spare->count];
    return heap_malloc(&runtime->heap, runtime->profile->mem_domain, block_bytes(runtime));
}

static void give_block(struct runtime *runtime, struct deque *deque, struct deque_block *block)
{
    struct deque_free_blocks *spare = spare_blocks(runtime, deque);

    if (spare->count < runtime->profile->deque->free_blocks_most)
        spare->blocks[spare->count++] = block;
    else
        heap_free(&runtime->heap, runtime->profile->mem_domain, block, block_bytes(runtime));
}

static void free_spare(struct runtime *runtime, struct deque_free_blocks *spare)
{
    while (spare->count > 0)
        heap_free(&runtime->heap, runtime->profile->mem_domain, spare->blocks[--spare->count],
                  block_bytes(runtime));
}

/* Empty: the next item on the right goes right of the middle, one on the left to the middle. */
static void centre(struct deque *deque, struct deque_block *block)
{
    size_t middle = (deque->block_items - 1) / 2;

    deque->length = 0;
    deque->left_block = block;
    deque->right_block = block;
    deque->left = middle + 1;
    deque->right = middle;
}

static void add_right(struct runtime *runtime, struct deque *deque, struct deque_block *block)
{
    block->left = deque->right_block;
    block->right = NULL;
    deque->right_block->right = block;
    deque->right_block = block;
    deque->right = SIZE_MAX;
    runtime_resized(runtime, 0, block_bytes(runtime));
}

static void add_left(struct runtime *runtime, struct deque *deque, struct deque_block *block)
{
    block->right = deque->left_block;
    block->left = NULL;
    deque->left_block->left = block;
    deque->left_block = block;
    deque->left = deque->block_items;
    runtime_resized(runtime, 0, block_bytes(runtime));
}

int deque_append(struct runtime *runtime, struct object *object, struct object *item)
{
    struct deque *deque = (struct deque *)object;

    if (deque->right == deque->block_items - 1) {
        struct deque_block *block = take_block(runtime, deque);
        if (!block)
            return -ENOMEM;
        add_right(runtime, deque, block);
    }
    deque->length++;
    deque->right_block->items[++deque->right] = object_keep(item);
    if (deque->length > deque->maxlen)
        object_drop(runtime, deque_pop_left(runtime, object));
    return 0;
}

int deque_append_left(struct runtime *runtime, struct object *object, struct object *item)
{
    struct deque *deque = (struct deque *)object;

    if (deque->left == 0) {
        struct deque_block *block = take_block(runtime, deque);
        if (!block)
            return -ENOMEM;
        add_left(runtime, deque, block);
    }
    deque->length++;
    deque->left_block->items[--deque->left] = object_keep(item);
    if (deque->length > deque->maxlen)
        object_drop(runtime, deque_pop(runtime, object));
    return 0;
}

struct object *deque_pop(struct runtime *runtime, struct object *object)
{
    struct deque *deque = (struct deque *)object;

    if (deque->length == 0)
        return NULL;
    struct object *item = deque->right_block->items[deque->right--];
    deque->length--;
    if (deque->right == SIZE_MAX && deque->length == 0) {
        centre(deque, deque->right_block);
    } else if (deque->right == SIZE_MAX) {
        struct deque_block *block = deque->right_block;
        deque->right_block = block->left;
        deque->right = deque->block_items - 1;
        gauge_subtract(runtime->dying_bytes, block_bytes(runtime));
        give_block(runtime, deque, block);
    }
    return item;
}

struct object *deque_pop_left(struct runtime *runtime, struct object *object)
{
    struct deque *deque = (struct deque *)object;

    if (deque->length == 0)
        return NULL;
    struct object *item = deque->left_block->items[deque->left++];
    deque->length--;
    if (deque->left == deque->block_items && deque->length == 0) {
        centre(deque, deque->left_block);
    } else if (deque->left == deque->block_items) {
        struct deque_block *block = deque->left_block;
        deque->left_block = block->right;
        deque->left = 0;
        gauge_subtract(runtime->dying_bytes, block_bytes(runtime));
        give_block(runtime, deque, block);
    }
    return item;
}

size_t deque_length(const struct object *object)
{
    return ((const struct deque *)object)->length;
}

/* What a clear has taken out of a deque, with its blocks. */
static void drop_items(struct runtime *runtime, struct deque *deque, const struct deque *old)
{
    struct deque_block *block = old->left_block;
    size_t left = old->left;

    for (size_t length = old->length; length > 0; length--) {
        if (left == old->block_items) {
            struct deque_block *next = block->right;
            give_block(runtime, deque, block);
            block = next;
            left = 0;
        }
        object_drop(runtime, block->items[left++]);
    }
    give_block(runtime, deque, block);
}

/*
 * 3.x: the deque is empty, with a block of its own, before the first item goes: that drop may lead
 * back to it.
 */
static int clear_at_once(struct runtime *runtime, struct deque *deque)
{
    struct deque_block *block = take_block(runtime, deque);

    if (!block)
        return -ENOMEM;
    struct deque old = {.length = deque->length, /* not all of it is there on 3.8 */
                        .left_block = deque->left_block,
                        .left = deque->left,
                        .block_items = deque->block_items};
    size_t blocks = blocks_of(deque);
    centre(deque, block);
    gauge_subtract(runtime->dying_bytes, (blocks - 1) * block_bytes(runtime));
    drop_items(runtime, deque, &old);
    return 0;
}

void deque_clear(struct runtime *runtime, struct object *object)
{
    struct deque *deque = (struct deque *)object;

    if (deque->length == 0)
        return;
    if (!runtime->profile->deque->clears_item_by_item && clear_at_once(runtime, deque) == 0)
        return;
    while (deque->length > 0)
        object_drop(runtime, deque_pop(runtime, object));
}

/* The size goes in two steps: deque_clear tells of all blocks but one. */
static void deque_dealloc(struct runtime *runtime, struct object *object)
{
    struct deque *deque = (struct deque *)object;

    container_untrack(runtime, object);
    if (!runtime_enter(runtime, object))
        return;
    if (deque->weakrefs)
        weakrefs_clear(runtime, object);
    runtime_dropping(runtime, 0, deque->length);
    deque_clear(runtime, object);
    gauge_subtract(runtime->dying_bytes, deque_bytes(runtime, object));
    give_block(runtime, deque, deque->left_block);
    if (!runtime->profile->deque->shares_free_blocks)
        free_spare(runtime, &deque->own);
    container_free(runtime, object, runtime->profile->deque->object_bytes);
    runtime_leave(runtime);
}

static void deque_traverse(struct object *object, object_visitor *visit, void *argument)
{
    const struct deque *deque = (const struct deque *)object;
    const struct deque_block *block = deque->left_block;
    size_t left = deque->left;

    for (size_t length = deque->length; length > 0; length--) {
        if (left == deque->block_items) {
            block = block->right;
            left = 0;
        }
        visit(block->items[left++], argument);
    }
}

static const struct object_type deque_type = {
    .name = "deque",
    .dealloc = deque_dealloc,
    .bytes = deque_bytes,
    .traverse = deque_traverse,
    .clear = deque_clear,
    .weak_list_offset = offsetof(struct deque, weakrefs),
};

struct object *deque_new(struct runtime *runtime, size_t maxlen)
{
    const struct deque_rule *rule = runtime->profile->deque;
    struct object *object = container_alloc(runtime, rule->object_bytes);
    struct deque *deque = (struct deque *)object;

    if (!object)
        return NULL;
    object->references = 1;
    object->type = &deque_type;
    deque->maxlen = maxlen;
    deque->block_items = rule->block_items;
    deque->weakrefs = NULL;
    if (!rule->shares_free_blocks)
        deque->own.count = 0;
    struct deque_block *block = take_block(runtime, deque);
    if (!block) {
        container_free(runtime, object, rule->object_bytes);
        return NULL;
    }
    centre(deque, block);
    runtime_made(runtime, deque_bytes(runtime, object), 0);
    container_track(runtime, object);
    return object;
}

void deques_finish(struct runtime *runtime)
{
    free_spare(runtime, &runtime->deque_blocks);
}
