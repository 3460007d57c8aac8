/*
 * Starts a child with the shared page and the two pipes, and ends it. Leaves out what is said over
 * them (harness/sample.h). A child is its own process group, dies with its parent
 * (PR_SET_PDEATHSIG) and inherits no descriptor but the three, that of its pass, and stdio.
 */
#ifndef TIDEMARK_HARNESS_SPAWN_H
#define TIDEMARK_HARNESS_SPAWN_H

#include "harness/environment.h"
#include "harness/page.h"
#include "harness/return_way.h"

#include <stdint.h>
#include <sys/types.h>

struct spawned {
    pid_t pid;
    int pid_fd;          /* readable when the child has ended */
    int park_fd;         /* read end */
    int go_fd;           /* write end */
    int stderr_fd;       /* read end, non-blocking */
    int statm_fd;        /* /proc/PID/statm */
    struct page *page;   /* mapped; the child's view of the same memory */
    uint64_t started_ns; /* CLOCK_MONOTONIC */
};

/* What a child may be given beside page and pipes; the caller keeps both descriptors. */
struct spawn_extras {
    int group_procs_fd; /* of the memory group that it enters; -1: it stays in this process's own */
    int pass_fd;        /* becomes its PASS_FD; -1: it has none */
    enum return_thp thp; /* of its own, whatever this process has */
};

/*
 * Executes argv[0] with `environment`. Returns 0, or a negative errno with everything undone. A
 * group that cannot be entered, huge pages that cannot be switched and an exec that fails show as
 * exit status 127 with a line on stderr. The caller ends it with spawn_kill or waits, then calls
 * spawn_release.
 */
int spawn_child(struct spawned *child, char *const argv[], const struct environment *environment,
                const struct spawn_extras *extras);

/* SIGKILL to the child's whole process group. Harmless when it has ended. Safe from any thread
 * until spawn_reap has returned. */
void spawn_kill(const struct spawned *child);

/* Waits for the end and returns its wait(2) status. */
int spawn_reap(struct spawned *child);

/* Closes and unmaps. */
void spawn_release(struct spawned *child);

#endif
