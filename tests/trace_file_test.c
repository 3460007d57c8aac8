/*
 * The bytes of a trace: what was written is read, and what was damaged is not, nor what would take
 * memory or time without bound. Leaves out recording (record_collect_test.c).
 */
#define _GNU_SOURCE
#include "harness/trace/event_reader.h"
#include "harness/trace/section_writer.h"
#include "harness/trace/trace_index.h"
#include "harness/trace/trace_sites.h"
#include "harness/trace/varint.h"

#include "workloads/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EVENTS = 5000, THREAD = 3, PROCESS = 1, FILE_BYTES = 1 << 20 };

static char folder[] = "/tmp/tidemark-trace-XXXXXX";
static char path[sizeof folder + 16];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/a.trace", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

/* --- Events. --- */

/* Numbers of every length, the least and the largest among them. */
static uint64_t draw_number(uint64_t *random)
{
    const uint64_t drawn = random_next(random);

    return drawn >> (random_next(random) % 65 % 64);
}

static struct trace_event draw_event(uint64_t *random, uint64_t *time_ns)
{
    struct trace_event event = {.kind = (enum trace_kind)(random_next(random) % TRACE_KINDS)};

    *time_ns += random_next(random) % 4 ? 0 : draw_number(random) >> 24;
    event.time_ns = *time_ns;
    if (trace_makes(event.kind)) {
        event.size_bytes = draw_number(random) >> (64 - EVENT_MOST_SIZE_BITS);
        event.stack = (uint32_t)draw_number(random);
    }
    if (event.kind == TRACE_ALIGNED)
        event.alignment_bytes = UINT64_C(1)
                                << random_next(random) % (EVENT_MOST_ALIGNMENT_BITS + 1);
    if (event.kind == TRACE_FREE || event.kind == TRACE_REALLOC)
        event.ends = (struct trace_block_name){
            random_next(random) % 2 ? THREAD : (uint32_t)draw_number(random), draw_number(random)};
    if (event.kind == TRACE_START)
        event.started = (uint32_t)draw_number(random);
    return event;
}

static void assert_same(const struct trace_event *read, const struct trace_event *written,
                        unsigned with)
{
    assert_int_equal(read->kind, written->kind);
    assert_int_equal(read->size_bytes, written->size_bytes);
    assert_int_equal(read->alignment_bytes, written->alignment_bytes);
    assert_int_equal(read->ends.thread, written->ends.thread);
    assert_int_equal(read->ends.ordinal, written->ends.ordinal);
    assert_int_equal(read->started, written->started);
    assert_int_equal(read->stack, with & EVENT_WITH_STACKS ? written->stack : 0);
    assert_int_equal(read->time_ns, written->time_ns);
}

/* Writes EVENTS events as blocks of some hundred, and reads each back. */
static void check_round_trip(unsigned with)
{
    static struct trace_event written[EVENTS];
    uint64_t random = 7 + with, time_ns = 0, made = 0;
    struct event_writer writer;
    size_t first = 0;

    event_writer_init(&writer, PROCESS, THREAD, with, 0);
    for (size_t i = 0; i < EVENTS; i++) {
        written[i] = draw_event(&random, &time_ns);
        assert_int_equal(event_writer_add(&writer, &written[i]), 0);
        if (i % 700 != 699 && i != EVENTS - 1)
            continue;
        const size_t bytes = event_writer_bytes(&writer);
        uint8_t *block = malloc(bytes);
        struct event_reader reader;
        struct trace_event read;
        assert_non_null(block);
        event_writer_take(&writer, block);
        assert_int_equal(event_reader_init(&reader, block, bytes), 0);
        assert_int_equal(reader.thread, THREAD);
        assert_int_equal(reader.process, PROCESS);
        assert_int_equal(reader.first_born, made);
        for (; first <= i; first++) {
            assert_int_equal(event_reader_next(&reader, &read), 1);
            assert_same(&read, &written[first], with);
            made += (uint64_t)trace_makes(read.kind);
        }
        assert_int_equal(event_reader_next(&reader, &read), 0);
        free(block);
    }
    assert_int_equal(event_writer_bytes(&writer), 0);
    event_writer_free(&writer);
}

