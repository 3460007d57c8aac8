/*
 * From frame to frame, until one is met that is remembered: see stack_walk.h. What lies outward of
 * a frame follows from its registers and from the words that return addresses and frame pointers
 * are saved in: where those are as they were, so is all of it. Leaves out other processors than
 * x86-64. What is remembered is mapped at a thread's first stack and given back at its end: the
 * variables of a preloaded library's threads would be taken from their stacks.
 */
#define _GNU_SOURCE
#include "harness/sites/stack_walk.h"

#include "harness/sites/capture.h"
#include "harness/sites/own_memory.h"
#include "harness/sites/rule_table.h"
#include "harness/sites/stack_bounds.h"

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
enum { HAS_RULES = 1 };
#else
enum { HAS_RULES = 0 };
#endif

/* The stack is read word by word, whatever a sanitizer thinks that a word belongs to. */
#ifdef TIDEMARK_SANITIZED
#define READS_STACKS __attribute__((no_sanitize("address", "thread")))
#else
#define READS_STACKS
#endif
/* What it works on stays in registers: a struct that is stored by words and loaded by pairs of them
 * costs more than a look-up. */
#define INLINE static inline __attribute__((always_inline))

enum {
    LEAST_CODE = 0x4000, /* what is below is no return address */
    MAPS_BYTES = 4096,
};

/* A frame that a call returns into, with the registers that it will find then. */
struct frame {
    uintptr_t pc, sp, bp;
    /* Where bp was saved by the function that returns here; its own place above where it was not.
     */
    const uintptr_t *saved_bp;
    uint32_t node; /* with all outward of it */
};

/*
 * A stack as a whole, known by its innermost frames, with the words that it follows from: two at
 * once where a function begins with `push %rbp`, as most do that save it. What has more of them is
 * not known as a whole.
 */
enum {
    KNOWN_STACKS = 256,
    KNOWN_PAIRS = 40,
    KNOWN_WORDS = 40,
    KNOWN_BY = 2,
    /* Of the innermost frames, just pushed word by word: no processor forwards two stores to one
       load. */
    FRAMES_BY_WORDS = 4,
    AT_ONCE = 4, /* words, or pairs, without a branch; those that are missing are zeros of ours */
};

typedef uint64_t pair_of_words __attribute__((vector_size(16), aligned(8), may_alias));

struct known_stack {
    uintptr_t pc, sp, bp;            /* of its innermost frame */
    uint32_t node;                   /* 0: none is known here */
    uint32_t pair_count, word_count; /* multiples of AT_ONCE */
    const pair_of_words *pairs[KNOWN_PAIRS];
    pair_of_words pair_values[KNOWN_PAIRS];
    const uintptr_t *words[KNOWN_WORDS];
    uintptr_t word_values[KNOWN_WORDS];
};

/* Of a thread. */
struct walker {
    const struct stack_tree *tree;
    uint32_t generation; /* of the rules */
    uint32_t depth;      /* of `last`; 0: nothing is remembered */
    int is_whole;        /* it ends where the stack does; else it was cut */
    struct stack_bounds bounds;
    struct frame last[STACK_MOST_FRAMES];  /* outermost first */
    struct frame fresh[STACK_MOST_FRAMES]; /* innermost first */
    struct known_stack known[KNOWN_STACKS];
    char maps[MAPS_BYTES];
};

static struct rule_table rules;
static pthread_key_t at_thread_end;
static int is_ready;
/* The loader, which asks for memory whenever it loads a file, and how often it unloaded one. */
static uintptr_t loader_begin, loader_bytes;
static _Atomic unsigned long long unloaded;
static _Thread_local struct walker *own;

/* --- What was unloaded. --- */

static int take_unloaded(struct dl_phdr_info *info, size_t bytes, void *argument)
{
    unsigned long long *count = argument;

    if (bytes >= offsetof(struct dl_phdr_info, dlpi_subs) + sizeof info->dlpi_subs)
        *count = info->dlpi_subs;
    return 1;
}

/* Another file may come to where one was: not before the loader has asked for its record of it. */
static void meet_loader(void)
{
    unsigned long long now = 0;

    (void)dl_iterate_phdr(take_unloaded, &now);
    if (atomic_exchange(&unloaded, now) != now)
        rule_table_forget(&rules);
}

