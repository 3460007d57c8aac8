/*
 * How fast a trace is replayed where the allocator costs nothing, and what the replay takes for
 * itself: both of the trace just recorded. Leaves out statistics (harness/overhead_figure.h).
 */
#ifndef TIDEMARK_HARNESS_OVERHEAD_REPLAY_H
#define TIDEMARK_HARNESS_OVERHEAD_REPLAY_H

#include "harness/overhead.h"

struct overhead_replay {
    double million_per_second; /* operations, of all threads together */
    double operation_bytes; /* of harness memory, for each operation of the trace; 0: the trace is
                               too short to tell */
};

/*
 * Replays the trace on the row `null`, so often that it takes some 10 million operations, and the
 * built-in example once, each in a fresh child. Harness memory is what is resident when the replay
 * begins, less what it is with the example: measured, in pages, and told from a MiB on. Returns 0,
 * -EINTR when it was interrupted (harness/interrupts.h), or another negative errno with a message
 * in `error` (OVERHEAD_ERROR_BYTES). `events` are those recorded. One at a time.
 */
int overhead_replay_measure(const char *trace, double events, const struct program_paths *paths,
                            struct overhead_replay *found, char *error);

#endif
