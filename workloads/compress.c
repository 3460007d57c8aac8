/*
 * The third article's compression: n bytes that repeat a line, or are random, through the real
 * zlib, whose state is served by the raw allocator as in CPython, and back. The output grows by
 * CPython's rules: 2.7 and 3.8 one string that doubles, later versions blocks that are joined.
 * Leaves out streams and inputs of more than 1 GB. After CPython 2.7, 3.8 and 3.11
 * Modules/zlibmodule.c and 3.11 Include/internal/pycore_blocks_output_buffer.h.
 * workloads/python/compress.py is the same on a real CPython.
 */
#include "workloads/objects/program.h"
#include "workloads/objects/runtime.h"
#include "workloads/random.h"
#include "workloads/workload.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

enum content { REPETITIVE, RANDOM };

static const char *const contents[] = {"repetitive", "random", NULL};

enum { LINE_LENGTH = 64 };
static const char line[LINE_LENGTH + 1] =
    "the tide comes in and the tide goes out, and the sand is as was\n";

enum {
    FIRST_SIZE = 16 * 1024, /* 2.7: DEFAULTALLOC; 3.x: DEF_BUF_SIZE; 3.11: of decompress() alone */
    BLOCKS_MOST = 32,
    ZLIB_BLOCKS_MOST = 16, /* deflate asks for five, inflate for two */
};

#define KIB ((size_t)1024)
#define MIB (KIB * KIB)

/* BUFFER_BLOCK_SIZE */
static const size_t block_sizes[] = {
    32 * KIB, 64 * KIB, 256 * KIB, 1 * MIB,  4 * MIB,  8 * MIB,   16 * MIB,  16 * MIB,  32 * MIB,
    32 * MIB, 32 * MIB, 32 * MIB,  64 * MIB, 64 * MIB, 128 * MIB, 128 * MIB, 256 * MIB,
};

enum { BLOCK_SIZES = sizeof block_sizes / sizeof block_sizes[0] };

/* A bytes object whose characters are still to be written, which bytes_new does not make. */
struct buffer {
    unsigned char *block; /* NULL: none */
    size_t size;          /* characters */
};

struct program {
    struct runtime runtime;
    struct buffer data, packed; /* its names */
    struct buffer output[BLOCKS_MOST];
    size_t output_count, output_size;
    struct buffer zlib[ZLIB_BLOCKS_MOST]; /* zlib does not tell sizes when it frees */
    uint64_t random;
};

/* --- Buffers. --- */

/* Of bytes from 3.x on, and of 2.7's str: a head, and a zero behind the characters. */
static size_t head_bytes(const struct program *program)
{
    return program->runtime.profile->major == 2 ? 36 : 32;
}

static size_t buffer_bytes(const struct program *program, size_t size)
{
    return head_bytes(program) + size + 1;
}

static unsigned char *characters(const struct program *program, const struct buffer *buffer)
{
    return buffer->block + head_bytes(program);
}

static int buffer_make(struct program *program, struct buffer *buffer, size_t size)
{
    size_t bytes = buffer_bytes(program, size);
    unsigned char *block = heap_malloc(&program->runtime.heap, HEAP_OBJECT, bytes);

    if (!block)
        return -ENOMEM;
    memset(block, 0, head_bytes(program));
    block[bytes - 1] = 0;
    runtime_made(&program->runtime, bytes, size);
    observed_storage(block, "bytes");
    *buffer = (struct buffer){block, size};
    return 0;
}

static void buffer_drop(struct program *program, struct buffer *buffer)
{
    size_t bytes = buffer_bytes(program, buffer->size);

    if (!buffer->block)
        return;
    runtime_dropping(&program->runtime, bytes, buffer->size);
    heap_free(&program->runtime.heap, HEAP_OBJECT, buffer->block, bytes);
    buffer->block = NULL;
}

/* _PyString_Resize. The head lies before the characters, and goes with them. */
static int buffer_resize(struct program *program, struct buffer *buffer, size_t size)
{
    size_t old_bytes = buffer_bytes(program, buffer->size);
    size_t bytes = buffer_bytes(program, size);
    unsigned char *block =
        heap_realloc(&program->runtime.heap, HEAP_OBJECT, buffer->block, old_bytes, bytes);

    if (!block)
        return -ENOMEM;
    block[bytes - 1] = 0;
    runtime_resized(&program->runtime, old_bytes, bytes);
    *buffer = (struct buffer){block, size};
    return 0;
}

/* --- What zlib asks for itself. --- */

