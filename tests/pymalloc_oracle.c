/*
 * Two heaps in step: see pymalloc_oracle.h. Leaves out speed. Uses libpython3.11.so.1.0, whose
 * allocator works without an interpreter: nothing here initializes Python. The idea of a journal
 * beneath both: what CPython's hooks (PyMem_SetAllocator, PyObject_SetArenaAllocator) let one see.
 */
#define _GNU_SOURCE /* mmap's and madvise's flags */
#include "tests/pymalloc_oracle.h"

#include "allocators/allocator.h"
#include "allocators/pymalloc/geometry.h"
#include "allocators/pymalloc/pymalloc.h"
#include "tests/libpython.h"

#include <assert.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

extern const struct allocator PYMALLOC_NAME(allocator_pymalloc);
#define allocator_pymalloc PYMALLOC_NAME(allocator_pymalloc)

static const char library[] = "libpython3.11.so.1.0";

static_assert(POOL_BYTES == 16384 && ARENA_BYTES == 1048576, "the real one here is 3.11");

enum { PAGE_BYTES = 4096, REGION_ARENAS = 256, OURS = 0, THEIRS = 1 };

static struct libpython python;

/* --- A journal of what each side asked of the world beneath it. --- */

enum event_kind { MAP, UNMAP, RAW_MALLOC, RAW_CALLOC, RAW_REALLOC, RAW_FREE };

/* Events as a running hash (FNV-1a over words): equal after every operation means the same events
 * at the same operation. */
struct journal {
    uint64_t hash;
    uint64_t events;
    uint64_t arenas; /* of the events, those that map or unmap */
    enum event_kind last_kind;
    uint64_t last_value;
};

static struct journal journals[2];

static void note(int side, enum event_kind kind, uint64_t value)
{
    struct journal *journal = &journals[side];

    journal->hash = (journal->hash ^ kind) * 0x100000001b3u;
    journal->hash = (journal->hash ^ value) * 0x100000001b3u;
    journal->events++;
    journal->arenas += kind == MAP || kind == UNMAP;
    journal->last_kind = kind;
    journal->last_value = value;
}

/* --- Arenas at known places: reserved address space, the lowest free place first. --- */

/*
 * How far past a slot's start (of the address map) arenas begin; each kind has a region of its own,
 * and arenas of all kinds can live at a time. One page: the first pool is lost. Half a slot more:
 * two neighbours have pools in one slot.
 */
enum skew { ALIGNED, PAGE, HALF, SKEWS };

static const size_t skew_bytes[SKEWS] = {0, PAGE_BYTES, ARENA_BYTES / 2 + PAGE_BYTES};

struct region {
    char *base;
    bool taken[REGION_ARENAS];
};

static struct region regions[2][SKEWS];
static enum skew skew_now;
static int sides[2] = {OURS, THEIRS}; /* contexts */

/*
 * A lowest node of the address map covers 2^14 arenas, 16 GiB. Each region begins with one,
 * wherever the kernel puts it: otherwise one side would now and then cross into a further node and
 * the other not.
 */
#define NODE_BYTES ((size_t)ARENA_BYTES << 14)

static_assert((size_t)(REGION_ARENAS + 2) * ARENA_BYTES <= NODE_BYTES, "a region fits one node");

