/*
 * The suites: named lists of workloads, rows and hosts. Leaves out sizes, which are the workloads'
 * own defaults.
 */
#ifndef TIDEMARK_HARNESS_SUITE_H
#define TIDEMARK_HARNESS_SUITE_H

#include "harness/plan.h"

/* In which ways the cells of a line give back. */
struct suite_ways {
    const struct return_way *ways;
    size_t count;
};

/* One line of a suite: a workload (with sweeps) on rows, on one host. */
struct suite_line {
    const char *workload;
    const char *const *rows; /* NULL-terminated */
    const char *host;
    unsigned rounds;               /* 0: as the run says */
    uint64_t idle_ns;              /* 0: as the run says */
    const struct suite_ways *ways; /* NULL: as every allocator comes */
};

struct suite {
    const char *name;
    const char *summary;
    enum workload_size size;
    unsigned rounds;
    uint64_t idle_ns;
    const struct suite_line *lines;   /* ends with workload == NULL */
    const struct suite *const *parts; /* whose lines it has too, at its own size and rounds, but
                                         with their idle times; NULL-terminated, or NULL */
    const char *passes;               /* as --passes takes them; NULL: census */
};

extern const struct suite suite_quick, suite_return, suite_classic, suite_regions, suite_threads,
    suite_python, suite_programs, suite_full, suite_layers, suite_pymalloc, suite_survivors,
    suite_fidelity, suite_fidelity_full;

extern const struct suite *const suite_registry[];
extern const size_t suite_registry_count;

/* The suite of that name, or NULL. Thread-safe. */
const struct suite *suite_find(const char *name);

#endif
