/*
 * A lock for a few instructions. Leaves out waiting in the kernel and pthread's own state, which a
 * malloc that is still being loaded cannot rely on.
 */
#ifndef TIDEMARK_HARNESS_SITES_SPIN_LOCK_H
#define TIDEMARK_HARNESS_SITES_SPIN_LOCK_H

#include <sched.h>
#include <stdatomic.h>

struct spin_lock {
    atomic_flag is_taken;
};

static inline void spin_lock_take(struct spin_lock *lock)
{
    enum { PATIENCE = 64 };
    unsigned tries = 0;

    while (atomic_flag_test_and_set_explicit(&lock->is_taken, memory_order_acquire)) {
        /* Whoever has it may have lost the processor. */
        if (++tries % PATIENCE == 0)
            sched_yield();
    }
}

static inline void spin_lock_release(struct spin_lock *lock)
{
    atomic_flag_clear_explicit(&lock->is_taken, memory_order_release);
}

#endif
