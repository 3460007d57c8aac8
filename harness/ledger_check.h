/*
 * Whether JSON is a ledger as results/FORMAT.md says: fields and bounds. Leaves out whether the
 * calls explain the kernel's figure, which is a finding and no error.
 */
#ifndef TIDEMARK_HARNESS_LEDGER_CHECK_H
#define TIDEMARK_HARNESS_LEDGER_CHECK_H

#include <jansson.h>

enum { LEDGER_FORMAT = 1 };

/* Returns 0, or -EINVAL with a sentence in `error` (PASS_ERROR_BYTES) that names the field. */
int ledger_check(const json_t *json, char *error);

#endif
