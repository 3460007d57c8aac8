/*
 * One mapping of small pages at a time. Leaves out MAP_POPULATE, which neither a signal nor a clock
 * can look into.
 */
#define _GNU_SOURCE
#include "harness/warm_up.h"

#include "harness/clock.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGES_BETWEEN_LOOKS = 4096 }; /* some 4 to 40 ms */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t warm_up_bytes(uint64_t asked_bytes, uint64_t available_bytes, uint64_t limit_bytes)
{
    const uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t bytes = least(asked_bytes, least(available_bytes / 4, limit_bytes));

    return bytes - bytes % page_bytes;
}

/* Returns 0 or -EINTR. */
static int touch(char *map, uint64_t bytes, const volatile sig_atomic_t *interrupted)
{
    const uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);

    for (uint64_t at = 0; at < bytes; at += page_bytes) {
        *(volatile char *)(map + at) = 1;
        if (at / page_bytes % PAGES_BETWEEN_LOOKS == 0 && *interrupted)
            return -EINTR;
    }
    return 0;
}

static int pass(uint64_t bytes, const volatile sig_atomic_t *interrupted, double *ns_per_page)
{
    const uint64_t pages = bytes / (uint64_t)sysconf(_SC_PAGESIZE);
    char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (map == MAP_FAILED)
        return -ENOMEM;
    madvise(map, bytes, MADV_NOHUGEPAGE);
    uint64_t began_ns = clock_monotonic_ns();
    int failed = touch(map, bytes, interrupted);
    *ns_per_page = (double)(clock_monotonic_ns() - began_ns) / (double)pages;
    munmap(map, bytes);
    return failed;
}

int warm_up_memory(uint64_t bytes, const volatile sig_atomic_t *interrupted,
                   struct warm_up *warm_up)
{
    struct warm_up done = {.bytes = bytes};
    int failed = pass(bytes, interrupted, &done.first_ns_per_page);

    if (!failed)
        failed = pass(bytes, interrupted, &done.again_ns_per_page);
    if (!failed)
        *warm_up = done;
    return failed;
}
