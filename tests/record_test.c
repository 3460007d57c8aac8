/* A sample's figures on hand-made values, against exact numbers: the definitions of
 * results/FORMAT.md. Leaves out measuring (sample_test.c) and medians (summary_test.c). */
#include "harness/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MIB INT64_C(1048576)

enum { BASELINE_NS = 1000000, PHASES = 3 };

static const struct canary_reading canary = {2.5, 120.25, 1500};
static struct sample sample;
static struct record_place place;
static json_t *record;

/* Phase `i` from `begin_ns` to `end_ns` after the baseline. Every counter has a digit of its own,
 * so that no two sums can be mistaken for each other. */
static void set_phase(size_t i, const char *name, uint64_t begin_ns, uint64_t end_ns, uint64_t one)
{
    struct page_phase *stamps = &sample.phases[i].stamps;

    snprintf(stamps->name, sizeof stamps->name, "%s", name);
    stamps->begin_ns = BASELINE_NS + begin_ns;
    stamps->end_ns = BASELINE_NS + end_ns;
    stamps->cpu_ns = 2 * one;
    stamps->minor_faults = 3 * one;
    stamps->major_faults = 4 * one;
    stamps->voluntary_switches = 5 * one;
    stamps->involuntary_switches = 6 * one;
    stamps->operations = 7 * one;
}

static void set_memory(size_t i, uint64_t peak_mib, uint64_t rss_mib, uint64_t object_mib,
                       uint64_t live_mib)
{
    sample.phases[i].status.peak_bytes = peak_mib * MIB;
    sample.phases[i].rollup.rss_bytes = rss_mib * MIB;
    sample.phases[i].stamps.object_bytes = object_mib * MIB;
    sample.phases[i].stamps.live_bytes = live_mib * MIB;
}

/* Three phases with parks of 50, 60 and 70 ns after them. Above the baseline of 10 MiB: peak 100
 * MiB, retained 40 MiB, object bytes 20 MiB, live bytes 36 MiB. */
static int set_up(void **state)
{
    (void)state;
    place = (struct record_place){
        .number = 17,
        .cell = 4,
        .round = 2,
        .repeat = 1,
        .started = "2026-11-20T12:00:00Z",
        .canary = &canary,
        .is_dirty = 1,
    };
    sample = (struct sample){
        .status = SAMPLE_OK,
        .version = "glibc 2.36",
        .cpu = 1,
        .baseline_ns = BASELINE_NS,
        .baseline = {.rss_bytes = 10 * MIB, .uss_bytes = 3 * MIB},
        .phase_count = PHASES,
        .counts_operations = 1,
        .operations = 777,
        .checksum = 0xabc,
        .tick_ns = 2000000,
    };
    set_phase(0, "build", 100, 1100, 1);
    set_phase(1, "del", 1150, 1450, 10);
    set_phase(2, "idle", 1510, 2510, 100);
    for (size_t i = 0; i < PHASES; i++)
        sample.phases[i].park_ns = 50 + 10 * i;
    sample.phases[1].stamps.freed = 1;
    set_memory(0, 110, 109, 60, 90);
    set_memory(1, 80, 55, 20, 37);
    set_memory(2, 56, 50, 20, 36);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    json_decref(record);
    record = NULL;
    return 0;
}

static json_t *figure(const char *key)
{
    if (!record)
        record = record_sample(&sample, &place);
    json_t *value = json_object_get(record, key);
    if (!value)
        fail_msg("the record has no %s", key);
    return value;
}

static json_t *figure_of_phase(size_t index, const char *key)
{
    json_t *value = json_object_get(json_array_get(figure("phases"), index), key);

    if (!value)
        fail_msg("phase %zu of the record has no %s", index, key);
    return value;
}

static void assert_integer(const json_t *value, int64_t expected)
{
    assert_true(json_is_integer(value));
    if (json_integer_value(value) != expected)
        fail_msg("%lld is not %lld", (long long)json_integer_value(value), (long long)expected);
}

static void assert_real(const json_t *value, double expected)
{
    assert_true(json_is_real(value));
    if (json_real_value(value) != expected)
        fail_msg("%.17g is not %.17g", json_real_value(value), expected);
}

static void assert_text(const json_t *value, const char *expected)
{
    assert_true(json_is_string(value));
    assert_string_equal(json_string_value(value), expected);
}

