/*
 * The rules of pymalloc's blocks and pools, one promise per test. Leaves out arenas
 * (pymalloc_arena_test.c) and the comparison with the real one, address for address
 * (pymalloc_oracle_test.c). Compiled once per profile. Expected numbers are CPython's own:
 * sys._debugmallocstats() of 3.9 and 3.11, recorded from their interpreters.
 */
#include "tests/pymalloc_fixture.h"

/* --- Geometry. --- */

static void each_class_has_as_many_blocks_per_pool_as_cpython(void **state)
{
    (void)state;
    static const unsigned of_4_kib[SIZE_CLASSES] = {253, 126, 84, 63, 50, 42, 36, 31, 28, 25, 23,
                                                    21,  19,  18, 16, 15, 14, 14, 13, 12, 12, 11,
                                                    11,  10,  10, 9,  9,  9,  8,  8,  8,  7};
    static const unsigned of_16_kib[SIZE_CLASSES] = {
        1021, 510, 340, 255, 204, 170, 145, 127, 113, 102, 92, 85, 78, 72, 68, 63,
        60,   56,  53,  51,  48,  46,  44,  42,  40,  39,  37, 36, 35, 34, 32, 31};
    const unsigned *expected = POOL_BYTES == 4096 ? of_4_kib : of_16_kib;

    for (unsigned c = 0; c < SIZE_CLASSES; c++) {
        void *blocks[1024] = {NULL};
        take(blocks, expected[c] + 1, (size_t)(c + 1) * 16);
        for (unsigned i = 1; i < expected[c]; i++)
            assert_ptr_equal(pool_at(blocks[i]), pool_at(blocks[0]));
        assert_ptr_not_equal(pool_at(blocks[expected[c]]), pool_at(blocks[0]));
        give(blocks, expected[c] + 1);
    }
}

static void every_size_up_to_512_gets_the_next_multiple_of_16(void **state)
{
    (void)state;
    for (size_t size = 1; size <= LARGEST; size++) {
        void *block = heap.malloc(size);
        size_t class_index = (size - 1) / 16;
        assert_int_equal(statistics().classes[class_index].blocks_in_use, 1);
        assert_int_equal((uintptr_t)block % 16, 0);
        heap.free(block);
    }
}

/* 100,001 live blocks of 64 bytes: the fixture that every version of CPython was asked for its
 * statistics of. */
static void the_closed_fixture_has_cpythons_statistics(void **state)
{
    (void)state;
    enum { COUNT = 100001 };
    bool old = POOL_BYTES == 4096;
    void **blocks = malloc(COUNT * sizeof(*blocks));
    assert_non_null(blocks);
    take(blocks, COUNT, 64);

    struct pymalloc_statistics now = statistics();
    assert_int_equal(now.arenas_allocated, old ? 25 : 7);
    assert_int_equal(now.arenas_current, old ? 25 : 7);
    assert_int_equal(now.arenas_highwater, old ? 25 : 7);
    assert_int_equal(now.arenas_reclaimed, 0);
    assert_int_equal(now.allocated_bytes, 6400064);
    assert_int_equal(now.available_bytes, old ? 2752 : 13696);
    assert_int_equal(now.pools_unused, old ? 12 : 55);
    assert_int_equal(now.header_bytes, old ? 76224 : 18864);
    assert_int_equal(now.quantization_bytes, old ? 25408 : 6288);
    assert_int_equal(now.alignment_bytes, 0);
    assert_int_equal(now.classes[3].blocks_in_use, COUNT);
    assert_int_equal(now.classes[3].pools, old ? 1588 : 393);

    give(blocks, COUNT);
    free(blocks);
    now = statistics();
    assert_int_equal(now.allocated_bytes, 0);
    assert_int_equal(now.arenas_current, KEPT_ARENAS);
    assert_int_equal(now.arenas_reclaimed, (old ? 25 : 7) - KEPT_ARENAS);
    assert_int_equal(now.pools_unused, KEPT_ARENAS * POOLS_PER_ARENA);
}

/* --- Pools. --- */

static void a_new_pool_hands_out_its_blocks_in_order(void **state)
{
    (void)state;
    void *blocks[LARGEST_PER_POOL];
    take(blocks, LARGEST_PER_POOL, LARGEST);
    for (size_t i = 0; i < LARGEST_PER_POOL; i++)
        assert_ptr_equal(blocks[i], pool_at(blocks[0]) + POOL_HEADER_BYTES + i * LARGEST);
    give(blocks, LARGEST_PER_POOL);
}

static void the_last_freed_block_is_the_next_handed_out(void **state)
{
    (void)state;
    void *blocks[5];
    take(blocks, 5, 48);
    heap.free(blocks[1]);
    heap.free(blocks[3]);
    heap.free(blocks[0]);
    assert_ptr_equal(heap.malloc(48), blocks[0]);
    assert_ptr_equal(heap.malloc(48), blocks[3]);
    assert_ptr_equal(heap.malloc(48), blocks[1]);
    give(blocks, 5);
}

