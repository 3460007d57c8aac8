/*
 * What a run says of shards, in words: of a shard, what is not measured there; of a merged run, on
 * which machines it was measured. Leaves out figures.
 */
#ifndef TIDEMARK_HARNESS_SHARD_TEXT_H
#define TIDEMARK_HARNESS_SHARD_TEXT_H

#include "harness/plan.h"

#include <argp.h>
#include <jansson.h>
#include <stdio.h>

/* Reads the argument of --shard; ends the program by argp_error where it is none. */
void shard_parse_option(struct argp_state *state, const char *argument, struct shard *shard);

/*
 * Of a run that may come from anywhere, by its plan.json and machine.json: a paragraph with an
 * empty line before it. Prints nothing of a run without shards. Not thread-safe for one `out`.
 */
void shard_print_run(FILE *out, const json_t *plan, const json_t *machine);

/* The same of the run in this folder; prints nothing where it cannot be read. */
void shard_print_folder(FILE *out, const char *path);

/* Of a dry run: how much of the plan each shard has. */
void shard_print_plan(FILE *out, const struct plan *plan);

/* A sentence on stderr where there is nothing for this shard to measure. */
void shard_tell_empty(const struct plan *plan);

#endif
