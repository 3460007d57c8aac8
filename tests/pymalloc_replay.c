/*
 * Does a stream of operations on one pymalloc and says where every block lies and what was asked of
 * the world beneath: ours in any profile, or that of a libpython. Leaves out all judgement: whoever
 * started it compares (pymalloc_model_test.py). One protocol for all of them is what makes an
 * oracle of a model and a model of an oracle.
 *
 * usage: pymalloc_replay PROFILE [LIBPYTHON]    PROFILE is 2.7, 3.8, 3.9 or 3.11
 *
 * A stream is of 64-bit words of the host's byte order. In, an operation: bits 0 to 3 what to do,
 * 4 to 31 which block of the caller's (a slot), 32 to 63 an argument. Out, for each operation any
 * number of events and one answer: bits 60 to 63 the kind, below them a value; for STATISTICS as
 * many answers as there are figures.
 *
 * Arenas lie in three regions, each of which begins with a bottom node of the address map: aligned,
 * a quarter of a pool further, half an arena further still. The lowest free place of the region
 * that was asked for last is taken. A place is the number of the arena through all regions and the
 * offset in it.
 */
#define _GNU_SOURCE /* mmap's flags, mmap64 */
#include "allocators/allocator.h"
#include "allocators/pymalloc/geometry.h"
#include "allocators/pymalloc/pymalloc.h"
#include "tests/libpython.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum operation { MALLOC, CALLOC, REALLOC, FREE, REGION, ARENA_LIMIT, STATISTICS };

enum kind {
    PLACE,   /* of the block: arena * 2^32 + offset */
    RAW,     /* the block is one of the raw allocator's */
    NOTHING, /* no block: NULL, or the operation gives none */
    FIGURE,  /* of the statistics, in the order of struct pymalloc_statistics */
    MAP,     /* number of the arena */
    UNMAP,
    RAW_MALLOC, /* bytes, 1 where 0 is meant */
    RAW_CALLOC,
    RAW_REALLOC,
    RAW_FREE, /* 1, or 0 for NULL */
};

enum { REGIONS = 3, REGION_ARENAS = 1024, NODE_SLOT_BITS = 14, SLOTS_MAX = 1 << 22 };

_Noreturn static void give_up(const char *what, const char *value)
{
    fprintf(stderr, "pymalloc_replay: %s: %s\n", value, what);
    exit(2);
}

/* Never fails but for the end of the pipe, after which nobody wants an answer. */
static void answer(enum kind kind, uint64_t value)
{
    uint64_t word = (uint64_t)kind << 60 | value;
    if (fwrite(&word, sizeof(word), 1, stdout) != 1)
        exit(1);
}

/* --- Arenas at known places. --- */

static struct {
    size_t arena_bytes, pool_bytes;
    uintptr_t first[REGIONS]; /* where the first arena of each region begins */
    bool taken[REGIONS * REGION_ARENAS];
    size_t taken_count;
    size_t limit; /* of taken_count */
    size_t region;
} places = {.limit = SIZE_MAX};

static void reserve_regions(void)
{
    size_t node_bytes = places.arena_bytes << NODE_SLOT_BITS;
    size_t quarter = places.pool_bytes / 4;
    const size_t skew[REGIONS] = {0, quarter, places.arena_bytes / 2 + quarter};

    for (size_t i = 0; i < REGIONS; i++) {
        void *base = mmap(NULL, 2 * node_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base == MAP_FAILED)
            give_up(strerror(errno), "address space for arenas");
        places.first[i] = (uintptr_t)base + (-(uintptr_t)base & (node_bytes - 1)) + skew[i];
    }
}

static void *map_arena(void *context, size_t bytes)
{
    (void)context;
    size_t ordinal = places.region * REGION_ARENAS;

    if (bytes != places.arena_bytes)
        give_up("an arena of another size was asked for", "profile");
    if (places.taken_count >= places.limit)
        return NULL;
    while (places.taken[ordinal])
        if (++ordinal == (places.region + 1) * REGION_ARENAS)
            give_up("a region is full", "arenas");
    places.taken[ordinal] = true;
    places.taken_count++;
    answer(MAP, ordinal);
    return (void *)(places.first[places.region] + ordinal % REGION_ARENAS * bytes);
}

