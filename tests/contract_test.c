/*
 * The allocator contract, for one row a process: `contract_test OBJECT [RAW]`, names or paths. Each
 * check names the capability that it needs and is not run without it, since the row promises
 * nothing there.
 */
#define _GNU_SOURCE
#include "harness/open_row.h"

#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

static struct open_row row;
static const char *object_name, *raw_name;
static char reason[ALLOCATOR_TEXT_BYTES];

/* `capability` may join several: all of them are needed. */
#define NEEDS(capability)                                                                          \
    do {                                                                                           \
        if ((row.object_allocator->capabilities & (capability)) != (capability))                   \
            return;                                                                                \
    } while (0)

/* The compiler may otherwise see that a block is never used and leave the calls out. */
static void *volatile sink;

static void test_flags_and_functions_agree(void **state)
{
    struct allocator_ops none = {0};

    (void)state;
    assert_int_equal(allocator_check_ops(row.object_allocator, &row.object, reason), 0);
    /* What it promises without a function is found. */
    assert_int_not_equal(allocator_check_ops(row.object_allocator, &none, reason), 0);
    assert_non_null(strstr(reason, "it promises "));
}

static void tell_nothing(const struct allocator_census *census)
{
    (void)census;
}

/* The census too, which an allocator has or has not: either way the other is found. */
static void test_a_census_is_promised_where_it_is(void **state)
{
    struct allocator_ops other = row.object;

    (void)state;
    other.census = row.object.census ? NULL : tell_nothing;
    assert_int_not_equal(allocator_check_ops(row.object_allocator, &other, reason), 0);
    assert_string_equal(reason, row.object.census
                                    ? "it promises census and has no function for it"
                                    : "it has a function for census and does not promise it");
}

static void test_describes_itself(void **state)
{
    (void)state;
    assert_int_equal(allocator_check(row.object_allocator, reason), 0);
    assert_true(row.version[0]);
    if (!strchr(object_name, '/'))
        assert_ptr_equal(allocator_find(row.object_allocator->name), row.object_allocator);
}

static void test_blocks_are_aligned(void **state)
{
    (void)state;
    NEEDS(ALLOCATOR_MALLOC);
    for (size_t size = 1; size <= 70000; size += 1 + size / 7) {
        void *block = row.object.malloc(size);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % (size < 16 ? 8 : 16), 0);
        row.object.free(block);
    }
}

static void test_aligned_alloc_aligns(void **state)
{
    (void)state;
    NEEDS(ALLOCATOR_ALIGNED);
    for (size_t alignment = 16; alignment <= 65536; alignment *= 2) {
        void *block = row.object.aligned_alloc(alignment, 3 * alignment);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % alignment, 0);
        memset(block, 1, 3 * alignment);
        row.object.free(block);
    }
}

static void test_calloc_zeroes_a_used_block(void **state)
{
    (void)state;
    NEEDS(ALLOCATOR_CALLOC | ALLOCATOR_FREE);
    for (size_t size = 8; size <= 300000; size *= 3) {
        unsigned char *block = row.object.malloc(size);
        memset(block, 0xff, size);
        row.object.free(block);
        block = row.object.calloc(1, size);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(block[i], 0);
        row.object.free(block);
    }
}

static void test_calloc_refuses_overflow(void **state)
{
    volatile size_t huge = SIZE_MAX / 2 + 2;

    (void)state;
    NEEDS(ALLOCATOR_CALLOC);
    assert_null(row.object.calloc(huge, 2));
}

static void test_realloc_keeps_content(void **state)
{
    static const size_t sizes[] = {1, 24, 500, 513, 5000, 300000, 40000, 512, 100, 8};
    unsigned char *block = NULL;
    size_t before = 0;

    (void)state;
    NEEDS(ALLOCATOR_REALLOC);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        block = row.object.realloc(block, sizes[i]);
        assert_non_null(block);
        size_t kept = before < sizes[i] ? before : sizes[i];
        for (size_t j = 0; j < kept; j++)
            assert_int_equal(block[j], (unsigned char)(j * 7));
        for (size_t j = 0; j < sizes[i]; j++)
            block[j] = (unsigned char)(j * 7);
        before = sizes[i];
    }
    row.object.free(block);
}

