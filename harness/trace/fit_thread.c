/*
 * A thread's calls: see fit_thread.h. In each stretch the kinds of blocks are drawn without putting
 * back, and what ends there of earlier ones is spread over it. Before more would be alive than at
 * the stretch's higher end, blocks that end in it anyway end earlier, and what still does not fit
 * is made later. A block that a move makes takes the place of one that a move ends, of about the
 * size that it had. Leaves out small moves, alignment and other threads' frees: all else is made by
 * malloc and freed by its maker.
 */
#define _GNU_SOURCE
#include "harness/trace/fit_thread.h"

#include "harness/trace/flat_writer.h"
#include "workloads/draw.h"
#include "workloads/flat_trace.h"

#include <errno.h>
#include <stdlib.h>

enum {
    MOVE_TRIES = 16, /* of blocks that moves make, for one that can be made now */
};

/* --- How many of each kind are still to be made. --- */

/* Kinds by size, and sums over ranges of them (Fenwick, 1994): a draw takes log2(count) steps. */
struct cards {
    const struct fit_kind *kinds;
    size_t count;
    size_t largest; /* of the kinds that are left, the index plus one */
    uint64_t left;
    uint64_t *sums; /* from 1 */
};

/* Those of the first `count` kinds. */
static uint64_t sum_cards(const struct cards *cards, size_t count)
{
    uint64_t sum = 0;

    for (; count > 0; count &= count - 1)
        sum += cards->sums[count];
    return sum;
}

static void lay_cards(struct cards *cards)
{
    cards->left = 0;
    cards->largest = cards->count;
    for (size_t i = 1; i <= cards->count; i++)
        cards->sums[i] = 0;
    for (size_t i = 1; i <= cards->count; i++) {
        const size_t above = i + (i & -i);
        cards->sums[i] += cards->kinds[i - 1].count;
        cards->left += cards->kinds[i - 1].count;
        if (above <= cards->count)
            cards->sums[above] += cards->sums[i];
    }
}

/* The kind of the card with `rank` others before it: its index. */
static size_t find_card(const struct cards *cards, uint64_t rank)
{
    size_t at = 0, step = 1;

    while (2 * step <= cards->count)
        step *= 2;
    for (; step > 0; step /= 2) {
        if (at + step <= cards->count && cards->sums[at + step] <= rank) {
            at += step;
            rank -= cards->sums[at];
        }
    }
    return at;
}

/* A card of that kind is gone. */
static const struct fit_kind *take_card(struct cards *cards, size_t kind)
{
    for (size_t i = kind + 1; i <= cards->count; i += i & -i)
        cards->sums[i]--;
    cards->left--;
    return &cards->kinds[kind];
}

static const struct fit_kind *take_rank(struct cards *cards, uint64_t rank)
{
    return take_card(cards, find_card(cards, rank));
}

/* How many cards are of at most that size. */
static uint64_t count_within(const struct cards *cards, uint64_t bytes)
{
    size_t low = 0, high = cards->count;

    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (cards->kinds[middle].bytes <= bytes)
            low = middle + 1;
        else
            high = middle;
    }
    return sum_cards(cards, low);
}

static uint64_t largest_bytes(struct cards *cards)
{
    while (cards->largest > 0 && sum_cards(cards, cards->largest - 1) == cards->left)
        cards->largest--;
    return cards->largest ? cards->kinds[cards->largest - 1].bytes : 0;
}

/* --- What is alive. --- */

/* A block that ends in the stretch in which it was made, before that of its blocks. */
struct passing {
    uint64_t due;
    uint32_t slot;
};

/* How far a stretch is made. */
struct place {
    uint64_t made, blocks;
};

/* Blocks from earlier stretches that end in this one. */
struct doomed {
    uint32_t *slots;       /* by size */
    uint32_t *order;       /* of indices into these, drawn */
    uint32_t *next;        /* by index: towards the least one from there that has not ended */
    uint32_t largest;      /* no larger one has not ended */
    size_t count, ordered; /* how far `order` was gone through */
    size_t ended;
    uint64_t bytes; /* of those that have not ended */
};

