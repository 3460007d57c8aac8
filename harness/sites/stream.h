/*
 * Snapshots as they leave the recorded process: one line of JSON each, in a file that the parent
 * reads afterwards (harness/snapshot_stream.h). Leaves out names of functions and lines, which the
 * parent finds, and stdio and malloc, which may be what is recorded.
 */
#ifndef TIDEMARK_HARNESS_SITES_STREAM_H
#define TIDEMARK_HARNESS_SITES_STREAM_H

#include "harness/sites/recorder.h"

enum { STREAM_FORMAT = 1 };

struct stream {
    struct recorder *recorder;
    const char *path;       /* of the file, which is there; each snapshot is appended */
    const char *unwinder;   /* how stacks were found, for people */
    uint32_t nodes_written; /* of the stack tree; 0 before the first snapshot */
};

struct stream_snapshot {
    const char *name;
    uint64_t time_ns;   /* since the recording began */
    int has_live_bytes; /* 1: live_bytes is what the program itself says it has allocated */
    uint64_t live_bytes;
};

/*
 * Adds up the recorder and appends a line. Returns 0 or a negative errno; the line is then not
 * whole, and the parent leaves it out. One thread at a time; uses no malloc and no lock but the
 * loader's and the recorder's, one after the other.
 */
int stream_write(struct stream *stream, const struct stream_snapshot *snapshot);

#endif