static void test_events_are_read_as_they_were_written(void **state)
{
    (void)state;
    check_round_trip(0);
}

static void test_so_are_times_and_stacks(void **state)
{
    (void)state;
    check_round_trip(EVENT_WITH_TIMES);
    check_round_trip(EVENT_WITH_STACKS);
    check_round_trip(EVENT_WITH_TIMES | EVENT_WITH_STACKS);
}

static void test_a_pair_of_malloc_and_free_takes_two_bytes(void **state)
{
    struct event_writer writer;

    (void)state;
    event_writer_init(&writer, PROCESS, THREAD, 0, 0);
    for (uint64_t i = 0; i < 1000; i++) {
        const struct trace_event made = {.kind = TRACE_MALLOC, .size_bytes = 48 + 16 * (i % 3)};
        const struct trace_event freed = {.kind = TRACE_FREE, .ends = {THREAD, i}};
        assert_int_equal(event_writer_add(&writer, &made), 0);
        assert_int_equal(event_writer_add(&writer, &freed), 0);
    }
    assert_in_range(event_writer_bytes(&writer), 2000, 2040);
    event_writer_free(&writer);
}

static void test_a_block_that_is_cut_is_refused(void **state)
{
    uint64_t random = 1, time_ns = 0;
    struct event_writer writer;
    uint8_t bytes[4096];

    (void)state;
    event_writer_init(&writer, PROCESS, THREAD, EVENT_WITH_STACKS, 0);
    for (size_t i = 0; i < 60; i++) {
        const struct trace_event event = draw_event(&random, &time_ns);
        assert_int_equal(event_writer_add(&writer, &event), 0);
    }
    const size_t length = event_writer_bytes(&writer);
    assert_in_range(length, 1, sizeof bytes);
    event_writer_take(&writer, bytes);
    event_writer_free(&writer);
    for (size_t cut = 0; cut < length; cut++) {
        struct event_reader reader;
        assert_int_equal(event_reader_init(&reader, bytes, cut), -EBADMSG);
    }
}

/* --- Files. --- */

static void write_file(const uint8_t *bytes, size_t length)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), (ssize_t)length);
    close(fd);
}

static size_t read_file(uint8_t *bytes)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t got = read(fd, bytes, FILE_BYTES);

    close(fd);
    assert_in_range(got, 1, FILE_BYTES - 1);
    return (size_t)got;
}

/* One process, `blocks` blocks of 100 mallocs and their frees, and an end. */
static void write_trace(size_t blocks)
{
    static const char process[] = "{\"process\":1,\"parent\":0,\"name\":\"p\"}";
    char error[TRACE_ERROR_BYTES];
    struct trace_writer *writer;
    struct event_writer events;
    struct section_writer sections;

    unlink(path);
    assert_int_equal(trace_writer_open(&writer, path, 3, error), 0);
    assert_int_equal(section_writer_init(&sections, writer), 0);
    assert_int_equal(trace_writer_add(writer, TRACE_BLOCK_ABOUT, "{}", 2), 0);
    assert_int_equal(trace_writer_add(writer, TRACE_BLOCK_PROCESS, process, strlen(process)), 0);
    event_writer_init(&events, PROCESS, THREAD, 0, 0);
    for (uint64_t block = 0; block < blocks; block++) {
        for (uint64_t i = 0; i < 100; i++) {
            const struct trace_event made = {.kind = TRACE_MALLOC, .size_bytes = 10 + i};
            const struct trace_event freed = {.kind = TRACE_FREE,
                                              .ends = {THREAD, 100 * block + i}};
            assert_int_equal(event_writer_add(&events, &made), 0);
            assert_int_equal(event_writer_add(&events, &freed), 0);
        }
        assert_int_equal(section_writer_take(&sections, &events), 0);
        assert_int_equal(section_writer_flush(&sections), 0);
    }
    assert_int_equal(trace_writer_add(writer, TRACE_BLOCK_END, "{}", 2), 0);
    event_writer_free(&events);
    section_writer_free(&sections);
    assert_int_equal(trace_writer_close(writer), 0);
}

