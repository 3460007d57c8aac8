/*
 * An unmeasured run of a workload with an observer. Leaves out time, page and pipes: nothing that
 * is found this way depends on them. The order of baseline and phases is tidemark-child's.
 */
#include "harness/observe.h"

#include "harness/open_row.h"
#include "harness/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

const char observe_usage[] =
    "  --object NAME [--raw NAME]  the row: names of `tidemark list allocators`, or paths\n"
    "  --workload NAME [--set NAME=VALUE]... [--seed N] [--idle-ns N]\n"
    "                              the workload; idle time is accepted and not waited out\n";

struct arguments {
    const char *program;
    const char *object, *raw;
    const struct workload *workload;
    uint64_t values[WORKLOAD_PARAMETERS];
    uint64_t seed;
};

struct observed_run {
    const struct observer *observer;
    const char *phase; /* open, or NULL */
    int has_baseline;
};

static int usage_error(const struct arguments *arguments, const char *problem, const char *value)
{
    fprintf(stderr, "%s: %s%s\n", arguments->program, problem, value);
    return OBSERVE_USAGE;
}

static int use_workload(struct arguments *arguments, const char *name)
{
    arguments->workload = workload_find(name);
    if (!arguments->workload)
        return usage_error(arguments, "no workload is called ", name);
    const struct parameter *parameters = arguments->workload->parameters;
    for (size_t i = 0; parameters && parameters[i].name; i++)
        parameter_parse(&parameters[i], parameters[i].quick, &arguments->values[i]);
    return 0;
}

static int set_value(struct arguments *arguments, const char *assignment)
{
    const struct parameter *parameters =
        arguments->workload ? arguments->workload->parameters : NULL;
    const size_t length = strcspn(assignment, "=");

    for (size_t i = 0; assignment[length] && parameters && parameters[i].name; i++) {
        if (strlen(parameters[i].name) == length &&
            strncmp(parameters[i].name, assignment, length) == 0 &&
            parameter_parse(&parameters[i], assignment + length + 1, &arguments->values[i]) == 0)
            return 0;
    }
    return usage_error(arguments,
                       "no parameter of the workload before it, or no value of it: ", assignment);
}

static int set_number(const struct arguments *arguments, const char *flag, const char *text,
                      uint64_t *number)
{
    if (text_parse_number(text, 0, UINT64_MAX, number) == 0)
        return 0;
    fprintf(stderr, "%s: %s: '%s' is no number\n", arguments->program, flag, text);
    return OBSERVE_USAGE;
}

static int read_flag(struct arguments *arguments, const char *flag, const char *value)
{
    uint64_t not_waited_out;

    if (strcmp(flag, "--workload") == 0)
        return use_workload(arguments, value);
    if (strcmp(flag, "--set") == 0)
        return set_value(arguments, value);
    if (strcmp(flag, "--seed") == 0)
        return set_number(arguments, flag, value, &arguments->seed);
    if (strcmp(flag, "--idle-ns") == 0)
        return set_number(arguments, flag, value, &not_waited_out);
    if (strcmp(flag, "--object") == 0)
        arguments->object = value;
    else if (strcmp(flag, "--raw") == 0)
        arguments->raw = value;
    else
        return usage_error(arguments, "unknown flag ", flag);
    return 0;
}

static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
    int status = 0;

    for (int i = 1; i < argc && !status; i += 2)
        status = argv[i + 1] ? read_flag(arguments, argv[i], argv[i + 1])
                             : usage_error(arguments, "a value is missing after ", argv[i]);
    if (!status && (!arguments->object || !arguments->workload))
        return usage_error(arguments, "--object and --workload are both needed", "");
    return status;
}

static void end_phase(struct workload_context *context)
{
    struct observed_run *run = context->harness;
    const char *phase = run->phase;

    run->phase = NULL;
    if (phase)
        run->observer->phase_ended(run->observer->argument, context, phase);
}

static void begin_phase(struct workload_context *context, const char *name)
{
    struct observed_run *run = context->harness;

    end_phase(context);
    if (!run->has_baseline && run->observer->baseline)
        run->observer->baseline(run->observer->argument, context);
    run->has_baseline = 1;
    run->phase = name;
}

/* Never called: idle_ns is 0. */
static void sleep_not(struct workload_context *context, uint64_t duration_ns)
{
    (void)context;
    (void)duration_ns;
}

static int run_workload(const struct arguments *arguments, struct workload_context *context)
{
    const struct observer *observer = ((const struct observed_run *)context->harness)->observer;
    int status = observer->started ? observer->started(observer->argument, context) : 0;

    if (status)
        return status;
    int error = arguments->workload->run(context);
    end_phase(context);
    if (!error)
        return 0;
    fprintf(stderr, "%s: the workload %s ended with: %s\n", arguments->program,
            arguments->workload->name, strerror(-error));
    return OBSERVE_FAILED;
}

int observe_run(int argc, char **argv, const struct observer *observer)
{
    static struct open_row row;
    static struct workload_gauge gauge;
    struct arguments arguments = {.program = argv[0]};
    struct observed_run run = {.observer = observer};
    char reason[ALLOCATOR_TEXT_BYTES] = "";
    int status = read_arguments(argc, argv, &arguments);

    if (status)
        return status;
    if (open_row(&row, arguments.object, arguments.raw, reason) != 0) {
        fprintf(stderr, "%s: %s\n", arguments.program, reason);
        return OBSERVE_NOT_AVAILABLE;
    }
    struct workload_context context = {
        .object = &row.object,
        .raw = &row.raw,
        .gauge = &gauge,
        .workload = arguments.workload,
        .seed = arguments.seed,
        .begin_phase = begin_phase,
        .end_phase = end_phase,
        .sleep = sleep_not,
        .harness = &run,
    };
    memcpy(context.values, arguments.values, sizeof context.values);
    return run_workload(&arguments, &context);
}
