/* What doctor makes of what it reads: settings, groups, bounds, spreads. Leaves out the machine,
 * which differs: tests/cli_test.py asks for its checks, not for their figures. */
#include "harness/cgroup.h"
#include "harness/doctor.h"
#include "harness/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_a_check_that_is_ok_has_no_advice(void **state)
{
    static struct doctor doctor;

    (void)state;
    doctor.count = 0;
    doctor_add(&doctor, DOCTOR_OK, "cores", "Do this.", "%d may be used", 2);
    doctor_add(&doctor, DOCTOR_WARN, "memory", "Do that.", "little");
    assert_int_equal(doctor.count, 2);
    assert_string_equal(doctor.checks[0].finding, "2 may be used");
    assert_string_equal(doctor.checks[0].advice, "");
    assert_string_equal(doctor.checks[1].advice, "Do that.");
    assert_int_equal(doctor_count(&doctor, DOCTOR_WARN), 1);
    assert_int_equal(doctor_count(&doctor, DOCTOR_FAIL), 0);
}

static void test_text_that_is_too_long_is_cut(void **state)
{
    static struct doctor doctor;
    char text[2 * DOCTOR_TEXT_BYTES];

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    doctor.count = 0;
    doctor_add(&doctor, DOCTOR_FAIL, text, text, "%s", text);
    assert_int_equal(strlen(doctor.checks[0].name), DOCTOR_NAME_BYTES - 1);
    assert_int_equal(strlen(doctor.checks[0].finding), DOCTOR_TEXT_BYTES - 1);
    assert_int_equal(strlen(doctor.checks[0].advice), DOCTOR_TEXT_BYTES - 1);
}

static void test_every_status_has_its_name(void **state)
{
    (void)state;
    assert_string_equal(doctor_status_name(DOCTOR_OK), "ok");
    assert_string_equal(doctor_status_name(DOCTOR_WARN), "warn");
    assert_string_equal(doctor_status_name(DOCTOR_FAIL), "fail");
    assert_string_equal(doctor_status_name(DOCTOR_NOT_AVAILABLE), "n/a");
}

static void test_a_clock_is_ok_when_known_and_quick(void **state)
{
    (void)state;
    assert_int_equal(doctor_judge_clock("tsc", 20), DOCTOR_OK);
    assert_int_equal(doctor_judge_clock("kvm-clock", 100), DOCTOR_OK);
    assert_int_equal(doctor_judge_clock("arch_sys_counter", 5), DOCTOR_OK);
    assert_int_equal(doctor_judge_clock("tsc", 101), DOCTOR_WARN);
    assert_int_equal(doctor_judge_clock("hpet", 20), DOCTOR_WARN);
    assert_int_equal(doctor_judge_clock("tsc-early", 20), DOCTOR_WARN);
}

static void test_the_word_in_brackets_is_the_setting(void **state)
{
    char word[32];

    (void)state;
    assert_string_equal(text_in_brackets("always [madvise] never", word, sizeof word), "madvise");
    assert_string_equal(text_in_brackets("[always] madvise never", word, sizeof word), "always");
    assert_string_equal(text_in_brackets("never", word, sizeof word), "never");
    assert_string_equal(text_in_brackets("always [never", word, sizeof word), "always [never");
}

static void test_the_memory_group_is_found_in_both_versions(void **state)
{
    char group[64] = "untouched";

    (void)state;
    assert_int_equal(cgroup_of_line("3:cpuset:/a\n", group, sizeof group), 0);
    assert_int_equal(cgroup_of_line("1:name=memory:/a\n", group, sizeof group), 0);
    assert_int_equal(cgroup_of_line("4:memory2,mem:/a\n", group, sizeof group), 0);
    assert_int_equal(cgroup_of_line("no line of it", group, sizeof group), 0);
    assert_string_equal(group, "untouched");
    assert_int_equal(cgroup_of_line("4:memory:/a/b\n", group, sizeof group), 1);
    assert_string_equal(group, "/a/b");
    assert_int_equal(cgroup_of_line("4:cpu,memory:/a:c\n", group, sizeof group), 1);
    assert_string_equal(group, "/a:c");
    assert_int_equal(cgroup_of_line("0::/user.slice\n", group, sizeof group), 2);
    assert_string_equal(group, "/user.slice");
}

static void test_the_bound_of_statm_follows_the_kernel(void **state)
{
    (void)state;
    assert_int_equal(doctor_statm_bound_pages(5, 10, 64), 65);
    assert_int_equal(doctor_statm_bound_pages(6, 1, 2), 65);
    assert_int_equal(doctor_statm_bound_pages(6, 2, 1), 32);
    assert_int_equal(doctor_statm_bound_pages(6, 18, 2), 64);
    assert_int_equal(doctor_statm_bound_pages(6, 18, 16), 512);
    assert_int_equal(doctor_statm_bound_pages(7, 0, 64), 64 * 128);
}

static void test_spread_is_the_largest_over_the_median(void **state)
{
    double one[] = {7};
    double some[] = {30, 10, 20};
    double even[] = {10, 26, 10, 20};

    (void)state;
    assert_true(doctor_spread(one, 1).largest_ratio == 1);
    struct doctor_spread spread = doctor_spread(some, 3);
    assert_true(spread.median == 20);
    assert_true(spread.largest_ratio == 1.5);
    spread = doctor_spread(even, 4);
    assert_true(spread.median == 15);
    assert_true(spread.largest_ratio == 26.0 / 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_check_that_is_ok_has_no_advice),
        cmocka_unit_test(test_text_that_is_too_long_is_cut),
        cmocka_unit_test(test_every_status_has_its_name),
        cmocka_unit_test(test_a_clock_is_ok_when_known_and_quick),
        cmocka_unit_test(test_the_word_in_brackets_is_the_setting),
        cmocka_unit_test(test_the_memory_group_is_found_in_both_versions),
        cmocka_unit_test(test_the_bound_of_statm_follows_the_kernel),
        cmocka_unit_test(test_spread_is_the_largest_over_the_median),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
