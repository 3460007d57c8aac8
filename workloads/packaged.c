/*
 * packaged: programs that Debian has, each with input that is made the same each time, on the
 * malloc of the row. A script of workloads/programs/ makes the input, starts what is measured, asks
 * it for something and says where phases begin; it and its clients are not measured, but share the
 * processors. A driver that fails is -ECANCELED. What a program needs is in
 * harness/packaged_needs.c. Deviations: none from how the program comes; the requests are ours, and
 * so is the environment, the same everywhere.
 * Source: the programs.
 */
#include "workloads/program_process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* The order of the suite. */
static const char *const programs[] = {
    "python_json", "python_text", "redis", "sqlite", "nginx", "gcc",         "gxx",
    "git",         "lua",         "perl",  "xz",     "zstd",  "ghostscript", NULL,
};

static int run(struct workload_context *context)
{
    static char path[4096], shell[] = "sh";
    static char *const words[] = {shell, path, NULL};
    const struct program_command command = {.words = words, .part = PROGRAM_DRIVES};
    const char *folder = getenv(PROGRAM_DRIVERS);

    if (!folder)
        return -ENOENT;
    snprintf(path, sizeof path, "%s/%s.sh", folder, programs[workload_value(context, "program")]);
    /* The first phase is the driver's: making the input is none. */
    int error = program_process_run(context, &command);
    if (!error && program_process_status(context) != 0)
        error = -ECANCELED;
    workload_idle(context);
    return error;
}

static const struct parameter parameters[] = {
    {.name = "program",
     .summary = "which one",
     .kind = PARAMETER_CHOICE,
     .choices = programs,
     .quick = "python_json",
     .full = "python_json"},
    {0},
};

const struct workload workload_packaged = {
    .name = "packaged",
    .summary = "a program of a Debian package, driven the same way each time",
    .source = "the program, and workloads/programs",
    .parameters = parameters,
    .is_program = 1,
    .has_driver = 1,
    .run = run,
};
