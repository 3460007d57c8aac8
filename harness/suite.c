/*
 * Which suites there are, in the order in which they are listed, and rows that several have. Leaves
 * out their lines (harness/suite_allocators.c, harness/suite_python.c).
 */
#include "harness/suite.h"

#include "harness/suite_rows.h"

#include <string.h>

const char *const rows_beneath_2_7[] = {
    "pymalloc", "pymalloc@glibc+tcache_count:0", "pymalloc@jemalloc", "pymalloc@mimalloc", NULL,
};

const char *const rows_four[] = {"pymalloc", "glibc", "jemalloc", "mimalloc", NULL};

const char *const rows_cpython[] = {"cpython", NULL};

const char *const rows_pymalloc[] = {"pymalloc", NULL};

const struct suite *const suite_registry[] = {
    &suite_quick,     &suite_return,   &suite_classic,       &suite_regions, &suite_threads,
    &suite_python,    &suite_programs, &suite_full,          &suite_layers,  &suite_pymalloc,
    &suite_survivors, &suite_fidelity, &suite_fidelity_full,
};
const size_t suite_registry_count = sizeof suite_registry / sizeof suite_registry[0];

const struct suite *suite_find(const char *name)
{
    for (size_t i = 0; i < suite_registry_count; i++) {
        if (strcmp(suite_registry[i]->name, name) == 0)
            return suite_registry[i];
    }
    return NULL;
}
