/*
 * A program of a fit's shape: see trace_fit.h. Each thread makes as many blocks as there were; of
 * which size, and how long each lives, is drawn from its stretch's counts without putting back, so
 * that a stretch has just the blocks that it had. Leaves out realloc, alignment and other threads'
 * frees: each block is made by malloc and freed by its maker.
 */
#define _GNU_SOURCE
#include "harness/trace/flat_check.h"
#include "harness/trace/flat_writer.h"
#include "harness/trace/trace_fit.h"
#include "workloads/draw.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CELL_FIELDS = 4, /* stretch, mean size, class of lifetime or -1, count */
    LIFE_STEPS = 4,
    MOST_CLASS = 160, /* 2^41 blocks */
    NEVER = -1,
    BLOCK_BYTES = 16, /* that a block takes while the program is made, and later its slot */
};

static const uint64_t most_blocks = UINT64_C(1) << 31; /* of a thread: slots are numbered */

struct block_kind {
    uint32_t stretch;
    int life; /* a class, or NEVER */
    uint64_t bytes, count;
};

struct fit_thread {
    struct block_kind *kinds; /* by stretch */
    size_t count;
    uint64_t blocks, words;
};

struct fit_program {
    struct fit_thread threads[FIT_MOST_THREADS];
    size_t count;
};

/* The least of a class, and the least of the next one. */
static uint64_t life_least(unsigned class_of)
{
    if (class_of < LIFE_STEPS)
        return class_of;
    const unsigned bits = class_of / LIFE_STEPS + 1;
    return (uint64_t)(LIFE_STEPS + class_of % LIFE_STEPS) << (bits - 2);
}

/* --- Reading. --- */

static int read_kind(struct block_kind *kind, const json_t *cells, size_t at)
{
    json_int_t numbers[CELL_FIELDS];

    for (size_t i = 0; i < CELL_FIELDS; i++) {
        const json_t *number = json_array_get(cells, at + i);
        if (!json_is_integer(number))
            return -EBADMSG;
        numbers[i] = json_integer_value(number);
    }
    if (numbers[0] < 0 || numbers[0] >= FIT_STRETCHES || numbers[1] < 1 || numbers[2] < NEVER ||
        numbers[2] > MOST_CLASS || numbers[3] < 1 || (uint64_t)numbers[3] > most_blocks)
        return -EBADMSG;
    *kind = (struct block_kind){(uint32_t)numbers[0], (int)numbers[2], (uint64_t)numbers[1],
                                (uint64_t)numbers[3]};
    return 0;
}

static int by_stretch(const void *a, const void *b)
{
    const struct block_kind *left = a, *right = b;

    if (left->stretch != right->stretch)
        return left->stretch < right->stretch ? -1 : 1;
    if (left->bytes != right->bytes)
        return left->bytes < right->bytes ? -1 : 1;
    return left->life - right->life;
}

static int read_thread(struct fit_thread *thread, const json_t *json)
{
    const json_t *cells = json_object_get(json, "cells");
    const size_t fields = json_array_size(cells);
    int error = fields > 0 && fields % CELL_FIELDS == 0 ? 0 : -EBADMSG;

    thread->count = fields / CELL_FIELDS;
    thread->kinds = error ? NULL : calloc(thread->count, sizeof *thread->kinds);
    if (!error && !thread->kinds)
        error = -ENOMEM;
    for (size_t i = 0; i < thread->count && !error; i++) {
        struct block_kind *kind = &thread->kinds[i];
        error = read_kind(kind, cells, i * CELL_FIELDS);
        thread->blocks += kind->count;
        thread->words += kind->count * (flat_writer_words(kind->bytes) + (kind->life != NEVER));
        if (thread->blocks > most_blocks)
            error = -EBADMSG;
    }
    if (!error)
        qsort(thread->kinds, thread->count, sizeof *thread->kinds, by_stretch);
    return error;
}

