/*
 * libtidemark-pymalloc.so: the malloc family of a whole program, by LD_PRELOAD, on the row
 * `pymalloc-locked`. Leaves out whatever is not a question of names and of what glibc's manual
 * promises: sizes to 512 bytes are pymalloc.c's, all others and every alignment above 16 the raw
 * allocator's. That errno, alignment and realloc(p, 0) are as glibc has them is what programs rely
 * on.
 *
 * The raw allocator is what the program would have had: glibc by its exported names __libc_malloc,
 * __libc_memalign and so on (GLIBC_2.2.5, in every version since), or a library that comes after
 * this one and takes these names over, as mimalloc and tcmalloc do. They are linked like any other
 * function. dlsym(RTLD_NEXT, "malloc") would come too late, since malloc is called before it may
 * be, and would find the wrong one: a program linked with jemalloc has there a malloc that does not
 * belong to __libc_free.
 *
 * The order of a process:
 *   1. The loader relocates. The few blocks that it takes come from the raw allocator, since
 * `served` starts with that. There is one thread.
 *   2. Our constructor opens the row: before all others (-z initfirst), so that their mallocs are
 *      served, and so that their fork handlers, which may call malloc, run before ours takes the
 *      lock. libc's own constructor has not run yet: what is called there has to do without.
 *   3. It serves until the process is gone; nothing is torn down, and -z nodelete keeps the code.
 * A block of step 1 that is freed later is known by its address, as all raw ones are.
 */
#define _GNU_SOURCE
#include "allocators/allocator.h"
#include "allocators/pymalloc/pymalloc.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* By other names, since C reserves theirs. */
extern void *raw_malloc(size_t size) __asm__("__libc_malloc");
extern void *raw_calloc(size_t count, size_t size) __asm__("__libc_calloc");
extern void *raw_realloc(void *block, size_t size) __asm__("__libc_realloc");
extern void raw_free(void *block) __asm__("__libc_free");
extern void *raw_memalign(size_t alignment, size_t size) __asm__("__libc_memalign");
extern void *raw_valloc(size_t size) __asm__("__libc_valloc");
extern void *raw_pvalloc(size_t size) __asm__("__libc_pvalloc");

#define RAW                                                                                        \
    {                                                                                              \
        .malloc = raw_malloc, .calloc = raw_calloc, .realloc = raw_realloc, .free = raw_free,      \
    }

static const struct allocator_ops raw = RAW;
static struct allocator_ops served = RAW;

extern const struct allocator PYMALLOC_NAME(allocator_pymalloc);

/*
 * malloc_usable_size has no reserved name, and the next one in the program may be that of another
 * malloc than raw_malloc: it is looked for in the file that holds that. Not in the constructor:
 * dlopen, even of what is loaded, would have libc initialised there and then, and without its
 * environment, since the loader has not come to it. NULL when there is none.
 */
typedef size_t (*usable_size_function)(void *block);

static usable_size_function find_raw_usable_size(void)
{
    Dl_info info;
    void *(*function)(size_t size) = raw_malloc;
    usable_size_function usable_size;
    void *address;

    memcpy(&address, &function, sizeof address);
    if (dladdr(address, &info) == 0)
        return NULL;
    void *handle = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    address = handle != NULL ? dlsym(handle, "malloc_usable_size") : NULL;
    memcpy(&usable_size, &address, sizeof address);
    return usable_size;
}

/* Found at the first call, by as many threads as come together then. */
static size_t raw_usable_size(void *block)
{
    static usable_size_function found;
    usable_size_function usable_size = __atomic_load_n(&found, __ATOMIC_RELAXED);

    if (UNLIKELY(usable_size == NULL)) {
        usable_size = find_raw_usable_size();
        __atomic_store_n(&found, usable_size, __ATOMIC_RELAXED);
    }
    return usable_size != NULL ? usable_size(block) : 0;
}

/* A program that was started on this allocator does not run on another one unsaid. */
static void give_up(const char *reason)
{
    static const char name[] = "libtidemark-pymalloc.so: ";

    if (write(STDERR_FILENO, name, sizeof name - 1) >= 0 &&
        write(STDERR_FILENO, reason, strlen(reason)) >= 0 && write(STDERR_FILENO, "\n", 1) >= 0)
        abort();
    abort();
}

__attribute__((constructor)) static void open_heap(void)
{
    const struct allocator *row = &PYMALLOC_NAME(allocator_pymalloc);
    struct allocator_ops opened;
    char reason[ALLOCATOR_TEXT_BYTES];

    if (row->open(row, &opened, &raw, reason) != 0)
        give_up(reason);
    served = opened;
}

/* --- What is exported (preload.map), with glibc's names of parameters. --- */

static void *or_no_memory(void *block)
{
    if (UNLIKELY(block == NULL))
        errno = ENOMEM;
    return block;
}

void *malloc(size_t size)
{
    return or_no_memory(served.malloc(size));
}

void *calloc(size_t nmemb, size_t size)
{
    return or_no_memory(served.calloc(nmemb, size));
}

/* glibc's realloc(p, 0) is free(p), but for NULL. */
static void *change_size(void *block, size_t size)
{
    if (UNLIKELY(size == 0 && block != NULL)) {
        served.free(block);
        return NULL;
    }
    return or_no_memory(served.realloc(block, size));
}

void *realloc(void *ptr, size_t size)
{
    return change_size(ptr, size);
}

void *reallocarray(void *ptr, size_t nmemb, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(nmemb, size, &bytes))
        return or_no_memory(NULL);
    return change_size(ptr, bytes);
}

void free(void *ptr)
{
    served.free(ptr);
}

/* Every block is aligned to 16. More than that only the raw allocator has; errno is its own. */
static void *take_aligned(size_t alignment, size_t size)
{
    if (alignment <= BLOCK_ALIGNMENT)
        return or_no_memory(served.malloc(size));
    return raw_memalign(alignment, size);
}

void *memalign(size_t alignment, size_t size)
{
    return take_aligned(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return take_aligned(alignment, size);
}

int posix_memalign(void **memptr, size_t alignment, size_t size)
{
    bool is_power_of_two = alignment != 0 && (alignment & (alignment - 1)) == 0;
    int error = errno;

    if (!is_power_of_two || alignment % sizeof(void *) != 0)
        return EINVAL;
    void *taken = take_aligned(alignment, size);
    errno = error;
    if (taken == NULL)
        return ENOMEM;
    *memptr = taken;
    return 0;
}

void *valloc(size_t size)
{
    return raw_valloc(size);
}

void *pvalloc(size_t size)
{
    return raw_pvalloc(size);
}

size_t malloc_usable_size(void *ptr)
{
    size_t pooled_bytes = pymalloc_block_bytes(ptr);

    if (pooled_bytes != 0 || ptr == NULL)
        return pooled_bytes;
    return raw_usable_size(ptr);
}
