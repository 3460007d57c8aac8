/*
 * malloc and its kin, C's and C++'s, for any program: each call goes on to the malloc behind, and
 * is told to the library that this is part of (hooks.h). Leaves out malloc_usable_size(), which is
 * the next library's own.
 */
#define _GNU_SOURCE
#include "harness/preload/hooks.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LEAST_ALIGNMENT = sizeof(void *) };

/* Of the function that it stands in. */
#define REQUEST(KIND, BYTES, ALIGNMENT)                                                            \
    {                                                                                              \
        KIND, BYTES, ALIGNMENT, __builtin_return_address(0), __builtin_frame_address(0)            \
    }

#define MADE(KIND, BLOCK, BYTES, ALIGNMENT)                                                        \
    do {                                                                                           \
        if (BLOCK) {                                                                               \
            const struct hook_request made = REQUEST(KIND, BYTES, ALIGNMENT);                      \
            hook_made(&made, BLOCK);                                                               \
        }                                                                                          \
    } while (0)

/* What is called most, in one piece with what the hooks do: they are linked as one
 * (CMakeLists.txt). */
#define HOT __attribute__((flatten))

/* --- The C library's functions, with the names of its parameters. --- */

HOT void *malloc(size_t size)
{
    const struct next_malloc *next = preload_next();
    void *block = next ? next->malloc(size) : preload_early_block(size);

    MADE(HOOK_MALLOC, block, size, 0);
    return block;
}

HOT void *calloc(size_t nmemb, size_t size)
{
    const struct next_malloc *next = preload_next();
    size_t all;

    if (__builtin_mul_overflow(nmemb, size, &all)) {
        errno = ENOMEM;
        return NULL;
    }
    void *block = next ? next->calloc(nmemb, size) : preload_early_block(all);
    MADE(HOOK_CALLOC, block, all, 0);
    return block;
}

static void *move_early(const void *block, size_t bytes)
{
    void *moved = preload_next() ? preload_next()->malloc(bytes) : preload_early_block(bytes);
    const size_t room = preload_early_room(block);

    if (moved)
        memcpy(moved, block, bytes < room ? bytes : room);
    return moved;
}

static void *resize(void *block, const struct hook_request *request)
{
    const struct next_malloc *next = preload_next();
    void *moved;

    if (block && !preload_is_early(block) && next)
        return hook_realloc(next, block, request);
    if (block && preload_is_early(block))
        moved = move_early(block, request->bytes);
    else
        moved = next ? next->malloc(request->bytes) : preload_early_block(request->bytes);
    if (moved)
        hook_made(request, moved);
    return moved;
}

void *realloc(void *ptr, size_t size)
{
    const struct hook_request request = REQUEST(HOOK_MALLOC, size, 0);

    return resize(ptr, &request);
}

void *reallocarray(void *ptr, size_t nmemb, size_t size)
{
    size_t all;

    if (__builtin_mul_overflow(nmemb, size, &all)) {
        errno = ENOMEM;
        return NULL;
    }
    const struct hook_request request = REQUEST(HOOK_MALLOC, all, 0);
    return resize(ptr, &request);
}

static void give_back(void *block)
{
    if (!block || preload_is_early(block))
        return;
    hook_ends(block);
    preload_next()->free(block);
}

HOT void free(void *ptr)
{
    give_back(ptr);
}

/* A malloc library that lacks one of the following has the caller go without. */
static void *unknown(void)
{
    errno = ENOMEM;
    return NULL;
}

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    const struct next_malloc *next = preload_next();
    void *block = next && next->aligned_alloc ? next->aligned_alloc(alignment, size) : unknown();

    MADE(HOOK_ALIGNED, block, size, alignment);
    return block;
}

int posix_memalign(void **memptr, size_t alignment, size_t size)
{
    const struct next_malloc *next = preload_next();
    int error =
        next && next->posix_memalign ? next->posix_memalign(memptr, alignment, size) : ENOMEM;

    if (error == 0)
        MADE(HOOK_ALIGNED, *memptr, size, alignment);
    return error;
}

void *memalign(size_t alignment, size_t size)
{
    const struct next_malloc *next = preload_next();
    void *block = next && next->memalign ? next->memalign(alignment, size) : unknown();

    MADE(HOOK_ALIGNED, block, size, alignment);
    return block;
}

void *valloc(size_t size)
{
    const struct next_malloc *next = preload_next();
    void *block = next && next->valloc ? next->valloc(size) : unknown();

    MADE(HOOK_ALIGNED, block, size, page_bytes());
    return block;
}

void *pvalloc(size_t size)
{
    const struct next_malloc *next = preload_next();
    void *block = next && next->pvalloc ? next->pvalloc(size) : unknown();

    MADE(HOOK_ALIGNED, block, size, page_bytes());
    return block;
}

