/*
 * The other end of the memory that recorded programs share (record_shared.h): takes their words,
 * finds out which block each is about, and writes the trace. Leaves out starting programs and
 * waiting for them (record_program.h).
 *
 * Words of several threads are put in the order of their stamps. Those of a thread that was just
 * stopped between an event and telling of it come late; so a block that ends before it was made, or
 * is made where one still is, waits for what is missing.
 */
#ifndef TIDEMARK_HARNESS_TRACE_RECORD_COLLECT_H
#define TIDEMARK_HARNESS_TRACE_RECORD_COLLECT_H

#include "harness/trace/trace_file.h"

#include <jansson.h>

struct record_collector;

/* What was met, once it is over. */
struct record_counts {
    uint64_t events; /* in the trace */
    uint64_t makes, ends;
    uint64_t threads, processes, images;
    uint64_t unknown;    /* ends of blocks from before the recording: left out */
    uint64_t unseen;     /* blocks whose end was not seen, since their place was given again: ended
                            there */
    uint64_t lost;       /* programs that could not begin to tell */
    uint64_t missed;     /* calls of signal handlers, for want of room: not recorded */
    uint64_t unnumbered; /* processes beyond those that there are numbers for: not recorded */
};

/*
 * Makes the memory, for `with` of enum RECORD_WITH_..., and a collector that writes to `writer`,
 * which stays the caller's and outlives it. Returns 0, or a negative errno with nothing made. One
 * thread, as all here.
 */
int record_collector_make(struct record_collector **collector, struct trace_writer *writer,
                          unsigned with);

/* What recorded programs find in RECORD_VARIABLE. The collector's. */
const char *record_collector_path(const struct record_collector *collector);

/*
 * Takes what is there now. Returns how many words, or a negative errno: then nothing is recorded
 * any more, and programs go on without. To be called every millisecond or so: it tells programs the
 * time.
 */
int64_t record_collector_step(struct record_collector *collector);

/* Ends the recording: programs that still run go on without. Takes and writes what is left, and
 * fills `counts`. Returns 0 or a negative errno. */
int record_collector_end(struct record_collector *collector, struct record_counts *counts);

void record_collector_free(struct record_collector *collector);

#endif