/* Blocks that a move is to end in this stretch, by the class of their size. */
struct sources {
    uint32_t first[FIT_SIZE_CLASSES]; /* a slot plus one, and on by making.next; 0: none */
    uint64_t bytes;
    size_t count;
    int is_begun; /* one of them was made in this stretch */
};

struct making {
    const struct fit_thread *thread;
    uint64_t random, put, operations, ends;
    uint64_t *words;
    uint64_t *bytes;                     /* by slot */
    uint32_t *next;                      /* by slot: of those that end in the same stretch; 0 */
    uint32_t ends_in[FIT_STRETCHES + 1]; /* by stretch: the first slot plus one; 0: none */
    uint32_t *free_slots;                /* a stack */
    uint64_t free_count, slots;
    struct passing *passing; /* a heap, the next to end on top */
    size_t passing_count;
    uint64_t passing_bytes;
    struct doomed doomed;
    uint8_t *is_moved; /* by slot: a move is to end it */
    struct sources sources;
    struct cards cards[FIT_SORTS];
    uint64_t *sums;                   /* of all of these */
    uint64_t live_bytes, limit_bytes; /* of this stretch */
};

static void end_slot(struct making *making, uint32_t slot)
{
    making->words[making->put++] = flat_word(FLAT_FREE, 0, slot, 0);
    making->operations++;
    making->ends++;
    making->free_slots[making->free_count++] = slot;
    making->live_bytes -= making->bytes[slot];
}

/* --- Blocks that moves end. --- */

static void add_source(struct making *making, uint32_t slot)
{
    uint32_t *first = &making->sources.first[fit_size_class(making->bytes[slot])];

    making->next[slot] = *first;
    *first = slot + 1;
    making->sources.bytes += making->bytes[slot];
    making->sources.count++;
}

/* Of those of the class, of which there is one. */
static uint32_t take_source(struct making *making, unsigned size_class)
{
    const uint32_t slot = making->sources.first[size_class] - 1;

    making->sources.first[size_class] = making->next[slot];
    making->sources.bytes -= making->bytes[slot];
    making->sources.count--;
    making->sources.is_begun = 0;
    return slot;
}

/* The largest, by a free: its move is not to come. */
static void end_source(struct making *making)
{
    unsigned size_class = FIT_SIZE_CLASSES - 1;

    while (!making->sources.first[size_class])
        size_class--;
    end_slot(making, take_source(making, size_class));
}

/* --- Blocks that end in their own stretch. --- */

