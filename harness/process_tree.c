/*
 * /proc/PID/task/TID/children, level by level: see process_tree.h. Leaves out process groups and
 * sessions, which a program may leave.
 */
#define _GNU_SOURCE
#include "harness/process_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 64 };

void process_tree_init(struct process_tree *tree, pid_t root, const char *aside)
{
    tree->root = root;
    tree->aside = aside;
    tree->count = 0;
    tree->met = 0;
    tree->is_full = 0;
}

static struct tree_process *find(struct process_tree *tree, pid_t pid)
{
    for (size_t i = 0; i < tree->count; i++)
        if (tree->processes[i].pid == pid)
            return &tree->processes[i];
    return NULL;
}

static void meet(struct process_tree *tree, pid_t pid)
{
    struct tree_process *known = find(tree, pid);

    if (known) {
        known->is_seen = 1;
        return;
    }
    if (tree->count == PROCESS_TREE_MOST) {
        tree->is_full = 1;
        return;
    }
    const int statm_fd = procfs_open_statm(pid);
    if (statm_fd < 0)
        return; /* it has ended */
    tree->processes[tree->count++] =
        (struct tree_process){.pid = pid, .statm_fd = statm_fd, .is_seen = 1};
    tree->met++;
}

/* Numbers separated by spaces, as the kernel writes them. */
static void meet_all(struct process_tree *tree, char *text)
{
    char *end;

    for (long pid = strtol(text, &end, 10); end != text; pid = strtol(text, &end, 10)) {
        meet(tree, (pid_t)pid);
        text = end;
    }
}

/* A file of /proc into `tree->text`, with a 0 behind it. Returns its bytes; 0 where it cannot be
 * read. */
static size_t read_text(struct process_tree *tree, int folder_fd, const char *path)
{
    const int fd = openat(folder_fd, path, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    ssize_t got;

    while (fd >= 0 && used < sizeof tree->text - 1 &&
           (got = read(fd, tree->text + used, sizeof tree->text - 1 - used)) > 0)
        used += (size_t)got;
    if (fd >= 0)
        close(fd);
    tree->text[used] = '\0';
    return used;
}

static void meet_children_of(struct process_tree *tree, int task_fd, const char *tid)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof path, "%.20s/children", tid);
    if (read_text(tree, task_fd, path) > 0)
        meet_all(tree, tree->text);
}

/* Children belong to the thread that forked them. Returns 0 or a negative errno. */
static int scan_process(struct process_tree *tree, pid_t pid)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        return -errno;
    for (struct dirent *entry = readdir(tasks); entry; entry = readdir(tasks))
        if (entry->d_name[0] != '.')
            meet_children_of(tree, dirfd(tasks), entry->d_name);
    closedir(tasks);
    return 0;
}

static void forget_unseen(struct process_tree *tree)
{
    size_t kept = 0;

    for (size_t i = 0; i < tree->count; i++) {
        if (tree->processes[i].is_seen)
            tree->processes[kept++] = tree->processes[i];
        else
            close(tree->processes[i].statm_fd);
    }
    tree->count = kept;
}

static int stands_aside(struct process_tree *tree, pid_t pid)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    const size_t bytes = read_text(tree, AT_FDCWD, path);
    for (size_t at = 0; at < bytes; at += strlen(tree->text + at) + 1)
        if (strcmp(tree->text + at, tree->aside) == 0)
            return 1;
    return 0;
}

/* Anew each time: a process has the environment of its parent until it becomes another program. */
static void set_aside(struct process_tree *tree)
{
    for (size_t i = 0; i < tree->count && tree->aside; i++)
        tree->processes[i].is_aside = stands_aside(tree, tree->processes[i].pid);
}

int process_tree_scan(struct process_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        tree->processes[i].is_seen = 0;
    const int error = scan_process(tree, tree->root);
    /* What is met is appended, and its own children are looked for in turn; known ones again. */
    for (size_t i = 0; i < tree->count && !error; i++)
        if (tree->processes[i].is_seen)
            (void)scan_process(tree, tree->processes[i].pid);
    /* A process that was known may be the child of one that comes behind it. */
    for (size_t i = 0; i < tree->count && !error; i++)
        if (tree->processes[i].is_seen)
            (void)scan_process(tree, tree->processes[i].pid);
    forget_unseen(tree);
    set_aside(tree);
    return error;
}

/* The second and the third number of statm, in pages. Returns 0, or -1 for one that has ended. */
static int read_statm(int statm_fd, uint64_t *resident, uint64_t *shared)
{
    char text[128], *end;
    const ssize_t got = pread(statm_fd, text, sizeof text - 1, 0);

    if (got <= 0)
        return -1;
    text[got] = '\0';
    (void)strtoull(text, &end, 10);
    *resident = strtoull(end, &end, 10);
    *shared = strtoull(end, &end, 10);
    return *resident > 0 ? 0 : -1;
}

void process_tree_read(const struct process_tree *tree, struct tree_memory *memory)
{
    const uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t own = 0, most_shared = 0;

    memory->processes = 0;
    for (size_t i = 0; i < tree->count; i++) {
        uint64_t resident, shared;
        if (tree->processes[i].is_aside ||
            read_statm(tree->processes[i].statm_fd, &resident, &shared) != 0)
            continue;
        own += resident > shared ? resident - shared : 0;
        most_shared = shared > most_shared ? shared : most_shared;
        memory->processes++;
    }
    memory->resident_bytes = (own + most_shared) * page_bytes;
}

void process_tree_rollup(const struct process_tree *tree, struct memory_rollup *rollup)
{
    struct memory_rollup one;

    *rollup = (struct memory_rollup){0};
    for (size_t i = 0; i < tree->count; i++) {
        if (tree->processes[i].is_aside || procfs_read_rollup(tree->processes[i].pid, &one) != 0)
            continue;
        rollup->rss_bytes += one.pss_bytes;
        rollup->pss_bytes += one.pss_bytes;
        rollup->uss_bytes += one.uss_bytes;
        rollup->lazyfree_bytes += one.lazyfree_bytes;
        rollup->anon_huge_bytes += one.anon_huge_bytes;
        rollup->swap_bytes += one.swap_bytes;
    }
}

static void meet_stranger(const struct tree_process *process, struct tree_stranger *stranger)
{
    const uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t resident, shared;
    char path[PATH_BYTES];

    if (read_statm(process->statm_fd, &resident, &shared) != 0)
        return;
    const uint64_t own_bytes = (resident > shared ? resident - shared : 0) * page_bytes;
    if (stranger->pid != 0 && own_bytes <= stranger->resident_bytes)
        return;
    snprintf(path, sizeof path, "/proc/%d/comm", (int)process->pid);
    if (procfs_read_line(path, stranger->name, sizeof stranger->name) != 0)
        return;
    stranger->pid = process->pid;
    stranger->resident_bytes = own_bytes;
}

void process_tree_look(struct process_tree *tree, const char *library,
                       struct tree_stranger *stranger)
{
    char file[512];

    for (size_t i = 0; i < tree->count; i++) {
        struct tree_process *process = &tree->processes[i];
        if (process->is_aside || procfs_maps_file(process->pid, library, file, sizeof file))
            process->strange = 0;
        else if (++process->strange >= 2)
            meet_stranger(process, stranger);
    }
}

void process_tree_free(struct process_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        close(tree->processes[i].statm_fd);
    tree->count = 0;
}
