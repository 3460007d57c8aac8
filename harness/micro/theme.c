/*
 * What the themes share: registration by size, failures, the number of processors. Leaves out every
 * measured loop.
 */
#define _GNU_SOURCE
#include "harness/micro/theme.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>

static atomic_int failures; /* threads fail on their own */

void micro_fail(struct tidemark_gbench_state *state, const char *reason)
{
    atomic_fetch_add(&failures, 1);
    tidemark_gbench_skip_with_error(state, reason);
}

int micro_failures(void)
{
    return atomic_load(&failures);
}

int micro_processors(void)
{
    cpu_set_t allowed;

    /* It fails where there are more than the set has room for: then there is no lack of them. */
    return sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : CPU_SETSIZE;
}

/* The shim's `data` is not const, since it hands on what it got; no function here changes it. */
static void *as_data(const void *data)
{
    union {
        const void *given;
        void *taken;
    } pointer = {.given = data};

    return pointer.taken;
}

int micro_add(const char *name, tidemark_gbench_function *function, const void *data)
{
    return tidemark_gbench_register(name, function, as_data(data)) ? 0 : -ENOMEM;
}

int micro_add_sizes(const char *name, tidemark_gbench_function *function, const void *data,
                    const struct micro_values *sizes, enum micro_set set,
                    struct tidemark_gbench_registration **registration)
{
    static const char *const names[] = {"size"};
    struct tidemark_gbench_registration *added =
        tidemark_gbench_register(name, function, as_data(data));
    int error = added ? tidemark_gbench_name_arguments(added, names, 1) : -ENOMEM;

    if (!error && set == MICRO_EVERY)
        error = tidemark_gbench_add_range(added, sizes->low, sizes->high, sizes->multiplier);
    for (size_t i = 0; !error && set == MICRO_USUAL && i < sizes->usual_count; i++)
        error = tidemark_gbench_add_arguments(added, &sizes->usual[i], 1);
    if (!error && registration)
        *registration = added;
    return error;
}

int micro_add_pairs(const char *name, tidemark_gbench_function *function, const void *data,
                    const char *const names[2], const struct micro_arguments *pairs, size_t count)
{
    struct tidemark_gbench_registration *registration =
        tidemark_gbench_register(name, function, as_data(data));
    int error = registration ? tidemark_gbench_name_arguments(registration, names, 2) : -ENOMEM;

    for (size_t i = 0; !error && i < count; i++)
        error = tidemark_gbench_add_arguments(registration, pairs[i].values, 2);
    return error;
}
