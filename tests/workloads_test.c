/*
 * What every workload of the registry promises, at a tiny n, in each of its choices; and the
 * reading of parameters. Leaves out memory and time: those need a process of their own.
 */
#include "tests/locked_allocator.h"
#include "workloads/workload.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

/* TINIEST: few enough for every choice to be run some hundred times, and more than ints that are
 * shared. */
enum { PHASES = 16, TINY = 1000, TINIEST = 300, MOST_CHOICES = 1000 };

/* ThreadSanitizer looks for races: what one thread does alone is left to the other builds. */
#ifdef __SANITIZE_THREAD__
enum { RACES_ALONE = 1 };
#else
enum { RACES_ALONE = 0 };
#endif

/* What a harness would see of one run. */
struct witness {
    char phases[256]; /* names in order, a space after each */
    uint64_t object_bytes[PHASES], live_bytes[PHASES], frees[PHASES]; /* at each phase's end */
    uint64_t live_before; /* bytes live when the first phase begins */
    size_t phase_count;
    int open;
    uint64_t slept_ns;
    struct workload_gauge gauge; /* after run() */
    int error;
};

static void end_phase(struct workload_context *context)
{
    struct witness *witness = context->harness;

    assert_true(witness->open);
    assert_true(witness->phase_count < PHASES);
    witness->object_bytes[witness->phase_count] = context->gauge->object_bytes;
    witness->live_bytes[witness->phase_count] = context->gauge->live_bytes;
    witness->frees[witness->phase_count] = context->gauge->frees;
    witness->phase_count++;
    witness->open = 0;
}

static void begin_phase(struct workload_context *context, const char *name)
{
    struct witness *witness = context->harness;

    size_t used = strlen(witness->phases);

    if (witness->open)
        end_phase(context);
    if (!witness->phases[0])
        witness->live_before = context->gauge->live_bytes;
    assert_true(strlen(name) <= 23);
    assert_true(used + strlen(name) + 2 <= sizeof witness->phases);
    snprintf(witness->phases + used, sizeof witness->phases - used, "%s ", name);
    witness->open = 1;
}

static void sleep_not(struct workload_context *context, uint64_t duration_ns)
{
    struct witness *witness = context->harness;

    witness->slept_ns += duration_ns;
}

static const struct allocator_ops libc_ops = {
    .malloc = malloc,
    .calloc = calloc,
    .realloc = realloc,
    .aligned_alloc = aligned_alloc,
    .free = free,
    .region_create = recording_region_create,
    .region_alloc = recording_region_alloc,
    .region_reset = recording_region_reset,
    .region_destroy = recording_region_destroy,
};

/* Values of each parameter: `tiny` for a count, or what of its bounds is nearest, three of
 * threads, of rounds, of writes and of numbers to factor, 0 for a choice, unless set afterwards. */
static void tiny_values(const struct workload *workload, uint64_t tiny, uint64_t *values)
{
    for (size_t i = 0; workload->parameters[i].name; i++) {
        const struct parameter *parameter = &workload->parameters[i];
        int is_few = strcmp(parameter->name, "threads") == 0 ||
                     strcmp(parameter->name, "repeat") == 0 ||
                     strcmp(parameter->name, "rounds") == 0 ||
                     strcmp(parameter->name, "writes") == 0 || strcmp(workload->name, "cfrac") == 0;
        uint64_t count = is_few ? 3 : tiny;
        if (count < parameter->minimum)
            count = parameter->minimum;
        if (count > parameter->maximum)
            count = parameter->maximum;
        values[i] = parameter->kind == PARAMETER_CHOICE ? 0 : count;
        if (parameter->kind == PARAMETER_FILE || parameter->kind == PARAMETER_TEXT)
            assert_int_equal(parameter_parse(parameter, parameter->quick, &values[i]), 0);
    }
}

static void set_value(const struct workload *workload, uint64_t *values, const char *name,
                      const char *text)
{
    for (size_t i = 0; workload->parameters[i].name; i++)
        if (strcmp(workload->parameters[i].name, name) == 0)
            assert_int_equal(parameter_parse(&workload->parameters[i], text, &values[i]), 0);
}

static void run_on(struct witness *witness, const struct workload *workload, const uint64_t *values,
                   uint64_t idle_ns, const struct allocator_ops *ops)
{
    struct workload_context context = {
        .object = ops,
        .raw = ops,
        .gauge = &witness->gauge,
        .workload = workload,
        .seed = 1,
        .idle_ns = idle_ns,
        .begin_phase = begin_phase,
        .end_phase = end_phase,
        .sleep = sleep_not,
        .harness = witness,
    };

    memset(witness, 0, sizeof *witness);
    memcpy(context.values, values, sizeof context.values);
    witness->error = workload->run(&context);
}

/* The next combination of choices, like an odometer; 0 after the last. */
static int next_choices(const struct workload *workload, uint64_t *values)
{
    for (size_t i = 0; workload->parameters[i].name; i++) {
        if (workload->parameters[i].kind != PARAMETER_CHOICE)
            continue;
        if (workload->parameters[i].choices[++values[i]])
            return 1;
        values[i] = 0;
    }
    return 0;
}

/* Whether threads of its own ask for memory; it is run for that. */
static int has_threads(const struct workload *workload, const uint64_t *values)
{
    struct witness witness;

    recording_reset();
    recording_thread = pthread_self();
    other_threads_called = 0;
    run_on(&witness, workload, values, 0, &locked_ops);
    assert_int_equal(witness.error, 0);
    return other_threads_called;
}

typedef void choice_check(const struct workload *workload, const uint64_t *values);

