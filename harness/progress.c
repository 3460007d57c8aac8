/*
 * Prints progress. Leaves out curses: a carriage return and "erase to end of line" (ECMA-48 EL) are
 * all that is used.
 */
#include "harness/progress.h"

#include "harness/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void progress_init(struct progress *progress, size_t total)
{
    const char *terminal = getenv("TERM");

    *progress = (struct progress){.total = total};
    progress->is_terminal = isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
}

static int terminal_columns(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void progress_show(const struct progress *progress, const char *what)
{
    char line[512], left[TEXT_NUMBER_BYTES];

    text_format_left(left, progress->left_seconds);
    /* What matters most comes first: a narrow terminal cuts the end. */
    snprintf(line, sizeof line, "[%zu/%zu] %s left · %s", progress->done + 1, progress->total, left,
             what);
    if (progress->is_terminal)
        fprintf(stderr, "\r\033[K%.*s", terminal_columns() - 1, line);
    else
        fprintf(stderr, "%s\n", line);
    fflush(stderr);
}

void progress_note(const struct progress *progress, const char *message)
{
    fprintf(stderr, "%s%s\n", progress->is_terminal ? "\r\033[K" : "", message);
}

void progress_end(const struct progress *progress)
{
    if (progress->is_terminal)
        fprintf(stderr, "\r\033[K");
}