static int read_fit(struct fit_program *program, const json_t *fit)
{
    const json_t *threads = json_object_get(fit, "threads");
    int error = json_integer_value(json_object_get(fit, "tidemark_fit")) == FIT_FORMAT &&
                        json_integer_value(json_object_get(fit, "stretches")) == FIT_STRETCHES &&
                        json_array_size(threads) >= 1 &&
                        json_array_size(threads) <= FIT_MOST_THREADS
                    ? 0
                    : -EBADMSG;

    for (size_t i = 0; i < json_array_size(threads) && !error; i++) {
        error = read_thread(&program->threads[i], json_array_get(threads, i));
        program->count++;
    }
    return error;
}

/* --- Making. --- */

/* What dies when a block is made: a list for each, by slot. */
struct life {
    uint32_t
        *dying; /* by block: the first slot whose block dies before it is made, from 1; 0: none */
    uint32_t *next; /* by slot */
    uint32_t *free_slots;
    uint64_t free_count, slots;
};

static int make_life(struct life *life, uint64_t blocks)
{
    life->dying = calloc(blocks + 1, sizeof *life->dying);
    life->next = calloc(blocks + 1, sizeof *life->next);
    life->free_slots = calloc(blocks + 1, sizeof *life->free_slots);
    return life->dying && life->next && life->free_slots ? 0 : -ENOMEM;
}

static void free_life(struct life *life)
{
    free(life->dying);
    free(life->next);
    free(life->free_slots);
}

static void kill_dying(struct life *life, uint64_t block, uint64_t *words, uint64_t *put)
{
    for (uint32_t slot = life->dying[block]; slot; slot = life->next[slot - 1]) {
        words[(*put)++] = flat_word(FLAT_FREE, 0, slot - 1, 0);
        life->free_slots[life->free_count++] = slot - 1;
    }
}

/* Somewhere in its class; past the last block it dies at the end, as those that the thread freed
 * when it was done. */
static uint64_t draw_death(uint64_t *random, const struct block_kind *kind, uint64_t block,
                           uint64_t blocks)
{
    const uint64_t least = life_least((unsigned)kind->life);
    const uint64_t width = life_least((unsigned)kind->life + 1) - least;
    const uint64_t death = block + 1 + least + (width > 1 ? random_next(random) % width : 0);

    return death < blocks ? death : blocks;
}

/* The kinds of a stretch, from `first` to below `*end`; returns how many blocks they are. */
static uint64_t count_stretch(const struct fit_thread *thread, size_t first, size_t *end)
{
    uint64_t blocks = 0;

    for (*end = first;
         *end < thread->count && thread->kinds[*end].stretch == thread->kinds[first].stretch;
         (*end)++)
        blocks += thread->kinds[*end].count;
    return blocks;
}

/* A card for each block of a stretch, with its kind. */
static void fill_deck(uint32_t *deck, const struct fit_thread *thread, size_t first, size_t end)
{
    for (size_t kind = first; kind < end; kind++)
        for (uint64_t i = 0; i < thread->kinds[kind].count; i++)
            *deck++ = (uint32_t)kind;
}

/* One of those that are left, which is not among them any more (Fisher and Yates). */
static uint32_t draw_card(uint64_t *random, uint32_t *deck, uint64_t left)
{
    const uint64_t drawn = random_next(random) % left;
    const uint32_t card = deck[drawn];

    deck[drawn] = deck[left - 1];
    return card;
}

struct making {
    const struct fit_thread *thread;
    struct life life;
    uint32_t *deck;
    uint64_t random, block, put;
    uint64_t *words;
};

