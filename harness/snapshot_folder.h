/*
 * The folder in which a recorded process leaves its snapshots, for as long as they are read. Leaves
 * out everything in it but two files.
 */
#ifndef TIDEMARK_HARNESS_SNAPSHOT_FOLDER_H
#define TIDEMARK_HARNESS_SNAPSHOT_FOLDER_H

enum { SNAPSHOT_FOLDER_BYTES = 512 };

struct snapshot_folder {
    char path[SNAPSHOT_FOLDER_BYTES];
    char control[SNAPSHOT_FOLDER_BYTES + 16]; /* harness/sites/control.h */
    char stream[SNAPSHOT_FOLDER_BYTES + 16];  /* an empty file at first */
};

/* In TMPDIR, or /tmp. Returns 0 or a negative errno with nothing made. */
int snapshot_folder_make(struct snapshot_folder *folder);

void snapshot_folder_remove(const struct snapshot_folder *folder);

#endif
