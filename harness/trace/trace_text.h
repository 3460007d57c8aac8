/*
 * A trace's summary as `tidemark trace` prints it. Leaves out JSON (trace_summary.h).
 */
#ifndef TIDEMARK_HARNESS_TRACE_TRACE_TEXT_H
#define TIDEMARK_HARNESS_TRACE_TRACE_TEXT_H

#include "harness/trace/trace_summary.h"

#include <stdio.h>

/* `path` is the file's, `bytes` how long it is; `damage` NULL or what is wrong with it. */
void trace_text_print(FILE *out, const char *path, uint64_t bytes, const char *damage,
                      const struct trace_index *index, const struct trace_summary *summary);

/* The call sites that asked for most, as trace_sites_to_json has them. */
void trace_text_print_sites(FILE *out, const struct trace_summary *summary, const json_t *sites);

#endif
