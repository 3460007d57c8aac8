/*
 * This process's own group as a place for the groups of samples. Leaves out mounts in other places
 * than /sys/fs/cgroup, and groups above or beside the own one, which are others' to arrange. v1 is
 * tested on the kernel; v2 on a folder of files (tests/fake_cgroup.h), and once on Linux 6.1 in a
 * virtual machine: as root and as a user, in the root group, alone in one, and sharing one.
 */
#define _GNU_SOURCE
#include "harness/memory_parent.h"

#include "harness/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME_PREFIX "tidemark-"

/* Room for a list of controllers, or for the processes of a group of which one is ours. */
enum { TEXT_BYTES = 512 };

__attribute__((format(printf, 2, 3))) static int refuse(struct memory_parent *parent,
                                                        const char *format, ...)
{
    va_list words;

    va_start(words, format);
    vsnprintf(parent->reason, sizeof parent->reason, format, words);
    va_end(words);
    return -ENOTSUP;
}

/* The groups that are there already. */

static DIR *open_groups(int folder_fd)
{
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *groups = fd < 0 ? NULL : fdopendir(fd);

    if (!groups && fd >= 0)
        close(fd);
    return groups;
}

/* The name of the next group, or NULL: each folder is one, and all else are files of this one. */
static const char *next_group(DIR *groups)
{
    struct dirent *entry;

    while ((entry = readdir(groups)) != NULL) {
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            return entry->d_name;
    }
    return NULL;
}

/* 1 when there is one of another name than `but`, also when that cannot be known. */
static int has_groups(int folder_fd, const char *but)
{
    DIR *groups = open_groups(folder_fd);
    const char *name;

    if (!groups)
        return 1;
    do
        name = next_group(groups);
    while (name && strcmp(name, but) == 0);
    closedir(groups);
    return name != NULL;
}

/* The process that made a group of that name; 0 for a name that is none of ours. */
static pid_t maker_of(const char *name)
{
    const size_t length = sizeof NAME_PREFIX - 1;
    char *end;

    if (strncmp(name, NAME_PREFIX, length) != 0 || name[length] < '1' || name[length] > '9')
        return 0;
    long pid = strtol(name + length, &end, 10);
    return *end == '-' && pid <= INT_MAX ? (pid_t)pid : 0;
}

/* A group with this process's number is one of an earlier process. */
static int is_gone(pid_t pid)
{
    return pid == getpid() || (kill(pid, 0) != 0 && errno == ESRCH);
}

/* Removes what killed runs left. The kernel keeps a group that holds a process (EBUSY). */
static void sweep(int folder_fd)
{
    DIR *groups = open_groups(folder_fd);
    const char *name;

    while (groups && (name = next_group(groups)) != NULL) {
        pid_t maker = maker_of(name);
        if (maker > 0 && is_gone(maker))
            unlinkat(folder_fd, name, AT_REMOVEDIR);
    }
    if (groups)
        closedir(groups);
}

/* v2: the own group has to hand the memory controller down. */

static int lists_memory(int folder_fd, const char *file)
{
    char text[TEXT_BYTES], *rest = text, *word;

    if (cgroup_read(folder_fd, file, text, sizeof text) != 0)
        return 0;
    while ((word = strsep(&rest, " \n")) != NULL) {
        if (strcmp(word, "memory") == 0)
            return 1;
    }
    return 0;
}

static int is_alone(int folder_fd)
{
    char text[TEXT_BYTES], own[24];

    snprintf(own, sizeof own, "%d\n", (int)getpid());
    return cgroup_read(folder_fd, "cgroup.procs", text, sizeof text) == 0 && !strcmp(text, own);
}

static int enable_memory(struct memory_parent *parent)
{
    int error = cgroup_write(parent->folder_fd, "cgroup.subtree_control", "+memory");

    parent->has_enabled_memory = error == 0;
    return error;
}

static const char *leaf_name(char name[MEMORY_GROUP_NAME_BYTES], const char *file)
{
    snprintf(name, MEMORY_GROUP_NAME_BYTES, NAME_PREFIX "%d-parent%s", (int)getpid(), file);
    return name;
}

static int wait_in_leaf(struct memory_parent *parent)
{
    char name[MEMORY_GROUP_NAME_BYTES];

    if (mkdirat(parent->folder_fd, leaf_name(name, ""), 0755) != 0)
        return -errno;
    int error = cgroup_write(parent->folder_fd, leaf_name(name, "/cgroup.procs"), "0");
    if (error)
        unlinkat(parent->folder_fd, leaf_name(name, ""), AT_REMOVEDIR);
    parent->waits_in_leaf = error == 0;
    return error;
}

/* Only the root may hold both processes and groups that limit memory: any other group refuses with
 * EBUSY while a process is in it. */
