/*
 * All processes beneath one, and what they hold together: for programs that start others, of which
 * the largest alone says little. Leaves out those that leave the tree: a process whose parent ends
 * goes to the nearest subreaper above it (PR_SET_CHILD_SUBREAPER), which the root should be.
 *
 * What is resident is added up as statm has it: each process's own pages, and once the most that
 * any of them shares (files, shared memory), since programs of one tree mostly share the same
 * files. After a fork pages that neither has written to since count in both: process_tree_rollup,
 * which costs milliseconds a GB, counts each page once.
 */
#ifndef TIDEMARK_HARNESS_PROCESS_TREE_H
#define TIDEMARK_HARNESS_PROCESS_TREE_H

#include "harness/procfs.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCESS_TREE_MOST = 4096, PROCESS_TREE_TEXT_BYTES = 1 << 16 };

struct tree_process {
    pid_t pid;
    int statm_fd;
    int is_seen;      /* by the scan that goes on */
    int is_aside;     /* it was started with what process_tree_init names */
    unsigned strange; /* looks in a row at which it had not mapped a library (process_tree_look) */
};

/* Some 200 KiB: not for a stack. Owns a descriptor for each process. */
struct process_tree {
    pid_t root;
    const char *aside;
    size_t count;
    uint64_t met; /* processes that were ever in it */
    int is_full;  /* 1: there were more than PROCESS_TREE_MOST, which are left out */
    struct tree_process processes[PROCESS_TREE_MOST]; /* without the root */
    char text[PROCESS_TREE_TEXT_BYTES];               /* of /proc, while it is scanned */
};

struct tree_memory {
    uint64_t resident_bytes;
    size_t processes; /* that still run, without those aside */
};

/*
 * The tree beneath `root`, empty until it is scanned. A process whose environment has `aside`
 * ("NAME=VALUE", which outlives the tree; NULL: none) is no part of what is added up; those that it
 * starts are, unless they have it too. Nothing fails.
 */
void process_tree_init(struct process_tree *tree, pid_t root, const char *aside);

/*
 * Looks for processes that are new, and forgets those that ended: some 20 us a process, and 10 us
 * more where some stand aside. One that is started and ends between two scans is never seen.
 * Returns 0 or a negative errno. One thread at a time, as all here.
 */
int process_tree_scan(struct process_tree *tree);

/* Reads statm of all that are known: some 1 us a process. */
void process_tree_read(const struct process_tree *tree, struct tree_memory *memory);

/* The figures of /proc/PID/smaps_rollup added up, with the share of each page that is a process's
 * (Pss) as `rss_bytes`. */
void process_tree_rollup(const struct process_tree *tree, struct memory_rollup *rollup);

/* A process that has not mapped what it should have. */
struct tree_stranger {
    pid_t pid; /* 0: there is none */
    char name[32];
    uint64_t resident_bytes; /* its own pages */
};

/*
 * Looks at what each of them has mapped, some 100 us a process: one without that library, a path or
 * a soname, at two looks in a row is a stranger, since one that has just begun may have loaded
 * nothing yet. `stranger` becomes the one that holds most, if it holds more than that does by now.
 */
void process_tree_look(struct process_tree *tree, const char *library,
                       struct tree_stranger *stranger);

/* Closes the descriptors. */
void process_tree_free(struct process_tree *tree);

#endif