/* The number of the arena in which the address lies, with the offset in it; SIZE_MAX: in none. */
static size_t locate(const void *address, size_t *offset)
{
    for (size_t i = 0; i < REGIONS; i++) {
        size_t from_first = (uintptr_t)address - places.first[i];
        if (from_first >= REGION_ARENAS * places.arena_bytes)
            continue;
        *offset = from_first % places.arena_bytes;
        return i * REGION_ARENAS + from_first / places.arena_bytes;
    }
    return SIZE_MAX;
}

static void unmap_arena(void *context, void *base, size_t bytes)
{
    (void)context;
    size_t offset = 1;
    size_t ordinal = locate(base, &offset);

    if (ordinal == SIZE_MAX || offset != 0 || bytes != places.arena_bytes)
        give_up("no arena begins there", "unmap");
    places.taken[ordinal] = false;
    places.taken_count--;
    answer(UNMAP, ordinal);
}

/*
 * 2.7 has no hook for arenas: it calls these two, which it finds here before those of libc. Only
 * while its functions run; whoever else comes by gets the system call.
 */
static bool is_python_without_hooks;

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's are reserved names */
void *mmap64(void *address, size_t bytes, int protection, int flags, int descriptor, off64_t offset)
{
    if (is_python_without_hooks && address == NULL && bytes == places.arena_bytes) {
        void *arena = map_arena(NULL, bytes);
        return arena != NULL ? arena : MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, address, bytes, protection, flags, descriptor, offset);
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): as above */
int munmap(void *address, size_t bytes)
{
    size_t offset;
    if (is_python_without_hooks && locate(address, &offset) != SIZE_MAX) {
        unmap_arena(NULL, address, bytes);
        return 0;
    }
    return (int)syscall(SYS_munmap, address, bytes);
}

/* --- The raw allocator beneath: libc's, with a word for every call. --- */

static void *raw_malloc(size_t size)
{
    size = size == 0 ? 1 : size;
    answer(RAW_MALLOC, size);
    return malloc(size);
}

static void *raw_calloc(size_t count, size_t size)
{
    size_t bytes = count * size == 0 ? 1 : count * size;
    answer(RAW_CALLOC, bytes);
    return calloc(1, bytes);
}

static void *raw_realloc(void *block, size_t size)
{
    size = size == 0 ? 1 : size;
    answer(RAW_REALLOC, size);
    return realloc(block, size);
}

static void raw_free(void *block)
{
    answer(RAW_FREE, block != NULL);
    free(block);
}

static const struct allocator_ops raw = {
    .malloc = raw_malloc, .calloc = raw_calloc, .realloc = raw_realloc, .free = raw_free};

static void *python_raw_malloc(void *context, size_t size)
{
    (void)context;
    return raw_malloc(size);
}

static void *python_raw_calloc(void *context, size_t count, size_t size)
{
    (void)context;
    return raw_calloc(count, size);
}

static void *python_raw_realloc(void *context, void *block, size_t size)
{
    (void)context;
    return raw_realloc(block, size);
}

static void python_raw_free(void *context, void *block)
{
    (void)context;
    raw_free(block);
}

/* --- The heap: one of ours, or a libpython's. --- */

static struct allocator_ops heap;
static struct libpython python;
static void (*count)(struct pymalloc_statistics *); /* of ours */

#define DECLARE_PROFILE(suffix)                                                                    \
    void pymalloc_count_##suffix(struct pymalloc_statistics *);                                    \
    void pymalloc_set_arena_source_##suffix(const struct pymalloc_arena_source *)
DECLARE_PROFILE(2_7);
DECLARE_PROFILE(3_8);
DECLARE_PROFILE(3_9);
/* pymalloc.h declares those of 3.11. */

static const struct profile {
    const char *name;
    const char *row;
    size_t pool_bytes, arena_bytes;
    void (*count)(struct pymalloc_statistics *);
    void (*set_arena_source)(const struct pymalloc_arena_source *);
} profiles[] = {
    {"2.7", "pymalloc-2.7", 4096, 262144, pymalloc_count_2_7, pymalloc_set_arena_source_2_7},
    {"3.8", "pymalloc-3.8", 4096, 262144, pymalloc_count_3_8, pymalloc_set_arena_source_3_8},
    {"3.9", "pymalloc-3.9", 4096, 262144, pymalloc_count_3_9, pymalloc_set_arena_source_3_9},
    {"3.11", "pymalloc-3.11", 16384, 1048576, pymalloc_count, pymalloc_set_arena_source},
};

static const struct profile *find_profile(const char *name)
{
    for (size_t i = 0; i < sizeof(profiles) / sizeof(*profiles); i++)
        if (strcmp(profiles[i].name, name) == 0)
            return &profiles[i];
    give_up("no profile; there are 2.7, 3.8, 3.9 and 3.11", name);
}

