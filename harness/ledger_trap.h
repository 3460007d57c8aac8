/*
 * Sees every system call of this process that changes its address space, whoever makes it, counts
 * it by kind and times it. Leaves out phases and files (harness/ledger_child.c). An allocator's
 * calls pass no function that could be preloaded (docs/ledger.md); so a seccomp filter turns each
 * into SIGSYS of the thread that made it, and the handler makes the call again from one instruction
 * that the filter lets through. seccomp(2) describes SECCOMP_RET_TRAP; no privilege is needed.
 *
 * What a thread does to its signals is amended so that SIGSYS is never blocked: the kernel would
 * kill the process. rt_sigprocmask and rt_sigaction are trapped for that, and not counted.
 */
#ifndef TIDEMARK_HARNESS_LEDGER_TRAP_H
#define TIDEMARK_HARNESS_LEDGER_TRAP_H

#include "harness/ledger_calls.h"

#include <stddef.h>

enum {
    LEDGER_KINDS = 128,                         /* pairs of a call and a kind that are told apart */
    LEDGER_LINES = LEDGER_KINDS + LEDGER_CALLS, /* the rest, by call */
    LEDGER_REASON_BYTES = 192
};

/* Sums over calls; those of failed ones are in `count`, `failed` and the times alone. */
struct ledger_totals {
    uint64_t count, failed;
    uint64_t bytes, old_bytes;
    uint64_t net_bytes; /* modulo 2^64: a signed number */
    uint64_t time_ns;   /* of the calls alone, from one clock read to the next */
    uint64_t longest_ns;
};

struct ledger_line {
    enum ledger_call call;
    uint32_t kind;
    struct ledger_totals totals; /* of no call where count is 0 */
};

/* Medians, measured in this process. */
struct ledger_cost {
    uint64_t clock_ns;        /* between two clock reads with nothing in between */
    uint64_t empty_call_ns;   /* what the ledger tells as the time of a call that does nothing */
    uint64_t trapped_call_ns; /* what that call takes by a clock outside: trap, handler, return */
};

/* The calls of one thread that were trapped so far, each modulo 2^32. */
struct ledger_thread {
    uint32_t all;
    uint32_t by_call[LEDGER_CALLS];
};

/* Of a call that does nothing and is not watched, what trapped_call_ns is of one that is: the
 * median, in ns. Some 0.02 ms. Call before ledger_trap_install. */
uint64_t ledger_trap_measure_plain(void);

/*
 * From here on the process is watched, to its end; threads and forked children inherit it, but a
 * program that it executes would be killed at its first such call. Call before any allocator is
 * opened, while the process has one thread: one that blocks SIGSYS already could not be helped.
 * Returns 0; or a negative errno with a sentence in `reason` (LEDGER_REASON_BYTES): -ENOSYS where
 * this is neither x86-64 nor aarch64, -EBUSY with more than one thread, or why the kernel refuses.
 */
int ledger_trap_install(char *reason);

/* Measures what the trap costs, some 0.3 ms, and forgets all that was counted. Call
 * after ledger_trap_install, while the process has one thread. */
void ledger_trap_measure(struct ledger_cost *cost);

/* Those of the calling thread, which grow as it makes calls: a trap is a signal, so that they
 * change across any function that is called. Valid to the thread's end. Async-signal-safe. */
const struct ledger_thread *ledger_trap_thread(void);

/*
 * Writes all sums so far to `lines` (LEDGER_LINES): a kind keeps its place, so that two readings
 * can be subtracted place by place. `longest_ns` is since the reading before it. Thread-safe; a
 * call that is under way in another thread may be in some of the sums of its line, and is in all of
 * them at the next reading.
 */
void ledger_trap_read(struct ledger_line *lines);

#endif
