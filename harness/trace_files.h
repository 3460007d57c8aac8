/*
 * The traces that a plan replays, compiled for its children (harness/trace/trace_compile.h). Leaves
 * out everything else about files: no other workload has one.
 */
#ifndef TIDEMARK_HARNESS_TRACE_FILES_H
#define TIDEMARK_HARNESS_TRACE_FILES_H

#include "harness/plan.h"

enum { TRACE_FILES_ERROR_BYTES = 640 };

struct trace_files;

/*
 * Compiles each trace that a cell of the plan names, once, into a file without a name in TMPDIR (or
 * /tmp), and tells the cells of it; a cell becomes n/a whose trace has threads that its row cannot
 * serve. Says on stderr what is damaged or left out. The files are the plan's, as long as it is.
 * Returns 0, or a negative errno with a message in `error`.
 */
int trace_files_prepare(struct plan *plan, char *error);

/* The traces, for machine.json: by path the bytes, the checksum and what was compiled. The caller
 * owns it. `files` may be NULL. */
json_t *trace_files_describe(const struct trace_files *files);

/* Operations of all of them, each once. */
uint64_t trace_files_operations(const struct trace_files *files);

void trace_files_close(struct trace_files *files);

/* A new file without a name in TMPDIR, or /tmp. Returns its descriptor, for the caller to close, or
 * a negative errno. */
int trace_files_temporary(void);

#endif
