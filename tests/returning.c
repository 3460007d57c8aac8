/*
 * returning: a plug-in whose memory goes back when it was told to: never, with the last free, or so
 * many milliseconds after it by a thread of its own. What `tidemark show --return` says of it is
 * known beforehand. Leaves out reuse before all is free. The idea is that of a planted fault.
 */
#define _GNU_SOURCE
#include "allocator.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { HEADER_BYTES = 16, NEVER_MS = -1, LONGEST_MS = 60000 };

#define RESERVED_BYTES ((size_t)1 << 30)

static char *arena;
static size_t used_bytes, most_bytes, live_blocks;
static long after_ms = NEVER_MS;
static unsigned generation; /* of what is in the arena: the thread gives back its own alone */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t freed = PTHREAD_COND_INITIALIZER;

static size_t rounded(size_t size)
{
    return (size + HEADER_BYTES - 1) / HEADER_BYTES * HEADER_BYTES;
}

static void give_back(void)
{
    if (most_bytes > 0)
        madvise(arena, most_bytes, MADV_DONTNEED);
    most_bytes = 0;
}

static void *give_back_later(void *nothing)
{
    const struct timespec wait = {.tv_sec = after_ms / 1000, .tv_nsec = after_ms % 1000 * 1000000};
    unsigned known = 0;

    pthread_mutex_lock(&lock);
    for (;;) {
        while (generation == known)
            pthread_cond_wait(&freed, &lock);
        known = generation;
        pthread_mutex_unlock(&lock);
        nanosleep(&wait, NULL);
        pthread_mutex_lock(&lock);
        if (generation == known && live_blocks == 0)
            give_back();
    }
    return nothing;
}

static void *returning_malloc(size_t size)
{
    void *block = NULL;

    pthread_mutex_lock(&lock);
    if (size <= RESERVED_BYTES && rounded(size) + HEADER_BYTES <= RESERVED_BYTES - used_bytes) {
        size_t *header = (size_t *)(arena + used_bytes);
        *header = size;
        block = (char *)header + HEADER_BYTES;
        used_bytes += HEADER_BYTES + rounded(size);
        most_bytes = used_bytes > most_bytes ? used_bytes : most_bytes;
        live_blocks++;
    }
    pthread_mutex_unlock(&lock);
    return block;
}

static void returning_free(void *block)
{
    if (!block)
        return;
    pthread_mutex_lock(&lock);
    if (--live_blocks == 0) {
        used_bytes = 0;
        generation++;
        if (after_ms == 0)
            give_back();
        else if (after_ms > 0)
            pthread_cond_signal(&freed);
    }
    pthread_mutex_unlock(&lock);
}

static int returning_open(const struct allocator *self, struct allocator_ops *ops,
                          const struct allocator_ops *raw, char *reason)
{
    const char *asked = getenv("RETURNING_AFTER_MS");
    pthread_t thread;

    (void)self;
    (void)raw;
    after_ms = asked ? strtol(asked, NULL, 10) : NEVER_MS;
    arena = mmap(NULL, RESERVED_BYTES, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (arena == MAP_FAILED ||
        (after_ms > 0 && pthread_create(&thread, NULL, give_back_later, NULL) != 0)) {
        snprintf(reason, ALLOCATOR_TEXT_BYTES, "there is no memory, or no thread, for it");
        return -ENOMEM;
    }
    *ops = (struct allocator_ops){.malloc = returning_malloc, .free = returning_free};
    return 0;
}

static void returning_version(char *text)
{
    snprintf(text, ALLOCATOR_TEXT_BYTES, "returning 1");
}

static enum allocator_proof returning_value(const struct allocator_tunable *tunable,
                                            const char *asked, char *value)
{
    (void)tunable;
    (void)asked;
    snprintf(value, ALLOCATOR_VALUE_BYTES, "%ld", after_ms);
    return ALLOCATOR_TOLD;
}

static const struct allocator_tunable tunables[] = {
    {"after_ms", "milliseconds after the last free; default -1, never", NULL, NEVER_MS, LONGEST_MS},
    {0},
};

const struct allocator tidemark_allocator_v3 = {
    .name = "returning",
    .summary = "gives all back a known time after the last free",
    .source = "tests of tidemark",
    .family = ALLOCATOR_GENERAL,
    .capabilities = ALLOCATOR_MALLOC | ALLOCATOR_FREE | ALLOCATOR_DISTINCT | ALLOCATOR_THREADS,
    .environment = {.prefix = "RETURNING_", .assign = '='},
    .tunables = tunables,
    .eager = "after_ms:0",
    .open = returning_open,
    .version = returning_version,
    .tunable_value = returning_value,
};
