/*
 * Checksums of programs, and the versions that rows load, which tidemark-describe tells. Leaves out
 * what a real CPython loads beneath it.
 */
#define _GNU_SOURCE
#include "harness/programs.h"

#include "harness/checksum.h"
#include "harness/description.h"
#include "harness/json_file.h"

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

/* A library or plug-in that the row names by its path. */
static void add_library(json_t *programs, const struct row_component *component)
{
    if (component->path[0] && !json_object_get(programs, component->path))
        add_program(programs, component->path, component->path);
}

json_t *programs_describe(const struct plan *plan, const struct program_paths *paths)
{
    json_t *programs = json_object();

    add_program(programs, "tidemark", "/proc/self/exe");
    add_program(programs, "tidemark-child", paths->child);
    for (size_t i = 0; i < plan->cell_count; i++) {
        const struct cell *cell = &plan->cells[i];
        if (cell->not_available[0])
            continue;
        add_library(programs, &cell->row.object);
        add_library(programs, &cell->row.raw);
        if (host_is_objects(&cell->host))
            continue;
        add_script(programs, paths, cell->workload->name);
        add_script(programs, paths, "tidemark_host");
    }
    return programs;
}

/* The version that the cell's row loads, or null. Returns 0, or -EINTR with nothing added. */
static int add_version(json_t *versions, const struct cell *cell, const char *key)
{
    const struct row *row = &cell->row;
    struct environment environment;
    char reason[DESCRIPTION_REASON_BYTES];
    json_t *answer = NULL;
    struct description_request request = {
        .object = row_component_name(&row->object),
        .raw = row->raw.allocator ? row_component_name(&row->raw) : NULL,
        .environment = &environment,
    };

    environment_init(&environment);
    int failed = environment_add_row(&environment, row);
    if (!failed)
        failed = description_ask(&request, &answer, reason);
    if (failed == -EINTR)
        return failed;
    const char *version = failed ? "" : json_text(answer, "version");
    json_object_set_new(versions, key, version[0] ? json_string(version) : json_null());
    json_decref(answer);
    return 0;
}

json_t *programs_ask_versions(const struct plan *plan)
{
    json_t *versions = json_object();
    char key[ROW_KEY_BYTES];

    for (size_t i = 0; i < plan->cell_count; i++) {
        const struct cell *cell = &plan->cells[i];
        if (!host_is_objects(&cell->host) || cell->not_available[0] ||
            json_object_get(versions, row_key(&cell->row, key)))
            continue;
        if (add_version(versions, cell, key) != 0) {
            json_decref(versions);
            return NULL;
        }
    }
    return versions;
}
