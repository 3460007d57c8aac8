/*
 * Experiments on malloc, each with the sizes at which the tunable asked for would show. Leaves out
 * what would take more than LARGEST_TRIED_BYTES to show. The rules are those of malloc/malloc.c of
 * glibc 2.36: chunks are 16-byte multiples with 8 bytes of header, the smallest is 32.
 */
#define _GNU_SOURCE
#include "allocators/glibc_tunables.h"

#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_HEADER_BYTES = 8, CHUNK_STEP_BYTES = 16, SMALLEST_CHUNK_BYTES = 32 };
enum { LARGEST_TRIED_BYTES = 1 << 30 };

/* A block that is freed or kept later; the link lies in the block itself. */
struct link {
    struct link *next;
};

static size_t chunk_of(size_t request_bytes)
{
    size_t chunk = (request_bytes + CHUNK_HEADER_BYTES + CHUNK_STEP_BYTES - 1) &
                   ~(size_t)(CHUNK_STEP_BYTES - 1);

    return chunk < SMALLEST_CHUNK_BYTES ? SMALLEST_CHUNK_BYTES : chunk;
}

static size_t request_of(size_t chunk_bytes)
{
    return chunk_bytes - CHUNK_HEADER_BYTES;
}

static struct link *allocate(size_t count, size_t bytes)
{
    struct link *first = NULL;

    for (size_t i = 0; i < count; i++) {
        struct link *block = malloc(bytes);
        if (!block)
            break;
        block->next = first;
        first = block;
    }
    return first;
}

static void free_all(struct link *block)
{
    while (block) {
        struct link *next = block->next;
        free(block);
        block = next;
    }
}

/*
 * Frees more of the smallest blocks than the cache is said to hold: those in the cache still count
 * as used (mallinfo(3) sees only what went back to the bins).
 */
static enum allocator_proof see_tcache_count(uint64_t asked, uint64_t *seen)
{
    enum { BEYOND = 64, BYTES = SMALLEST_CHUNK_BYTES - CHUNK_HEADER_BYTES };
    size_t count = (size_t)asked + BEYOND;
    struct link *blocks = allocate(count, BYTES); /* also empties the cache */
    size_t before = mallinfo2().uordblks;

    free_all(blocks);
    *seen = count - (before - mallinfo2().uordblks) / SMALLEST_CHUNK_BYTES;
    return ALLOCATOR_SEEN;
}

/* 1 when a freed block of this size waits in the thread's cache. */
static int is_cached(size_t bytes)
{
    struct link *taken = NULL;
    size_t before;

    /* Blocks that come from the cache do not change what is used: take those first. */
    do {
        before = mallinfo2().uordblks;
        struct link *block = malloc(bytes);
        if (!block)
            return 0;
        block->next = taken;
        taken = block;
    } while (mallinfo2().uordblks == before);
    struct link *rest = taken->next;
    before = mallinfo2().uordblks;
    free(taken);
    int cached = mallinfo2().uordblks == before;
    free_all(rest);
    return cached;
}

/* The largest chunk that is cached; the tunable is a request, and all requests of a chunk are
 * alike.
 */
static enum allocator_proof see_tcache_max(uint64_t asked, uint64_t *seen)
{
    enum { LARGEST_CACHED_CHUNK = 1040 }; /* 64 bins, from 32 bytes on */
    size_t largest = 0;

    for (size_t chunk = SMALLEST_CHUNK_BYTES; chunk <= LARGEST_CACHED_CHUNK;
         chunk += CHUNK_STEP_BYTES) {
        if (is_cached(request_of(chunk)))
            largest = chunk;
    }
    if (largest == 0)
        return ALLOCATOR_UNPROVED; /* tcache_count:0 hides it */
    *seen = chunk_of((size_t)asked) == largest ? asked : request_of(largest);
    return ALLOCATOR_SEEN;
}

/* 1 when a freed block of this size, its cache being full, waits in a fastbin. */
static int is_fast(size_t bytes)
{
    enum { MORE_THAN_CACHED = 70000 }; /* tcache_count is at most 65535 */
    struct link *blocks = allocate(MORE_THAN_CACHED, bytes);
    size_t before = mallinfo2().fsmblks;

    free_all(blocks);
    return mallinfo2().fsmblks > before;
}

