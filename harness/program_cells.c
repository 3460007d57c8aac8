/*
 * One shared page a sample, and a folder: see program_cells.h. Leaves out what programs have loaded
 * but their malloc.
 */
#define _GNU_SOURCE
#include "harness/program_cells.h"

#include "harness/clock.h"
#include "harness/packaged_needs.h"
#include "harness/program.h"
#include "workloads/program_process.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_NS = 50000000 };

#define WITNESS_LIBRARY "libtidemark-witness.so"

static int join(char *list, size_t bytes, const char *file)
{
    const size_t used = strlen(list);
    const int wrote = snprintf(list + used, bytes - used, "%s%s", used && file[0] ? ":" : "", file);

    return used + (size_t)wrote < bytes ? 0 : -E2BIG;
}

/* Of a workload whose programs are known (workloads/packaged.c). */
static int lacks_program(struct cell *cell)
{
    const struct parameter *parameter = &cell->workload->parameters[0];
    char name[64];

    if (strcmp(cell->workload->name, "packaged") != 0)
        return 0;
    return packaged_needs_more(parameter_format(parameter, cell->values[0], name, sizeof name),
                               cell->not_available, sizeof cell->not_available);
}

static void prepare(struct cell *cell, const struct program_paths *paths)
{
    char file[PATH_MAX], error[PROGRAM_ERROR_BYTES];

    if (cell->not_available[0] || lacks_program(cell))
        return;
    if (program_find_malloc(paths, &cell->row, file, error) != 0) {
        snprintf(cell->not_available, sizeof cell->not_available, "%.500s", error);
        return;
    }
    cell->preload[0] = '\0';
    cell->is_threaded = 1; /* for all that is known */
    /* glibc's by name too: a program may be linked with another malloc, as Debian's redis is. */
    if (join(cell->preload, sizeof cell->preload, file[0] ? file : "libc.so.6") != 0 ||
        join(cell->preload, sizeof cell->preload, paths->witness_library) != 0)
        snprintf(cell->not_available, sizeof cell->not_available,
                 "what is to be preloaded has too long a path");
}

void program_cells_prepare(struct plan *plan, const struct program_paths *paths)
{
    for (size_t i = 0; i < plan->cell_count; i++)
        if (plan->cells[i].workload->is_program)
            prepare(&plan->cells[i], paths);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* The row's library as it is preloaded, or glibc's own for glibc: the first of the line, but for
 * the witness. */
static void expected_file(const struct cell *cell, char *path, size_t bytes)
{
    const size_t length = strcspn(cell->preload, ":");

    if (cell->preload[length])
        snprintf(path, bytes, "%.*s", (int)length, cell->preload);
    else
        snprintf(path, bytes, "libc.so.6");
}

/* A row that is a path is that file and no other of its name. One that is gone by now is what
 * nothing can be. */
static void expect(struct witness *page, const struct cell *cell)
{
    char path[sizeof cell->preload];
    struct stat info = {.st_ino = 0};

    expected_file(cell, path, sizeof path);
    page->layout = WITNESS_LAYOUT;
    page->is_of_file = strchr(path, '/') != NULL;
    if (page->is_of_file && stat(path, &info) == 0) {
        page->device = info.st_dev;
        page->inode = info.st_ino;
    }
    snprintf(page->expected, sizeof page->expected, "%.63s", base_name(path));
}

/* Of a driver: a shell that is killed removes nothing. */
static int make_scratch(struct program_witness *witness, const struct cell *cell)
{
    const char *folder = getenv("TMPDIR");
    int error = 0;

    if (strcmp(cell->workload->name, "packaged") != 0)
        return 0;
    const int length =
        snprintf(witness->scratch, sizeof witness->scratch, "%s/tidemark-program-XXXXXX",
                 folder && folder[0] == '/' ? folder : "/tmp");
    if ((size_t)length >= sizeof witness->scratch)
        error = -ENAMETOOLONG;
    else if (!mkdtemp(witness->scratch))
        error = -errno;
    if (error)
        fprintf(stderr, "tidemark: cannot make %s: %s\n", witness->scratch, strerror(-error));
    if (error)
        witness->scratch[0] = '\0';
    return error;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    if (remove(path) != 0) {
        /* The others go all the same. */
    }
    return 0;
}

int program_witness_open(struct program_witness *witness, const struct cell *cell)
{
    *witness = (struct program_witness){.fd = -1};
    if (!cell->workload->is_program)
        return 0;
    witness->fd = memfd_create("tidemark-witness", MFD_CLOEXEC);
    int error = witness->fd < 0 || ftruncate(witness->fd, sizeof(struct witness)) != 0 ? -errno : 0;
    void *page = error ? MAP_FAILED
                       : mmap(NULL, sizeof(struct witness), PROT_READ | PROT_WRITE, MAP_SHARED,
                              witness->fd, 0);
    if (!error && page == MAP_FAILED)
        error = -errno;
    if (!error) {
        witness->page = page;
        expect(witness->page, cell);
        error = make_scratch(witness, cell);
    }
    if (error)
        program_witness_close(witness);
    return error;
}

int program_witness_environment(const struct program_witness *witness, const struct cell *cell,
                                const struct program_paths *paths, struct environment *environment)
{
    char path[64];

    if (!witness->page)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), witness->fd);
    int error = environment_add(environment, WITNESS_VARIABLE, path);
    if (!error)
        error = environment_add(environment, PROGRAM_PRELOAD, cell->preload);
    if (!error && witness->scratch[0])
        error = environment_add(environment, PROGRAM_SCRATCH, witness->scratch);
    return error ? error : environment_add(environment, PROGRAM_DRIVERS, paths->drivers_folder);
}

