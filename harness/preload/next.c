/*
 * dlsym and what it needs meanwhile: see next.h. Leaves out reuse of the early room: some
 * loaders take a few hundred bytes, once.
 */
#define _GNU_SOURCE
#include "harness/preload/next.h"

#include "harness/preload/hooks.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EARLY_BYTES = 1 << 16, EARLY_ALIGNMENT = 16 };
enum { UNKNOWN, SOUGHT, KNOWN };

static struct next_malloc next;
static _Atomic int known;
static _Alignas(EARLY_ALIGNMENT) char early[EARLY_BYTES];
static _Atomic size_t early_used;

void (*preload_next_function(const char *name))(void)
{
    void *found = dlsym(RTLD_NEXT, name);
    void (*function)(void) = NULL;

    memcpy(&function, &found, sizeof function); /* C has no cast between the two */
    return function;
}

__attribute__((noinline, cold)) static void look_up(void)
{
    static const char sorry[] = ": there is no malloc behind it\n";

    next.malloc = (void *(*)(size_t))preload_next_function("malloc");
    next.calloc = (void *(*)(size_t, size_t))preload_next_function("calloc");
    next.realloc = (void *(*)(void *, size_t))preload_next_function("realloc");
    next.free = (void (*)(void *))preload_next_function("free");
    next.aligned_alloc = (void *(*)(size_t, size_t))preload_next_function("aligned_alloc");
    next.posix_memalign = (int (*)(void **, size_t, size_t))preload_next_function("posix_memalign");
    next.memalign = (void *(*)(size_t, size_t))preload_next_function("memalign");
    next.valloc = (void *(*)(size_t))preload_next_function("valloc");
    next.pvalloc = (void *(*)(size_t))preload_next_function("pvalloc");
    if (next.malloc && next.calloc && next.realloc && next.free)
        return;
    if (write(STDERR_FILENO, hook_library, strlen(hook_library)) < 0 ||
        write(STDERR_FILENO, sorry, sizeof sorry - 1) < 0) {
        /* Nobody hears it. */
    }
    abort();
}

const struct next_malloc *preload_next(void)
{
    const int state = atomic_load_explicit(&known, memory_order_acquire);

    if (state == KNOWN)
        return &next;
    if (state == SOUGHT)
        return NULL;
    atomic_store(&known, SOUGHT);
    look_up();
    atomic_store_explicit(&known, KNOWN, memory_order_release);
    return &next;
}

void *preload_early_block(size_t bytes)
{
    const size_t most = EARLY_BYTES - EARLY_ALIGNMENT;

    if (bytes > most)
        return NULL;
    size_t taken = (bytes + EARLY_ALIGNMENT - 1) / EARLY_ALIGNMENT * EARLY_ALIGNMENT;
    size_t at = atomic_fetch_add(&early_used, taken);
    return at <= EARLY_BYTES - taken ? early + at : NULL;
}

int preload_is_early(const void *block)
{
    return (uintptr_t)block - (uintptr_t)early < EARLY_BYTES;
}

size_t preload_early_room(const void *block)
{
    return EARLY_BYTES - ((uintptr_t)block - (uintptr_t)early);
}
