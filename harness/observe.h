/*
 * Runs one workload in this process, unmeasured, and calls back at the end of each phase with all
 * that the program holds still alive: for programs that look at objects or blocks, not at time.
 * Leaves out the shared page, parking and idling, which are tidemark-child's.
 */
#ifndef TIDEMARK_HARNESS_OBSERVE_H
#define TIDEMARK_HARNESS_OBSERVE_H

#include "workloads/workload.h"

/* Each but phase_ended may be NULL. `context->objects` is the workload's object runtime, if any. */
struct observer {
    /* Before run(); may replace context->object and context->raw. Returns 0, or an exit status with
     * its reason said on stderr. */
    int (*started)(void *argument, struct workload_context *context);
    /* Where a measured child takes its baseline: before the first phase. */
    void (*baseline)(void *argument, struct workload_context *context);
    /* At the end of each phase, with everything alive as it is; `phase` lives until run() ends. */
    void (*phase_ended)(void *argument, struct workload_context *context, const char *phase);
    void *argument;
};

enum { OBSERVE_FAILED = 1, OBSERVE_USAGE = 2, OBSERVE_NOT_AVAILABLE = 3 };

/* What observe_run reads, for a program's --help: complete lines. */
extern const char observe_usage[];

/*
 * Reads argv as command_for_cell writes it (--object NAME [--raw NAME] --workload NAME
 * [--set NAME=VALUE]... [--seed N] [--idle-ns N]; argv[0] is the program's name for messages),
 * opens the row and runs the workload to its end. Parameters that are not set have their quick
 * defaults. Idle time is not waited out: there is no phase `idle`. Returns 0, or an exit status of
 * the enum with a message on stderr. Once per process, from one thread.
 */
int observe_run(int argc, char **argv, const struct observer *observer);

#endif
