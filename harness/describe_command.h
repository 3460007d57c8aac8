/*
 * A command of a user's as one line for people, as a shell would read it back. Leaves out what it
 * does not fit: the line is cut.
 */
#ifndef TIDEMARK_HARNESS_DESCRIBE_COMMAND_H
#define TIDEMARK_HARNESS_DESCRIBE_COMMAND_H

#include <stddef.h>

enum { DESCRIBE_COMMAND_BYTES = 512 };

/*
 * The same with nothing cut, of at most `bytes`, in printable ASCII: what is none, and '%', stands
 * as % and two digits in hex (workloads/program.c reads it back). Returns 0, or -E2BIG.
 * Thread-safe.
 */
int describe_command_exactly(char *const *argv, char *text, size_t bytes);

/* `argv` ends with NULL; `text` holds DESCRIBE_COMMAND_BYTES; returned. Thread-safe. */
const char *describe_command(char *const *argv, char *text);

#endif
