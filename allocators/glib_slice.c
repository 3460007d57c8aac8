/*
 * glib-slice: GLib's slices, for programs that know the size of what they free: a slab for each
 * multiple of 16 bytes, magazines of a thread before them. Leaves out GLib from 2.76 on, where a
 * slice is a malloc. Source: Bonwick and Adams, "Magazines and Vmem", USENIX 2001; GLib's gslice.c.
 */
#include "allocators/shared_library.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

/* Of GSliceConfig in gslice.h. */
enum { SLICE_CHUNK_SIZES = 5, SLICE_STEP_BYTES = 16 };

/*
 * g_slice_free1 wants the size that was asked for, and the contract's free has none. So it stands
 * before each block: 16 bytes, since a block is aligned to that. A GLib program keeps no such
 * header: it pays 16 bytes less a block, and one access less where it does not touch what it frees.
 */
struct slice_header {
    _Alignas(16) size_t bytes; /* this header included */
};

static void *(*slice_alloc)(size_t bytes);
static void *(*slice_alloc0)(size_t bytes);
static void (*slice_free)(size_t bytes, void *memory);
static int64_t (*slice_config)(int key);
static const unsigned *glib_major, *glib_minor, *glib_micro;
static const struct allocator_ops *slice_raw;
static size_t slice_most_bytes; /* the largest slab; GLib itself sends what is larger to malloc */

/*
 * GLib's magazines hand a freed slice to another thread under a lock that ThreadSanitizer does not
 * see: it is told that there is an order, before the header here is written.
 */
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>

static char unseen;

static void order_before_free(void)
{
    __tsan_release(&unseen);
}

static void order_after_alloc(void)
{
    __tsan_acquire(&unseen);
}
#else
static void order_before_free(void)
{
}

static void order_after_alloc(void)
{
}
#endif

/* From a slab, or from the allocator beneath; `is_zeroed` is 0 or 1. */
static void *slice_take(size_t size, int is_zeroed)
{
    struct slice_header *header;
    size_t bytes;

    if (__builtin_add_overflow(size, sizeof *header, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    if (bytes > slice_most_bytes)
        header = is_zeroed ? slice_raw->calloc(1, bytes) : slice_raw->malloc(bytes);
    else
        header = is_zeroed ? slice_alloc0(bytes) : slice_alloc(bytes);
    order_after_alloc();
    if (!header)
        return NULL;
    header->bytes = bytes;
    return header + 1;
}

static void *slice_malloc(size_t size)
{
    return slice_take(size, 0);
}

static void *slice_calloc(size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return slice_take(bytes, 1);
}

static void slice_release(void *block)
{
    if (!block)
        return;
    struct slice_header *header = (struct slice_header *)block - 1;
    if (header->bytes > slice_most_bytes)
        slice_raw->free(header);
    else {
        const size_t bytes = header->bytes;
        order_before_free();
        slice_free(bytes, header);
    }
}

static void *realloc_beneath(struct slice_header *header, size_t bytes)
{
    struct slice_header *moved = slice_raw->realloc(header, bytes);

    if (!moved)
        return NULL;
    moved->bytes = bytes;
    return moved + 1;
}

/* A slice cannot grow: as a GLib program, it takes another one and copies. */
static void *slice_realloc(void *block, size_t size)
{
    if (!block)
        return slice_malloc(size);
    struct slice_header *header = (struct slice_header *)block - 1;
    if (header->bytes > slice_most_bytes && size < SIZE_MAX - sizeof *header &&
        size + sizeof *header > slice_most_bytes)
        return realloc_beneath(header, size + sizeof *header);
    void *moved = slice_malloc(size);
    if (!moved)
        return NULL;
    const size_t old_size = header->bytes - sizeof *header;
    memcpy(moved, block, size < old_size ? size : old_size);
    slice_release(block);
    return moved;
}

static int glib_slice_open(const struct allocator *self, struct allocator_ops *ops,
                           const struct allocator_ops *raw, char *reason)
{
    const struct shared_library_function functions[] = {
        {"g_slice_alloc", &slice_alloc},     {"g_slice_alloc0", &slice_alloc0},
        {"g_slice_free1", &slice_free},      {"g_slice_get_config", &slice_config},
        {"glib_major_version", &glib_major}, {"glib_minor_version", &glib_minor},
        {"glib_micro_version", &glib_micro}, {0},
    };
    int error = shared_library_functions(self, functions, reason);

    if (error)
        return error;
    slice_most_bytes = (size_t)slice_config(SLICE_CHUNK_SIZES) * SLICE_STEP_BYTES;
    if (slice_most_bytes == 0) {
        snprintf(reason, ALLOCATOR_TEXT_BYTES,
                 "GLib %u.%u has no slices: since 2.76 g_slice_alloc is malloc", *glib_major,
                 *glib_minor);
        return -ENOSYS;
    }
    if (!raw || !raw->calloc || !raw->realloc) {
        snprintf(reason, ALLOCATOR_TEXT_BYTES,
                 "it stands on an allocator with calloc and realloc, as GLib does");
        return -EINVAL;
    }
    slice_raw = raw;
    *ops = (struct allocator_ops){.malloc = slice_malloc,
                                  .calloc = slice_calloc,
                                  .realloc = slice_realloc,
                                  .free = slice_release};
    return 0;
}

static void glib_slice_version(char *text)
{
    snprintf(text, ALLOCATOR_TEXT_BYTES, "GLib %u.%u.%u, slices to %zu bytes", *glib_major,
             *glib_minor, *glib_micro, slice_most_bytes);
}

/* g_slice_get_config does not tell what the environment set. The first slice of a size takes a slab
 * of several from libc, and without slabs a block of its size. */
static enum allocator_proof glib_slice_tunable_value(const struct allocator_tunable *tunable,
                                                     const char *asked, char *value)
{
    (void)tunable;
    /* Whether blocks are debugged does not show. */
    if (strcmp(asked, "always-malloc") != 0)
        return ALLOCATOR_UNPROVED;
    const size_t before_bytes = mallinfo2().uordblks;
    if (!slice_alloc(slice_most_bytes))
        return ALLOCATOR_UNPROVED;
    const int is_slab = mallinfo2().uordblks - before_bytes >= 2 * slice_most_bytes;
    snprintf(value, ALLOCATOR_VALUE_BYTES, "%s", is_slab ? "slabs" : "always-malloc");
    return ALLOCATOR_SEEN;
}

/* GLib's manual, "Running and debugging GLib applications", G_SLICE. */
static const struct allocator_tunable glib_slice_tunables[] = {
    {"slice", "always-malloc: no slabs, malloc for all; debug-blocks: each size freed is checked",
     "always-malloc|debug-blocks", 0, 0},
    {0},
};

const struct allocator allocator_glib_slice = {
    .name = "glib-slice",
    .summary = "GLib's slices: slabs and magazines for sizes that the program knows",
    .source = "Bonwick and Adams 2001; GLib gslice.c",
    .family = ALLOCATOR_POOL,
    .capabilities = ALLOCATOR_MALLOC | ALLOCATOR_CALLOC | ALLOCATOR_REALLOC | ALLOCATOR_FREE |
                    ALLOCATOR_DISTINCT | ALLOCATOR_THREADS,
    .soname = "libglib-2.0.so.0",
    .package = "libglib2.0-0",
    .environment = {.prefix = "G_", .assign = '='},
    .tunables = glib_slice_tunables,
    .open = glib_slice_open,
    .version = glib_slice_version,
    .tunable_value = glib_slice_tunable_value,
};