static void assert_nulls(const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!json_is_null(figure(keys[i])))
            fail_msg("%s is not null", keys[i]);
    }
}

static void test_return_ratio_takes_object_bytes_as_its_floor(void **state)
{
    (void)state;
    assert_real(figure("return_ratio"), 0.75); /* (100 - 40) / (100 - 20) */
}

static void test_return_ratio_live_takes_live_bytes_as_its_floor(void **state)
{
    (void)state;
    assert_real(figure("return_ratio_live"), 0.9375); /* (100 - 40) / (100 - 36) */
}

static void test_a_ratio_is_null_when_less_than_a_mebibyte_could_go_back(void **state)
{
    (void)state;
    sample.phases[2].stamps.object_bytes = 99 * MIB + 1;
    sample.phases[2].stamps.live_bytes = 99 * MIB + 1;
    assert_true(json_is_null(figure("return_ratio")));
    assert_true(json_is_null(figure("return_ratio_live")));
}

static void test_a_ratio_exists_from_exactly_a_mebibyte(void **state)
{
    (void)state;
    sample.phases[2].stamps.object_bytes = 99 * MIB;
    sample.phases[2].stamps.live_bytes = 99 * MIB;
    assert_real(figure("return_ratio"), 60); /* (100 - 40) / 1 */
    assert_real(figure("return_ratio_live"), 60);
}

static void test_each_ratio_is_null_by_its_own_floor(void **state)
{
    (void)state;
    sample.phases[2].stamps.live_bytes = 200 * MIB; /* above the peak: never negative, but null */
    assert_real(figure("return_ratio"), 0.75);
    assert_true(json_is_null(figure("return_ratio_live")));
}

static void test_time_since_the_last_free_includes_the_parks(void **state)
{
    (void)state;
    assert_integer(figure("since_last_free_ns"), 2510 - 1450); /* 60 parked, 1000 idle */
}

static void test_time_since_the_last_free_starts_at_the_last_phase_that_freed(void **state)
{
    (void)state;
    sample.phases[0].stamps.freed = 1;
    assert_integer(figure("since_last_free_ns"), 2510 - 1450);
}

static void test_a_last_phase_that_frees_leaves_no_time_since(void **state)
{
    (void)state;
    sample.phases[2].stamps.freed = 1;
    assert_integer(figure("since_last_free_ns"), 0);
}

static void test_time_since_the_last_free_is_null_when_nothing_was_freed(void **state)
{
    (void)state;
    sample.phases[1].stamps.freed = 0;
    assert_true(json_is_null(figure("since_last_free_ns")));
}

static void test_sums_leave_idle_and_parks_out(void **state)
{
    (void)state;
    assert_integer(figure("wall_ns"), 1000 + 300);
    assert_integer(figure("cpu_ns"), 22);
    assert_integer(figure("minor_faults"), 33);
    assert_integer(figure("major_faults"), 44);
    assert_integer(figure("voluntary_switches"), 55);
    assert_integer(figure("involuntary_switches"), 66);
}

static const char *const used[] = {"cpu_ns", "minor_faults", "major_faults", "voluntary_switches",
                                   "involuntary_switches"};
enum { USED = sizeof used / sizeof used[0] };

static void test_what_a_program_used_is_told_as_a_whole(void **state)
{
    (void)state;
    sample.usage = SAMPLE_USAGE_OF_ALL;
    for (size_t i = 0; i < USED; i++) {
        assert_true(json_is_integer(figure(used[i])));
        assert_true(json_is_null(figure_of_phase(1, used[i])));
    }
    assert_integer(figure("cpu_ns"), 22);
}

static void test_what_a_program_beside_its_driver_used_is_not_told(void **state)
{
    (void)state;
    sample.usage = SAMPLE_USAGE_OF_NONE;
    assert_nulls(used, USED);
    for (size_t i = 0; i < USED; i++)
        assert_true(json_is_null(figure_of_phase(1, used[i])));
    assert_integer(figure("wall_ns"), 1000 + 300);
}

static void test_idle_is_left_out_wherever_it_stands(void **state)
{
    (void)state;
    strcpy(sample.phases[0].stamps.name, "idle");
    assert_integer(figure("wall_ns"), 300);
    assert_integer(figure("cpu_ns"), 20);
}