static void test_free_of_null_does_nothing(void **state)
{
    (void)state;
    NEEDS(ALLOCATOR_FREE);
    row.object.free(NULL);
}

static void test_size_zero_can_be_freed(void **state)
{
    (void)state;
    NEEDS(ALLOCATOR_MALLOC | ALLOCATOR_FREE);
    void *a = row.object.malloc(0);
    void *b = row.object.malloc(0);
    row.object.free(a);
    row.object.free(b);
}

static void test_impossible_sizes_are_null(void **state)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 4096, (size_t)PTRDIFF_MAX + 1};

    (void)state;
    NEEDS(ALLOCATOR_MALLOC);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        volatile size_t size = sizes[i];
        errno = 0;
        sink = row.object.malloc(size);
        assert_null(sink);
    }
}

static void test_usable_size_covers_the_request(void **state)
{
    (void)state;
    NEEDS(ALLOCATOR_USABLE_SIZE);
    for (size_t size = 1; size < 100000; size = size * 2 + 1) {
        void *block = row.object.malloc(size);
        assert_true(row.object.usable_size(block) >= size);
        row.object.free(block);
    }
}

enum { SHADOW_BLOCKS = 2000, SHADOW_STEPS = 60000 };

struct shadow {
    unsigned char *block;
    size_t size;
    unsigned char mark;
};

static uint64_t random_state = 12345;

static size_t random_below(size_t bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(random_state >> 33) % bound;
}

/* An overlap shows as a byte that another block has written. */
static void check_shadow(const struct shadow *shadow)
{
    for (size_t i = 0; i < shadow->size; i++)
        assert_int_equal(shadow->block[i], shadow->mark);
}

static void test_live_blocks_never_overlap(void **state)
{
    static struct shadow shadows[SHADOW_BLOCKS];

    (void)state;
    NEEDS(ALLOCATOR_MALLOC | ALLOCATOR_FREE | ALLOCATOR_DISTINCT);
    for (int step = 0; step < SHADOW_STEPS; step++) {
        struct shadow *shadow = &shadows[random_below(SHADOW_BLOCKS)];
        if (shadow->block) {
            check_shadow(shadow);
            row.object.free(shadow->block);
            shadow->block = NULL;
            continue;
        }
        shadow->size = 1 + random_below(random_below(20) == 0 ? 9000 : 600);
        shadow->mark = (unsigned char)random_below(256);
        shadow->block = row.object.malloc(shadow->size);
        assert_non_null(shadow->block);
        memset(shadow->block, shadow->mark, shadow->size);
    }
    for (size_t i = 0; i < SHADOW_BLOCKS; i++) {
        if (!shadows[i].block)
            continue;
        check_shadow(&shadows[i]);
        row.object.free(shadows[i].block);
        shadows[i].block = NULL;
    }
}

/*
 * Threads. Each makes, resizes and frees blocks of its own and trades some for those of others, so
 * that blocks are freed by another thread than made them. Each block says what it is: whoever frees
 * it looks.
 */
enum {
    THREADS = 4,
    THREAD_BLOCKS = 6000, /* some 2 MB of a thread */
    TIDES = 6,            /* blocks become more, then fewer: memory is mapped and given back */
    TIDE_STEPS = 20000,
    TRADED_BLOCKS = 64,
};

/* At the start of each block; every byte behind it is the lowest one of `size`. */
struct cookie {
    size_t size;
    uintptr_t address;
};

static struct cookie *_Atomic traded[TRADED_BLOCKS];
static atomic_size_t spoilt_blocks, failed_calls;
static pthread_barrier_t low_tide;

/*
 * ThreadSanitizer does not see how a library that was built without it hands memory from one thread
 * to another: it is told that it does. What is compiled here it sees, and gets no help.
 */
#ifdef __SANITIZE_THREAD__
static char unseen;

static int is_unseen(void)
{
    return row.raw_allocator->soname != NULL || (raw_name && strchr(raw_name, '/')) ||
           strchr(object_name, '/');
}

