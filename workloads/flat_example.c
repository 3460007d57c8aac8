/*
 * 400 calls on 40 slots, of which a tenth hold something at the end: see flat_example.h.
 * Leaves out likeness to any program: each operation that a trace can have is in it.
 */
#define _GNU_SOURCE
#include "workloads/flat_example.h"

#include "workloads/draw.h"

#include <string.h>
#include <sys/mman.h>

enum { SLOTS = 40, CALLS = 400, MOST_WORDS = 3 * CALLS, SEED = 1, LEFT = 10 };

struct example {
    uint64_t *words;
    uint64_t count, operations, random;
    uint8_t is_full[SLOTS];
};

static void put(struct example *example, uint64_t word)
{
    example->words[example->count++] = word;
}

/* Mostly small. */
static uint64_t draw_size(struct example *example)
{
    return draw_chance(&example->random, 99) ? draw_between(&example->random, 1, 512)
                                             : draw_between(&example->random, 513, 100000);
}

static void make(struct example *example, uint32_t slot)
{
    const unsigned kind = (unsigned)draw_below(&example->random, 20);
    const uint64_t bytes = draw_size(example);

    example->is_full[slot] = 1;
    if (kind == 0) {
        put(example, flat_word(FLAT_ALIGNED, 0, slot, bytes));
        put(example, UINT64_C(16) << draw_below(&example->random, 5));
    } else {
        put(example, flat_word(kind < 4 ? FLAT_CALLOC : FLAT_MALLOC, 0, slot, bytes));
    }
}

static void end(struct example *example, uint32_t slot)
{
    if (draw_chance(&example->random, 10)) {
        put(example, flat_word(FLAT_REALLOC, 0, slot, 0));
        put(example, flat_word(FLAT_MALLOC, 0, slot, draw_size(example)));
        return;
    }
    example->is_full[slot] = 0;
    put(example, flat_word(FLAT_FREE, 0, slot, 0));
}

static void write_calls(struct example *example)
{
    for (unsigned i = 0; i < CALLS; i++, example->operations++) {
        const uint32_t slot = (uint32_t)draw_below(&example->random, SLOTS);
        if (example->is_full[slot])
            end(example, slot);
        else
            make(example, slot);
    }
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        if (!example->is_full[slot] || slot % LEFT == 0)
            continue;
        put(example, flat_word(FLAT_FREE, 0, slot, 0));
        example->operations++;
    }
}

struct flat_head *flat_example_make(size_t *bytes)
{
    static struct example example;
    const size_t room = sizeof(struct flat_head) + sizeof(struct flat_thread) +
                        (MOST_WORDS + SLOTS) * sizeof(uint64_t);
    void *pages =
        mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (pages == MAP_FAILED)
        return NULL;
    struct flat_head *head = pages;
    struct flat_thread *thread = (struct flat_thread *)(head + 1);
    memset(&example, 0, sizeof example);
    example.words = (uint64_t *)(thread + 1);
    example.random = SEED;
    write_calls(&example);
    *thread = (struct flat_thread){.words = example.count, .slots = SLOTS};
    *head = (struct flat_head){.magic = FLAT_MAGIC,
                               .file_bytes = room,
                               .threads = 1,
                               .words = example.count,
                               .operations = example.operations,
                               .checksum = SEED};
    *bytes = room;
    return head;
}