/* The phase that runs the workload once more, a fourth: larger in all than those before it. */
static void add_rebuild(void)
{
    sample.phase_count = PHASES + 1;
    set_phase(PHASES, "rebuild", 3000, 3900, 1000);
    set_memory(PHASES, 500, 400, 300, 300);
    sample.phases[PHASES].stamps.freed = 1;
}

static void test_a_rebuild_has_its_own_figures_and_changes_no_other(void **state)
{
    static const struct tick ticks[] = {{.phase = 1, .live_bytes = 95 * MIB},
                                        {.phase = 4, .live_bytes = 300 * MIB}};

    (void)state;
    add_rebuild();
    sample.ticks = ticks;
    sample.tick_count = 2;
    assert_integer(figure("rebuild_ns"), 900);
    assert_integer(figure("rebuild_minor_faults"), 3000);
    assert_integer(figure("wall_ns"), 1000 + 300);
    assert_integer(figure("minor_faults"), 33);
    assert_integer(figure("peak_bytes"), 110 * MIB);
    assert_integer(figure("retained_bytes"), 40 * MIB);
    assert_integer(figure("live_peak_bytes"), 95 * MIB);
    assert_integer(figure("since_last_free_ns"), 2510 - 1450);
    assert_real(figure("return_ratio"), 0.75);
}

static void test_giving_back_has_its_own_time_and_is_no_part_of_the_sum(void **state)
{
    (void)state;
    set_phase(1, "purge", 1150, 1450, 10);
    assert_integer(figure("give_back_ns"), 300);
    assert_integer(figure("wall_ns"), 1000);
    tear_down(NULL);
    set_phase(1, "pressure", 1150, 1350, 10);
    assert_integer(figure("give_back_ns"), 200);
    assert_integer(figure("wall_ns"), 1000);
}

static void test_without_them_there_are_none(void **state)
{
    static const char *const keys[] = {"give_back_ns",     "rebuild_ns", "rebuild_minor_faults",
                                       "returnable_bytes", "watched_ns", "give_back_50_ns",
                                       "give_back_90_ns"};

    (void)state;
    assert_nulls(keys, sizeof keys / sizeof keys[0]);
    assert_int_equal(json_array_size(figure("moments")), 0);
}

/* The last free is at 1450; half of 64 MiB has gone at 1650, nine tenths never do. */
static void set_return(void)
{
    static const struct tick ticks[] = {
        {.t_ns = 1400, .phase = 2, .rss_bytes = 110 * MIB, .live_bytes = 36 * MIB},
        {.t_ns = 1650, .phase = 3, .rss_bytes = 78 * MIB, .live_bytes = 36 * MIB},
        {.t_ns = 2500, .phase = 3, .rss_bytes = 60 * MIB, .live_bytes = 36 * MIB},
    };

    sample.ticks = ticks;
    sample.tick_count = sizeof ticks / sizeof ticks[0];
    sample.moments.last_free_ns = BASELINE_NS + 1450;
    sample.moments.taken[0] =
        (struct moment){.at_ns = BASELINE_NS + 1450,
                        .rollup = {.rss_bytes = 105 * MIB, .lazyfree_bytes = 7 * MIB},
                        .page_table_bytes = 4096,
                        .charge_bytes = MOMENT_NO_CHARGE};
}

static void test_what_goes_back_is_told_from_the_curve(void **state)
{
    (void)state;
    set_return();
    assert_integer(figure("returnable_bytes"), 64 * MIB); /* 100 - 36 */
    assert_integer(figure("watched_ns"), 2510 - 1450);
    assert_integer(figure("give_back_50_ns"), 200);
    assert_true(json_is_null(figure("give_back_90_ns")));
}

static void test_a_moment_is_what_was_read_then(void **state)
{
    (void)state;
    set_return();
    assert_int_equal(json_array_size(figure("moments")), 1); /* none was read later */
    const json_t *moment = json_array_get(figure("moments"), 0);
    assert_integer(json_object_get(moment, "after_ns"), 0);
    assert_integer(json_object_get(moment, "at_ns"), 1450);
    assert_integer(json_object_get(moment, "rss_bytes"), 105 * MIB);
    assert_integer(json_object_get(moment, "lazyfree_bytes"), 7 * MIB);
    assert_integer(json_object_get(moment, "page_table_bytes"), 4096);
    assert_true(json_is_null(json_object_get(moment, "charge_bytes")));
    assert_real(json_object_get(moment, "excess_byte_seconds"), 0);
}

