/*
 * Blocks of numbers: see number_blocks.h. The order in which slots are handed out, reused and given
 * back is CPython's, because it decides which blocks a survivor pins. Leaves out nothing of 2.7's
 * Objects/intobject.c (fill_free_list, PyInt_ClearFreeList) but the numbers.
 */
#include "workloads/objects/number_blocks.h"

#include "workloads/objects/runtime.h"

#include <errno.h>

_Static_assert(sizeof(struct block_number) == 24, "2.7's PyIntObject");
_Static_assert(sizeof(struct number_block) == 992, "2.7's PyIntBlock");

/* fill_free_list: the last number of a new block is handed out first. */
int number_blocks_fill(struct runtime *runtime, struct number_blocks *store)
{
    struct number_block *block = heap_malloc(&runtime->heap, HEAP_RAW, sizeof *block);

    if (!block)
        return -ENOMEM;
    observed_storage(block, "number block");
    block->next = store->blocks;
    store->blocks = block;
    for (size_t i = NUMBERS_PER_BLOCK; i-- > 1;)
        block->numbers[i].object.next_free = &block->numbers[i - 1].object;
    block->numbers[0].object.next_free = NULL;
    store->free = &block->numbers[NUMBERS_PER_BLOCK - 1].object;
    return 0;
}

/* The type is looked at first: a slot that was never handed out has no count of references. */
static int slot_is_live(const struct block_number *slot, const struct object_type *type)
{
    return slot->object.type == type && slot->object.references != 0;
}

static int block_is_live(const struct number_block *block, const struct object_type *type)
{
    for (size_t i = 0; i < NUMBERS_PER_BLOCK; i++)
        if (slot_is_live(&block->numbers[i], type))
            return 1;
    return 0;
}

/*
 * Blocks are kept by pushing them, so their order turns with every collection, as it does in
 * CPython.
 */
void number_blocks_clear(struct runtime *runtime, struct number_blocks *store,
                         const struct object_type *type)
{
    struct number_block *block = store->blocks;

    store->blocks = NULL;
    store->free = NULL;
    while (block) {
        struct number_block *next = block->next;
        if (!block_is_live(block, type)) {
            heap_free(&runtime->heap, HEAP_RAW, block, sizeof *block);
        } else {
            block->next = store->blocks;
            store->blocks = block;
            for (size_t i = 0; i < NUMBERS_PER_BLOCK; i++)
                if (!slot_is_live(&block->numbers[i], type))
                    number_blocks_give(store, &block->numbers[i].object);
        }
        block = next;
    }
}
