/*
 * Whether a flat trace (workloads/flat_trace.h) can be replayed to its end. Leaves out what it
 * does.
 */
#ifndef TIDEMARK_HARNESS_TRACE_FLAT_CHECK_H
#define TIDEMARK_HARNESS_TRACE_FLAT_CHECK_H

#include "workloads/flat_trace.h"

/*
 * Runs all threads in turn without an allocator: every slot is filled before it is emptied, and
 * within its bounds, and no thread waits for ever. A thread that is started too late for another
 * that waits for it, as may be where its start was told wrongly, begins with the replay instead:
 * its is_started becomes 0. Returns 0, -EBADMSG for words that cannot be, -EDEADLK where threads
 * wait for each other, or -ENOMEM. Some ns a word.
 */
int flat_check(const struct flat_head *head, struct flat_thread *threads, const uint64_t *words);

#endif
