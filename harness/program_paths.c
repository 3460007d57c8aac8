/*
 * Finds the parts of this installation by /proc/self/exe, which has no symbolic link in it. Leaves
 * out files within the folders of scripts: an interpreter names the one that it misses.
 */
#define _GNU_SOURCE
#include "harness/program_paths.h"

#include <errno.h>
#include <stddef.h>
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

enum where { PROGRAMS, LIBRARIES, DATA };

/* Every part of an installation, in the order in which they are missed. */
static const struct part {
    size_t offset; /* in struct program_paths */
    enum where where;
    const char *name;
    int access;
} parts[] = {
#define PART(field, ...)                                                                           \
    {                                                                                              \
        offsetof(struct program_paths, field), __VA_ARGS__                                         \
    }
    PART(child, PROGRAMS, "tidemark-child", X_OK),
    PART(describe, PROGRAMS, "tidemark-describe", X_OK),
    PART(micro, PROGRAMS, "tidemark-micro", X_OK),
    PART(check, PROGRAMS, "tidemark-check", X_OK),
    PART(graph, PROGRAMS, "tidemark-graph", X_OK),
    PART(sites, PROGRAMS, "tidemark-sites", X_OK),
    PART(snapshot_library, LIBRARIES, "libtidemark-snapshot.so", R_OK),
    PART(record_library, LIBRARIES, "libtidemark-record.so", R_OK),
    PART(witness_library, LIBRARIES, "libtidemark-witness.so", R_OK),
    PART(planted_library, LIBRARIES, "libtidemark-planted.so", R_OK),
    PART(python_folder, DATA, "workloads/python", X_OK),
    PART(drivers_folder, DATA, "workloads/programs", X_OK),
    PART(report_script, DATA, "plot/report.py", R_OK),
    PART(trace_script, DATA, "plot/trace.py", R_OK),
    PART(advise_script, DATA, "plot/advise.py", R_OK),
    PART(history_script, DATA, "plot/history.py", R_OK),
    PART(compare_script, DATA, "plot/compare.py", R_OK),
    PART(selftest_script, DATA, "plot/selftest.py", R_OK),
    PART(recorded, DATA, "recorded.json", R_OK),
#undef PART
};

enum { PARTS = sizeof parts / sizeof parts[0] };

static int fill(struct program_paths *paths, const char *folder, const struct layout *layout)
{
    const char *const folders[] = {
        [PROGRAMS] = layout->programs, [LIBRARIES] = layout->libraries, [DATA] = layout->data};
    int error = 0;

    for (size_t i = 0; i < PARTS && !error; i++)
        error =
            join((char *)paths + parts[i].offset, folder, folders[parts[i].where], parts[i].name);
    return error;
}

/* A build with a sanitizer has no library to preload: it replaces malloc itself. */
static int is_needed(const struct part *part)
{
#ifdef TIDEMARK_SANITIZED
    return part->where != LIBRARIES;
#else
    (void)part;
    return 1;
#endif
}

/* The first part that is not there, or NULL. */
static const char *missing_part(const struct program_paths *paths)
{
    for (size_t i = 0; i < PARTS; i++) {
        const char *path = (const char *)paths + parts[i].offset;
        if (is_needed(&parts[i]) && access(path, parts[i].access) != 0)
            return path;
    }
    return NULL;
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
