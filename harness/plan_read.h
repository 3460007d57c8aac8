/*
 * The plan of a run, read back from its plan.json. Leaves out the file (harness/run_folder.h) and
 * what was measured of it (harness/tally.h). A plan is only taken when it still says what was run:
 * its order of rounds is computed again and compared.
 */
#ifndef TIDEMARK_HARNESS_PLAN_READ_H
#define TIDEMARK_HARNESS_PLAN_READ_H

#include "harness/plan.h"

/*
 * Fills `plan` with what plan_to_json wrote; the caller frees it (plan_free). Looks up the hosts,
 * one short process for each interpreter; one that is missing is an error unless all of its cells
 * are n/a in the plan. Returns 0, -ENOMEM, or -EINVAL with a message in `error` (PLAN_ERROR_BYTES)
 * that names the field and what does not fit; `plan` is then untouched.
 */
int plan_from_json(struct plan *plan, const json_t *json, char *error);

#endif