static void before_free(void)
{
    if (is_unseen())
        __tsan_release(&unseen);
}

static void after_malloc(void)
{
    if (is_unseen())
        __tsan_acquire(&unseen);
}
#else
static void before_free(void)
{
}

static void after_malloc(void)
{
}
#endif

static size_t next_below(uint64_t *random, size_t bound)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(*random >> 33) % bound;
}

/* Mostly pooled, some raw. */
static size_t next_size(uint64_t *random)
{
    return sizeof(struct cookie) + next_below(random, next_below(random, 16) == 0 ? 9000 : 496);
}

/* Fills the block behind the cookie, too: an overlap shows wherever it lies. */
static struct cookie *mark(struct cookie *block, size_t size)
{
    block->size = size;
    block->address = (uintptr_t)block;
    memset(block + 1, (unsigned char)size, size - sizeof *block);
    return block;
}

/* Whether the first `kept` bytes are those of a block that was marked at `address`. */
static int is_whole(const struct cookie *block, uintptr_t address, size_t kept)
{
    const unsigned char *bytes = (const unsigned char *)block;

    for (size_t i = sizeof *block; i < kept; i++) {
        if (bytes[i] != (unsigned char)block->size)
            return 0;
    }
    return block->address == address;
}

static struct cookie *make_block(uint64_t *random)
{
    size_t size = next_size(random);
    struct cookie *block = row.object.malloc(size);

    if (!block) {
        atomic_fetch_add(&failed_calls, 1);
        return NULL;
    }
    after_malloc();
    return mark(block, size);
}

static void drop_block(struct cookie *block)
{
    if (block) {
        if (!is_whole(block, (uintptr_t)block, block->size))
            atomic_fetch_add(&spoilt_blocks, 1);
    }
    before_free();
    row.object.free(block);
}

static struct cookie *resize_block(struct cookie *block, uint64_t *random)
{
    uintptr_t address = (uintptr_t)block;
    size_t size = next_size(random);
    size_t kept = block->size < size ? block->size : size;

    before_free();
    struct cookie *moved = row.object.realloc(block, size);
    if (!moved) {
        atomic_fetch_add(&failed_calls, 1);
        return block;
    }
    after_malloc();
    if (!is_whole(moved, address, kept))
        atomic_fetch_add(&spoilt_blocks, 1);
    return mark(moved, size);
}

static void rise(struct cookie **block, uint64_t *random)
{
    size_t action = next_below(random, 8);

    if (!*block) {
        *block = make_block(random);
    } else if (action == 0 && row.object.realloc) {
        *block = resize_block(*block, random);
    } else if (action == 1) {
        *block = atomic_exchange(&traded[next_below(random, TRADED_BLOCKS)], *block);
    } else if (action == 2) {
        drop_block(*block);
        *block = NULL;
    }
}

/* All that this thread has, and a block of another's for each. */
static void ebb(struct cookie **blocks)
{
    for (size_t i = 0; i < THREAD_BLOCKS; i++) {
        drop_block(blocks[i]);
        blocks[i] = NULL;
        drop_block(atomic_exchange(&traded[i % TRADED_BLOCKS], NULL));
    }
}

static void *churn(void *seed)
{
    struct cookie *blocks[THREAD_BLOCKS] = {NULL};
    uint64_t random = (uintptr_t)seed * 7919;

    for (int tide = 0; tide < TIDES; tide++) {
        pthread_barrier_wait(&low_tide);
        for (int step = 0; step < TIDE_STEPS; step++)
            rise(&blocks[next_below(&random, THREAD_BLOCKS)], &random);
        ebb(blocks);
    }
    return NULL;
}

static void test_threads_may_call_at_once_and_free_each_other_s_blocks(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    NEEDS(ALLOCATOR_MALLOC | ALLOCATOR_FREE | ALLOCATOR_DISTINCT | ALLOCATOR_THREADS);
    if (!(row.raw_allocator->capabilities & ALLOCATOR_THREADS))
        return;
    assert_int_equal(pthread_barrier_init(&low_tide, NULL, THREADS), 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < TRADED_BLOCKS; i++)
        drop_block(traded[i]);
    assert_int_equal(spoilt_blocks, 0);
    assert_int_equal(failed_calls, 0);
}

