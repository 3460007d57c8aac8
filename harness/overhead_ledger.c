/* A forked child, a pipe. Leaves out a second try. */
#define _GNU_SOURCE
#include "harness/overhead_ledger.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child answers. */
struct answer {
    int failed;
    struct overhead_ledger found;
    char reason[LEDGER_REASON_BYTES];
};

/* What is written fits a pipe, so that it never waits. */
static void answer_and_end(int fd)
{
    static struct answer answer;

    answer.found.plain_ns = (double)ledger_trap_measure_plain();
    answer.failed = ledger_trap_install(answer.reason);
    if (!answer.failed)
        ledger_trap_measure(&answer.found.watched);
    _exit(write(fd, &answer, sizeof answer) == (ssize_t)sizeof answer ? 0 : 1);
}

int overhead_ledger_measure(struct overhead_ledger *found, char *reason)
{
    struct answer answer = {.failed = -EIO, .reason = "the child that is watched did not answer"};
    int ends[2], status;

    if (pipe(ends) != 0) {
        snprintf(reason, LEDGER_REASON_BYTES, "no pipe: %s", strerror(errno));
        return -errno;
    }
    const pid_t child = fork();
    if (child == 0)
        answer_and_end(ends[1]);
    close(ends[1]);
    if (child > 0 && read(ends[0], &answer, sizeof answer) != (ssize_t)sizeof answer)
        answer.failed = -EIO;
    close(ends[0]);
    if (child > 0)
        waitpid(child, &status, 0);
    if (answer.failed)
        snprintf(reason, LEDGER_REASON_BYTES, "%s", answer.reason);
    else
        *found = answer.found;
    return answer.failed;
}
