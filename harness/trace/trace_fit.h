/*
 * The shape of a trace without the trace: how many blocks of which size live how long, in each
 * stretch of a thread's life. Leaves out who asked for what, and in which order, so that a company
 * can publish it. trace_fit_compile makes a program of that shape, which a replay runs as it runs a
 * trace.
 *
 * A thread's life is cut into parts of equal numbers of blocks, and each part in two where most of
 * what the thread made was alive: those are its stretches. A block that ends in a later stretch
 * than it was made in is counted with that stretch, so that what is alive where two stretches meet,
 * the most of each part among them, is what it was in the trace. One that ends in its own stretch
 * has a class of lifetimes, in blocks that the thread makes meanwhile, four classes a doubling. For
 * a block that another thread ends, what counts is how many its maker had made by that time. Sizes
 * are in classes of at most 1/32 of a size, of which the bytes in all are known; the largest of a
 * class is a round number, as the classes of allocators have it, so that none of them is averaged
 * away.
 */
#ifndef TIDEMARK_HARNESS_TRACE_TRACE_FIT_H
#define TIDEMARK_HARNESS_TRACE_TRACE_FIT_H

#include "harness/latency_histogram.h"
#include "harness/trace/trace_compile.h"

#define FIT_MOST_ASKED_BYTES (UINT64_C(1) << 62) /* of all that a thread makes */
#define FIT_MOST_BLOCK_BYTES ((UINT64_C(1) << 48) - 1)

enum {
    FIT_FORMAT = 2,
    FIT_PARTS = 64,
    FIT_PART_BLOCKS = 64, /* at least, but in a thread that makes fewer: a fit is no sequence */
    FIT_STRETCHES = 2 * FIT_PARTS,
    FIT_LIFE_STEPS = 4,       /* classes a doubling */
    FIT_MOVE_BYTES = 1 << 16, /* of the larger of the two: that is a move */
    FIT_SIZE_CLASSES = LATENCY_BUCKETS,
    FIT_MOST_THREADS = 64,
    FIT_SEED = 1,              /* of the program that a replay makes */
    FIT_MOST_BYTES = 16 << 20, /* of the file, which a replay takes */
    FIT_NOTE_BYTES = 1 << 20,  /* of that for how far off it is */
};

/* Classes of sizes: each size up to 64 bytes, then 32 a doubling up to 64 GiB, and one above. The
 * largest size of a class is a round number, as it is of those of allocators: 4096 and 4097 are no
 * more alike to these than they are here. From 0; `bytes` from 1. Thread-safe. */
static inline unsigned fit_size_class(uint64_t bytes)
{
    return (unsigned)latency_bucket_of(bytes - 1);
}

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
