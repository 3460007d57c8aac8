/*
 * Blocks into a file: see trace_file.h. Leaves out buffering: a block is one write, so that what
 * was written is readable however this process ends.
 */
#define _GNU_SOURCE
#include "harness/trace/trace_bytes.h"
#include "harness/trace/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

struct trace_writer {
    int fd;
    int level;
    int error; /* of the first block that failed */
    uint64_t bytes;
    ZSTD_CCtx *packer;
    uint8_t *room;
    size_t room_bytes;
};

static int write_whole(int fd, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        const ssize_t wrote = write(fd, bytes, length);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return -errno;
        bytes += wrote;
        length -= (size_t)wrote;
    }
    return 0;
}

int trace_writer_open(struct trace_writer **writer, const char *path, int level, char *error)
{
    uint8_t head[TRACE_FILE_HEAD_BYTES] = TRACE_FILE_MAGIC;
    struct trace_writer *made = calloc(1, sizeof *made);
    int failed = made ? 0 : -ENOMEM;

    if (!failed) {
        made->level = level;
        made->packer = ZSTD_createCCtx();
        made->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        failed = made->fd < 0 ? -errno : made->packer ? 0 : -ENOMEM;
    }
    if (!failed) {
        trace_put_u32(head + strlen(TRACE_FILE_MAGIC), TRACE_FILE_VERSION);
        failed = write_whole(made->fd, head, sizeof head);
        made->bytes = sizeof head;
    }
    if (failed) {
        snprintf(error, TRACE_ERROR_BYTES, "cannot write %.200s: %s", path, strerror(-failed));
        if (made && made->fd >= 0) {
            close(made->fd);
            unlink(path);
        }
        if (made)
            ZSTD_freeCCtx(made->packer);
        free(made);
        return failed;
    }
    *writer = made;
    return 0;
}

static int make_room(struct trace_writer *writer, size_t bytes)
{
    if (bytes <= writer->room_bytes)
        return 0;
    uint8_t *room = realloc(writer->room, bytes);
    if (!room)
        return -ENOMEM;
    writer->room = room;
    writer->room_bytes = bytes;
    return 0;
}

static int pack(struct trace_writer *writer, enum trace_block_kind kind, const void *bytes,
                size_t length, size_t *packed)
{
    const size_t most = ZSTD_compressBound(length);

    if (length > TRACE_BLOCK_MOST_BYTES)
        return -E2BIG;
    if (make_room(writer, TRACE_BLOCK_HEAD_BYTES + most) != 0)
        return -ENOMEM;
    uint8_t *head = writer->room, *body = head + TRACE_BLOCK_HEAD_BYTES;
    *packed = ZSTD_compressCCtx(writer->packer, body, most, bytes, length, writer->level);
    if (ZSTD_isError(*packed))
        return -ENOMEM; /* the only way to fail with this much room */
    trace_put_u32(head, TRACE_BLOCK_MARKER);
    trace_put_u32(head + 4, (uint32_t)kind);
    trace_put_u32(head + 8, (uint32_t)*packed);
    trace_put_u32(head + 12, (uint32_t)length);
    const uLong of_head = crc32(0, head, 16);
    trace_put_u32(head + 16, (uint32_t)crc32(of_head, body, (uInt)*packed));
    return 0;
}

int trace_writer_add(struct trace_writer *writer, enum trace_block_kind kind, const void *bytes,
                     size_t length)
{
    size_t packed = 0;
    int error = writer->error ? writer->error : pack(writer, kind, bytes, length, &packed);

    if (!error) {
        error = write_whole(writer->fd, writer->room, TRACE_BLOCK_HEAD_BYTES + packed);
        if (!error)
            writer->bytes += TRACE_BLOCK_HEAD_BYTES + packed;
        else if (ftruncate(writer->fd, (off_t)writer->bytes) != 0)
            error = -errno; /* half a block is left: a reader finds where it begins */
    }
    writer->error = error;
    return error;
}

uint64_t trace_writer_bytes(const struct trace_writer *writer)
{
    return writer->bytes;
}

int trace_writer_close(struct trace_writer *writer)
{
    int error = writer->error;

    if (fsync(writer->fd) != 0 && !error && errno != EINVAL && errno != EROFS)
        error = -errno; /* EINVAL: a pipe or the like has nothing to sync */
    if (close(writer->fd) != 0 && !error)
        error = -errno;
    ZSTD_freeCCtx(writer->packer);
    free(writer->room);
    free(writer);
    return error;
}
