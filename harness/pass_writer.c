/*
 * A buffer, and write(2). Leaves out any report of a failure: what is missing is seen by the
 * parent, who reads the text to its end.
 */
#include "harness/pass_writer.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

enum { DIGITS = 20 /* of 2^64 */ };

static struct {
    int fd;
    int failed; /* 1: nothing more is written */
    uint64_t written_bytes;
    size_t used_bytes;
    char bytes[PASS_BUFFER_BYTES];
} out;

void pass_writer_begin(int fd)
{
    out.fd = fd;
    out.failed = 0;
    out.written_bytes = 0;
    out.used_bytes = 0;
}

void pass_flush(void)
{
    size_t done = 0;

    out.written_bytes += out.used_bytes;
    out.failed |= out.written_bytes > PASS_MOST_BYTES;
    while (!out.failed && done < out.used_bytes) {
        ssize_t wrote = write(out.fd, out.bytes + done, out.used_bytes - done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (wrote == 0 || errno != EINTR)
            out.failed = 1;
    }
    out.used_bytes = 0;
}

void pass_put(char byte)
{
    if (out.used_bytes == PASS_BUFFER_BYTES)
        pass_flush();
    out.bytes[out.used_bytes++] = byte;
}

void pass_put_text(const char *text)
{
    while (*text)
        pass_put(*text++);
}

static void put_in_base(uint64_t number, unsigned base)
{
    char digits[DIGITS];
    size_t count = 0;

    do {
        digits[count++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0);
    while (count > 0)
        pass_put(digits[--count]);
}

void pass_put_number(uint64_t number)
{
    put_in_base(number, 10);
}

void pass_put_hex(uint64_t number)
{
    put_in_base(number, 16);
}
