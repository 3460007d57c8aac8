/*
 * heaptrack's capture as heaptrack_interpret writes it, unpacked (zstd -d): "a SIZE TRACE" is an
 * allocation, counted from 0; "+ A" and "- A", in hex, a block of it made and freed; "c MS" the
 * time. Of blocks of one allocation the oldest is freed, since the capture does not say which.
 * Leaves out stacks, threads and alignment. Source: heaptrack 1.4, by what it writes.
 */
#include "harness/trace/import.h"

#include "harness/trace/room.h"

#include <errno.h>
#include <stdlib.h>

enum { KEY_BITS = 32 };

/* Blocks of one allocation are alive from `oldest` to below `next`. */
struct allocation {
    uint64_t bytes, oldest, next;
};

static struct allocation *allocations;
static uint32_t count, room;

static int read_allocation(struct import *import, const char *text, uint64_t number)
{
    char *end;
    const uint64_t bytes = strtoull(text, &end, 16);
    struct allocation *larger = room_for(allocations, &room, count, sizeof *larger);

    if (!larger)
        return -ENOMEM;
    allocations = larger;
    if (end == text)
        import_odd(import, number);
    allocations[count++].bytes = bytes;
    return 0;
}

static int read_block(struct import *import, char sign, const char *text, uint64_t number)
{
    char *end;
    const uint64_t index = strtoull(text, &end, 16);

    if (end == text || index >= count) {
        import_odd(import, number);
        return 0;
    }
    struct allocation *allocation = &allocations[index];
    const uint64_t high = (index + 1) << KEY_BITS;
    if (sign == '+')
        return import_made(import, 0, TRACE_MALLOC, high | (allocation->next++ & UINT32_MAX),
                           allocation->bytes, 0);
    if (allocation->oldest == allocation->next)
        return import_ended(import, 0, high | (allocation->next & UINT32_MAX));
    return import_ended(import, 0, high | (allocation->oldest++ & UINT32_MAX));
}

static int read_line(struct import *import, char *line, uint64_t number)
{
    enum { NS_PER_MS = 1000000 };

    if (line[0] != '\0' && line[1] == ' ') {
        switch (line[0]) {
        case 'a':
            return read_allocation(import, line + 2, number);
        case '+':
        case '-':
            return read_block(import, line[0], line + 2, number);
        case 'c':
            import_time(import, strtoull(line + 2, NULL, 16) * NS_PER_MS);
            return 0;
        default:
            break;
        }
    }
    import_passed(import);
    return 0;
}

int import_heaptrack(struct import *import, const char *path)
{
    count = room = 0;
    const int error = import_lines(import, path, read_line);
    free(allocations);
    allocations = NULL;
    return error;
}