static enum allocator_proof see_mxfast(uint64_t asked, uint64_t *seen)
{
    enum { LARGEST_FAST_CHUNK = 176 };
    size_t largest = 0;
    /* set_max_fast of malloc.c: 0 is none, else the request with its header, rounded down. */
    size_t expected =
        asked ? ((size_t)asked + CHUNK_HEADER_BYTES) / CHUNK_STEP_BYTES * CHUNK_STEP_BYTES : 0;

    for (size_t chunk = SMALLEST_CHUNK_BYTES; chunk <= LARGEST_FAST_CHUNK;
         chunk += CHUNK_STEP_BYTES) {
        if (is_fast(request_of(chunk)))
            largest = chunk;
    }
    if (expected < SMALLEST_CHUNK_BYTES)
        expected = 0;
    *seen = largest == expected ? asked : largest ? request_of(largest) : 0;
    return ALLOCATOR_SEEN;
}

/* 1 when a block of this size is a mapping of its own. What the top of the heap can still serve is
 * used up first; nothing is freed, since that would move a threshold that was not set. */
static int is_mapped(size_t bytes)
{
    struct mallinfo2 before = mallinfo2();
    size_t tries = before.keepcost / bytes + 2;

    for (size_t i = 0; i < tries; i++) {
        if (!allocate(1, bytes))
            return 1; /* the heap is full: nothing larger is tried */
        if (mallinfo2().hblks != before.hblks)
            return 1;
    }
    return 0;
}

/* Bisects for the smallest request that is mapped. */
static enum allocator_proof see_mmap_threshold(uint64_t asked, uint64_t *seen)
{
    enum { SMALLEST_TRIED = 4096 }; /* below it each try takes many blocks */
    size_t low = SMALLEST_TRIED, high = LARGEST_TRIED_BYTES / 8;

    if (asked < SMALLEST_TRIED || asked >= high || !is_mapped(high))
        return ALLOCATOR_UNPROVED;
    while (high - low > CHUNK_STEP_BYTES) {
        size_t middle = (low + high) / 2 / CHUNK_STEP_BYTES * CHUNK_STEP_BYTES;
        if (is_mapped(request_of(middle)))
            high = middle;
        else
            low = middle;
    }
    /* `high` is the smallest chunk that is mapped: the threshold is it, or up to 15 bytes less. */
    *seen = asked <= high && asked > high - CHUNK_STEP_BYTES ? asked : high;
    return ALLOCATOR_SEEN;
}

/*
 * 1 when a freed mapping raises the mmap threshold, so that the next block of its size comes from
 * the heap: setting any threshold ends that (M_MMAP_THRESHOLD in mallopt(3)).
 */
static int is_dynamic(void)
{
    enum { MAPPED_BYTES = 256 << 10 };

    if (!is_mapped(MAPPED_BYTES))
        return 0;
    free_all(allocate(1, MAPPED_BYTES));
    return !is_mapped(MAPPED_BYTES);
}

/*
 * Frees blocks at the top of the heap until it gives memory back; glibc looks at the top only when
 * a freed chunk is 64 KiB or more (FASTBIN_CONSOLIDATION_THRESHOLD), and leaves it at most top_pad.
 * A threshold below that shows no difference: there it is told only by what setting it ends.
 */
static enum allocator_proof see_trim_threshold(uint64_t asked, uint64_t *seen)
{
    enum { BLOCK_BYTES = 66000, BEYOND = 8, SMALLEST_SHOWN = 3 * BLOCK_BYTES };

    if (asked > LARGEST_TRIED_BYTES || mallinfo2().hblks > 0)
        return ALLOCATOR_UNPROVED;
    struct link *last = allocate((size_t)asked / BLOCK_BYTES + BEYOND, BLOCK_BYTES);
    /* So many more that what is left of the top is less than one of them. */
    while (last && mallinfo2().keepcost > chunk_of(BLOCK_BYTES)) {
        struct link *block = allocate(1, BLOCK_BYTES);
        if (!block)
            return ALLOCATOR_UNPROVED;
        block->next = last;
        last = block;
    }
    struct mallinfo2 before = mallinfo2(), after = before;
    if (before.hblks > 0)
        return ALLOCATOR_UNPROVED; /* mmap_threshold is below the blocks: they say nothing */
    while (last && after.arena >= before.arena) {
        struct link *next = last->next;
        before = after;
        free(last);
        last = next;
        after = mallinfo2();
    }
    size_t top = before.keepcost + chunk_of(BLOCK_BYTES);
    int is_shown = asked <= top && asked > before.keepcost;
    if (!is_shown && asked < SMALLEST_SHOWN && top < SMALLEST_SHOWN + BLOCK_BYTES)
        is_shown = !is_dynamic();
    *seen = is_shown ? asked : top;
    return ALLOCATOR_SEEN;
}