static void test_purge_may_come_at_any_time(void **state)
{
    (void)state;
    NEEDS(ALLOCATOR_PURGE);
    unsigned char *kept = row.object.malloc(100);
    memset(kept, 7, 100);
    assert_int_equal(row.object.purge(), 0);
    sink = row.object.malloc(5000);
    row.object.free(sink);
    assert_int_equal(row.object.purge(), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(kept[i], 7);
    row.object.free(kept);
}

static void test_regions_give_distinct_aligned_blocks(void **state)
{
    unsigned char *blocks[300];

    (void)state;
    NEEDS(ALLOCATOR_REGIONS);
    void *region = row.object.region_create();
    assert_non_null(region);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 300; i++) {
            blocks[i] = row.object.region_alloc(region, 1 + i * 40, (size_t)16 << (i % 5));
            assert_non_null(blocks[i]);
            assert_int_equal((uintptr_t)blocks[i] % ((size_t)16 << (i % 5)), 0);
            memset(blocks[i], (int)i & 0xff, 1 + i * 40);
        }
        for (size_t i = 0; i < 300; i++) {
            for (size_t j = 0; j < 1 + i * 40; j++)
                assert_int_equal(blocks[i][j], i & 0xff);
        }
        row.object.region_reset(region);
    }
    assert_null(row.object.region_alloc(region, SIZE_MAX - 8, 16));
    assert_null(row.object.region_alloc(region, PTRDIFF_MAX, 16));
    row.object.region_destroy(region);
}

/* A census, as it is told: the sums of its pools, which its classes and figures have to be. */
static struct census {
    uint64_t arena_bytes, pool_bytes, header_bytes, arenas_current, pools_unused, allocated_bytes;
    uint64_t class_pools, class_in_use, class_bytes;
    uint64_t arenas, pools, pools_in_use, free_pools, in_use, in_use_bytes;
    uintptr_t base;
    size_t block_bytes; /* of the last class */
} census;

static void take_figure(void *context, const char *name, uint64_t value)
{
    const struct {
        const char *name;
        uint64_t *field;
    } figures[] = {
        {"arena_bytes", &census.arena_bytes},        {"pool_bytes", &census.pool_bytes},
        {"pool_header_bytes", &census.header_bytes}, {"arenas_current", &census.arenas_current},
        {"pools_unused", &census.pools_unused},      {"allocated_bytes", &census.allocated_bytes},
    };

    assert_ptr_equal(context, &census);
    assert_int_equal(census.class_pools + census.arenas, 0);
    assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name));
    assert_true(strlen(name) < 32 && value <= INT64_MAX);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        if (strcmp(name, figures[i].name) == 0)
            *figures[i].field = value;
    }
}

static void take_class(void *context, size_t block_bytes, size_t pools, size_t blocks_in_use,
                       size_t blocks_available)
{
    assert_ptr_equal(context, &census);
    assert_int_equal(census.arenas, 0);
    assert_true(block_bytes > census.block_bytes && pools > 0);
    assert_int_equal(blocks_in_use + blocks_available,
                     pools * ((census.pool_bytes - census.header_bytes) / block_bytes));
    census.block_bytes = block_bytes;
    census.class_pools += pools;
    census.class_in_use += blocks_in_use;
    census.class_bytes += blocks_in_use * block_bytes;
}

static void take_arena(void *context, uintptr_t base)
{
    assert_ptr_equal(context, &census);
    assert_true(census.arenas == 0 || base >= census.base + census.arena_bytes);
    census.base = base;
    census.arenas++;
}

static void take_pool(void *context, size_t block_bytes, size_t blocks_in_use)
{
    assert_ptr_equal(context, &census);
    assert_true(census.arenas > 0);
    assert_int_equal(block_bytes == 0, blocks_in_use == 0);
    census.pools++;
    census.free_pools += block_bytes == 0;
    census.pools_in_use += block_bytes != 0;
    census.in_use += blocks_in_use;
    census.in_use_bytes += blocks_in_use * block_bytes;
}

