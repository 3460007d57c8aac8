/*
 * Reads /proc. Leaves out caching: each call is one look. Formats: proc(5),
 * Documentation/filesystems/proc.rst.
 */
#define _GNU_SOURCE
#include "harness/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_of(pid_t pid, const char *file, int flags)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    int fd = open(path, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int procfs_open_statm(pid_t pid)
{
    return open_of(pid, "statm", O_RDONLY);
}

int procfs_read_statm(int statm_fd, uint64_t *rss_bytes)
{
    /* glibc answers from the auxiliary vector: no system call. */
    const uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    char text[64];
    ssize_t got = pread(statm_fd, text, sizeof text - 1, 0);

    if (got <= 0)
        return got < 0 ? -errno : -ESRCH;
    text[got] = '\0';
    const char *second = strchr(text, ' ');
    if (!second)
        return -EINVAL;
    *rss_bytes = strtoull(second, NULL, 10) * page_bytes;
    return 0;
}

/* The whole of a small file; NUL-terminated. Returns its length or a negative errno. */
static ssize_t read_all(int fd, char *text, size_t text_bytes)
{
    size_t used = 0;

    while (used + 1 < text_bytes) {
        ssize_t got = read(fd, text + used, text_bytes - 1 - used);
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        used += (size_t)got;
    }
    text[used] = '\0';
    return (ssize_t)used;
}

/* Reads a file of "Key:   123 kB" lines into `text`. */
static int read_table(pid_t pid, const char *file, char *text, size_t text_bytes)
{
    int fd = open_of(pid, file, O_RDONLY);

    if (fd < 0)
        return fd;
    ssize_t got = read_all(fd, text, text_bytes);
    close(fd);
    if (got < 0)
        return (int)got;
    return got == 0 ? -ESRCH : 0;
}

/* The value of `key`, "\nRss:" and the like, in bytes; 0 when the kernel has no such line. */
static uint64_t table_bytes(const char *text, const char *key)
{
    const char *line = strstr(text, key);

    return line ? strtoull(line + strlen(key), NULL, 10) * 1024 : 0;
}

int procfs_read_rollup(pid_t pid, struct memory_rollup *rollup)
{
    char text[4096];
    int error = read_table(pid, "smaps_rollup", text, sizeof text);

    if (error)
        return error;
    *rollup = (struct memory_rollup){
        .rss_bytes = table_bytes(text, "\nRss:"),
        .pss_bytes = table_bytes(text, "\nPss:"),
        .anon_pss_bytes = table_bytes(text, "\nPss_Anon:"),
        .uss_bytes = table_bytes(text, "\nPrivate_Clean:") + table_bytes(text, "\nPrivate_Dirty:"),
        .lazyfree_bytes = table_bytes(text, "\nLazyFree:"),
        .anon_huge_bytes = table_bytes(text, "\nAnonHugePages:"),
        .swap_bytes = table_bytes(text, "\nSwap:"),
    };
    return 0;
}

int procfs_read_status(pid_t pid, struct memory_status *status)
{
    char text[8192];
    int error = read_table(pid, "status", text, sizeof text);

    if (error)
        return error;
    if (!strstr(text, "\nVmHWM:"))
        return -ESRCH; /* a zombie has a status and no memory */
    *status = (struct memory_status){
        .peak_bytes = table_bytes(text, "\nVmHWM:"),
        .page_table_bytes = table_bytes(text, "\nVmPTE:"),
    };
    return 0;
}

int procfs_reset_peak(pid_t pid)
{
    int fd = open_of(pid, "clear_refs", O_WRONLY);

    if (fd < 0)
        return fd;
    int error = write(fd, "5", 1) == 1 ? 0 : -errno;
    close(fd);
    return error;
}

/*
 * 1 when `file` is what `library` names. A library is mapped by its real file: that of a path, and
 * for a soname libjemalloc.so.2 or libmimalloc.so.2.0, which the soname begins.
 */
static int is_library(const char *file, const char *library)
{
    const char *name = strrchr(file, '/') + 1;
    char real[PATH_MAX];

    if (strchr(library, '/'))
        return realpath(library, real) && strcmp(file, real) == 0;
    return strncmp(name, library, strlen(library)) == 0 && strchr(".", name[strlen(library)]);
}

int procfs_maps_file(pid_t pid, const char *library, char *path, size_t path_bytes)
{
    char *line = NULL;
    size_t line_bytes = 0;
    int found = 0;
    int fd = open_of(pid, "maps", O_RDONLY);
    FILE *maps = fd < 0 ? NULL : fdopen(fd, "r");

    if (!maps) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    while (!found && getline(&line, &line_bytes, maps) > 0) {
        char *file = strchr(line, '/');
        if (!file)
            continue;
        file[strcspn(file, "\n")] = '\0';
        if (!is_library(file, library))
            continue;
        snprintf(path, path_bytes, "%s", file);
        found = 1;
    }
    free(line);
    fclose(maps);
    return found;
}

int procfs_read_line(const char *path, char *line, size_t line_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    ssize_t got = read_all(fd, line, line_bytes);
    close(fd);
    if (got < 0)
        return (int)got;
    line[strcspn(line, "\n")] = '\0';
    return 0;
}

uint64_t procfs_oom_kills(void)
{
    char text[16384];
    int fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return 0;
    ssize_t got = read_all(fd, text, sizeof text);
    close(fd);
    const char *line = got > 0 ? strstr(text, "\noom_kill ") : NULL;
    return line ? strtoull(line + strlen("\noom_kill "), NULL, 10) : 0;
}