static void add_passing(struct making *making, uint64_t due, uint32_t slot)
{
    struct passing *heap = making->passing;
    size_t at = making->passing_count++;

    for (; at > 0 && heap[(at - 1) / 2].due > due; at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = (struct passing){due, slot};
    making->passing_bytes += making->bytes[slot];
}

static void end_soonest(struct making *making)
{
    struct passing *heap = making->passing;
    const uint32_t slot = heap[0].slot;
    const struct passing last = heap[--making->passing_count];
    size_t at = 0;

    for (size_t below = 1; below < making->passing_count; below = 2 * at + 1) {
        if (below + 1 < making->passing_count && heap[below + 1].due < heap[below].due)
            below++;
        if (heap[below].due >= last.due)
            break;
        heap[at] = heap[below];
        at = below;
    }
    heap[at] = last;
    making->passing_bytes -= making->bytes[slot];
    end_slot(making, slot);
}

/* The least of a class, and the least of the next one: trace_fit.c has them. */
static uint64_t life_least(unsigned class_of)
{
    if (class_of < FIT_LIFE_STEPS)
        return class_of;
    const unsigned bits = class_of / FIT_LIFE_STEPS + 1;
    return (uint64_t)(FIT_LIFE_STEPS + class_of % FIT_LIFE_STEPS) << (bits - 2);
}

/* Somewhere in its class, but before the last of the stretch's blocks is made. */
static uint64_t draw_due(struct making *making, const struct fit_kind *kind,
                         const struct place *place)
{
    const uint64_t least = life_least(kind->life);
    const uint64_t width = life_least(kind->life + 1) - least;
    const uint64_t due =
        place->made + 1 + least + (width > 1 ? random_next(&making->random) % width : 0);

    return due < place->blocks ? due : place->blocks - 1;
}

/* --- Blocks from earlier stretches. --- */

static int by_bytes(const void *a, const void *b, void *context)
{
    const struct making *making = context;
    const uint64_t left = making->bytes[*(const uint32_t *)a],
                   right = making->bytes[*(const uint32_t *)b];

    return left < right ? -1 : left > right;
}

static void find_doomed(struct making *making, uint32_t stretch)
{
    struct doomed *doomed = &making->doomed;

    doomed->count = doomed->ordered = doomed->ended = 0;
    doomed->bytes = 0;
    for (uint32_t slot = making->ends_in[stretch], next; slot; slot = next) {
        next = making->next[slot - 1];
        if (making->is_moved[slot - 1]) {
            add_source(making, slot - 1);
            continue;
        }
        doomed->slots[doomed->count++] = slot - 1;
        doomed->bytes += making->bytes[slot - 1];
    }
    qsort_r(doomed->slots, doomed->count, sizeof *doomed->slots, by_bytes, making);
    for (size_t i = 0; i < doomed->count; i++) {
        const size_t other = draw_below(&making->random, i + 1);
        doomed->next[i] = (uint32_t)i;
        doomed->order[i] = doomed->order[other];
        doomed->order[other] = (uint32_t)i;
    }
    doomed->next[doomed->count] = (uint32_t)doomed->count;
    doomed->largest = doomed->count ? (uint32_t)doomed->count - 1 : 0;
}

static uint32_t next_doomed(const struct doomed *doomed, uint32_t at)
{
    while (doomed->next[at] != at) {
        doomed->next[at] = doomed->next[doomed->next[at]];
        at = doomed->next[at];
    }
    return at;
}

static void end_doomed(struct making *making, uint32_t at)
{
    struct doomed *doomed = &making->doomed;

    doomed->next[at] = at + 1;
    doomed->ended++;
    doomed->bytes -= making->bytes[doomed->slots[at]];
    end_slot(making, doomed->slots[at]);
}

/* Any of them, until so many have ended. */
static void end_until(struct making *making, size_t ended)
{
    struct doomed *doomed = &making->doomed;

    while (doomed->ended < ended) {
        const uint32_t at = doomed->order[doomed->ordered++];
        if (doomed->next[at] == at)
            end_doomed(making, at);
    }
}

/* Of those that have not ended, of which there is one. */
static uint32_t largest_doomed(struct doomed *doomed)
{
    while (doomed->next[doomed->largest] != doomed->largest)
        doomed->largest--;
    return doomed->largest;
}

/* So that there is room for a block: the smallest that is large enough, as a vector that has grown
 * takes the place of the one before; else the largest, and so on. */
static void make_room(struct making *making, uint64_t bytes)
{
    struct doomed *doomed = &making->doomed;

    while (making->live_bytes + bytes > making->limit_bytes && doomed->ended < doomed->count) {
        const uint64_t missing = making->live_bytes + bytes - making->limit_bytes;
        size_t low = 0, high = doomed->count;
        while (low < high) {
            const size_t middle = (low + high) / 2;
            if (making->bytes[doomed->slots[middle]] < missing)
                low = middle + 1;
            else
                high = middle;
        }
        const uint32_t at = next_doomed(doomed, (uint32_t)low);
        end_doomed(making, at < doomed->count ? at : largest_doomed(doomed));
    }
}

/* --- Stretches. --- */

static uint64_t less(uint64_t number, uint64_t other)
{
    return number > other ? number - other : 0;
}

/* What a block may have that outlives the stretch, if there is to be room for the largest of those
 * that do not, once all that can have ended has. */
static uint64_t room_to_stay(struct making *making)
{
    struct cards *passes = &making->cards[FIT_PASSES], *moves = &making->cards[FIT_MOVES_PASS];
    const uint64_t stands =
        making->live_bytes - making->passing_bytes - making->doomed.bytes - making->sources.bytes;
    const uint64_t pass_bytes = largest_bytes(passes), move_bytes = largest_bytes(moves);

    return passes->left + moves->left > 0
               ? less(making->limit_bytes,
                      stands + (pass_bytes > move_bytes ? pass_bytes : move_bytes))
               : UINT64_MAX;
}

/* The next block of malloc's: any of those for which there is room now, or once what is doomed has
 * ended. NULL where there is none. */
static const struct fit_kind *draw_kind(struct making *making)
{
    struct cards *pass = &making->cards[FIT_PASSES], *stay = &making->cards[FIT_STAYS];
    const uint64_t room = less(making->limit_bytes, making->live_bytes - making->doomed.bytes);
    const uint64_t to_stay = room_to_stay(making);
    const uint64_t passes = count_within(pass, room);
    const uint64_t stays = count_within(stay, room < to_stay ? room : to_stay);

    if (passes + stays == 0)
        return NULL;
    const uint64_t rank = draw_below(&making->random, passes + stays);
    return rank < passes ? take_rank(pass, rank) : take_rank(stay, rank - passes);
}

/* A block is there: when it is to end. */
static void place_end(struct making *making, const struct fit_kind *kind, uint32_t slot,
                      const struct place *place)
{
    making->bytes[slot] = kind->bytes;
    making->is_moved[slot] = (uint8_t)kind->is_moved;
    making->live_bytes += kind->bytes;
    making->operations++;
    if (kind->end == kind->stretch && kind->is_moved) {
        add_source(making, slot);
        making->sources.is_begun = 1;
    } else if (kind->end == kind->stretch) {
        add_passing(making, draw_due(making, kind, place), slot);
    } else if (kind->end != FIT_NEVER) {
        making->next[slot] = making->ends_in[kind->end];
        making->ends_in[kind->end] = slot + 1;
    }
}

static void put_made(struct making *making, const struct fit_kind *kind, uint32_t slot)
{
    making->put += flat_writer_put_sized(making->words + making->put,
                                         flat_word(FLAT_MALLOC, 0, slot, 0), kind->bytes);
}

static void make_block(struct making *making, const struct fit_kind *kind,
                       const struct place *place)
{
    make_room(making, kind->bytes);
    const uint32_t slot = making->free_count > 0 ? making->free_slots[--making->free_count]
                                                 : (uint32_t)making->slots++;
    put_made(making, kind, slot);
    place_end(making, kind, slot, place);
}

static uint64_t count_moves(const struct making *making)
{
    return making->cards[FIT_MOVES_PASS].left + making->cards[FIT_MOVES_STAY].left;
}

/* Any of the blocks that moves make, where there is one to be moved, and room. Returns whether. */
static int move_block(struct making *making, const struct place *place)
{
    if (count_moves(making) == 0)
        return 0;
    const uint64_t rank = draw_below(&making->random, count_moves(making)),
                   passes = making->cards[FIT_MOVES_PASS].left;
    struct cards *cards = &making->cards[rank < passes ? FIT_MOVES_PASS : FIT_MOVES_STAY];
    const size_t card = find_card(cards, rank < passes ? rank : rank - passes);
    const struct fit_kind *kind = &cards->kinds[card];
    const uint32_t source = making->sources.first[kind->from - 1];
    const uint64_t before = source ? making->bytes[source - 1] : 0;

    if (!source ||
        making->live_bytes - making->doomed.bytes - before + kind->bytes > making->limit_bytes ||
        (rank >= passes && kind->bytes > room_to_stay(making)))
        return 0;
    const uint32_t slot = take_source(making, kind->from - 1);
    (void)take_card(cards, card);
    if (kind->bytes > before)
        make_room(making, kind->bytes - before);
    making->words[making->put++] = flat_word(FLAT_REALLOC, 0, slot, 0);
    making->ends++;
    making->live_bytes -= before;
    put_made(making, kind, slot);
    place_end(making, kind, slot, place);
    return 1;
}

static int move_any(struct making *making, const struct place *place)
{
    for (int i = 0; i < MOVE_TRIES; i++)
        if (move_block(making, place))
            return 1;
    return 0;
}

/* The least of what is left, wherever that leads: no trace comes to this. */
static void force_block(struct making *making, const struct place *place)
{
    struct cards *cards = making->cards;

    while (cards->left == 0)
        cards++;
    make_block(making, take_rank(cards, 0), place);
}

static void make_next(struct making *making, const struct place *place)
{
    uint64_t left = 0;

    for (size_t i = 0; i < FIT_SORTS; i++)
        left += making->cards[i].left;
    /* A vector that grows goes on, before there are more of them than there were at once. */
    if ((making->sources.is_begun || draw_below(&making->random, left) < count_moves(making)) &&
        move_any(making, place))
        return;
    for (;;) {
        const struct fit_kind *kind = draw_kind(making);
        if (kind) {
            make_block(making, kind, place);
            return;
        }
        if (move_any(making, place))
            return;
        if (making->passing_count > 0) {
            end_soonest(making);
        } else if (making->sources.count > 0) {
            end_source(making);
        } else {
            force_block(making, place);
            return;
        }
    }
}

/* Those of the kinds from `*at` on that are of this stretch, and of one sort. */
static void lay_sort(struct making *making, uint32_t stretch, enum fit_sort sort, size_t *at)
{
    const struct fit_thread *thread = making->thread;
    const size_t first = *at;

    while (*at < thread->count && thread->kinds[*at].stretch == stretch &&
           fit_kind_sort(&thread->kinds[*at]) == sort)
        ++*at;
    making->cards[sort] = (struct cards){.kinds = thread->kinds + first,
                                         .count = *at - first,
                                         .sums = making->sums + first + (size_t)sort};
    lay_cards(&making->cards[sort]);
}

/* Returns how many blocks the stretch has. */
static uint64_t lay_stretch(struct making *making, uint32_t stretch, size_t *at)
{
    uint64_t blocks = 0;

    for (int sort = 0; sort < FIT_SORTS; sort++) {
        lay_sort(making, stretch, (enum fit_sort)sort, at);
        blocks += making->cards[sort].left;
    }
    return blocks;
}

static uint64_t sum_cards_bytes(const struct cards *cards)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < cards->count; i++)
        bytes += cards->kinds[i].bytes * cards->kinds[i].count;
    return bytes;
}

