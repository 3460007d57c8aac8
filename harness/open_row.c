/*
 * Opens the allocators of a row and finds out, by dladdr, which file serves each malloc.
 * Leaves out any fallback: a row that cannot be opened says why and stays closed.
 */
#define _GNU_SOURCE
#include "harness/open_row.h"

#include "allocators/by_path.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
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

/* The file that is loaded under this soname or path; `text` is left alone where none is. */
static void provider_of_library(const char *soname, char *text)
{
    struct link_map *map;
    void *handle = dlopen(soname, RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);

    if (handle && dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0)
        snprintf(text, PROVIDER_BYTES, "%s", map->l_name);
}

/*
 * What stands for malloc in this allocator: a region's alloc where there is no malloc. Where a
 * function of this program stands before a library, that library is who serves.
 */
static void provider_of_ops(const struct allocator *allocator, const struct allocator_ops *ops,
                            char *text)
{
    provider_of(ops->malloc ? (void (*)(void))ops->malloc : (void (*)(void))ops->region_alloc,
                text);
    if (allocator->soname && text[0] != '/')
        provider_of_library(allocator->soname, text);
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

/* By its name, or from its file into `loaded`. */
static int find_allocator(const char *name, struct allocator *loaded,
                          const struct allocator **allocator, char *reason)
{
    enum by_path_kind kind;

    if (!strchr(name, '/')) {
        *allocator = allocator_find(name);
        if (!*allocator)
            snprintf(reason, ALLOCATOR_TEXT_BYTES, "no allocator is called %.100s", name);
        return *allocator ? 0 : -EINVAL;
    }
    *allocator = loaded;
    return by_path_load(name, loaded, &kind, reason);
}

static int find_allocators(struct open_row *row, const char *object, const char *raw, char *reason)
{
    int error = find_allocator(object, &row->loaded[0], &row->object_allocator, reason);

    if (error)
        return error;
    row->raw_allocator = row->object_allocator;
    if (!allocator_stands_on_another(row->object_allocator)) {
        if (raw)
            snprintf(reason, ALLOCATOR_TEXT_BYTES,
                     "%.60s is no pool allocator: it serves every size itself, and nothing stands "
                     "beneath it",
                     row->object_allocator->name);
        return raw ? -EINVAL : 0;
    }
    error = find_allocator(raw ? raw : "glibc", &row->loaded[1], &row->raw_allocator, reason);
    return error ? error
                 : allocator_check_beneath(row->object_allocator, row->raw_allocator, reason);
}

static int open_one(const struct allocator *allocator, struct allocator_ops *ops,
                    const struct allocator_ops *raw, char *reason)
{
    int error = allocator->open(allocator, ops, raw, reason);

    if (!error)
        error = allocator_check_ops(allocator, ops, reason) ? -ENOEXEC : 0;
    return error ? error : serve_one_block(ops, reason);
}

static void describe_versions(struct open_row *row)
{
    char object[ALLOCATOR_TEXT_BYTES] = "", raw[ALLOCATOR_TEXT_BYTES] = "";

    row->object_allocator->version(object);
    if (row->raw_allocator == row->object_allocator) {
        snprintf(row->version, sizeof row->version, "%s", object);
        return;
    }
    row->raw_allocator->version(raw);
    snprintf(row->version, sizeof row->version, "%.90s over %.90s", object, raw);
}

int open_row(struct open_row *row, const char *object, const char *raw, char *reason)
{
    memset(row, 0, sizeof *row);
    int error = find_allocators(row, object, raw, reason);
    const int is_composed = !error && row->raw_allocator != row->object_allocator;

    if (is_composed)
        error = open_one(row->raw_allocator, &row->raw, NULL, reason);
    if (!error)
        error =
            open_one(row->object_allocator, &row->object, is_composed ? &row->raw : NULL, reason);
    if (error)
        return error;
    if (!is_composed)
        row->raw = row->object;
    describe_versions(row);
    provider_of_ops(row->object_allocator, &row->object, row->object_provider);
    provider_of_ops(row->raw_allocator, &row->raw, row->raw_provider);
    return 0;
}
