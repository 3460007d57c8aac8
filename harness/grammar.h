/*
 * Reads the command line's words for rows and workloads: escapes, sweeps, and errors that name what
 * is accepted. Leaves out what the words mean to a plan (harness/plan.h).
 */
#ifndef TIDEMARK_HARNESS_GRAMMAR_H
#define TIDEMARK_HARNESS_GRAMMAR_H

#include "workloads/workload.h"

#include <stddef.h>

enum { GRAMMAR_ERROR_BYTES = 1024, GRAMMAR_VALUES = 64 };

/* The suites' sizes: which default a parameter takes when the user names none. */
enum workload_size { SIZE_QUICK, SIZE_FULL };

/* A workload as written, with every parameter's values: a sweep has more than one. */
struct workload_words {
    const struct workload *workload;
    uint64_t values[WORKLOAD_PARAMETERS][GRAMMAR_VALUES];
    size_t value_counts[WORKLOAD_PARAMETERS];
};

/*
 * Reads name[:param=value,...], where a value is one, 1|2|4, 1..8 or 1M..16M*2. Parameters not
 * named take the default of `size`. Returns 0, or -EINVAL with a message in `error`
 * (GRAMMAR_ERROR_BYTES) that names the bad part and what is accepted. Thread-safe.
 */
int grammar_parse_workload(struct workload_words *words, const char *text, enum workload_size size,
                           char *error);

/*
 * Whether `text`, a workload as written that grammar_parse_workload takes, names the parameter.
 * Thread-safe.
 */
int grammar_names_parameter(const char *text, const char *name);

/*
 * Copies `text` up to the first unescaped character of `stops` into `word`, without the
 * backslashes, and returns where it stopped (at the stop, or at the NUL); NULL when `word_bytes` is
 * too small. Thread-safe.
 */
const char *grammar_word(const char *text, const char *stops, char *word, size_t word_bytes);

/*
 * Writes "; did you mean X?" when one of the names is within two edits of `word`, then the accepted
 * names, after what is in `error`. Thread-safe.
 */
void grammar_suggest(char *error, size_t error_bytes, const char *word, const char *const *names,
                     size_t count);

#endif
