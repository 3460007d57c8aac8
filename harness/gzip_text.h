/*
 * Text in memory, packed as gzip and unpacked within a bound. Leaves out files, which are
 * file_text.h's and json_file.h's; the format and the work are zlib's.
 */
#ifndef TIDEMARK_HARNESS_GZIP_TEXT_H
#define TIDEMARK_HARNESS_GZIP_TEXT_H

#include "harness/file_text.h"

#include <stddef.h>

/* Packs `length` bytes, below 4 GiB. Returns 0 with `*packed` the caller's to free, or -ENOMEM. */
int gzip_text_pack(const char *text, size_t length, char **packed, size_t *packed_bytes);

/*
 * Unpacks `packed` into `text`, to be freed with file_text_free after a failure too. Returns 0, or
 * -ENOMEM, -EFBIG for more than `most_bytes`, -EINVAL for what is no gzip, not whole, or has more
 * behind it. Memory: twice what is unpacked, at most.
 */
int gzip_text_unpack(const struct file_text *packed, size_t most_bytes, struct file_text *text);

#endif