/* The area begins with what was there at the last free, live bytes too: not with the tick before.
 */
static void test_the_area_up_to_a_moment_begins_at_the_last_free(void **state)
{
    (void)state;
    set_return();
    sample.tick_count = 1;
    sample.phases[2].stamps.end_ns = BASELINE_NS + 200000000;
    sample.moments.taken[1].at_ns = BASELINE_NS + 1450 + 100000000;
    const json_t *moment = json_array_get(figure("moments"), 1);
    /* 105 resident, of which 10 the baseline and 37 live */
    assert_real(json_object_get(moment, "excess_byte_seconds"), 58 * MIB / 10.0);
}

static void test_a_sample_that_failed_tells_nothing_of_its_end(void **state)
{
    (void)state;
    set_return();
    sample.status = SAMPLE_TIMEOUT;
    test_without_them_there_are_none(state);
}

static void test_retained_is_what_the_last_phase_holds_above_the_baseline(void **state)
{
    (void)state;
    assert_integer(figure("retained_bytes"), 40 * MIB);
}

static void test_retained_is_negative_when_less_is_left_than_the_baseline(void **state)
{
    (void)state;
    sample.phases[2].rollup.rss_bytes = 4 * MIB;
    assert_integer(figure("retained_bytes"), -6 * MIB);
    assert_real(figure("return_ratio"), 106.0 / 80);
}

static void test_peak_is_the_largest_of_all_phases_and_absolute(void **state)
{
    (void)state;
    for (size_t largest = 0; largest < PHASES; largest++) {
        for (size_t i = 0; i < PHASES; i++)
            sample.phases[i].status.peak_bytes = (i == largest ? 120 : 70) * MIB;
        assert_integer(figure("peak_bytes"), 120 * MIB);
        tear_down(NULL);
    }
}

static void test_peak_is_no_less_than_the_kernels(void **state)
{
    (void)state;
    sample.peak_floor_bytes = 109 * MIB;
    assert_integer(figure("peak_bytes"), 110 * MIB);
    tear_down(NULL);
    sample.peak_floor_bytes = 130 * MIB;
    assert_integer(figure("peak_bytes"), 130 * MIB);
}

static void test_live_peak_is_found_at_a_phases_end(void **state)
{
    static const struct tick ticks[] = {{.live_bytes = 7 * MIB}, {.live_bytes = 89 * MIB}};

    (void)state;
    sample.ticks = ticks;
    sample.tick_count = 2;
    assert_integer(figure("live_peak_bytes"), 90 * MIB);
}

static void test_live_peak_is_found_at_a_tick(void **state)
{
    static const struct tick ticks[] = {{.live_bytes = 7 * MIB},
                                        {.live_bytes = 95 * MIB, .object_bytes = 99 * MIB},
                                        {.live_bytes = 8 * MIB}};

    (void)state;
    sample.ticks = ticks;
    sample.tick_count = 3;
    assert_integer(figure("live_peak_bytes"), 95 * MIB);
    assert_integer(figure("ticks"), 3);
}

static void test_a_failed_sample_has_no_figure_that_speaks_of_the_end(void **state)
{
    static const char *const keys[] = {"peak_bytes",   "retained_bytes",    "live_peak_bytes",
                                       "return_ratio", "return_ratio_live", "since_last_free_ns"};
    static const enum sample_status statuses[] = {SAMPLE_NOT_AVAILABLE, SAMPLE_EXIT, SAMPLE_SIGNAL,
                                                  SAMPLE_TIMEOUT, SAMPLE_OOM};

    (void)state;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        sample.status = statuses[i];
        assert_nulls(keys, sizeof keys / sizeof keys[0]);
        tear_down(NULL);
    }
}

static void test_a_failed_sample_keeps_what_was_measured_until_then(void **state)
{
    (void)state;
    sample.status = SAMPLE_SIGNAL;
    strcpy(sample.reason, "signal 11 in phase 4");
    assert_text(figure("status"), "signal");
    assert_text(figure("reason"), "signal 11 in phase 4");
    assert_integer(figure("baseline_bytes"), 10 * MIB);
    assert_integer(figure("wall_ns"), 1300);
    assert_int_equal(json_array_size(figure("phases")), PHASES);
}

