/*
 * The environment of a fresh child, built from nothing: a few neutral variables, the row's
 * tunables, the static TLS that jemalloc needs before exec, and a random pad so that no layout of
 * the stack is favoured (Mytkowicz et al., ASPLOS 2009). Leaves out the caller's own environment:
 * tunables stay at their defaults unless the plan names them.
 */
#ifndef TIDEMARK_HARNESS_ENVIRONMENT_H
#define TIDEMARK_HARNESS_ENVIRONMENT_H

#include "harness/row.h"

#include <jansson.h>

enum { ENVIRONMENT_VARIABLES = 32, ENVIRONMENT_BYTES = 16384 };

/* Owns its text; `variables` is what execve takes. */
struct environment {
    char *variables[ENVIRONMENT_VARIABLES + 1];
    size_t count;
    char text[ENVIRONMENT_BYTES];
    size_t used_bytes;
};

/* Starts with PATH, HOME, LANG=C.UTF-8 and nothing of the caller's. */
void environment_init(struct environment *environment);

/* Adds NAME=VALUE. Returns 0 or -E2BIG. */
int environment_add(struct environment *environment, const char *name, const char *value);

/*
 * Adds what the row's components need: GLIBC_TUNABLES joined with
 * glibc.rtld.optional_static_tls=4096 (without which jemalloc cannot be opened at run time), and
 * each other allocator's own variables. Returns 0 or -E2BIG.
 */
int environment_add_row(struct environment *environment, const struct row *row);

/* Adds `pad_bytes` of padding. Returns 0 or -E2BIG. */
int environment_add_pad(struct environment *environment, unsigned pad_bytes);

/*
 * The allocator variables that the caller's own environment holds and no child gets
 * (GLIBC_TUNABLES, MALLOC_*, MIMALLOC_*, TCMALLOC_*, _RJEM_*, PYTHONMALLOC*, HEAPCHECK), as a new
 * JSON array of "NAME=VALUE" strings; those whose value is a path (LD_PRELOAD, LD_LIBRARY_PATH,
 * HEAPPROFILE) by name alone. The caller owns it.
 */
json_t *environment_dropped(void);

#endif
