/*
 * A trace into what a replay runs (workloads/flat_trace.h): names of blocks become slots, and the
 * calls of each thread a flat array. Leaves out running it (workloads/trace.c).
 */
#ifndef TIDEMARK_HARNESS_TRACE_TRACE_COMPILE_H
#define TIDEMARK_HARNESS_TRACE_TRACE_COMPILE_H

#include "harness/trace/trace_index.h"

/* What was made of it. */
struct trace_compiled {
    uint32_t process; /* that is replayed */
    uint64_t threads;
    uint64_t operations; /* of the allocator: a realloc is one */
    uint64_t makes, ends;
    uint64_t aligned;   /* blocks with an alignment of their own */
    uint64_t shared;    /* blocks that another thread ended */
    uint64_t inherited; /* ends of blocks from before a fork: left out */
    uint64_t file_bytes;
};

/* The process with the most events; 0 in a trace without any. Thread-safe. */
uint32_t trace_largest_process(const struct trace_index *index);

/*
 * Compiles a process into the file `fd`, which is empty and open for reading and writing. Returns
 * 0, or a negative errno with a message in `error` (TRACE_ERROR_BYTES). Takes two passes over the
 * trace; memory: a bit for each block of the trace, 4 bytes for each that is alive.
 */
int trace_compile(const struct trace_index *index, struct trace_reader *reader, uint32_t process,
                  int fd, struct trace_compiled *compiled, char *error);

#endif