static void for_every_choice(choice_check *check)
{
    static int is_alone[MOST_CHOICES], is_known;
    size_t choice = 0;

    for (size_t i = 0; i < workload_registry_count; i++) {
        uint64_t values[WORKLOAD_PARAMETERS] = {0};
        if (workload_registry[i]->is_program)
            continue; /* tests/programs_test.py runs those */
        tiny_values(workload_registry[i], TINIEST, values);
        do {
            assert_true(choice < MOST_CHOICES);
            if (RACES_ALONE && !is_known)
                is_alone[choice] = !has_threads(workload_registry[i], values);
            if (!is_alone[choice++])
                check(workload_registry[i], values);
        } while (next_choices(workload_registry[i], values));
    }
    is_known = 1;
}

/* Every workload, every choice. */

static void check_tidy(const struct workload *workload, const uint64_t *values)
{
    struct witness witness;

    recording_reset();
    run_on(&witness, workload, values, 0, &locked_ops);
    assert_int_equal(witness.error, 0);
    assert_int_equal(witness.gauge.live_bytes, 0);
    assert_int_equal(witness.gauge.object_bytes, 0);
    assert_int_equal(recording.live_blocks, 0);
}

/* Once more in the same process, as the harness does for what taking memory again costs. */
static void check_again(const struct workload *workload, const uint64_t *values)
{
    static struct witness first, second;

    run_on(&first, workload, values, 0, &libc_ops);
    run_on(&second, workload, values, 0, &libc_ops);
    assert_int_equal(second.error, 0);
    assert_int_equal(second.gauge.checksum, first.gauge.checksum);
    assert_int_equal(second.gauge.operations, first.gauge.operations);
    assert_int_equal(second.gauge.frees, first.gauge.frees);
    assert_string_equal(second.phases, first.phases);
}

static void each_runs_once_more_as_the_first_time(void **state)
{
    (void)state;
    for_every_choice(check_again);
}

static void check_names(const struct workload *workload, const uint64_t *values)
{
    static const char *const reserved[] = {"idle ", "purge ", "pressure ", "rebuild "};
    static struct witness witness;

    run_on(&witness, workload, values, 0, &libc_ops);
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        const char *found = strstr(witness.phases, reserved[i]);
        if (found && (found == witness.phases || found[-1] == ' '))
            fail_msg("%s has a phase of the harness's: %s", workload->name, witness.phases);
    }
    /* Room for idle, purge or pressure, and rebuild. */
    assert_true(witness.phase_count <= PHASES - 3);
}

static void no_phase_has_a_name_of_the_harness(void **state)
{
    (void)state;
    for_every_choice(check_names);
}

static void each_run_gives_back_all_that_it_took(void **state)
{
    (void)state;
    for_every_choice(check_tidy);
}

static void check_checksum(const struct workload *workload, const uint64_t *values)
{
    struct witness one, other;

    recording_reset();
    run_on(&one, workload, values, 0, &locked_ops);
    run_on(&other, workload, values, 0, &libc_ops);
    assert_int_equal(one.error, 0);
    assert_int_equal(other.error, 0);
    assert_int_not_equal(one.gauge.checksum, 0);
    assert_int_equal(one.gauge.checksum, other.gauge.checksum);
    assert_int_equal(one.gauge.operations, other.gauge.operations);
    assert_string_equal(one.phases, other.phases);
}

static void the_checksum_is_the_same_on_every_allocator(void **state)
{
    (void)state;
    for_every_choice(check_checksum);
}

static void check_idle(const struct workload *workload, const uint64_t *values)
{
    struct witness without, with;
    char expected[300];

    run_on(&without, workload, values, 0, &libc_ops);
    run_on(&with, workload, values, 500, &libc_ops);
    assert_int_equal(without.slept_ns, 0);
    /* Also in between, for those that rest. */
    assert_true(with.slept_ns >= 500 && with.slept_ns % 500 == 0);
    snprintf(expected, sizeof expected, "%sidle ", without.phases);
    assert_string_equal(with.phases, expected);
    assert_false(without.open);
    assert_false(with.open);
    /* Tidying up belongs to no phase: idle shows what the phase before it left. */
    size_t last = with.phase_count - 1;
    assert_int_equal(with.live_bytes[last], without.live_bytes[last - 1]);
}

static void idle_comes_last_and_only_when_asked_for(void **state)
{
    (void)state;
    for_every_choice(check_idle);
}

/*
 * What would ask for tens of thousands of blocks, and runs some seventy times here, does less: at
 * these sizes each still comes to every line that asks for memory, past its first batch, its first
 * eviction and the first blocks that are handed over.
 */
static void lessen(const struct workload *workload, uint64_t *values)
{
    static const struct {
        const char *workload, *parameter, *value;
    } few[] = {
        {"user_batches", "n", "30"},
        {"user_batches", "batch", "10"},
        {"rptest", "n", "10"},
        {"server_day", "n", "20"},
        {"server_day", "requests", "100"},
        {"request_server", "n", "50"},
        {"request_server", "leak", "5"},
        {"cache_scratch", "n", "20"},
        {"cache_thrash", "n", "20"},
    };

    for (size_t i = 0; i < sizeof few / sizeof few[0]; i++)
        if (strcmp(few[i].workload, workload->name) == 0)
            set_value(workload, values, few[i].parameter, few[i].value);
}