static int hand_memory_down(struct memory_parent *parent)
{
    int folder_fd = parent->folder_fd;

    if (!lists_memory(folder_fd, "cgroup.controllers"))
        return refuse(parent, "this process's group has no memory controller");
    if (lists_memory(folder_fd, "cgroup.subtree_control"))
        return 0;
    if (has_groups(folder_fd, ""))
        return refuse(parent, "this process's group holds groups of others, for which the memory "
                              "controller would be turned on too");
    int error = enable_memory(parent);
    if (error == -EBUSY && !is_alone(folder_fd))
        return refuse(parent, "this process shares its group with others, and a group that holds "
                              "processes cannot limit some of them");
    if (error == -EBUSY)
        error = wait_in_leaf(parent);
    if (!error && parent->waits_in_leaf)
        error = enable_memory(parent);
    return error ? refuse(parent, "the memory controller cannot be turned on: %s", strerror(-error))
                 : 0;
}

/* Puts a process into the group, which ends at once. */
static int try_to_enter(const struct memory_group *group)
{
    int status = 0;
    pid_t pid = fork();

    if (pid < 0)
        return -errno;
    if (pid == 0)
        _exit(-memory_group_enter(group->procs_fd)); /* an errno is below 256 */
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

static int try_out(struct memory_parent *parent)
{
    const uint64_t enough_bytes = UINT64_C(64) << 20;
    struct memory_group group;
    int error = memory_parent_make(parent, enough_bytes, &group);

    if (error)
        return refuse(parent, "no group can be made in this process's own: %s", strerror(-error));
    error = try_to_enter(&group);
    if (error)
        refuse(parent, "no process can be put into a new group: %s", strerror(-error));
    else if ((error = memory_group_kill_of(&group)) < 0)
        refuse(parent, "the kernel does not count what it kills in a group: %s", strerror(-error));
    int left = memory_group_remove(&group);
    if (left && !error)
        error = refuse(parent, "a new group cannot be removed: %s", strerror(-left));
    return error;
}

void memory_parent_open(struct memory_parent *parent)
{
    char folder[MEMORY_PARENT_FOLDER_BYTES];
    int version = cgroup_memory_folder(folder, sizeof folder);

    *parent = (struct memory_parent){.folder_fd = -1};
    if (version == 0)
        refuse(parent, "this process is in no group that counts memory");
    else if (!cgroup_holds(folder, getpid())) /* in some containers it is another group's */
        refuse(parent, "the folder of this process's group is not in /sys/fs/cgroup");
    else
        memory_parent_open_at(parent, version, folder);
}

void memory_parent_open_at(struct memory_parent *parent, int version, const char *folder)
{
    *parent = (struct memory_parent){.version = version,
                                     .folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    snprintf(parent->folder, sizeof parent->folder, "%s", folder);
    int error = parent->folder_fd < 0
                    ? refuse(parent, "the folder of this process's group cannot be opened: %s",
                             strerror(errno))
                    : 0;
    if (!error)
        sweep(parent->folder_fd);
    if (!error && version == 2)
        error = hand_memory_down(parent);
    if (!error)
        error = try_out(parent);
    if (error)
        memory_parent_close(parent);
}

int memory_parent_make(struct memory_parent *parent, uint64_t limit_bytes,
                       struct memory_group *group)
{
    enum { MOST_TRIES = 100 }; /* past groups that could not be removed */
    char name[MEMORY_GROUP_NAME_BYTES];
    int error = parent->version ? -EEXIST : -ENOTSUP;

    for (int tries = 0; error == -EEXIST && tries < MOST_TRIES; tries++) {
        snprintf(name, sizeof name, NAME_PREFIX "%d-%u", (int)getpid(), parent->made++);
        error = memory_group_make(group, parent->version, parent->folder_fd, name, limit_bytes);
    }
    return error;
}

/*
 * The controller stays on where someone else has begun to make groups. Only a group that hands none
 * down takes its process back; where it does not, this process ends in its leaf, and the next run
 * sweeps it.
 */
void memory_parent_close(struct memory_parent *parent)
{
    char leaf[MEMORY_GROUP_NAME_BYTES];

    leaf_name(leaf, "");
    if (parent->has_enabled_memory && !has_groups(parent->folder_fd, leaf))
        cgroup_write(parent->folder_fd, "cgroup.subtree_control", "-memory");
    if (parent->waits_in_leaf && cgroup_write(parent->folder_fd, "cgroup.procs", "0") == 0)
        unlinkat(parent->folder_fd, leaf, AT_REMOVEDIR);
    parent->has_enabled_memory = 0;
    parent->waits_in_leaf = 0;
    if (parent->folder_fd >= 0)
        close(parent->folder_fd);
    parent->folder_fd = -1;
    parent->version = 0;
}