static void count_census(void)
{
    static const struct allocator_census counter = {&census, take_figure, take_class, take_arena,
                                                    take_pool};

    memset(&census, 0, sizeof census);
    row.object.census(&counter);
    assert_true(census.pool_bytes > 0 && census.arena_bytes >= census.pool_bytes);
    assert_int_equal(census.class_pools, census.pools_in_use);
    assert_int_equal(census.class_in_use, census.in_use);
    assert_int_equal(census.class_bytes, census.in_use_bytes);
    assert_int_equal(census.allocated_bytes, census.in_use_bytes);
    assert_int_equal(census.arenas_current, census.arenas);
    assert_int_equal(census.pools_unused, census.free_pools);
}

static void test_a_census_adds_up_and_sees_every_block(void **state)
{
    enum { BLOCKS = 30000, BLOCK_BYTES = 100 };
    static void *blocks[BLOCKS];

    (void)state;
    NEEDS(ALLOCATOR_CENSUS | ALLOCATOR_MALLOC | ALLOCATOR_FREE | ALLOCATOR_DISTINCT);
    count_census();
    uint64_t before = census.in_use;
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = row.object.malloc(BLOCK_BYTES);
        assert_non_null(blocks[i]);
    }
    count_census();
    assert_int_equal(census.in_use, before + BLOCKS);
    for (size_t i = 1; i < BLOCKS; i += 2)
        row.object.free(blocks[i]);
    count_census();
    assert_int_equal(census.in_use, before + BLOCKS / 2);
    for (size_t i = 0; i < BLOCKS; i += 2)
        row.object.free(blocks[i]);
    count_census();
    assert_int_equal(census.in_use, before);
}

/* Who served: the file, the process's own malloc, the libraries that are loaded. */

static int ends_in(const char *path, const char *name)
{
    const char *base = strrchr(path, '/');

    return strncmp(base ? base + 1 : path, name, strlen(name)) == 0;
}

/* The file that serves the process's own malloc. */
#ifdef TIDEMARK_SANITIZED
#define PROCESS_MALLOC "lib" /* libasan, libtsan: the sanitizer's */
#else
#define PROCESS_MALLOC "libc.so.6"
#endif

/* `name` is the allocator as it was asked for. */
static void check_provider(const struct allocator *allocator, const char *name,
                           const char *provider)
{
    if (strchr(name, '/'))
        assert_string_equal(strrchr(provider, '/'), strrchr(name, '/'));
    else if (allocator->soname)
        assert_true(ends_in(provider, allocator->soname));
    else if (strcmp(allocator->name, "glibc") == 0)
        assert_true(ends_in(provider, PROCESS_MALLOC));
    else
        assert_string_equal(provider, "contract_test");
}

static void test_own_file_serves_the_row(void **state)
{
    int is_composed = row.raw_allocator != row.object_allocator;

    (void)state;
    check_provider(row.object_allocator, object_name, row.object_provider);
    check_provider(row.raw_allocator,
                   raw_name      ? raw_name
                   : is_composed ? "glibc"
                                 : object_name,
                   row.raw_provider);
}

static int count_foreign(struct dl_phdr_info *info, size_t size, void *data)
{
    int *foreign = data;

    (void)size;
    for (size_t i = 0; i < allocator_registry_count; i++) {
        const struct allocator *other = allocator_registry[i];
        if (other->soname && ends_in(info->dlpi_name, other->soname) &&
            strcmp(info->dlpi_name, row.object_provider) != 0 &&
            strcmp(info->dlpi_name, row.raw_provider) != 0)
            (*foreign)++;
    }
    return 0;
}

static void test_no_other_malloc_is_loaded(void **state)
{
    int foreign = 0;

    (void)state;
    dl_iterate_phdr(count_foreign, &foreign);
    assert_int_equal(foreign, 0);
}

#ifdef TIDEMARK_SANITIZED

/* The sanitizer serves the process's malloc: what glibc would have served cannot be seen. */
static void not_under_a_sanitizer(void **state)
{
    (void)state;
    print_message("not run: -fsanitize=%s serves malloc itself\n", TIDEMARK_SANITIZED);
    skip();
}

