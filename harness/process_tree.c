/*
 * /proc/PID/task/TID/children, level by level: see process_tree.h. Leaves out process groups and
 * sessions, which a program may leave.
 */
#define _GNU_SOURCE
#include "harness/process_tree.h"

#include "harness/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 64, STATM_BYTES = 128 };

/* Of statm, in bytes. */
struct pages {
    uint64_t own_bytes, shared_bytes;
};

void process_tree_init(struct process_tree *tree, pid_t root, const char *aside)
{
    tree->root = root;
    tree->aside = aside;
    tree->count = 0;
    tree->met = 0;
    tree->has_program = 0;
    tree->error = 0;
    tree->more_shared_bytes = 0;
}

/* What has ended, or may not be seen, is left out in silence. */
static int is_gone(int error)
{
    return error == -ENOENT || error == -ESRCH || error == -EACCES || error == -EPERM;
}

static void note_error(struct process_tree *tree, int error)
{
    if (!is_gone(error) && !tree->error)
        tree->error = error;
}

/* The line of statm. Returns its bytes, or a negative errno: -ESRCH for one that was waited for. */
static ssize_t read_line(int statm_fd, char *text)
{
    const ssize_t got = pread(statm_fd, text, STATM_BYTES - 1, 0);

    text[got > 0 ? got : 0] = '\0';
    return got < 0 ? -errno : got;
}

/* Returns 0, or -ESRCH for one that has ended. */
static int read_statm(int statm_fd, struct pages *pages)
{
    const uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    char text[STATM_BYTES], *end;

    if (read_line(statm_fd, text) <= 0)
        return -ESRCH;
    (void)strtoull(text, &end, 10);
    const uint64_t resident = strtoull(end, &end, 10);
    const uint64_t shared = strtoull(end, &end, 10);
    if (resident == 0)
        return -ESRCH; /* not waited for yet */
    pages->own_bytes = (resident > shared ? resident - shared : 0) * page_bytes;
    pages->shared_bytes = shared * page_bytes;
    return 0;
}

static struct tree_process *find(struct process_tree *tree, pid_t pid)
{
    for (size_t i = 0; i < tree->count; i++)
        if (tree->processes[i].pid == pid)
            return &tree->processes[i];
    return NULL;
}

static void meet_anew(struct process_tree *tree, struct tree_process *process, pid_t parent,
                      pid_t pid)
{
    const int statm_fd = procfs_open_statm(pid);

    if (statm_fd < 0) {
        note_error(tree, statm_fd);
        return;
    }
    if (process == &tree->processes[tree->count])
        tree->count++;
    else
        close(process->statm_fd);
    *process = (struct tree_process){.pid = pid,
                                     .parent = parent,
                                     .statm_fd = statm_fd,
                                     .is_new = 1,
                                     .is_seen = 1,
                                     .is_copy = 1};
    tree->met++;
}

static void meet(struct process_tree *tree, pid_t parent, pid_t pid)
{
    struct tree_process *known = find(tree, pid);
    char text[STATM_BYTES];

    if (!known && tree->count == PROCESS_TREE_MOST)
        note_error(tree, -ENOBUFS);
    else if (!known)
        meet_anew(tree, &tree->processes[tree->count], parent, pid);
    else if (!known->is_seen && read_line(known->statm_fd, text) == -ESRCH)
        meet_anew(tree, known, parent, pid); /* the number is another's by now */
    else {
        known->parent = parent;
        known->is_seen = 1;
    }
}

/* Numbers separated by spaces, as the kernel writes them. */
static void meet_all(struct process_tree *tree, pid_t parent, char *text)
{
    char *end;

    for (long pid = strtol(text, &end, 10); end != text; pid = strtol(text, &end, 10)) {
        meet(tree, parent, (pid_t)pid);
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

    if (fd < 0)
        note_error(tree, -errno);
    while (fd >= 0 && used < sizeof tree->text - 1 &&
           (got = read(fd, tree->text + used, sizeof tree->text - 1 - used)) > 0)
        used += (size_t)got;
    if (fd >= 0)
        close(fd);
    tree->text[used] = '\0';
    return used;
}

static void meet_children_of(struct process_tree *tree, pid_t pid, int task_fd, const char *tid)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof path, "%.20s/children", tid);
    if (read_text(tree, task_fd, path) > 0)
        meet_all(tree, pid, tree->text);
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
            meet_children_of(tree, pid, dirfd(tasks), entry->d_name);
    closedir(tasks);
    return 0;
}