static int take_loader(struct dl_phdr_info *info, size_t bytes, void *argument)
{
    const uintptr_t *base = argument;

    (void)bytes;
    for (size_t i = 0; i < info->dlpi_phnum && info->dlpi_addr == *base; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
            continue;
        loader_begin = info->dlpi_addr + segment->p_vaddr;
        loader_bytes = segment->p_memsz;
        return 1;
    }
    return 0;
}

/* --- Beginning and end. --- */

static void give_back(void *walker)
{
    own = NULL;
    own_memory_unmap(walker, sizeof(struct walker));
}

void stack_walk_init(void)
{
    const char *asked = getenv(STACK_WALK_VARIABLE);
    uintptr_t base = (uintptr_t)_r_debug.r_ldbase;

    capture_init();
    if (!HAS_RULES || (asked && strcmp(asked, "libunwind") == 0) ||
        dl_iterate_phdr(take_loader, &base) != 1)
        return;
    meet_loader();
    if (rule_table_init(&rules) == 0)
        is_ready = pthread_key_create(&at_thread_end, give_back) == 0;
}

__attribute__((noinline)) static struct walker *new_walker(void)
{
    struct walker *walker = is_ready ? own_memory_map(sizeof *walker) : NULL;

    if (walker && pthread_setspecific(at_thread_end, walker) != 0) {
        own_memory_unmap(walker, sizeof *walker);
        return NULL;
    }
    own = walker;
    return walker;
}

/* --- Steps. --- */

READS_STACKS INLINE uintptr_t word_at(uintptr_t address)
{
    return *(const uintptr_t *)address;
}

enum step { STEPPED, ENDED, REFUSED };

/* To the frame of its caller. */
READS_STACKS INLINE enum step step(struct frame *frame, uintptr_t stack_end)
{
    const struct frame_rule rule = rule_table_find(&rules, frame->pc);

    if (rule.kind == FRAME_OUTERMOST)
        return ENDED;
    if (rule.kind == FRAME_OTHER)
        return REFUSED;
    const uintptr_t from = rule.kind == FRAME_FROM_SP ? frame->sp : frame->bp;
    const uintptr_t end = from + (uintptr_t)rule.end_offset;
    const uintptr_t saved = end + (uintptr_t)rule.bp_saved_offset;
    if (end <= frame->sp || end > stack_end || end % sizeof(uintptr_t) != 0 || saved < frame->sp)
        return REFUSED;
    frame->pc = word_at(end - sizeof(uintptr_t));
    frame->sp = end;
    frame->saved_bp = NULL;
    if (rule.bp_saved_offset != 0) {
        frame->saved_bp = (const uintptr_t *)saved;
        frame->bp = word_at(saved);
    }
    return frame->pc < LEAST_CODE ? REFUSED : STEPPED;
}

INLINE int is_same(const struct frame *one, const struct frame *other)
{
    return one->sp == other->sp && one->pc == other->pc && one->bp == other->bp;
}

/* Of the remembered frames below `count`, those outward of the last one: returns 0 when all that
 * they follow from is as it was, else how many there are with the outermost one that is another. */
READS_STACKS INLINE uint32_t find_changed(const struct walker *walker, uint32_t count)
{
    for (uint32_t i = count - 1; i-- > 0;) {
        const struct frame *frame = &walker->last[i];
        if (word_at(frame->sp - sizeof(uintptr_t)) != frame->pc || *frame->saved_bp != frame->bp)
            return i + 1;
    }
    return 0;
}

/* --- Stacks that are known as a whole. --- */

/* Where the stack would be known that begins so; NULL for one that has less frames. */
READS_STACKS INLINE struct known_stack *known_place(struct walker *walker, const struct frame *from)
{
    struct frame at = *from;
    uint64_t mixed = from->pc ^ from->sp << 16;

    for (int i = 0; i < KNOWN_BY; i++) {
        if (step(&at, walker->bounds.end) != STEPPED)
            return NULL;
        mixed = (mixed ^ at.pc) * UINT64_C(0x9E3779B97F4A7C15);
    }
    return &walker->known[(mixed >> 32) % KNOWN_STACKS];
}

