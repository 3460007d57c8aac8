/*
 * What the lock of `pymalloc-locked` promises beyond the contract (`tidemark check` runs many
 * threads at once): what is done without it, fork, its own tables, the bytes of a block. Leaves out
 * whole programs (preload_test.py).
 */
#define _GNU_SOURCE
#include "allocators/allocator.h"
#include "allocators/pymalloc/geometry.h"
#include "allocators/pymalloc/pymalloc.h"
#include "tests/counting_allocator.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

extern const struct allocator PYMALLOC_NAME(allocator_pymalloc);

static struct allocator_ops heap;

enum {
    LARGEST = SMALL_REQUEST_MAX,
    PER_ARENA = POOLS_PER_ARENA * ((POOL_BYTES - POOL_HEADER_BYTES) / LARGEST),
};

static int open_heap(void **state)
{
    const struct allocator *row = &PYMALLOC_NAME(allocator_pymalloc);
    char reason[ALLOCATOR_TEXT_BYTES];

    (void)state;
    memset(&raw_log, 0, sizeof(raw_log));
    return row->open(row, &heap, &raw, reason);
}

static size_t arenas_now(void)
{
    struct pymalloc_statistics now;

    pymalloc_count(&now);
    return now.arenas_current;
}

static void take(void **blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        blocks[i] = heap.malloc(LARGEST);
        assert_non_null(blocks[i]);
    }
}

static void give(void **blocks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        heap.free(blocks[i]);
}

static void test_tables_are_not_the_raw_allocator_s(void **state)
{
    enum { BLOCKS = (ARENA_VECTOR_START + 1) * PER_ARENA };
    void **blocks = malloc(BLOCKS * sizeof *blocks);

    (void)state;
    assert_non_null(blocks);
    take(blocks, BLOCKS);
    /* The vector has grown. */
    assert_true(arenas_now() > ARENA_VECTOR_START);
    assert_int_equal(raw_log.mallocs + raw_log.callocs + raw_log.reallocs, 0);
    give(blocks, BLOCKS);
    assert_true(arenas_now() <= 1);
    free(blocks);
}

static void test_bytes_of_a_block_are_those_of_its_class(void **state)
{
    (void)state;
    assert_int_equal(pymalloc_block_bytes(NULL), 0);
    assert_int_equal(pymalloc_block_bytes(&heap), 0);
    for (size_t size = 1; size <= LARGEST + 1; size++) {
        void *block = heap.malloc(size);
        assert_int_equal(pymalloc_block_bytes(block), size > LARGEST ? 0 : (size + 15) / 16 * 16);
        heap.free(block);
    }
}

/* --- What is read without the lock, while another thread changes it. --- */

/* Arenas side by side and off the boundaries of the map's slots, so that each slot is shared by the
 * end of one and the start of the next. Pages that are given back read as zero again. */
enum { PLACES = 8 };
static struct {
    char *base;
    bool is_mapped[PLACES];
} region;

static void *map_place(void *context, size_t bytes)
{
    (void)context;
    for (size_t i = 0; i < PLACES; i++) {
        if (region.is_mapped[i])
            continue;
        region.is_mapped[i] = true;
        return region.base + i * bytes;
    }
    return NULL;
}

static void unmap_place(void *context, void *base, size_t bytes)
{
    (void)context;
    madvise(base, bytes, MADV_DONTNEED);
    region.is_mapped[(size_t)((char *)base - region.base) / bytes] = false;
}

static int open_heap_in_a_region(void **state)
{
    static const struct pymalloc_arena_source source = {.map = map_place, .unmap = unmap_place};
    static char *mapped;

    if (!mapped)
        mapped = mmap(NULL, (PLACES + 2) * (size_t)ARENA_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED || open_heap(state) != 0)
        return -1;
    region.base = mapped + (-(uintptr_t)mapped & (ARENA_BYTES - 1)) + ARENA_BYTES / 2;
    pymalloc_set_arena_source(&source);
    return 0;
}

enum { ASKED = 8 };
static void *asked[ASKED];
static void *beside;
static atomic_int readers_end;

/* Asks whose these blocks are, for ever; counts the wrong answers. */
static void *ask(void *unused)
{
    uintptr_t wrong = 0;

    (void)unused;
    while (!atomic_load(&readers_end)) {
        for (size_t i = 0; i < ASKED; i++)
            wrong += pymalloc_block_bytes(asked[i]) != LARGEST;
        wrong += pymalloc_block_bytes(beside) != 0;
    }
    return (void *)wrong;
}

/* Takes blocks out of the third of the arenas that served `blocks`, all over it: the map has one
 * slot for its start and the end of one neighbour, one for its end and the start of the other. */
