/*
 * null: one static slot, handed out again and again. The floor of the harness: what a malloc and a
 * free cost that do nothing. Leaves out everything: blocks are not distinct, so only what measures
 * pairs may run on it. Source: fio's `null` engine, which measures fio.
 */
#include "allocators/null.h"

#include "allocators/allocator.h"

#include <stdio.h>

enum { NULL_SLOT_BYTES = 1 << 20 };

static _Alignas(64) unsigned char slot[NULL_SLOT_BYTES];

void *null_malloc(size_t size)
{
    return size <= NULL_SLOT_BYTES ? slot : NULL;
}

void null_free(void *block)
{
    (void)block;
}

static int null_open(const struct allocator *self, struct allocator_ops *ops,
                     const struct allocator_ops *raw, char *reason)
{
    (void)self;
    (void)raw;
    (void)reason;
    *ops = (struct allocator_ops){.malloc = null_malloc, .free = null_free};
    return 0;
}

static void null_version(char *text)
{
    snprintf(text, ALLOCATOR_TEXT_BYTES, "a slot of 1 MiB");
}

const struct allocator allocator_null = {
    .name = "null",
    .summary = "one slot, always the same: the floor of the harness",
    .source = "fio's null engine",
    .family = ALLOCATOR_GENERAL,
    .capabilities = ALLOCATOR_MALLOC | ALLOCATOR_FREE | ALLOCATOR_THREADS,
    .open = null_open,
    .version = null_version,
};
