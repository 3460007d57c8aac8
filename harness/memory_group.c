/*
 * The files of one memory cgroup. Leaves out memory.high and soft limits, which slow a process down
 * and so would change what is measured, and memory.force_empty, which would make the next sample
 * read its libraries from the disk again.
 */
#define _GNU_SOURCE
#include "harness/memory_group.h"

#include "harness/cgroup.h"
#include "harness/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A file that older kernels, or kernels without swap, do not have. */
static int put_if_there(int folder_fd, const char *file, const char *text)
{
    int error = cgroup_write(folder_fd, file, text);

    return error == -ENOENT ? 0 : error;
}

/* In v1 memsw counts memory and swap together, and is never below the limit of memory: set after
 * it. The switch of the kernel's kill is inherited from the group above. */
static int limit_v1(int folder_fd, const char *limit)
{
    int error = cgroup_write(folder_fd, "memory.limit_in_bytes", limit);

    if (!error)
        error = put_if_there(folder_fd, "memory.memsw.limit_in_bytes", limit);
    if (!error)
        error = put_if_there(folder_fd, "memory.swappiness", "0");
    if (!error)
        error = cgroup_write(folder_fd, "memory.oom_control", "0");
    return error;
}

static int limit_v2(int folder_fd, const char *limit)
{
    int error = cgroup_write(folder_fd, "memory.max", limit);

    if (!error)
        error = put_if_there(folder_fd, "memory.swap.max", "0");
    if (!error)
        error = put_if_there(folder_fd, "memory.oom.group", "1");
    return error;
}

