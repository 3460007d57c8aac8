/*
 * pymalloc against the real one: the same operations to ours and to libpython 3.11's; every block
 * must lie at the same place, and every arena and table come and go at the same operation. Leaves
 * out speed, what a rule is for (pymalloc_test.c), and how the two are kept in step
 * (pymalloc_oracle.h). Not run without libpython3.11.so.1.0; with CI set, that is a failure.
 */
#include "tests/pymalloc_oracle.h"

#include "allocators/pymalloc/geometry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

/* --- Patterns. --- */

#ifdef TIDEMARK_SANITIZED
enum { OPERATIONS_PER_PATTERN = 100000, POPULATION = 20001 };
#else
enum { OPERATIONS_PER_PATTERN = 600000, POPULATION = 100001 };
#endif
enum { LIVE_MAX = 1 << 17, WAVES = 5 };

/* A queue in a ring, whose back is also a stack and from whose middle one can be drawn. */
static struct {
    struct twin twins[LIVE_MAX];
    size_t head;
    size_t count;
} live;

static uint64_t random_state = 0x2545f4914f6cdd1du;

/* xorshift64 (Marsaglia 2003). */
static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static bool chance(unsigned percent)
{
    return next_random() % 100 < percent;
}

static struct twin *live_at(size_t index)
{
    return &live.twins[(live.head + index) % LIVE_MAX];
}

enum order { RANDOM, LIFO, FIFO };

/* Takes one out, in the order asked for. */
static struct twin remove_live(enum order order)
{
    struct twin *chosen = live_at(order == FIFO   ? 0
                                  : order == LIFO ? live.count - 1
                                                  : next_random() % live.count);
    struct twin twin = *chosen;

    if (order == FIFO)
        live.head = (live.head + 1) % LIVE_MAX;
    else
        *chosen = *live_at(live.count - 1);
    live.count--;
    return twin;
}

/* Mostly pooled, at times of one class, at times 0, on the threshold, or large. */
static size_t random_size(void)
{
    if (chance(2))
        return next_random() % 4000;
    if (chance(2))
        return 510 + next_random() % 5;
    return chance(30) ? 64 : 1 + next_random() % SMALL_REQUEST_MAX;
}

static void grow(void)
{
    struct twin *twin = live_at(live.count);

    if (live.count == LIVE_MAX)
        return;
    if (chance(10))
        twin_calloc(twin, random_size());
    else
        twin_malloc(twin, random_size());
    live.count++;
}

static void shrink(enum order order)
{
    if (live.count == 0)
        return;
    struct twin twin = remove_live(order);
    twin_free(&twin);
}

static void resize(void)
{
    if (live.count == 0)
        return;
    struct twin *twin = live_at(next_random() % live.count);
    twin_realloc(twin, chance(50) ? random_size() : twin->size + next_random() % 33);
}

struct pattern {
    enum order order;
    unsigned
        up_percent; /* of operations that allocate while the wave rises, and free while it falls */
    unsigned realloc_percent; /* of all operations */
};

/* Rises for half of each wave and falls for the other; then frees all. */
static void run(struct pattern pattern)
{
    const uint64_t half_wave = OPERATIONS_PER_PATTERN / WAVES / 2;

    oracle_need();
    for (uint64_t i = 0; i < OPERATIONS_PER_PATTERN; i++) {
        bool rising = i / half_wave % 2 == 0;
        if (chance(pattern.realloc_percent))
            resize();
        else if (chance(pattern.up_percent) == rising)
            grow();
        else
            shrink(pattern.order);
        if (i % half_wave == half_wave - 1)
            oracle_assert_same_statistics();
    }
    while (live.count > 0)
        shrink(pattern.order);
    oracle_assert_same_statistics();
}

static void random_frees_match(void **state)
{
    (void)state;
    run((struct pattern){RANDOM, 65, 15});
}

static void lifo_frees_match(void **state)
{
    (void)state;
    run((struct pattern){LIFO, 80, 0});
}

static void fifo_frees_match(void **state)
{
    (void)state;
    run((struct pattern){FIFO, 80, 0});
}

/* All up, all down: arenas become full and empty again and again. */
static void sawtooth_matches(void **state)
{
    (void)state;
    run((struct pattern){RANDOM, 100, 0});
}

static void reallocs_match(void **state)
{
    (void)state;
    run((struct pattern){RANDOM, 90, 60});
}

/* Large enough to take the vector of arenas past its first doubling. */
static void large_populations_match(void **state)
{
    (void)state;
    oracle_need();
    for (size_t size = 32; size <= SMALL_REQUEST_MAX; size += 160) {
        for (size_t i = 0; i < POPULATION; i++)
            twin_malloc(live_at(live.count++), size);
        oracle_assert_same_statistics();
        while (live.count > POPULATION / 2)
            shrink(RANDOM);
        oracle_assert_same_statistics();
        while (live.count > 0)
            shrink(chance(50) ? FIFO : RANDOM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_SKEW(random_frees_match), ON_EVERY_SKEW(lifo_frees_match),
        ON_EVERY_SKEW(fifo_frees_match),   ON_EVERY_SKEW(sawtooth_matches),
        ON_EVERY_SKEW(reallocs_match),     ON_EVERY_SKEW(large_populations_match),
    };
    return cmocka_run_group_tests_name("pymalloc_oracle", tests, oracle_open, oracle_close);
}
