/*
 * Lines into a buffer, the buffer into a descriptor. Leaves out stdio, whose first buffer may pin
 * the top of the heap that is looked at.
 */
#include "harness/census_child.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { DIGITS = 20 /* of 2^64 */ };

static struct {
    int fd;
    int failed; /* 1: nothing more is written */
    uint64_t written_bytes;
    size_t used_bytes;
    char bytes[CENSUS_BUFFER_BYTES];
} out;

static void flush(void)
{
    size_t done = 0;

    out.written_bytes += out.used_bytes;
    out.failed |= out.written_bytes > CENSUS_MOST_LINE_BYTES;
    while (!out.failed && done < out.used_bytes) {
        ssize_t wrote = write(out.fd, out.bytes + done, out.used_bytes - done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (wrote == 0 || errno != EINTR)
            out.failed = 1;
    }
    out.used_bytes = 0;
}

static void put(char byte)
{
    if (out.used_bytes == CENSUS_BUFFER_BYTES)
        flush();
    out.bytes[out.used_bytes++] = byte;
}

static void put_text(const char *text)
{
    while (*text)
        put(*text++);
}

static void put_number(uint64_t number, unsigned base)
{
    char digits[DIGITS];
    size_t count = 0;

    do {
        digits[count++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0);
    while (count > 0)
        put(digits[--count]);
}

static void put_word(uint64_t number)
{
    put(' ');
    put_number(number, 10);
}

static void write_figure(void *context, const char *name, uint64_t value)
{
    (void)context;
    put_text("f ");
    put_text(name);
    put_word(value);
    put('\n');
}

static void write_class(void *context, size_t block_bytes, size_t pools, size_t blocks_in_use,
                        size_t blocks_available)
{
    (void)context;
    put('c');
    put_word(block_bytes);
    put_word(pools);
    put_word(blocks_in_use);
    put_word(blocks_available);
    put('\n');
}

static void write_arena(void *context, uintptr_t base)
{
    (void)context;
    put_text("a ");
    put_number(base, 16);
    put('\n');
}

static void write_pool(void *context, size_t block_bytes, size_t blocks_in_use)
{
    (void)context;
    put('p');
    put_word(block_bytes);
    put_word(blocks_in_use);
    put('\n');
}

static const struct allocator_census lines = {
    .figure = write_figure,
    .size_class = write_class,
    .arena = write_arena,
    .pool = write_pool,
};

void census_child_begin(int fd, const char *version)
{
    out.fd = fd;
    out.failed = 0;
    out.written_bytes = 0;
    out.used_bytes = 0;
    put_text("v ");
    put_text(version);
    put('\n');
}

void census_child_phase(const struct allocator_ops *ops, const struct page_phase *phase)
{
    put_text("n ");
    put_text(phase->name);
    put_word(phase->object_bytes);
    put_word(phase->live_bytes);
    put('\n');
    if (ops->census)
        ops->census(&lines);
    put_text("e\n");
    flush();
}
