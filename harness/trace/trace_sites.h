/*
 * Where a program asked for its blocks: the call stacks of a trace, with what each asked for and
 * never freed. Leaves out the names of functions (harness/snapshot_symbols.h), and traces without
 * stacks, for which there are no sites.
 */
#ifndef TIDEMARK_HARNESS_TRACE_TRACE_SITES_H
#define TIDEMARK_HARNESS_TRACE_TRACE_SITES_H

#include "harness/trace/trace_index.h"

#include <jansson.h>
#include <stdint.h>

struct trace_sites;

/*
 * Reads the stacks of all processes, and what they had mapped. `*sites` is NULL where there are
 * none. `index` outlives them. Returns 0 or a negative errno: -EBADMSG for stacks that are none, or
 * for more modules than a program has. Memory: some 16 bytes a frame, and at most 32 MB more where
 * numbers of frames are told whose frames are not.
 */
int trace_sites_read(struct trace_sites **sites, const struct trace_index *index,
                     struct trace_reader *reader);

/* A block was asked for by that stack of that process. Returns the number of its site, which is 0
 * for those that are not known. `sites` may be NULL. Not thread-safe, as all here. */
uint32_t trace_sites_made(struct trace_sites *sites, uint32_t process, uint32_t stack,
                          uint64_t bytes);

/* A block of that site was never freed. */
void trace_sites_left(struct trace_sites *sites, uint32_t site, uint64_t bytes);

/*
 * The `most` sites that asked for most bytes: an array of objects `blocks`, `bytes`, `left_blocks`,
 * `left_bytes` and `stack`, the calls from inside out, as "function (file:line)" or as much of that
 * as is known. `name` names the frames of a document as snapshot_symbols_add does. The caller owns
 * it. An empty array for NULL.
 */
typedef void trace_sites_name(json_t *document, const char *root);
json_t *trace_sites_to_json(const struct trace_sites *sites, size_t most, trace_sites_name *name);

void trace_sites_free(struct trace_sites *sites);

#endif