/* Returns the events that can be read; `is_damaged` whether the reader said that something is. */
static uint64_t count_events(int *is_damaged)
{
    char error[TRACE_ERROR_BYTES];
    struct trace_reader *reader;
    struct trace_index index;

    assert_int_equal(trace_reader_open(&reader, path, error), 0);
    assert_int_equal(trace_index_make(&index, reader, error), 0);
    const uint64_t events = index.events;
    *is_damaged = trace_reader_damage(reader) != NULL;
    trace_index_free(&index);
    trace_reader_close(reader);
    return events;
}

static void test_a_whole_file_has_no_damage(void **state)
{
    int is_damaged;

    (void)state;
    write_trace(3);
    assert_int_equal(count_events(&is_damaged), 600);
    assert_false(is_damaged);
}

static void test_a_file_that_was_cut_is_read_to_its_last_good_block(void **state)
{
    static uint8_t bytes[FILE_BYTES];
    uint64_t last = 0;

    (void)state;
    write_trace(3);
    const size_t length = read_file(bytes);
    for (size_t cut = TRACE_FILE_HEAD_BYTES; cut < length; cut++) {
        int is_damaged;
        write_file(bytes, cut);
        const uint64_t events = count_events(&is_damaged);
        assert_true(is_damaged);
        assert_true(events % 200 == 0 && events >= last);
        last = events;
    }
    assert_int_equal(last, 600);
}

static void test_a_flipped_bit_is_met(void **state)
{
    static uint8_t bytes[FILE_BYTES];

    (void)state;
    write_trace(2);
    const size_t length = read_file(bytes);
    for (size_t at = TRACE_FILE_HEAD_BYTES; at < length; at++) {
        int is_damaged;
        bytes[at] ^= 0x10;
        write_file(bytes, length);
        assert_in_range(count_events(&is_damaged), 0, 400);
        assert_true(is_damaged);
        bytes[at] ^= 0x10;
    }
}

static void test_damage_tells_where(void **state)
{
    static uint8_t bytes[FILE_BYTES];
    char error[TRACE_ERROR_BYTES];
    struct trace_reader *reader;
    struct trace_block block;

    (void)state;
    write_trace(1);
    const size_t length = read_file(bytes);
    bytes[TRACE_FILE_HEAD_BYTES + TRACE_BLOCK_HEAD_BYTES] ^= 1;
    write_file(bytes, length);
    assert_int_equal(trace_reader_open(&reader, path, error), 0);
    assert_int_equal(trace_reader_next(reader, &block), 0);
    assert_string_equal(trace_reader_damage(reader),
                        "from byte 16 on it is not readable: the checksum of a block is another");
    trace_reader_close(reader);
}

static void test_what_is_no_trace_is_refused(void **state)
{
    static const uint8_t other[] = "PK\3\4 is the head of another kind of file";
    char error[TRACE_ERROR_BYTES];
    struct trace_reader *reader;

    (void)state;
    write_file(other, sizeof other);
    assert_int_equal(trace_reader_open(&reader, path, error), -EBADMSG);
    assert_non_null(strstr(error, "is no trace of tidemark record"));
    write_file(other, 3);
    assert_int_equal(trace_reader_open(&reader, path, error), -EBADMSG);
    assert_int_equal(trace_reader_open(&reader, folder, error), -EBADMSG);
    assert_non_null(strstr(error, "is no regular file"));
}

static void test_a_later_version_is_refused_by_its_number(void **state)
{
    static uint8_t bytes[FILE_BYTES];
    char error[TRACE_ERROR_BYTES];
    struct trace_reader *reader;

    (void)state;
    write_trace(1);
    const size_t length = read_file(bytes);
    bytes[strlen(TRACE_FILE_MAGIC)] = TRACE_FILE_VERSION + 1;
    write_file(bytes, length);
    assert_int_equal(trace_reader_open(&reader, path, error), -ENOTSUP);
    assert_non_null(strstr(error, "format 2; this tidemark reads format 1"));
}

