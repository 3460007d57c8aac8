/*
 * What workloads that run programs share: a program is started on the malloc of the row, its phases
 * are heard and its output read, until it ends. Leaves out what it holds, which the harness
 * measures from outside (harness/process_tree.h). Source: ours.
 *
 * It may say where a phase of its own begins: a line with the phase's name, at most 23 bytes,
 * written to the descriptor that TIDEMARK_PHASE_FD names. It is not stopped there. Its stdin is
 * empty. It has the environment that tidemark was started with, but for what would change an
 * allocator.
 */
#ifndef TIDEMARK_WORKLOADS_PROGRAM_PROCESS_H
#define TIDEMARK_WORKLOADS_PROGRAM_PROCESS_H

#include "workloads/workload.h"

/* The harness gives a child the libraries to be preloaded by this variable. */
#define PROGRAM_PRELOAD "TIDEMARK_PROGRAM_PRELOAD"

/* And by this one the folder of the drivers (workloads/programs). */
#define PROGRAM_DRIVERS "TIDEMARK_PROGRAM_DRIVERS"

/* With this in its environment a process is not measured. */
#define PROGRAM_ASIDE "TIDEMARK_ASIDE=1"

enum program_part {
    PROGRAM_IS_MEASURED,
    PROGRAM_DRIVES, /* it has PROGRAM_ASIDE, and starts what is measured itself (workloads/programs)
                     */
};

struct program_command {
    char *const *words; /* ends with NULL */
    enum program_part part;
    int reads_output; /* 1: its stdout goes into the checksum; 0: it is thrown away */
};

/*
 * Runs it. The gauge's checksum then has bit 63, the CRC-32 of its output from bit 16 on, and its
 * exit status as a shell has it. Returns 0 whatever that is, or the negative errno of a program
 * that could not be started. Names of phases are static, from the first twelve that it tells: once
 * in a process.
 */
int program_process_run(struct workload_context *context, const struct program_command *command);

/* The exit status of what ran last. */
unsigned program_process_status(const struct workload_context *context);

#endif
