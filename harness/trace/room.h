/*
 * Arrays that grow, zeroed, to hold the entry that is asked for. Leaves out shrinking.
 */
#ifndef TIDEMARK_HARNESS_TRACE_ROOM_H
#define TIDEMARK_HARNESS_TRACE_ROOM_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 8 };

/*
 * `array`, which holds `*room` entries of `each` bytes, moved to where entry `at` has its place;
 * NULL when there is no memory, and then `array` is as it was. The caller stores what is returned.
 */
static inline void *room_for(void *array, uint32_t *room, uint32_t at, size_t each)
{
    size_t larger = *room ? *room : ROOM_FIRST;

    if (at < *room)
        return array;
    while (larger <= at)
        larger *= 2;
    char *bytes = larger <= UINT32_MAX ? realloc(array, larger * each) : NULL;
    if (!bytes)
        return NULL;
    memset(bytes + *room * each, 0, (larger - *room) * each);
    *room = (uint32_t)larger;
    return bytes;
}

#endif
