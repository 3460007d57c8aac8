/*
 * Blocks out of a file: see trace_file.h. Leaves out mmap, under which a file that grows shorter
 * kills who reads it.
 */
#define _GNU_SOURCE
#include "harness/trace/trace_bytes.h"
#include "harness/trace/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

struct room {
    uint8_t *bytes;
    size_t size;
};

struct trace_reader {
    int fd;
    uint64_t file_bytes, offset, block_offset;
    int ended; /* the block END was met */
    char damage[TRACE_ERROR_BYTES];
    ZSTD_DCtx *unpacker;
    struct room packed, unpacked;
};

static int make_room(struct room *room, size_t bytes)
{
    if (bytes <= room->size)
        return 0;
    uint8_t *larger = realloc(room->bytes, bytes);
    if (!larger)
        return -ENOMEM;
    room->bytes = larger;
    room->size = bytes;
    return 0;
}

/* Returns how many were there, or a negative errno. */
static ssize_t read_at(int fd, uint8_t *bytes, size_t length, uint64_t offset)
{
    size_t got = 0;

    while (got < length) {
        const ssize_t count = pread(fd, bytes + got, length - got, (off_t)(offset + got));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return errno == EBADMSG ? -EIO : -errno; /* that is damage, to callers */
        if (count == 0)
            break;
        got += (size_t)count;
    }
    return (ssize_t)got;
}

static int read_head(struct trace_reader *reader, const char *path, char *error)
{
    uint8_t head[TRACE_FILE_HEAD_BYTES];
    const size_t magic_bytes = strlen(TRACE_FILE_MAGIC);
    struct stat status;

    if (fstat(reader->fd, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode)) {
        snprintf(error, TRACE_ERROR_BYTES, "%.200s is no regular file", path);
        return -EBADMSG;
    }
    reader->file_bytes = (uint64_t)status.st_size;
    const ssize_t got = read_at(reader->fd, head, sizeof head, 0);
    if (got < 0)
        return (int)got;
    if (got < (ssize_t)sizeof head || memcmp(head, TRACE_FILE_MAGIC, magic_bytes) != 0) {
        snprintf(error, TRACE_ERROR_BYTES, "%.200s is no trace of tidemark record", path);
        return -EBADMSG;
    }
    const uint32_t version = trace_get_u32(head + magic_bytes);
    if (version != TRACE_FILE_VERSION) {
        snprintf(error, TRACE_ERROR_BYTES,
                 "%.200s is a trace of format %u; this tidemark reads format %d", path, version,
                 TRACE_FILE_VERSION);
        return -ENOTSUP;
    }
    reader->offset = sizeof head;
    return 0;
}

int trace_reader_open(struct trace_reader **reader, const char *path, char *error)
{
    struct trace_reader *made = calloc(1, sizeof *made);
    int failed = made ? 0 : -ENOMEM;

    error[0] = '\0';
    if (!failed) {
        made->unpacker = ZSTD_createDCtx();
        /* Nonblocking: opening a pipe does not wait for a writer. */
        made->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        failed = made->fd < 0 ? -errno : made->unpacker ? 0 : -ENOMEM;
    }
    if (!failed)
        failed = read_head(made, path, error);
    if (failed) {
        if (!error[0])
            snprintf(error, TRACE_ERROR_BYTES, "cannot read %.200s: %s", path, strerror(-failed));
        if (made)
            trace_reader_close(made);
        return failed;
    }
    *reader = made;
    return 0;
}

__attribute__((format(printf, 2, 3))) static int damaged(struct trace_reader *reader,
                                                         const char *format, ...)
{
    char what[TRACE_ERROR_BYTES / 2];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    snprintf(reader->damage, sizeof reader->damage, "from byte %llu on it is not readable: %s",
             (unsigned long long)reader->block_offset, what);
    return 0;
}

struct block_head {
    uint32_t kind, packed, unpacked, checksum;
};

