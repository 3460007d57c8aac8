/*
 * The results of `tidemark micro` that a run folder holds, read back. Leaves out what is in them
 * (harness/micro_table.h).
 */
#ifndef TIDEMARK_HARNESS_MICRO_RESULTS_H
#define TIDEMARK_HARNESS_MICRO_RESULTS_H

#include "harness/json_file.h"

enum { MICRO_RESULTS_ERROR_BYTES = JSON_FILE_ERROR_BYTES + 128, MICRO_RESULTS_MOST = 256 };

/* In a result's context: when it was kept, in nanoseconds since 1970. */
#define MICRO_MEASURED_KEY "tidemark_measured_ns"

/*
 * What Google Benchmark wrote into that file. Its NaN and Infinity, the coefficient of variation of
 * counters that are 0, are no JSON and become null. The caller owns it; NULL with a message in
 * `error` (JSON_FILE_ERROR_BYTES).
 */
json_t *micro_results_take(int micro_fd, const char *name, char *error);

/*
 * The files micro/NAME.json of the folder as an object: a row as written, its control characters
 * replaced, to Google Benchmark's JSON; empty where there is no micro/. In the order in which
 * they were measured, as far as they tell, else in that of their names. The caller owns it; NULL
 * with a message in `error` (MICRO_RESULTS_ERROR_BYTES) that names the file which is no such JSON,
 * or says that there are more than MICRO_RESULTS_MOST.
 */
json_t *micro_results_read(int folder_fd, char *error);

#endif
