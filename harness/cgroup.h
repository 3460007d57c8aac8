/*
 * The control group that counts this process's memory, and its limit. Leaves out setting limits,
 * and the groups above it. Formats: cgroups(7).
 */
#ifndef TIDEMARK_HARNESS_CGROUP_H
#define TIDEMARK_HARNESS_CGROUP_H

#include <stddef.h>
#include <stdint.h>

#define CGROUP_NO_LIMIT ((uint64_t)INT64_MAX)

/*
 * The group of one line of /proc/PID/cgroup that may limit memory. Returns the version of cgroups,
 * 1 or 2, with the group in `group`; 0 for a line of another controller, or of no known form.
 * Thread-safe.
 */
int cgroup_of_line(const char *line, char *group, size_t group_bytes);

/*
 * The limit of this process's own group, CGROUP_NO_LIMIT where it has none or none is seen. Returns
 * the version: v1 where the memory controller is there, else v2; 0 where no group counts memory.
 * Thread-safe.
 */
int cgroup_memory_limit(uint64_t *limit_bytes);

#endif
