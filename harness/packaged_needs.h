/*
 * What the programs of the workload `packaged` need beside themselves: commands, and the Debian
 * packages that have them. Leaves out what every Debian has (sh, awk, sed, env), and installing
 * anything.
 */
#ifndef TIDEMARK_HARNESS_PACKAGED_NEEDS_H
#define TIDEMARK_HARNESS_PACKAGED_NEEDS_H

#include <stddef.h>

/*
 * The first command that `program` needs and PATH does not have: writes a sentence with its package
 * to `reason` (`bytes`) and returns 1. Returns 0 where nothing is missing. Reads PATH: not while
 * another thread changes the environment.
 */
int packaged_needs_more(const char *program, char *reason, size_t bytes);

#endif
