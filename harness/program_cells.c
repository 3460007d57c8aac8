/*
 * One shared page a sample: see program_cells.h. Leaves out what programs that this one starts have
 * loaded, but for how many they were.
 */
#define _GNU_SOURCE
#include "harness/program_cells.h"

#include "harness/clock.h"
#include "harness/packaged_needs.h"
#include "harness/program.h"
#include "workloads/program_process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    LOOK_NS = 50000000,
    STRANGER_BYTES = 1 << 20, /* of its own: below, it has hardly a heap */
};

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
    if (join(cell->preload, sizeof cell->preload, file) != 0 ||
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
    if (error) {
        program_witness_close(witness);
        return error;
    }
    witness->page = page;
    witness->page->layout = WITNESS_LAYOUT;
    return 0;
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

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* The row's library, or glibc's own for glibc: the first of what is preloaded, but for the witness.
 */
static void expected_file(const struct cell *cell, char *name, size_t bytes)
{
    const size_t length = strcspn(cell->preload, ":");
    char first[sizeof cell->preload];

    snprintf(first, sizeof first, "%.*s", (int)length, cell->preload);
    snprintf(name, bytes, "%.250s", cell->preload[length] ? base_name(first) : "libc.so.6");
}

int program_witness_check(const struct program_witness *witness, const struct cell *cell,
                          char *file, char *reason)
{
    char expected[256];

    expected_file(cell, expected, sizeof expected);
    if (atomic_load(&witness->page->images) == 0) {
        snprintf(
            reason, PLAN_REASON_BYTES,
            "%.100s was never loaded: the program is linked statically, runs with other rights, "
            "or drops its environment",
            expected);
        return -ELIBACC;
    }
    if (witness->stranger.resident_bytes >= STRANGER_BYTES) {
        snprintf(reason, PLAN_REASON_BYTES,
                 "%.40s (%.1f MB), which the program started, did not load %.100s: it is linked "
                 "statically, runs with other rights, or was started without its environment",
                 witness->stranger.name, (double)witness->stranger.resident_bytes / 1e6, expected);
        return -ELIBACC;
    }
    snprintf(file, WITNESS_PATH_BYTES, "%.*s", WITNESS_PATH_BYTES - 1, witness->page->malloc_file);
    /* Of one library there may be several names: libjemalloc.so.2 is the file itself. */
    if (strncmp(base_name(file), expected, strcspn(expected, ".")) == 0)
        return 0;
    snprintf(reason, PLAN_REASON_BYTES, "the program has its malloc from %.200s, not from %.100s",
             file[0] ? file : "nowhere", expected);
    return -ELIBACC;
}

void program_witness_close(struct program_witness *witness)
{
    if (witness->page)
        munmap(witness->page, sizeof *witness->page);
    if (witness->fd >= 0)
        close(witness->fd);
    *witness = (struct program_witness){.fd = -1};
}