#define test_glibc_serves_only_its_own_rows           not_under_a_sanitizer
#define test_large_blocks_of_a_pool_come_from_beneath not_under_a_sanitizer

#else

/* Bytes that glibc's malloc has given out in this process. */
static size_t glibc_in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

enum { SERVED_BLOCKS = 1000, SERVED_BYTES = 400, ALL_SERVED_BYTES = SERVED_BLOCKS * SERVED_BYTES };

static size_t glibc_growth(const struct allocator_ops *ops)
{
    static void *blocks[SERVED_BLOCKS];
    size_t before = glibc_in_use();

    for (size_t i = 0; i < SERVED_BLOCKS; i++) {
        blocks[i] = ops->malloc(SERVED_BYTES);
        assert_non_null(blocks[i]);
    }
    size_t after = glibc_in_use();
    for (size_t i = 0; i < SERVED_BLOCKS; i++)
        ops->free(blocks[i]);
    return after - before;
}

static void test_glibc_serves_only_its_own_rows(void **state)
{
    int object_is_glibc = strcmp(row.object_allocator->name, "glibc") == 0;
    int raw_is_glibc = strcmp(row.raw_allocator->name, "glibc") == 0;

    (void)state;
    if (row.object.malloc) {
        size_t growth = glibc_growth(&row.object);
        if (object_is_glibc)
            assert_true(growth >= ALL_SERVED_BYTES);
        else /* arena bookkeeping of pymalloc over glibc is its raw allocator's, and small */
            assert_true(growth < (raw_is_glibc ? 65536 : 1));
    }
    if (row.raw.malloc) {
        size_t growth = glibc_growth(&row.raw);
        assert_true(raw_is_glibc ? growth >= ALL_SERVED_BYTES : growth == 0);
    }
}

static void test_large_blocks_of_a_pool_come_from_beneath(void **state)
{
    (void)state;
    if (row.object_allocator->family != ALLOCATOR_POOL ||
        strcmp(row.raw_allocator->name, "glibc") != 0)
        return;
    size_t before = glibc_in_use();
    sink = row.object.malloc(100000);
    assert_true(glibc_in_use() - before >= 100000);
    row.object.free(sink);
}

#endif

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flags_and_functions_agree),
        cmocka_unit_test(test_a_census_is_promised_where_it_is),
        cmocka_unit_test(test_describes_itself),
        cmocka_unit_test(test_blocks_are_aligned),
        cmocka_unit_test(test_aligned_alloc_aligns),
        cmocka_unit_test(test_calloc_zeroes_a_used_block),
        cmocka_unit_test(test_calloc_refuses_overflow),
        cmocka_unit_test(test_realloc_keeps_content),
        cmocka_unit_test(test_free_of_null_does_nothing),
        cmocka_unit_test(test_size_zero_can_be_freed),
        cmocka_unit_test(test_impossible_sizes_are_null),
        cmocka_unit_test(test_usable_size_covers_the_request),
        cmocka_unit_test(test_live_blocks_never_overlap),
        cmocka_unit_test(test_threads_may_call_at_once_and_free_each_other_s_blocks),
        cmocka_unit_test(test_purge_may_come_at_any_time),
        cmocka_unit_test(test_regions_give_distinct_aligned_blocks),
        cmocka_unit_test(test_a_census_adds_up_and_sees_every_block),
        cmocka_unit_test(test_own_file_serves_the_row),
        cmocka_unit_test(test_no_other_malloc_is_loaded),
        cmocka_unit_test(test_glibc_serves_only_its_own_rows),
        cmocka_unit_test(test_large_blocks_of_a_pool_come_from_beneath),
    };

    if (argc < 2) {
        fprintf(stderr, "usage: contract_test OBJECT [RAW]\n");
        return 2;
    }
    object_name = argv[1];
    raw_name = argc > 2 ? argv[2] : NULL;
    if (open_row(&row, object_name, raw_name, reason) != 0) {
        fprintf(stderr, "%s cannot be opened: %s\n", object_name, reason);
        return 1;
    }
    return cmocka_run_group_tests_name(raw_name ? raw_name : object_name, tests, NULL, NULL);
}
