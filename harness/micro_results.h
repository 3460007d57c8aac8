/*
 * The results of `tidemark micro` that a run folder holds, read back. Leaves out what is in them
 * (harness/micro_table.h).
 */
#ifndef TIDEMARK_HARNESS_MICRO_RESULTS_H
#define TIDEMARK_HARNESS_MICRO_RESULTS_H

#include "harness/json_file.h"

enum { MICRO_RESULTS_ERROR_BYTES = JSON_FILE_ERROR_BYTES + 128, MICRO_RESULTS_MOST = 256 };

/*
 * The files micro/NAME.json of the folder as an object: a row as written, its control characters
 * replaced, to Google Benchmark's JSON; empty where there is no micro/. In the order of their
 * names. The caller owns it; NULL with a message in `error` (MICRO_RESULTS_ERROR_BYTES) that names
 * the file which is no such JSON, or says that there are more than MICRO_RESULTS_MOST.
 */
json_t *micro_results_read(int folder_fd, char *error);

#endif