static int reserve_region(struct region *region)
{
    char *base =
        mmap(NULL, 2 * NODE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return -1;
    region->base = base + (-(uintptr_t)base & (NODE_BYTES - 1));
    return 0;
}

static char *arena_base(int side, enum skew skew, size_t ordinal)
{
    return regions[side][skew].base + ordinal * ARENA_BYTES + skew_bytes[skew];
}

static void *map_arena(void *context, size_t bytes)
{
    int side = *(const int *)context;
    struct region *region = &regions[side][skew_now];
    size_t ordinal = 0;

    assert_int_equal(bytes, ARENA_BYTES);
    while (ordinal < REGION_ARENAS && region->taken[ordinal])
        ordinal++;
    assert_true(ordinal < REGION_ARENAS);
    char *base = arena_base(side, skew_now, ordinal);
    assert_int_equal(mprotect(base, bytes, PROT_READ | PROT_WRITE), 0);
    region->taken[ordinal] = true;
    note(side, MAP, ordinal + (size_t)skew_now * REGION_ARENAS);
    return base;
}

/* Where an address lies: arena, counted through all regions, and offset; or in no arena. */
struct place {
    size_t arena;
    size_t offset;
};
#define NOT_POOLED SIZE_MAX

static struct place locate(int side, const void *address)
{
    for (enum skew skew = ALIGNED; skew < SKEWS; skew++) {
        size_t offset = (uintptr_t)address - (uintptr_t)arena_base(side, skew, 0);
        if (offset < (size_t)REGION_ARENAS * ARENA_BYTES)
            return (struct place){offset / ARENA_BYTES + (size_t)skew * REGION_ARENAS,
                                  offset % ARENA_BYTES};
    }
    return (struct place){NOT_POOLED, 0};
}

size_t oracle_arena_of(const struct twin *twin)
{
    return locate(OURS, twin->block[OURS]).arena;
}

size_t oracle_arenas_max(void)
{
    return (size_t)SKEWS * REGION_ARENAS;
}

/* Inaccessible from here on: an access to a released arena crashes. */
static void unmap_arena(void *context, void *base, size_t bytes)
{
    int side = *(const int *)context;
    struct place place = locate(side, base);

    assert_int_not_equal(place.arena, NOT_POOLED);
    assert_int_equal(place.offset, 0);
    regions[side][place.arena / REGION_ARENAS].taken[place.arena % REGION_ARENAS] = false;
    assert_int_equal(madvise(base, bytes, MADV_DONTNEED), 0);
    assert_int_equal(mprotect(base, bytes, PROT_NONE), 0);
    note(side, UNMAP, place.arena);
}

/* --- The raw allocator beneath each: libc's, with a note of every call. CPython turns a size of 0
 * into 1 below its hook. --- */

static void *raw_malloc(int side, size_t size)
{
    note(side, RAW_MALLOC, size == 0 ? 1 : size);
    return malloc(size == 0 ? 1 : size);
}

static void *raw_calloc(int side, size_t count, size_t size)
{
    size_t bytes = count * size;
    note(side, RAW_CALLOC, bytes == 0 ? 1 : bytes);
    return bytes == 0 ? calloc(1, 1) : calloc(count, size);
}

static void *raw_realloc(int side, void *block, size_t size)
{
    note(side, RAW_REALLOC, size == 0 ? 1 : size);
    return realloc(block, size == 0 ? 1 : size);
}

static void raw_free(int side, void *block)
{
    note(side, RAW_FREE, block != NULL);
    free(block);
}

static void *our_raw_malloc(size_t size)
{
    return raw_malloc(OURS, size);
}

static void *our_raw_calloc(size_t count, size_t size)
{
    return raw_calloc(OURS, count, size);
}

static void *our_raw_realloc(void *block, size_t size)
{
    return raw_realloc(OURS, block, size);
}

static void our_raw_free(void *block)
{
    raw_free(OURS, block);
}

static const struct allocator_ops our_raw = {.malloc = our_raw_malloc,
                                             .calloc = our_raw_calloc,
                                             .realloc = our_raw_realloc,
                                             .free = our_raw_free};

static void *their_raw_malloc(void *context, size_t size)
{
    return raw_malloc(*(const int *)context, size);
}

static void *their_raw_calloc(void *context, size_t count, size_t size)
{
    return raw_calloc(*(const int *)context, count, size);
}

static void *their_raw_realloc(void *context, void *block, size_t size)
{
    return raw_realloc(*(const int *)context, block, size);
}

static void their_raw_free(void *context, void *block)
{
    raw_free(*(const int *)context, block);
}

/* --- Set-up. --- */

static uint64_t operation; /* index of the one under way, over all tests */
static uint64_t blocks;    /* whose places were compared */
static uint64_t stretches; /* after which all statistics were */

static struct allocator_ops ours;
static struct allocator_ops theirs;
static char not_run[LIBPYTHON_REASON_BYTES]; /* why; empty when the real one is there */

static bool open_python(void)
{
    if (libpython_open(&python, library, not_run) != 0)
        return false;
    if (python.objects.calloc == NULL || python.set_arena_allocator == NULL ||
        python.set_raw_allocator == NULL || python.print_statistics == NULL) {
        snprintf(not_run, sizeof(not_run), "%s has not all the hooks of 3.11", library);
        return false;
    }
    theirs = python.objects;
    return true;
}

/* Both heaps start empty here, and live through all tests: what one test leaves behind is the start
 * of the next. */
int oracle_open(void **state)
{
    (void)state;
    if (!open_python())
        return 0;
    for (int side = 0; side < 2; side++)
        for (enum skew skew = ALIGNED; skew < SKEWS; skew++)
            if (reserve_region(&regions[side][skew]) != 0)
                return -1;

    char reason[ALLOCATOR_TEXT_BYTES];
    if (allocator_pymalloc.open(&allocator_pymalloc, &ours, &our_raw, reason) != 0)
        return -1;
    pymalloc_set_arena_source(
        &(struct pymalloc_arena_source){map_arena, unmap_arena, &sides[OURS]});
    python.set_arena_allocator(
        &(struct libpython_arena_allocator){&sides[THEIRS], map_arena, unmap_arena});
    python.set_raw_allocator(LIBPYTHON_DOMAIN_RAW,
                             &(struct libpython_raw_allocator){&sides[THEIRS], their_raw_malloc,
                                                               their_raw_calloc, their_raw_realloc,
                                                               their_raw_free});
    return 0;
}

int oracle_close(void **state)
{
    (void)state;
    if (not_run[0] != '\0')
        return 0;
    print_message("compared with %s: %" PRIu64 " operations, the places of %" PRIu64
                  " blocks, %" PRIu64 " arenas that came or went, %" PRIu64
                  " events beneath in all, %zu statistics after each of %" PRIu64 " stretches\n",
                  library, operation, blocks, journals[OURS].arenas, journals[OURS].events,
                  sizeof(struct pymalloc_statistics) / sizeof(size_t), stretches);
    pymalloc_set_arena_source(NULL);
    return 0;
}

void oracle_need(void)
{
    if (not_run[0] == '\0')
        return;
    print_message("not run: %s; install libpython3.11\n", not_run);
    if (getenv("CI") != NULL)
        fail_msg("not run: %s; install libpython3.11", not_run);
    skip();
}

int oracle_align_arenas(void **state)
{
    (void)state;
    skew_now = ALIGNED;
    return 0;
}

int oracle_skew_by_a_page(void **state)
{
    (void)state;
    skew_now = PAGE;
    return 0;
}

int oracle_skew_by_half(void **state)
{
    (void)state;
    skew_now = HALF;
    return 0;
}

/* --- One operation on both. --- */

static void assert_same_journal(const char *what, size_t size)
{
    const struct journal *our = &journals[OURS], *their = &journals[THEIRS];

    if (our->hash == their->hash && our->events == their->events)
        return;
    fail_msg("operation %" PRIu64 ", %s of %zu: events beneath differ: ours %" PRIu64
             ", the last %d(%" PRIu64 "), theirs %" PRIu64 ", the last %d(%" PRIu64 ")",
             operation, what, size, our->events, (int)our->last_kind, our->last_value,
             their->events, (int)their->last_kind, their->last_value);
}

static void assert_same_place(const char *what, const struct twin *twin)
{
    struct place our = locate(OURS, twin->block[OURS]);
    struct place their = locate(THEIRS, twin->block[THEIRS]);

    blocks++;
    if (our.arena != their.arena || our.offset != their.offset)
        fail_msg("operation %" PRIu64 ", %s of %zu: ours in arena %zd at %zu, theirs in %zd at %zu",
                 operation, what, twin->size, (ssize_t)our.arena, our.offset, (ssize_t)their.arena,
                 their.offset);
    assert_same_journal(what, twin->size);
}

void twin_malloc(struct twin *twin, size_t size)
{
    operation++;
    *twin = (struct twin){{ours.malloc(size), theirs.malloc(size)}, size};
    assert_same_place("malloc", twin);
    memset(twin->block[OURS], (int)(operation & 0xff), size);
    memset(twin->block[THEIRS], (int)(operation & 0xff), size);
}

void twin_calloc(struct twin *twin, size_t size)
{
    operation++;
    *twin = (struct twin){{ours.calloc(size, 1), theirs.calloc(size, 1)}, size};
    assert_same_place("calloc", twin);
    assert_memory_equal(twin->block[OURS], twin->block[THEIRS], size);
}

void twin_realloc(struct twin *twin, size_t size)
{
    size_t kept = size < twin->size ? size : twin->size;

    operation++;
    twin->block[OURS] = ours.realloc(twin->block[OURS], size);
    twin->block[THEIRS] = theirs.realloc(twin->block[THEIRS], size);
    twin->size = size;
    assert_same_place("realloc", twin);
    assert_memory_equal(twin->block[OURS], twin->block[THEIRS], kept);
    memset(twin->block[OURS], (int)(operation & 0xff), size);
    memset(twin->block[THEIRS], (int)(operation & 0xff), size);
}

void twin_free(const struct twin *twin)
{
    operation++;
    ours.free(twin->block[OURS]);
    theirs.free(twin->block[THEIRS]);
    assert_same_journal("free", twin->size);
}

/* --- The statistics of both. --- */

const struct allocator_ops *oracle_our_heap(void)
{
    return &ours;
}

void oracle_print_their_statistics(FILE *out)
{
    python.print_statistics(out);
}

void oracle_assert_same_statistics(void)
{
    struct pymalloc_statistics our, their;
    pymalloc_count(&our);
    assert_int_equal(libpython_count(&python, &their), 0);
    stretches++;

    /* The lines were found at all. */
    assert_int_equal(their.arenas_allocated > 0, journals[THEIRS].arenas > 0);
    for (size_t i = 0; i < sizeof(our) / sizeof(size_t); i++) {
        size_t our_number, their_number;
        memcpy(&our_number, (const char *)&our + i * sizeof(size_t), sizeof(size_t));
        memcpy(&their_number, (const char *)&their + i * sizeof(size_t), sizeof(size_t));
        if (our_number != their_number)
            fail_msg("operation %" PRIu64 ": statistic %zu is %zu, theirs %zu", operation, i,
                     our_number, their_number);
    }
}
