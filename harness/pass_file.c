/*
 * One gzip member with one line of JSON, packed and unpacked in memory. Leaves out streaming: its
 * size is bounded, and a file that is not whole is none.
 */
#define _GNU_SOURCE
#include "harness/pass_file.h"

#include "harness/gzip_text.h"
#include "harness/json_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAME_BYTES = 64,
};

static const char *path_of(const struct pass *pass, size_t cell, char *path)
{
    snprintf(path, NAME_BYTES, "%s/%06zu.json.gz", pass->name, cell);
    return path;
}

int pass_file_is_there(int run_fd, const struct pass *pass, size_t cell)
{
    char path[NAME_BYTES];
    struct stat info;

    return fstatat(run_fd, path_of(pass, cell, path), &info, AT_SYMLINK_NOFOLLOW) == 0;
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

/* Made where there is none. A link is not followed out of the run. Returns a descriptor or a
 * negative errno. */
static int open_folder(int run_fd, const char *name)
{
    if (mkdirat(run_fd, name, 0777) == 0)
        fsync(run_fd);
    else if (errno != EEXIST)
        return -errno;
    int fd = openat(run_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int write_packed(int run_fd, const struct pass *pass, size_t cell, const char *packed,
                        size_t packed_bytes)
{
    char path[NAME_BYTES];
    int folder_fd = open_folder(run_fd, pass->name);

    if (folder_fd < 0)
        return folder_fd;
    int error = json_file_replace(folder_fd, strchr(path_of(pass, cell, path), '/') + 1, packed,
                                  packed_bytes);
    close(folder_fd);
    return error;
}

int pass_file_write(int run_fd, const struct pass *pass, const json_t *json)
{
    size_t cell = (size_t)json_integer_value(json_object_get(json, "cell"));
    char *text = json_dumps(json, JSON_COMPACT);
    char *packed = NULL;
    size_t packed_bytes;
    int error = text ? 0 : -ENOMEM;

    if (!error &&
        (strlen(text) > JSON_FILE_MOST_BYTES || count_objects(text) > JSON_FILE_MOST_OBJECTS))
        error = -EFBIG;
    if (!error)
        error = gzip_text_pack(text, strlen(text), &packed, &packed_bytes);
    free(text);
    if (!error)
        error = write_packed(run_fd, pass, cell, packed, packed_bytes);
    free(packed);
    return error;
}

/* --- Reading. --- */

static int refuse(char *error, int number, const char *path, const char *why)
{
    snprintf(error, PASS_ERROR_BYTES, "%s: %s", path, why);
    return number;
}

static int read_text(int run_fd, const char *path, struct file_text *text, char *error)
{
    struct file_text packed;
    int failed = file_text_read(&packed, run_fd, path, JSON_FILE_MOST_BYTES, error);

    if (failed)
        return failed;
    failed = gzip_text_unpack(&packed, JSON_FILE_MOST_BYTES, text);
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
    json_t *json = NULL;

    if (read_text(run_fd, path, &text, error) == 0)
        json = json_file_parse(path, &text, error);
    file_text_free(&text);
    return json;
}

int pass_file_read(int run_fd, const struct pass *pass, size_t cell, json_t **json, char *error)
{
    char path[NAME_BYTES], what[PASS_ERROR_BYTES];

    path_of(pass, cell, path);
    if (!pass_file_is_there(run_fd, pass, cell))
        return refuse(error, -ENOENT, path, strerror(ENOENT));
    json_t *read = parse(run_fd, path, error);
    if (!read)
        return -EINVAL;
    int failed = pass->check(read, what);
    if (!failed && json_integer_value(json_object_get(read, "cell")) != (json_int_t)cell) {
        snprintf(what, sizeof what, "cell: it is another cell's");
        failed = -EINVAL;
    }
    if (failed) {
        snprintf(error, PASS_ERROR_BYTES, "%s: %.400s", path, what);
        json_decref(read);
        return failed;
    }
    *json = read;
    return 0;
}