static void test_an_older_file_is_not_written_over(void **state)
{
    char error[TRACE_ERROR_BYTES];
    struct trace_writer *writer;

    (void)state;
    write_trace(1);
    assert_int_equal(trace_writer_open(&writer, path, 3, error), -EEXIST);
}

/* --- Call stacks. --- */

struct bytes {
    uint8_t *at, *begin;
};

static void begin_bytes(struct bytes *bytes)
{
    bytes->begin = bytes->at = malloc(TRACE_BLOCK_MOST_BYTES);
    assert_non_null(bytes->begin);
}

static void add_node(struct bytes *bytes, uint64_t process, uint64_t number, uint64_t parent)
{
    bytes->at = varint_put(bytes->at, process);
    bytes->at = varint_put(bytes->at, number);
    bytes->at = varint_put(bytes->at, parent);
    bytes->at = varint_put(bytes->at, 0x1000 + number);
}

/* A trace of blocks of one kind each, whose bytes are given back. */
static void write_blocks(struct bytes *bytes, const enum trace_block_kind *kinds, size_t count)
{
    char error[TRACE_ERROR_BYTES];
    struct trace_writer *writer;

    unlink(path);
    assert_int_equal(trace_writer_open(&writer, path, 1, error), 0);
    for (size_t i = 0; i < count; i++) {
        const size_t length = (size_t)(bytes[i].at - bytes[i].begin);
        assert_int_equal(trace_writer_add(writer, kinds[i], bytes[i].begin, length), 0);
        free(bytes[i].begin);
    }
    assert_int_equal(trace_writer_close(writer), 0);
}

typedef void look_at_sites(struct trace_sites *sites);

/* What reading the sites of the trace comes to; then `look` is called with them, if it is there. */
static int read_sites(look_at_sites *look)
{
    char error[TRACE_ERROR_BYTES];
    struct trace_reader *reader;
    struct trace_index index;
    struct trace_sites *sites;

    assert_int_equal(trace_reader_open(&reader, path, error), 0);
    assert_int_equal(trace_index_make(&index, reader, error), 0);
    const int failed = trace_sites_read(&sites, &index, reader);
    if (look)
        look(sites);
    trace_sites_free(sites);
    trace_index_free(&index);
    trace_reader_close(reader);
    return failed;
}

static int read_one(struct bytes *bytes, enum trace_block_kind kind)
{
    write_blocks(bytes, &kind, 1);
    return read_sites(NULL);
}

static void test_frames_may_come_late(void **state)
{
    struct bytes bytes;

    (void)state;
    begin_bytes(&bytes);
    for (uint64_t process = 1; process <= 3; process++)
        for (uint64_t number = 200000; number > 0; number--)
            add_node(&bytes, process, number, number - 1);
    assert_int_equal(read_one(&bytes, TRACE_BLOCK_STACKS), 0);
}

static void test_numbers_without_frames_take_no_memory(void **state)
{
    struct bytes bytes;

    (void)state;
    begin_bytes(&bytes);
    for (uint64_t i = 1; i <= 32; i++) /* of one process: 2 million nodes */
        add_node(&bytes, 1, i << 16, 0);
    assert_int_equal(read_one(&bytes, TRACE_BLOCK_STACKS), -EBADMSG);
    begin_bytes(&bytes);
    for (uint64_t process = 1; process <= 1000; process++) /* of many: 60 million */
        add_node(&bytes, process, 60000, 0);
    assert_int_equal(read_one(&bytes, TRACE_BLOCK_STACKS), -EBADMSG);
    begin_bytes(&bytes);
    add_node(&bytes, 1, 1 << 22, 0); /* more than a process has */
    assert_int_equal(read_one(&bytes, TRACE_BLOCK_STACKS), -EBADMSG);
}

