/*
 * What a library that is preloaded does with each call of malloc and its kin, which interpose.c
 * takes and passes on to the malloc behind (next.h). Leaves out what it is for: a snapshot
 * (harness/sites/preload.c) or a trace (harness/trace/record_preload.c). A library links
 * interpose.c and defines all that stands here.
 */
#ifndef TIDEMARK_HARNESS_PRELOAD_HOOKS_H
#define TIDEMARK_HARNESS_PRELOAD_HOOKS_H

#include "harness/preload/next.h"

#include <stddef.h>

enum hook_kind { HOOK_MALLOC, HOOK_CALLOC, HOOK_ALIGNED };

/* A block that was asked for, by the code that `caller` returns into. */
struct hook_request {
    enum hook_kind kind;
    size_t bytes;
    size_t alignment; /* of HOOK_ALIGNED */
    void *caller;
    const void *frame; /* __builtin_frame_address(0) of the function that returns there */
};

/* The library's file, for messages. */
extern const char hook_library[];

/* `block` was given, never NULL. Keeps errno. */
void hook_made(const struct hook_request *request, void *block);

/* `block` is about to be freed, never NULL: its place may be given to another thread right after.
 */
void hook_ends(void *block);

/* Calls the realloc behind, of a block that is not NULL, and returns what it gave. Of glibc and
 * others realloc(block, 0) frees and returns NULL; else NULL leaves the block as it is. */
void *hook_realloc(const struct next_malloc *next, void *block, const struct hook_request *request);

/*
 * What is asked for between the two is part of a call that is told by itself, and not told. Returns
 * what hook_leave wants.
 */
int hook_enter(void);
void hook_leave(int was_inside);

#endif
