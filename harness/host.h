/*
 * Where a workload runs: `objects`, our C runtime in tidemark-child, or a real CPython.
 * Leaves out how its memory is measured: that is the same for every host.
 */
#ifndef TIDEMARK_HARNESS_HOST_H
#define TIDEMARK_HARNESS_HOST_H

#include "harness/environment.h"
#include "harness/row.h"

enum { HOST_PATH_BYTES = 256, HOST_ERROR_BYTES = 512 };

struct host {
    char text[HOST_PATH_BYTES]; /* as asked for: objects, python3, /opt/python3.13/bin/python3 */
    char path[HOST_PATH_BYTES]; /* of the interpreter; empty for objects */
    int major, minor;           /* of the interpreter, 0 for objects */
    char version[64];           /* "CPython 3.11.2"; empty for objects */
    int free_threaded;          /* 1 when built without the global lock */
};

/*
 * Finds the interpreter and asks it for its version (one short process). `python3` is Debian's
 * /usr/bin/python3 where there is one, so that shims of version managers are not measured by
 * accident; else the first in PATH. Returns 0, or -ENOENT or -EINVAL with `error` set.
 */
int host_resolve(struct host *host, const char *text, char *error);

/* 1 when the host is our C runtime. Thread-safe. */
int host_is_objects(const struct host *host);

/*
 * Why a CPython cannot run on this row with this object profile ("2.7", "3.8", "3.11", "3.13" or
 * NULL), as a sentence in `reason` (HOST_ERROR_BYTES), or an empty one when it can. Thread-safe.
 */
void host_python_conflict(const struct host *host, const struct row *row, const char *profile,
                          char *reason);

/* Adds PYTHONMALLOC and LD_PRELOAD as the row needs. Returns 0 or -E2BIG. */
int host_python_environment(const struct row *row, struct environment *environment);

#endif