static void check_out_of_memory(const struct workload *workload, const uint64_t *usual)
{
    uint64_t values[WORKLOAD_PARAMETERS];
    struct witness witness;

    memcpy(values, usual, sizeof values);
    lessen(workload, values);
    recording_reset();
    run_on(&witness, workload, values, 0, &locked_ops);
    assert_int_equal(witness.error, 0);
    size_t requests = recording.requests;
    for (size_t k = 1; k <= requests; k += k < 32 ? 1 : k / 8) {
        recording_reset();
        recording.fail_at = k;
        run_on(&witness, workload, values, 0, &locked_ops);
        assert_int_equal(witness.error, -ENOMEM);
        assert_int_equal(witness.gauge.live_bytes, 0);
        assert_int_equal(recording.live_blocks, 0);
    }
}

static void running_out_of_memory_is_an_error_and_no_leak(void **state)
{
    (void)state;
    for_every_choice(check_out_of_memory);
}

static void check_smallest(const struct workload *workload, const uint64_t *values)
{
    uint64_t smallest[WORKLOAD_PARAMETERS];
    struct witness witness;

    memcpy(smallest, values, sizeof smallest);
    for (size_t i = 0; workload->parameters[i].name; i++)
        if (workload->parameters[i].kind == PARAMETER_COUNT)
            smallest[i] = workload->parameters[i].minimum;
    run_on(&witness, workload, smallest, 0, &libc_ops);
    assert_int_equal(witness.error, 0);
    assert_int_equal(witness.gauge.live_bytes, 0);
}

static void the_smallest_count_runs(void **state)
{
    (void)state;
    for_every_choice(check_smallest);
}

/* A tenth of the suite `quick`, and a tenth of that. */

static void scaled_values(const struct workload *workload, double factor, uint64_t *values)
{
    for (size_t i = 0; workload->parameters[i].name; i++) {
        const struct parameter *parameter = &workload->parameters[i];
        assert_int_equal(parameter_parse(parameter, parameter->quick, &values[i]), 0);
        parameter_scale(parameter, factor, &values[i]);
    }
}

static uint64_t work_at(const struct workload *workload, double factor)
{
    uint64_t values[WORKLOAD_PARAMETERS] = {0};
    struct witness witness;

    scaled_values(workload, factor, values);
    run_on(&witness, workload, values, 0, &libc_ops);
    assert_int_equal(witness.error, 0);
    return witness.gauge.operations;
}

static void each_workload_does_less_at_a_smaller_scale(void **state)
{
    (void)state;
    for (size_t i = 0; i < workload_registry_count; i++) {
        const struct workload *workload = workload_registry[i];
        if (strcmp(workload->name, "trace") == 0 || workload->is_program)
            continue; /* it does what was recorded, or what the program does */
        uint64_t values[WORKLOAD_PARAMETERS] = {0};
        scaled_values(workload, 0.01, values);
        if (RACES_ALONE && !has_threads(workload, values))
            continue;
        if (work_at(workload, 0.01) >= work_at(workload, 0.1))
            fail_msg("%s does as much at a tenth of its size", workload->name);
    }
}

static void what_does_not_scale_stays(void **state)
{
    (void)state;
    for (size_t i = 0; i < workload_registry_count; i++) {
        const struct parameter *parameters = workload_registry[i]->parameters;
        for (size_t j = 0; parameters[j].name; j++) {
            uint64_t value = 8;
            int is_cut = parameter_scale(&parameters[j], 0.5, &value);
            if (!parameters[j].scales)
                assert_int_equal(value, 8);
            else if (!is_cut)
                assert_int_equal(value, 4);
            /* A choice, and what every workload would be another one with. */
            if (parameters[j].kind == PARAMETER_CHOICE || strcmp(parameters[j].name, "size") == 0 ||
                strcmp(parameters[j].name, "threads") == 0)
                assert_false(parameters[j].scales);
        }
    }
}

/* Phases. */

static void check_phases(const char *name, const char *parameter, const char *choice,
                         const char *phases)
{
    const struct workload *workload = workload_find(name);
    static const char *const python[] = {"2.7", "3.8", "3.11", "3.13"};

    assert_non_null(workload);
    for (size_t i = 0; i < sizeof python / sizeof python[0]; i++) {
        uint64_t values[WORKLOAD_PARAMETERS] = {0};
        struct witness witness;
        tiny_values(workload, TINY, values);
        set_value(workload, values, parameter, choice);
        set_value(workload, values, "profile", python[i]);
        run_on(&witness, workload, values, 0, &libc_ops);
        assert_string_equal(witness.phases, phases);
    }
}

static void del_collect_has_its_phases_in_order(void **state)
{
    (void)state;
    check_phases("del_collect", "way", "pass", "build loop_end ");
    check_phases("del_collect", "way", "del", "build loop_end del ");
    check_phases("del_collect", "way", "del_collect", "build loop_end del collect ");
    check_phases("del_collect", "way", "collect_without_del", "build loop_end collect ");
}

static void list_lifetime_has_its_phases_in_order(void **state)
{
    (void)state;
    check_phases("list_lifetime", "how", "local", "build return ");
    check_phases("list_lifetime", "how", "global", "build return ");
    check_phases("list_lifetime", "how", "returned", "build return ");
    check_phases("list_lifetime", "how", "del_collect", "build del collect ");
    check_phases("list_lifetime", "how", "cycle", "build del ");
    check_phases("list_lifetime", "how", "cycle_collect", "build del collect ");
}

