/*
 * What differs between the machine that a run began on and this one. Leaves out what does not bear
 * on its figures: free memory, the environment, the time.
 */
#ifndef TIDEMARK_HARNESS_RUN_COMPARE_H
#define TIDEMARK_HARNESS_RUN_COMPARE_H

#include "harness/plan.h"

#include <jansson.h>

/*
 * Compares two machine.json: programs and traces one by one, kernel, processor and cores, the
 * interpreters that the plan's cells run on, of a shard the host's name, and the versions in
 * `libraries` for each row that both know. Adds a line "\n  WHAT DIFFERS" for each difference to
 * what `text` holds, as far as `text_bytes` reach. Returns how many there are. `then` may hold
 * anything: what is missing there is a difference, for it cannot be known to be the same.
 */
size_t run_compare(const struct plan *plan, json_t *then, json_t *now, char *text,
                   size_t text_bytes);

#endif