int memory_group_make(struct memory_group *group, int version, int parent_fd, const char *name,
                      uint64_t limit_bytes)
{
    struct memory_group made = {.version = version,
                                .parent_fd = parent_fd,
                                .folder_fd = -1,
                                .procs_fd = -1,
                                .limit_bytes = limit_bytes};
    char limit[24];
    int error;

    snprintf(made.name, sizeof made.name, "%s", name);
    snprintf(limit, sizeof limit, "%" PRIu64, limit_bytes);
    if (mkdirat(parent_fd, name, 0755) != 0)
        return -errno;
    made.folder_fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    error = made.folder_fd < 0 ? -errno : 0;
    if (!error)
        error = version == 1 ? limit_v1(made.folder_fd, limit) : limit_v2(made.folder_fd, limit);
    if (error)
        goto undo;
    made.procs_fd = openat(made.folder_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (made.procs_fd >= 0) {
        *group = made;
        return 0;
    }
    error = -errno;

undo:
    memory_group_remove(&made);
    return error;
}

int memory_group_enter(int procs_fd)
{
    if (procs_fd < 0)
        return 0;
    return write(procs_fd, "0", 1) == 1 ? 0 : -errno;
}

/* The number of the line "key number" of a file; a file that is one number has the key "". */
static int get_number(int folder_fd, const char *file, const char *key, uint64_t *number)
{
    char text[512];
    size_t length = strlen(key);
    int error = cgroup_read(folder_fd, file, text, sizeof text);
    const char *line = text;

    if (error)
        return error;
    while (length > 0 && (strncmp(line, key, length) != 0 || line[length] != ' ')) {
        line = strchr(line, '\n');
        if (!line)
            return -ENODATA;
        line++;
    }
    *number = strtoull(line + length, NULL, 10);
    return 0;
}

/*
 * 1 when the group has been within a MiB of its limit. v1 has no count of its own out-of-memory
 * events: failcnt also counts where pages of files could be dropped, and Linux 6.18 leaves it at 0
 * where memsw has the same limit.
 */
static int was_at_limit_v1(const struct memory_group *group)
{
    const uint64_t near_bytes = 1 << 20; /* more than the kernel charges at once, 64 pages */
    uint64_t most = 0, most_with_swap = 0;

    get_number(group->folder_fd, "memory.max_usage_in_bytes", "", &most);
    get_number(group->folder_fd, "memory.memsw.max_usage_in_bytes", "", &most_with_swap);
    return most + near_bytes >= group->limit_bytes ||
           most_with_swap + near_bytes >= group->limit_bytes;
}

/* v2's `oom` counts the group's own events; one of a group above leaves it at 0. */
static int was_at_limit_v2(const struct memory_group *group)
{
    uint64_t events = 0;

    return get_number(group->folder_fd, "memory.events", "oom", &events) == 0 && events > 0;
}

/* In both versions oom_kill counts the processes of this group that the kernel killed, for whatever
 * limit it was. */
int memory_group_kill_of(const struct memory_group *group)
{
    int is_v1 = group->version == 1;
    uint64_t kills = 0;

    if (group->version == 0)
        return MEMORY_KILL_NONE;
    int error = get_number(group->folder_fd, is_v1 ? "memory.oom_control" : "memory.events",
                           "oom_kill", &kills);
    if (error)
        return error;
    if (kills == 0)
        return MEMORY_KILL_NONE;
    return (is_v1 ? was_at_limit_v1(group) : was_at_limit_v2(group)) ? MEMORY_KILL_LIMIT
                                                                     : MEMORY_KILL_ELSEWHERE;
}

int memory_group_charge(const struct memory_group *group, uint64_t *bytes)
{
    if (group->version == 0)
        return -ENOENT;
    return get_number(group->folder_fd,
                      group->version == 1 ? "memory.usage_in_bytes" : "memory.current", "", bytes);
}

/* The numbers of the group's processes, those beyond the room left out. */
enum { MOST_PIDS = 256 };

static size_t list_processes(int folder_fd, pid_t *pids)
{
    char text[MOST_PIDS * 8];
    size_t count = 0;
    char *end = text;

    if (cgroup_read(folder_fd, "cgroup.procs", text, sizeof text) != 0)
        return 0;
    for (char *at = text; count < MOST_PIDS; at = end + 1) {
        long pid = strtol(at, &end, 10);
        /* A number that the end of the room has cut has no newline. 0 is a process that this
         * process's namespace does not show; kill(2) would take it for the caller's own. */
        if (*end != '\n')
            break;
        if (pid > 1 && pid != getpid())
            pids[count++] = (pid_t)pid;
    }
    return count;
}

static int holds(int folder_fd, pid_t pid)
{
    pid_t pids[MOST_PIDS];
    size_t count = list_processes(folder_fd, pids);

    for (size_t i = 0; i < count; i++) {
        if (pids[i] == pid)
            return 1;
    }
    return 0;
}

/*
 * One process after the other: v2 does it at once where it has cgroup.kill (Linux 5.14). A number
 * that was read may be a stranger's by now; a descriptor of the process, with the number still in
 * the group after it was opened, is not.
 */
static void kill_all(const struct memory_group *group)
{
    pid_t pids[MOST_PIDS];

    if (group->version == 2 && cgroup_write(group->folder_fd, "cgroup.kill", "1") == 0)
        return;
    size_t count = list_processes(group->folder_fd, pids);
    for (size_t i = 0; i < count; i++) {
        int fd = pidfd_open(pids[i], 0);
        if (fd < 0)
            continue;
        if (holds(group->folder_fd, pids[i]))
            pidfd_send_signal(fd, SIGKILL, NULL, 0);
        close(fd);
    }
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* A killed process leaves its group some time after kill(2) has returned, and may fork until then:
 * so again and again. */
int memory_group_remove(struct memory_group *group)
{
    const uint64_t longest_ns = 5 * (uint64_t)CLOCK_SECOND_NS;
    struct timespec wait = {.tv_nsec = 1000000};
    uint64_t began_ns = clock_monotonic_ns();
    int error = 0;

    if (group->version == 0)
        return 0;
    for (;;) {
        if (group->folder_fd >= 0)
            kill_all(group);
        error = unlinkat(group->parent_fd, group->name, AT_REMOVEDIR) == 0 ? 0 : -errno;
        if (error != -EBUSY || clock_monotonic_ns() - began_ns > longest_ns)
            break;
        nanosleep(&wait, NULL);
    }
    close_fd(&group->procs_fd);
    close_fd(&group->folder_fd);
    *group = MEMORY_GROUP_NONE;
    return error == -ENOENT ? 0 : error;
}