static void *zlib_alloc(void *opaque, unsigned items, unsigned size)
{
    struct program *program = opaque;
    size_t bytes = (size_t)items * size;

    for (size_t i = 0; i < ZLIB_BLOCKS_MOST; i++) {
        struct buffer *slot = &program->zlib[i];
        if (slot->block)
            continue;
        slot->block = heap_malloc(&program->runtime.heap, HEAP_RAW, bytes);
        observed_storage(slot->block, "zlib state");
        slot->size = bytes;
        return slot->block;
    }
    return NULL;
}

static void zlib_free(void *opaque, void *block)
{
    struct program *program = opaque;

    for (size_t i = 0; i < ZLIB_BLOCKS_MOST; i++) {
        struct buffer *slot = &program->zlib[i];
        if (slot->block != block)
            continue;
        heap_free(&program->runtime.heap, HEAP_RAW, slot->block, slot->size);
        slot->block = NULL;
        return;
    }
}

static z_stream stream_over(struct program *program, const struct buffer *input)
{
    z_stream stream = {.zalloc = zlib_alloc, .zfree = zlib_free, .opaque = program};

    stream.next_in = characters(program, input);
    stream.avail_in = (unsigned)input->size;
    return stream;
}

static int errno_of(int status)
{
    return status == Z_MEM_ERROR ? -ENOMEM : -EIO;
}

typedef int zlib_step(z_stream *stream, int flush);

/* --- From 3.10: the output is a row of blocks, joined at the end. --- */

static int output_grow(struct program *program, z_stream *stream, size_t size)
{
    struct buffer *next = &program->output[program->output_count];

    if (program->output_count == BLOCKS_MOST || buffer_make(program, next, size) != 0)
        return -ENOMEM;
    program->output_count++;
    program->output_size += size;
    stream->next_out = characters(program, next);
    stream->avail_out = (unsigned)size;
    return 0;
}

static int output_grow_by_rule(struct program *program, z_stream *stream)
{
    size_t index = program->output_count;

    return output_grow(program, stream, block_sizes[index < BLOCK_SIZES ? index : BLOCK_SIZES - 1]);
}

static void output_drop(struct program *program)
{
    for (size_t i = 0; i < program->output_count; i++)
        buffer_drop(program, &program->output[i]);
    program->output_count = 0;
    program->output_size = 0;
}

/* A first block that is full, with nothing in a second, is the result itself. */
static int output_is_first_block(const struct program *program, const z_stream *stream)
{
    size_t count = program->output_count;

    return (count == 1 && stream->avail_out == 0) ||
           (count == 2 && program->output[1].size == stream->avail_out);
}

static int output_finish(struct program *program, const z_stream *stream, struct buffer *result)
{
    size_t left = program->output_size - stream->avail_out;

    if (output_is_first_block(program, stream)) {
        *result = program->output[0];
        program->output[0].block = NULL;
        output_drop(program);
        return 0;
    }
    int error = buffer_make(program, result, left);
    if (error)
        return error;
    unsigned char *to = characters(program, result);
    for (size_t i = 0; left > 0; i++) {
        size_t part = left < program->output[i].size ? left : program->output[i].size;
        memcpy(to, characters(program, &program->output[i]), part);
        to += part;
        left -= part;
    }
    output_drop(program);
    return 0;
}

static int pump_blocks(struct program *program, z_stream *stream, zlib_step *step)
{
    int status;

    do {
        int error = stream->avail_out == 0 ? output_grow_by_rule(program, stream) : 0;
        if (error)
            return error;
        status = step(stream, Z_FINISH);
    } while (status == Z_OK || (status == Z_BUF_ERROR && stream->avail_out == 0));
    return status == Z_STREAM_END ? 0 : errno_of(status);
}

/* `first_size` of the first block, or 0: by the rule. Leaves `result` as it was on failure. */
static int through_blocks(struct program *program, z_stream *stream, zlib_step *step,
                          size_t first_size, struct buffer *result)
{
    int error = first_size > 0 ? output_grow(program, stream, first_size) : 0;

    if (!error)
        error = pump_blocks(program, stream, step);
    if (!error)
        error = output_finish(program, stream, result);
    output_drop(program);
    return error;
}

/* --- To 3.9: one string that doubles, cut to size at the end. --- */

static int pump_string(struct program *program, z_stream *stream, zlib_step *step,
                       struct buffer *output)
{
    int status;

    do {
        if (stream->avail_out == 0) {
            size_t size = output->size;
            if (buffer_resize(program, output, size * 2) != 0)
                return -ENOMEM;
            stream->next_out = characters(program, output) + size;
            stream->avail_out = (unsigned)size;
        }
        status = step(stream, Z_FINISH);
    } while (status == Z_OK || (status == Z_BUF_ERROR && stream->avail_out == 0));
    if (status != Z_STREAM_END)
        return errno_of(status);
    return buffer_resize(program, output, stream->total_out);
}

