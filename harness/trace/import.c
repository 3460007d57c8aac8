/*
 * What all formats share: names of blocks, and the file: see import.h. Leaves out their text.
 */
#define _GNU_SOURCE
#include "harness/trace/import.h"

#include "harness/trace/room.h"
#include "harness/trace/section_writer.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LEVEL = 3, LINE_BYTES = 1 << 16, PROCESS = 1 };

const struct import_format import_formats[] = {
    {"mtrace", "the text that glibc's mtrace() writes to MALLOC_TRACE", import_mtrace},
    {"valgrind", "what valgrind --trace-malloc=yes prints", import_valgrind},
    {"rep", "a .rep of malloc lab (CS:APP)", import_rep},
    {"wl", "a workload of glibc's trace-utils (trace2wl)", import_wl},
    {"heaptrack", "a capture of heaptrack, as heaptrack_interpret has it, unpacked",
     import_heaptrack},
    {NULL, NULL, NULL},
};

/* A live block: open addressing by key. */
struct known {
    uint64_t key; /* 0: none */
    struct trace_block_name name;
};

struct import {
    struct trace_writer *writer;
    struct event_writer *threads;
    uint32_t thread_room;
    struct known *known;
    size_t known_room, known_count;
    struct section_writer sections;
    uint64_t time_ns;
    struct import_counts counts;
};

/* --- Keys. --- */

static size_t home_of(const struct import *import, uint64_t key)
{
    return (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (import->known_room - 1);
}

static struct known *find(const struct import *import, uint64_t key)
{
    size_t at = home_of(import, key);

    while (import->known[at].key && import->known[at].key != key)
        at = (at + 1) & (import->known_room - 1);
    return &import->known[at];
}

static int grow(struct import *import)
{
    struct known *before = import->known;
    const size_t room = import->known_room;

    import->known = calloc(2 * room, sizeof *import->known);
    if (!import->known) {
        import->known = before;
        return -ENOMEM;
    }
    import->known_room = 2 * room;
    for (size_t i = 0; i < room; i++)
        if (before[i].key)
            *find(import, before[i].key) = before[i];
    free(before);
    return 0;
}

static int remember(struct import *import, uint64_t key, uint32_t thread, uint64_t ordinal)
{
    if (2 * (import->known_count + 1) > import->known_room && grow(import) != 0)
        return -ENOMEM;
    *find(import, key) = (struct known){key, {thread, ordinal}};
    import->known_count++;
    return 0;
}

/* Takes it out; those behind it move up (Knuth, vol. 3, 6.4, algorithm R). Returns 1 with `name`,
 * or 0. */
static int forget(struct import *import, uint64_t key, struct trace_block_name *name)
{
    const size_t mask = import->known_room - 1;
    struct known *found = find(import, key);
    size_t hole = (size_t)(found - import->known);

    if (!key || !found->key)
        return 0;
    *name = found->name;
    for (size_t at = (hole + 1) & mask; import->known[at].key; at = (at + 1) & mask) {
        const size_t home = home_of(import, import->known[at].key);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            import->known[hole] = import->known[at];
            hole = at;
        }
    }
    import->known[hole].key = 0;
    import->known_count--;
    return 1;
}

/* --- Events. --- */

static struct event_writer *find_thread(struct import *import, uint32_t thread)
{
    const uint32_t before = import->thread_room;
    struct event_writer *room =
        thread < IMPORT_MOST_THREADS
            ? room_for(import->threads, &import->thread_room, thread, sizeof *room)
            : NULL;

    if (!room)
        return NULL;
    import->threads = room;
    for (uint32_t i = before; i < import->thread_room; i++)
        event_writer_init(&room[i], PROCESS, i, 0, 0);
    return &room[thread];
}

static int emit(struct import *import, uint32_t number, struct trace_event *event)
{
    struct event_writer *thread = find_thread(import, number);
    int error = thread ? 0 : -ENOMEM;

    event->time_ns = import->time_ns;
    if (!error)
        error = event_writer_add(thread, event);
    if (error)
        return error;
    import->counts.events++;
    import->counts.makes += (uint64_t)trace_makes(event->kind);
    import->counts.ends += event->kind == TRACE_FREE || event->kind == TRACE_REALLOC;
    return event_writer_is_full(thread) ? section_writer_take(&import->sections, thread) : 0;
}

static int end_unseen(struct import *import, uint32_t thread, uint64_t key)
{
    struct trace_event event = {.kind = TRACE_FREE};

    if (!forget(import, key, &event.ends))
        return 0;
    import->counts.unseen++;
    return emit(import, thread, &event);
}

static int make(struct import *import, uint32_t thread, uint64_t key, struct trace_event *event)
{
    int error = end_unseen(import, thread, key);
    const struct event_writer *writer = error ? NULL : find_thread(import, thread);

    if (!error && !writer)
        error = -ENOMEM;
    if (!error)
        error = remember(import, key, thread, writer->code.born);
    return error ? error : emit(import, thread, event);
}

int import_made(struct import *import, uint32_t thread, enum trace_kind kind, uint64_t key,
                uint64_t bytes, uint64_t alignment)
{
    struct trace_event event = {.kind = kind, .size_bytes = bytes, .alignment_bytes = alignment};

    if (!key)
        return 0; /* there was no memory for it */
    if (kind == TRACE_ALIGNED && (alignment == 0 || (alignment & (alignment - 1)) != 0 ||
                                  alignment >> EVENT_MOST_ALIGNMENT_BITS > 1))
        event.kind = TRACE_MALLOC;
    return make(import, thread, key, &event);
}