static void the_other_experiments_have_their_phases_in_order(void **state)
{
    (void)state;
    check_phases("slice_copy", "how", "slice", "build copy del_copy del collect ");
    check_phases("dedupe_set", "distinct", "few", "build dedupe del del_set collect ");
    check_phases("interning", "how", "interned", "build del collect ");
    check_phases("bounded_history", "history", "bounded", "append clear del collect ");
    check_phases("generator_vs_list", "numbers", "generator", "build sum del collect ");
    check_phases("cycles", "shape", "rings", "build del collect ");
    check_phases("waste", "values", "dropped", "build return collect ");
    check_phases("global_leak", "seen", "global", "serve collect forget ");
    check_phases("free_list_pressure", "kind", "float",
                 "build drop again drop_again other drop_other collect ");
    check_phases("async_tasks", "end", "cancelled", "start del collect ");
    check_phases("async_tasks", "end", "finished", "start run del collect ");
    check_phases("user_batches", "collect", "batch", "serve del collect ");
    check_phases("compress", "data", "random", "build compress del decompress del_all ");
    check_phases("threads_shared", "threads", "4", "run del collect ");
    check_phases("pinning", "k", "3", "build keep del collect del_kept ");
}

/* What the figures of each phase mean. */

static void run_named(struct witness *witness, const char *name, const char *const *settings)
{
    const struct workload *workload = workload_find(name);
    uint64_t values[WORKLOAD_PARAMETERS] = {0};

    tiny_values(workload, TINY, values);
    for (; *settings; settings += 2)
        set_value(workload, values, settings[0], settings[1]);
    run_on(witness, workload, values, 0, &libc_ops);
    assert_int_equal(witness->error, 0);
}

enum { INTS = TINY - 257, STARTUP_BYTES = 7 * 992 }; /* 2.7's shared ints take seven blocks */

/* The shared ints and the blocks they stand in belong to the process, as in CPython: to its
 * baseline. */
static void the_runtime_stands_before_the_first_phase(void **state)
{
    static const char *const names[] = {"del_collect", "list_lifetime"};
    static const char *const settings[] = {"profile", "2.7", NULL};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct witness witness;
        run_named(&witness, names[i], settings);
        assert_int_equal(witness.live_before, STARTUP_BYTES);
    }
}

static void on_2_7_only_a_collection_gives_ints_back(void **state)
{
    struct witness witness;
    static const char *const settings[] = {"way", "del_collect", "profile", "2.7", NULL};
    const uint64_t blocks_bytes =
        (uint64_t)((INTS - 25 + 40) / 41) * 992; /* 25: left free at start-up */

    (void)state;
    run_named(&witness, "del_collect", settings);
    /* The list object is one of those that the start left: not live in the allocator. */
    assert_int_equal(witness.object_bytes[0], 72 + TINY * 8 + INTS * 24);
    assert_int_equal(witness.live_bytes[0], STARTUP_BYTES + blocks_bytes + (uint64_t)TINY * 8);
    assert_int_equal(witness.object_bytes[1], 24); /* the loop variable */
    assert_int_equal(witness.live_bytes[1], STARTUP_BYTES + blocks_bytes);
    assert_int_equal(witness.object_bytes[2], 0);
    assert_int_equal(witness.live_bytes[2], STARTUP_BYTES + blocks_bytes);
    assert_int_equal(witness.live_bytes[3], STARTUP_BYTES);
    assert_int_equal(witness.frees[2], witness.frees[1]);
}

static void on_2_7_a_live_loop_variable_pins_one_block(void **state)
{
    struct witness witness;
    static const char *const settings[] = {"way", "collect_without_del", "profile", "2.7", NULL};

    (void)state;
    run_named(&witness, "del_collect", settings);
    assert_int_equal(witness.live_bytes[2], STARTUP_BYTES + 992);
}

static void on_3_11_ints_go_with_the_list(void **state)
{
    struct witness witness;
    static const char *const settings[] = {"way", "del_collect", "profile", "3.11", NULL};

    (void)state;
    run_named(&witness, "del_collect", settings);
    assert_int_equal(witness.object_bytes[0], 56 + TINY * 8 + INTS * 28);
    assert_int_equal(witness.live_bytes[0], TINY * 8 + INTS * 32);
    assert_int_equal(witness.live_bytes[1], 32);
    assert_int_equal(witness.live_bytes[2], 0);
    assert_int_equal(witness.live_bytes[3], 0);
}

static void a_lazy_source_never_holds_more_than_two_ints(void **state)
{
    struct witness witness;
    static const char *const on_2_7[] = {"source", "xrange", "profile", "2.7", NULL};
    static const char *const on_3_11[] = {"source", "xrange", "profile", "3.11", NULL};

    (void)state;
    run_named(&witness, "del_collect", on_2_7);
    assert_int_equal(witness.live_bytes[0], STARTUP_BYTES);
    run_named(&witness, "del_collect", on_3_11);
    assert_int_equal(witness.live_bytes[0], 32);
    assert_int_equal(witness.gauge.operations, 2 * INTS); /* each made, and each dropped */
}

static void a_cycle_is_unreachable_but_live_until_collected(void **state)
{
    struct witness witness;
    static const char *const settings[] = {"how", "cycle_collect", "profile", "3.11", NULL};

    (void)state;
    run_named(&witness, "list_lifetime", settings);
    assert_true(witness.object_bytes[0] > (uint64_t)2 * INTS * 28);
    assert_int_equal(witness.object_bytes[1], 0);
    assert_int_equal(witness.live_bytes[1], witness.live_bytes[0]);
    assert_int_equal(witness.live_bytes[2], 0);
    assert_int_equal(witness.object_bytes[2], 0);
}

static void a_global_or_returned_list_outlives_its_function(void **state)
{
    static const char *const hows[] = {"global", "returned", NULL};

    (void)state;
    for (size_t i = 0; hows[i]; i++) {
        struct witness witness;
        const char *const settings[] = {"how", hows[i], NULL};
        run_named(&witness, "list_lifetime", settings);
        assert_int_equal(witness.object_bytes[1], witness.object_bytes[0]);
    }
}

