/*
 * What the kernel says of a process, behind one seam: every read of /proc that a figure rests on is
 * here. Leaves out cgroups. At 1 GiB resident a read of statm takes about a microsecond, of status
 * some, of smaps_rollup milliseconds, and the last stalls the target's mappings meanwhile: it is
 * read only while the target is parked.
 */
#ifndef TIDEMARK_HARNESS_PROCFS_H
#define TIDEMARK_HARNESS_PROCFS_H

#include <stdint.h>
#include <sys/types.h>

/* Of /proc/PID/smaps_rollup: bytes. */
struct memory_rollup {
    uint64_t rss_bytes;
    uint64_t pss_bytes;      /* each page's share of its processes */
    uint64_t anon_pss_bytes; /* the same of pages of no file and no shared memory */
    uint64_t uss_bytes;      /* Private_Clean + Private_Dirty */
    uint64_t lazyfree_bytes;
    uint64_t anon_huge_bytes;
    uint64_t swap_bytes;
};

/* Of /proc/PID/status: bytes. */
struct memory_status {
    uint64_t peak_bytes;       /* VmHWM: high-water mark since exec or since procfs_reset_peak */
    uint64_t page_table_bytes; /* VmPTE */
};

/* Opens /proc/PID/statm for procfs_read_statm. Returns a descriptor or a negative errno. */
int procfs_open_statm(pid_t pid);

/* Resident bytes, by one pread of at most 64 bytes; no allocation. Returns 0 or a negative errno.
 * Safe from any thread. */
int procfs_read_statm(int statm_fd, uint64_t *rss_bytes);

/* Each returns 0, or a negative errno with the output untouched. */
int procfs_read_rollup(pid_t pid, struct memory_rollup *rollup);
int procfs_read_status(pid_t pid, struct memory_status *status);

/* Sets the high-water mark to what is resident now (writes 5 to clear_refs, proc(5)). Returns 0 or
 * a negative errno. */
int procfs_reset_peak(pid_t pid);

/* 1 when that library, a soname or a path, is mapped by the process; its real file goes to `path`.
 */
int procfs_maps_file(pid_t pid, const char *library, char *path, size_t path_bytes);

/* How many processes the kernel has killed for memory since it started (oom_kill of /proc/vmstat);
 * 0 where it does not say. */
uint64_t procfs_oom_kills(void);

/* First line of a small file, without its newline, into `line`. Returns 0 or a negative errno. */
int procfs_read_line(const char *path, char *line, size_t line_bytes);

#endif
