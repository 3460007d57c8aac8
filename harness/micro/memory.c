/*
 * Reads /proc/self before and after a measured loop. Leaves out other sources than statm and VmHWM,
 * which cost more: see harness/procfs.h.
 */
#define _GNU_SOURCE
#include "harness/micro/memory.h"

#include "harness/procfs.h"

#include <unistd.h>

/* Kept open: an open takes longer than a read. */
static int own_statm(void)
{
    static int fd = -1;

    if (fd < 0)
        fd = procfs_open_statm(getpid());
    return fd;
}

struct micro_memory micro_memory_begin(const struct micro_row *row)
{
    struct micro_memory memory = {0};

    if (!row->counts_memory || own_statm() < 0)
        return memory;
    memory.has_peak = procfs_reset_peak(getpid()) == 0;
    memory.has_rss = procfs_read_statm(own_statm(), &memory.before_bytes) == 0;
    return memory;
}

void micro_memory_end(const struct micro_memory *memory, struct tidemark_gbench_state *state)
{
    struct memory_status status;
    uint64_t after_bytes;

    if (!memory->has_rss || procfs_read_statm(own_statm(), &after_bytes) != 0)
        return;
    const double before = (double)memory->before_bytes;
    tidemark_gbench_counter(state, "rss_bytes", (double)after_bytes - before,
                            TIDEMARK_GBENCH_VALUE);
    if (!memory->has_peak || procfs_read_status(getpid(), &status) != 0)
        return;
    /* The two counts lag each on its own: a mark below the start is no rise. */
    const double rise = (double)status.peak_bytes - before;
    tidemark_gbench_counter(state, "peak_bytes", rise > 0 ? rise : 0, TIDEMARK_GBENCH_VALUE);
}