/* Block 1 was linked when the pool began; after it come the carved ones, one at a time, only once
 * the free list is empty. */
static void freed_blocks_come_before_uncarved_ones(void **state)
{
    (void)state;
    void *blocks[4];
    take(blocks, 2, 48);
    heap.free(blocks[0]);
    assert_ptr_equal(heap.malloc(48), blocks[0]);
    take(&blocks[2], 2, 48);
    assert_ptr_equal(blocks[2], (char *)blocks[1] + 48);
    assert_ptr_equal(blocks[3], (char *)blocks[2] + 48);
    give(blocks, 4);
}

/* Only the next block is linked, when the one before it goes: a page is first touched when it is
 * needed, and resident memory grows as CPython's does. The fixture fills arenas with 0xa5. */
static void a_block_is_not_touched_before_the_one_in_front_is_handed_out(void **state)
{
    (void)state;
    unsigned char untouched[LARGEST];
    void *blocks[LARGEST_PER_POOL];

    memset(untouched, 0xa5, sizeof(untouched));
    for (size_t i = 0; i < LARGEST_PER_POOL; i++) {
        take(&blocks[i], 1, LARGEST);
        for (size_t ahead = i + 2; ahead < LARGEST_PER_POOL; ahead++)
            assert_memory_equal(pool_at(blocks[0]) + POOL_HEADER_BYTES + ahead * LARGEST, untouched,
                                LARGEST);
    }
    give(blocks, LARGEST_PER_POOL);
}

static void a_full_pool_that_gets_a_block_back_serves_next(void **state)
{
    (void)state;
    void *blocks[3 * LARGEST_PER_POOL - 1];
    take(blocks, 3 * LARGEST_PER_POOL - 1, LARGEST);
    /* Pools 0 and 1 are full, 2 has one block left. */
    heap.free(blocks[LARGEST_PER_POOL]);
    heap.free(blocks[0]);
    assert_ptr_equal(heap.malloc(LARGEST), blocks[0]);
    assert_ptr_equal(heap.malloc(LARGEST), blocks[LARGEST_PER_POOL]);
    void *last = heap.malloc(LARGEST);
    assert_ptr_equal(pool_at(last), pool_at(blocks[(size_t)2 * LARGEST_PER_POOL]));
    heap.free(last);
    give(blocks, 3 * LARGEST_PER_POOL - 1);
}

static void an_empty_pool_serves_any_class_the_last_emptied_first(void **state)
{
    (void)state;
    void *small = heap.malloc(16);
    void *middle = heap.malloc(128);
    void *large = heap.malloc(256);
    heap.free(small);
    heap.free(large);
    void *first = heap.malloc(512);
    void *second = heap.malloc(480);
    assert_ptr_equal(first, large);
    assert_ptr_equal(second, small);
    assert_ptr_equal(second, pool_at(small) + POOL_HEADER_BYTES);
    heap.free(middle);
    heap.free(first);
    heap.free(second);
}

static void a_pool_reused_by_its_class_keeps_its_free_list(void **state)
{
    (void)state;
    void *blocks[4];
    void *other = heap.malloc(16); /* holds the arena */
    take(blocks, 4, 160);
    heap.free(blocks[0]);
    heap.free(blocks[2]);
    heap.free(blocks[1]);
    heap.free(blocks[3]); /* the pool is empty now */
    assert_ptr_equal(heap.malloc(160), blocks[3]);
    assert_ptr_equal(heap.malloc(160), blocks[1]);
    assert_ptr_equal(heap.malloc(160), blocks[2]);
    assert_ptr_equal(heap.malloc(160), blocks[0]);
    give(blocks, 4);
    heap.free(other);
}

static void a_pool_reused_by_another_class_starts_anew(void **state)
{
    (void)state;
    void *blocks[3];
    void *holder = heap.malloc(16); /* of the arena */
    take(blocks, 3, 160);
    give(blocks, 3);
    void *other[3];
    take(other, 3, 320);
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(other[i], pool_at(blocks[0]) + POOL_HEADER_BYTES + i * 320);
    give(other, 3);
    heap.free(holder);
}

/* --- realloc, calloc. --- */

static void realloc_stays_when_more_than_three_quarters_are_used(void **state)
{
    (void)state;
    void *holder = heap.malloc(LARGEST); /* of the arena: mapping it each time takes long */
    for (size_t have = 16; have <= LARGEST; have += 16)
        for (size_t size = 1; size <= LARGEST; size++) {
            void *block = heap.malloc(have);
            void *moved = heap.realloc(block, size);
            bool stays = size <= have && 4 * size > 3 * have;
            assert_int_equal(moved == block, stays);
            heap.free(moved);
        }
    heap.free(holder);
}