static void add_range(struct bytes *bytes, uint64_t number, const char *file)
{
    bytes->at +=
        sprintf((char *)bytes->at, "%llx-%llx r-xp 0 %s\n", (unsigned long long)number * 4096,
                (unsigned long long)number * 4096 + 9, file);
}

static void test_more_modules_than_a_program_has_are_refused(void **state)
{
    struct bytes bytes;
    char file[32];

    (void)state;
    begin_bytes(&bytes);
    bytes.at = varint_put(bytes.at, 1);
    for (uint64_t i = 0; i < 400000; i++) /* the same ones again are no more of them */
        add_range(&bytes, i % 10000, "/a");
    assert_int_equal(read_one(&bytes, TRACE_BLOCK_MODULES), 0);
    begin_bytes(&bytes);
    bytes.at = varint_put(bytes.at, 1);
    for (uint64_t i = 0; i < 400000; i++)
        add_range(&bytes, i, "/a");
    assert_int_equal(read_one(&bytes, TRACE_BLOCK_MODULES), -EBADMSG);
    begin_bytes(&bytes);
    bytes.at = varint_put(bytes.at, 1);
    for (unsigned i = 0; i < 70000; i++) {
        snprintf(file, sizeof file, "/%u", i);
        add_range(&bytes, 1, file);
    }
    assert_int_equal(read_one(&bytes, TRACE_BLOCK_MODULES), -EBADMSG);
}

/* What a file that is no regular one is called by, for whoever opens it. */
static char first_module[64];

static void note_first_module(json_t *document, const char *root)
{
    const json_t *module = json_array_get(json_object_get(document, "modules"), 0);

    (void)root;
    snprintf(first_module, sizeof first_module, "%s", json_string_value(json_array_get(module, 0)));
}

static void check_the_only_site(struct trace_sites *sites)
{
    assert_int_equal(trace_sites_made(sites, 1, 1, 10), 1);
    json_t *all = trace_sites_to_json(sites, 10, note_first_module);
    assert_int_equal(json_array_size(all), 1);
    assert_string_equal(first_module, "pipe");
    json_decref(all);
}

static void test_a_module_that_is_a_pipe_is_not_opened(void **state)
{
    static const enum trace_block_kind kinds[] = {TRACE_BLOCK_MODULES, TRACE_BLOCK_STACKS};
    char pipe[sizeof folder + 8];
    struct bytes bytes[2];

    (void)state;
    snprintf(pipe, sizeof pipe, "%s/pipe", folder);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    begin_bytes(&bytes[0]);
    begin_bytes(&bytes[1]);
    bytes[0].at = varint_put(bytes[0].at, 1);
    add_range(&bytes[0], 1, pipe);
    add_node(&bytes[1], 1, 1, 0);
    write_blocks(bytes, kinds, 2);
    assert_int_equal(read_sites(check_the_only_site), 0);
    unlink(pipe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_are_read_as_they_were_written),
        cmocka_unit_test(test_so_are_times_and_stacks),
        cmocka_unit_test(test_a_pair_of_malloc_and_free_takes_two_bytes),
        cmocka_unit_test(test_a_block_that_is_cut_is_refused),
        cmocka_unit_test(test_a_whole_file_has_no_damage),
        cmocka_unit_test(test_a_file_that_was_cut_is_read_to_its_last_good_block),
        cmocka_unit_test(test_a_flipped_bit_is_met),
        cmocka_unit_test(test_damage_tells_where),
        cmocka_unit_test(test_what_is_no_trace_is_refused),
        cmocka_unit_test(test_a_later_version_is_refused_by_its_number),
        cmocka_unit_test(test_an_older_file_is_not_written_over),
        cmocka_unit_test(test_frames_may_come_late),
        cmocka_unit_test(test_numbers_without_frames_take_no_memory),
        cmocka_unit_test(test_more_modules_than_a_program_has_are_refused),
        cmocka_unit_test(test_a_module_that_is_a_pipe_is_not_opened),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
