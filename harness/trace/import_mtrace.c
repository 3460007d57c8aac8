/*
 * glibc's mtrace(): a line for each call, "@ caller sign address size"; a realloc is two, `<` and
 * `>`. Leaves out callers. Source: the manual of glibc 2.36, 3.2.4 "Allocation Debugging"; of the
 * functions it traces it tells malloc, calloc and aligned blocks alike.
 */
#include "harness/trace/import.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct mtrace {
    uint64_t moving; /* of a `<` whose `>` is still to come */
    int is_moving;
};

static struct mtrace state;

static int read_number(const char **at, uint64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoull(*at, &end, 0);
    if (errno || end == *at)
        return -1;
    *at = end;
    return 0;
}

/* Behind the sign: an address, and a size where there is one. */
static int read_call(struct import *import, char sign, const char *rest, uint64_t line)
{
    uint64_t address, bytes = 0;
    const int has_size = sign == '+' || sign == '>';

    if (read_number(&rest, &address) != 0 || (has_size && read_number(&rest, &bytes) != 0)) {
        import_odd(import, line);
        return 0;
    }
    switch (sign) {
    case '+':
        return import_made(import, 0, TRACE_MALLOC, address, bytes, 0);
    case '-':
        return import_ended(import, 0, address);
    case '<':
        state = (struct mtrace){address, 1};
        return 0;
    default: /* '>' */
        if (!state.is_moving)
            state.moving = 0;
        state.is_moving = 0;
        return import_moved(import, 0, state.moving, address, bytes);
    }
}

static int read_line(struct import *import, char *line, uint64_t number)
{
    const char *at = line[0] == '@' ? line + 1 : line;

    if (line[0] == '=' || line[0] == '\0') {
        import_passed(import);
        return 0;
    }
    /* The sign is a word of its own; the caller, in front of it, may hold anything else. */
    for (; *at; at++)
        if (at > line && at[-1] == ' ' && strchr("+-<>", *at) && at[1] == ' ' &&
            strncmp(at + 2, "0x", 2) == 0)
            return read_call(import, *at, at + 2, number);
    if (strstr(line, " ! ")) /* a realloc that failed: the block is as it was */
        import_passed(import);
    else
        import_odd(import, number);
    return 0;
}

int import_mtrace(struct import *import, const char *path)
{
    state = (struct mtrace){0};
    return import_lines(import, path, read_line);
}