static void a_slice_copies_references_and_a_name_nothing(void **state)
{
    struct witness witness;
    static const char *const slice[] = {"how", "slice", "profile", "3.11", NULL};
    static const char *const name[] = {"how", "name", "profile", "3.11", NULL};

    (void)state;
    run_named(&witness, "slice_copy", slice);
    assert_int_equal(witness.object_bytes[1] - witness.object_bytes[0], 56 + TINY * 8);
    assert_int_equal(witness.object_bytes[2], witness.object_bytes[0]);
    run_named(&witness, "slice_copy", name);
    assert_int_equal(witness.object_bytes[1], witness.object_bytes[0]);
}

static void one_int_in_k_outlives_its_list(void **state)
{
    struct witness witness;
    static const char *const settings[] = {"n", "1k", "k", "100", "profile", "3.11", NULL};
    const uint64_t kept = 56 + 10 * 8 + 7 * 28; /* 0, 100 and 200 are shared */

    (void)state;
    run_named(&witness, "pinning", settings);
    assert_int_equal(witness.object_bytes[1] - witness.object_bytes[0], 56 + 10 * 8);
    assert_int_equal(witness.object_bytes[2], kept);
    assert_int_equal(witness.object_bytes[3], kept);
    assert_int_equal(witness.object_bytes[4], 0);
}

static void a_set_keeps_one_of_each_value(void **state)
{
    struct witness few, all;
    static const char *const of_few[] = {"n", "3k", "distinct", "few", "profile", "3.11", NULL};
    static const char *const of_all[] = {"n", "3k", "distinct", "all", "profile", "3.11", NULL};
    /* A table of 16 bytes a slot grows fourfold once three in five are used. */
    const uint64_t few_bytes = 216 + 2048 * 16 + INTS * 28;
    const uint64_t all_bytes = 216 + 8192 * 16 + (3000 - 257) * 28;

    (void)state;
    run_named(&few, "dedupe_set", of_few);
    run_named(&all, "dedupe_set", of_all);
    assert_int_equal(few.object_bytes[2], few_bytes);
    assert_int_equal(all.object_bytes[2], all_bytes);
}

static void interned_strings_are_one_of_each_value(void **state)
{
    struct witness interned, separate;
    static const char *const one[] = {"n", "3k", "how", "interned", "profile", "3.11", NULL};
    static const char *const many[] = {"n", "3k", "how", "separate", "profile", "3.11", NULL};

    (void)state;
    run_named(&interned, "interning", one);
    run_named(&separate, "interning", many);
    /* 69 bytes a string; those that are interned are in a dict of a thousand. */
    assert_int_equal(separate.object_bytes[0] - interned.object_bytes[0],
                     UINT64_C(2000) * 69 - 26032);
}

static void a_bounded_history_stays_as_it_is(void **state)
{
    struct witness bounded, all;
    static const char *const some[] = {"n",  "3k",      "history", "bounded", "maxlen",
                                       "10", "profile", "3.11",    NULL};
    static const char *const every[] = {"n", "3k", "history", "deque", "profile", "3.11", NULL};

    (void)state;
    run_named(&bounded, "bounded_history", some);
    run_named(&all, "bounded_history", every);
    assert_int_equal(bounded.object_bytes[0], 760 + 10 * 28); /* with a block of 528 */
    assert_true(all.object_bytes[0] > 3000 * 8 + (3000 - 257) * 28);
    assert_int_equal(all.object_bytes[1], 760);
}

/* As a real 3.11 has it: room for 3,248 items. */
static void a_list_as_history_has_the_room_of_one_that_grew(void **state)
{
    struct witness witness;
    static const char *const settings[] = {"n", "3k", "history", "list", "profile", "3.11", NULL};

    (void)state;
    run_named(&witness, "bounded_history", settings);
    assert_int_equal(witness.object_bytes[0], 56 + 3248 * 8 + (3000 - 257) * 28);
    assert_int_equal(witness.object_bytes[1], 56);
    assert_int_equal(witness.object_bytes[2], 0);
}

static void a_generator_holds_one_number_and_a_list_all(void **state)
{
    struct witness generator, list;
    static const char *const lazy[] = {"numbers", "generator", "profile", "3.11", NULL};
    static const char *const eager[] = {"numbers", "list", "profile", "3.11", NULL};

    (void)state;
    run_named(&generator, "generator_vs_list", lazy);
    run_named(&list, "generator_vs_list", eager);
    assert_true(generator.object_bytes[0] < 500);
    assert_true(list.object_bytes[0] > 56 + (uint64_t)TINY * 8 + (uint64_t)INTS * 28);
    /* The last number went with the generator's frame. */
    assert_true(generator.object_bytes[1] < 500);
    assert_int_equal(generator.object_bytes[3], 0);
}

static void cycles_stay_until_collected_and_weak_ones_do_not(void **state)
{
    static const char *const shapes[] = {"two_lists", "rings", "parents_strong", NULL};
    struct witness witness;
    static const char *const weak[] = {"shape", "parents_weak", "profile", "3.11", NULL};

    (void)state;
    for (size_t i = 0; shapes[i]; i++) {
        const char *const settings[] = {"shape", shapes[i], "profile", "3.11", NULL};
        run_named(&witness, "cycles", settings);
        uint64_t left_bytes = witness.live_bytes[2];
        assert_int_equal(witness.object_bytes[1], witness.object_bytes[2]);
        assert_true(witness.live_bytes[1] > left_bytes + (uint64_t)TINY * 50);
        assert_true(left_bytes < 2000);
    }
    run_named(&witness, "cycles", weak);
    assert_true(witness.live_bytes[0] > (uint64_t)TINY * 100);
    assert_true(witness.live_bytes[1] < 2000);
}