/* Leaves `result` as it was on failure. */
static int through_string(struct program *program, z_stream *stream, zlib_step *step,
                          struct buffer *result)
{
    struct buffer output;
    int error = buffer_make(program, &output, FIRST_SIZE);

    if (error)
        return error;
    stream->next_out = characters(program, &output);
    stream->avail_out = FIRST_SIZE;
    error = pump_string(program, stream, step, &output);
    if (error)
        buffer_drop(program, &output);
    else
        *result = output;
    return error;
}

/* --- The program. --- */

/* packed = zlib.compress(data) */
static int compress_data(struct program *program)
{
    z_stream stream = stream_over(program, &program->data);
    int status = deflateInit(&stream, Z_DEFAULT_COMPRESSION);

    if (status != Z_OK)
        return errno_of(status);
    int error = program->runtime.profile->joins_blocks
                    ? through_blocks(program, &stream, deflate, 0, &program->packed)
                    : through_string(program, &stream, deflate, &program->packed);
    deflateEnd(&stream);
    return error;
}

/* data = zlib.decompress(packed); zlib's own checksum says that it is what it was. */
static int decompress_data(struct program *program)
{
    z_stream stream = stream_over(program, &program->packed);
    int status = inflateInit(&stream);

    if (status != Z_OK)
        return errno_of(status);
    int error = program->runtime.profile->joins_blocks
                    ? through_blocks(program, &stream, inflate, FIRST_SIZE, &program->data)
                    : through_string(program, &stream, inflate, &program->data);
    inflateEnd(&stream);
    return error;
}

/* data = LINE * lines */
static int build_lines(struct program *program, uint64_t n)
{
    size_t lines = n < LINE_LENGTH ? 1 : n / LINE_LENGTH;
    int error = buffer_make(program, &program->data, lines * LINE_LENGTH);

    for (size_t i = 0; i < lines && !error; i++)
        memcpy(characters(program, &program->data) + i * LINE_LENGTH, line, LINE_LENGTH);
    return error;
}

/* data = os.urandom(n) */
static int build_random(struct program *program, uint64_t n)
{
    int error = buffer_make(program, &program->data, n);

    for (uint64_t at = 0; at < n && !error; at += sizeof(uint64_t)) {
        uint64_t word = random_next(&program->random);
        size_t part = n - at < sizeof word ? n - at : sizeof word;
        memcpy(characters(program, &program->data) + at, &word, part);
    }
    return error;
}

static int play(struct program *program, struct workload_context *context)
{
    uint64_t n = workload_value(context, "n");

    workload_phase(context, "build");
    int error = workload_value(context, "data") == RANDOM ? build_random(program, n)
                                                          : build_lines(program, n);
    if (error)
        return error;
    workload_phase(context, "compress");
    error = compress_data(program);
    if (error)
        return error;
    workload_phase(context, "del");
    buffer_drop(program, &program->data);
    workload_phase(context, "decompress");
    error = decompress_data(program);
    if (error)
        return error;
    workload_phase(context, "del_all");
    buffer_drop(program, &program->data);
    buffer_drop(program, &program->packed);
    workload_idle(context);
    return 0;
}

static int compress_run(struct workload_context *context)
{
    struct program program = {.random = context->seed};
    /* Before the first phase: the runtime's start-up is part of the process's baseline. */
    int error = program_start(&program.runtime, context);

    if (error)
        return error;
    error = play(&program, context);
    /* What follows only tidies up, after the last phase. */
    buffer_drop(&program, &program.data);
    buffer_drop(&program, &program.packed);
    runtime_finish(&program.runtime);
    return error;
}

static const struct parameter compress_parameters[] = {
    {
        .name = "n",
        .summary = "bytes to compress; in lines of 64 where they repeat",
        .kind = PARAMETER_COUNT,
        .scales = 1,
        .minimum = 1,
        .maximum = 1000000000,
        .quick = "32M",
        .full = "128M",
    },
    {
        .name = "data",
        .summary = "what they are: a line over and over, or random",
        .kind = PARAMETER_CHOICE,
        .choices = contents,
        .quick = "repetitive",
        .full = "repetitive",
    },
    PROGRAM_PARAMETER_PROFILE("3.11"),
    {.name = NULL},
};

const struct workload workload_compress = {
    .name = "compress",
    .summary = "n bytes through zlib and back, its state in the raw allocator",
    .source = "article 003: data that is compressed instead of kept as it is",
    .parameters = compress_parameters,
    .object_needs = PROGRAM_NEEDS,
    .raw_needs = PROGRAM_NEEDS,
    .is_reachable = 1,
    .python_script = 1,
    .run = compress_run,
};
