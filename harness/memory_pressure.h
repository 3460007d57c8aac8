/*
 * Pressure on the memory group of one sample: the kernel takes back all that can go without being
 * written anywhere, which is clean pages of files and pages that were freed lazily. Leaves out
 * swap, which a sample's group has none of. Rules: the kernel's cgroup-v1/memory.rst, section 4.1,
 * and cgroup-v2.rst, memory.reclaim and memory.high.
 */
#ifndef TIDEMARK_HARNESS_MEMORY_PRESSURE_H
#define TIDEMARK_HARNESS_MEMORY_PRESSURE_H

#include "harness/memory_group.h"

/*
 * Has the kernel take from the group until nothing more goes; its processes have to be still
 * meanwhile. The limit is then as it was. v1: the limit is lowered to nothing, and that the kernel
 * refuses (EBUSY) once it finds no more is the end that is expected. v2: memory.reclaim, or on a
 * kernel before 5.19 memory.high, never memory.max, for which it would kill. Returns 0, or a
 * negative errno: -ENOENT for no group; another when the limit may not be what it was. Takes some
 * 0.1 ms for each MB that goes.
 */
int memory_pressure(const struct memory_group *group);

#endif
