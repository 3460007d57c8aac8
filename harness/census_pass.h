/*
 * The census of one cell: a further child of it, whose only result is the file of its census.
 * Leaves out which cells, and when (harness/runner.c).
 */
#ifndef TIDEMARK_HARNESS_CENSUS_PASS_H
#define TIDEMARK_HARNESS_CENSUS_PASS_H

#include "harness/sample.h"
#include "harness/tally.h"

enum { CENSUS_PASS_ERROR_BYTES = SAMPLE_REASON_BYTES + 64 };

/*
 * 1 when the census of that cell is still to be taken: the plan asks for it, the cell is no
 * control, stock (harness/return_way.h) and on the objects host, its object allocator tells one, a
 * sample of it is `ok`, and the run folder `run_fd` has no file of it.
 */
int census_pass_is_left(const struct tally *tally, size_t cell, int run_fd);

/*
 * Runs cell `index` of the plan of `settings` once more, under the same limits, and writes its
 * census into the run folder `run_fd`. `sample` is used on the way: nothing in it is a result.
 * Returns 0; -EINTR when the run was interrupted; or another negative errno with a sentence in
 * `why` (CENSUS_PASS_ERROR_BYTES). But for 0 nothing is written.
 */
int census_pass_take(const struct sample_settings *settings, size_t index, int run_fd,
                     struct sample *sample, char *why);

#endif
