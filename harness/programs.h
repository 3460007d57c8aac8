/*
 * What a run executes, and what that loads: enough to tell whether a later process would measure
 * with the same. Leaves out the system's own libraries, which machine.json names by their version.
 */
#ifndef TIDEMARK_HARNESS_PROGRAMS_H
#define TIDEMARK_HARNESS_PROGRAMS_H

#include "harness/command.h"

#include <jansson.h>

/*
 * File name to CRC-32 (8 hex digits; null for one that cannot be read): tidemark, which samples,
 * tidemark-child, each library or plug-in that a row names by its path, and for each workload that
 * runs on a real CPython its script and the module that the scripts share. The caller owns it.
 * Reads each file once.
 */
json_t *programs_describe(const struct plan *plan, const struct program_paths *paths);

/*
 * Row (row_key) to the version that it loads here and now, for the rows of `plan` that run on our
 * own host; null for one that cannot be opened. One short process for each row. The caller owns it;
 * NULL when a signal to end this process came meanwhile.
 */
json_t *programs_ask_versions(const struct plan *plan);

#endif
