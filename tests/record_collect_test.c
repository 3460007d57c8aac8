/*
 * What the collector makes of words: a thread here plays the threads of recorded programs, so that
 * they come in the order that a test wants. Leaves out real programs (recording_test.py).
 */
#define _GNU_SOURCE
#include "harness/trace/record_collect.h"
#include "harness/trace/record_shared.h"
#include "harness/trace/trace_index.h"

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
#include <sys/mman.h>
#include <unistd.h>

enum { MOST_EVENTS = 64, TEXT_BYTES = 4096, PLACE = 0x10000000 };

static char folder[] = "/tmp/tidemark-collect-XXXXXX";
static char path[sizeof folder + 16];
static struct trace_writer *writer;
static struct record_collector *collector;
static struct record_shared *shared; /* as a program has it */
static struct record_counts counts;

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
    return rmdir(folder);
}

static int begin(void **state)
{
    char error[TRACE_ERROR_BYTES];

    (void)state;
    if (trace_writer_open(&writer, path, 1, error) != 0 ||
        record_collector_make(&collector, writer, 0) != 0)
        return -1;
    const int fd = open(record_collector_path(collector), O_RDWR | O_CLOEXEC);
    void *pages =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    close(fd);
    shared = pages;
    return pages == MAP_FAILED ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    munmap(shared, sizeof *shared);
    return unlink(path);
}

/* --- A program. --- */

struct player {
    struct record_chunk *chunk;
    uint32_t number, process, serial, at;
    int is_stamped;
};

static struct player new_player(uint32_t process, int is_stamped)
{
    return (struct player){.number = atomic_fetch_add(&shared->threads, 1) + 1,
                           .process = process,
                           .is_stamped = is_stamped};
}

static uint32_t new_process(uint32_t parent)
{
    const uint32_t number = atomic_fetch_add(&shared->processes, 1) + 1;
    struct record_process *process = &shared->process[number - 1];

    process->pid = (int32_t)getpid(); /* of no namespace: it does not end */
    process->parent = parent;
    process->is_image = parent == 0;
    snprintf(process->name, sizeof process->name, "program-%u", number);
    atomic_store(&process->is_known, 1);
    return number;
}

/* Takes a chunk that is not told of yet. */
static uint32_t take_chunk(struct player *player)
{
    uint32_t number = record_pop(shared, &shared->free_chunks);

    if (number == RECORD_NO_CHUNK)
        number = atomic_fetch_add(&shared->made_chunks, 1) + 1;
    player->chunk = record_chunk_at(shared, number);
    player->chunk->process = player->process;
    player->chunk->thread = player->number;
    player->chunk->serial = player->serial++;
    player->chunk->is_stamped = (uint32_t)player->is_stamped;
    atomic_store(&player->chunk->words[0], 0);
    atomic_store(&player->chunk->is_closed, 0);
    player->at = 0;
    return number;
}

static void open_chunk(struct player *player)
{
    record_push(shared, &shared->opened_chunks, take_chunk(player));
}

static void put(struct player *player, enum record_kind kind, uintptr_t address, uint64_t size,
                uint64_t stamp)
{
    const uint32_t at = player->at;
    const int is_long = size >= RECORD_SIZE_FOLLOWS;

    player->at++;
    if (is_long)
        atomic_store(&player->chunk->words[player->at++], size);
    if (player->is_stamped)
        atomic_store(&player->chunk->words[player->at++], stamp);
    atomic_store(&player->chunk->words[player->at], 0);
    atomic_store(&player->chunk->words[at],
                 record_word(kind, is_long ? RECORD_SIZE_FOLLOWS : size, address));
}

static void put_plain(struct player *player, enum record_kind kind, uint64_t word)
{
    const uint32_t at = player->at;

    player->at += 2;
    atomic_store(&player->chunk->words[at + 1], word);
    if (player->is_stamped && kind == RECORD_FORK)
        atomic_store(&player->chunk->words[player->at++], 0);
    atomic_store(&player->chunk->words[player->at], 0);
    atomic_store(&player->chunk->words[at], record_word(kind, 0, 0));
}