/* What is met is appended, and its own children are looked for in turn; known ones again. */
static void scan_seen(struct process_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        const int error =
            tree->processes[i].is_seen ? scan_process(tree, tree->processes[i].pid) : 0;
        if (error)
            note_error(tree, error);
    }
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

/* 1 for a fork that has not executed a program since: PF_FORKNOEXEC of include/linux/sched.h. */
static int is_a_copy(pid_t pid)
{
    enum { BEFORE_FLAGS = 7, FORK_NO_EXEC = 0x40 }; /* fields of proc(5), the name left behind */
    char path[PATH_BYTES], line[512];

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (procfs_read_line(path, line, sizeof line) != 0)
        return 1; /* it has ended as what it was */
    const char *at = strrchr(line, ')');
    for (int field = 0; at && field < BEFORE_FLAGS; field++)
        at = strchr(at + 1, ' ');
    return at && (strtoul(at, NULL, 10) & FORK_NO_EXEC) != 0;
}

/*
 * 1 where a fork has the very memory of its parent. Where kcmp(2) is refused, as in some
 * containers, the same line of statm says so: that of a fork with a copy, which has not mapped the
 * files again, is another one.
 */
static int is_its_parents(struct process_tree *tree, const struct tree_process *process)
{
    const long order = syscall(SYS_kcmp, process->parent, process->pid, KCMP_VM, 0, 0);
    const struct tree_process *parent = find(tree, process->parent);
    char own[STATM_BYTES], other[STATM_BYTES];

    if (order >= 0 || !parent)
        return order == 0;
    return read_line(process->statm_fd, own) > 0 && read_line(parent->statm_fd, other) > 0 &&
           strcmp(own, other) == 0;
}

/* A program that a fork becomes shares no page of its own. */
static void look_at_memory(struct process_tree *tree, struct tree_process *process)
{
    const int was_copy = process->is_copy;
    struct pages pages;

    process->is_copy = was_copy && is_a_copy(process->pid);
    process->is_same = process->is_copy && is_its_parents(tree, process);
    if (process->is_same || (was_copy && !process->is_copy))
        process->double_bytes = 0;
    else if (process->is_new && read_statm(process->statm_fd, &pages) == 0)
        process->double_bytes = pages.own_bytes;
    process->is_new = 0;
    if (!process->is_copy && !process->is_aside)
        tree->has_program = 1;
}

static void look_at_memories(struct process_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        look_at_memory(tree, &tree->processes[i]);
}

int process_tree_scan(struct process_tree *tree)
{
    tree->error = 0;
    for (size_t i = 0; i < tree->count; i++)
        tree->processes[i].is_seen = 0;
    const int error = scan_process(tree, tree->root);
    if (!error) {
        scan_seen(tree);
        scan_seen(tree); /* one that was known may be the child of one that comes behind it */
    }
    if (error ? is_gone(error) : !tree->error)
        forget_unseen(tree);
    set_aside(tree);
    look_at_memories(tree);
    return error ? error : tree->error;
}

/* 1, and what it has, for a process that counts. */
static int counts(const struct tree_process *process, struct pages *pages)
{
    return !process->is_aside && !process->is_same && read_statm(process->statm_fd, pages) == 0;
}

static uint64_t at_most(uint64_t value, uint64_t most)
{
    return value < most ? value : most;
}

static uint64_t at_least(uint64_t value, uint64_t least)
{
    return value > least ? value : least;
}

/*
 * Whatever is known of sharing, the pages of one process are all there, and so are those of all
 * programs together: of forks alone it can be too old. Shared mappings above 32 MiB are more than
 * the libraries that programs have in common.
 */
void process_tree_read(const struct process_tree *tree, struct tree_memory *memory)
{
    const uint64_t large_bytes = UINT64_C(32) << 20;
    uint64_t all = 0, once = 0, most = 0, programs = 0, shared = 0, most_shared = 0, large = 0;
    struct pages pages;

    memory->processes = 0;
    for (size_t i = 0; i < tree->count; i++) {
        const struct tree_process *process = &tree->processes[i];
        if (!counts(process, &pages))
            continue;
        all += pages.own_bytes;
        once += pages.own_bytes - at_most(pages.own_bytes, process->double_bytes);
        most = at_least(most, pages.own_bytes);
        programs += process->is_copy ? 0 : pages.own_bytes;
        shared += pages.shared_bytes;
        most_shared = at_least(most_shared, pages.shared_bytes);
        large += pages.shared_bytes >= large_bytes ? pages.shared_bytes : 0;
        memory->processes++;
    }
    const uint64_t least = at_least(programs, most);
    memory->resident_bytes = at_least(once, least) + most_shared +
                             at_most(tree->more_shared_bytes, shared - most_shared);
    memory->doubt_bytes = all - least + (large > most_shared ? large - most_shared : 0);
}

