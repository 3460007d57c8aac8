/*
 * A trace as a file: a head, then blocks, each compressed and with a checksum of its own. Leaves
 * out what is in a block of events (event_code.h). results/FORMAT.md, "Traces", is the same for
 * people.
 *
 * All numbers are little-endian. A file that was cut off is whole up to its last good block, and
 * only what stands behind is lost.
 */
#ifndef TIDEMARK_HARNESS_TRACE_TRACE_FILE_H
#define TIDEMARK_HARNESS_TRACE_TRACE_FILE_H

#include <stddef.h>
#include <stdint.h>

#define TRACE_FILE_MAGIC "TMTRACE\n"

enum { TRACE_FILE_VERSION = 1, TRACE_FILE_HEAD_BYTES = 16, TRACE_ERROR_BYTES = 320 };

/* The head is the magic, the version and a word of zeros. A block's: */
enum {
    TRACE_BLOCK_HEAD_BYTES = 20,       /* marker, kind, packed bytes, unpacked bytes, checksum */
    TRACE_BLOCK_MARKER = 0x4B4C4254,   /* "TBLK" */
    TRACE_BLOCK_MOST_BYTES = 16 << 20, /* unpacked; packed ones a little more */
};

/* What a block holds. A reader passes over kinds that it does not know. */
enum trace_block_kind {
    TRACE_BLOCK_ABOUT = 1, /* JSON: what was recorded, how, when; the first of a file */
    TRACE_BLOCK_PROCESS,   /* JSON: a process, before its first event */
    TRACE_BLOCK_EVENTS,    /* of one thread, in its order */
    TRACE_BLOCK_STACKS,    /* nodes of the trees of stacks; anywhere */
    TRACE_BLOCK_MODULES,   /* text: what a process had mapped, as /proc/PID/maps has it */
    TRACE_BLOCK_END,       /* JSON: what was counted; the last. A file without was cut off */
};

/* --- Writing. --- */

struct trace_writer;

/*
 * Creates the file at `path`, which must not be there. `level` is zstd's, from 1. Returns 0 with
 * `*writer` to be closed, or a negative errno with a message in `error` (TRACE_ERROR_BYTES). Not
 * thread-safe, as all here.
 */
int trace_writer_open(struct trace_writer **writer, const char *path, int level, char *error);

/* Appends a block of at most TRACE_BLOCK_MOST_BYTES. Returns 0 or a negative errno; then the file
 * ends with the block before, and nothing more is written. */
int trace_writer_add(struct trace_writer *writer, enum trace_block_kind kind, const void *bytes,
                     size_t length);

/* Bytes in the file so far. */
uint64_t trace_writer_bytes(const struct trace_writer *writer);

/* Syncs and closes. Returns 0 or a negative errno: also of what failed before. */
int trace_writer_close(struct trace_writer *writer);

/* --- Reading. --- */

struct trace_reader;

struct trace_block {
    uint32_t kind;        /* of enum trace_block_kind, or one from later than this */
    const uint8_t *bytes; /* the reader's, until the next call */
    size_t length;
    uint64_t offset; /* in the file, for messages */
};

/*
 * Opens a trace. Returns 0, or a negative errno with a message in `error`: -EBADMSG for what is no
 * trace, -ENOTSUP for a version that is not known.
 */
int trace_reader_open(struct trace_reader **reader, const char *path, char *error);

/*
 * The next block. Returns 1; 0 at the end; a negative errno when the file could not be read or
 * memory ran out. A block that is damaged is the end: trace_reader_damage says so. Any bytes are
 * safe; memory is bounded by TRACE_BLOCK_MOST_BYTES.
 */
int trace_reader_next(struct trace_reader *reader, struct trace_block *block);

/* Goes back to the first block. */
void trace_reader_rewind(struct trace_reader *reader);

/*
 * Once the end was met: NULL, or what is wrong with the file from which byte on. The reader's. A
 * caller that finds the contents of a block wrong says so with trace_reader_refuse.
 */
const char *trace_reader_damage(const struct trace_reader *reader);

/* Says that the block just read is not what it should be: it is the end of what can be read. */
void trace_reader_refuse(struct trace_reader *reader, const char *why);

/* Bytes of the file, and how many of them were read, for progress. */
uint64_t trace_reader_file_bytes(const struct trace_reader *reader);
uint64_t trace_reader_offset(const struct trace_reader *reader);

void trace_reader_close(struct trace_reader *reader);

#endif
