/*
 * Programs and their memory files: see graph_process.h. A memory file is inherited, so that a
 * program opens it by its number.
 */
#define _GNU_SOURCE
#include "harness/graph_process.h"

#include "harness/command.h"
#include "harness/process.h"
#include "harness/text.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS = 192, NUMBER_BYTES = 32 };

/* --- tidemark-graph. --- */

/* Its own options, a separator, and what tidemark-child would be told. Returns 0 or -E2BIG. */
static int join_arguments(const char **argv, const struct command *command,
                          const char *const *options, const char *fd)
{
    const char *const first[] = {command->argv[0], "--fd", fd};
    size_t count = 0;

    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++)
        argv[count++] = first[i];
    for (; *options && count < ARGUMENTS; options++)
        argv[count++] = *options;
    if (count + 1 + command->count > ARGUMENTS)
        return -E2BIG;
    argv[count++] = "--";
    for (size_t i = 1; i < command->count; i++)
        argv[count++] = command->argv[i];
    argv[count] = NULL;
    return 0;
}

static int build_command(struct command *command, const struct program_paths *paths,
                         const struct cell *cell, uint64_t seed)
{
    struct program_paths graph = *paths;

    memcpy(graph.child, paths->graph, sizeof graph.child);
    return command_for_cell(command, &graph, cell, seed, 0);
}

static int read_record(int fd, json_t **record, char *error)
{
    json_error_t problem;

    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    json_t *read = json_loadfd(fd, 0, &problem);
    if (!read) {
        snprintf(error, GRAPH_PROCESS_ERROR_BYTES, "what was found cannot be read: %s",
                 problem.text);
        return -EINVAL;
    }
    *record = read;
    return 0;
}

/* How it ended, when it said nothing itself. */
static int judge_end(int wait_status, const char *program, char *error)
{
    if (WIFSIGNALED(wait_status))
        snprintf(error, GRAPH_PROCESS_ERROR_BYTES, "%s was killed by signal %d%s", program,
                 WTERMSIG(wait_status),
                 WTERMSIG(wait_status) == SIGKILL ? ": too little memory?" : "");
    return wait_status ? -ECHILD : 0;
}

/* Runs what writes its record into `fd`. */
static int run_recorder(const char *const *argv, const struct environment *environment, int fd,
                        json_t **record, char *error)
{
    int wait_status = 0;
    const struct process_request request = {
        .argv = argv, .environment = (const char *const *)environment->variables};
    int failed = process_run(&request, &wait_status);

    if (failed == -EINTR)
        return failed;
    if (failed) {
        snprintf(error, GRAPH_PROCESS_ERROR_BYTES, "%s cannot be started: %s", argv[0],
                 strerror(-failed));
        return failed;
    }
    failed = judge_end(wait_status, argv[0], error);
    return failed ? failed : read_record(fd, record, error);
}

/* A memory file for a child, and its number as text. Returns it or a negative errno. */
static int open_memory(char *number, char *error)
{
    int fd = memfd_create("graph", 0);

    error[0] = '\0';
    snprintf(number, NUMBER_BYTES, "%d", fd);
    if (fd >= 0)
        return fd;
    snprintf(error, GRAPH_PROCESS_ERROR_BYTES, "a file in memory: %s", strerror(errno));
    return -errno;
}

static int fail_too_long(char *error)
{
    snprintf(error, GRAPH_PROCESS_ERROR_BYTES, "the command line of this cell is too long");
    return -E2BIG;
}

int graph_process_run(const struct program_paths *paths, const struct cell *cell, uint64_t seed,
                      const char *const *options, json_t **record, char *error)
{
    const char *argv[ARGUMENTS + 1] = {NULL};
    struct command command = {.count = 0};
    char number[NUMBER_BYTES];
    int fd = open_memory(number, error);

    if (fd < 0)
        return fd;
    int failed = build_command(&command, paths, cell, seed);
    if (!failed)
        failed = join_arguments(argv, &command, options, number);
    failed =
        failed ? fail_too_long(error) : run_recorder(argv, &command.environment, fd, record, error);
    close(fd);
    return failed;
}

