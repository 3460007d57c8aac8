/*
 * Joining the shards of a run (harness/shard.h) into one run folder: first all is read and
 * compared, then all is written beside the new folder's place and renamed there. Leaves out judging
 * what was measured: machines may differ, and are named.
 */
#ifndef TIDEMARK_HARNESS_MERGE_H
#define TIDEMARK_HARNESS_MERGE_H

#include "harness/run_read.h"

#include <signal.h>

enum { MERGE_ERROR_BYTES = RUN_FOLDER_ERROR_BYTES };

struct merge_shard {
    const char *path; /* as given; borrowed */
    struct run_content content;
    unsigned index;    /* from 1; 0: not read */
    int is_unfinished; /* 1: samples of its own are missing, or its end was not written */
};

struct merge {
    struct merge_shard *shards; /* owned; in the order of their index after merge_check */
    size_t count;
    unsigned of;      /* how many shards the plan has */
    json_t *refusals; /* owned: sentences; empty: they can be joined */
    json_t *warnings; /* owned: sentences */
};

/*
 * Reads the shards, which may come from anywhere; the paths outlive `merge`. What cannot be read,
 * or is no shard, is a refusal. Returns 0 or -ENOMEM; merge_free either way.
 */
int merge_read(struct merge *merge, const char *const *paths, size_t count);

/*
 * Compares them: one plan, the same programs, traces and versions of libraries and interpreters,
 * no shard and no sample twice, and, unless `is_partial`, all of the plan. Each thing that does not
 * fit is a refusal, each that a reader of the merged run has to know a warning. To be called when
 * merge_read refused nothing.
 */
void merge_check(struct merge *merge, int is_partial);

/*
 * Writes the merged run to `path`, which must not exist. The same shards give the same bytes, in
 * whatever order they were given. It is made in a hidden folder beside `path`, which is no run
 * until it is whole, and renamed. Returns 0, or a negative errno with a message in `error`
 * (MERGE_ERROR_BYTES) and nothing left: -EEXIST where there is something at `path`, -EINTR when
 * `*interrupted` became 1, -EINVAL when a curve or a file of a pass is none.
 */
int merge_write(const struct merge *merge, const char *path,
                const volatile sig_atomic_t *interrupted, char *error);

/* Adds a sentence, printable, to an array. */
__attribute__((format(printf, 2, 3))) void merge_say(json_t *sentences, const char *format, ...);

void merge_free(struct merge *merge);

#endif
