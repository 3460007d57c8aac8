/*
 * A flag: see interrupts.h. Leaves out which of the signals it was.
 */
#define _GNU_SOURCE
#include "harness/interrupts.h"

#include <stddef.h>

static const int signals[INTERRUPT_SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

static volatile sig_atomic_t noted;

void interrupts_note(void)
{
    noted = 1;
}

const volatile sig_atomic_t *interrupts_noted(void)
{
    return &noted;
}

static void on_signal(int number)
{
    (void)number;
    interrupts_note();
}

void interrupts_catch(struct interrupts *interrupts)
{
    const struct sigaction action = {.sa_handler = on_signal};

    noted = 0;
    for (size_t i = 0; i < INTERRUPT_SIGNALS; i++)
        sigaction(signals[i], &action, &interrupts->before[i]);
}

void interrupts_release(const struct interrupts *interrupts)
{
    for (size_t i = 0; i < INTERRUPT_SIGNALS; i++)
        sigaction(signals[i], &interrupts->before[i], NULL);
}
