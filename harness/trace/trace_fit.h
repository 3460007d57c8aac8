/*
 * The shape of a trace without the trace: how many blocks of which size live how long, in each
 * stretch of a thread's life. Leaves out who asked for what, and in which order, so that a company
 * can publish it. trace_fit_compile makes a program of that shape, which a replay runs as it runs a
 * trace.
 *
 * A lifetime is counted in blocks that the same thread makes meanwhile: for one that another thread
 * ends, as many as it made by that time. Sizes are in classes of at most 1/32 of a size, each with
 * its mean; lifetimes in four classes a doubling; a life is STRETCHES of equal numbers of blocks.
 */
#ifndef TIDEMARK_HARNESS_TRACE_TRACE_FIT_H
#define TIDEMARK_HARNESS_TRACE_TRACE_FIT_H

#include "harness/trace/trace_compile.h"

enum {
    FIT_FORMAT = 1,
    FIT_STRETCHES = 64,
    FIT_MOST_THREADS = 64,
    FIT_SEED = 1,              /* of the program that a replay makes */
    FIT_MOST_BYTES = 16 << 20, /* of the file, which a replay takes */
    FIT_NOTE_BYTES = 1 << 20,  /* of that for how far off it is */
};

/*
 * Reads the trace's process and returns its shape as a new JSON object (results/FORMAT.md, "Fits"),
 * which the caller owns; NULL with a message in `error` (TRACE_ERROR_BYTES). Threads beyond the
 * FIT_MOST_THREADS that make most are left out, and counted in `left_out`. One that would be larger
 * than FIT_MOST_BYTES less FIT_NOTE_BYTES is refused.
 */
json_t *trace_fit_make(const struct trace_index *index, struct trace_reader *reader,
                       uint32_t process, char *error);

/*
 * Makes a program of that shape in the file `fd`, empty and open for both: the same for one `seed`.
 * Returns 0, or a negative errno with a message in `error`: -EBADMSG for what is no fit, -E2BIG for
 * a program that would take more than half of the machine's memory.
 */
int trace_fit_compile(const json_t *fit, uint64_t seed, int fd, struct trace_compiled *compiled,
                      char *error);

#endif
