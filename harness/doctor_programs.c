/*
 * What other programs and libraries are there: the parts of this installation, the malloc
 * libraries, each opened in a fresh process as a sample does, and the interpreters. Leaves out
 * running anything on them.
 */
#define _GNU_SOURCE
#include "allocators/allocator.h"
#include "harness/command.h"
#include "harness/doctor.h"
#include "harness/host.h"
#include "harness/plot_python.h"
#include "harness/process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* Of tidemark-micro --help. */
enum { MICRO_NOT_AVAILABLE = 3 };

/* What a fresh process said of an allocator: its version and file, or why it cannot be opened. */
struct description {
    int wait_status;
    char said[1024];   /* "VERSION\tFILE\tFILE" */
    char errors[1024]; /* "tidemark-micro: REASON" */
};

static void cut_line(char *text)
{
    text[strcspn(text, "\n")] = '\0';
}

/* Returns 0 when the process ran, whatever it said; else a negative errno. */
static int describe(const char *micro, const char *allocator, int with_static_tls,
                    struct description *description)
{
    const char *const argv[] = {micro, "--object", allocator, "--describe", NULL};
    struct environment environment;
    struct row nothing = {0};

    memset(description, 0, sizeof *description);
    environment_init(&environment);
    /* A row without tunables still gets the static TLS: that is what is tried. */
    int error = with_static_tls ? environment_add_row(&environment, &nothing) : 0;
    struct process_request request = {
        .argv = argv,
        .environment = (const char *const *)environment.variables,
        .output = description->said,
        .output_bytes = sizeof description->said,
        .errors = description->errors,
        .errors_bytes = sizeof description->errors,
    };
    if (!error)
        error = process_run(&request, &description->wait_status);
    cut_line(description->said);
    cut_line(description->errors);
    return error;
}

static int is_open(const struct description *description)
{
    return description->wait_status == 0 && strchr(description->said, '\t');
}

static void add_opened(struct doctor *doctor, const char *name, char *said, int opens_without)
{
    char *version = strtok(said, "\t");
    const char *file = strtok(NULL, "\t");

    doctor_add(doctor, DOCTOR_OK, name, "", "%s from %s; it would %sopen without %s",
               version ? version : "", file ? file : "", opens_without ? "" : "not ",
               "GLIBC_TUNABLES=glibc.rtld.optional_static_tls=4096");
}

static void add_closed(struct doctor *doctor, const char *name, const char *package,
                       const struct description *description)
{
    const char *reason = strstr(description->errors, ": ");
    char advice[DOCTOR_TEXT_BYTES];

    snprintf(advice, sizeof advice, "apt-get install %s; without it the rows that name it are n/a.",
             package);
    if (WIFEXITED(description->wait_status) &&
        WEXITSTATUS(description->wait_status) == MICRO_NOT_AVAILABLE)
        doctor_add(doctor, DOCTOR_NOT_AVAILABLE, name, advice, "%s", reason ? reason + 2 : "");
    else
        doctor_add(doctor, DOCTOR_FAIL, name,
                   "Reinstall the package, or leave the row out: the library is there and a "
                   "process that opens it does not live.",
                   "opening it ended with %s %d",
                   WIFSIGNALED(description->wait_status) ? "signal" : "status",
                   WIFSIGNALED(description->wait_status) ? WTERMSIG(description->wait_status)
                                                         : WEXITSTATUS(description->wait_status));
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
static int check_library(struct doctor *doctor, const char *micro,
                         const struct allocator *allocator)
{
    char name[DOCTOR_NAME_BYTES];
    struct description with, without;
    int error = describe(micro, allocator->name, 1, &with);

    if (!error && is_open(&with))
        error = describe(micro, allocator->name, 0, &without);
    if (error == -EINTR)
        return error;
    snprintf(name, sizeof name, "library %s", allocator->name);
    if (error)
        doctor_add(doctor, DOCTOR_FAIL, name,
                   "Raise the limit on processes, and build tidemark-micro beside tidemark.",
                   "tidemark-micro cannot be started: %s", strerror(-error));
    else if (is_open(&with))
        add_opened(doctor, name, with.said, is_open(&without));
    else
        add_closed(doctor, name, allocator->package, &with);
    return 0;
}

/* Returns 0 or -EINTR. */
static int check_libraries(struct doctor *doctor, const char *micro)
{
    int error = 0;

    for (size_t i = 0; i < allocator_registry_count && !error; i++) {
        if (allocator_registry[i]->soname)
            error = check_library(doctor, micro, allocator_registry[i]);
    }
    return error;
}

/* Returns 0 or -EINTR. */
static int check_plot_python(struct doctor *doctor)
{
    const char *interpreter;
    char versions[128];
    int error = plot_python_find(&interpreter, versions, sizeof versions);

    if (error == -EINTR)
        return error;
    if (error)
        doctor_add(doctor, DOCTOR_NOT_AVAILABLE, "plot interpreter",
                   "apt-get install " PLOT_PYTHON_PACKAGES
                   "; without them a run has its table and no pictures.",
                   "no python3 here has matplotlib, jinja2 and PIL");
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
    int error = check_installation(doctor, &paths) == 0 ? check_libraries(doctor, paths.micro) : 0;

    if (!error)
        error = check_plot_python(doctor);
    if (!error)
        check_cpython(doctor);
    return error;
}
