/*
 * Which cells a run has: those of a suite or of workloads, on which rows, in which ways to give
 * back. Leaves out one cell's values and availability (harness/plan.h), and the command line.
 */
#ifndef TIDEMARK_HARNESS_RUN_PLAN_H
#define TIDEMARK_HARNESS_RUN_PLAN_H

#include "harness/plan.h"
#include "harness/row_list.h"
#include "harness/suite.h"

enum { RUN_MOST_WORDS = 64, RUN_MOST_INTERVALS = 8 };

/* Each combination that there is, is a way (harness/return_way.h). */
struct run_ways {
    enum return_mode modes[RETURN_MODES];
    enum return_thp thps[RETURN_THPS];
    uint64_t activities_ns[RUN_MOST_INTERVALS];
    size_t mode_count, thp_count, activity_count;
    int rebuilds; /* 1: the mode stock too */
};

/* What was asked for. Strings are borrowed. */
struct run_choice {
    const char *suite;    /* NULL: quick, where there are no workloads */
    struct row_list rows; /* none: those of the suite, or the usual ones */
    const char *workloads[RUN_MOST_WORDS];
    size_t workload_count;
    const char *hosts[RUN_MOST_WORDS]; /* of the workloads; none: objects */
    size_t host_count;
    uint64_t rounds;  /* 0: as the suite says */
    uint64_t idle_ns; /* UINT64_MAX: as the suite says */
    struct run_ways ways;
};

/* The suite of the choice; NULL when it is of workloads, or there is none of that name. */
const struct suite *run_plan_suite(const struct run_choice *choice);

/*
 * Adds all cells of the choice, without controls. What several lines of a suite come to is
 * taken once, as the first of them has it. Returns 0, or a negative errno with a message in `error`
 * (PLAN_ERROR_BYTES); what was added stays.
 */
int run_plan_cells(struct plan *plan, const struct run_choice *choice, char *error);

#endif
