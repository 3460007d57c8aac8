/*
 * Packed, written beside its place and renamed. Leaves out plain JSON: what is read was
 * written here, or says that it was not.
 */
#define _GNU_SOURCE
#include "harness/snapshot_file.h"

#include "harness/gzip_text.h"
#include "harness/json_file.h"
#include "harness/snapshot_check.h"
#include "harness/text.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_BYTES = JSON_FILE_MOST_LINES_BYTES };

static int refuse(char *error, int number, const char *path, const char *why)
{
    snprintf(error, SNAPSHOT_ERROR_BYTES, "%.240s: %.200s", path, why);
    text_make_printable(error);
    return number;
}

/* --- Writing. --- */

/* A descriptor of the folder of `path`, and its last part in `name` (NAME_MAX + 1). */
static int open_folder(const char *path, char *name)
{
    char folder[PATH_MAX], last[PATH_MAX];
    struct stat there;

    if (strlen(path) >= PATH_MAX)
        return -ENAMETOOLONG;
    snprintf(folder, sizeof folder, "%s", path);
    snprintf(last, sizeof last, "%s", path);
    if (stat(path, &there) == 0 && !S_ISREG(there.st_mode))
        return S_ISDIR(there.st_mode) ? -EISDIR : -EINVAL;
    const char *base = basename(last);
    if (strlen(base) > NAME_MAX - 8 || base[0] == '\0')
        return base[0] ? -ENAMETOOLONG : -EINVAL;
    snprintf(name, NAME_MAX + 1, "%s", base);
    int fd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int snapshot_file_try(const char *path, char *error)
{
    char name[NAME_MAX + 1], trial[NAME_MAX + 1];
    int folder_fd = open_folder(path, name);

    if (folder_fd < 0)
        return refuse(error, folder_fd, path, strerror(-folder_fd));
    snprintf(trial, sizeof trial, ".%.200s.try", name);
    int fd = openat(folder_fd, trial, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    int failed = fd < 0 ? -errno : 0;
    if (fd >= 0) {
        close(fd);
        unlinkat(folder_fd, trial, 0);
    }
    close(folder_fd);
    return failed ? refuse(error, failed, path, strerror(-failed)) : 0;
}

static int write_packed(const char *path, const char *packed, size_t packed_bytes)
{
    char name[NAME_MAX + 1];
    int folder_fd = open_folder(path, name);

    if (folder_fd < 0)
        return folder_fd;
    int failed = json_file_replace(folder_fd, name, packed, packed_bytes);
    close(folder_fd);
    return failed;
}

/* As harness/json_file.c counts before it parses, a bracket within a string too. */
static int is_too_large(const char *text)
{
    size_t objects = 0;

    for (const char *at = strpbrk(text, "{["); at; at = strpbrk(at + 1, "{["))
        objects++;
    return objects > JSON_FILE_MOST_OBJECTS || strlen(text) > MOST_BYTES;
}

int snapshot_file_write(const char *path, const json_t *document, char *error)
{
    char *text = json_dumps(document, JSON_COMPACT);
    char *packed = NULL;
    size_t packed_bytes = 0;
    int failed = !text ? -ENOMEM : is_too_large(text) ? -EFBIG : 0;

    if (!failed)
        failed = gzip_text_pack(text, strlen(text), &packed, &packed_bytes);
    if (!failed && packed_bytes > JSON_FILE_MOST_BYTES)
        failed = -EFBIG;
    free(text);
    if (!failed)
        failed = write_packed(path, packed, packed_bytes);
    free(packed);
    return failed ? refuse(error, failed, path, strerror(-failed)) : 0;
}

/* --- Reading. --- */

static json_t *parse(const char *path, const struct file_text *packed, char *error)
{
    struct file_text text;
    json_t *document = NULL;
    int failed = gzip_text_unpack(packed, MOST_BYTES, &text);

    if (failed == -EINVAL)
        refuse(error, failed, path, "it is damaged, not whole, or no snapshot");
    else if (failed == -EFBIG)
        refuse(error, failed, path, "it unpacks to more than 128 MiB");
    else if (failed)
        refuse(error, failed, path, strerror(-failed));
    else
        document = json_file_parse(path, &text, error);
    file_text_free(&text);
    return document;
}

json_t *snapshot_file_read(const char *path, char *error)
{
    char what[SNAPSHOT_ERROR_BYTES];
    struct file_text packed;

    if (file_text_read(&packed, AT_FDCWD, path, JSON_FILE_MOST_BYTES, error) != 0)
        return NULL;
    json_t *document = parse(path, &packed, error);
    file_text_free(&packed);
    if (document && snapshot_check(document, what) != 0) {
        refuse(error, -EINVAL, path, what);
        json_decref(document);
        document = NULL;
    }
    return document;
}
