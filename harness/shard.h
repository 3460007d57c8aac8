/*
 * Shards: which part of a plan one machine measures, so that a run goes over several. Leaves out
 * joining what they measured (harness/merge.h), and how they are started, which is a cluster's.
 *
 * What is compared stays together. A unit is all cells of one workload with the same parameters:
 * whole experiments with their rows, hosts and controls in every round, and the ways to give back
 * that are set beside each other. Rounds are not shared out: an interval over rounds of several
 * machines would be one of machines.
 */
#ifndef TIDEMARK_HARNESS_SHARD_H
#define TIDEMARK_HARNESS_SHARD_H

#include <jansson.h>
#include <stddef.h>

struct plan;

/* As many as there can be cells: more would only be empty. */
enum { SHARDS_MOST = 4096, SHARD_TEXT_BYTES = 192 };

struct shard {
    unsigned index;       /* from 1; 0: of the whole plan */
    unsigned count;       /* 0: the plan has no shards */
    int limit_is_default; /* 1: the plan's memory limit is what suited this machine */
};

/* Reads "2/5". Returns 0, or -EINVAL with `shard` untouched. Thread-safe. */
int shard_parse(const char *text, struct shard *shard);

/*
 * Says of each cell of the plan which of its `shard.count` shards measures it; does nothing where
 * there are none. The units with the largest estimated cost go first, each to the shard that has
 * least so far (Graham's LPT rule, 1969: at most 4/3 of the best there is). The estimate is of the
 * plan alone, so that each machine comes to the same: a second and the idle time for each sample, a
 * second for each pass. Cells that are n/a cost nothing. Returns 0 or -ENOMEM. O(cells * (cells +
 * shards)).
 */
int shard_share_out(struct plan *plan);

/* 1 when this run measures the cell. */
int shard_has(const struct plan *plan, size_t cell);

/* Of the samples and the units that can be measured, those of one shard; of all where `index`
 * is 0. */
size_t shard_samples(const struct plan *plan, unsigned index);
size_t shard_units(const struct plan *plan, unsigned index);

/* Adds the fields of shards to a plan.json; none where there are none. */
void shard_to_json(const struct plan *plan, json_t *json);

/*
 * Of a plan.json that may come from anywhere: why a cell that has no sample has none there, into
 * `text` (SHARD_TEXT_BYTES). Returns 1; 0 where it is this run's own.
 */
int shard_say_elsewhere(const json_t *plan, const json_t *cell, char *text);

/* 1 when the run of this plan.json measures the cell, or has joined the shard that does. */
int shard_is_here(const json_t *plan, const json_t *cell);

#endif
