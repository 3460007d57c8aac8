/*
 * What a measured loop left resident and how high memory rose in it, as counters of Google
 * Benchmark. Leaves out the curve in between, which workloads have. Both are read outside of the
 * timed region.
 */
#ifndef TIDEMARK_HARNESS_MICRO_MEMORY_H
#define TIDEMARK_HARNESS_MICRO_MEMORY_H

#include "harness/micro/theme.h"

struct micro_memory {
    uint64_t before_bytes;
    bool has_rss, has_peak;
};

/*
 * Before the loop: reads what is resident and sets the kernel's high-water mark to it. Where /proc
 * does not answer, or the row counts no memory, there will be no counters. One thread of a
 * benchmark calls it. Costs some microseconds.
 */
struct micro_memory micro_memory_begin(const struct micro_row *row);

/*
 * After the loop: sets `rss_bytes`, resident now less before, which is negative where memory went
 * back, and `peak_bytes`, the mark less before. The kernel's count lags by some pages a processor
 * (`tidemark doctor`, statm).
 */
void micro_memory_end(const struct micro_memory *memory, struct tidemark_gbench_state *state);

#endif
