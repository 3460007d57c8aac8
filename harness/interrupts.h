/*
 * Ctrl-C, SIGTERM and SIGHUP while something is measured: noted, so that what was measured is told.
 * Leaves out what ends because of it, which those do that started it (harness/process.h,
 * harness/program.h): they catch the signals while their program runs, and note them here.
 */
#ifndef TIDEMARK_HARNESS_INTERRUPTS_H
#define TIDEMARK_HARNESS_INTERRUPTS_H

#include <signal.h>

enum { INTERRUPT_SIGNALS = 3, INTERRUPT_PATIENCE_SECONDS = 2 /* then a group is killed */ };

struct interrupts {
    struct sigaction before[INTERRUPT_SIGNALS];
};

/* Catches the three from now on, and forgets those that were noted before. One at a time. */
void interrupts_catch(struct interrupts *interrupts);

void interrupts_release(const struct interrupts *interrupts);

/* Not 0 once one was noted since interrupts_catch; what it points to stays. */
const volatile sig_atomic_t *interrupts_noted(void);

/* For handlers of others. Safe in one. */
void interrupts_note(void);

#endif
