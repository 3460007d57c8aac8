/*
 * What one system call that changes the address space was: its kind, its bytes, and by how much it
 * changed the size of the process. Leaves out who made it and when (harness/ledger_trap.h). The
 * words are those of mmap(2), mremap(2), brk(2), mprotect(2) and madvise(2).
 */
#ifndef TIDEMARK_HARNESS_LEDGER_CALLS_H
#define TIDEMARK_HARNESS_LEDGER_CALLS_H

#include <stdint.h>

enum ledger_call {
    LEDGER_MMAP,
    LEDGER_MUNMAP,
    LEDGER_MREMAP,
    LEDGER_BRK,
    LEDGER_MPROTECT,
    LEDGER_MADVISE,
    LEDGER_PROCESS_MADVISE,
    LEDGER_CALLS
};

enum { LEDGER_ARGUMENTS = 6, LEDGER_KIND_BYTES = 96 };

#define LEDGER_OTHER_KIND 0xfffffffeu /* kinds beyond those that a ledger has room for */

struct ledger_event {
    enum ledger_call call;
    uint32_t kind;  /* ledger_kind_name: protection and flags of mmap, direction of brk and mremap,
                       protection of mprotect, advice of madvise; 0 of munmap */
    int failed;     /* 1: the kernel refused, and what follows is 0 */
    uint64_t bytes; /* that it was about, in whole pages; of mremap, afterwards */
    uint64_t old_bytes; /* of mremap, before */
    int64_t net_bytes;  /* by which the mapped bytes grew (negative: fell), if a fixed mapping
                           replaced what was mapped and an unmapped range was mapped throughout */
};

/* The call of that number on this machine, or -1. Async-signal-safe. */
int ledger_call_of(long number);

/*
 * Says what a call was from its arguments and the kernel's `result` (-4095 to -1: a negative
 * errno). `brk_before` is the program break before it, for brk alone; `page_bytes` a power of two.
 * Async-signal-safe.
 */
void ledger_classify(struct ledger_event *event, enum ledger_call call,
                     const uint64_t arguments[LEDGER_ARGUMENTS], int64_t result,
                     uint64_t brk_before, uint64_t page_bytes);

/* "mmap", ... "process_madvise". Async-signal-safe. */
const char *ledger_call_name(enum ledger_call call);

/* Writes a kind into `text` (LEDGER_KIND_BYTES) and returns it: "none+noreserve", "grow+moved",
 * "MADV_DONTNEED", "advice_77"; "" for a call without kinds. Async-signal-safe. */
const char *ledger_kind_name(enum ledger_call call, uint32_t kind, char *text);

#endif
