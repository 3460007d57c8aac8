/*
 * Progress of long work on stderr: done of total, what is running, time left. One line rewritten on
 * a terminal, a line per sample elsewhere. Leaves out colour: nothing here needs it.
 */
#ifndef TIDEMARK_HARNESS_PROGRESS_H
#define TIDEMARK_HARNESS_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

struct progress {
    size_t total;
    size_t done;
    double left_seconds; /* estimate for all that is not done; the caller keeps it current */
    int is_terminal;
};

void progress_init(struct progress *progress, size_t total);

/* Shows that `what` runs now. */
void progress_show(const struct progress *progress, const char *what);

/* Prints `message` as a line of its own, above the progress line. */
void progress_note(const struct progress *progress, const char *message);

/* Ends the progress line. */
void progress_end(const struct progress *progress);

#endif