int graph_process_count(const struct program_paths *paths, const struct cell *cell, uint64_t seed,
                        json_t **record, char *error)
{
    struct command command = {.count = 0};
    char number[NUMBER_BYTES];
    int fd = open_memory(number, error);

    if (fd < 0)
        return fd;
    int failed = command_for_cell(&command, paths, cell, seed, 0);
    if (!failed)
        failed = environment_add(&command.environment, "TIDEMARK_GROWTH_FD", number);
    failed = failed ? fail_too_long(error)
                    : run_recorder((const char *const *)command.argv, &command.environment, fd,
                                   record, error);
    close(fd);
    return failed;
}

/* --- dot. --- */

int graph_process_has_dot(void)
{
    const char *const argv[] = {"dot", "-V", NULL};
    char output[256], errors[256];
    int wait_status = 0;
    struct process_request request = {.argv = argv,
                                      .output = output,
                                      .output_bytes = sizeof output,
                                      .errors = errors,
                                      .errors_bytes = sizeof errors};

    return process_run(&request, &wait_status) == 0 && wait_status == 0;
}

static int write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t wrote = write(fd, text, length);
        if (wrote < 0 && errno != EINTR)
            return -errno;
        if (wrote > 0) {
            text += wrote;
            length -= (size_t)wrote;
        }
    }
    return 0;
}

static int read_all(int fd, char **text, size_t *length)
{
    struct stat file;

    if (fstat(fd, &file) != 0)
        return -errno;
    char *read = malloc((size_t)file.st_size + 1);
    if (!read)
        return -ENOMEM;
    if (file.st_size == 0 || pread(fd, read, (size_t)file.st_size, 0) != file.st_size) {
        free(read);
        return -EIO;
    }
    *text = read;
    *length = (size_t)file.st_size;
    return 0;
}

/* Runs dot from one descriptor into the other. */
static int run_dot(int from_fd, int to_fd, const char *format, char *error)
{
    char type[NUMBER_BYTES], from[NUMBER_BYTES], to[NUMBER_BYTES], said[512];
    const char *const argv[] = {"dot", type, "-o", to, from, NULL};
    int wait_status = 0;
    struct process_request request = {.argv = argv, .errors = said, .errors_bytes = sizeof said};

    snprintf(type, sizeof type, "-T%s", format);
    snprintf(from, sizeof from, "/dev/fd/%d", from_fd);
    snprintf(to, sizeof to, "/dev/fd/%d", to_fd);
    int failed = process_run(&request, &wait_status);
    if (!failed && wait_status == 0)
        return 0;
    text_make_printable(said);
    snprintf(error, GRAPH_PROCESS_ERROR_BYTES, "dot, of graphviz, failed: %s",
             failed ? strerror(-failed) : said);
    return failed ? failed : -ECHILD;
}

int graph_process_lay_out(const char *dot, size_t length, const char *format, char **picture,
                          size_t *picture_length, char *error)
{
    int from_fd = memfd_create("dot", 0), to_fd = memfd_create("picture", 0);
    int failed = from_fd < 0 || to_fd < 0 ? -errno : write_all(from_fd, dot, length);

    snprintf(error, GRAPH_PROCESS_ERROR_BYTES, "a file in memory: %s", strerror(-failed));
    if (!failed)
        failed = run_dot(from_fd, to_fd, format, error);
    if (!failed) {
        failed = read_all(to_fd, picture, picture_length);
        if (failed)
            snprintf(error, GRAPH_PROCESS_ERROR_BYTES, "the picture of dot cannot be read: %s",
                     strerror(-failed));
    }
    if (from_fd >= 0)
        close(from_fd);
    if (to_fd >= 0)
        close(to_fd);
    return failed;
}
