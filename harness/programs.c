/*
 * Checksums of programs, and the versions that rows load, which tidemark-micro tells. Leaves out
 * what a real CPython loads beneath it.
 */
#define _GNU_SOURCE
#include "harness/programs.h"

#include "harness/checksum.h"
#include "harness/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static void add_program(json_t *programs, const char *name, const char *path)
{
    char digits[CHECKSUM_BYTES];
    int failed = checksum_file(AT_FDCWD, path, digits);

    json_object_set_new(programs, name, failed ? json_null() : json_string(digits));
}

static void add_script(json_t *programs, const struct program_paths *paths, const char *module)
{
    char name[64], path[1200];

    snprintf(name, sizeof name, "%.50s.py", module);
    if (json_object_get(programs, name))
        return;
    snprintf(path, sizeof path, "%s/%s", paths->python_folder, name);
    add_program(programs, name, path);
}

json_t *programs_describe(const struct plan *plan, const struct program_paths *paths)
{
    json_t *programs = json_object();

    add_program(programs, "tidemark", "/proc/self/exe");
    add_program(programs, "tidemark-child", paths->child);
    for (size_t i = 0; i < plan->cell_count; i++) {
        const struct cell *cell = &plan->cells[i];
        if (host_is_objects(&cell->host) || cell->not_available[0])
            continue;
        add_script(programs, paths, cell->workload->name);
        add_script(programs, paths, "tidemark_host");
    }
    return programs;
}

/* The version that the row loads, or null. Returns 0, or -EINTR with nothing added. */
static int add_version(json_t *versions, const struct program_paths *paths, const struct row *row)
{
    struct command command;
    char said[1024] = "", errors[1024];
    int wait_status = 0;
    struct process_request request = {
        .argv = (const char *const *)command.argv,
        .environment = (const char *const *)command.environment.variables,
        .output = said,
        .output_bytes = sizeof said,
        .errors = errors,
        .errors_bytes = sizeof errors,
    };
    int failed = command_for_version(&command, paths, row);

    if (!failed)
        failed = process_run(&request, &wait_status);
    if (failed == -EINTR)
        return failed;
    size_t length = strcspn(said, "\t");
    int is_known = !failed && wait_status == 0 && said[length] == '\t';
    json_object_set_new(versions, row->text, is_known ? json_stringn(said, length) : json_null());
    return 0;
}

json_t *programs_ask_versions(const struct plan *plan, const struct program_paths *paths)
{
    json_t *versions = json_object();

    for (size_t i = 0; i < plan->cell_count; i++) {
        const struct cell *cell = &plan->cells[i];
        if (!host_is_objects(&cell->host) || cell->not_available[0] ||
            json_object_get(versions, cell->row.text))
            continue;
        if (add_version(versions, paths, &cell->row) != 0) {
            json_decref(versions);
            return NULL;
        }
    }
    return versions;
}