/* What is alive at the stretch's end, all of it done, and at its beginning: the larger of the two.
 */
static uint64_t find_limit(const struct making *making)
{
    const uint64_t after = making->live_bytes - making->doomed.bytes - making->sources.bytes +
                           sum_cards_bytes(&making->cards[FIT_STAYS]) +
                           sum_cards_bytes(&making->cards[FIT_MOVES_STAY]);

    return after > making->live_bytes ? after : making->live_bytes;
}

/* One that stays, as in each trace, of the class of sizes that the fit has for it; any that stays,
 * where a move made that. */
static const struct fit_kind *choose_last(struct making *making, uint32_t stretch)
{
    struct cards *stays = &making->cards[FIT_STAYS];
    const unsigned size_class = making->thread->last[stretch];
    size_t kind = 0;

    if (stays->left == 0)
        return NULL;
    while (kind < stays->count && fit_size_class(stays->kinds[kind].bytes) != size_class)
        kind++;
    return kind < stays->count ? take_card(stays, kind)
                               : take_rank(stays, draw_below(&making->random, stays->left));
}

/* With its last block the stretch comes to its end's level. */
static void make_stretch(struct making *making, uint32_t stretch, uint64_t blocks)
{
    struct place place = {.blocks = blocks};
    const struct fit_kind *last = choose_last(making, stretch);

    for (; place.made < blocks; place.made++) {
        while (making->passing_count > 0 && making->passing[0].due <= place.made)
            end_soonest(making);
        end_until(making, (size_t)(making->doomed.count * (place.made + 1) / blocks));
        if (last && place.made + 1 == blocks)
            make_block(making, last, &place);
        else
            make_next(making, &place);
    }
    while (making->passing_count > 0)
        end_soonest(making);
}

