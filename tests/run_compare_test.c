/* Two machine.json are compared field by field, and a version that a row loads is kept beside
 * another one. Leaves out where they come from, and the refusal (resume_test.py). */
#include "harness/machine.h"
#include "harness/run_compare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char text[2048];
static struct cell cells[2];
static const struct plan plan = {.cells = cells, .cell_count = 2};

static int set_up(void **state)
{
    (void)state;
    text[0] = '\0';
    cells[0] = (struct cell){.host.text = "objects", .row.text = "glibc"};
    cells[1] = (struct cell){.host.text = "python3", .row.text = "pymalloc"};
    return 0;
}

static json_t *machine(void)
{
    return json_pack("{s:s, s:{s:s, s:s}, s:s, s:n, s:i, s:{s:{s:s}}, s:{s:s}}", "plan", "01234567",
                     "programs", "tidemark", "aaaaaaaa", "tidemark-child", "bbbbbbbb", "kernel",
                     "Linux 6.1", "cpu", "cores", 2, "python", "python3", "version",
                     "CPython 3.11.2", "libraries", "glibc", "glibc 2.36");
}

/* Compares the machine with itself after `change`; returns how many differences. */
static size_t differences(void (*change)(json_t *then))
{
    json_t *then = machine(), *now = machine();

    change(then);
    size_t count = run_compare(&plan, then, now, text, sizeof text);
    json_decref(then);
    json_decref(now);
    return count;
}

static void change_nothing(json_t *then)
{
    (void)then;
}

static void test_the_same_machine_does_not_differ(void **state)
{
    (void)state;
    assert_int_equal(differences(change_nothing), 0);
    assert_string_equal(text, "");
}

static void change_programs(json_t *then)
{
    json_t *programs = json_object_get(then, "programs");

    json_object_set_new(programs, "tidemark-child", json_string("00000000"));
    json_object_set_new(programs, "gone\x1b.py", json_string("cccccccc"));
    json_object_del(programs, "tidemark");
}

static void test_each_program_that_differs_is_a_line(void **state)
{
    (void)state;
    assert_int_equal(differences(change_programs), 3);
    assert_non_null(strstr(text, "\n  the programs have changed since: the CRC-32 of tidemark was "
                                 "not known, and is \"aaaaaaaa\" now"));
    assert_non_null(strstr(text, "of tidemark-child was \"00000000\", and is \"bbbbbbbb\" now"));
    assert_non_null(strstr(text, "of gone?.py was \"cccccccc\", and is not known now"));
}

static void test_a_program_that_cannot_be_read_is_not_known_to_be_the_same(void **state)
{
    json_t *then = machine(), *now = machine();

    (void)state;
    json_object_set_new(json_object_get(then, "programs"), "tidemark", json_null());
    json_object_set_new(json_object_get(now, "programs"), "tidemark", json_null());
    assert_int_equal(run_compare(&plan, then, now, text, sizeof text), 1);
    json_decref(then);
    json_decref(now);
}

static void change_all(json_t *then)
{
    json_object_clear(then);
    json_object_set_new(then, "cpu", json_null());
}

static void test_what_was_not_recorded_is_a_difference(void **state)
{
    (void)state;
    /* The plan, the programs, kernel, cores, python3; cpu is null on both, and no version is known.
     */
    assert_int_equal(differences(change_all), 5);
    assert_non_null(strstr(text, "whether plan.json has changed is not known"));
    assert_non_null(strstr(text, "whether the programs have changed is not known"));
}

static void change_kinds(json_t *then)
{
    static const char *const keys[] = {"plan", "programs", "kernel", "python", "libraries"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        json_object_set_new(then, keys[i], json_pack("[i]", 7));
    json_object_set_new(then, "cores", json_string("\x1b[2J"));
}

static void test_a_machine_of_other_kinds_differs(void **state)
{
    (void)state;
    assert_int_equal(differences(change_kinds), 5);
    assert_null(strchr(text, 0x1b));
}

static void change_version(json_t *then)
{
    json_object_set_new(json_object_get(then, "libraries"), "glibc",
                        json_pack("[s, s]", "glibc 2.36", "glibc 2.37"));
}

static void test_the_last_version_that_a_row_loaded_counts(void **state)
{
    (void)state;
    assert_int_equal(differences(change_version), 1);
    assert_non_null(strstr(text, "the version that row glibc loads was \"glibc 2.37\", and is "
                                 "\"glibc 2.36\" now"));
}

static void test_more_reasons_than_fit_are_counted(void **state)
{
    json_t *then = machine(), *now = machine();
    char little[64] = "x:";

    (void)state;
    change_programs(then);
    assert_int_equal(run_compare(&plan, then, now, little, sizeof little), 3);
    assert_int_equal(strlen(little), sizeof little - 1);
    json_decref(then);
    json_decref(now);
}

static const json_t *version_of(const json_t *described, const char *row)
{
    return json_object_get(json_object_get(described, "libraries"), row);
}

static void test_versions_of_a_row_are_kept_once_each(void **state)
{
    json_t *described = machine(), *both = json_pack("[s, s]", "glibc 2.36", "glibc 2.37");

    (void)state;
    assert_int_equal(machine_add_version(described, &cells[0], "glibc 2.36"), 0);
    assert_string_equal(json_string_value(version_of(described, "glibc")), "glibc 2.36");
    assert_int_equal(machine_add_version(described, &cells[0], "glibc 2.37"), 1);
    assert_true(json_equal(version_of(described, "glibc"), both));
    assert_int_equal(machine_add_version(described, &cells[0], "glibc 2.37"), 0);
    assert_int_equal(machine_add_version(described, &cells[0], "glibc 2.36"), 0);
    assert_int_equal(machine_add_version(described, &cells[0], ""), 0);
    assert_true(json_equal(version_of(described, "glibc"), both));
    json_decref(described);
    json_decref(both);
}

static void test_the_first_version_is_a_string_and_a_real_python_s_is_elsewhere(void **state)
{
    json_t *described = json_object();

    (void)state;
    assert_int_equal(machine_add_version(described, &cells[0], "glibc 2.36"), 0);
    assert_string_equal(json_string_value(version_of(described, "glibc")), "glibc 2.36");
    assert_int_equal(machine_add_version(described, &cells[1], "CPython 3.11.2"), 0);
    assert_null(version_of(described, "pymalloc"));
    json_decref(described);
}

#define compare_test(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        compare_test(test_the_same_machine_does_not_differ),
        compare_test(test_each_program_that_differs_is_a_line),
        compare_test(test_a_program_that_cannot_be_read_is_not_known_to_be_the_same),
        compare_test(test_what_was_not_recorded_is_a_difference),
        compare_test(test_a_machine_of_other_kinds_differs),
        compare_test(test_the_last_version_that_a_row_loaded_counts),
        compare_test(test_more_reasons_than_fit_are_counted),
        compare_test(test_versions_of_a_row_are_kept_once_each),
        compare_test(test_the_first_version_is_a_string_and_a_real_python_s_is_elsewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