READS_STACKS INLINE int is_known(const struct known_stack *known, const struct frame *from)
{
    pair_of_words differ = {0, 0};
    uintptr_t differs = 0;

    if (known->node == 0 || known->sp != from->sp || known->pc != from->pc || known->bp != from->bp)
        return 0;
    for (uint32_t i = 0; i < known->word_count; i += AT_ONCE)
        for (uint32_t j = i; j < i + AT_ONCE; j++)
            differs |= *known->words[j] ^ known->word_values[j];
    for (uint32_t i = 0; i < known->pair_count; i += AT_ONCE)
        for (uint32_t j = i; j < i + AT_ONCE; j++)
            differ |= *known->pairs[j] ^ known->pair_values[j];
    return (differ[0] | differ[1] | differs) == 0;
}

static void expect_word(struct known_stack *known, const uintptr_t *place, uintptr_t value)
{
    known->words[known->word_count] = place;
    known->word_values[known->word_count++] = value;
}

/* Of a frame that was stepped to. */
static void expect_frame(struct known_stack *known, const struct frame *frame, int by_pair)
{
    const uintptr_t *top = (const uintptr_t *)frame->sp;

    if (by_pair && frame->saved_bp == top - 2) {
        known->pairs[known->pair_count] = (const pair_of_words *)(top - 2);
        known->pair_values[known->pair_count++] = (pair_of_words){frame->bp, frame->pc};
        return;
    }
    expect_word(known, top - 1, frame->pc);
    if (frame->saved_bp != &frame->bp)
        expect_word(known, frame->saved_bp, frame->bp);
}

static void fill_up(struct known_stack *known)
{
    static const uintptr_t zeros[2];

    while (known->word_count % AT_ONCE != 0)
        expect_word(known, zeros, 0);
    for (; known->pair_count % AT_ONCE != 0; known->pair_count++) {
        known->pairs[known->pair_count] = (const pair_of_words *)zeros;
        known->pair_values[known->pair_count] = (pair_of_words){0, 0};
    }
}

/* The stack that was remembered last, of node `node`. */
static void know(struct known_stack *known, const struct walker *walker, uint32_t node)
{
    const struct frame *innermost = &walker->last[walker->depth - 1];

    known->node = 0;
    known->pair_count = known->word_count = 0;
    for (uint32_t i = walker->depth - 1; i-- > 0;) {
        if (known->pair_count == KNOWN_PAIRS || known->word_count + 2 > KNOWN_WORDS)
            return;
        expect_frame(known, &walker->last[i], walker->depth - 1 - i > FRAMES_BY_WORDS);
    }
    fill_up(known);
    known->pc = innermost->pc;
    known->sp = innermost->sp;
    known->bp = innermost->bp;
    known->node = node;
}

static void forget(struct walker *walker, const struct stack_tree *tree, uint32_t generation)
{
    walker->tree = tree;
    walker->generation = generation;
    walker->depth = 0;
    for (int i = 0; i < KNOWN_STACKS; i++)
        walker->known[i].node = 0;
}

/* --- Climbing. --- */

struct climb {
    uint32_t kept;  /* of the remembered frames, the outer ones */
    uint32_t fresh; /* inward of them */
    int is_whole;
};

/* With `left` remembered frames that may be met. Returns 0 or -ENOTSUP. */
READS_STACKS INLINE int climb(struct walker *walker, const struct frame *from, uint32_t left,
                              struct climb *climb)
{
    struct frame at = *from;
    uint32_t fresh = 0;

    for (;;) {
        while (left > 0 && walker->last[left - 1].sp < at.sp)
            left--;
        struct frame *met = left > 0 ? &walker->last[left - 1] : NULL;
        if (met && is_same(met, &at)) {
            const uint32_t changed = find_changed(walker, left);
            if (changed == 0) {
                met->saved_bp = at.saved_bp ? at.saved_bp : &met->bp;
                *climb = (struct climb){left, fresh, walker->is_whole};
                return 0;
            }
            left = changed;
        }
        if (fresh == STACK_MOST_FRAMES) {
            *climb = (struct climb){0, fresh, 0};
            return 0;
        }
        walker->fresh[fresh++] = at;
        const enum step how = step(&at, walker->bounds.end);
        if (how == REFUSED)
            return -ENOTSUP;
        if (how == ENDED) {
            *climb = (struct climb){0, fresh, 1};
            return 0;
        }
    }
}

