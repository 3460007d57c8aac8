/*
 * A line of /proc/PID/maps, as proc(5) has it. Leaves out what stands between the offset and the
 * path.
 */
#ifndef TIDEMARK_HARNESS_TRACE_MAPS_LINE_H
#define TIDEMARK_HARNESS_TRACE_MAPS_LINE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct maps_line {
    uint64_t begin, end, offset;
    int is_code;      /* it may be executed */
    const char *path; /* of a file, within the line, up to its end */
};

/* Returns 1 for the line of a file, 0 for any other and for what is no such line. Thread-safe. */
static inline int maps_line_read(const char *text, struct maps_line *line)
{
    char *at;

    line->begin = strtoull(text, &at, 16);
    if (*at != '-')
        return 0;
    line->end = strtoull(at + 1, &at, 16);
    if (*at != ' ' || strlen(at) < sizeof " r-xp ")
        return 0;
    line->is_code = at[3] == 'x';
    line->offset = strtoull(at + sizeof " r-xp", &at, 16);
    line->path = strchr(at, '/');
    return *at == ' ' && line->path && line->end > line->begin;
}

#endif
