/*
 * libtidemark-planted.so: glibc's malloc with faults that are known, for `tidemark selftest`. A
 * tunable plants one: it works some turns more, holds so many percent more, keeps what is freed or
 * gives it back at once, leaks. Without a tunable it is its own clean twin, the same code with
 * nothing to do. Leaves out threads. The idea is that of mutation testing, and of coz (Curtsinger
 * and Berger 2015), which plants delays to see what a tool makes of them.
 */
#define _GNU_SOURCE
#include "allocators/allocator.h"

#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    SPIN_EACH = 64,       /* calls of malloc: a share of a turn can be planted in one */
    HELD_BYTES = 1 << 16, /* mapped, touched and unmapped at a time */
    MOST_HELD = 1 << 16,  /* such pieces: 4 GiB */
    LOW_MMAP_BYTES = 4096,
    MOST_TURNS = 1000000000,
};

static long spin_turns, hold_percent, leak_percent;
static const char *return_way = "usual";

static size_t live_bytes, calls, held;
static long leak_debt;
static char *pieces[MOST_HELD];

/* Each turn waits for the one before, so that no processor does several at once. */
static void spin(void)
{
    size_t value = calls;

    for (long i = 0; i < spin_turns; i++) {
        value = value * 6364136223846793005u + 1;
        __asm__ volatile("" : "+r"(value));
    }
}

/* As many pieces as the share of what is live comes to. */
static void hold(void)
{
    const size_t wanted = live_bytes / 100 * (size_t)hold_percent / HELD_BYTES;

    while (held < wanted && held < MOST_HELD) {
        char *piece =
            mmap(NULL, HELD_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (piece == MAP_FAILED)
            return;
        memset(piece, 1, HELD_BYTES);
        pieces[held++] = piece;
    }
    while (held > wanted)
        munmap(pieces[--held], HELD_BYTES);
}

static void *taken(void *block)
{
    if (!block)
        return NULL;
    live_bytes += malloc_usable_size(block);
    if (++calls % SPIN_EACH == 0)
        spin();
    if (hold_percent)
        hold();
    return block;
}

static void *planted_malloc(size_t size)
{
    return taken(malloc(size));
}

static void *planted_calloc(size_t count, size_t size)
{
    return taken(calloc(count, size));
}

static void *planted_aligned_alloc(size_t alignment, size_t size)
{
    return taken(aligned_alloc(alignment, size));
}

static void *planted_realloc(void *block, size_t size)
{
    const size_t old_bytes = malloc_usable_size(block);
    void *moved = realloc(block, size);

    if (moved || (block && size == 0))
        live_bytes -= old_bytes;
    return taken(moved);
}

static void planted_free(void *block)
{
    if (!block)
        return;
    leak_debt += leak_percent;
    if (leak_debt >= 100) {
        leak_debt -= 100;
        return;
    }
    live_bytes -= malloc_usable_size(block);
    free(block);
    if (hold_percent)
        hold();
}

static size_t planted_usable_size(void *block)
{
    return malloc_usable_size(block);
}

static long number_of(const char *variable)
{
    const char *text = getenv(variable);

    return text ? strtol(text, NULL, 10) : 0;
}

static int planted_open(const struct allocator *self, struct allocator_ops *ops,
                        const struct allocator_ops *raw, char *reason)
{
    (void)self;
    (void)raw;
    (void)reason;
    spin_turns = number_of("TIDEMARK_PLANTED_SPIN");
    hold_percent = number_of("TIDEMARK_PLANTED_HOLD");
    leak_percent = number_of("TIDEMARK_PLANTED_LEAK");
    const char *way = getenv("TIDEMARK_PLANTED_RETURN");
    if (way)
        return_way = way;
    if (strcmp(return_way, "never") == 0) {
        mallopt(M_MMAP_MAX, 0);
        mallopt(M_TRIM_THRESHOLD, INT_MAX);
    } else if (strcmp(return_way, "at-once") == 0) {
        mallopt(M_MMAP_MAX, INT_MAX);
        mallopt(M_MMAP_THRESHOLD, LOW_MMAP_BYTES);
        mallopt(M_TRIM_THRESHOLD, 0);
        mallopt(M_TOP_PAD, 0);
    }
    *ops = (struct allocator_ops){
        .malloc = planted_malloc,
        .calloc = planted_calloc,
        .realloc = planted_realloc,
        .aligned_alloc = planted_aligned_alloc,
        .free = planted_free,
        .usable_size = planted_usable_size,
    };
    return 0;
}

static void planted_version(char *text)
{
    snprintf(text, ALLOCATOR_TEXT_BYTES, "planted 1");
}

static enum allocator_proof planted_value(const struct allocator_tunable *tunable,
                                          const char *asked, char *value)
{
    const long number = strcmp(tunable->name, "spin") == 0   ? spin_turns
                        : strcmp(tunable->name, "hold") == 0 ? hold_percent
                                                             : leak_percent;

    (void)asked;
    if (strcmp(tunable->name, "return") == 0)
        snprintf(value, ALLOCATOR_VALUE_BYTES, "%s", return_way);
    else
        snprintf(value, ALLOCATOR_VALUE_BYTES, "%ld", number);
    return ALLOCATOR_TOLD;
}

static const struct allocator_tunable planted_tunables[] = {
    {"spin", "turns of a loop in each 64th call of malloc; default 0", NULL, 0, MOST_TURNS},
    {"hold", "percent of what is live that is held besides; default 0", NULL, 0, 1000},
    {"leak", "percent of the frees that do nothing; default 0", NULL, 0, 100},
    {"return", "when freed memory goes back; default usual", "usual|never|at-once", 0, 0},
    {0},
};

const struct allocator tidemark_allocator_v3 = {
    .name = "planted",
    .summary = "glibc's malloc with faults that are known (tidemark selftest)",
    .source = "allocators/planted/planted.c",
    .family = ALLOCATOR_GENERAL,
    .capabilities = ALLOCATOR_MALLOC | ALLOCATOR_CALLOC | ALLOCATOR_REALLOC | ALLOCATOR_ALIGNED |
                    ALLOCATOR_FREE | ALLOCATOR_USABLE_SIZE | ALLOCATOR_DISTINCT,
    .environment = {.prefix = "TIDEMARK_PLANTED_", .assign = '='},
    .tunables = planted_tunables,
    .open = planted_open,
    .version = planted_version,
    .tunable_value = planted_value,
};