static void waste_is_as_large_as_the_article_has_it(void **state)
{
    struct witness dropped, retained;
    static const char *const drop[] = {"n", "10k", "values", "dropped", "profile", "3.11", NULL};
    static const char *const retain[] = {"n", "10k", "values", "retained", "profile", "3.11", NULL};
    /* An object of 56 and its values, 24, on most of them; a hundred bytes in 133. */
    const uint64_t objects_bytes = (uint64_t)100 * 100 * (56 + 24 + 133);

    (void)state;
    run_named(&dropped, "waste", drop);
    run_named(&retained, "waste", retain);
    assert_true(dropped.object_bytes[0] > objects_bytes);
    assert_true(dropped.object_bytes[0] < objects_bytes + (uint64_t)100 * 1000 + 10000);
    assert_true(dropped.object_bytes[1] < 1000);
    assert_int_equal(retained.object_bytes[2], retained.object_bytes[0]);
    assert_int_equal(retained.object_bytes[0], dropped.object_bytes[0]);
}

static void no_collection_frees_what_a_global_names(void **state)
{
    struct witness global, local;
    static const char *const of_module[] = {"seen", "global", "profile", "3.11", NULL};
    static const char *const of_function[] = {"seen", "local", "profile", "3.11", NULL};

    (void)state;
    run_named(&global, "global_leak", of_module);
    run_named(&local, "global_leak", of_function);
    /* What goes at last: a dict, a text of a hundred and an int each, and the room of the list. */
    assert_int_equal(global.object_bytes[0] - global.object_bytes[2],
                     (uint64_t)TINY * (184 + 149) + (uint64_t)INTS * 28 + (uint64_t)1100 * 8);
    assert_int_equal(global.object_bytes[1], global.object_bytes[0]);
    assert_true(global.object_bytes[2] < 1000);
    assert_true(local.object_bytes[0] < 1000);
}

static void on_2_7_no_other_type_gets_what_floats_leave(void **state)
{
    struct witness witness;
    static const char *const settings[] = {"kind", "float", "profile", "2.7", NULL};
    const uint64_t blocks_bytes = (uint64_t)((TINY + 40) / 41) * 992;

    (void)state;
    run_named(&witness, "free_list_pressure", settings);
    assert_int_equal(witness.object_bytes[1], 0);
    assert_true(witness.live_bytes[1] >= blocks_bytes);
    /* Again they serve floats; under strings they wait. */
    assert_int_equal(witness.live_bytes[2], witness.live_bytes[0]);
    assert_true(witness.live_bytes[4] >= witness.object_bytes[4] + blocks_bytes);
    assert_true(witness.live_bytes[6] < blocks_bytes);
}

static void on_3_11_a_free_list_keeps_a_hundred_floats(void **state)
{
    struct witness witness;
    static const char *const settings[] = {"kind", "float", "profile", "3.11", NULL};

    (void)state;
    run_named(&witness, "free_list_pressure", settings);
    /* The list that held them is one that the interpreter's start left: no allocator gave it. */
    assert_int_equal(witness.live_bytes[1], 100 * 24);
    assert_int_equal(witness.live_bytes[6], 0);
}

static void a_waiting_task_holds_its_frame_and_its_locals(void **state)
{
    struct witness cancelled, finished;
    static const char *const cancel[] = {"end", "cancelled", "profile", "3.11", NULL};
    static const char *const finish[] = {"end", "finished", "profile", "3.11", NULL};

    (void)state;
    run_named(&cancelled, "async_tasks", cancel);
    run_named(&finished, "async_tasks", finish);
    assert_true(cancelled.object_bytes[0] > (uint64_t)TINY * (232 + 8 + 28) + (uint64_t)INTS * 28);
    assert_int_equal(cancelled.object_bytes[1], 0);
    assert_int_equal(finished.object_bytes[0], cancelled.object_bytes[0]);
    assert_int_equal(finished.object_bytes[1],
                     finished.object_bytes[0] - (uint64_t)(TINY + INTS) * 28);
}

static void users_that_point_to_themselves_wait_for_a_collection(void **state)
{
    static const char *const collects[] = {"batch", "never", "disabled"};
    struct witness cyclic[3], acyclic;
    static const char *const none[] = {"n",     "5k",      "batch",   "100",  "collect", "disabled",
                                       "links", "acyclic", "profile", "3.11", NULL};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const char *const settings[] = {"n",         "5k",      "batch", "100", "collect",
                                        collects[i], "profile", "3.11",  NULL};
        run_named(&cyclic[i], "user_batches", settings);
        /* What is unreachable is no object of the program's, found or not. */
        assert_true(cyclic[i].object_bytes[0] < 1000);
    }
    assert_true(cyclic[0].live_bytes[0] < 2000);
    assert_true(cyclic[1].live_bytes[0] > (uint64_t)100 * 8000);
    assert_true(cyclic[1].live_bytes[0] < (uint64_t)4000 * 8000);
    assert_true(cyclic[2].live_bytes[0] > (uint64_t)5000 * 8000);
    assert_true(cyclic[2].live_bytes[2] < 2000);
    run_named(&acyclic, "user_batches", none);
    assert_true(acyclic.live_bytes[0] < (uint64_t)80 * (64 + 120 + 56) + 1000); /* free lists */
}