static void step(void)
{
    assert_true(record_collector_step(collector) >= 0);
}

/* --- The trace. --- */

static int add_text(void *context, const struct event_reader *thread,
                    const struct trace_event *event)
{
    char *text = context;
    const size_t used = strlen(text);

    if (trace_makes(event->kind) && event->kind != TRACE_REALLOC)
        snprintf(text + used, TEXT_BYTES - used, "%u:m%llu ", thread->thread,
                 (unsigned long long)event->size_bytes);
    else if (event->kind == TRACE_REALLOC)
        snprintf(text + used, TEXT_BYTES - used, "%u:r%u.%llu>%llu ", thread->thread,
                 event->ends.thread, (unsigned long long)event->ends.ordinal,
                 (unsigned long long)event->size_bytes);
    else if (event->kind == TRACE_FREE)
        snprintf(text + used, TEXT_BYTES - used, "%u:f%u.%llu ", thread->thread, event->ends.thread,
                 (unsigned long long)event->ends.ordinal);
    else
        snprintf(text + used, TEXT_BYTES - used, "%u:s%u ", thread->thread, event->started);
    return 0;
}

/* Ends the recording. Events as text: thread, kind, size or the block that ends, as thread.ordinal.
 * Those of a thread stand together. */
static const char *trace(void)
{
    static char text[TEXT_BYTES];
    char error[TRACE_ERROR_BYTES];
    struct trace_reader *reader;
    struct trace_index index;

    text[0] = '\0';
    assert_int_equal(record_collector_end(collector, &counts), 0);
    record_collector_free(collector);
    assert_int_equal(trace_writer_add(writer, TRACE_BLOCK_END, "{}", 2), 0);
    assert_int_equal(trace_writer_close(writer), 0);
    assert_int_equal(trace_reader_open(&reader, path, error), 0);
    assert_int_equal(trace_index_make(&index, reader, error), 0);
    assert_null(trace_reader_damage(reader));
    assert_int_equal(trace_index_scan(&index, reader, add_text, text), 0);
    trace_index_free(&index);
    trace_reader_close(reader);
    return text;
}

/* --- One thread. --- */

static void test_blocks_are_known_by_their_order(void **state)
{
    struct player one = new_player(new_process(0), 0);

    (void)state;
    open_chunk(&one);
    put(&one, RECORD_MALLOC, PLACE, 10, 0);
    put(&one, RECORD_MALLOC, PLACE + 64, 100000, 0);
    put(&one, RECORD_FREE, PLACE, 0, 0);
    put(&one, RECORD_MALLOC, PLACE, 30, 0);
    put(&one, RECORD_FREE, PLACE, 0, 0);
    put(&one, RECORD_FREE, PLACE + 64, 0, 0);
    assert_string_equal(trace(), "0:m10 0:m100000 0:f0.0 0:m30 0:f0.2 0:f0.1 ");
    assert_int_equal(counts.unknown + counts.unseen + counts.lost, 0);
}

static void test_a_block_from_before_is_left_out(void **state)
{
    struct player one = new_player(new_process(0), 0);

    (void)state;
    open_chunk(&one);
    put(&one, RECORD_FREE, PLACE, 0, 0);
    put(&one, RECORD_MALLOC, PLACE, 30, 0);
    assert_string_equal(trace(), "0:m30 ");
    assert_int_equal(counts.unknown, 1);
}

static void test_a_place_that_is_given_again_was_freed(void **state)
{
    struct player one = new_player(new_process(0), 0);

    (void)state;
    open_chunk(&one);
    put(&one, RECORD_MALLOC, PLACE, 10, 0);
    put(&one, RECORD_MALLOC, PLACE, 20, 0);
    assert_string_equal(trace(), "0:m10 0:f0.0 0:m20 ");
    assert_int_equal(counts.unseen, 1);
}

static void test_a_realloc_ends_one_and_makes_one(void **state)
{
    struct player one = new_player(new_process(0), 0);

    (void)state;
    open_chunk(&one);
    put(&one, RECORD_MALLOC, PLACE, 10, 0);
    put(&one, RECORD_MOVE, PLACE, 0, 0);
    put(&one, RECORD_MOVED, PLACE + 64, 20, 0);
    put(&one, RECORD_FREE, PLACE + 64, 0, 0);
    assert_string_equal(trace(), "0:m10 0:r0.0>20 0:f0.1 ");
}

