/*
 * How many bytes a flat trace (workloads/flat_trace.h) has alive at the most. Leaves out time:
 * threads take turns, a call each.
 */
#ifndef TIDEMARK_HARNESS_TRACE_FLAT_PEAK_H
#define TIDEMARK_HARNESS_TRACE_FLAT_PEAK_H

#include <stdint.h>

/*
 * Runs the compiled trace in the file `fd` without an allocator. It was checked (flat_check.h).
 * Returns 0 with the peak of live bytes, or a negative errno. Memory: 8 bytes a slot. Some ns a
 * word.
 */
int flat_peak(int fd, uint64_t *peak_bytes);

#endif
