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
 * Asks what every tunable of the row is, named in it or not, as far as its allocators tell it
 * themselves, and adds an object for each to `settings`, as machine.json has it. A row that cannot
 * be opened adds nothing. Returns 0, or -EINTR. Takes some milliseconds.
 */
int proof_settings(const struct row *row, json_t *settings);

/*
 * Asks for the tunables of each row of the plan that can run, once a row. Cells of a row whose
 * tunable is another than asked for become n/a, with what the allocator says; what was found goes
 * to `plan->tunables`, and what every tunable of a row is, to `plan->settings`. Returns 0; -EINTR
 * when it was interrupted; -ENOMEM. Takes some milliseconds a tunable.
 */
int proof_of_plan(struct plan *plan);

#endif
