/*
 * Where the memory groups of samples are made: beneath the group of this process, whose limits so
 * stay in force. Leaves out one group's limit and end (harness/memory_group.h). Rules: cgroups(7),
 * and in the kernel's Documentation/admin-guide/cgroup-v2.rst "No Internal Process Constraint".
 */
#ifndef TIDEMARK_HARNESS_MEMORY_PARENT_H
#define TIDEMARK_HARNESS_MEMORY_PARENT_H

#include "harness/memory_group.h"

enum { MEMORY_PARENT_REASON_BYTES = 256, MEMORY_PARENT_FOLDER_BYTES = 640 };

struct memory_parent {
    int version;                           /* of the groups that can be made, 1 or 2; 0: none can */
    int folder_fd;                         /* of this process's own group, or -1 */
    _Atomic unsigned made;                 /* groups so far: they number the names */
    int has_enabled_memory, waits_in_leaf; /* v2: what memory_parent_close undoes */
    char reason[MEMORY_PARENT_REASON_BYTES]; /* why none can be made; else empty */
    char folder[MEMORY_PARENT_FOLDER_BYTES];
};

/*
 * Finds this process's own group, removes the empty groups that runs which were killed have left
 * in it, and tries a new one out with a process. Where one cannot be had, `reason` says why and
 * nothing else has changed. In v2 a group that holds processes cannot limit a part of them, but for
 * the root; so, where this process is alone in its group, it waits in one beneath it until
 * memory_parent_close. No other process is moved, and no controller enabled beside groups of
 * others. Forks: call it before there are threads. Some 10 ms.
 */
void memory_parent_open(struct memory_parent *parent);

/* The same in the folder of a group that is given: where tests have theirs. */
void memory_parent_open_at(struct memory_parent *parent, int version, const char *folder);

/*
 * A fresh group `tidemark-PID-NUMBER`. Returns 0, or a negative errno with `group` untouched:
 * -ENOTSUP when none can be made.
 */
int memory_parent_make(struct memory_parent *parent, uint64_t limit_bytes,
                       struct memory_group *group);

/* After its groups have been removed: puts back what memory_parent_open has changed. */
void memory_parent_close(struct memory_parent *parent);

#endif
