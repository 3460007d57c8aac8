/*
 * Proof that tunables took: allocators ignore what they do not understand, or what comes too late.
 * Each tunable that a row names is asked of a fresh process with the row's own environment. Leaves
 * out proving it inside a sample, where it would disturb what is measured.
 */
#ifndef TIDEMARK_HARNESS_PROOF_H
#define TIDEMARK_HARNESS_PROOF_H

#include "harness/plan.h"

/*
 * Asks for each tunable of the row, and adds what was found to `findings`, as machine.json has it.
 * Where one is another than asked for, `row->not_available` says so. A row that cannot be opened
 * has no findings. Returns 0, or -EINTR when it was interrupted. Takes some milliseconds a tunable.
 */
int proof_of_row(struct row *row, json_t *findings);

/*
 * Asks for the tunables of each row of the plan that can run, once a row. Cells of a row whose
 * tunable is another than asked for become n/a, with what the allocator says; what was found goes
 * to `plan->tunables`. Returns 0; -EINTR when it was interrupted; -ENOMEM. Takes some milliseconds
 * a tunable.
 */
int proof_of_plan(struct plan *plan);

#endif
