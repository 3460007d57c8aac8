/* The shared page: its layout is a contract with children in other languages
 * (workloads/python/tidemark_host.py). */
#include "harness/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_offsets_are_those_that_python_writes_to(void **state)
{
    (void)state;
    assert_int_equal(offsetof(struct page, gauge.object_bytes), 0);
    assert_int_equal(offsetof(struct page, gauge.live_bytes), 8);
    assert_int_equal(offsetof(struct page, gauge.operations), 16);
    assert_int_equal(offsetof(struct page, gauge.frees), 24);
    assert_int_equal(offsetof(struct page, gauge.checksum), 32);
    assert_int_equal(offsetof(struct page, gauge.phase), 40);
    assert_int_equal(offsetof(struct page, gauge.parked), 44);
    assert_int_equal(offsetof(struct page, layout), 64);
    assert_int_equal(offsetof(struct page, status), 68);
    assert_int_equal(offsetof(struct page, phase_count), 72);
    assert_int_equal(offsetof(struct page, version), 80);
    assert_int_equal(offsetof(struct page, reason), 80 + 3 * 192);
    assert_int_equal(offsetof(struct page, phases), 80 + 4 * 192);
    assert_int_equal(sizeof(struct page_phase), 112);
    assert_int_equal(offsetof(struct page_phase, begin_ns), 24);
    assert_int_equal(offsetof(struct page_phase, freed), 104);
}

static void test_the_gauge_has_a_cache_line_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct workload_gauge), 64);
    assert_int_equal(_Alignof(struct workload_gauge), 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets_are_those_that_python_writes_to),
        cmocka_unit_test(test_the_gauge_has_a_cache_line_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
