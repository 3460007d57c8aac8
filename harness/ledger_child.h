/*
 * The child's side of the pass `ledger` (harness/ledger_pass.c). Leaves out the trap itself
 * (harness/ledger_trap.h). It writes JSON, an object a line: the first with what the trap costs and
 * the calls until the row was open, then one for each phase (results/FORMAT.md).
 */
#ifndef TIDEMARK_HARNESS_LEDGER_CHILD_H
#define TIDEMARK_HARNESS_LEDGER_CHILD_H

#include "harness/child_pass.h"

extern const struct child_pass ledger_child_pass;

#endif
