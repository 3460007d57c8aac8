/*
 * The map from an address to "in an arena or not", on addresses that nothing is mapped at. Leaves
 * out who asks it (pymalloc_test.c). What it models: the radix tree of CPython 3.11
 * Objects/obmalloc.c, whose arenas need not be aligned.
 */
#include "allocators/pymalloc/address_map.h"
#include "allocators/pymalloc/geometry.h"
#include "tests/counting_allocator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

enum { PAGE_BYTES = 4096 };

static struct address_map map;

static int open_map(void **state)
{
    (void)state;
    memset(&raw_log, 0, sizeof(raw_log));
    map = (struct address_map){.raw = &raw};
    return 0;
}

static int close_map(void **state)
{
    (void)state;
    raw_log.fail = false;
    address_map_clear(&map);
    return raw_log.live == 0 ? 0 : -1;
}

static void assert_covers_exactly(uintptr_t base)
{
    assert_false(address_map_contains(&map, base - 1));
    assert_true(address_map_contains(&map, base));
    assert_true(address_map_contains(&map, base + ARENA_BYTES / 2));
    assert_true(address_map_contains(&map, base + ARENA_BYTES - 1));
    assert_false(address_map_contains(&map, base + ARENA_BYTES));
}

static const uintptr_t slot_bytes = ARENA_BYTES;
static const uintptr_t bottom_bytes = (uintptr_t)ARENA_BYTES << ADDRESS_MAP_BOTTOM_BITS;
static const uintptr_t mid_bytes = (uintptr_t)ARENA_BYTES
                                   << (ADDRESS_MAP_BOTTOM_BITS + ADDRESS_MAP_INNER_BITS);

static void the_map_covers_an_arena_to_the_byte(void **state)
{
    (void)state;
    const uintptr_t bases[] = {
        5 * slot_bytes,                         /* aligned */
        5 * slot_bytes + PAGE_BYTES,            /* across two slots */
        6 * slot_bytes - PAGE_BYTES,            /* almost all in the second */
        bottom_bytes - slot_bytes,              /* the last slot of a node */
        bottom_bytes - PAGE_BYTES,              /* across two bottom nodes */
        mid_bytes - PAGE_BYTES,                 /* across two mid nodes */
        (uintptr_t)0x7fff00000000 + PAGE_BYTES, /* where Linux maps */
        UINTPTR_MAX - 3 * slot_bytes + 1,       /* near the upper end */
    };

    for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
        assert_int_equal(address_map_add(&map, bases[i]), 0);
        assert_covers_exactly(bases[i]);
        address_map_remove(&map, bases[i]);
        assert_false(address_map_contains(&map, bases[i]));
        assert_false(address_map_contains(&map, bases[i] + ARENA_BYTES - 1));
    }
}

static void neighbours_in_one_slot_do_not_touch_each_other(void **state)
{
    (void)state;
    uintptr_t low = 9 * slot_bytes + PAGE_BYTES;
    uintptr_t high =
        low + ARENA_BYTES + PAGE_BYTES; /* a gap of one page between them, in one slot */
    assert_int_equal(address_map_add(&map, low), 0);
    assert_int_equal(address_map_add(&map, high), 0);
    assert_covers_exactly(low);
    assert_covers_exactly(high);
    address_map_remove(&map, low);
    assert_false(address_map_contains(&map, high - (size_t)2 * PAGE_BYTES));
    assert_covers_exactly(high);
    assert_int_equal(address_map_add(&map, low), 0);
    address_map_remove(&map, high);
    assert_covers_exactly(low);
}

static void an_empty_map_contains_nothing(void **state)
{
    (void)state;
    assert_false(address_map_contains(&map, 0));
    assert_false(address_map_contains(&map, UINTPTR_MAX));
    assert_false(address_map_contains(&map, (uintptr_t)&map));
}

static void the_map_takes_nodes_only_where_an_arena_reaches(void **state)
{
    (void)state;
    assert_int_equal(address_map_add(&map, bottom_bytes - slot_bytes), 0);
    assert_int_equal(map.mid_nodes, 1);
    assert_int_equal(map.bottom_nodes, 1);
    assert_int_equal(address_map_add(&map, 2 * bottom_bytes - PAGE_BYTES), 0);
    assert_int_equal(map.bottom_nodes, 3);
    assert_int_equal(address_map_add(&map, mid_bytes - PAGE_BYTES), 0);
    assert_int_equal(map.mid_nodes, 2);
    assert_int_equal(map.bottom_nodes, 5);
}

static void an_arena_that_finds_no_node_is_not_marked(void **state)
{
    (void)state;
    uintptr_t across = bottom_bytes - PAGE_BYTES;
    raw_log.fail = true;
    assert_true(address_map_add(&map, across) < 0);
    assert_false(address_map_contains(&map, across));

    raw_log.fail = false; /* the first half of the way exists, the second does not */
    assert_int_equal(address_map_add(&map, across - slot_bytes), 0);
    raw_log.fail = true;
    assert_true(address_map_add(&map, across) < 0);
    assert_false(address_map_contains(&map, across));
    assert_false(address_map_contains(&map, across + PAGE_BYTES));
}

#define MAP_TEST(test) cmocka_unit_test_setup_teardown(test, open_map, close_map)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAP_TEST(the_map_covers_an_arena_to_the_byte),
        MAP_TEST(neighbours_in_one_slot_do_not_touch_each_other),
        MAP_TEST(an_empty_map_contains_nothing),
        MAP_TEST(the_map_takes_nodes_only_where_an_arena_reaches),
        MAP_TEST(an_arena_that_finds_no_node_is_not_marked),
    };
    return cmocka_run_group_tests_name("address_map", tests, NULL, NULL);
}