static void test_without_a_baseline_there_is_nothing_measured_from_it(void **state)
{
    static const char *const keys[] = {"baseline_bytes",
                                       "baseline_uss_bytes",
                                       "tick_ns",
                                       "wall_ns",
                                       "cpu_ns",
                                       "minor_faults",
                                       "major_faults",
                                       "voluntary_switches",
                                       "peak_bytes",
                                       "retained_bytes",
                                       "involuntary_switches"};

    (void)state;
    sample = (struct sample){.status = SAMPLE_EXIT, .reason = "no library", .tick_ns = 1000000};
    assert_nulls(keys, sizeof keys / sizeof keys[0]);
    assert_true(json_is_array(figure("phases")));
    assert_int_equal(json_array_size(figure("phases")), 0);
}

static void test_with_a_baseline_its_figures_are_those_of_the_sample(void **state)
{
    (void)state;
    assert_integer(figure("baseline_bytes"), 10 * MIB);
    assert_integer(figure("baseline_uss_bytes"), 3 * MIB);
    assert_integer(figure("tick_ns"), 2000000);
}

static void test_a_child_that_ended_before_its_first_phase_has_sums_of_zero(void **state)
{
    (void)state;
    sample.status = SAMPLE_SIGNAL;
    sample.phase_count = 0;
    assert_integer(figure("wall_ns"), 0); /* it did reach its baseline */
    assert_integer(figure("baseline_bytes"), 10 * MIB);
}

static void test_operations_that_the_host_does_not_count_are_null(void **state)
{
    (void)state;
    sample.counts_operations = 0;
    assert_true(json_is_null(figure("operations")));
    assert_true(json_is_null(figure("checksum")));
    for (size_t i = 0; i < PHASES; i++)
        assert_true(json_is_null(figure_of_phase(i, "operations")));
}

static void test_operations_that_the_host_counts_are_kept(void **state)
{
    (void)state;
    assert_integer(figure("operations"), 777);
    assert_text(figure("checksum"), "0000000000000abc");
    assert_integer(figure_of_phase(0, "operations"), 7);
    assert_integer(figure_of_phase(2, "operations"), 700);
}

static void test_the_checksum_has_all_its_sixteen_digits(void **state)
{
    (void)state;
    sample.checksum = UINT64_C(0xfedcba9876543210);
    assert_text(figure("checksum"), "fedcba9876543210");
}

static void test_times_of_a_phase_are_relative_to_the_baseline(void **state)
{
    (void)state;
    assert_integer(figure_of_phase(1, "begin_ns"), 1150);
    assert_integer(figure_of_phase(1, "end_ns"), 1450);
    assert_integer(figure_of_phase(1, "wall_ns"), 300);
    assert_integer(figure_of_phase(1, "park_ns"), 60);
}

static void test_a_phase_keeps_its_counters_idle_too(void **state)
{
    (void)state;
    assert_text(figure_of_phase(2, "name"), "idle");
    assert_integer(figure_of_phase(2, "wall_ns"), 1000);
    assert_integer(figure_of_phase(2, "cpu_ns"), 200);
    assert_integer(figure_of_phase(2, "minor_faults"), 300);
    assert_integer(figure_of_phase(2, "major_faults"), 400);
    assert_integer(figure_of_phase(2, "voluntary_switches"), 500);
    assert_integer(figure_of_phase(2, "involuntary_switches"), 600);
}

static void test_a_phase_keeps_what_was_read_at_its_park(void **state)
{
    (void)state;
    sample.phases[1].rollup = (struct memory_rollup){
        .rss_bytes = 1, .uss_bytes = 2, .lazyfree_bytes = 3, .anon_huge_bytes = 4, .swap_bytes = 5};
    sample.phases[1].status = (struct memory_status){.peak_bytes = 6, .page_table_bytes = 7};
    sample.phases[1].charge_bytes = 8;
    assert_integer(figure_of_phase(1, "rss_bytes"), 1);
    assert_integer(figure_of_phase(1, "uss_bytes"), 2);
    assert_integer(figure_of_phase(1, "lazyfree_bytes"), 3);
    assert_integer(figure_of_phase(1, "anon_huge_bytes"), 4);
    assert_integer(figure_of_phase(1, "swap_bytes"), 5);
    assert_integer(figure_of_phase(1, "peak_bytes"), 6);
    assert_integer(figure_of_phase(1, "page_table_bytes"), 7);
    assert_integer(figure_of_phase(1, "charge_bytes"), 8);
    assert_integer(figure_of_phase(1, "object_bytes"), 20 * MIB);
    assert_integer(figure_of_phase(1, "live_bytes"), 37 * MIB);
}

