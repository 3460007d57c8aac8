/*
 * The call stack of the running thread as a node of a tree of stacks, in some tens of nanoseconds:
 * each frame by a rule of two words (rule_table.h), and only as far as it is not the stack that the
 * same thread asked for before. Leaves out whatever is not simple, for which libunwind is asked
 * (capture.h); what libunwind says is what this says.
 */
#ifndef TIDEMARK_HARNESS_SITES_STACK_WALK_H
#define TIDEMARK_HARNESS_SITES_STACK_WALK_H

#include "harness/sites/stack_tree.h"

#include <stdint.h>

/* "libunwind" has every stack taken by it; no other value is known. */
#define STACK_WALK_VARIABLE "TIDEMARK_UNWINDER"

/* Takes what a walk needs, and what libunwind does. Once, on the program's first thread, while
 * nothing is recorded yet. Without memory libunwind is asked for all. */
void stack_walk_init(void);

/*
 * The node of the stack from the frame that `caller` returns into; that of `caller` alone where no
 * unwinder knows it, 0 where there is no memory for it. `frame` is __builtin_frame_address(0) of
 * the function that returns there, which still runs. Thread-safe. On one thread a call is not to
 * interrupt another one, nor to be left by longjmp.
 *
 * Reads of the stack: nothing below the frame, nothing above the thread's own stack, and in between
 * the words where return addresses and frame pointers are saved.
 */
uint32_t stack_walk_find(struct stack_tree *tree, void *caller, const void *frame);

/* The same without libunwind. Returns 0, or -ENOTSUP where it would have to be asked. */
int stack_walk_try(struct stack_tree *tree, void *caller, const void *frame, uint32_t *node);

#endif
