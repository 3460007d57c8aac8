/*
 * Passes: what would disturb a measured sample is looked at in one further child of each cell,
 * after all rounds, whose only result is one file. Leaves out which cells and when
 * (harness/runner.c), and the child's side (harness/child_pass.h).
 *
 * A pass is one file harness/NAME_pass.c with a `const struct pass`, one line in pass.c, and
 * harness/NAME_child.c with the child's side.
 */
#ifndef TIDEMARK_HARNESS_PASS_H
#define TIDEMARK_HARNESS_PASS_H

#include "harness/sample.h"
#include "harness/tally.h"

#include <jansson.h>

enum { PASS_ERROR_BYTES = 512, PASS_REASON_BYTES = SAMPLE_REASON_BYTES + 64 };

/* What a child of a pass left. */
struct pass_output {
    char *text; /* borrowed; behind it stands a NUL */
    size_t length;
    size_t cell;   /* its index in the plan */
    size_t phases; /* that ended */
};

struct pass {
    const char *name; /* of --passes, of plan.json, of the child's --pass, and of the folder of its
                         files in a run */
    const char *summary;
    uint64_t most_idle_ns; /* longer idle times of the cell are cut to that */

    /* 1 when such a cell can have one. Controls, other hosts than `objects` and cells that give
     * back under pressure are not asked. */
    int (*suits)(const struct cell *cell);

    /*
     * The JSON of the file, an object with `cell`, from what the child wrote; `check` is called on
     * it afterwards. NULL with a sentence in `why` (PASS_ERROR_BYTES). The caller owns the result.
     */
    json_t *(*understand)(const struct pass_output *output, char *why);

    /*
     * Whether `json`, which may come from anywhere, is such a file: fields, bounds, and what adds
     * up. Returns 0, or -EINVAL with a sentence in `error` (PASS_ERROR_BYTES) that names the field.
     */
    int (*check)(const json_t *json, char *error);
};

enum { PASS_MOST = 32 }; /* a set of them is an unsigned: bit i is the i-th of the registry */

extern const struct pass *const pass_registry[];
extern const size_t pass_registry_count;

/* The passes. */
extern const struct pass census_pass, latency_pass, ledger_pass, pages_pass;

/* The pass of that name, or NULL. Thread-safe. */
const struct pass *pass_find(const char *name);

/* The set of `pass` alone. */
unsigned pass_bit(const struct pass *pass);

/*
 * Reads names, separated by commas, into `set`; `all` and `none` are accepted. Returns 0, or
 * -EINVAL with a sentence in `error` (PASS_ERROR_BYTES) and `set` untouched.
 */
int pass_parse_set(const char *names, unsigned *set, char *error);

/* 1 when the plan of a stored run, of any version, asks for the pass. Thread-safe. */
int pass_was_asked(const json_t *plan, const struct pass *pass);

/* For a child that writes the JSON of its file but for `format` and `cell`: adds the latter. */
json_t *pass_understand_json(const struct pass_output *output, char *why);

/*
 * 1 when the file of that pass and cell is still to be taken: the plan asks for it, the cell is no
 * control, runs on the objects host and suits the pass, a sample of it is `ok`, and the run folder
 * `run_fd` has no such file.
 */
int pass_is_left(const struct pass *pass, const struct tally *tally, size_t cell, int run_fd);

/*
 * Runs cell `index` of the plan of `settings` once more, under the same limits, for what the pass
 * tells of it: `json`, which the caller owns, is what its file would be. `sample` is of that child,
 * which the pass disturbed. Returns 0; -EINTR when the run was interrupted; or another negative
 * errno with a sentence in `why` (PASS_REASON_BYTES) and `json` untouched.
 */
int pass_look(const struct pass *pass, const struct sample_settings *settings, size_t index,
              struct sample *sample, json_t **json, char *why);

/*
 * The same, and writes the file into the run folder `run_fd`. Nothing in `sample` is a result. But
 * for 0 nothing is written.
 */
int pass_take(const struct pass *pass, const struct sample_settings *settings, size_t index,
              int run_fd, struct sample *sample, char *why);

#endif
