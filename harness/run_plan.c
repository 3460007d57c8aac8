/*
 * Multiplies out what was asked for: lines of suites, workloads, hosts and ways to give back.
 * Leaves out swept values and rows, which one request has many of (harness/plan.c).
 */
#include "harness/run_plan.h"

#include "harness/grammar.h"

#include <errno.h>
#include <stdio.h>

enum {
    USUAL_ROUNDS = 6,
    USUAL_IDLE_NS = 500000000,
    MOST_WAYS = RETURN_MODES * RETURN_THPS * RUN_MOST_INTERVALS
};

/* Rests of the mode idle: past the last of its moments. */
#define LONG_IDLE_NS UINT64_C(30000000000)

/* --- Ways. --- */

/* Those of a line, or those that were asked for. */
struct way_list {
    struct return_way ways[MOST_WAYS];
    size_t count;
};

/* Multiplies the options out, in their order; what was not given is as usual. */
static void list_ways(const struct run_ways *asked, struct way_list *list)
{
    const size_t modes = asked->mode_count ? asked->mode_count : 1;
    const size_t thps = asked->thp_count ? asked->thp_count : 1;
    const size_t activities = asked->activity_count ? asked->activity_count : 1;

    list->count = 0;
    for (size_t i = 0; i < modes * thps * activities; i++) {
        struct return_way way = {
            .mode = asked->mode_count ? asked->modes[i / thps / activities] : RETURN_STOCK,
            .thp = asked->thp_count ? asked->thps[i / activities % thps] : RETURN_THP_SYSTEM};
        if (way.mode == RETURN_IDLE && asked->activity_count)
            way.activity_ns = asked->activities_ns[i % activities];
        else if (i % activities > 0)
            continue; /* only the long rest is active */
        way.rebuilds = asked->rebuilds || way.mode != RETURN_STOCK;
        list->ways[list->count++] = way;
    }
}

static void ways_of_line(const struct run_ways *asked, const struct suite_line *line,
                         struct way_list *list)
{
    list_ways(asked, list);
    if (!line->ways || asked->mode_count + asked->thp_count > 0)
        return;
    for (list->count = 0; list->count < line->ways->count && list->count < MOST_WAYS; list->count++)
        list->ways[list->count] = line->ways->ways[list->count];
}

/* Adds the cells of the request in each way. */
static int add_ways(struct plan *plan, const struct run_choice *choice, const struct way_list *list,
                    const struct plan_request *asked, char *error)
{
    int failed = 0;

    for (size_t i = 0; i < list->count && !failed; i++) {
        struct plan_request request = *asked;
        request.way = list->ways[i];
        if (request.way.mode == RETURN_IDLE && choice->idle_ns == UINT64_MAX)
            request.idle_ns = LONG_IDLE_NS;
        failed = plan_add(plan, &request, error);
    }
    return failed;
}

/* --- Suites. --- */

static const struct suite *choose_suite(const char *name, char *error)
{
    const char *names[RUN_MOST_WORDS];
    const struct suite *suite = suite_find(name);
    size_t count = 0;

    if (suite)
        return suite;
    for (; count < suite_registry_count && count < RUN_MOST_WORDS; count++)
        names[count] = suite_registry[count]->name;
    snprintf(error, PLAN_ERROR_BYTES, "no suite is called '%.64s'", name);
    grammar_suggest(error, PLAN_ERROR_BYTES, name, names, count);
    return NULL;
}

static size_t count_rows(const char *const *rows)
{
    size_t count = 0;

    while (rows[count])
        count++;
    return count;
}

/* Puts the rows that were asked for, else `rows`, into the request. */
static void set_rows(struct plan_request *request, const struct run_choice *choice,
                     const char *const *rows)
{
    request->rows = choice->rows.count ? (const char *const *)choice->rows.texts : rows;
    request->row_count = choice->rows.count ? choice->rows.count : count_rows(rows);
}

/* A line of `part`, which is the suite itself or one that it takes in. */
static int add_line(struct plan *plan, const struct run_choice *choice, const struct suite *suite,
                    const struct suite *part, const struct suite_line *line, char *error)
{
    struct plan_request request = {
        .workload = line->workload,
        .host = line->host,
        .host_may_be_missing = 1,
        .once = 1, /* lines may meet in rows and ways that were asked for */
        .size = suite->size,
        .idle_ns = line->idle_ns                   ? line->idle_ns
                   : choice->idle_ns == UINT64_MAX ? part->idle_ns
                                                   : choice->idle_ns,
        .rounds = line->rounds     ? line->rounds
                  : choice->rounds ? (unsigned)choice->rounds
                                   : suite->rounds,
    };
    struct way_list ways;

    set_rows(&request, choice, line->rows);
    ways_of_line(&choice->ways, line, &ways);
    return add_ways(plan, choice, &ways, &request, error);
}

static int add_lines(struct plan *plan, const struct run_choice *choice, const struct suite *suite,
                     const struct suite *part, char *error)
{
    int failed = 0;

    for (const struct suite_line *line = part->lines; line && line->workload && !failed; line++)
        failed = add_line(plan, choice, suite, part, line, error);
    return failed;
}

static int add_suite(struct plan *plan, const struct run_choice *choice, char *error)
{
    const struct suite *suite = choose_suite(choice->suite ? choice->suite : "quick", error);

    if (!suite)
        return -EINVAL;
    snprintf(plan->suite, sizeof plan->suite, "%s", suite->name);
    int failed = add_lines(plan, choice, suite, suite, error);
    for (const struct suite *const *part = suite->parts; part && *part && !failed; part++)
        failed = add_lines(plan, choice, suite, *part, error);
    return failed;
}

const struct suite *run_plan_suite(const struct run_choice *choice)
{
    return choice->workload_count ? NULL : suite_find(choice->suite ? choice->suite : "quick");
}

/* --- Workloads. --- */

static int add_workload(struct plan *plan, const struct run_choice *choice, const char *workload,
                        const char *host, char *error)
{
    static const char *const usual_rows[] = {"pymalloc", "glibc",    "jemalloc",
                                             "mimalloc", "tcmalloc", NULL};
    struct plan_request request = {
        .workload = workload,
        .host = host,
        .size = SIZE_QUICK,
        .idle_ns = choice->idle_ns == UINT64_MAX ? USUAL_IDLE_NS : choice->idle_ns,
        .rounds = choice->rounds ? (unsigned)choice->rounds : USUAL_ROUNDS,
    };
    struct way_list ways;

    set_rows(&request, choice, usual_rows);
    list_ways(&choice->ways, &ways);
    return add_ways(plan, choice, &ways, &request, error);
}

static int add_workloads(struct plan *plan, const struct run_choice *choice, char *error)
{
    int failed = 0;

    for (size_t i = 0; i < choice->workload_count && !failed; i++) {
        if (choice->host_count == 0)
            failed = add_workload(plan, choice, choice->workloads[i], "objects", error);
        for (size_t j = 0; j < choice->host_count && !failed; j++)
            failed = add_workload(plan, choice, choice->workloads[i], choice->hosts[j], error);
    }
    return failed;
}

int run_plan_cells(struct plan *plan, const struct run_choice *choice, char *error)
{
    return choice->workload_count ? add_workloads(plan, choice, error)
                                  : add_suite(plan, choice, error);
}