static void test_a_realloc_that_fails_leaves_the_block(void **state)
{
    struct player one = new_player(new_process(0), 0);

    (void)state;
    open_chunk(&one);
    put(&one, RECORD_MALLOC, PLACE, 10, 0);
    put(&one, RECORD_MOVE, PLACE, 0, 0);
    put(&one, RECORD_MOVED, 0, 20, 0);
    put(&one, RECORD_FREE, PLACE, 0, 0);
    assert_string_equal(trace(), "0:m10 0:f0.0 ");
}

static void test_a_realloc_to_nothing_frees(void **state)
{
    struct player one = new_player(new_process(0), 0);

    (void)state;
    open_chunk(&one);
    put(&one, RECORD_MALLOC, PLACE, 10, 0);
    put(&one, RECORD_MOVE, PLACE, 0, 0);
    put(&one, RECORD_MOVED, 0, 0, 0);
    assert_string_equal(trace(), "0:m10 0:f0.0 ");
}

static void test_many_chunks_are_one_thread_and_are_used_again(void **state)
{
    struct player one = new_player(new_process(0), 0);

    (void)state;
    for (unsigned chunk = 0; chunk < 100; chunk++) {
        open_chunk(&one);
        while (one.at + RECORD_MOST_WORDS < RECORD_CHUNK_WORDS)
            put(&one, one.at % 2 ? RECORD_FREE : RECORD_MALLOC, PLACE, one.at % 2 ? 0 : 8, 0);
        if (one.at % 2)
            put(&one, RECORD_FREE, PLACE, 0, 0);
        atomic_store(&one.chunk->is_closed, 1);
        step();
    }
    assert_int_equal(record_collector_end(collector, &counts), 0);
    assert_int_equal(atomic_load(&shared->made_chunks), 1);
    assert_true(counts.makes == counts.ends && counts.makes > 400000);
    assert_int_equal(counts.unseen + counts.unknown, 0);
    record_collector_free(collector);
    trace_writer_close(writer);
}

static void test_an_event_that_is_not_whole_is_not_there(void **state)
{
    struct player one = new_player(new_process(0), 0);

    (void)state;
    open_chunk(&one);
    put(&one, RECORD_MALLOC, PLACE, 10, 0);
    atomic_store(&one.chunk->words[one.at + 1], 100000); /* killed before the first word */
    step();
    assert_string_equal(trace(), "0:m10 ");
}

/* --- Several. --- */

static void test_another_threads_free_waits_for_the_malloc(void **state)
{
    const uint32_t process = new_process(0);
    struct player one = new_player(process, 1), two = new_player(process, 1);

    (void)state;
    open_chunk(&one);
    open_chunk(&two);
    put(&two, RECORD_FREE, PLACE, 0, 10); /* its processor's counter is behind */
    put(&one, RECORD_MALLOC, PLACE, 10, 20);
    step();
    assert_string_equal(trace(), "0:m10 1:f0.0 ");
    assert_int_equal(counts.unknown, 0);
}

static void test_a_place_that_another_thread_got_was_freed_before(void **state)
{
    const uint32_t process = new_process(0);
    struct player one = new_player(process, 1), two = new_player(process, 1);

    (void)state;
    open_chunk(&one);
    open_chunk(&two);
    put(&one, RECORD_MALLOC, PLACE, 10, 10);
    put(&two, RECORD_MALLOC, PLACE, 20, 20);
    put(&two, RECORD_FREE, PLACE, 0, 40);
    put(&one, RECORD_FREE, PLACE, 0, 30);
    step();
    assert_string_equal(trace(), "0:m10 0:f0.0 1:m20 1:f1.0 ");
    assert_int_equal(counts.unseen, 0);
}