/* --- C++'s operators, which an allocator behind may have of its own, past our malloc. Names are
 * those of the Itanium ABI, which the headers of no language declare. --- */

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,bugprone-macro-parentheses) */
/* Also where an exception goes through: -fexceptions. */
static void leave_hook(const int *was_inside)
{
    hook_leave(*was_inside);
}

#define LEAVES __attribute__((cleanup(leave_hook)))

#define NEW(NAME, PARAMETERS, ARGUMENTS, KIND, ALIGNMENT, GIVE)                                    \
    void *NAME PARAMETERS;                                                                         \
    void *NAME PARAMETERS                                                                          \
    {                                                                                              \
        const struct next_malloc *next = preload_next();                                           \
        void *block = GIVE;                                                                        \
        if (!block) {                                                                              \
            /* The real one throws, or calls the program's handler. */                             \
            void *(*real)PARAMETERS = (void *(*)PARAMETERS)preload_next_function(#NAME);           \
            LEAVES int was_inside = hook_enter();                                                  \
            block = real ? real ARGUMENTS : NULL;                                                  \
            (void)was_inside;                                                                      \
        }                                                                                          \
        MADE(KIND, block, bytes, ALIGNMENT);                                                       \
        return block;                                                                              \
    }

static void *give(const struct next_malloc *next, size_t bytes)
{
    return next ? next->malloc(bytes ? bytes : 1) : preload_early_block(bytes);
}

static void *give_aligned(const struct next_malloc *next, size_t alignment, size_t bytes)
{
    void *block = NULL;

    if (alignment < LEAST_ALIGNMENT)
        alignment = LEAST_ALIGNMENT;
    return next && next->posix_memalign &&
                   next->posix_memalign(&block, alignment, bytes ? bytes : 1) == 0
               ? block
               : NULL;
}

#define PLAIN           (size_t bytes)
#define PLAIN_NOTHROW   (size_t bytes, const void *nothrow)
#define ALIGNED         (size_t bytes, size_t alignment)
#define ALIGNED_NOTHROW (size_t bytes, size_t alignment, const void *nothrow)

NEW(_Znwm, PLAIN, (bytes), HOOK_MALLOC, 0, give(next, bytes))
NEW(_Znam, PLAIN, (bytes), HOOK_MALLOC, 0, give(next, bytes))
NEW(_ZnwmRKSt9nothrow_t, PLAIN_NOTHROW, (bytes, nothrow), HOOK_MALLOC, 0, give(next, bytes))
NEW(_ZnamRKSt9nothrow_t, PLAIN_NOTHROW, (bytes, nothrow), HOOK_MALLOC, 0, give(next, bytes))
NEW(_ZnwmSt11align_val_t, ALIGNED, (bytes, alignment), HOOK_ALIGNED, alignment,
    give_aligned(next, alignment, bytes))
NEW(_ZnamSt11align_val_t, ALIGNED, (bytes, alignment), HOOK_ALIGNED, alignment,
    give_aligned(next, alignment, bytes))
NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, ALIGNED_NOTHROW, (bytes, alignment, nothrow), HOOK_ALIGNED,
    alignment, give_aligned(next, alignment, bytes))
NEW(_ZnamSt11align_val_tRKSt9nothrow_t, ALIGNED_NOTHROW, (bytes, alignment, nothrow), HOOK_ALIGNED,
    alignment, give_aligned(next, alignment, bytes))

#define DELETE(NAME, PARAMETERS)                                                                   \
    void NAME PARAMETERS;                                                                          \
    void NAME PARAMETERS                                                                           \
    {                                                                                              \
        give_back(block);                                                                          \
    }

DELETE(_ZdlPv, (void *block))
DELETE(_ZdaPv, (void *block))
DELETE(_ZdlPvm, (void *block, __attribute__((unused)) size_t bytes))
DELETE(_ZdaPvm, (void *block, __attribute__((unused)) size_t bytes))
DELETE(_ZdlPvRKSt9nothrow_t, (void *block, __attribute__((unused)) const void *nothrow))
DELETE(_ZdaPvRKSt9nothrow_t, (void *block, __attribute__((unused)) const void *nothrow))
DELETE(_ZdlPvSt11align_val_t, (void *block, __attribute__((unused)) size_t alignment))
DELETE(_ZdaPvSt11align_val_t, (void *block, __attribute__((unused)) size_t alignment))
DELETE(_ZdlPvmSt11align_val_t, (void *block, __attribute__((unused)) size_t bytes,
                                __attribute__((unused)) size_t alignment))
DELETE(_ZdaPvmSt11align_val_t, (void *block, __attribute__((unused)) size_t bytes,
                                __attribute__((unused)) size_t alignment))
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, (void *block, __attribute__((unused)) size_t alignment,
                                             __attribute__((unused)) const void *nothrow))
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, (void *block, __attribute__((unused)) size_t alignment,
                                             __attribute__((unused)) const void *nothrow))
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,bugprone-macro-parentheses) */
