/*
 * All processes beneath one, and what they hold together: for programs that start others, of which
 * the largest alone says little. Leaves out those that leave the tree: a process whose parent ends
 * goes to the nearest subreaper above it (PR_SET_CHILD_SUBREAPER), which the root should be.
 *
 * What is resident is added up as statm has it: each process's own pages, and once the most that
 * any of them shares (files, shared memory), since programs of one tree mostly share the same
 * files. Statm cannot tell which own pages a fork shares with its parent, nor whether two large
 * shared mappings are the same: process_tree_rollup can, and costs milliseconds a GB. What it found
 * is used until it is asked again; a fork that is new is held to share all that it has.
 */
#ifndef TIDEMARK_HARNESS_PROCESS_TREE_H
#define TIDEMARK_HARNESS_PROCESS_TREE_H

#include "harness/procfs.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCESS_TREE_MOST = 4096, PROCESS_TREE_TEXT_BYTES = 1 << 16 };

struct tree_process {
    pid_t pid, parent;
    int statm_fd;
    int is_new;   /* since the last scan */
    int is_seen;  /* by the scan that goes on */
    int is_aside; /* it was started with what process_tree_init names */
    int is_copy;  /* a fork that has become no program yet */
    int is_same;  /* it has not even memory of its own, but its parent's: vfork, posix_spawn */
    uint64_t double_bytes; /* of its own pages: counted with other processes */
};

/* Some 300 KiB: not for a stack. Owns a descriptor for each process. */
struct process_tree {
    pid_t root;
    const char *aside;
    size_t count;
    uint64_t met;               /* processes that were ever in it */
    int has_program;            /* 1: one of those that count was more than a fork of the root */
    int error;                  /* of the scan that goes on: what was left out, a negative errno */
    uint64_t more_shared_bytes; /* than the most that one process shares, by the last rollup */
    struct tree_process processes[PROCESS_TREE_MOST]; /* without the root */
    char text[PROCESS_TREE_TEXT_BYTES];               /* of /proc, while it is scanned */
};

struct tree_memory {
    uint64_t resident_bytes;
    uint64_t doubt_bytes; /* how much of it may be counted twice, or be missing */
    size_t processes;     /* that still run, without those aside */
};

/*
 * The tree beneath `root`, empty until it is scanned. A process whose environment has `aside`
 * ("NAME=VALUE", which outlives the tree; NULL: none) is no part of what is added up; those that it
 * starts are, unless they have it too. Nothing fails.
 */
void process_tree_init(struct process_tree *tree, pid_t root, const char *aside);

/*
 * Looks for processes that are new, and forgets those that ended: some 20 us a process, 10 us more
 * for a fork that has become no program, and 10 us more where some stand aside. One that is started
 * and ends between two scans is never seen. Returns 0; -ENOENT or -ESRCH when the root has ended;
 * or another negative errno when processes were left out, -ENOBUFS where there are more than
 * PROCESS_TREE_MOST: what was known before stays known then. One thread at a time, as all here.
 */
int process_tree_scan(struct process_tree *tree);

/* Reads statm of all that are known: some 1 us a process. */
void process_tree_read(const struct process_tree *tree, struct tree_memory *memory);

/* 1 when process_tree_rollup may find what is another figure by a sixty-fourth and a MiB. */
int process_tree_is_in_doubt(const struct tree_memory *memory);

/*
 * The figures of /proc/PID/smaps_rollup added up, with what process_tree_read says from now on as
 * `rss_bytes`: each own page, and each shared page where shares (Pss) add up to more than one
 * process has, counts once. Some 10 ms a GB, for which a process that maps or unmaps waits.
 */
void process_tree_rollup(struct process_tree *tree, struct memory_rollup *rollup);

/*
 * Kills all of it but the root, those that are started meanwhile too, and waits until they have no
 * memory any more. Returns 0, or -EBUSY when one is left after five seconds. The root is to be a
 * subreaper that starts nothing itself meanwhile.
 */
int process_tree_kill(struct process_tree *tree);

/* A process that has not mapped what it should have. */
struct tree_stranger {
    pid_t pid; /* 0: there is none */
    char name[32];
    uint64_t resident_bytes; /* its own pages */
};

/* Of its own: below, it has hardly a heap, or has just begun and loaded nothing yet. */
enum { TREE_STRANGER_BYTES = 1 << 20 };

/*
 * Looks at what each of them has mapped, some 100 us a process: one without that library, a path or
 * a soname, that holds TREE_STRANGER_BYTES is a stranger. `stranger` becomes the one that holds
 * most, if it holds more than that does by now.
 */
void process_tree_look(struct process_tree *tree, const char *library,
                       struct tree_stranger *stranger);

/* Closes the descriptors. */
void process_tree_free(struct process_tree *tree);

#endif
