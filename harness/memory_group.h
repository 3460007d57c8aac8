/*
 * The memory cgroup of one sample: the kernel keeps its limit, and tells what it killed for it.
 * Leaves out where groups can be made (harness/memory_parent.h). Formats: the kernel's
 * Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst.
 */
#ifndef TIDEMARK_HARNESS_MEMORY_GROUP_H
#define TIDEMARK_HARNESS_MEMORY_GROUP_H

#include <stdint.h>

enum { MEMORY_GROUP_NAME_BYTES = 48 };

struct memory_group {
    int version;   /* of cgroups, 1 or 2; 0: there is no group */
    int parent_fd; /* the folder in which it was made, which outlives it */
    int folder_fd;
    int procs_fd; /* for memory_group_enter */
    uint64_t limit_bytes;
    char name[MEMORY_GROUP_NAME_BYTES];
};

/* What is no group: every function below may be called with it, and does nothing. */
#define MEMORY_GROUP_NONE ((struct memory_group){.parent_fd = -1, .folder_fd = -1, .procs_fd = -1})

/* What the kernel has done to the processes of a group. */
enum memory_kill {
    MEMORY_KILL_NONE,
    MEMORY_KILL_LIMIT,     /* killed one or more, above the group's own limit */
    MEMORY_KILL_ELSEWHERE, /* killed one or more, for a group above it or the whole machine */
};

/*
 * Makes the group `name` in the folder `parent_fd`, in which its processes may hold `limit_bytes`
 * of memory and swap none of it. Returns 0, or a negative errno with nothing left: -EEXIST when
 * there is such a group. memory_group_remove undoes it. Some 50 us.
 */
int memory_group_make(struct memory_group *group, int version, int parent_fd, const char *name,
                      uint64_t limit_bytes);

/*
 * Puts the calling process, all its threads, into the group of which `procs_fd` is; -1 is none.
 * Returns 0 or a negative errno. Async-signal-safe. Some 8 ms, for which the kernel waits until no
 * process forks or ends (a grace period of cgroup_threadgroup_rwsem).
 */
int memory_group_enter(int procs_fd);

/* An enum memory_kill, or a negative errno when the kernel does not tell. */
int memory_group_kill_of(const struct memory_group *group);

/*
 * Bytes that are charged to the group now: all that its limit is of. Returns 0, or a negative errno
 * with the output untouched; -ENOENT for no group. The kernel charges 64 pages at once and keeps
 * what is left of them by core, so it may be 256 KiB too much for each. Some 2 us.
 */
int memory_group_charge(const struct memory_group *group, uint64_t *bytes);

/*
 * Kills every process that is left in the group and removes it. Returns 0, or a negative errno when
 * it is still there after five seconds: then a process of it can't be killed. Some 20 us when it is
 * empty. Pages of files that its processes read stay charged to it, in the kernel, and so to no
 * later group.
 */
int memory_group_remove(struct memory_group *group);

#endif
