/*
 * Whole files, with a bound. Leaves out mapping: a file that is cut while it is mapped is a SIGBUS.
 */
#define _GNU_SOURCE
#include "harness/file_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(char *error, int number, const char *name, const char *why)
{
    snprintf(error, FILE_TEXT_ERROR_BYTES, "%.100s: %s", name, why);
    return number;
}

/* 0 with its size, or what is wrong with it. */
static int check_kind(int fd, const char *name, size_t most_bytes, size_t *size, char *error)
{
    struct stat info;
    char why[64];

    if (fstat(fd, &info) != 0)
        return refuse(error, -errno, name, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return refuse(error, -EINVAL, name, "it is no regular file");
    if (info.st_size > (off_t)most_bytes) {
        snprintf(why, sizeof why, "it is larger than %zu MiB", most_bytes >> 20);
        return refuse(error, -EFBIG, name, why);
    }
    *size = (size_t)info.st_size;
    return 0;
}

static int read_bytes(int fd, char *bytes, size_t size, size_t *length)
{
    size_t used = 0;

    while (used < size) {
        ssize_t got = read(fd, bytes + used, size - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        used += (size_t)got;
    }
    *length = used;
    return 0;
}

static int read_open(struct file_text *text, int fd, const char *name, size_t most_bytes,
                     char *error)
{
    struct file_text read = {0};
    size_t size = 0;
    int failed = check_kind(fd, name, most_bytes, &size, error);

    if (failed)
        return failed;
    read.bytes = malloc(size + 1);
    if (!read.bytes)
        return refuse(error, -ENOMEM, name, strerror(ENOMEM));
    failed = read_bytes(fd, read.bytes, size, &read.length);
    if (failed) {
        free(read.bytes);
        return refuse(error, failed, name, strerror(-failed));
    }
    *text = read;
    return 0;
}

static int read_file(struct file_text *text, int folder_fd, const char *name, int flags,
                     size_t most_bytes, char *error)
{
    /* O_NONBLOCK: opening a pipe that nobody writes to would wait. */
    int fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);

    if (fd < 0)
        return refuse(error, -errno, name, strerror(errno));
    int failed = read_open(text, fd, name, most_bytes, error);
    close(fd);
    return failed;
}

int file_text_read(struct file_text *text, int folder_fd, const char *name, size_t most_bytes,
                   char *error)
{
    return read_file(text, folder_fd, name, 0, most_bytes, error);
}

int file_text_read_no_link(struct file_text *text, int folder_fd, const char *name,
                           size_t most_bytes, char *error)
{
    return read_file(text, folder_fd, name, O_NOFOLLOW, most_bytes, error);
}

void file_text_free(struct file_text *text)
{
    free(text->bytes);
    *text = (struct file_text){0};
}
