/* The rules of tests/fake_cgroup.h on plain files. Leaves out threads, and the keeping of a limit.
 * Failures of its own end the test with a message. */
#define _GNU_SOURCE
#include "tests/fake_cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_ROOM = 512, TEXT_ROOM = 1024 };

struct fake_cgroup fake_cgroup;

/* The names are those that the linker's --wrap gives. NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_mkdirat(int folder_fd, const char *name, mode_t mode);
int __real_unlinkat(int folder_fd, const char *name, int flags);
ssize_t __real_write(int fd, const void *text, size_t length);
int __wrap_mkdirat(int folder_fd, const char *name, mode_t mode);
int __wrap_unlinkat(int folder_fd, const char *name, int flags);
ssize_t __wrap_write(int fd, const void *text, size_t length);
/* NOLINTEND(bugprone-reserved-identifier) */

_Noreturn static void give_up(const char *what)
{
    fprintf(stderr, "fake cgroup: %s: %s\n", what, strerror(errno));
    abort();
}

static void join(char path[PATH_ROOM], const char *folder, const char *name)
{
    if (snprintf(path, PATH_ROOM, "%s/%s", folder, name) >= PATH_ROOM)
        give_up("a path that is too long");
}

/* The path behind a descriptor, when it is in the folder; else NULL. */
static const char *path_of(int fd, char target[PATH_ROOM])
{
    char descriptor[64];
    size_t length = strlen(fake_cgroup.folder);

    snprintf(descriptor, sizeof descriptor, "/proc/self/fd/%d", fd);
    ssize_t got = readlink(descriptor, target, PATH_ROOM - 1);
    if (got < 0 || length == 0)
        return NULL;
    target[got] = '\0';
    int is_inside = strncmp(target, fake_cgroup.folder, length) == 0 &&
                    (target[length] == '/' || target[length] == '\0');
    return is_inside ? target : NULL;
}

static void read_file(const char *group, const char *file, char text[TEXT_ROOM])
{
    char path[PATH_ROOM];

    join(path, group, file);
    FILE *opened = fopen(path, "re");
    size_t got = opened ? fread(text, 1, TEXT_ROOM - 1, opened) : 0;
    text[got] = '\0';
    if (opened)
        fclose(opened);
}

/* Without write(2), which is wrapped. */
static void write_file(const char *group, const char *file, const char *text)
{
    char path[PATH_ROOM];

    join(path, group, file);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || __real_write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        give_up(path);
    close(fd);
}

static int is_alive(pid_t pid)
{
    char path[64], text[TEXT_ROOM];

    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    read_file(path, "stat", text);
    const char *state = strrchr(text, ')');
    return state && state[2] != 'Z';
}

/* Calls `visit` for each living process of the group; returns how many they are. */
static int for_each_process(const char *group, void (*visit)(pid_t pid))
{
    char text[TEXT_ROOM], *rest = text, *word;
    int count = 0;

    read_file(group, "cgroup.procs", text);
    while ((word = strsep(&rest, "\n")) != NULL) {
        pid_t pid = (pid_t)strtol(word, NULL, 10);
        if (pid <= 0 || !is_alive(pid))
            continue;
        count++;
        if (visit)
            visit(pid);
    }
    return count;
}

static void kill_process(pid_t pid)
{
    kill(pid, SIGKILL);
}

/* Calls `visit` for each group in the folder; returns how many they are. */
static int for_each_group(const char *group, void (*visit)(const char *group, pid_t pid), pid_t pid)
{
    char path[PATH_ROOM];
    DIR *folder = opendir(group);
    struct dirent *entry;
    int count = 0;

    while (folder && (entry = readdir(folder)) != NULL) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        count++;
        join(path, group, entry->d_name);
        if (visit)
            visit(path, pid);
    }
    if (folder)
        closedir(folder);
    return count;
}

static void drop_process(const char *group, pid_t pid)
{
    char text[TEXT_ROOM], kept[TEXT_ROOM] = "", *rest = text, *word;

    read_file(group, "cgroup.procs", text);
    while ((word = strsep(&rest, "\n")) != NULL) {
        if (word[0] && strtol(word, NULL, 10) != pid)
            sprintf(kept + strlen(kept), "%s\n", word);
    }
    write_file(group, "cgroup.procs", kept);
}

