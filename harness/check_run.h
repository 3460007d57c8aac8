/*
 * What a check may call in its process: the row's functions, each call remembered so that a crash
 * can name it; marks in blocks; and the sentence that ends the check. Leaves out which checks there
 * are (harness/check.h). Nothing here calls malloc: it may be the one that is checked.
 */
#ifndef TIDEMARK_HARNESS_CHECK_RUN_H
#define TIDEMARK_HARNESS_CHECK_RUN_H

#include "harness/check.h"
#include "harness/open_row.h"

#include <stddef.h>
#include <stdint.h>

/* A sanitizer makes each access dearer, by some 2 to 20 times: counts are divided by this. */
enum {
#ifdef TIDEMARK_SANITIZED
    CHECK_DIVISOR = 20,
#else
    CHECK_DIVISOR = 1,
#endif
};

enum { CHECK_SENTENCE_BYTES = 512 };

struct check_run {
    const struct open_row *row;
    const struct allocator_ops *ops; /* those of objects, which are checked */
    unsigned capabilities;
    const char *object_name, *raw_name; /* as asked for, a name or a path; raw_name may be NULL */
    uint64_t seed;
};

/* --- The end of a check: one line on the descriptor of check_begin. Thread-safe; the first wins.
 */

/*
 * From now on sentences go to `result_fd`; a signal that says of a bug (SIGSEGV, SIGBUS, SIGABRT,
 * SIGFPE, SIGILL), or `timeout_seconds` without an end, is a failure that names the last call.
 */
void check_begin(int result_fd, unsigned timeout_seconds);

/* The promise is broken: ends the process, with that sentence. */
_Noreturn __attribute__((format(printf, 1, 2))) void check_fail(const char *format, ...);

/*
 * A promise is broken, and the check goes on: the sentence counts in full at its end, but what is
 * found after it shows as well. Each is a line: a caller says the same of a kind but once.
 */
__attribute__((format(printf, 1, 2))) void check_fail_amid(const char *format, ...);

/* The check does not apply to this row, for the reason given: ends the process. */
_Noreturn __attribute__((format(printf, 1, 2))) void check_not_available(const char *format, ...);

/* What is said of the promise if the check returns: a figure, or what was seen. May be left out. */
__attribute__((format(printf, 1, 2))) void check_pass(const char *format, ...);

/* For the child of a fork: `seconds` of its own, and a signal is said to have come `where`, static
 * text that begins with a comma. */
void check_begin_forked(unsigned seconds, const char *where);

/* Writes the line of a check that has returned. */
void check_end(void);

/* What the thread that calls is about, for a crash or a hang outside of the row's functions; static
 * text. */
void check_note(const char *what);

/* --- Calls of the row, which fail the check when they give NULL. --- */

void *check_call_malloc(const struct check_run *run, size_t size);
void *check_call_calloc(const struct check_run *run, size_t count, size_t size);
void *check_call_realloc(const struct check_run *run, void *block, size_t old_size, size_t size);
void *check_call_aligned_alloc(const struct check_run *run, size_t alignment, size_t size);
void check_call_free(const struct check_run *run, void *block);

/* --- The same, and NULL is for the caller to judge. --- */

void *check_try_malloc(const struct check_run *run, size_t size);
void *check_try_realloc(const struct check_run *run, void *block, size_t old_size, size_t size);

/* 1 when the row has all of `capabilities`. */
int check_has(const struct check_run *run, unsigned capabilities);

/* --- Content. --- */

/* Fills all of `block` with bytes that follow from `mark` and their place. */
void check_fill(void *block, size_t bytes, uint64_t mark);

/* Fails when one of the first `bytes` is not as check_fill left it; `what` says which block it is.
 */
void check_filled(const void *block, size_t bytes, uint64_t mark, const char *what);

/*
 * The same at both ends and in the middle, up to 16 bytes each: as good as whole against writes
 * that cross a block's end, and a tenth of the time.
 */
void check_stamp(void *block, size_t bytes, uint64_t mark);
void check_stamped(const void *block, size_t bytes, uint64_t mark, const char *what);

/* The same against the first `kept` bytes of what was stamped with `bytes`, after a realloc. */
void check_stamped_start(const void *block, size_t bytes, size_t kept, uint64_t mark,
                         const char *what);

/* --- Numbers and memory. --- */

/* Below `bound`, from `state`, which it moves on. */
size_t check_random_below(uint64_t *state, size_t bound);

/* A size as programs ask for: mostly small, sometimes to 8 KiB, rarely to 256 KiB; at least 1. */
size_t check_random_size(uint64_t *state);

/* Zeroed memory for a check's own tables; it is not given back. It is static, so that an allocator
 * that collects (ALLOCATOR_COLLECTED) finds the blocks that a table holds. */
void *check_table_memory(size_t bytes);

/* Of this process, from /proc/self/statm. */
size_t check_resident_bytes(void);
size_t check_virtual_bytes(void);

/* Fails when more than `bound_bytes` above `before_bytes` are resident; `what` says after what. */
void check_resident_below(size_t before_bytes, size_t bound_bytes, const char *what);

#endif
