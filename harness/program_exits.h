/*
 * What samples of a program say of each other: one that ended otherwise than on the first row did
 * not do the same work, and has no figures. Leaves out what a program wrote (harness/cli_exec.c).
 */
#ifndef TIDEMARK_HARNESS_PROGRAM_EXITS_H
#define TIDEMARK_HARNESS_PROGRAM_EXITS_H

#include "harness/plan.h"

#include <jansson.h>

/*
 * Gives each sample whose `exit_status` is another than that of the first good sample of the first
 * row of its experiment the status `exit`, with a reason, and takes its figures away; `samples` are
 * those stored. While `is_complete` is 0 an experiment waits for its first row; afterwards the
 * first row that has a good sample stands for it. Once more changes nothing. Returns how many it
 * marked; their reasons are the last ones of the array `reasons`. Not thread-safe for one array.
 */
size_t program_exits_mark(const struct plan *plan, json_t *samples, int is_complete,
                          json_t *reasons);

#endif
