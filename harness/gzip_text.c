/*
 * zlib's deflate and inflate on whole texts. Leaves out streaming: what is packed here fits in
 * memory by the bounds of its callers.
 */
#define ZLIB_CONST /* what is packed is not written to */
#include "harness/gzip_text.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

enum {
    GZIP_WINDOW_BITS = 15 + 16, /* zlib's way to ask for gzip */
    PACK_LEVEL = 6,
    PACK_MEMORY = 8,
    FIRST_ROOM_BYTES = 1 << 16,
};

int gzip_text_pack(const char *text, size_t length, char **packed, size_t *packed_bytes)
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

/* Makes room for more of what is unpacked. Returns 0, -ENOMEM, or -EFBIG beyond the bound. */
static int grow(struct file_text *text, size_t most_bytes, z_stream *stream)
{
    size_t room = text->length ? 2 * text->length : FIRST_ROOM_BYTES;

    if (text->length > most_bytes)
        return -EFBIG;
    /* One byte more than may be, to see that there is more. */
    room = room < most_bytes + 1 ? room : most_bytes + 1;
    char *bytes = realloc(text->bytes, room);
    if (!bytes)
        return -ENOMEM;
    text->bytes = bytes;
    stream->next_out = (Bytef *)bytes + text->length;
    stream->avail_out = (uInt)(room - text->length);
    text->length = room;
    return 0;
}

int gzip_text_unpack(const struct file_text *packed, size_t most_bytes, struct file_text *text)
{
    z_stream stream = {.next_in = (z_const Bytef *)packed->bytes, .avail_in = (uInt)packed->length};
    int result = Z_OK, error = 0;

    *text = (struct file_text){0};
    if (inflateInit2(&stream, GZIP_WINDOW_BITS) != Z_OK)
        return -ENOMEM;
    while (result == Z_OK && !error) {
        if (stream.avail_out == 0)
            error = grow(text, most_bytes, &stream);
        if (!error)
            result = inflate(&stream, Z_NO_FLUSH);
    }
    text->length = stream.total_out;
    if (!error && (result != Z_STREAM_END || stream.avail_in > 0))
        error = result == Z_MEM_ERROR ? -ENOMEM : -EINVAL;
    if (!error && text->length > most_bytes)
        error = -EFBIG;
    inflateEnd(&stream);
    return error;
}
