/*
 * One fork, one exec, one line back. Leaves out popen: it would put a shell in between.
 */
#define _GNU_SOURCE
#include "harness/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

_Noreturn static void become(const char *const argv[], int output_fd)
{
    /* exec takes char *const for the sake of old code and changes nothing (POSIX, exec, RATIONALE).
     */
    union {
        const char *const *given;
        char *const *taken;
    } arguments = {.given = argv};
    int null_fd = open("/dev/null", O_RDWR);

    dup2(null_fd, STDIN_FILENO);
    dup2(null_fd, STDERR_FILENO);
    dup2(output_fd, STDOUT_FILENO);
    execvp(argv[0], arguments.taken);
    _exit(127);
}

int ask_program(const char *const argv[], char *line, size_t line_bytes)
{
    char output[512];
    size_t used = 0;
    ssize_t got;
    int fds[2];
    int status = 0;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0)
        become(argv, fds[1]);
    close(fds[1]);
    while (pid > 0 && used + 1 < sizeof output &&
           (got = read(fds[0], output + used, sizeof output - 1 - used)) > 0)
        used += (size_t)got;
    close(fds[0]);
    if (pid < 0)
        return -EAGAIN;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    output[used] = '\0';
    output[strcspn(output, "\n")] = '\0';
    if (status != 0 || output[0] == '\0' || strlen(output) >= line_bytes)
        return -EINVAL;
    strcpy(line, output);
    return 0;
}