/* Returns 1, 0 at a damaged one, or a negative errno. */
static int read_block_head(struct trace_reader *reader, uint8_t *bytes, struct block_head *head)
{
    const ssize_t got = read_at(reader->fd, bytes, TRACE_BLOCK_HEAD_BYTES, reader->offset);

    if (got < 0)
        return (int)got;
    if (got < TRACE_BLOCK_HEAD_BYTES)
        return damaged(reader, "it is cut off in the head of a block");
    if (trace_get_u32(bytes) != TRACE_BLOCK_MARKER)
        return damaged(reader, "there is no block");
    *head = (struct block_head){trace_get_u32(bytes + 4), trace_get_u32(bytes + 8),
                                trace_get_u32(bytes + 12), trace_get_u32(bytes + 16)};
    if (head->unpacked > TRACE_BLOCK_MOST_BYTES ||
        head->packed > ZSTD_compressBound(TRACE_BLOCK_MOST_BYTES))
        return damaged(reader, "a block of %u bytes, in %u; at most %d are written", head->unpacked,
                       head->packed, TRACE_BLOCK_MOST_BYTES);
    return 1;
}

static int read_body(struct trace_reader *reader, const uint8_t *head_bytes,
                     const struct block_head *head)
{
    if (reader->file_bytes - reader->offset - TRACE_BLOCK_HEAD_BYTES < head->packed)
        return damaged(reader, "it is cut off in a block");
    if (make_room(&reader->packed, head->packed) != 0 ||
        make_room(&reader->unpacked, head->unpacked + 1) != 0)
        return -ENOMEM;
    const ssize_t got = read_at(reader->fd, reader->packed.bytes, head->packed,
                                reader->offset + TRACE_BLOCK_HEAD_BYTES);
    if (got < 0)
        return (int)got;
    if ((size_t)got < head->packed)
        return damaged(reader, "it is cut off in a block");
    const uLong of_head = crc32(0, head_bytes, 16);
    if (crc32(of_head, reader->packed.bytes, head->packed) != head->checksum)
        return damaged(reader, "the checksum of a block is another");
    const size_t unpacked =
        ZSTD_decompressDCtx(reader->unpacker, reader->unpacked.bytes, reader->unpacked.size,
                            reader->packed.bytes, head->packed);
    if (ZSTD_isError(unpacked) || unpacked != head->unpacked)
        return damaged(reader, "a block does not unpack");
    return 1;
}

int trace_reader_next(struct trace_reader *reader, struct trace_block *block)
{
    uint8_t bytes[TRACE_BLOCK_HEAD_BYTES];
    struct block_head head = {0};

    if (reader->damage[0] || reader->ended)
        return 0;
    reader->block_offset = reader->offset;
    if (reader->offset >= reader->file_bytes)
        return damaged(reader, "it is cut off, the recording did not come to its end");
    int got = read_block_head(reader, bytes, &head);
    if (got == 1)
        got = read_body(reader, bytes, &head);
    if (got != 1)
        return got;
    reader->offset += TRACE_BLOCK_HEAD_BYTES + head.packed;
    reader->ended = head.kind == TRACE_BLOCK_END;
    *block = (struct trace_block){.kind = head.kind,
                                  .bytes = reader->unpacked.bytes,
                                  .length = head.unpacked,
                                  .offset = reader->block_offset};
    return 1;
}

void trace_reader_rewind(struct trace_reader *reader)
{
    reader->offset = TRACE_FILE_HEAD_BYTES;
    reader->ended = 0;
    reader->damage[0] = '\0';
}

const char *trace_reader_damage(const struct trace_reader *reader)
{
    return reader->damage[0] ? reader->damage : NULL;
}

void trace_reader_refuse(struct trace_reader *reader, const char *why)
{
    (void)damaged(reader, "%s", why);
}

uint64_t trace_reader_file_bytes(const struct trace_reader *reader)
{
    return reader->file_bytes;
}

uint64_t trace_reader_offset(const struct trace_reader *reader)
{
    return reader->offset;
}

void trace_reader_close(struct trace_reader *reader)
{
    if (reader->fd >= 0)
        close(reader->fd);
    ZSTD_freeDCtx(reader->unpacker);
    free(reader->packed.bytes);
    free(reader->unpacked.bytes);
    free(reader);
}
