/*
 * Which block begins at an address: of a process that is recorded, with the number that its block
 * has in the trace. Leaves out sizes, and addresses inside of a block. A flat table over the
 * addresses in use, so that a look-up is one load where the program's own was one.
 */
#ifndef TIDEMARK_HARNESS_TRACE_BLOCK_MAP_H
#define TIDEMARK_HARNESS_TRACE_BLOCK_MAP_H

#include <stddef.h>
#include <stdint.h>

struct block_map;

/* NULL when there is no memory. */
struct block_map *block_map_make(void);

/*
 * The place of `address`, holding 0 or what was stored there; valid until the next call for this
 * map or a copy. Blocks begin at multiples of 8. NULL when there is no memory. Not thread-safe, as
 * all here.
 */
uint64_t *block_map_at(struct block_map *map, uintptr_t address);

/* A map that holds the same, as a fork does: pages of either are copied when they are asked for. */
struct block_map *block_map_copy(struct block_map *map);

void block_map_free(struct block_map *map);

#endif
