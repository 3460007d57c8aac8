/*
 * mkdtemp and an empty file. Leaves out a place in memory: snapshots of a large program are large.
 */
#define _GNU_SOURCE
#include "harness/snapshot_folder.h"

#include "harness/sites/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int snapshot_folder_make(struct snapshot_folder *folder)
{
    const char *where = getenv("TMPDIR");
    int wrote = snprintf(folder->path, sizeof folder->path, "%s/tidemark-snapshot-XXXXXX",
                         where && where[0] == '/' ? where : "/tmp");

    if (wrote >= SNAPSHOT_FOLDER_BYTES)
        return -ENAMETOOLONG;
    if (!mkdtemp(folder->path))
        return -errno;
    snprintf(folder->control, sizeof folder->control, "%s/" CONTROL_FILE, folder->path);
    snprintf(folder->stream, sizeof folder->stream, "%s/" CONTROL_STREAM, folder->path);
    int fd = open(folder->stream, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        int error = -errno;
        rmdir(folder->path);
        return error;
    }
    close(fd);
    return 0;
}

void snapshot_folder_remove(const struct snapshot_folder *folder)
{
    unlink(folder->stream);
    unlink(folder->control);
    rmdir(folder->path);
}