static void test_a_sample_without_a_group_has_no_charge(void **state)
{
    (void)state;
    sample.phases[1].charge_bytes = SAMPLE_NO_CHARGE;
    assert_true(json_is_null(figure_of_phase(1, "charge_bytes")));
    assert_integer(figure_of_phase(2, "charge_bytes"), 0);
}

static void test_a_record_says_which_sample_it_is(void **state)
{
    (void)state;
    assert_integer(figure("sample"), 17);
    assert_integer(figure("cell"), 4);
    assert_integer(figure("round"), 2);
    assert_integer(figure("repeat"), 1);
    assert_text(figure("started"), "2026-11-20T12:00:00Z");
    assert_text(figure("status"), "ok");
    assert_true(json_is_null(figure("reason")));
}

static void test_a_record_says_who_kept_the_memory_limit(void **state)
{
    (void)state;
    sample.limited_by = SAMPLE_LIMITED_BY_CGROUP;
    assert_text(figure("limited_by"), "cgroup");
    tear_down(state);
    sample.limited_by = SAMPLE_LIMITED_BY_SAMPLER;
    assert_text(figure("limited_by"), "sampler");
}

static void test_what_is_not_known_is_null(void **state)
{
    (void)state;
    sample.cpu = -1;
    sample.statm_error_bytes = INT64_MIN;
    sample.version[0] = '\0';
    assert_true(json_is_null(figure("cpu")));
    assert_true(json_is_null(figure("statm_error_bytes")));
    assert_true(json_is_null(figure("version")));
    assert_true(json_is_null(json_object_get(figure("providers"), "raw")));
}

static void test_what_is_known_is_kept_also_zero_and_negative(void **state)
{
    (void)state;
    sample.cpu = 0;
    sample.statm_error_bytes = -4096;
    strcpy(sample.object_provider, "/lib/a.so");
    strcpy(sample.raw_provider, "/lib/b.so");
    assert_integer(figure("cpu"), 0);
    assert_integer(figure("statm_error_bytes"), -4096);
    assert_text(json_object_get(figure("providers"), "object"), "/lib/a.so");
    assert_text(json_object_get(figure("providers"), "raw"), "/lib/b.so");
}

static void test_the_canary_before_a_sample_is_kept_piece_by_piece(void **state)
{
    (void)state;
    assert_real(json_object_get(figure("canary"), "loop_ns"), 2.5);
    assert_real(json_object_get(figure("canary"), "latency_ns"), 120.25);
    assert_real(json_object_get(figure("canary"), "fault_ns"), 1500);
    assert_true(json_is_true(figure("dirty")));
}

static void test_a_sample_without_a_canary_says_null_and_is_not_dirty(void **state)
{
    (void)state;
    place.canary = NULL;
    place.is_dirty = 0;
    assert_true(json_is_null(figure("canary")));
    assert_true(json_is_false(figure("dirty")));
}

static void test_an_exit_status_is_a_programs_alone(void **state)
{
    (void)state;
    assert_true(json_is_null(figure("exit_status")));
    json_decref(record);
    record = NULL;
    sample.has_exit_status = 1;
    assert_int_equal(json_integer_value(figure("exit_status")), 0);
    assert_true(json_is_integer(figure("exit_status")));
}

