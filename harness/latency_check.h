/*
 * What a file of the latency pass has to be (results/FORMAT.md, latency). Leaves out how it comes
 * about (harness/latency_pass.c).
 */
#ifndef TIDEMARK_HARNESS_LATENCY_CHECK_H
#define TIDEMARK_HARNESS_LATENCY_CHECK_H

#include <jansson.h>

enum { LATENCY_FORMAT = 1 };

/* The `check` of struct pass: `error` has PASS_ERROR_BYTES. Not thread-safe. */
int latency_check(const json_t *json, char *error);

#endif