static void test_stamps_decide_whose_block_is_freed(void **state)
{
    const uint32_t process = new_process(0);
    struct player one = new_player(process, 1), two = new_player(process, 1),
                  three = new_player(process, 1);

    (void)state;
    open_chunk(&one);
    open_chunk(&two);
    open_chunk(&three);
    put(&one, RECORD_MALLOC, PLACE, 10, 30);
    put(&two, RECORD_MALLOC, PLACE, 20, 10);
    put(&three, RECORD_FREE, PLACE, 0, 20);
    put(&three, RECORD_FREE, PLACE, 0, 40);
    step();
    const char *text = trace();
    assert_non_null(strstr(text, "2:f1.0 2:f0.0 "));
}

static void test_what_never_comes_is_not_waited_for(void **state)
{
    const uint32_t process = new_process(0);
    struct player one = new_player(process, 1), two = new_player(process, 1);

    (void)state;
    open_chunk(&one);
    open_chunk(&two);
    put(&one, RECORD_MALLOC, PLACE + 64, 10, 10);
    put(&two, RECORD_FREE, PLACE, 0, 20);
    put(&two, RECORD_MALLOC, PLACE, 30, 30);
    step();
    assert_string_equal(trace(), "0:m10 1:m30 ");
    assert_int_equal(counts.unknown, 1);
}

static void test_who_started_a_thread_is_told(void **state)
{
    const uint32_t process = new_process(0);
    struct player one = new_player(process, 1), two = new_player(process, 1);

    (void)state;
    open_chunk(&one);
    put(&one, RECORD_MALLOC, PLACE, 10, 10);
    put_plain(&one, RECORD_START, two.number);
    step();
    open_chunk(&two);
    put(&two, RECORD_FREE, PLACE, 0, 20);
    assert_string_equal(trace(), "0:m10 0:s1 1:f0.0 ");
}

/* --- Forks. --- */

static void test_a_forked_process_frees_its_parents_blocks(void **state)
{
    const uint32_t parent = new_process(0), child = new_process(parent);
    struct player one = new_player(parent, 0), two = new_player(child, 0);

    (void)state;
    open_chunk(&one);
    put(&one, RECORD_MALLOC, PLACE, 10, 0);
    put_plain(&one, RECORD_FORK, child);
    put(&one, RECORD_FREE, PLACE, 0, 0);
    put(&one, RECORD_MALLOC, PLACE, 20, 0);
    open_chunk(&two);
    put(&two, RECORD_FREE, PLACE, 0, 0);
    put(&two, RECORD_MALLOC, PLACE, 30, 0);
    put(&two, RECORD_FREE, PLACE, 0, 0);
    assert_string_equal(trace(), "0:m10 0:f0.0 0:m20 1:f0.0 1:m30 1:f1.0 ");
    assert_int_equal(counts.processes, 2);
    assert_int_equal(counts.images, 1);
    assert_int_equal(counts.unknown + counts.unseen, 0);
}

/* --- Memory that somebody else wrote to. --- */

static void test_a_chunk_of_nobody_ends_the_recording(void **state)
{
    struct player one = new_player(0, 0);

    (void)state;
    open_chunk(&one);
    assert_int_equal(record_collector_step(collector), -EBADMSG);
    assert_true(atomic_load(&shared->is_over));
    record_collector_free(collector);
    trace_writer_close(writer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_blocks_are_known_by_their_order),
        TEST(test_a_block_from_before_is_left_out),
        TEST(test_a_place_that_is_given_again_was_freed),
        TEST(test_a_realloc_ends_one_and_makes_one),
        TEST(test_a_realloc_that_fails_leaves_the_block),
        TEST(test_a_realloc_to_nothing_frees),
        TEST(test_many_chunks_are_one_thread_and_are_used_again),
        TEST(test_an_event_that_is_not_whole_is_not_there),
        TEST(test_another_threads_free_waits_for_the_malloc),
        TEST(test_a_place_that_another_thread_got_was_freed_before),
        TEST(test_stamps_decide_whose_block_is_freed),
        TEST(test_what_never_comes_is_not_waited_for),
        TEST(test_who_started_a_thread_is_told),
        TEST(test_a_forked_process_frees_its_parents_blocks),
        TEST(test_a_chunk_of_nobody_ends_the_recording),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
