/*
 * Whether what a command writes would replace what it reads. Leaves out folders: only names of one
 * file are found, links among them.
 */
#ifndef TIDEMARK_HARNESS_SAME_FILE_H
#define TIDEMARK_HARNESS_SAME_FILE_H

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

static inline int same_file(const char *one, const char *other)
{
    struct stat a, b;

    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* 1 when `input` is the file `output`, or OUTPUT.partial, which is written first. Thread-safe. */
static inline int same_file_replaces(const char *output, const char *input)
{
    char partial[PATH_MAX];
    const int length = snprintf(partial, sizeof partial, "%s.partial", output);

    return same_file(output, input) || (length < PATH_MAX && same_file(partial, input));
}

#endif
