/*
 * Turns a cell into argv and environ. Leaves out the shell: nothing here is ever parsed again.
 */
#define _GNU_SOURCE
#include "harness/command.h"

#include "harness/page.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void command_init(struct command *command, const char *path)
{
    memset(command, 0, sizeof *command);
    environment_init(&command->environment);
    command_add(command, path);
}

int command_add(struct command *command, const char *argument)
{
    size_t bytes = strlen(argument) + 1;

    if (command->count == COMMAND_ARGUMENTS || bytes > COMMAND_BYTES - command->used_bytes)
        return -E2BIG;
    char *at = command->text + command->used_bytes;
    memcpy(at, argument, bytes);
    command->argv[command->count++] = at;
    command->used_bytes += bytes;
    return 0;
}

static int add_pair(struct command *command, const char *flag, const char *value)
{
    int error = command_add(command, flag);

    return error ? error : command_add(command, value);
}

/* Every parameter as name=value, each after `flag` when there is one. */
static int add_parameters(struct command *command, const struct cell *cell, const char *flag)
{
    const struct parameter *parameters = cell->workload->parameters;
    int error = 0;

    for (size_t i = 0; parameters[i].name && !error; i++) {
        char value[WORKLOAD_TEXT_BYTES], assignment[WORKLOAD_TEXT_BYTES + 64];
        if (parameters[i].kind == PARAMETER_FILE && cell->prepared_file[0])
            snprintf(value, sizeof value, "%s", cell->prepared_file);
        else
            parameter_format(&parameters[i], cell->values[i], value, sizeof value);
        snprintf(assignment, sizeof assignment, "%s=%s", parameters[i].name, value);
        if (flag)
            error = command_add(command, flag);
        if (!error)
            error = command_add(command, assignment);
    }
    return error;
}

/* Which allocators to open, as both tidemark-child and tidemark-micro take it. */
static int add_row_arguments(struct command *command, const struct row *row)
{
    int error = add_pair(command, "--object", row_component_name(&row->object));

    return error || !row->raw.allocator ? error
                                        : add_pair(command, "--raw", row_component_name(&row->raw));
}

/* What the child itself does about it; stock adds nothing. */
static int add_way(struct command *command, const struct return_way *way)
{
    char number[32];
    int error = 0;

    snprintf(number, sizeof number, "%" PRIu64, way->activity_ns);
    if (way->activity_ns > 0)
        error = add_pair(command, "--activity-ns", number);
    if (!error && way->mode == RETURN_PURGE)
        error = command_add(command, "--purge");
    if (!error && way->mode == RETURN_PRESSURE)
        error = command_add(command, "--pressure");
    return error || !way->rebuilds ? error : command_add(command, "--rebuild");
}

static int add_objects_arguments(struct command *command, const struct cell *cell, uint64_t seed)
{
    char number[32];
    int error = add_row_arguments(command, &cell->row);

    if (!error)
        error = add_pair(command, "--workload", cell->workload->name);
    if (!error)
        error = add_parameters(command, cell, "--set");
    snprintf(number, sizeof number, "%" PRIu64, seed);
    if (!error)
        error = add_pair(command, "--seed", number);
    snprintf(number, sizeof number, "%" PRIu64, cell->idle_ns);
    if (!error)
        error = add_pair(command, "--idle-ns", number);
    return error ? error : add_way(command, &cell->way);
}

static int add_python_arguments(struct command *command, const struct program_paths *paths,
                                const struct cell *cell)
{
    char script[1200], idle[48];
    /* -B writes no byte code beside the script; -s leaves the user's own packages out. */
    int error = add_pair(command, "-B", "-s");

    snprintf(script, sizeof script, "%s/%s.py", paths->python_folder, cell->workload->name);
    if (!error)
        error = command_add(command, script);
    if (!error)
        error = add_parameters(command, cell, NULL);
    snprintf(idle, sizeof idle, "idle_ns=%" PRIu64, cell->idle_ns);
    return error ? error : command_add(command, idle);
}

static int add_descriptors(struct environment *environment)
{
    const struct {
        const char *name;
        int fd;
    } descriptors[] = {
        {"TIDEMARK_PAGE_FD", PAGE_FD}, {"TIDEMARK_PARK_FD", PARK_FD}, {"TIDEMARK_GO_FD", GO_FD}};
    int error = 0;

    for (size_t i = 0; i < sizeof descriptors / sizeof descriptors[0] && !error; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", descriptors[i].fd);
        error = environment_add(environment, descriptors[i].name, number);
    }
    return error;
}

int command_for_cell(struct command *command, const struct program_paths *paths,
                     const struct cell *cell, uint64_t seed, unsigned pad_bytes)
{
    int is_objects = host_is_objects(&cell->host);
    int error;

    command_init(command, is_objects ? paths->child : cell->host.path);
    error = is_objects ? add_objects_arguments(command, cell, seed)
                       : add_python_arguments(command, paths, cell);
    if (!error)
        error = environment_add_row(&command->environment, &cell->row);
    if (!error && !is_objects)
        error = host_python_environment(&cell->row, &command->environment);
    if (!error)
        error = add_descriptors(&command->environment);
    return error ? error : environment_add_pad(&command->environment, pad_bytes);
}
