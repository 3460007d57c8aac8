/*
 * Tables of a workload's own: mapped, so that they stand in no heap that is measured, and populated
 * at once, so that before the first phase they become part of the baseline. Leaves out growth.
 */
#ifndef TIDEMARK_WORKLOADS_TABLE_H
#define TIDEMARK_WORKLOADS_TABLE_H

#include <stddef.h>

/* `count` zeroed elements of `bytes` each, on a page of their own. NULL when there is no memory, or
 * no such number of bytes. Thread-safe. */
void *table_map(size_t count, size_t bytes);

/* Undoes table_map of the same figures. `table` may be NULL. */
void table_unmap(void *table, size_t count, size_t bytes);

#endif
