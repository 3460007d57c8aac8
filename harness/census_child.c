/*
 * The lines of a census. Leaves out the buffer between them and the descriptor
 * (harness/pass_writer.h).
 */
#include "harness/census_child.h"

#include "harness/pass_writer.h"

static void put_word(uint64_t number)
{
    pass_put(' ');
    pass_put_number(number);
}

static void write_figure(void *context, const char *name, uint64_t value)
{
    (void)context;
    pass_put_text("f ");
    pass_put_text(name);
    put_word(value);
    pass_put('\n');
}

static void write_class(void *context, size_t block_bytes, size_t pools, size_t blocks_in_use,
                        size_t blocks_available)
{
    (void)context;
    pass_put('c');
    put_word(block_bytes);
    put_word(pools);
    put_word(blocks_in_use);
    put_word(blocks_available);
    pass_put('\n');
}

static void write_arena(void *context, uintptr_t base)
{
    (void)context;
    pass_put_text("a ");
    pass_put_hex(base);
    pass_put('\n');
}

static void write_pool(void *context, size_t block_bytes, size_t blocks_in_use)
{
    (void)context;
    pass_put('p');
    put_word(block_bytes);
    put_word(blocks_in_use);
    pass_put('\n');
}

static const struct allocator_census lines = {
    .figure = write_figure,
    .size_class = write_class,
    .arena = write_arena,
    .pool = write_pool,
};

void census_child_begin(int fd, const char *version)
{
    pass_writer_begin(fd);
    pass_put_text("v ");
    pass_put_text(version);
    pass_put('\n');
}

void census_child_phase(const struct allocator_ops *ops, const struct page_phase *phase)
{
    pass_put_text("n ");
    pass_put_text(phase->name);
    put_word(phase->object_bytes);
    put_word(phase->live_bytes);
    pass_put('\n');
    if (ops->census)
        ops->census(&lines);
    pass_put_text("e\n");
    pass_flush();
}

static int begin(struct workload_context *context, const struct open_row *row, char *reason)
{
    char version[ALLOCATOR_TEXT_BYTES] = "";

    (void)context;
    (void)reason;
    row->object_allocator->version(version);
    census_child_begin(PASS_FD, version);
    return 0;
}

static void phase_ended(struct workload_context *context, const struct page_phase *phase)
{
    census_child_phase(context->object, phase);
}

const struct child_pass census_child_pass = {
    .name = "census", .begin = begin, .phase_ended = phase_ended};