int import_ended(struct import *import, uint32_t thread, uint64_t key)
{
    struct trace_event event = {.kind = TRACE_FREE};

    if (!key)
        return 0;
    if (forget(import, key, &event.ends))
        return emit(import, thread, &event);
    import->counts.unknown++;
    return 0;
}

int import_moved(struct import *import, uint32_t thread, uint64_t from, uint64_t to, uint64_t bytes)
{
    struct trace_event event = {.kind = TRACE_REALLOC, .size_bytes = bytes};

    if (!to)
        return bytes == 0 ? import_ended(import, thread, from) : 0;
    if (!forget(import, from, &event.ends)) {
        import->counts.unknown += from != 0;
        event.kind = TRACE_MALLOC;
    }
    return make(import, thread, to, &event);
}

int import_started(struct import *import, uint32_t starter, uint32_t thread)
{
    struct trace_event event = {.kind = TRACE_START, .started = thread};

    return emit(import, starter, &event);
}

void import_time(struct import *import, uint64_t time_ns)
{
    if (time_ns > import->time_ns)
        import->time_ns = time_ns;
}

void import_passed(struct import *import)
{
    import->counts.passed++;
}

void import_odd(struct import *import, uint64_t line)
{
    if (import->counts.odd++ == 0)
        import->counts.first_odd = line;
}

/* A line at a time, with its length: there may be zeros in it. */
int import_lines(struct import *import, const char *path,
                 int (*read)(struct import *import, char *line, uint64_t number))
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    int error = file ? 0 : -errno;
    ssize_t length;

    for (uint64_t number = 1; !error && (length = getline(&line, &room, file)) > 0; number++) {
        if (length >= LINE_BYTES) {
            import_odd(import, number);
            continue;
        }
        if (line[length - 1] == '\n')
            line[length - 1] = '\0';
        error = read(import, line, number);
    }
    if (!error && ferror(file))
        error = -EIO;
    if (file)
        fclose(file);
    free(line);
    return error;
}

/* --- The file. --- */

static int write_json(struct import *import, enum trace_block_kind kind, json_t *document)
{
    char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;
    const int error = text ? trace_writer_add(import->writer, kind, text, strlen(text)) : -ENOMEM;

    free(text);
    json_decref(document);
    return error;
}

static int write_head(struct import *import, const struct import_format *format, const char *input)
{
    json_t *from = json_sprintf("imported from %s", input);
    const int error =
        write_json(import, TRACE_BLOCK_ABOUT,
                   json_pack("{so ss sb sb}", "command", from ? from : json_string("imported"),
                             "malloc", format->name, "times", 0, "stacks", 0));

    return error ? error
                 : write_json(import, TRACE_BLOCK_PROCESS,
                              json_pack("{si si ss}", "process", PROCESS, "parent", 0, "name",
                                        format->name));
}

static int write_rest(struct import *import)
{
    int error = 0;

    for (uint32_t i = 0; i < import->thread_room && !error; i++) {
        import->counts.threads += import->threads[i].code.born > 0 || import->threads[i].events > 0;
        error = section_writer_take(&import->sections, &import->threads[i]);
    }
    if (!error)
        error = section_writer_flush(&import->sections);
    return error ? error
                 : write_json(import, TRACE_BLOCK_END,
                              json_pack("{sI sI sI}", "events", (json_int_t)import->counts.events,
                                        "makes", (json_int_t)import->counts.makes, "ends",
                                        (json_int_t)import->counts.ends));
}

static int read_and_write(struct import *import, const struct import_format *format,
                          const char *input)
{
    import->known_room = 1024;
    import->known = calloc(import->known_room, sizeof *import->known);
    int error = import->known ? section_writer_init(&import->sections, import->writer) : -ENOMEM;

    if (!error)
        error = write_head(import, format, input);
    if (!error)
        error = format->read(import, input);
    if (!error)
        error = write_rest(import);
    for (uint32_t i = 0; i < import->thread_room; i++)
        event_writer_free(&import->threads[i]);
    free(import->threads);
    free(import->known);
    section_writer_free(&import->sections);
    return error;
}

int import_run(const struct import_format *format, const char *input, const char *output,
               struct import_counts *counts, char *error)
{
    struct import import = {.counts = {0}};
    char what[TRACE_ERROR_BYTES];
    int failed = trace_writer_open(&import.writer, output, LEVEL, what);

    if (failed) {
        snprintf(error, IMPORT_ERROR_BYTES, "%s", what);
        return failed;
    }
    failed = read_and_write(&import, format, input);
    const int closed = trace_writer_close(import.writer);
    if (!failed)
        failed = closed;
    *counts = import.counts;
    if (!failed && counts->events == 0)
        failed = -EBADMSG;
    if (!failed)
        return 0;
    unlink(output);
    snprintf(error, IMPORT_ERROR_BYTES, "%.300s: %s", input,
             failed == -EBADMSG ? "there is no block in it: is it of this format?"
                                : strerror(-failed));
    return failed;
}

static int take_number(const char **at, int base, uint64_t *number)
{
    char *end;

    if (!isxdigit((unsigned char)**at))
        return 0;
    errno = 0;
    *number = strtoull(*at, &end, base);
    const int is_one = end != *at && errno == 0;
    *at = end;
    return is_one;
}

int import_match(const char *text, const char *pattern, uint64_t *numbers)
{
    for (; *pattern; pattern++) {
        if (*pattern == ' ') {
            text += strspn(text, " \t");
        } else if (*pattern == '#' || *pattern == '@') {
            if (!take_number(&text, *pattern == '#' ? 10 : 16, numbers++))
                return 0;
        } else if (*text++ != *pattern) {
            return 0;
        }
    }
    return 1;
}
