/*
 * Three files of a group. Leaves out how much went: the figures of the phase tell it.
 */
#include "harness/memory_pressure.h"

#include "harness/cgroup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* The kernel tries a few times by itself; past this many it is not going to end. */
enum { MOST_TRIES = 64 };

/* What ends the kernel's search without being a failure. */
static int is_expected(int error)
{
    return error == 0 || error == -EBUSY || error == -EAGAIN || error == -EINTR;
}

static int press_v1(const struct memory_group *group)
{
    char limit[24];
    int pressed = cgroup_write(group->folder_fd, "memory.limit_in_bytes", "0");

    snprintf(limit, sizeof limit, "%" PRIu64, group->limit_bytes);
    int restored = cgroup_write(group->folder_fd, "memory.limit_in_bytes", limit);
    return is_expected(pressed) ? restored : pressed;
}

/* Returns 0 when there may be more, 1 when nothing more goes, or a negative errno. */
static int reclaim_once(const struct memory_group *group)
{
    uint64_t before = 0, after = 0;
    char all[24];
    int error = memory_group_charge(group, &before);

    snprintf(all, sizeof all, "%" PRIu64, before);
    if (!error)
        error = cgroup_write(group->folder_fd, "memory.reclaim", all);
    if (!is_expected(error))
        return error;
    error = memory_group_charge(group, &after);
    return error ? error : after >= before;
}

static int press_by_high(const struct memory_group *group)
{
    int pressed = cgroup_write(group->folder_fd, "memory.high", "0");
    int restored = cgroup_write(group->folder_fd, "memory.high", "max");

    return is_expected(pressed) ? restored : pressed;
}

static int press_v2(const struct memory_group *group)
{
    int ended = 0;

    for (int tries = 0; !ended && tries < MOST_TRIES; tries++)
        ended = reclaim_once(group);
    if (ended == -ENOENT)
        return press_by_high(group);
    return ended < 0 ? ended : 0;
}

int memory_pressure(const struct memory_group *group)
{
    if (group->version == 0)
        return -ENOENT;
    return group->version == 1 ? press_v1(group) : press_v2(group);
}
