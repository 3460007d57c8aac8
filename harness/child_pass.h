/*
 * The child's side of a pass: what it looks at while one workload runs for that alone, told as text
 * on a descriptor. Leaves out the parent's side (harness/pass.h). Nothing in it is timed, so it may
 * read, count and stand between the workload and its row as it likes.
 */
#ifndef TIDEMARK_HARNESS_CHILD_PASS_H
#define TIDEMARK_HARNESS_CHILD_PASS_H

#include "harness/open_row.h"
#include "harness/page.h"
#include "harness/pass_writer.h"

/* Each function but `phase_ended` may be NULL. */
struct child_pass {
    const char *name; /* as struct pass has it: the value of --pass */

    /*
     * The row is open and the workload has not begun; pass_writer.h is ready. May replace
     * `context->object` and `context->raw`. Returns 0, or a negative errno with a sentence in
     * `reason` (ALLOCATOR_TEXT_BYTES) that says what is missing here.
     */
    int (*begin)(struct workload_context *context, const struct open_row *row, char *reason);

    /* Right before the clock of the phase `name` starts. */
    void (*phase_begun)(struct workload_context *context, const char *name);

    /* Right after the clock of `phase` has stopped, with everything alive as it is, before the
     * child parks. What was written is flushed by the caller. */
    void (*phase_ended)(struct workload_context *context, const struct page_phase *phase);
};

/* The pass of that name, or NULL. Thread-safe. */
const struct child_pass *child_pass_find(const char *name);

#endif