int process_tree_is_in_doubt(const struct tree_memory *memory)
{
    const uint64_t small_bytes = 1 << 20;

    return memory->doubt_bytes > small_bytes + memory->resident_bytes / 64;
}

static void add_rollup(struct memory_rollup *sum, const struct memory_rollup *one)
{
    sum->pss_bytes += one->pss_bytes;
    sum->anon_pss_bytes += one->anon_pss_bytes;
    sum->uss_bytes += one->uss_bytes;
    sum->lazyfree_bytes += one->lazyfree_bytes;
    sum->anon_huge_bytes += one->anon_huge_bytes;
    sum->swap_bytes += one->swap_bytes;
}

void process_tree_rollup(struct process_tree *tree, struct memory_rollup *rollup)
{
    struct memory_rollup one;
    struct pages pages;
    struct tree_memory memory;
    uint64_t most_shared = 0;

    *rollup = (struct memory_rollup){0};
    for (size_t i = 0; i < tree->count; i++) {
        struct tree_process *process = &tree->processes[i];
        if (!counts(process, &pages) || procfs_read_rollup(process->pid, &one) != 0)
            continue;
        process->double_bytes = pages.own_bytes - at_most(one.anon_pss_bytes, pages.own_bytes);
        most_shared = at_least(most_shared, pages.shared_bytes);
        add_rollup(rollup, &one);
    }
    const uint64_t shares = rollup->pss_bytes - rollup->anon_pss_bytes;
    tree->more_shared_bytes = shares > most_shared ? shares - most_shared : 0;
    process_tree_read(tree, &memory);
    rollup->rss_bytes = memory.resident_bytes;
}

/* Until it is waited for a process keeps its number, and a descriptor of it its statm. Returns 1
 * when it still had memory. */
static int kill_one(const struct tree_process *process)
{
    const int fd = pidfd_open(process->pid, 0);
    struct pages pages;
    const int lives = read_statm(process->statm_fd, &pages) == 0;

    if (lives && fd >= 0)
        pidfd_send_signal(fd, SIGKILL, NULL, 0);
    if (fd >= 0)
        close(fd);
    return lives;
}

/* A child of one that ends while it is scanned may be missed: none is left when two scans in a row
 * find none. */
int process_tree_kill(struct process_tree *tree)
{
    const uint64_t end_ns = clock_monotonic_ns() + 5 * (uint64_t)CLOCK_SECOND_NS;
    const struct timespec wait = {.tv_nsec = 1000000};
    int quiet = 0;

    while (clock_monotonic_ns() < end_ns) {
        const int error = process_tree_scan(tree);
        size_t living = 0;
        for (size_t i = 0; i < tree->count; i++)
            living += (size_t)kill_one(&tree->processes[i]);
        quiet = living == 0 ? quiet + 1 : 0;
        if (error ? is_gone(error) : quiet == 2)
            return 0;
        if (living > 0)
            nanosleep(&wait, NULL);
    }
    return -EBUSY;
}

static int has_mapped(const struct tree_process *process, const char *library)
{
    char file[512];

    return procfs_maps_file(process->pid, library, file, sizeof file);
}

/*
 * What it holds is read between two looks at its mappings: it is then of a program that lacks the
 * library. One that has just begun lacks it too, but holds next to nothing: the loader maps all
 * libraries before it writes to any.
 */
static void meet_stranger(const struct tree_process *process, const char *library,
                          struct tree_stranger *stranger)
{
    struct pages pages;
    char path[PATH_BYTES];

    if (read_statm(process->statm_fd, &pages) != 0)
        return;
    if (pages.own_bytes < TREE_STRANGER_BYTES || pages.own_bytes <= stranger->resident_bytes ||
        has_mapped(process, library))
        return;
    snprintf(path, sizeof path, "/proc/%d/comm", (int)process->pid);
    if (procfs_read_line(path, stranger->name, sizeof stranger->name) != 0)
        return;
    stranger->pid = process->pid;
    stranger->resident_bytes = pages.own_bytes;
}

void process_tree_look(struct process_tree *tree, const char *library,
                       struct tree_stranger *stranger)
{
    for (size_t i = 0; i < tree->count; i++)
        if (!tree->processes[i].is_aside && !has_mapped(&tree->processes[i], library))
            meet_stranger(&tree->processes[i], library, stranger);
}

void process_tree_free(struct process_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        close(tree->processes[i].statm_fd);
    tree->count = 0;
}
