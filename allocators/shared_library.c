/*
 * dlopen and dlsym of a malloc library, with errors that say what to install.
 * Leaves out RTLD_DEEPBIND, which changed nothing, and dlclose: thread-local caches of these
 * libraries do not survive it.
 */
#define _GNU_SOURCE
#include "allocators/shared_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

int shared_library_symbol(void *handle, const char *name, void *function, char *reason)
{
    void *symbol = dlsym(handle, name);

    if (!symbol) {
        snprintf(reason, ALLOCATOR_TEXT_BYTES, "the library has no %s", name);
        return -ENOSYS;
    }
    /* POSIX promises that a function's address survives void *; ISO C has no conversion, so the
     * bytes are copied. */
    memcpy(function, &symbol, sizeof symbol);
    return 0;
}

/*
 * dlsym also finds what a library's dependencies hold: a library without a malloc of its own would
 * get libc's. Two mallocs mixed so would crash, or measure the wrong one.
 */
static int is_own(void *handle, const void *symbol, const char **holder)
{
    struct link_map *own, *map;
    Dl_info info;

    *holder = "";
    if (dlinfo(handle, RTLD_DI_LINKMAP, &own) != 0 ||
        !dladdr1(symbol, &info, (void **)&map, RTLD_DL_LINKMAP))
        return 0;
    *holder = info.dli_fname ? info.dli_fname : "";
    return map == own;
}

int shared_library_has(void *handle, const char *name)
{
    const char *holder;
    void *symbol = dlsym(handle, name);

    return symbol && is_own(handle, symbol, &holder);
}

/* A function of the malloc family, what it is called, and where its address goes. */
struct member {
    const char *name;
    unsigned capability;
    void *function;
};

enum { MEMBERS = 6 };

static void list_members(struct allocator_ops *ops, struct member members[MEMBERS])
{
    const struct member list[MEMBERS] = {
        {"malloc", ALLOCATOR_MALLOC, &ops->malloc},
        {"calloc", ALLOCATOR_CALLOC, &ops->calloc},
        {"realloc", ALLOCATOR_REALLOC, &ops->realloc},
        {"aligned_alloc", ALLOCATOR_ALIGNED, &ops->aligned_alloc},
        {"free", ALLOCATOR_FREE, &ops->free},
        {"malloc_usable_size", ALLOCATOR_USABLE_SIZE, &ops->usable_size},
    };

    memcpy(members, list, sizeof list);
}

unsigned shared_library_malloc_family(void *handle, struct allocator_ops *ops)
{
    unsigned capabilities = ALLOCATOR_DISTINCT | ALLOCATOR_THREADS | ALLOCATOR_PRELOAD;
    struct member members[MEMBERS];

    *ops = (struct allocator_ops){0};
    list_members(ops, members);
    for (size_t i = 0; i < MEMBERS; i++) {
        const char *holder;
        void *symbol = dlsym(handle, members[i].name);
        if (!symbol || !is_own(handle, symbol, &holder))
            continue;
        memcpy(members[i].function, &symbol, sizeof symbol);
        capabilities |= members[i].capability;
    }
    return capabilities;
}

void *shared_library_load(const char *file, char *reason)
{
    void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);

    if (!handle)
        snprintf(reason, ALLOCATOR_TEXT_BYTES, "%s", dlerror());
    return handle;
}

static int say_missing(const struct allocator *allocator, void *handle, unsigned capabilities,
                       char *reason)
{
    const char *base = strrchr(allocator->soname, '/');
    const char *holder = "", *slash;
    struct allocator_ops ops;
    struct member members[MEMBERS];
    size_t i = 0;

    list_members(&ops, members);
    while (i < MEMBERS - 1 && capabilities & members[i].capability)
        i++;
    void *symbol = dlsym(handle, members[i].name);
    if (symbol)
        is_own(handle, symbol, &holder);
    slash = strrchr(holder, '/');
    snprintf(reason, ALLOCATOR_TEXT_BYTES, "%.60s has no %s of its own%s%.60s%s",
             base ? base + 1 : allocator->soname, members[i].name, symbol ? " (that of " : "",
             slash ? slash + 1 : holder, symbol ? " would serve)" : "");
    return -ENOSYS;
}

/* Its soname or path opened; a `reason` that names the package where it cannot be. */
static int load_named(const struct allocator *allocator, void **handle, char *reason)
{
    char said[ALLOCATOR_TEXT_BYTES];

    *handle = shared_library_load(allocator->soname, said);
    if (*handle)
        return 0;
    /* The loader's message repeats the name and may be long; the package is what the reader needs.
     */
    snprintf(reason, ALLOCATOR_TEXT_BYTES, "%.120s%s%.40s%s", said,
             allocator->package ? " (Debian package " : "",
             allocator->package ? allocator->package : "", allocator->package ? ")" : "");
    return -ENOENT;
}

int shared_library_functions(const struct allocator *allocator,
                             const struct shared_library_function *functions, char *reason)
{
    void *handle;
    int error = load_named(allocator, &handle, reason);

    for (; !error && functions->name; functions++)
        error = shared_library_symbol(handle, functions->name, functions->function, reason);
    return error;
}

int shared_library_open(const struct allocator *allocator, struct allocator_ops *ops, void **handle,
                        char *reason)
{
    struct allocator_ops found;
    void *opened;
    int error = load_named(allocator, &opened, reason);

    if (error)
        return error;
    unsigned capabilities = shared_library_malloc_family(opened, &found);
    if (capabilities != SHARED_LIBRARY_MALLOC_FAMILY)
        return say_missing(allocator, opened, capabilities, reason);
    *ops = found;
    *handle = opened;
    return 0;
}
