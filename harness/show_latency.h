/*
 * `tidemark show RUN --latency`. Leaves out its options (harness/cli_show.c) and the look of the
 * table (harness/latency_text.h).
 */
#ifndef TIDEMARK_HARNESS_SHOW_LATENCY_H
#define TIDEMARK_HARNESS_SHOW_LATENCY_H

/* Prints the latencies of each cell of the run at `path`, as JSON or as a table, by phase where
 * asked for. Cells without are named on stderr with the reason. Returns an exit status: failure
 * when no cell has any, or a file of the run cannot be read. */
int show_latency(const char *path, int as_json, int by_phase);

#endif
