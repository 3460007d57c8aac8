/*
 * Touches memory before the first sample, so that the machine beneath a guest has backed it: the
 * first touch of a page costs several times more while it has not. Leaves out the memory of a
 * child, which is other pages of the same pool.
 */
#ifndef TIDEMARK_HARNESS_WARM_UP_H
#define TIDEMARK_HARNESS_WARM_UP_H

#include <signal.h>
#include <stdint.h>

struct warm_up {
    uint64_t bytes;
    double first_ns_per_page; /* of the first pass, the kernel's fault included */
    double again_ns_per_page; /* of a second pass over as much, unmapped between */
};

/*
 * How much to touch: what is asked, but at most a quarter of what is available and the memory limit
 * of a sample; whole pages.
 */
uint64_t warm_up_bytes(uint64_t asked_bytes, uint64_t available_bytes, uint64_t limit_bytes);

/*
 * Maps, touches and unmaps `bytes`, a whole number of pages and at least one, twice. Nothing of it
 * stays mapped. Takes about 0.3 s to 3 s a GiB. Returns 0, -ENOMEM, or -EINTR when `interrupted`
 * became 1 meanwhile; `warm_up` is then untouched.
 */
int warm_up_memory(uint64_t bytes, const volatile sig_atomic_t *interrupted,
                   struct warm_up *warm_up);

#endif
