/*
 * An observed run: the observer is called where a measured child would take its figures, the
 * workload's runtime is there to look at, and a wrong argument is named. Each run is a process of
 * its own, as observe_run() may be called once.
 */
#define _GNU_SOURCE
#include "harness/observe.h"

#include "workloads/objects/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct seen {
    char calls[256];
    uint64_t live_bytes_of_build;
    int has_runtime;
};

static void see(struct seen *seen, const char *call)
{
    size_t used = strlen(seen->calls);

    snprintf(seen->calls + used, sizeof seen->calls - used, "%s ", call);
}

static int started(void *argument, struct workload_context *context)
{
    see(argument, "started");
    return context->objects ? EXIT_FAILURE : 0;
}

static void baseline(void *argument, struct workload_context *context)
{
    (void)context;
    see(argument, "baseline");
}

static void phase_ended(void *argument, struct workload_context *context, const char *phase)
{
    struct seen *seen = argument;

    see(seen, phase);
    if (strcmp(phase, "build") == 0)
        seen->live_bytes_of_build = context->gauge->live_bytes;
    seen->has_runtime = context->objects && context->objects->profile->major == 3;
}

static int refuse(void *argument, struct workload_context *context)
{
    (void)argument;
    (void)context;
    return 7;
}

/* Exit status 100 more when the observer did not see what `expected` says. */
static int run(const char *const *words, const char *expected, int refuses)
{
    char *argv[16];
    int argc = 0;
    struct seen seen = {.calls = ""};
    const struct observer observer = {.started = refuses ? refuse : started,
                                      .baseline = baseline,
                                      .phase_ended = phase_ended,
                                      .argument = &seen};

    for (; words[argc]; argc++)
        argv[argc] = strdup(words[argc]);
    argv[argc] = NULL;
    pid_t pid = fork();
    if (pid == 0) {
        int status = observe_run(argc, argv, &observer);
        int wrong = strcmp(seen.calls, expected) != 0 ||
                    (!status && (!seen.has_runtime || seen.live_bytes_of_build < 100000));
        _exit(status + (wrong ? 100 : 0));
    }
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void observer_sees_the_baseline_and_each_phase_once(void **state)
{
    const char *words[] = {"test",   "--object", "glibc",           "--workload", "waste", "--set",
                           "n=1000", "--set",    "values=retained", "--seed",     "7",     NULL};

    (void)state;
    assert_int_equal(run(words, "started baseline build return collect ", 0), 0);
}

static void idle_time_is_no_phase(void **state)
{
    const char *words[] = {"test",   "--object",   "pymalloc",      "--raw",
                           "glibc",  "--workload", "waste",         "--set",
                           "n=1000", "--idle-ns",  "1000000000000", NULL};

    (void)state;
    assert_int_equal(run(words, "started baseline build return collect ", 0), 0);
}

static void observer_may_refuse(void **state)
{
    const char *words[] = {"test", "--object", "glibc", "--workload", "waste", NULL};

    (void)state;
    assert_int_equal(run(words, "", 1), 7);
}

static void wrong_arguments_are_usage_errors(void **state)
{
    const char *const wrong[][8] = {
        {"test", "--object", "glibc", NULL},
        {"test", "--object", "glibc", "--workload", "nosuch", NULL},
        {"test", "--object", "glibc", "--workload", "waste", "--set", "n=0", NULL},
        {"test", "--object", "glibc", "--workload", "waste", "--set", "m=1", NULL},
        {"test", "--object", "glibc", "--workload", "waste", "--set", "n", NULL},
        {"test", "--object", "glibc", "--workload", "waste", "--seed", "x", NULL},
        {"test", "--object", "glibc", "--workload", "waste", "--census", "x", NULL},
        {"test", "--object", "glibc", "--workload", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(run(wrong[i], "", 0), OBSERVE_USAGE);
}

static void row_that_cannot_be_opened_says_so(void **state)
{
    const char *words[] = {"test", "--object", "/nosuch/library.so", "--workload", "waste", NULL};

    (void)state;
    assert_int_equal(run(words, "", 0), OBSERVE_NOT_AVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(observer_sees_the_baseline_and_each_phase_once),
        cmocka_unit_test(idle_time_is_no_phase),
        cmocka_unit_test(observer_may_refuse),
        cmocka_unit_test(wrong_arguments_are_usage_errors),
        cmocka_unit_test(row_that_cannot_be_opened_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