static void open_ours(const struct profile *profile)
{
    const struct allocator *allocator = allocator_find(profile->row);
    char reason[ALLOCATOR_TEXT_BYTES];

    if (allocator == NULL)
        give_up("no such row", profile->row);
    if (allocator->open(allocator, &heap, &raw, reason) != 0)
        give_up(reason, profile->row);
    profile->set_arena_source(
        &(struct pymalloc_arena_source){.map = map_arena, .unmap = unmap_arena});
    count = profile->count;
}

static void open_python(const char *path)
{
    char reason[LIBPYTHON_REASON_BYTES];

    if (libpython_open(&python, path, reason) != 0)
        give_up(reason, path);
    heap = python.objects;
    if (python.set_arena_allocator == NULL) {
        is_python_without_hooks = true;
        return;
    }
    python.set_arena_allocator(&(struct libpython_arena_allocator){NULL, map_arena, unmap_arena});
    python.set_raw_allocator(LIBPYTHON_DOMAIN_RAW, &(struct libpython_raw_allocator){
                                                       NULL, python_raw_malloc, python_raw_calloc,
                                                       python_raw_realloc, python_raw_free});
}

/* --- One operation. --- */

static void *slots[SLOTS_MAX];

static void answer_block(const void *block)
{
    size_t offset;
    if (block == NULL) {
        answer(NOTHING, 0);
        return;
    }
    size_t arena = locate(block, &offset);
    if (arena == SIZE_MAX)
        answer(RAW, 0);
    else
        answer(PLACE, (uint64_t)arena << 32 | offset);
}

/*
 * The caller's bytes. Zero is the index of the first arena, and stands where the header of a pool
 * would be when a raw block lies across a multiple of POOL_BYTES: free must not believe it.
 */
static void fill(void *block, size_t size)
{
    if (block != NULL)
        memset(block, 0, size);
}

static void answer_statistics(void)
{
    struct pymalloc_statistics statistics = {0};
    uint64_t figures[sizeof(statistics) / sizeof(uint64_t)];

    if (count != NULL)
        count(&statistics);
    else if (libpython_count(&python, &statistics) != 0)
        give_up("no statistics", "libpython");
    memcpy(figures, &statistics, sizeof(statistics));
    for (size_t i = 0; i < sizeof(figures) / sizeof(*figures); i++)
        answer(FIGURE, figures[i]);
}

static void do_block_operation(enum operation operation, void **slot, size_t size)
{
    if (operation == FREE) {
        heap.free(*slot);
        *slot = NULL;
        answer(NOTHING, 0);
        return;
    }
    if (operation == MALLOC)
        *slot = heap.malloc(size);
    else if (operation == CALLOC)
        *slot = heap.calloc(1, size);
    else
        *slot = heap.realloc(*slot, size);
    fill(*slot, size);
    answer_block(*slot);
}

static void do_operation(uint64_t word)
{
    enum operation operation = (enum operation)(word & 0xf);
    size_t slot = word >> 4 & 0xfffffff;
    size_t argument = word >> 32;

    if (operation == REGION && argument < REGIONS) {
        places.region = argument;
    } else if (operation == ARENA_LIMIT) {
        places.limit = argument;
    } else if (operation == STATISTICS) {
        answer_statistics();
        return;
    } else if (operation <= FREE && slot < SLOTS_MAX) {
        do_block_operation(operation, &slots[slot], argument);
        return;
    } else {
        give_up("no such operation, slot or region", "stdin");
    }
    answer(NOTHING, 0);
}

int main(int argc, char **argv)
{
    static uint64_t words[8192];
    size_t length;

    if (argc < 2 || argc > 3)
        give_up("usage: pymalloc_replay PROFILE [LIBPYTHON]", "arguments");
    const struct profile *profile = find_profile(argv[1]);
    places.pool_bytes = profile->pool_bytes;
    places.arena_bytes = profile->arena_bytes;
    reserve_regions();
    if (argc == 3)
        open_python(argv[2]);
    else
        open_ours(profile);

    while ((length = fread(words, sizeof(*words), sizeof(words) / sizeof(*words), stdin)) > 0)
        for (size_t i = 0; i < length; i++)
            do_operation(words[i]);
    if (fflush(stdout) != 0)
        return 1;
    /* What is still held stays, and no more words are wanted of it. */
    _exit(0);
}
