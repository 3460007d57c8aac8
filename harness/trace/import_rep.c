/*
 * .rep of malloc lab: four numbers (heap size, blocks, operations, weight), then "a id size", "r id
 * size", "f id". Leaves out the head, which is for the lab's driver. Source: Bryant and O'Hallaron,
 * "Computer Systems: A Programmer's Perspective", malloc lab.
 */
#include "harness/trace/import.h"

#include <inttypes.h>
#include <stdio.h>

enum { HEAD_LINES = 4 };

static int read_line(struct import *import, char *line, uint64_t number)
{
    uint64_t id, bytes;

    if (sscanf(line, " a %" SCNu64 " %" SCNu64, &id, &bytes) == 2)
        return import_made(import, 0, TRACE_MALLOC, id + 1, bytes, 0);
    if (sscanf(line, " r %" SCNu64 " %" SCNu64, &id, &bytes) == 2)
        return import_moved(import, 0, id + 1, id + 1, bytes);
    if (sscanf(line, " f %" SCNu64, &id) == 1)
        return import_ended(import, 0, id + 1);
    if (number <= HEAD_LINES || line[0] == '\0')
        import_passed(import);
    else
        import_odd(import, number);
    return 0;
}

int import_rep(struct import *import, const char *path)
{
    return import_lines(import, path, read_line);
}
