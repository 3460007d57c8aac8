/*
 * A folder that behaves as the folder of a cgroup does, as far as harness/memory_parent.c and
 * harness/memory_group.c look: files appear with a group, a group with a process is busy, and in v2
 * no group but the root has both processes and controllers for its groups. Of memory it has only
 * how much can be reclaimed. The calls of the program are wrapped by the linker (ld, --wrap).
 */
#ifndef TIDEMARK_TESTS_FAKE_CGROUP_H
#define TIDEMARK_TESTS_FAKE_CGROUP_H

#include <sys/types.h>

struct fake_cgroup {
    char folder[64]; /* of the group that holds this process */
    int version;
    int is_root;                /* v2: 1 for a group that may hold both */
    int has_no_kill;            /* v2: 1 for a kernel without cgroup.kill */
    int mkdir_error;            /* an errno that making a group is refused with, or 0 */
    int has_no_reclaim;         /* v2: 1 for a kernel without memory.reclaim */
    unsigned long reclaimable;  /* bytes of the usage of any group that can go */
    unsigned long most_at_once; /* v2: bytes that one write to memory.reclaim gets; 0: all */
    int restore_error;          /* an errno that a limit above 0 is refused with, or 0 */
};

extern struct fake_cgroup fake_cgroup;

/* A fresh folder whose only process is this one; v2 has a memory controller, not handed down. */
void fake_cgroup_start(int version);
void fake_cgroup_end(void);

/* Sets or reads a file, named from the folder; the text read is valid until the next call. */
void fake_cgroup_set(const char *file, const char *text);
const char *fake_cgroup_get(const char *file);

/* Makes a group as another program would. */
void fake_cgroup_make(const char *name);

/* 1 when a group, or file, of that name is there. */
int fake_cgroup_has(const char *name);

#endif
