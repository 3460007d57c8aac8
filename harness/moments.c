/*
 * Reads /proc of a child that sleeps. Leaves out waiting for the time: that is sample.c's poll.
 */
#define _GNU_SOURCE
#include "harness/moments.h"

#include "harness/clock.h"

const uint64_t moment_after_ns[MOMENTS] = {0, 100000000, 1000000000, 10000000000, 30000000000};

/* All that was due by then has the figures `now`; NULL: it is passed over. */
static void catch_up(struct moments *moments, uint64_t end_ns, const struct moment *now)
{
    for (; moments->next < MOMENTS && moments_due_ns(moments) <= end_ns; moments->next++) {
        if (now)
            moments->taken[moments->next] = *now;
    }
}

void moments_phase_ended(struct moments *moments, uint64_t end_ns, int freed,
                         const struct moment *now)
{
    if (freed || moments->last_free_ns == 0)
        *moments = (struct moments){.last_free_ns = end_ns, .next = 1, .taken = {*now}};
    else
        catch_up(moments, end_ns, NULL);
}

void moments_rest_ended(struct moments *moments, uint64_t end_ns, const struct moment *now)
{
    catch_up(moments, end_ns, now);
}

void moments_pass(struct moments *moments, uint64_t end_ns)
{
    catch_up(moments, end_ns, NULL);
}

uint64_t moments_due_ns(const struct moments *moments)
{
    if (moments->last_free_ns == 0 || moments->next == MOMENTS)
        return UINT64_MAX;
    return moments->last_free_ns + moment_after_ns[moments->next];
}

void moments_take(struct moments *moments, pid_t pid, int rests, const struct memory_group *group)
{
    struct moment read = {.at_ns = clock_monotonic_ns(), .charge_bytes = MOMENT_NO_CHARGE};
    struct memory_status status;

    if (rests && procfs_read_status(pid, &status) == 0 &&
        procfs_read_rollup(pid, &read.rollup) == 0) {
        read.page_table_bytes = status.page_table_bytes;
        memory_group_charge(group, &read.charge_bytes);
        moments->taken[moments->next] = read;
    }
    moments->next++;
}
