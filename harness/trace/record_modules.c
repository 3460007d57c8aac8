/*
 * What recorded processes have mapped, for the names of their call stacks: see record_state.h.
 * Leaves out names themselves, which whoever reads the trace looks for (trace_sites.h).
 */
#define _GNU_SOURCE
#include "harness/trace/record_state.h"

#include "harness/clock.h"
#include "harness/trace/maps_line.h"
#include "harness/trace/room.h"
#include "harness/trace/varint.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { SOON_NS = 5000000, LATE_NS = 1000000000, MODULES_BYTES = 1 << 20 };

/* Code that a process had mapped when it was looked at last. */
struct record_code {
    uint64_t *ranges; /* begin and end of each */
    uint32_t count, room;
    uint64_t looked_ns;
    uint64_t again_ns; /* not sooner than so long after that */
};

static struct record_code *code_of(struct record_collector *collector, uint32_t process)
{
    struct record_code *room =
        room_for(collector->code, &collector->code_room, process, sizeof *room);

    if (room)
        collector->code = room;
    return room ? &room[process] : NULL;
}

static int add_range(struct record_code *code, uint64_t begin, uint64_t end)
{
    uint64_t *room = room_for(code->ranges, &code->room, code->count + 1, sizeof *room);

    if (!room)
        return -ENOMEM;
    code->ranges = room;
    room[code->count++] = begin;
    room[code->count++] = end;
    return 0;
}

/*
 * A line of /proc/PID/maps: the code of a file, and where a file begins, are kept. Returns 1 for
 * one of those, 0, or a negative errno.
 */
static int take_line(struct record_code *code, const char *text)
{
    struct maps_line line;

    if (!maps_line_read(text, &line))
        return 0;
    if (!line.is_code)
        return line.offset == 0;
    const int error = add_range(code, line.begin, line.end);
    return error ? error : 1;
}

/* The lines behind `text`, as far as there is room. Returns its bytes then, or a negative errno. */
static int64_t read_maps(struct record_code *code, FILE *maps, char *text, size_t used)
{
    char line[PATH_MAX + 128];

    code->count = 0;
    while (fgets(line, sizeof line, maps)) {
        const size_t length = strlen(line);
        const int taken = take_line(code, line);
        if (taken < 0)
            return taken;
        if (!taken || used + length >= MODULES_BYTES)
            continue;
        snprintf(text + used, MODULES_BYTES - used, "%s", line);
        used += length;
    }
    return (int64_t)used;
}

static int look(struct record_collector *collector, uint32_t process)
{
    const struct record_process *entry = &collector->shared->process[process - 1];
    struct record_code *code = code_of(collector, process);
    uint8_t *text = code ? malloc(MODULES_BYTES) : NULL;
    char path[64];

    if (!text)
        return -ENOMEM;
    code->looked_ns = clock_monotonic_ns();
    snprintf(path, sizeof path, "/proc/%d/maps", (int)entry->pid);
    /* Where it is another namespace's number it would be another process. */
    FILE *maps = entry->pid_namespace == collector->pid_namespace ? fopen(path, "re") : NULL;
    const size_t head = (size_t)(varint_put(text, process) - text);
    const int64_t used = maps ? read_maps(code, maps, (char *)text, head) : 0;
    if (maps)
        fclose(maps);
    int error = used < 0 ? (int)used : 0;
    if (used > (int64_t)head)
        error = trace_writer_add(collector->writer, TRACE_BLOCK_MODULES, text, (size_t)used);
    free(text);
    return error;
}

int record_look_at_modules(struct record_collector *collector)
{
    struct record_shared *shared = collector->shared;
    uint32_t processes = atomic_load(&shared->processes);
    int error = 0, is_first = 1;

    if (!(collector->with & RECORD_WITH_STACKS))
        return 0;
    if (processes > RECORD_MOST_PROCESSES)
        processes = RECORD_MOST_PROCESSES;
    for (uint32_t i = collector->looked_at; i < processes && !error; i++) {
        struct record_process *entry = &shared->process[i];
        if (!atomic_load(&entry->is_known)) {
            is_first = 0;
            continue;
        }
        if (!atomic_load(&entry->is_looked_at)) {
            error = look(collector, i + 1);
            atomic_store(&entry->is_looked_at, 1);
        }
        if (is_first)
            collector->looked_at = i + 1;
    }
    return error;
}

static int is_known(const struct record_code *code, uint64_t address)
{
    for (uint32_t i = 0; i + 1 < code->count; i += 2)
        if (address >= code->ranges[i] && address < code->ranges[i + 1])
            return 1;
    return 0;
}

int record_meet_address(struct record_collector *collector, uint32_t process, uint64_t address)
{
    struct record_code *code = code_of(collector, process);

    if (!code)
        return -ENOMEM;
    if (is_known(code, address) || clock_monotonic_ns() - code->looked_ns < code->again_ns)
        return 0;
    /* A library that was loaded since; or code that no file has, for which looking is no use. */
    const int error = look(collector, process);
    if (error || is_known(code, address))
        code->again_ns = SOON_NS;
    else if (code->again_ns < LATE_NS)
        code->again_ns = code->again_ns ? 2 * code->again_ns : SOON_NS;
    return error;
}

void record_forget_modules(struct record_collector *collector)
{
    for (uint32_t i = 0; i < collector->code_room; i++)
        free(collector->code[i].ranges);
    free(collector->code);
}
