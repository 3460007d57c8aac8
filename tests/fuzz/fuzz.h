/*
 * What the fuzz targets share: an entry point for libFuzzer or replay.c, and a check that ends the
 * process where a promise is broken. Leaves out cmocka: a fuzzer wants a crash.
 */
#ifndef TIDEMARK_TESTS_FUZZ_FUZZ_H
#define TIDEMARK_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* One input; returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

/* Also in a release build, where assert() is none. */
#define FUZZ_CHECK(promise)                                                                        \
    do {                                                                                           \
        if (!(promise)) {                                                                          \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #promise);                  \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The next part of an input whose parts are separated by a line "%%"; `data` moves behind it. A
 * part may be empty. */
struct fuzz_part {
    const char *bytes;
    size_t length;
};
struct fuzz_part fuzz_next_part(const uint8_t **data, size_t *length);

/* A copy that ends with a NUL, in a block of its own, so that a read behind it is seen; the caller
 * frees it. */
char *fuzz_copy(struct fuzz_part part);

#endif