static void kept_reports_grow_with_the_users(void **state)
{
    struct witness kept;
    static const char *const settings[] = {"n", "2k", "results", "kept", "profile", "3.11", NULL};

    (void)state;
    run_named(&kept, "user_batches", settings);
    assert_true(kept.object_bytes[0] > (uint64_t)2000 * (449 + 8));
    assert_true(kept.object_bytes[0] < (uint64_t)2000 * (449 + 8) + 5000);
    assert_true(kept.object_bytes[1] < 1000);
}

/* Two batches of a hundred users and one of fifty: a report each. */
static void the_last_batch_is_what_is_left(void **state)
{
    struct witness kept;
    static const char *const settings[] = {"n",    "250",     "batch", "100", "results",
                                           "kept", "profile", "3.11",  NULL};

    (void)state;
    run_named(&kept, "user_batches", settings);
    assert_true(kept.object_bytes[0] > (uint64_t)250 * (449 + 8));
    assert_true(kept.object_bytes[0] < (uint64_t)260 * (449 + 8));
}

static void what_is_compressed_comes_back_as_large_as_it_was(void **state)
{
    static const char *const profiles[] = {"2.7", "3.8", "3.11"};
    static const uint64_t head_bytes[] = {37, 33, 33}; /* with the zero at the end */

    (void)state;
    for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++) {
        struct witness lines, random, shortest;
        const char *const repeat[] = {"n", "640k", "profile", profiles[i], NULL};
        const char *const noise[] = {"n", "640k", "data", "random", "profile", profiles[i], NULL};
        const char *const few[] = {"n", "8", "data", "random", "profile", profiles[i], NULL};
        run_named(&lines, "compress", repeat);
        run_named(&random, "compress", noise);
        run_named(&shortest, "compress", few);
        assert_int_equal(lines.object_bytes[0], head_bytes[i] + 640000);
        assert_int_equal(lines.object_bytes[3] - lines.object_bytes[2], lines.object_bytes[0]);
        assert_true(lines.object_bytes[2] < 640000 / 100);
        /* Random bytes do not shrink, and few of any kind grow. */
        assert_true(random.object_bytes[2] > random.object_bytes[0]);
        assert_true(random.object_bytes[2] < random.object_bytes[0] + 1000);
        assert_true(shortest.object_bytes[2] > shortest.object_bytes[0]);
        assert_int_equal(random.object_bytes[3] - random.object_bytes[2], random.object_bytes[0]);
    }
}

/* Each figure is of zlib.decompress() of 640,000 bytes. A block that grows in place is no free. */
static void output_doubles_to_3_8_and_is_joined_of_blocks_later(void **state)
{
    static const char *const profiles[] = {"2.7", "3.8", "3.11", "3.13"};
    enum { ZLIB = 2, JOINED = 4 }; /* blocks: its state and window; of 16, 64, 256 and 1024 KiB */

    (void)state;
    for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++) {
        struct witness witness;
        const char *const settings[] = {"n", "640k", "profile", profiles[i], NULL};
        run_named(&witness, "compress", settings);
        assert_int_equal(witness.frees[3] - witness.frees[2], ZLIB + (i < 2 ? 0 : JOINED));
    }
}

static void threads_in_turn_hold_one_list_each(void **state)
{
    static const char *const threads[] = {"1", "2", "4", "8"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct witness witness;
        const char *const settings[] = {"n", "16k", "threads", threads[i], "profile", "3.11", NULL};
        run_named(&witness, "threads_shared", settings);
        /* A thousand strings of 99 bytes, in lists that have some room to spare. */
        assert_true(witness.object_bytes[0] > (uint64_t)1000 * (99 + 8));
        assert_true(witness.object_bytes[0] < (uint64_t)1000 * (99 + 9) + (uint64_t)8 * 100);
        assert_int_equal(witness.object_bytes[1], 0);
        /* All strings together are n, and a list is made each turn. */
        assert_int_equal(witness.gauge.operations, 2 * (16000 + (16 << i)));
    }
}

/* Parameters. */

static const struct parameter count_parameter = {
    .name = "n", .kind = PARAMETER_COUNT, .minimum = 1, .maximum = 100000000};
static const char *const colours[] = {"red", "blue", NULL};
static const struct parameter choice_parameter = {
    .name = "colour", .kind = PARAMETER_CHOICE, .choices = colours};
static const struct parameter any_parameter = {
    .name = "any", .kind = PARAMETER_COUNT, .minimum = 0, .maximum = UINT64_MAX};

static void counts_are_read_with_their_suffixes(void **state)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {{"0", 0},
                {"7", 7},
                {"0012", 12},
                {"10k", 10000},
                {"10M", 10000000},
                {"3G", UINT64_C(3000000000)},
                {"18446744073709551615", UINT64_MAX}};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t value = 42;
        assert_int_equal(parameter_parse(&any_parameter, good[i].text, &value), 0);
        assert_int_equal(value, good[i].value);
    }
}

static void check_refused(const struct parameter *parameter, const char *text, int error)
{
    uint64_t value = 42;

    assert_int_equal(parameter_parse(parameter, text, &value), error);
    assert_int_equal(value, 42);
}

