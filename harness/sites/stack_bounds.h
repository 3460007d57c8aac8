/*
 * Between which addresses the running thread's own stack can be read, from /proc/self/maps. Leaves
 * out other stacks that a thread may run on, a signal's or a coroutine's. pthread_getattr_np(3)
 * knows as well, but takes a lock that its own realloc is called with.
 */
#ifndef TIDEMARK_HARNESS_SITES_STACK_BOUNDS_H
#define TIDEMARK_HARNESS_SITES_STACK_BOUNDS_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed at first. */
struct stack_bounds {
    uintptr_t begin, end;             /* of its own stack; both 0 while that is not known */
    uintptr_t other_begin, other_end; /* of memory that was found not to be of it */
    unsigned looks;
    int grows; /* it is the process's first one, which begins lower whenever it is used lower */
};

/* Looks at the maps when that may help, with some microseconds. Returns 1 when `sp`, which this
 * thread runs on, is on its own stack. Takes no memory; `text` is scratch. Safe in a handler. */
int stack_bounds_look(struct stack_bounds *bounds, uintptr_t sp, char *text, size_t text_bytes);

/* 1 when `sp` is on this thread's own stack: all from there to `end` can be read. */
static inline int stack_bounds_hold(const struct stack_bounds *bounds, uintptr_t sp)
{
    return sp - bounds->begin < bounds->end - bounds->begin;
}

#endif
