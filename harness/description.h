/*
 * Asks tidemark-describe what an allocator is: a fresh process opens it and answers in JSON. Leaves
 * out what the answer means (harness/library.h, harness/proof.h, harness/doctor_programs.c).
 */
#ifndef TIDEMARK_HARNESS_DESCRIPTION_H
#define TIDEMARK_HARNESS_DESCRIPTION_H

#include "harness/environment.h"

enum { DESCRIPTION_REASON_BYTES = 320 };

struct description_request {
    const char *object;              /* a name, or a path */
    const char *raw;                 /* the same, or NULL */
    const char *prove;               /* "--prove-object", "--prove-raw", "--tell" or NULL */
    const char *assignment;          /* TUNABLE=VALUE with `prove`; "object" or "raw" to tell of */
    struct environment *environment; /* of the process */
};

/*
 * Asks, and waits for at most ten seconds. Returns 0 with the answer in `answer`, which the caller
 * owns; -ENOENT when the allocator cannot be opened, -ENOEXEC when the process that opened it died
 * or hung, -EINTR when this process was interrupted meanwhile, or another negative errno when it
 * could not be asked. All with a sentence in `reason` (DESCRIPTION_REASON_BYTES).
 */
int description_ask(const struct description_request *request, json_t **answer, char *reason);

#endif