static void realloc_keeps_the_bytes(void **state)
{
    (void)state;
    static const size_t sizes[] = {100, 300, 2000, 400, 7, 512, 513, 1};
    size_t have = 64;
    unsigned char *block = heap.malloc(have);
    memset(block, 0x5a, have);

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        block = heap.realloc(block, sizes[i]);
        for (size_t at = 0; at < have && at < sizes[i]; at++)
            assert_int_equal(block[at], 0x5a);
        have = sizes[i];
        memset(block, 0x5a, have);
    }
    heap.free(block);
}

static void realloc_of_null_is_malloc(void **state)
{
    (void)state;
    void *block = heap.realloc(NULL, 40);
    assert_int_equal(statistics().classes[2].blocks_in_use, 1);
    heap.free(block);
}

static void realloc_to_0_leaves_a_block_that_free_accepts(void **state)
{
    (void)state;
    void *pooled = heap.realloc(heap.malloc(64), 0);
    void *large = heap.realloc(heap.malloc(1000), 0);
    assert_non_null(pooled);
    assert_non_null(large);
    assert_int_equal(statistics().allocated_bytes, 0);
    heap.free(pooled);
    heap.free(large);
}

static void calloc_clears_a_block_that_was_used(void **state)
{
    (void)state;
    void *holder = heap.malloc(16); /* of the arena */
    unsigned char *block = heap.malloc(512);
    memset(block, 0xff, 512);
    heap.free(block);
    unsigned char *again = heap.calloc(64, 8);
    assert_ptr_equal(again, block);
    for (size_t i = 0; i < 512; i++)
        assert_int_equal(again[i], 0);
    heap.free(again);
    heap.free(holder);
}

static void sizes_that_overflow_give_null(void **state)
{
    (void)state;
    void *block = heap.malloc(64);
    size_t absurd = (size_t)PTRDIFF_MAX + 1;
    size_t callocs_before = raw_log.callocs; /* of the address map */
    assert_null(heap.malloc(absurd));
    assert_null(heap.malloc(SIZE_MAX));
    assert_null(heap.realloc(block, absurd));
    assert_null(heap.calloc(absurd, 1));
    assert_null(heap.calloc(SIZE_MAX / 2 + 2, 2)); /* the product wraps to 2 */
    assert_null(heap.calloc(2, SIZE_MAX / 2 + 2));
    assert_int_equal(raw_log.mallocs, 0);
    assert_int_equal(raw_log.callocs, callocs_before);
    heap.free(block);
}

/* --- What goes to the raw allocator. --- */

static void size_0_and_above_512_go_to_the_raw_allocator(void **state)
{
    (void)state;
    void *blocks[4] = {heap.malloc(0), heap.malloc(513), heap.calloc(0, 8), heap.calloc(3, 200)};
    for (size_t i = 0; i < 4; i++)
        assert_non_null(blocks[i]);
    assert_int_equal(raw_log.mallocs, 2);
    assert_int_equal(raw_log.callocs, 2);
    assert_int_equal(raw_log.last_bytes, 600);
    assert_int_equal(source_log.mapped, 0);
    give(blocks, 4);
    assert_int_equal(raw_log.frees, 4);
}

static void a_raw_block_stays_raw_when_it_shrinks(void **state)
{
    (void)state;
    void *block = heap.realloc(heap.malloc(1000), 16);
    assert_int_equal(raw_log.reallocs, 1);
    assert_int_equal(raw_log.last_bytes, 16);
    assert_int_equal(source_log.mapped, 0);
    heap.free(block);
    assert_int_equal(raw_log.frees, 1);
}

static void a_pooled_block_that_outgrows_512_becomes_raw(void **state)
{
    (void)state;
    void *block = heap.realloc(heap.malloc(512), 513);
    assert_int_equal(raw_log.mallocs, 1);
    assert_int_equal(raw_log.last_bytes, 513);
    assert_int_equal(statistics().allocated_bytes, 0);
    heap.free(block);
    assert_int_equal(raw_log.frees, 1);
}

static void free_of_null_does_nothing(void **state)
{
    (void)state;
    heap.free(NULL);
    void *block = heap.malloc(16); /* and with an arena mapped */
    heap.free(NULL);
    assert_int_equal(statistics().arenas_current, 1);
    assert_int_equal(statistics().allocated_bytes, 16);
    heap.free(block);
}

/* The failed realloc of the contract: the old block is untouched. */
static void a_failed_realloc_leaves_the_block(void **state)
{
    (void)state;
    unsigned char *block = heap.malloc(64);
    memset(block, 0x33, 64);
    raw_log.fail = true;
    assert_null(heap.realloc(block, 4000));
    raw_log.fail = false;
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(block[i], 0x33);
    heap.free(block);
}

