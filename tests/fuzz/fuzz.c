/*
 * Inputs cut into parts. Leaves out lengths and types in front of them: an input is text that a
 * person can write.
 */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

#include "harness/library.h"

#include <string.h>

struct fuzz_part fuzz_next_part(const uint8_t **data, size_t *length)
{
    static const char separator[] = "%%\n";
    enum { SEPARATOR_BYTES = sizeof separator - 1 };
    struct fuzz_part part = {(const char *)*data, *length};
    const char *end = *length ? memmem(*data, *length, separator, SEPARATOR_BYTES) : NULL;

    if (end) {
        part.length = (size_t)(end - part.bytes);
        *data += part.length + SEPARATOR_BYTES;
        *length -= part.length + SEPARATOR_BYTES;
    } else {
        *data += *length;
        *length = 0;
    }
    return part;
}

char *fuzz_copy(struct fuzz_part part)
{
    char *copy = malloc(part.length + 1);

    FUZZ_CHECK(copy);
    if (part.length)
        memcpy(copy, part.bytes, part.length);
    copy[part.length] = '\0';
    return copy;
}

/* In place of harness/library.c's (ld --wrap): a row may name any file, and none is opened. The
 * name is the linker's: NOLINTBEGIN(bugprone-reserved-identifier) */
const struct library *__wrap_library_find(const char *path);

const struct library *__wrap_library_find(const char *path)
{
    static const struct library none = {.allocator = {.name = "none"},
                                        .reason = "it is not opened"};
    static const struct library some = {
        .allocator = {.name = "some", .capabilities = ALLOCATOR_MALLOC | ALLOCATOR_FREE}};

    return strstr(path, ".so") ? &some : &none;
}
/* NOLINTEND(bugprone-reserved-identifier) */
