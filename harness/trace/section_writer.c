/*
 * A buffer that is written once it is worth a block: see section_writer.h. Leaves out time: a
 * section waits as long as it takes.
 */
#include "harness/trace/section_writer.h"

#include "harness/trace/varint.h"

#include <errno.h>
#include <stdlib.h>

enum { WORTH_A_BLOCK = 1 << 16 };

int section_writer_init(struct section_writer *sections, struct trace_writer *writer)
{
    *sections = (struct section_writer){.writer = writer, .bytes = malloc(TRACE_BLOCK_MOST_BYTES)};
    return sections->bytes ? 0 : -ENOMEM;
}

int section_writer_flush(struct section_writer *sections)
{
    const size_t used = sections->used;

    sections->used = 0;
    return used ? trace_writer_add(sections->writer, TRACE_BLOCK_EVENTS, sections->bytes, used) : 0;
}

int section_writer_take(struct section_writer *sections, struct event_writer *events)
{
    const size_t bytes = event_writer_bytes(events);
    int error = 0;

    if (bytes == 0)
        return 0;
    if (sections->used + bytes + VARINT_MOST_BYTES > TRACE_BLOCK_MOST_BYTES)
        error = section_writer_flush(sections);
    if (!error && bytes + VARINT_MOST_BYTES > TRACE_BLOCK_MOST_BYTES)
        error = -E2BIG;
    if (error)
        return error;
    uint8_t *at = varint_put(sections->bytes + sections->used, bytes);
    event_writer_take(events, at);
    sections->used = (size_t)(at - sections->bytes) + bytes;
    return sections->used >= WORTH_A_BLOCK ? section_writer_flush(sections) : 0;
}

void section_writer_free(struct section_writer *sections)
{
    free(sections->bytes);
}
