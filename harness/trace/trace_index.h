/*
 * What a trace has, found in one pass: its processes and threads, and how many blocks each thread
 * makes, without which no name of a block can be trusted. Leaves out single events, which a second
 * pass reads (trace_index_scan).
 */
#ifndef TIDEMARK_HARNESS_TRACE_TRACE_INDEX_H
#define TIDEMARK_HARNESS_TRACE_TRACE_INDEX_H

#include "harness/trace/event_reader.h"
#include "harness/trace/trace_file.h"

#include <jansson.h>

enum { TRACE_MOST_THREADS = 1 << 20, TRACE_MOST_PROCESSES = 1 << 20 };

/* What is known of a thread once the sections of a block up to one are good. */
struct trace_staged {
    uint64_t block; /* its offset */
    uint64_t makes, last_ns;
    int is_known;
    uint32_t process;
};

struct trace_thread {
    int is_known;
    uint32_t process;
    uint64_t events, makes, ends, remote_ends;
    uint64_t first_ns, last_ns; /* of its events, since the recording began */
    struct trace_staged staged;
};

struct trace_process {
    int is_known;
    uint32_t parent; /* that it was forked from; 0: a program began here */
    char name[64];
    uint64_t events;
};

struct trace_index {
    json_t *about, *end;          /* objects; `end` is NULL in a trace that was cut off */
    struct trace_thread *threads; /* by number */
    uint32_t thread_room;
    struct trace_process *processes; /* by number */
    uint32_t process_room;
    uint64_t events, makes, ends, last_ns;
    unsigned with;       /* EVENT_WITH_..., of any block */
    uint64_t good_bytes; /* of the file, up to where it could be read */
};

/*
 * Reads the whole trace. Returns 0, or a negative errno with a message in `error`
 * (TRACE_ERROR_BYTES). What is damaged is not in the index, and is damage of the reader's. Memory:
 * some hundred bytes a thread. One thread per reader.
 */
int trace_index_make(struct trace_index *index, struct trace_reader *reader, char *error);

void trace_index_free(struct trace_index *index);

/* Called with each event of the trace in the order of the file, which is that of each thread: a
 * block may end before its event is there, on another thread. `event->ends` names a block that is
 * made somewhere in the trace. Returns 0, or a negative errno that ends the scan. */
typedef int trace_visit(void *context, const struct event_reader *thread,
                        const struct trace_event *event);

/* A pass over what is in the index. Returns 0 or a negative errno. */
int trace_index_scan(const struct trace_index *index, struct trace_reader *reader,
                     trace_visit *visit, void *context);

#endif
