/*
 * The control group that counts this process's memory, its limit, and the files of any group.
 * Leaves out setting limits (harness/memory_group.h), and the groups above. Formats: cgroups(7).
 */
#ifndef TIDEMARK_HARNESS_CGROUP_H
#define TIDEMARK_HARNESS_CGROUP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CGROUP_NO_LIMIT ((uint64_t)INT64_MAX)

/*
 * The group of one line of /proc/PID/cgroup that may limit memory. Returns the version of cgroups,
 * 1 or 2, with the group in `group`; 0 for a line of another controller, or of no known form.
 * Thread-safe.
 */
int cgroup_of_line(const char *line, char *group, size_t group_bytes);

/*
 * The folder of this process's own group, v1's where the memory controller is there, else v2's.
 * Returns the version; 0 where no group counts memory. Thread-safe.
 */
int cgroup_memory_folder(char *folder, size_t folder_bytes);

/*
 * The limit of this process's own group, CGROUP_NO_LIMIT where it has none or none is seen. Returns
 * what cgroup_memory_folder does. Thread-safe.
 */
int cgroup_memory_limit(uint64_t *limit_bytes);

/* 1 when the group of that folder holds the process. Thread-safe. */
int cgroup_holds(const char *folder, pid_t pid);

/*
 * Writes `text` to the file of the group whose folder that is, or reads the file into `text`,
 * NUL-terminated and cut to its room. Each returns 0 or a negative errno. Thread-safe.
 */
int cgroup_write(int folder_fd, const char *file, const char *text);
int cgroup_read(int folder_fd, const char *file, char *text, size_t text_bytes);

#endif