/* The remembered frames and those that are new, all known to the tree. Returns 0 without memory. */
static inline uint32_t remember(struct walker *walker, struct stack_tree *tree,
                                const struct climb *climb)
{
    uint32_t node = climb->kept ? walker->last[climb->kept - 1].node : 0;
    uint32_t depth = climb->kept;

    for (uint32_t i = climb->fresh; i-- > 0;) {
        struct frame *frame = &walker->last[depth];
        *frame = walker->fresh[i];
        if (!frame->saved_bp)
            frame->saved_bp = &frame->bp;
        node = stack_tree_child(tree, node, frame->pc);
        if (node == 0)
            return 0;
        frame->node = node;
        depth++;
    }
    walker->is_whole = climb->is_whole;
    walker->depth = depth;
    return node;
}

/* Whether what is kept still has its root: a stack that is cut has another one when it is deeper by
 * a frame, or less deep. */
static inline int has_root(const struct walker *walker, const struct climb *climb, uint32_t depth)
{
    if (climb->kept == 0)
        return 1;
    return walker->is_whole ? climb->kept + climb->fresh <= STACK_MOST_FRAMES
                            : climb->kept == depth && climb->fresh == 0;
}

/* By what is remembered of the stack before. Returns 0 or -ENOTSUP. */
__attribute__((noinline)) READS_STACKS static int find_from_last(struct walker *walker,
                                                                 struct stack_tree *tree,
                                                                 const struct frame *from,
                                                                 uint32_t *node)
{
    const uint32_t depth = walker->depth;
    struct climb found;

    walker->depth = 0; /* nothing is, should this not come to its end */
    if (climb(walker, from, depth, &found) != 0)
        return -ENOTSUP;
    if (!has_root(walker, &found, depth) && climb(walker, from, 0, &found) != 0)
        return -ENOTSUP;
    *node = remember(walker, tree, &found);
    return 0;
}

READS_STACKS int stack_walk_try(struct stack_tree *tree, void *caller, const void *frame,
                                uint32_t *node)
{
    /* As x86-64 and AAPCS64 have it: the caller's frame pointer, the return address, its stack. */
    const uintptr_t *record = frame;
    const struct frame from = {
        .pc = (uintptr_t)caller, .sp = (uintptr_t)(record + 2), .bp = record[0], .saved_bp = NULL};
    struct walker *walker = own;

    if (__builtin_expect(!walker, 0)) {
        walker = new_walker();
        if (!walker)
            return -ENOTSUP;
    }
    if (__builtin_expect(from.pc - loader_begin < loader_bytes, 0))
        meet_loader();
    if (__builtin_expect(!stack_bounds_hold(&walker->bounds, from.sp), 0) &&
        !stack_bounds_look(&walker->bounds, from.sp, walker->maps, sizeof walker->maps))
        return -ENOTSUP;
    const uint32_t generation = atomic_load_explicit(&rules.generation, memory_order_acquire);
    if (__builtin_expect(walker->tree != tree || walker->generation != generation, 0))
        forget(walker, tree, generation);
    struct known_stack *known = known_place(walker, &from);
    if (known && __builtin_expect(is_known(known, &from), 1)) {
        *node = known->node;
        return 0;
    }
    const int error = find_from_last(walker, tree, &from, node);
    if (!error && *node && known)
        know(known, walker, *node);
    return error;
}

__attribute__((noinline)) static uint32_t find_by_unwinder(struct stack_tree *tree, void *caller)
{
    uintptr_t frames[STACK_MOST_FRAMES];
    size_t depth = capture_unwind(caller, frames, STACK_MOST_FRAMES);

    if (depth == 0) {
        frames[0] = (uintptr_t)caller;
        depth = 1;
    }
    return stack_tree_find(tree, frames, depth);
}

uint32_t stack_walk_find(struct stack_tree *tree, void *caller, const void *frame)
{
    uint32_t node;

    return stack_walk_try(tree, caller, frame, &node) == 0 ? node : find_by_unwinder(tree, caller);
}
