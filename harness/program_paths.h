/*
 * Where the parts of this installation lie: the programs that run samples, and the scripts. Leaves
 * out any path from the time of the build, so that a prefix can be moved, and PATH, so that the
 * parts are those of the same build.
 */
#ifndef TIDEMARK_HARNESS_PROGRAM_PATHS_H
#define TIDEMARK_HARNESS_PROGRAM_PATHS_H

enum { PROGRAM_PATH_BYTES = 1024, PROGRAM_PATHS_ERROR_BYTES = PROGRAM_PATH_BYTES + 128 };

struct program_paths {
    char child[PROGRAM_PATH_BYTES];            /* tidemark-child */
    char describe[PROGRAM_PATH_BYTES];         /* tidemark-describe */
    char micro[PROGRAM_PATH_BYTES];            /* tidemark-micro */
    char check[PROGRAM_PATH_BYTES];            /* tidemark-check */
    char graph[PROGRAM_PATH_BYTES];            /* tidemark-graph */
    char sites[PROGRAM_PATH_BYTES];            /* tidemark-sites */
    char snapshot_library[PROGRAM_PATH_BYTES]; /* libtidemark-snapshot.so */
    char record_library[PROGRAM_PATH_BYTES];   /* libtidemark-record.so */
    char witness_library[PROGRAM_PATH_BYTES];  /* libtidemark-witness.so */
    char python_folder[PROGRAM_PATH_BYTES];    /* workloads/python */
    char drivers_folder[PROGRAM_PATH_BYTES];   /* workloads/programs */
    char report_script[PROGRAM_PATH_BYTES];    /* plot/report.py */
    char trace_script[PROGRAM_PATH_BYTES];     /* plot/trace.py */
    char advise_script[PROGRAM_PATH_BYTES];    /* plot/advise.py */
    char history_script[PROGRAM_PATH_BYTES];   /* plot/history.py */
    char compare_script[PROGRAM_PATH_BYTES];   /* plot/compare.py */
    char selftest_script[PROGRAM_PATH_BYTES];  /* plot/selftest.py */
    char planted_library[PROGRAM_PATH_BYTES];  /* libtidemark-planted.so */
    char recorded[PROGRAM_PATH_BYTES];         /* recorded.json */
};

/*
 * Finds the parts relative to the running program: beside it, as in a build tree, else where an
 * installation has them. Either has them all or does not count. Returns 0, or a negative errno with
 * the missing file named in `error` (PROGRAM_PATHS_ERROR_BYTES); `paths` is then untouched.
 */
int program_paths_find(struct program_paths *paths, char *error);

#endif