static void open_without_a_raw_allocator_says_what_is_missing(void **state)
{
    (void)state;
    struct allocator_ops ops = {0};
    char reason[ALLOCATOR_TEXT_BYTES] = "";
    assert_true(allocator_pymalloc.open(&allocator_pymalloc, &ops, NULL, reason) < 0);
    assert_non_null(strstr(reason, "beneath"));
    assert_null(ops.malloc);
}

/* --- All together. --- */

/* xorshift64 (Marsaglia 2003): any fixed sequence will do. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

struct shadow {
    unsigned char *block;
    size_t size;
    unsigned char fill;
};

static void assert_filled(const struct shadow *shadow, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (shadow->block[i] != shadow->fill)
            fail_msg("byte %zu of a block of %zu is %#x, not %#x", i, shadow->size,
                     shadow->block[i], shadow->fill);
}

static void refill(struct shadow *shadow, uint64_t random)
{
    shadow->fill = (unsigned char)random;
    memset(shadow->block, shadow->fill, shadow->size);
}

/* Every block is filled to its end and checked before it changes: two that overlap cannot both keep
 * their bytes. */
static void a_random_sequence_agrees_with_a_shadow(void **state)
{
    (void)state;
#ifdef TIDEMARK_SANITIZED
    enum { BLOCKS = 2048, STEPS = 60000 };
#else
    enum { BLOCKS = 8192, STEPS = 400000 };
#endif
    struct shadow *shadows = calloc(BLOCKS, sizeof(*shadows));
    assert_non_null(shadows);
    uint64_t random = 0x9e3779b97f4a7c15u;

    for (size_t step = 0; step < STEPS; step++) {
        struct shadow *shadow = &shadows[next_random(&random) % BLOCKS];
        size_t size = next_random(&random) % (step % 16 == 0 ? 3000 : 540);
        if (shadow->block == NULL) {
            *shadow = (struct shadow){.block = heap.malloc(size), .size = size};
        } else if (step % 3 == 0) {
            assert_filled(shadow, shadow->size);
            shadow->block = heap.realloc(shadow->block, size);
            assert_filled(shadow, size < shadow->size ? size : shadow->size);
            shadow->size = size;
        } else {
            assert_filled(shadow, shadow->size);
            heap.free(shadow->block);
            shadow->block = NULL;
            continue;
        }
        refill(shadow, random);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        heap.free(shadows[i].block);
    free(shadows);
    assert_int_equal(statistics().allocated_bytes, 0);
    assert_int_equal(statistics().arenas_current, KEPT_ARENAS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HEAP_TEST(each_class_has_as_many_blocks_per_pool_as_cpython),
        HEAP_TEST(every_size_up_to_512_gets_the_next_multiple_of_16),
        HEAP_TEST(the_closed_fixture_has_cpythons_statistics),
        HEAP_TEST(a_new_pool_hands_out_its_blocks_in_order),
        HEAP_TEST(the_last_freed_block_is_the_next_handed_out),
        HEAP_TEST(freed_blocks_come_before_uncarved_ones),
        HEAP_TEST(a_block_is_not_touched_before_the_one_in_front_is_handed_out),
        HEAP_TEST(a_full_pool_that_gets_a_block_back_serves_next),
        HEAP_TEST(an_empty_pool_serves_any_class_the_last_emptied_first),
        HEAP_TEST(a_pool_reused_by_its_class_keeps_its_free_list),
        HEAP_TEST(a_pool_reused_by_another_class_starts_anew),
        HEAP_TEST(realloc_stays_when_more_than_three_quarters_are_used),
        HEAP_TEST(realloc_keeps_the_bytes),
        HEAP_TEST(realloc_of_null_is_malloc),
        HEAP_TEST(realloc_to_0_leaves_a_block_that_free_accepts),
        HEAP_TEST(calloc_clears_a_block_that_was_used),
        HEAP_TEST(sizes_that_overflow_give_null),
        HEAP_TEST(size_0_and_above_512_go_to_the_raw_allocator),
        HEAP_TEST(a_raw_block_stays_raw_when_it_shrinks),
        HEAP_TEST(a_pooled_block_that_outgrows_512_becomes_raw),
        HEAP_TEST(free_of_null_does_nothing),
        HEAP_TEST(a_failed_realloc_leaves_the_block),
        HEAP_TEST(open_without_a_raw_allocator_says_what_is_missing),
        HEAP_TEST(a_random_sequence_agrees_with_a_shadow),
        SKEWED_TEST(a_random_sequence_agrees_with_a_shadow),
    };
    return cmocka_run_group_tests_name("pymalloc", tests, NULL, NULL);
}