static int may_hold_both(const char *group)
{
    return fake_cgroup.is_root && strcmp(group, fake_cgroup.folder) == 0;
}

static int move_caller(const char *group)
{
    char text[TEXT_ROOM], line[24];

    read_file(group, "cgroup.subtree_control", text);
    if (fake_cgroup.version == 2 && text[0] && !may_hold_both(group))
        return EBUSY;
    drop_process(fake_cgroup.folder, getpid());
    for_each_group(fake_cgroup.folder, drop_process, getpid());
    read_file(group, "cgroup.procs", text);
    snprintf(line, sizeof line, "%d\n", (int)getpid());
    write_file(group, "cgroup.procs", strncat(text, line, TEXT_ROOM - strlen(text) - 1));
    return 0;
}

static int hand_down(const char *group, const char *text)
{
    char controllers[TEXT_ROOM];

    read_file(group, "cgroup.controllers", controllers);
    if (!strstr(controllers, "memory"))
        return ENOENT;
    if (text[0] == '+' && for_each_process(group, NULL) > 0 && !may_hold_both(group))
        return EBUSY;
    write_file(group, "cgroup.subtree_control", text[0] == '+' ? "memory\n" : "");
    return 0;
}

static void fill(const char *group, const char *controllers)
{
    write_file(group, "cgroup.procs", "");
    if (fake_cgroup.version == 1) {
        write_file(group, "memory.limit_in_bytes", "9223372036854771712\n");
        write_file(group, "memory.memsw.limit_in_bytes", "9223372036854771712\n");
        write_file(group, "memory.swappiness", "60\n");
        write_file(group, "memory.usage_in_bytes", "0\n");
        write_file(group, "memory.max_usage_in_bytes", "0\n");
        write_file(group, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
        return;
    }
    write_file(group, "cgroup.controllers", controllers);
    write_file(group, "cgroup.subtree_control", "");
    if (!fake_cgroup.has_no_kill)
        write_file(group, "cgroup.kill", "");
    if (!strstr(controllers, "memory"))
        return;
    write_file(group, "memory.max", "max\n");
    write_file(group, "memory.current", "0\n");
    write_file(group, "memory.high", "max\n");
    if (!fake_cgroup.has_no_reclaim)
        write_file(group, "memory.reclaim", "");
    write_file(group, "memory.swap.max", "max\n");
    write_file(group, "memory.oom.group", "0\n");
    write_file(group, "memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n");
}

int __wrap_mkdirat(int folder_fd, const char *name, mode_t mode)
{
    char folder[PATH_ROOM], group[PATH_ROOM], controllers[TEXT_ROOM];
    int is_inside = path_of(folder_fd, folder) != NULL;

    if (is_inside && fake_cgroup.mkdir_error) {
        errno = fake_cgroup.mkdir_error;
        return -1;
    }
    if (__real_mkdirat(folder_fd, name, mode) != 0)
        return -1;
    if (is_inside) {
        read_file(folder, "cgroup.subtree_control", controllers);
        join(group, folder, name);
        fill(group, controllers);
    }
    return 0;
}

static void remove_files(const char *group)
{
    char path[PATH_ROOM];
    DIR *folder = opendir(group);
    struct dirent *entry;

    while (folder && (entry = readdir(folder)) != NULL) {
        join(path, group, entry->d_name);
        if (entry->d_type == DT_REG)
            unlink(path);
    }
    if (folder)
        closedir(folder);
}

int __wrap_unlinkat(int folder_fd, const char *name, int flags)
{
    char folder[PATH_ROOM], group[PATH_ROOM];

    if (flags == AT_REMOVEDIR && path_of(folder_fd, folder)) {
        join(group, folder, name);
        if (for_each_process(group, NULL) > 0 || for_each_group(group, NULL, 0) > 0) {
            errno = EBUSY;
            return -1;
        }
        remove_files(group);
    }
    return __real_unlinkat(folder_fd, name, flags);
}

/* Takes at most so many bytes from the usage of the group, as far as they can go. Returns how many.
 */
static unsigned long reclaim(const char *group, unsigned long most)
{
    const char *file = fake_cgroup.version == 1 ? "memory.usage_in_bytes" : "memory.current";
    char text[TEXT_ROOM];
    unsigned long gone = most < fake_cgroup.reclaimable ? most : fake_cgroup.reclaimable;

    read_file(group, file, text);
    fake_cgroup.reclaimable -= gone;
    snprintf(text, sizeof text, "%lu\n", strtoul(text, NULL, 10) - gone);
    write_file(group, file, text);
    return gone;
}

/* v1: a limit below the usage is taken once so much has gone, else refused. */
static int limit(const char *group, const char *file, const char *text)
{
    char usage[TEXT_ROOM];

    read_file(group, "memory.usage_in_bytes", usage);
    unsigned long used = strtoul(usage, NULL, 10), limited = strtoul(text, NULL, 10);
    if (limited > 0 && fake_cgroup.restore_error)
        return fake_cgroup.restore_error;
    if (used > limited && reclaim(group, used - limited) < used - limited)
        return EBUSY;
    write_file(group, file, text);
    return 0;
}

/* v2: less than was asked for is EAGAIN. */
static int reclaim_by_file(const char *group, const char *text)
{
    unsigned long asked = strtoul(text, NULL, 10);
    unsigned long most = fake_cgroup.most_at_once && asked > fake_cgroup.most_at_once
                             ? fake_cgroup.most_at_once
                             : asked;

    return reclaim(group, most) < asked ? EAGAIN : 0;
}

static int set_high(const char *group, const char *text)
{
    if (strcmp(text, "max") == 0 && fake_cgroup.restore_error)
        return fake_cgroup.restore_error;
    if (strcmp(text, "max") != 0)
        reclaim(group, ~0ul);
    write_file(group, "memory.high", text);
    return 0;
}

/* A file of a group takes a value as a whole. */
static int take(const char *group, const char *file, const char *text)
{
    if (strcmp(file, "memory.limit_in_bytes") == 0)
        return limit(group, file, text);
    if (strcmp(file, "memory.reclaim") == 0)
        return reclaim_by_file(group, text);
    if (strcmp(file, "memory.high") == 0)
        return set_high(group, text);
    if (strcmp(file, "cgroup.procs") == 0)
        return strcmp(text, "0") == 0 ? move_caller(group) : EINVAL;
    if (strcmp(file, "cgroup.subtree_control") == 0)
        return hand_down(group, text);
    if (strcmp(file, "cgroup.kill") == 0)
        for_each_process(group, kill_process);
    else if (strcmp(file, "memory.oom_control") != 0)
        write_file(group, file, text);
    return 0;
}

ssize_t __wrap_write(int fd, const void *text, size_t length)
{
    char path[PATH_ROOM], value[64];

    if (!path_of(fd, path) || length >= sizeof value)
        return __real_write(fd, text, length);
    memcpy(value, text, length);
    value[length] = '\0';
    char *slash = strrchr(path, '/');
    *slash = '\0';
    int error = take(path, slash + 1, value);
    if (error)
        errno = error;
    return error ? -1 : (ssize_t)length;
}

void fake_cgroup_start(int version)
{
    char own[24];

    fake_cgroup = (struct fake_cgroup){.version = version};
    strcpy(fake_cgroup.folder, "/tmp/tidemark-cgroup-XXXXXX");
    if (!mkdtemp(fake_cgroup.folder))
        give_up("mkdtemp");
    fill(fake_cgroup.folder, "cpu memory pids\n");
    snprintf(own, sizeof own, "%d\n", (int)getpid());
    fake_cgroup_set("cgroup.procs", own);
}

static void remove_group(const char *group, pid_t pid)
{
    (void)pid;
    remove_files(group);
    rmdir(group);
}

void fake_cgroup_end(void)
{
    for_each_group(fake_cgroup.folder, remove_group, 0);
    remove_group(fake_cgroup.folder, 0);
    fake_cgroup = (struct fake_cgroup){0};
}

void fake_cgroup_set(const char *file, const char *text)
{
    write_file(fake_cgroup.folder, file, text);
}

const char *fake_cgroup_get(const char *file)
{
    static char text[TEXT_ROOM];

    read_file(fake_cgroup.folder, file, text);
    return text;
}

void fake_cgroup_make(const char *name)
{
    char group[PATH_ROOM];

    join(group, fake_cgroup.folder, name);
    if (mkdir(group, 0755) != 0)
        give_up(group);
    fill(group, fake_cgroup_get("cgroup.subtree_control"));
}

int fake_cgroup_has(const char *name)
{
    char path[PATH_ROOM];

    join(path, fake_cgroup.folder, name);
    return access(path, F_OK) == 0;
}
