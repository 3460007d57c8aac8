/*
 * Where an object of a checked file stands, and what is said when something there is refused.
 * Leaves out what is checked, which each file's format says (results/FORMAT.md).
 */
#ifndef TIDEMARK_HARNESS_JSON_PLACE_H
#define TIDEMARK_HARNESS_JSON_PLACE_H

#include <jansson.h>

enum { JSON_PLACE_ERROR_BYTES = 512, JSON_PLACE_WHERE_BYTES = 96 };

struct json_place {
    const json_t *object;               /* borrowed */
    char where[JSON_PLACE_WHERE_BYTES]; /* "phases[2].operations[0]."; empty: the file's own */
    char *error;                        /* JSON_PLACE_ERROR_BYTES; borrowed */
};

/* Puts the place and the sentence into its `error`, printable. Returns -EINVAL. Thread-safe. */
__attribute__((format(printf, 2, 3))) int json_place_refuse(const struct json_place *place,
                                                            const char *format, ...);

#endif