static void keep_some(void **blocks)
{
    const size_t stride = (size_t)(POOLS_PER_ARENA - 4) / ASKED * (PER_ARENA / POOLS_PER_ARENA);

    for (size_t i = 0; i < ASKED; i++) {
        void **place = &blocks[(size_t)2 * PER_ARENA + i * stride];
        asked[i] = *place;
        *place = NULL;
    }
}

static void test_arenas_may_come_and_go_while_others_ask_whose_a_block_is(void **state)
{
    enum { ROUNDS = 200, BLOCKS = 5 * PER_ARENA };
    void **blocks = malloc(BLOCKS * sizeof *blocks);
    pthread_t reader;
    void *wrong;

    (void)state;
    assert_non_null(blocks);
    beside = heap.malloc(LARGEST + 1);
    take(blocks, BLOCKS);
    keep_some(blocks);
    atomic_store(&readers_end, 0);
    assert_int_equal(pthread_create(&reader, NULL, ask, NULL), 0);
    for (int round = 0; round < ROUNDS; round++) {
        give(blocks, BLOCKS);
        take(blocks, BLOCKS);
    }
    atomic_store(&readers_end, 1);
    assert_int_equal(pthread_join(reader, &wrong), 0);
    assert_null(wrong);
    give(blocks, BLOCKS);
    give(asked, ASKED);
    heap.free(beside);
    free(blocks);
}

/* --- fork. --- */

static atomic_int churners_end;

static void *churn(void *unused)
{
    void *blocks[200];

    while (!atomic_load(&churners_end)) {
        for (size_t i = 0; i < 200; i++)
            blocks[i] = heap.malloc(16 + i);
        give(blocks, 200);
    }
    return unused;
}

/* In the child: it has one thread, and no one to give back a lock that was held. */
static void use_heap_and_end(void)
{
    void *blocks[500];

    alarm(20);
    for (size_t i = 0; i < 500; i++)
        blocks[i] = heap.malloc(1 + i);
    give(blocks, 500);
    _exit(0);
}

static void test_child_of_a_process_with_threads_can_allocate(void **state)
{
    enum { CHURNERS = 3, FORKS = 200 };
    pthread_t threads[CHURNERS];
    int status;

    (void)state;
    atomic_store(&churners_end, 0);
    for (size_t i = 0; i < CHURNERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, NULL), 0);
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        if (child == 0)
            use_heap_and_end();
        assert_true(child > 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    atomic_store(&churners_end, 1);
    for (size_t i = 0; i < CHURNERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

/* What classes and pools of one census say of the blocks in use; the figure says it in bytes. */
struct sums {
    uint64_t figure_bytes, class_bytes, pool_bytes;
};

static void add_figure(void *context, const char *name, uint64_t value)
{
    struct sums *sums = context;

    if (strcmp(name, "allocated_bytes") == 0)
        sums->figure_bytes = value;
}

static void add_class(void *context, size_t block_bytes, size_t pools, size_t blocks_in_use,
                      size_t blocks_available)
{
    struct sums *sums = context;

    (void)pools;
    (void)blocks_available;
    sums->class_bytes += block_bytes * blocks_in_use;
}

static void ignore_arena(void *context, uintptr_t base)
{
    (void)context;
    (void)base;
}

static void add_pool(void *context, size_t block_bytes, size_t blocks_in_use)
{
    struct sums *sums = context;

    sums->pool_bytes += block_bytes * blocks_in_use;
}

/* More than the contract asks for: it is taken under the lock, whatever other threads do. */
static void test_census_is_of_one_moment(void **state)
{
    enum { CHURNERS = 3, CENSUSES = 2000 };
    pthread_t threads[CHURNERS];

    (void)state;
    atomic_store(&churners_end, 0);
    for (size_t i = 0; i < CHURNERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, NULL), 0);
    for (int i = 0; i < CENSUSES; i++) {
        struct sums sums = {0};
        heap.census(
            &(struct allocator_census){&sums, add_figure, add_class, ignore_arena, add_pool});
        assert_int_equal(sums.class_bytes, sums.figure_bytes);
        assert_int_equal(sums.pool_bytes, sums.figure_bytes);
    }
    atomic_store(&churners_end, 1);
    for (size_t i = 0; i < CHURNERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_tables_are_not_the_raw_allocator_s, open_heap),
        cmocka_unit_test_setup(test_bytes_of_a_block_are_those_of_its_class, open_heap),
        cmocka_unit_test_setup(test_arenas_may_come_and_go_while_others_ask_whose_a_block_is,
                               open_heap_in_a_region),
        cmocka_unit_test_setup(test_child_of_a_process_with_threads_can_allocate, open_heap),
        cmocka_unit_test_setup(test_census_is_of_one_moment, open_heap),
    };

    return cmocka_run_group_tests_name("pymalloc_locked", tests, NULL, NULL);
}
