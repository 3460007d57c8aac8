/*
 * Finds the parts of this installation by /proc/self/exe, which has no symbolic link in it. Leaves
 * out files within the folders of scripts: an interpreter names the one that it misses.
 */
#define _GNU_SOURCE
#include "harness/program_paths.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Folders relative to that of the running program. */
struct layout {
    const char *programs;
    const char *data;
    const char *libraries;
};

/* A build tree comes first: were an older installation around it, its child would be measured. */
enum { BUILD_TREE, INSTALLED, LAYOUTS };

static const struct layout layouts[LAYOUTS] = {
    [BUILD_TREE] = {"", TIDEMARK_BUILD_DATA, ""},
    [INSTALLED] = {TIDEMARK_INSTALLED_PROGRAMS, TIDEMARK_INSTALLED_DATA,
                   TIDEMARK_INSTALLED_LIBRARIES},
};

/* "/opt/bin" and "../share" make "/opt/share". Returns 0 or -ENAMETOOLONG. */
static int join(char *path, const char *folder, const char *relative, const char *name)
{
    size_t length = strlen(folder);

    for (; strncmp(relative, "../", 3) == 0; relative += 3) {
        while (length > 0 && folder[--length] != '/')
            continue;
    }
    int wrote = snprintf(path, PROGRAM_PATH_BYTES, "%.*s%s%s/%s", (int)length, folder,
                         *relative ? "/" : "", relative, name);
    return wrote < PROGRAM_PATH_BYTES ? 0 : -ENAMETOOLONG;
}

static int fill(struct program_paths *paths, const char *folder, const struct layout *layout)
{
    int error = join(paths->child, folder, layout->programs, "tidemark-child");

    if (!error)
        error = join(paths->describe, folder, layout->programs, "tidemark-describe");
    if (!error)
        error = join(paths->micro, folder, layout->programs, "tidemark-micro");
    if (!error)
        error = join(paths->check, folder, layout->programs, "tidemark-check");
    if (!error)
        error = join(paths->graph, folder, layout->programs, "tidemark-graph");
    if (!error)
        error = join(paths->sites, folder, layout->programs, "tidemark-sites");
    if (!error)
        error = join(paths->snapshot_library, folder, layout->libraries, "libtidemark-snapshot.so");
    if (!error)
        error = join(paths->record_library, folder, layout->libraries, "libtidemark-record.so");
    if (!error)
        error = join(paths->python_folder, folder, layout->data, "workloads/python");
    if (!error)
        error = join(paths->report_script, folder, layout->data, "plot/report.py");
    return error ? error : join(paths->recorded, folder, layout->data, "recorded.json");
}

/* The first part that is not there, or NULL. */
static const char *missing_part(const struct program_paths *paths)
{
    if (access(paths->child, X_OK) != 0)
        return paths->child;
    if (access(paths->describe, X_OK) != 0)
        return paths->describe;
    if (access(paths->micro, X_OK) != 0)
        return paths->micro;
    if (access(paths->check, X_OK) != 0)
        return paths->check;
    if (access(paths->graph, X_OK) != 0)
        return paths->graph;
    if (access(paths->sites, X_OK) != 0)
        return paths->sites;
#ifndef TIDEMARK_SANITIZED /* such a build has none: a sanitizer replaces malloc itself */
    if (access(paths->snapshot_library, R_OK) != 0)
        return paths->snapshot_library;
    if (access(paths->record_library, R_OK) != 0)
        return paths->record_library;
#endif
    if (access(paths->python_folder, X_OK) != 0)
        return paths->python_folder;
    if (access(paths->report_script, R_OK) != 0)
        return paths->report_script;
    return access(paths->recorded, R_OK) != 0 ? paths->recorded : NULL;
}

/* Names what is missing of a build tree where there is one in part, else of an installation. */
static int fail_missing(const struct program_paths *found, const char *const *missing, char *error)
{
    int is_build_tree = missing[BUILD_TREE] != found[BUILD_TREE].child;

    snprintf(error, PROGRAM_PATHS_ERROR_BYTES, "a part of this %s is missing: %s",
             is_build_tree ? "build tree" : "installation",
             missing[is_build_tree ? BUILD_TREE : INSTALLED]);
    return -ENOENT;
}

/* The folder of the running program. Returns 0 or a negative errno. */
static int own_folder(char *folder)
{
    ssize_t length = readlink("/proc/self/exe", folder, PROGRAM_PATH_BYTES);

    if (length < 0)
        return -errno;
    if (length == PROGRAM_PATH_BYTES)
        return -ENAMETOOLONG;
    folder[length] = '\0';
    *strrchr(folder, '/') = '\0';
    return 0;
}

int program_paths_find(struct program_paths *paths, char *error)
{
    char folder[PROGRAM_PATH_BYTES];
    struct program_paths found[LAYOUTS];
    const char *missing[LAYOUTS];
    int failed = own_folder(folder);

    for (size_t i = 0; i < LAYOUTS && !failed; i++) {
        failed = fill(&found[i], folder, &layouts[i]);
        missing[i] = failed ? NULL : missing_part(&found[i]);
        if (!failed && !missing[i]) {
            *paths = found[i];
            return 0;
        }
    }
    if (!failed)
        return fail_missing(found, missing, error);
    snprintf(error, PROGRAM_PATHS_ERROR_BYTES, "cannot tell where this program lies: %s",
             strerror(-failed));
    return failed;
}
