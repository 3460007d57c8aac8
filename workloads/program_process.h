/*
 * What workloads that run programs share: a program is started on the malloc of the row, its phases
 * are heard and its output read, until it ends. Leaves out what it holds, which the harness
 * measures from outside (harness/process_tree.h). Source: ours.
 *
 * It may say where a phase of its own begins: a line with the phase's name, at most 23 bytes,
 * written to the descriptor that TIDEMARK_PHASE_FD names, 9: a pipe with the inode of
 * TIDEMARK_PHASE_INODE. It is not stopped there. Its stdin is empty, and it has no other descriptor
 * of this process. It has the environment that tidemark was started with, but for what would change
 * an allocator; a driver has none of that, but what is the same everywhere.
 */
#ifndef TIDEMARK_WORKLOADS_PROGRAM_PROCESS_H
#define TIDEMARK_WORKLOADS_PROGRAM_PROCESS_H

#include "workloads/workload.h"

/* The harness gives a child the libraries to be preloaded by this variable. */
#define PROGRAM_PRELOAD "TIDEMARK_PROGRAM_PRELOAD"

/* And by this one the folder of the drivers (workloads/programs). */
#define PROGRAM_DRIVERS "TIDEMARK_PROGRAM_DRIVERS"

/* And by this one an empty folder, which the harness removes: a driver's HOME and TMPDIR. */
#define PROGRAM_SCRATCH "TIDEMARK_PROGRAM_SCRATCH"

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

/* In the checksum of one that has run, which is never 0; the exit status stands in the bits below
 * the output's. */
#define PROGRAM_HAS_RUN (UINT64_C(1) << 63)
enum { PROGRAM_STATUS_BITS = 16 };

static inline unsigned program_status_of(uint64_t checksum)
{
    return (unsigned)(checksum & ((UINT64_C(1) << PROGRAM_STATUS_BITS) - 1));
}

/*
 * Runs it. The gauge's checksum then has PROGRAM_HAS_RUN, the CRC-32 of its output from bit
 * PROGRAM_STATUS_BITS on, and its exit status as a shell has it. Returns 0 whatever that is, or the
 * negative errno of a program that could not be started. Twelve phases may begin, which is what the
 * page holds beside the harness's own; later ones are part of the twelfth. Their names are static:
 * once in a process. Leaves SIGCHLD blocked.
 */
int program_process_run(struct workload_context *context, const struct program_command *command);

/* The exit status of what ran last. */
unsigned program_process_status(const struct workload_context *context);

#endif
