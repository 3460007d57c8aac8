/*
 * What it costs to watch the system calls of a process (harness/ledger_trap.h), for `tidemark
 * overhead`. Leaves out real calls: an empty one shows what is added to each.
 */
#ifndef TIDEMARK_HARNESS_OVERHEAD_LEDGER_H
#define TIDEMARK_HARNESS_OVERHEAD_LEDGER_H

#include "harness/ledger_trap.h"

/* A call that does nothing, in a process of its own. */
struct overhead_ledger {
    double plain_ns; /* not watched: the median of a hundred */
    struct ledger_cost watched;
};

/*
 * Measures in a forked child, some 1 ms. Returns 0, or a negative errno with a sentence in `reason`
 * (LEDGER_REASON_BYTES) where a process cannot be watched. Call where no thread of this process
 * holds a lock of libc.
 */
int overhead_ledger_measure(struct overhead_ledger *found, char *reason);

#endif
