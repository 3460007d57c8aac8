/*
 * The call stack of the running thread, as return addresses, innermost first. Leaves out names
 * (harness/snapshot_symbols.h). By frame pointers where all code on the way has them, which costs
 * some nanoseconds; else by libunwind, or without it by the backtrace() of glibc.
 */
#ifndef TIDEMARK_HARNESS_SITES_CAPTURE_H
#define TIDEMARK_HARNESS_SITES_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

/* Takes what an unwinder takes on its first use. Once, while nothing is recorded yet. */
void capture_init(void);

/* "libunwind" or "backtrace() of glibc". Static storage. */
const char *capture_unwinder(void);

/*
 * The stack from the frame that `return_address` returns into, at most `most` frames, by the
 * unwinder. 0 when it cannot be told. Thread-safe; the unwinder may allocate at a thread's first.
 */
size_t capture_unwind(void *return_address, uintptr_t *frames, size_t most);

/*
 * The same by frame pointers, from the frame record at `frame` (__builtin_frame_address(0) of the
 * function that return_address belongs to) outwards to the record `outermost`, whose own return
 * address is left out. 0 when the chain does not lead there, or through code outside of
 * [text_begin, text_end), which may use the register for something else.
 */
struct capture_bounds {
    const void *outermost;
    uintptr_t text_begin, text_end;
};
size_t capture_frame_pointers(const struct capture_bounds *bounds, const void *frame,
                              uintptr_t *frames, size_t most);

#endif
