/*
 * A malloc that a signal's handler may call, for recording_test.py: a counter that is added to.
 * Leaves out giving small blocks back before the counter has gone around, and large ones at all.
 */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CELL = 64, HEAD = 16, CELLS = 1 << 20, LARGE_BYTES = 64 << 20 };

static _Alignas(CELL) unsigned char cells[CELLS][CELL];
static _Alignas(CELL) unsigned char large[LARGE_BYTES];

void *malloc(size_t size)
{
    static _Atomic size_t cell, used;
    unsigned char *at = NULL;

    if (size <= CELL - HEAD) {
        at = cells[atomic_fetch_add(&cell, 1) % CELLS];
    } else {
        const size_t bytes = (size + HEAD + CELL - 1) / CELL * CELL;
        const size_t from = bytes < LARGE_BYTES ? atomic_fetch_add(&used, bytes) : LARGE_BYTES;
        if (from >= LARGE_BYTES - bytes)
            return NULL;
        at = large + from;
    }
    memcpy(at, &size, sizeof size);
    return at + HEAD;
}

void free(void *ptr)
{
    (void)ptr;
}

void *calloc(size_t nmemb, size_t size)
{
    const size_t bytes = size && nmemb <= LARGE_BYTES / size ? nmemb * size : LARGE_BYTES;
    void *block = malloc(size ? bytes : 1);

    return block && size ? memset(block, 0, bytes) : block;
}

void *realloc(void *ptr, size_t size)
{
    void *moved = malloc(size);
    size_t before = 0;

    if (ptr && moved) {
        memcpy(&before, (unsigned char *)ptr - HEAD, sizeof before);
        memcpy(moved, ptr, before < size ? before : size);
    }
    return moved;
}
