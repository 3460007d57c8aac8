/*
 * Whether a census is what results/FORMAT.md says, and adds up: classes and figures are what its
 * pools are. Leaves out whether it belongs to a run. For a census just taken, and for a file that
 * may come from anywhere: what has passed can be printed without another look.
 */
#ifndef TIDEMARK_HARNESS_CENSUS_CHECK_H
#define TIDEMARK_HARNESS_CENSUS_CHECK_H

#include "harness/census.h"

/*
 * Returns 0, -ENOMEM, or -EINVAL with a message in `error` (CENSUS_ERROR_BYTES) that names the
 * field; it is printable whatever the file holds. Costs one visit of each pool.
 */
int census_check(const json_t *census, char *error);

#endif