void program_witness_look(struct program_witness *witness, struct process_tree *tree)
{
    const uint64_t now_ns = clock_monotonic_ns();

    if (now_ns - witness->looked_ns < LOOK_NS || process_tree_scan(tree) != 0)
        return;
    witness->looked_ns = now_ns;
    process_tree_look(tree, WITNESS_LIBRARY, &witness->stranger);
}

/* Names of programs and files may be any bytes, and the reason goes to a terminal and into JSON. */
static int refuse(char *reason)
{
    for (; *reason; reason++)
        if (*reason < ' ' || *reason > '~')
            *reason = '?';
    return -ELIBACC;
}

int program_witness_check(const struct program_witness *witness, const struct cell *cell,
                          char *file, char *reason)
{
    const struct witness *page = witness->page;
    const unsigned images = atomic_load(&page->images), strangers = atomic_load(&page->strangers);
    char expected[sizeof cell->preload];

    expected_file(cell, expected, sizeof expected);
    if (images == 0) {
        snprintf(
            reason, PLAN_REASON_BYTES,
            "%.100s was never loaded: the program is linked statically, runs with other rights, "
            "or drops its environment",
            base_name(expected));
        return -ELIBACC;
    }
    if (witness->stranger.pid != 0) {
        snprintf(reason, PLAN_REASON_BYTES,
                 "%.40s (%.1f MB), which the program started, did not load %.100s: it is linked "
                 "statically, runs with other rights, or was started without its environment",
                 witness->stranger.name, (double)witness->stranger.resident_bytes / 1e6,
                 base_name(expected));
        return refuse(reason);
    }
    if (strangers > 0) {
        snprintf(reason, PLAN_REASON_BYTES,
                 "%.63s has its malloc from %.150s, not from %.150s (%u of %u programs that began)",
                 page->stranger, page->strange_file, page->is_of_file ? expected : page->expected,
                 strangers, images);
        return refuse(reason);
    }
    snprintf(file, WITNESS_PATH_BYTES, "%.*s", WITNESS_PATH_BYTES - 1, page->malloc_file);
    return 0;
}

void program_witness_close(struct program_witness *witness)
{
    if (witness->page)
        munmap(witness->page, sizeof *witness->page);
    if (witness->fd >= 0)
        close(witness->fd);
    if (witness->scratch[0])
        nftw(witness->scratch, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    *witness = (struct program_witness){.fd = -1};
}
