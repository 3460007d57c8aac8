/*
 * What other programs and libraries are there: the parts of this installation, the malloc
 * libraries, each opened in a fresh process as a sample does, and the interpreters. Leaves out
 * running anything on them.
 */
#define _GNU_SOURCE
#include "allocators/allocator.h"
#include "harness/command.h"
#include "harness/description.h"
#include "harness/doctor.h"
#include "harness/host.h"
#include "harness/json_file.h"
#include "harness/plot_python.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Opens the allocator in a fresh process, with or without the static TLS of a sample. */
static int ask(const struct allocator *allocator, int with_static_tls, json_t **answer,
               char *reason)
{
    struct environment environment;
    struct description_request request = {.object = allocator->name, .environment = &environment};
    const struct row nothing = {0};

    environment_init(&environment);
    /* A row without tunables still gets the static TLS: that is what is tried. */
    int error = with_static_tls ? environment_add_row(&environment, &nothing) : 0;
    return error ? error : description_ask(&request, answer, reason);
}

static void add_opened(struct doctor *doctor, const char *name, const json_t *answer,
                       int opens_without)
{
    doctor_add(doctor, DOCTOR_OK, name, "", "%s from %s; it would %sopen without %s",
               json_text(answer, "version"), json_text(answer, "object_provider"),
               opens_without ? "" : "not ", "GLIBC_TUNABLES=glibc.rtld.optional_static_tls=4096");
}

static void add_closed(struct doctor *doctor, const char *name, const char *package, int error,
                       const char *reason)
{
    char advice[DOCTOR_TEXT_BYTES];

    snprintf(advice, sizeof advice, "apt-get install %s; without it the rows that name it are n/a.",
             package);
    if (error == -ENOENT)
        doctor_add(doctor, DOCTOR_NOT_AVAILABLE, name, advice, "%s", reason);
    else if (error == -ENOEXEC)
        doctor_add(doctor, DOCTOR_FAIL, name,
                   "Reinstall the package, or leave the row out: the library is there and a "
                   "process that opens it does not live.",
                   "%s", reason);
    else
        doctor_add(doctor, DOCTOR_FAIL, name,
                   "Raise the limit on processes, and build tidemark-describe beside tidemark.",
                   "%s", reason);
}

/* Returns 0 or a negative errno. */
static int check_installation(struct doctor *doctor, struct program_paths *paths)
{
    char missing[PROGRAM_PATHS_ERROR_BYTES];
    int error = program_paths_find(paths, missing);

    if (error)
        doctor_add(doctor, DOCTOR_FAIL, "installation",
                   "Build again by `cmake --build`, or install again by `cmake --install`.", "%s",
                   missing);
    else
        doctor_add(doctor, DOCTOR_OK, "installation", "", "samples run by %s, scripts in %s",
                   paths->child, paths->python_folder);
    return error;
}

/* Returns 0 or -EINTR. */
static int check_library(struct doctor *doctor, const struct allocator *allocator)
{
    char name[DOCTOR_NAME_BYTES], reason[DESCRIPTION_REASON_BYTES] = "";
    json_t *with = NULL, *without = NULL;
    int error = ask(allocator, 1, &with, reason);

    snprintf(name, sizeof name, "library %s", allocator->name);
    if (!error) {
        char ignored[DESCRIPTION_REASON_BYTES];
        int opens_without = ask(allocator, 0, &without, ignored) == 0;
        add_opened(doctor, name, with, opens_without);
    } else if (error != -EINTR) {
        add_closed(doctor, name, allocator->package, error, reason);
    }
    json_decref(with);
    json_decref(without);
    return error == -EINTR ? error : 0;
}

/* Rows that share a library are one line. */
static int has_library_of_its_own(size_t at)
{
    const char *soname = allocator_registry[at]->soname;

    for (size_t i = 0; soname && i < at; i++) {
        if (allocator_registry[i]->soname && strcmp(allocator_registry[i]->soname, soname) == 0)
            return 0;
    }
    return soname != NULL;
}

/* Returns 0 or -EINTR. */
static int check_libraries(struct doctor *doctor)
{
    int error = 0;

    for (size_t i = 0; i < allocator_registry_count && !error; i++) {
        if (has_library_of_its_own(i))
            error = check_library(doctor, allocator_registry[i]);
    }
    return error;
}

/* Returns 0 or -EINTR. */
static int check_plot_python(struct doctor *doctor)
{
    const char *interpreter;
    char versions[160];
    int error = plot_python_find(&interpreter, versions, sizeof versions);

    if (error == -EINTR)
        return error;
    if (error)
        doctor_add(doctor, DOCTOR_NOT_AVAILABLE, "plot interpreter",
                   "apt-get install " PLOT_PYTHON_PACKAGES
                   "; without them a run has its table and no pictures.",
                   "no python3 here has matplotlib, jinja2, PIL and scipy");
    else
        doctor_add(doctor, DOCTOR_OK, "plot interpreter", "", "%s with %s", interpreter, versions);
    return 0;
}

static void check_cpython(struct doctor *doctor)
{
    struct host host;
    char error[HOST_ERROR_BYTES];

    if (host_resolve(&host, "python3", error) != 0)
        doctor_add(doctor, DOCTOR_NOT_AVAILABLE, "real CPython",
                   "apt-get install python3; without it --host takes a path alone.", "%s", error);
    else
        doctor_add(doctor, DOCTOR_OK, "real CPython", "", "--host python3 is %s, %s", host.path,
                   host.version);
}

int doctor_check_programs(struct doctor *doctor)
{
    struct program_paths paths;
    int error = check_installation(doctor, &paths) == 0 ? check_libraries(doctor) : 0;

    if (!error)
        error = check_plot_python(doctor);
    if (!error)
        check_cpython(doctor);
    return error;
}
