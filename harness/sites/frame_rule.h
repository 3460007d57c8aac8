/*
 * From a return address to the frame of its caller, by the tables that compilers emit for
 * exceptions (.eh_frame, System V ABI for x86-64 and DWARF 5, 6.4). Leaves out all that ordinary
 * functions do not need: expressions, signal frames, other registers than the stack and the frame
 * pointer. Whoever meets one of those asks libunwind. The idea of one small rule for each address
 * is that of libunwind's trace cache (Tuura, 2010).
 */
#ifndef TIDEMARK_HARNESS_SITES_FRAME_RULE_H
#define TIDEMARK_HARNESS_SITES_FRAME_RULE_H

#include <stddef.h>
#include <stdint.h>

enum frame_rule_kind {
    FRAME_OTHER,    /* nothing is known of the address, or what is known is not simple */
    FRAME_FROM_SP,  /* the frame ends so many bytes above the stack pointer */
    FRAME_FROM_BP,  /* so many above the frame pointer */
    FRAME_OUTERMOST /* there is no caller */
};

/* The return address stands in the last 8 bytes below the frame's end. */
struct frame_rule {
    enum frame_rule_kind kind;
    int64_t end_offset;      /* of the frame's end, from the register; a multiple of 8, above 0 */
    int64_t bp_saved_offset; /* of the caller's frame pointer, from the frame's end; 0: it is in the
                                register still */
};

/*
 * The entry of the function that `pc` lies in, by the index alone, as an address that may be
 * anywhere; 0 when there is none. Reads nothing outside of the index.
 */
uintptr_t frame_entry_find(const uint8_t *index, const uint8_t *index_end, uintptr_t pc);

/*
 * The rule at `pc` by the entry at `entry`. Reads nothing outside of [begin, end), whatever stands
 * there, each byte of the two programs at most once.
 */
struct frame_rule frame_entry_read(const uint8_t *begin, const uint8_t *end, uintptr_t entry,
                                   uintptr_t pc);

/*
 * The rule for a frame that `return_address` returns into, in whatever is loaded now. Takes the
 * loader's lock, as dl_iterate_phdr(3) does, and about a microsecond; no memory. Thread-safe.
 */
struct frame_rule frame_rule_find(uintptr_t return_address);

#endif