/* A figure that does not exist is null, never left out: figure() fails on a missing key. */
static void test_a_record_has_every_key_of_the_format_whatever_became_of_it(void **state)
{
    static const char *const keys[] = {"sample",
                                       "cell",
                                       "round",
                                       "repeat",
                                       "canary",
                                       "dirty",
                                       "status",
                                       "reason",
                                       "limited_by",
                                       "version",
                                       "providers",
                                       "started",
                                       "pad_bytes",
                                       "cpu",
                                       "statm_error_bytes",
                                       "baseline_bytes",
                                       "baseline_uss_bytes",
                                       "peak_bytes",
                                       "retained_bytes",
                                       "live_peak_bytes",
                                       "return_ratio",
                                       "return_ratio_live",
                                       "since_last_free_ns",
                                       "wall_ns",
                                       "cpu_ns",
                                       "minor_faults",
                                       "major_faults",
                                       "voluntary_switches",
                                       "involuntary_switches",
                                       "operations",
                                       "checksum",
                                       "exit_status",
                                       "ticks",
                                       "late_ticks",
                                       "phases"};

    (void)state;
    for (int reached = 0; reached < 2; reached++) {
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
            figure(keys[i]);
        tear_down(NULL);
        sample = (struct sample){.status = SAMPLE_TIMEOUT};
    }
}

#define record_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        record_test(test_a_rebuild_has_its_own_figures_and_changes_no_other),
        record_test(test_giving_back_has_its_own_time_and_is_no_part_of_the_sum),
        record_test(test_without_them_there_are_none),
        record_test(test_what_goes_back_is_told_from_the_curve),
        record_test(test_a_moment_is_what_was_read_then),
        record_test(test_the_area_up_to_a_moment_begins_at_the_last_free),
        record_test(test_a_sample_that_failed_tells_nothing_of_its_end),
        record_test(test_return_ratio_takes_object_bytes_as_its_floor),
        record_test(test_return_ratio_live_takes_live_bytes_as_its_floor),
        record_test(test_a_ratio_is_null_when_less_than_a_mebibyte_could_go_back),
        record_test(test_a_ratio_exists_from_exactly_a_mebibyte),
        record_test(test_each_ratio_is_null_by_its_own_floor),
        record_test(test_time_since_the_last_free_includes_the_parks),
        record_test(test_time_since_the_last_free_starts_at_the_last_phase_that_freed),
        record_test(test_a_last_phase_that_frees_leaves_no_time_since),
        record_test(test_time_since_the_last_free_is_null_when_nothing_was_freed),
        record_test(test_sums_leave_idle_and_parks_out),
        record_test(test_what_a_program_used_is_told_as_a_whole),
        record_test(test_what_a_program_beside_its_driver_used_is_not_told),
        record_test(test_idle_is_left_out_wherever_it_stands),
        record_test(test_retained_is_what_the_last_phase_holds_above_the_baseline),
        record_test(test_retained_is_negative_when_less_is_left_than_the_baseline),
        record_test(test_peak_is_the_largest_of_all_phases_and_absolute),
        record_test(test_peak_is_no_less_than_the_kernels),
        record_test(test_live_peak_is_found_at_a_phases_end),
        record_test(test_live_peak_is_found_at_a_tick),
        record_test(test_a_failed_sample_has_no_figure_that_speaks_of_the_end),
        record_test(test_a_failed_sample_keeps_what_was_measured_until_then),
        record_test(test_without_a_baseline_there_is_nothing_measured_from_it),
        record_test(test_with_a_baseline_its_figures_are_those_of_the_sample),
        record_test(test_a_child_that_ended_before_its_first_phase_has_sums_of_zero),
        record_test(test_operations_that_the_host_does_not_count_are_null),
        record_test(test_operations_that_the_host_counts_are_kept),
        record_test(test_the_checksum_has_all_its_sixteen_digits),
        record_test(test_times_of_a_phase_are_relative_to_the_baseline),
        record_test(test_a_phase_keeps_its_counters_idle_too),
        record_test(test_a_phase_keeps_what_was_read_at_its_park),
        record_test(test_a_sample_without_a_group_has_no_charge),
        record_test(test_a_record_says_which_sample_it_is),
        record_test(test_a_record_says_who_kept_the_memory_limit),
        record_test(test_what_is_not_known_is_null),
        record_test(test_what_is_known_is_kept_also_zero_and_negative),
        record_test(test_the_canary_before_a_sample_is_kept_piece_by_piece),
        record_test(test_a_sample_without_a_canary_says_null_and_is_not_dirty),
        record_test(test_an_exit_status_is_a_programs_alone),
        record_test(test_a_record_has_every_key_of_the_format_whatever_became_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
