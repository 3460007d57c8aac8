/*
 * `tidemark show RUN --syscalls`. Leaves out its options (harness/cli_show.c) and the look of the
 * table (harness/ledger_text.h).
 */
#ifndef TIDEMARK_HARNESS_SHOW_LEDGER_H
#define TIDEMARK_HARNESS_SHOW_LEDGER_H

/* Prints the system calls of each cell of the run at `path`, as JSON or as a table. Cells without
 * are named on stderr with the reason. Returns an exit status: failure when no cell has any, or a
 * file of the run cannot be read. */
int show_ledger(const char *path, int as_json);

#endif