static void make_stretches(struct making *making)
{
    const struct fit_thread *thread = making->thread;
    size_t at = 0;

    for (uint32_t stretch = 0; stretch <= thread->stretches; stretch++) {
        find_doomed(making, stretch);
        const uint64_t blocks = lay_stretch(making, stretch, &at);
        if (blocks > 0) {
            making->limit_bytes = find_limit(making);
            make_stretch(making, stretch, blocks);
        }
        end_until(making, making->doomed.count);
        while (making->sources.count > 0)
            end_source(making);
    }
}

/* --- All of it. --- */

enum fit_sort fit_kind_sort(const struct fit_kind *kind)
{
    if (kind->end == kind->stretch)
        return kind->from > 0 ? FIT_MOVES_PASS : FIT_PASSES;
    return kind->from > 0 ? FIT_MOVES_STAY : FIT_STAYS;
}

int fit_kind_order(const void *a, const void *b)
{
    const struct fit_kind *left = a, *right = b;
    const enum fit_sort left_sort = fit_kind_sort(left), right_sort = fit_kind_sort(right);

    if (left->stretch != right->stretch)
        return left->stretch < right->stretch ? -1 : 1;
    if (left_sort != right_sort)
        return left_sort < right_sort ? -1 : 1;
    if (left->bytes != right->bytes)
        return left->bytes < right->bytes ? -1 : 1;
    if (left->end != right->end)
        return left->end < right->end ? -1 : 1;
    return left->life < right->life ? -1 : left->life > right->life;
}