/* The heap grows by what is asked, the pad and the smallest chunk, less what is left of its top, in
 * whole pages (sysmalloc of malloc.c). */
static enum allocator_proof see_top_pad(uint64_t asked, uint64_t *seen)
{
    enum { BLOCK_BYTES = 4000 };
    const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    struct mallinfo2 before, after = mallinfo2();

    if (asked > LARGEST_TRIED_BYTES)
        return ALLOCATOR_UNPROVED;
    do {
        before = after;
        if (!allocate(1, BLOCK_BYTES))
            return ALLOCATOR_UNPROVED;
        after = mallinfo2();
    } while (after.arena == before.arena);
    size_t least = chunk_of(BLOCK_BYTES) + SMALLEST_CHUNK_BYTES - before.keepcost;
    size_t grown = after.arena - before.arena;
    size_t pad = grown > least ? grown - least : 0;
    *seen = asked <= pad && asked + page_bytes > pad ? asked : pad;
    return ALLOCATOR_SEEN;
}

/* Threads that all hold their arena at once. */
struct crowd {
    pthread_barrier_t all_here, leave;
};

static void *take_arena(void *data)
{
    struct crowd *crowd = data;

    void *volatile block = malloc(CHUNK_STEP_BYTES); /* else the compiler leaves out both calls */

    free(block);
    pthread_barrier_wait(&crowd->all_here);
    pthread_barrier_wait(&crowd->leave);
    return NULL;
}

/* The arenas of this process, as malloc_info(3) lists them. */
static uint64_t count_arenas(void)
{
    char *text = NULL;
    size_t bytes = 0;
    uint64_t count = 0;
    FILE *stream = open_memstream(&text, &bytes);

    if (!stream)
        return 0;
    malloc_info(0, stream);
    fclose(stream);
    for (const char *at = text; (at = strstr(at, "<heap nr=")); at++)
        count++;
    free(text);
    return count;
}

/* One thread more than there may be arenas. */
static enum allocator_proof see_arena_max(uint64_t asked, uint64_t *seen)
{
    enum { MOST_THREADS = 64 };
    pthread_t threads[MOST_THREADS];
    struct crowd crowd;
    unsigned count = (unsigned)asked + 1;

    if (asked >= MOST_THREADS)
        return ALLOCATOR_UNPROVED;
    pthread_barrier_init(&crowd.all_here, NULL, count + 1);
    pthread_barrier_init(&crowd.leave, NULL, count + 1);
    for (unsigned i = 0; i < count; i++) {
        /* Without all of them the barrier would wait for ever: the process ends with what it has.
         */
        if (pthread_create(&threads[i], NULL, take_arena, &crowd) != 0)
            return ALLOCATOR_UNPROVED;
    }
    pthread_barrier_wait(&crowd.all_here);
    *seen = count_arenas();
    pthread_barrier_wait(&crowd.leave);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    return *seen ? ALLOCATOR_SEEN : ALLOCATOR_UNPROVED;
}

enum allocator_proof glibc_tunable_value(const struct allocator_tunable *tunable, const char *asked,
                                         char *value)
{
    static const struct {
        const char *name;
        enum allocator_proof (*see)(uint64_t asked, uint64_t *seen);
    } experiments[] = {
        {"tcache_count", see_tcache_count},
        {"tcache_max", see_tcache_max},
        {"mxfast", see_mxfast},
        {"mmap_threshold", see_mmap_threshold},
        {"trim_threshold", see_trim_threshold},
        {"top_pad", see_top_pad},
        {"arena_max", see_arena_max},
    };
    uint64_t seen;

#ifdef TIDEMARK_SANITIZED
    return ALLOCATOR_UNPROVED; /* malloc is the sanitizer's */
#endif
    for (size_t i = 0; i < sizeof experiments / sizeof experiments[0]; i++) {
        if (strcmp(experiments[i].name, tunable->name) != 0)
            continue;
        enum allocator_proof proof = experiments[i].see(strtoull(asked, NULL, 10), &seen);
        if (proof != ALLOCATOR_UNPROVED)
            snprintf(value, ALLOCATOR_VALUE_BYTES, "%llu", (unsigned long long)seen);
        return proof;
    }
    return ALLOCATOR_UNPROVED;
}
