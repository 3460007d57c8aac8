/*
 * Opens the allocators of a row and finds out, by dladdr, which file serves each malloc.
 * Leaves out any fallback: a row that cannot be opened says why and stays closed.
 */
#define _GNU_SOURCE
#include "harness/open_row.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The file that holds `function`; of this program itself only the name, since a build folder says
 * nothing to a reader. */
static void provider_of(void (*function)(void), char *text)
{
    Dl_info info, own;
    void *address;
    void *here;
    void (*self)(void) = (void (*)(void))open_row;

    memcpy(&address, &function, sizeof address);
    memcpy(&here, &self, sizeof here);
    if (!address || !dladdr(address, &info) || !info.dli_fname) {
        snprintf(text, PROVIDER_BYTES, "unknown");
        return;
    }
    const char *name = info.dli_fname;
    if (dladdr(here, &own) && own.dli_fbase == info.dli_fbase && strrchr(name, '/'))
        name = strrchr(name, '/') + 1;
    snprintf(text, PROVIDER_BYTES, "%s", name);
}

/* What stands for malloc in this allocator: a region's alloc where there is no malloc. */
static void provider_of_ops(const struct allocator_ops *ops, char *text)
{
    provider_of(ops->malloc ? (void (*)(void))ops->malloc : (void (*)(void))ops->region_alloc,
                text);
}

/* The first block of a size pays for what the allocator sets up on first use. */
static int serve_one_block(const struct allocator_ops *ops, char *reason)
{
    enum { WARM_BYTES = 64 };
    char *block;

    if (!ops->malloc || !ops->free)
        return 0;
    block = ops->malloc(WARM_BYTES);
    if (!block) {
        snprintf(reason, ALLOCATOR_TEXT_BYTES, "the first malloc of %d bytes failed", WARM_BYTES);
        return -ENOMEM;
    }
    memset(block, 0, WARM_BYTES);
    ops->free(block);
    return 0;
}

int open_row(struct open_row *row, const char *object_name, const char *raw_name, char *reason)
{
    const struct allocator *object = allocator_find(object_name);
    const struct allocator *raw = raw_name ? allocator_find(raw_name) : NULL;
    char object_version[ALLOCATOR_TEXT_BYTES];
    char raw_version[ALLOCATOR_TEXT_BYTES];
    int error;

    if (!object || (raw_name && !raw)) {
        snprintf(reason, ALLOCATOR_TEXT_BYTES, "no allocator is called %.100s",
                 object ? raw_name : object_name);
        return -EINVAL;
    }
    memset(row, 0, sizeof *row);
    row->object_allocator = object;
    row->raw_allocator = raw ? raw : object;
    if (raw) {
        error = raw->open(&row->raw, NULL, reason);
        if (!error)
            error = serve_one_block(&row->raw, reason);
        if (error)
            return error;
    }
    error = object->open(&row->object, raw ? &row->raw : NULL, reason);
    if (!error)
        error = serve_one_block(&row->object, reason);
    if (error)
        return error;
    if (!raw)
        row->raw = row->object;

    object->version(object_version);
    if (raw) {
        raw->version(raw_version);
        snprintf(row->version, sizeof row->version, "%.90s over %.90s", object_version,
                 raw_version);
    } else {
        snprintf(row->version, sizeof row->version, "%s", object_version);
    }
    provider_of_ops(&row->object, row->object_provider);
    provider_of_ops(&row->raw, row->raw_provider);
    return 0;
}
