/*
 * One figure of `tidemark overhead`: what it is, and what all its rounds come to. Leaves out how it
 * is measured.
 */
#ifndef TIDEMARK_HARNESS_OVERHEAD_FIGURE_H
#define TIDEMARK_HARNESS_OVERHEAD_FIGURE_H

#include <jansson.h>
#include <stddef.h>

struct overhead_figure {
    const char *name, *summary, *unit;
    double aim;   /* at most; 0: none */
    int is_least; /* 1: the aim is that at least */
};

/* As harness/overhead.h has it, of `count` values, which are sorted. The caller owns it.
 * Thread-safe. */
json_t *overhead_figure_to_json(const struct overhead_figure *figure, double *values, size_t count);

#endif