static void make_block(struct making *making, const struct block_kind *kind)
{
    struct life *life = &making->life;
    const uint64_t blocks = making->thread->blocks;

    kill_dying(life, making->block, making->words, &making->put);
    const uint64_t slot =
        life->free_count > 0 ? life->free_slots[--life->free_count] : life->slots++;
    making->put += flat_writer_put_sized(making->words + making->put,
                                         flat_word(FLAT_MALLOC, 0, (uint32_t)slot, 0), kind->bytes);
    if (kind->life != NEVER) {
        const uint64_t death = draw_death(&making->random, kind, making->block, blocks);
        life->next[slot] = life->dying[death];
        life->dying[death] = (uint32_t)slot + 1;
    }
    making->block++;
}

static void make_stretches(struct making *making)
{
    const struct fit_thread *thread = making->thread;

    for (size_t first = 0, end; first < thread->count; first = end) {
        uint64_t left = count_stretch(thread, first, &end);
        fill_deck(making->deck, thread, first, end);
        for (; left > 0; left--)
            make_block(making, &thread->kinds[draw_card(&making->random, making->deck, left)]);
    }
    kill_dying(&making->life, thread->blocks, making->words, &making->put);
}

static int make_thread(const struct fit_thread *thread, uint64_t seed, uint64_t *words,
                       struct flat_thread *flat)
{
    struct making making = {.thread = thread, .random = seed, .words = words};
    int error = make_life(&making.life, thread->blocks);

    making.deck = error ? NULL : malloc(thread->blocks * sizeof *making.deck);
    if (making.deck)
        make_stretches(&making);
    else
        error = -ENOMEM;
    flat->words = making.put;
    flat->slots = making.life.slots;
    free(making.deck);
    free_life(&making.life);
    return error;
}

/* A few bytes of a fit may stand for any number of blocks. */
static int check_memory(const struct fit_program *program)
{
    const uint64_t memory_bytes =
        (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t needed_bytes = 0;

    for (size_t i = 0; i < program->count; i++)
        needed_bytes +=
            program->threads[i].words * sizeof(uint64_t) + program->threads[i].blocks * BLOCK_BYTES;
    return needed_bytes <= memory_bytes / 2 ? 0 : -E2BIG;
}

static int make_program(struct fit_program *program, uint64_t seed, int fd,
                        struct trace_compiled *compiled)
{
    struct flat_head head = {.threads = program->count};
    struct flat_writer writer;

    for (size_t i = 0; i < program->count; i++)
        head.words += program->threads[i].words;
    int error = check_memory(program);
    if (!error)
        error = flat_writer_open(&writer, &head, fd);
    if (error)
        return error;
    uint64_t first = 0;
    for (size_t i = 0; i < program->count && !error; i++) {
        writer.threads[i].first_word = first;
        error =
            make_thread(&program->threads[i], seed + i, writer.words + first, &writer.threads[i]);
        first += program->threads[i].words;
        compiled->makes += program->threads[i].blocks;
        compiled->operations += writer.threads[i].words;
    }
    if (!error)
        error = flat_check(writer.head, writer.threads, writer.words);
    writer.head->operations = compiled->operations;
    compiled->threads = program->count;
    compiled->ends = compiled->operations - compiled->makes;
    compiled->file_bytes = writer.head->file_bytes;
    flat_writer_close(&writer);
    return error;
}

int trace_fit_compile(const json_t *fit, uint64_t seed, int fd, struct trace_compiled *compiled,
                      char *error)
{
    struct fit_program *program = calloc(1, sizeof *program);
    int failed = program ? 0 : -ENOMEM;

    *compiled = (struct trace_compiled){0};
    if (!failed)
        failed = read_fit(program, fit);
    if (!failed)
        failed = make_program(program, seed, fd, compiled);
    for (size_t i = 0; program && i < FIT_MOST_THREADS; i++)
        free(program->threads[i].kinds);
    free(program);
    if (failed)
        snprintf(error, TRACE_ERROR_BYTES, "%s",
                 failed == -EBADMSG ? "it is no fit of tidemark fit"
                 : failed == -E2BIG
                     ? "a program of its shape takes more than half of the memory of "
                       "this machine"
                     : strerror(-failed));
    return failed;
}
