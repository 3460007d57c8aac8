/*
 * .rep of malloc lab: four numbers (heap size, blocks, operations, weight), then "a id size", "r id
 * size", "f id". Leaves out the head, which is for the lab's driver. Source: Bryant and O'Hallaron,
 * "Computer Systems: A Programmer's Perspective", malloc lab.
 */
#include "harness/trace/import.h"

enum { HEAD_LINES = 4 };

static int read_line(struct import *import, char *line, uint64_t number)
{
    uint64_t numbers[2];

    if (import_match(line, " a # #", numbers))
        return import_made(import, 0, TRACE_MALLOC, numbers[0] + 1, numbers[1], 0);
    if (import_match(line, " r # #", numbers))
        return import_moved(import, 0, numbers[0] + 1, numbers[0] + 1, numbers[1]);
    if (import_match(line, " f #", numbers))
        return import_ended(import, 0, numbers[0] + 1);
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
