/*
 * What the harness itself adds, measured as a benchmark that anyone can run. Leaves out what is the
 * machine's: `tidemark doctor`.
 */
#ifndef TIDEMARK_HARNESS_OVERHEAD_H
#define TIDEMARK_HARNESS_OVERHEAD_H

#include "harness/command.h"

#include <jansson.h>

enum { OVERHEAD_ERROR_BYTES = 512 };

struct overhead_options {
    unsigned rounds;         /* pairs of a sampled and an unsampled child, at least 1 */
    uint64_t resident_bytes; /* of those children while they work */
};

/*
 * Measures and returns a new array of objects, which the caller owns: `name`, `summary`, `unit`,
 * `median`, `low`, `high` (null below six rounds), `aim` (null where there is none), `aim_is_least`
 * (the aim is at least that; else at most), `n`. Takes some eight seconds a round at 1 GiB, with
 * progress on stderr. `*rounds_done` is as many as were asked for, or fewer where it was
 * interrupted (harness/interrupts.h): the figures are those of these rounds alone. NULL with a
 * message in `error`, also where it was interrupted in the first.
 */
json_t *overhead_measure(const struct overhead_options *options, const struct program_paths *paths,
                         unsigned *rounds_done, char *error);

#endif