uint64_t fit_thread_memory(const struct fit_thread *thread)
{
    const struct making *none = NULL;
    const uint64_t slot_bytes = sizeof *none->bytes + sizeof *none->next +
                                sizeof *none->free_slots + sizeof *none->passing +
                                sizeof *none->doomed.slots + sizeof *none->doomed.order +
                                sizeof *none->doomed.next + sizeof *none->is_moved;

    return (thread->most_slots + 1) * slot_bytes + (thread->count + FIT_SORTS) * sizeof *none->sums;
}

static int make_arrays(struct making *making)
{
    const size_t slots = (size_t)making->thread->most_slots + 1;

    making->bytes = malloc(slots * sizeof *making->bytes);
    making->next = malloc(slots * sizeof *making->next);
    making->free_slots = malloc(slots * sizeof *making->free_slots);
    making->passing = malloc(slots * sizeof *making->passing);
    making->doomed.slots = malloc(slots * sizeof *making->doomed.slots);
    making->doomed.order = malloc(slots * sizeof *making->doomed.order);
    making->doomed.next = malloc(slots * sizeof *making->doomed.next);
    making->is_moved = malloc(slots * sizeof *making->is_moved);
    making->sums = malloc((making->thread->count + FIT_SORTS) * sizeof *making->sums);
    return making->bytes && making->next && making->free_slots && making->passing &&
                   making->doomed.slots && making->doomed.order && making->doomed.next &&
                   making->is_moved && making->sums
               ? 0
               : -ENOMEM;
}

int fit_thread_make(const struct fit_thread *thread, uint64_t seed, uint64_t *words,
                    struct fit_made *made)
{
    struct making making = {.thread = thread, .random = seed, .words = words};
    const int error = make_arrays(&making);

    if (!error)
        make_stretches(&making);
    *made = (struct fit_made){.words = making.put,
                              .slots = making.slots,
                              .operations = making.operations,
                              .ends = making.ends};
    free(making.bytes);
    free(making.next);
    free(making.free_slots);
    free(making.passing);
    free(making.doomed.slots);
    free(making.doomed.order);
    free(making.doomed.next);
    free(making.is_moved);
    free(making.sums);
    return error;
}
