/*
 * The checks of the allocator contract, as one table: what each asks, what it needs, and its
 * function. Leaves out the process that a check runs in (harness/check_process.h), and what a check
 * may call there (harness/check_run.h). That each is small and named after one promise is
 * hardened_malloc's way (its test/).
 */
#ifndef TIDEMARK_HARNESS_CHECK_H
#define TIDEMARK_HARNESS_CHECK_H

#include <stddef.h>

struct check_run;

struct check {
    const char *name;    /* lower-case letters and '_' */
    const char *summary; /* what is promised, in one line */
    unsigned needs;      /* of enum allocator_capability; all of them */
    /* Why it says nothing in a build with a sanitizer; NULL: it does. */
    const char *not_sanitized;
    /* Returns when the promise is kept, else does not return (check_fail, check_not_available). It
     * may do anything to its process, which is its own. */
    void (*run)(const struct check_run *run);
};

/* Every check, in the order in which they run. Static storage. */
extern const struct check check_table[];
extern const size_t check_table_count;

/* The check of that name, or NULL. Thread-safe. */
const struct check *check_find(const char *name);

enum { CHECK_OBSTACLE_BYTES = 256 };

/*
 * Why the check says nothing of a row with these capabilities in this build: a capability that is
 * missing, or a sanitizer. Writes it to `obstacle` (CHECK_OBSTACLE_BYTES) and returns 1; returns 0
 * when there is none. Thread-safe.
 */
int check_has_obstacle(const struct check *check, unsigned capabilities, char *obstacle);

/* check_providers.c: who serves. */
void check_opens(const struct check_run *run);
void check_functions_agree(const struct check_run *run);
void check_describes_itself(const struct check_run *run);
void check_own_file(const struct check_run *run);
void check_no_other_malloc(const struct check_run *run);
void check_glibc_aside(const struct check_run *run);
void check_large_from_beneath(const struct check_run *run);

/* check_blocks.c: one function at a time. */
void check_alignment(const struct check_run *run);
void check_aligned_alloc(const struct check_run *run);
void check_calloc_zero(const struct check_run *run);
void check_calloc_overflow(const struct check_run *run);
void check_usable_size(const struct check_run *run);
void check_size_zero(const struct check_run *run);
void check_free_null(const struct check_run *run);

/* check_realloc.c */
void check_realloc_content(const struct check_run *run);
void check_realloc_large(const struct check_run *run);
void check_realloc_null(const struct check_run *run);
void check_realloc_failure(const struct check_run *run);

/* check_sequences.c: random calls. */
void check_content(const struct check_run *run);
void check_no_overlap(const struct check_run *run);
void check_purge(const struct check_run *run);
void check_census(const struct check_run *run);

/* check_limits.c: what cannot be served, and memory that has an end. */
void check_huge_sizes(const struct check_run *run);
void check_prints_nothing(const struct check_run *run);
void check_memory_reused(const struct check_run *run);
void check_memory_limit(const struct check_run *run);
void check_memory_limit_small(const struct check_run *run);
void check_region_limit(const struct check_run *run);

/* check_regions.c */
void check_regions(const struct check_run *run);
void check_region_refusal(const struct check_run *run);
void check_region_reuse(const struct check_run *run);
void check_region_churn(const struct check_run *run);

/* check_threads.c */
void check_threads_own(const struct check_run *run);
void check_threads_handover(const struct check_run *run);
void check_thread_churn(const struct check_run *run);
void check_fork_with_threads(const struct check_run *run);

#endif
