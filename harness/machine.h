/*
 * What a run ran on: the facts that a reader needs to judge its figures. Leaves out everything
 * personal, and the host's name but for a shard, whose other parts are of other hosts.
 */
#ifndef TIDEMARK_HARNESS_MACHINE_H
#define TIDEMARK_HARNESS_MACHINE_H

#include "harness/command.h"
#include "harness/plan.h"

#include <jansson.h>

/*
 * The machine, as results/FORMAT.md describes machine.json, for this plan; the caller owns it. The
 * programs are read for their checksums; `plan` is left null, for run_folder_create to fill in;
 * `started` is a UTC time.
 */
json_t *machine_describe(const struct plan *plan, const struct program_paths *paths,
                         const char *started);

/*
 * Adds what a sample of `cell` told of the versions that it loaded; an empty one adds nothing.
 * Returns 1 when the row is known with another version: both are then kept, the newer one last.
 */
int machine_add_version(json_t *machine, const struct cell *cell, const char *version);

/*
 * Picks a core for children and another for the sampler from those that this process may use. With
 * one core both are -1: nothing is pinned.
 */
void machine_choose_cpus(int *child_cpu, int *sampler_cpu);

/*
 * Bytes that may be used before the machine itself is in need: MemAvailable of /proc/meminfo, or
 * the limit of this process's own memory cgroup when that is lower. At most INT64_MAX.
 */
uint64_t machine_available_bytes(void);

/* Now, in UTC, "2026-01-31T12:00:00Z", into `text` (at least 32 bytes); returned. */
const char *machine_utc_now(char *text);

#endif
