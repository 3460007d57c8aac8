/*
 * CRC-32 as zlib has it, in 8 hex digits: tells whether a file is still what it was. Leaves out
 * proof against intent: who can change the file can change what was written of it.
 */
#ifndef TIDEMARK_HARNESS_CHECKSUM_H
#define TIDEMARK_HARNESS_CHECKSUM_H

#include <stddef.h>

enum { CHECKSUM_BYTES = 9 };

/* Of these bytes, into `digits` (CHECKSUM_BYTES); returned. Thread-safe. */
const char *checksum_bytes(const char *bytes, size_t length, char *digits);

/*
 * Of a file, which may be as large as it likes; `path` is relative to the folder unless it is
 * absolute. Returns 0, or a negative errno with `digits` untouched. Thread-safe.
 */
int checksum_file(int folder_fd, const char *path, char *digits);

#endif
