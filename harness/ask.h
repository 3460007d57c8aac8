/*
 * Asks another program for one line: git for its description, an interpreter for its version.
 * Leaves out long output and time limits: for short questions before a run only.
 */
#ifndef TIDEMARK_HARNESS_ASK_H
#define TIDEMARK_HARNESS_ASK_H

#include <stddef.h>

/*
 * Runs argv[0], found in PATH, with stderr silenced, and keeps the first line that it prints,
 * without its newline. Returns 0; -EINVAL when it fails or prints nothing; or another negative
 * errno. `line` is untouched on failure.
 */
int ask_program(const char *const argv[], char *line, size_t line_bytes);

#endif
