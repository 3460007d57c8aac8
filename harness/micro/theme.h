/*
 * A theme of the micro suite: benchmarks of one kind, which it registers with Google Benchmark
 * under THEME/NAME:VALUE/... Leaves out what a theme is called in words (harness/micro_words.h) and
 * which row it runs on (harness/micro/micro.c).
 */
#ifndef TIDEMARK_HARNESS_MICRO_THEME_H
#define TIDEMARK_HARNESS_MICRO_THEME_H

#include "allocators/allocator.h"
#include "harness/gbench_shim.h"

#define MICRO_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* What the registered functions run on: static storage, since they use it until the end. */
struct micro_row {
    struct allocator_ops ops;
    /*
     * 0 on `null`, whose every block is the same slot: there each thread writes a word of its own,
     * since otherwise the row would measure how the slot's cache line moves between them.
     */
    bool is_distinct;
    bool counts_memory; /* rss_bytes and peak_bytes among the counters */
};

/* Which of its benchmarks a theme registers: those that a minute has room for, or every one. */
enum micro_set { MICRO_USUAL, MICRO_EVERY };

struct micro_theme {
    const char *name;
    unsigned needs;       /* of enum allocator_capability */
    int least_processors; /* 1 where a single one will do */
    /* Registers; the functions get `row` or something that holds it. Returns 0 or a negative errno.
     */
    int (*add)(const struct micro_row *row, enum micro_set set);
};

extern const struct micro_theme micro_pair, micro_aligned, micro_calloc, micro_realloc_grow,
    micro_batch, micro_threads, micro_remote, micro_region;

/* What `tidemark overhead` takes apart: `loop`, `direct` and `pair` at 64 bytes, of a row that is
 * `null`. Returns 0 or a negative errno. */
int micro_add_dispatch(const struct micro_row *row);

/* Sizes or alignments: those of the usual set, and the powers of `multiplier` for the whole. */
struct micro_values {
    const int64_t *usual;
    size_t usual_count;
    int64_t low, high;
    int multiplier;
};

/* Registers `function` under `name`, with `data`, which it does not change. Returns 0 or -ENOMEM.
 */
int micro_add(const char *name, tidemark_gbench_function *function, const void *data);

/*
 * Registers `function` with one argument, `size`. Returns 0 or a negative errno; `registration`
 * gets the benchmark, for what else is to be said of it, unless it is NULL.
 */
int micro_add_sizes(const char *name, tidemark_gbench_function *function, const void *data,
                    const struct micro_values *sizes, enum micro_set set,
                    struct tidemark_gbench_registration **registration);

struct micro_arguments {
    int64_t values[2];
};

/* The same with two arguments, called as `names` says; `pairs` are the sets. */
int micro_add_pairs(const char *name, tidemark_gbench_function *function, const void *data,
                    const char *const names[2], const struct micro_arguments *pairs, size_t count);

/* The processors that this process may run on. */
int micro_processors(void);

/* Ends the benchmark as failed, and the program with status 1 once the others have run. */
void micro_fail(struct tidemark_gbench_state *state, const char *reason);

/* How many benchmarks have failed so far. */
int micro_failures(void);

/*
 * Every block is written, as a program would: the first word, since its header and its line are
 * what a free touches next.
 */
static inline void micro_write_word(void *block, int64_t word)
{
    *(int64_t *)block = word;
    tidemark_gbench_do_not_optimize(block);
}

#endif
