/*
 * The suites: named lists of workloads, rows and hosts. Leaves out sizes, which are the workloads'
 * own defaults.
 */
#ifndef TIDEMARK_HARNESS_SUITE_H
#define TIDEMARK_HARNESS_SUITE_H

#include "harness/plan.h"

/* One line of a suite: a workload (with sweeps) on rows, on one host. */
struct suite_line {
    const char *workload;
    const char *const *rows; /* NULL-terminated */
    const char *host;
    unsigned rounds;  /* 0: as the run says */
    uint64_t idle_ns; /* 0: as the run says */
};

/* In which ways the cells of a suite give back. */
struct suite_returns {
    const struct return_way *ways;
    size_t way_count;
    uint64_t idle_ns; /* of the mode idle */
};

struct suite {
    const char *name;
    const char *summary;
    enum workload_size size;
    unsigned rounds;
    uint64_t idle_ns;
    const struct suite_line *lines;      /* ends with workload == NULL */
    const struct suite_returns *returns; /* NULL: stock alone */
    const char *passes;                  /* as --passes takes them; NULL: census */
};

extern const struct suite suite_registry[];
extern const size_t suite_registry_count;

/* The suite of that name, or NULL. Thread-safe. */
const struct suite *suite_find(const char *name);

#endif