static void what_is_no_count_is_refused(void **state)
{
    static const char *const bad[] = {"",     "k",   "-1",   "+1",   " 1",   "1 ",
                                      "1.5M", "10K", "10kk", "10Mi", "0x10", "ten"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_refused(&any_parameter, bad[i], -EINVAL);
}

static void a_count_out_of_bounds_or_too_long_is_refused(void **state)
{
    (void)state;
    check_refused(&count_parameter, "0", -ERANGE);
    check_refused(&count_parameter, "100000001", -ERANGE);
    check_refused(&count_parameter, "1G", -ERANGE);
    check_refused(&any_parameter, "18446744073709551616", -ERANGE);
    check_refused(&any_parameter, "99999999999999999999999", -ERANGE);
    check_refused(&any_parameter, "18446744073709552k", -ERANGE);
    uint64_t value;
    assert_int_equal(parameter_parse(&count_parameter, "1", &value), 0);
    assert_int_equal(parameter_parse(&count_parameter, "100M", &value), 0);
}

static void choices_are_read_by_their_whole_name(void **state)
{
    uint64_t value;

    (void)state;
    assert_int_equal(parameter_parse(&choice_parameter, "blue", &value), 0);
    assert_int_equal(value, 1);
    check_refused(&choice_parameter, "blu", -EINVAL);
    check_refused(&choice_parameter, "Blue", -EINVAL);
    check_refused(&choice_parameter, "1", -EINVAL);
    check_refused(&choice_parameter, "", -EINVAL);
}

static void a_formatted_value_reads_back_as_itself(void **state)
{
    char text[32];
    uint64_t value;

    (void)state;
    assert_string_equal(parameter_format(&count_parameter, 10000000, text, sizeof text),
                        "10000000");
    assert_int_equal(parameter_parse(&count_parameter, text, &value), 0);
    assert_int_equal(value, 10000000);
    assert_string_equal(parameter_format(&choice_parameter, 1, text, sizeof text), "blue");
    assert_int_equal(parameter_parse(&choice_parameter, text, &value), 0);
    assert_int_equal(value, 1);
}

static void every_default_of_the_registry_is_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < workload_registry_count; i++) {
        const struct workload *workload = workload_registry[i];
        for (size_t p = 0; workload->parameters[p].name; p++) {
            uint64_t value;
            assert_true(p < WORKLOAD_PARAMETERS);
            assert_int_equal(
                parameter_parse(&workload->parameters[p], workload->parameters[p].quick, &value),
                0);
            assert_int_equal(
                parameter_parse(&workload->parameters[p], workload->parameters[p].full, &value), 0);
        }
    }
}

static void a_workload_is_found_by_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < workload_registry_count; i++)
        assert_ptr_equal(workload_find(workload_registry[i]->name), workload_registry[i]);
    assert_null(workload_find("no_such_workload"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_runs_once_more_as_the_first_time),
        cmocka_unit_test(no_phase_has_a_name_of_the_harness),
        cmocka_unit_test(each_run_gives_back_all_that_it_took),
        cmocka_unit_test(the_checksum_is_the_same_on_every_allocator),
        cmocka_unit_test(idle_comes_last_and_only_when_asked_for),
        cmocka_unit_test(running_out_of_memory_is_an_error_and_no_leak),
        cmocka_unit_test(the_smallest_count_runs),
        cmocka_unit_test(each_workload_does_less_at_a_smaller_scale),
        cmocka_unit_test(what_does_not_scale_stays),
        cmocka_unit_test(the_runtime_stands_before_the_first_phase),
        cmocka_unit_test(del_collect_has_its_phases_in_order),
        cmocka_unit_test(list_lifetime_has_its_phases_in_order),
        cmocka_unit_test(the_other_experiments_have_their_phases_in_order),
        cmocka_unit_test(on_2_7_only_a_collection_gives_ints_back),
        cmocka_unit_test(on_2_7_a_live_loop_variable_pins_one_block),
        cmocka_unit_test(on_3_11_ints_go_with_the_list),
        cmocka_unit_test(a_lazy_source_never_holds_more_than_two_ints),
        cmocka_unit_test(a_cycle_is_unreachable_but_live_until_collected),
        cmocka_unit_test(a_global_or_returned_list_outlives_its_function),
        cmocka_unit_test(a_slice_copies_references_and_a_name_nothing),
        cmocka_unit_test(one_int_in_k_outlives_its_list),
        cmocka_unit_test(a_set_keeps_one_of_each_value),
        cmocka_unit_test(interned_strings_are_one_of_each_value),
        cmocka_unit_test(a_bounded_history_stays_as_it_is),
        cmocka_unit_test(a_list_as_history_has_the_room_of_one_that_grew),
        cmocka_unit_test(a_generator_holds_one_number_and_a_list_all),
        cmocka_unit_test(cycles_stay_until_collected_and_weak_ones_do_not),
        cmocka_unit_test(waste_is_as_large_as_the_article_has_it),
        cmocka_unit_test(no_collection_frees_what_a_global_names),
        cmocka_unit_test(on_2_7_no_other_type_gets_what_floats_leave),
        cmocka_unit_test(on_3_11_a_free_list_keeps_a_hundred_floats),
        cmocka_unit_test(a_waiting_task_holds_its_frame_and_its_locals),
        cmocka_unit_test(users_that_point_to_themselves_wait_for_a_collection),
        cmocka_unit_test(kept_reports_grow_with_the_users),
        cmocka_unit_test(the_last_batch_is_what_is_left),
        cmocka_unit_test(what_is_compressed_comes_back_as_large_as_it_was),
        cmocka_unit_test(output_doubles_to_3_8_and_is_joined_of_blocks_later),
        cmocka_unit_test(threads_in_turn_hold_one_list_each),
        cmocka_unit_test(counts_are_read_with_their_suffixes),
        cmocka_unit_test(what_is_no_count_is_refused),
        cmocka_unit_test(a_count_out_of_bounds_or_too_long_is_refused),
        cmocka_unit_test(choices_are_read_by_their_whole_name),
        cmocka_unit_test(a_formatted_value_reads_back_as_itself),
        cmocka_unit_test(every_default_of_the_registry_is_accepted),
        cmocka_unit_test(a_workload_is_found_by_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
