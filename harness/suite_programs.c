/*
 * The suite of real programs. Leaves out what each does (workloads/programs).
 */
#include "harness/suite.h"

#include <stddef.h>

/* What can be preloaded into a program. */
static const char *const program_rows[] = {
    "glibc", "jemalloc", "mimalloc", "tcmalloc", "tbb", "pymalloc-locked", NULL,
};

static const struct suite_line programs_lines[] = {
    {"packaged:program=python_json|python_text|redis|sqlite|nginx|gcc|gxx|git|lua|perl|xz|zstd|"
     "ghostscript",
     program_rows, "objects", 0, 0, NULL},
    {0},
};

const struct suite suite_programs = {
    .name = "programs",
    .summary =
        "programs of Debian packages, as they come: Python, redis, sqlite, nginx, compilers, "
        "git, lua, perl, xz, zstd, ghostscript; 3 rounds",
    .size = SIZE_QUICK,
    .rounds = 3,
    .idle_ns = 0,
    .lines = programs_lines,
    .passes = "none",
};
