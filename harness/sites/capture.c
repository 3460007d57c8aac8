/*
 * Two ways up a stack: see capture.h. Leaves out signal frames by frame pointers: what is recorded
 * that way has no handlers.
 */
#define _GNU_SOURCE
#include "harness/sites/capture.h"

#ifdef TIDEMARK_HAVE_LIBUNWIND
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#else
#include <execinfo.h>
#endif

enum {
    OWN_FRAMES = 8, /* of the recorder, above the frame that is asked for */
    MOST_FRAMES = 256,
};

/* The stack of this function, its own frame included or not, into `frames`. */
static int unwind(void **frames, int most)
{
#ifdef TIDEMARK_HAVE_LIBUNWIND
    return unw_backtrace(frames, most);
#else
    return backtrace(frames, most);
#endif
}

const char *capture_unwinder(void)
{
#ifdef TIDEMARK_HAVE_LIBUNWIND
    return "libunwind";
#else
    return "backtrace() of glibc";
#endif
}

void capture_init(void)
{
    void *frames[OWN_FRAMES];

#ifdef TIDEMARK_HAVE_LIBUNWIND
    unw_set_caching_policy(unw_local_addr_space, UNW_CACHE_PER_THREAD);
#endif
    unwind(frames, OWN_FRAMES);
}

size_t capture_unwind(void *return_address, uintptr_t *frames, size_t most)
{
    void *found[MOST_FRAMES];
    const size_t wanted = most + OWN_FRAMES < MOST_FRAMES ? most + OWN_FRAMES : MOST_FRAMES;
    const int got = unwind(found, (int)wanted);
    const size_t count = got > 0 ? (size_t)got : 0;
    size_t first = 0, depth = 0;

    while (first < count && found[first] != return_address)
        first++;
    for (size_t i = first; i < count && depth < most; i++)
        frames[depth++] = (uintptr_t)found[i];
    return depth;
}

/* What AAPCS64 and the x86-64 ABI both put where the frame pointer points to. */
struct frame_record {
    const struct frame_record *caller;
    uintptr_t return_address;
};

size_t capture_frame_pointers(const struct capture_bounds *bounds, const void *frame,
                              uintptr_t *frames, size_t most)
{
    const struct frame_record *at = frame;
    const struct frame_record *outermost = bounds->outermost;
    size_t depth = 0;

    while (at != outermost) {
        /* A chain leads outwards, in steps of whole records. */
        if (at > outermost || (uintptr_t)at % sizeof(void *) != 0 || at->caller <= at ||
            at->return_address < bounds->text_begin || at->return_address >= bounds->text_end)
            return 0;
        if (depth < most)
            frames[depth++] = at->return_address;
        at = at->caller;
    }
    return depth;
}
