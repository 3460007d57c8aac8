/*
 * One gzip member with one line of JSON, packed and unpacked in memory. Leaves out streaming: its
 * size is bounded, and a file that is not whole is none.
 */
#define _GNU_SOURCE
#define ZLIB_CONST /* what is packed is not written to */
#include "harness/census_file.h"

#include "harness/census_check.h"
#include "harness/json_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum {
    NAME_BYTES = 64,
    GZIP_WINDOW_BITS = 15 + 16, /* zlib's way to ask for gzip */
    PACK_LEVEL = 6,
    PACK_MEMORY = 8,
    FIRST_ROOM_BYTES = 1 << 16,
};

static const char *path_of(size_t cell, char *path)
{
    snprintf(path, NAME_BYTES, "census/%06zu.json.gz", cell);
    return path;
}

int census_file_is_there(int run_fd, size_t cell)
{
    char path[NAME_BYTES];
    struct stat info;

    return fstatat(run_fd, path_of(cell, path), &info, AT_SYMLINK_NOFOLLOW) == 0;
}

/* --- Writing. --- */

/* What harness/json_file.c counts before it parses. */
static size_t count_objects(const char *text)
{
    size_t count = 0;

    for (const char *at = strpbrk(text, "{["); at; at = strpbrk(at + 1, "{["))
        count++;
    return count;
}

/* The caller frees `*packed`. Returns 0 or -ENOMEM. */
static int pack(const char *text, size_t length, char **packed, size_t *packed_bytes)
{
    z_stream stream = {.next_in = (z_const Bytef *)text, .avail_in = (uInt)length};

    if (deflateInit2(&stream, PACK_LEVEL, Z_DEFLATED, GZIP_WINDOW_BITS, PACK_MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOMEM;
    uLong room = deflateBound(&stream, (uLong)length);
    char *bytes = malloc(room);
    stream.next_out = (Bytef *)bytes;
    stream.avail_out = (uInt)room;
    int result = bytes ? deflate(&stream, Z_FINISH) : Z_MEM_ERROR;
    *packed_bytes = stream.total_out;
    deflateEnd(&stream);
    if (result != Z_STREAM_END) {
        free(bytes);
        return -ENOMEM;
    }
    *packed = bytes;
    return 0;
}

/* Of census/, which is made where there is none. A link is not followed out of the run. Returns a
 * descriptor or a negative errno. */
static int open_folder(int run_fd)
{
    if (mkdirat(run_fd, "census", 0777) == 0)
        fsync(run_fd);
    else if (errno != EEXIST)
        return -errno;
    int fd = openat(run_fd, "census", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int write_packed(int run_fd, size_t cell, const char *packed, size_t packed_bytes)
{
    char path[NAME_BYTES];
    int folder_fd = open_folder(run_fd);

    if (folder_fd < 0)
        return folder_fd;
    int error =
        json_file_replace(folder_fd, strchr(path_of(cell, path), '/') + 1, packed, packed_bytes);
    close(folder_fd);
    return error;
}

int census_file_write(int run_fd, const json_t *census)
{
    size_t cell = (size_t)json_integer_value(json_object_get(census, "cell"));
    char *text = json_dumps(census, JSON_COMPACT);
    char *packed = NULL;
    size_t packed_bytes;
    int error = text ? 0 : -ENOMEM;

    if (!error &&
        (strlen(text) > JSON_FILE_MOST_BYTES || count_objects(text) > JSON_FILE_MOST_OBJECTS))
        error = -EFBIG;
    if (!error)
        error = pack(text, strlen(text), &packed, &packed_bytes);
    free(text);
    if (!error)
        error = write_packed(run_fd, cell, packed, packed_bytes);
    free(packed);
    return error;
}

/* --- Reading. --- */

static int refuse(char *error, int number, const char *path, const char *why)
{
    snprintf(error, CENSUS_ERROR_BYTES, "%s: %s", path, why);
    return number;
}

/* Makes room for more of what is unpacked. Returns 0, -ENOMEM, or -EFBIG beyond the bound. */
static int grow(struct file_text *text, z_stream *stream)
{
    size_t room = text->length ? 2 * text->length : FIRST_ROOM_BYTES;

    if (text->length > JSON_FILE_MOST_BYTES)
        return -EFBIG;
    /* One byte more than may be, to see that there is more. */
    room = room < JSON_FILE_MOST_BYTES + 1 ? room : JSON_FILE_MOST_BYTES + 1;
    char *bytes = realloc(text->bytes, room);
    if (!bytes)
        return -ENOMEM;
    text->bytes = bytes;
    stream->next_out = (Bytef *)bytes + text->length;
    stream->avail_out = (uInt)(room - text->length);
    text->length = room;
    return 0;
}

/* Returns 0, -ENOMEM, -EFBIG, or -EINVAL for what is no gzip or has more behind it. */
static int unpack(const struct file_text *packed, struct file_text *text)
{
    z_stream stream = {.next_in = (z_const Bytef *)packed->bytes, .avail_in = (uInt)packed->length};
    int result = Z_OK, error = 0;

    if (inflateInit2(&stream, GZIP_WINDOW_BITS) != Z_OK)
        return -ENOMEM;
    while (result == Z_OK && !error) {
        if (stream.avail_out == 0)
            error = grow(text, &stream);
        if (!error)
            result = inflate(&stream, Z_NO_FLUSH);
    }
    text->length = stream.total_out;
    if (!error && (result != Z_STREAM_END || stream.avail_in > 0))
        error = result == Z_MEM_ERROR ? -ENOMEM : -EINVAL;
    if (!error && text->length > JSON_FILE_MOST_BYTES)
        error = -EFBIG;
    inflateEnd(&stream);
    return error;
}

static int read_text(int run_fd, const char *path, struct file_text *text, char *error)
{
    struct file_text packed;
    int failed = file_text_read(&packed, run_fd, path, JSON_FILE_MOST_BYTES, error);

    if (failed)
        return failed;
    failed = unpack(&packed, text);
    file_text_free(&packed);
    if (failed == -EFBIG)
        return refuse(error, failed, path, "it unpacks to more than 32 MiB");
    if (failed == -EINVAL)
        return refuse(error, failed, path, "it is damaged, or no gzip");
    return failed ? refuse(error, failed, path, strerror(-failed)) : 0;
}

static json_t *parse(int run_fd, const char *path, char *error)
{
    struct file_text text = {0};
    json_t *census = NULL;

    if (read_text(run_fd, path, &text, error) == 0)
        census = json_file_parse(path, &text, error);
    file_text_free(&text);
    return census;
}

int census_file_read(int run_fd, size_t cell, json_t **census, char *error)
{
    char path[NAME_BYTES], what[CENSUS_ERROR_BYTES];

    path_of(cell, path);
    if (!census_file_is_there(run_fd, cell))
        return refuse(error, -ENOENT, path, strerror(ENOENT));
    json_t *read = parse(run_fd, path, error);
    if (!read)
        return -EINVAL;
    int failed = census_check(read, what);
    if (!failed && json_integer_value(json_object_get(read, "cell")) != (json_int_t)cell) {
        snprintf(what, sizeof what, "cell: it is another cell's");
        failed = -EINVAL;
    }
    if (failed) {
        snprintf(error, CENSUS_ERROR_BYTES, "%s: %.400s", path, what);
        json_decref(read);
        return failed;
    }
    *census = read;
    return 0;
}
