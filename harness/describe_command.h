/*
 * A command of a user's as one line for people, as a shell would read it back. Leaves out what it
 * does not fit: the line is cut.
 */
#ifndef TIDEMARK_HARNESS_DESCRIBE_COMMAND_H
#define TIDEMARK_HARNESS_DESCRIBE_COMMAND_H

enum { DESCRIBE_COMMAND_BYTES = 512 };

/* `argv` ends with NULL; `text` holds DESCRIBE_COMMAND_BYTES; returned. Thread-safe. */
const char *describe_command(char *const *argv, char *text);

#endif
