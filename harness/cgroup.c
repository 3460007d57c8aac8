/*
 * Reads /proc/self/cgroup and the limit of the group found there. Leaves out mounts in other places
 * than /sys/fs/cgroup.
 */
#define _GNU_SOURCE
#include "harness/cgroup.h"

#include "harness/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "memory" among "cpu,memory". */
static int names_memory(const char *controllers, size_t length)
{
    static const char memory[] = "memory";

    while (length > 0) {
        const char *comma = memchr(controllers, ',', length);
        size_t word = comma ? (size_t)(comma - controllers) : length;
        if (word == sizeof memory - 1 && memcmp(controllers, memory, word) == 0)
            return 1;
        controllers += word + (comma != NULL);
        length -= word + (comma != NULL);
    }
    return 0;
}

int cgroup_of_line(const char *line, char *group, size_t group_bytes)
{
    const char *controllers = strchr(line, ':');
    const char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    int version;

    if (!path)
        return 0;
    controllers++;
    if (controllers == path)
        version = 2;
    else if (names_memory(controllers, (size_t)(path - controllers)))
        version = 1;
    else
        return 0;
    snprintf(group, group_bytes, "%.*s", (int)strcspn(path + 1, "\n"), path + 1);
    return version;
}

/* The group that limits memory: v1's where the memory controller is there, else v2's. */
static int own_group(char *group, size_t group_bytes)
{
    char line[512], found[512];
    FILE *file = fopen("/proc/self/cgroup", "re");
    int version = 0;

    while (file && version != 1 && fgets(line, sizeof line, file)) {
        int of_line = cgroup_of_line(line, found, sizeof found);
        if (of_line == 0)
            continue;
        version = of_line;
        snprintf(group, group_bytes, "%s", found);
    }
    if (file)
        fclose(file);
    return version;
}

int cgroup_memory_folder(char *folder, size_t folder_bytes)
{
    char group[512];
    int version = own_group(group, sizeof group);

    if (version != 0)
        snprintf(folder, folder_bytes, "/sys/fs/cgroup%s%s", version == 1 ? "/memory" : "", group);
    return version;
}

int cgroup_memory_limit(uint64_t *limit_bytes)
{
    /* v1 writes "no limit" as the largest number of pages, v2 as a word. */
    const uint64_t unlimited_bytes = UINT64_C(1) << 62;
    char folder[640], path[704], line[64];
    int version = cgroup_memory_folder(folder, sizeof folder);

    *limit_bytes = CGROUP_NO_LIMIT;
    if (version == 0)
        return 0;
    snprintf(path, sizeof path, "%s/%s", folder,
             version == 1 ? "memory.limit_in_bytes" : "memory.max");
    if (procfs_read_line(path, line, sizeof line) == 0 && line[0] >= '0' && line[0] <= '9' &&
        strtoull(line, NULL, 10) < unlimited_bytes)
        *limit_bytes = strtoull(line, NULL, 10);
    return version;
}

int cgroup_holds(const char *folder, pid_t pid)
{
    char path[704], line[32];
    int found = 0;

    snprintf(path, sizeof path, "%s/cgroup.procs", folder);
    FILE *file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof line, file))
        found = strtol(line, NULL, 10) == pid;
    if (file)
        fclose(file);
    return found;
}

int cgroup_write(int folder_fd, const char *file, const char *text)
{
    size_t length = strlen(text);
    int fd = openat(folder_fd, file, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    int error = write(fd, text, length) == (ssize_t)length ? 0 : -errno;
    close(fd);
    return error;
}

int cgroup_read(int folder_fd, const char *file, char *text, size_t text_bytes)
{
    int fd = openat(folder_fd, file, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    ssize_t got = read(fd, text, text_bytes - 1);
    int error = got < 0 ? -errno : 0;
    close(fd);
    if (!error)
        text[got] = '\0';
    return error;
}
