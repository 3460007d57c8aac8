/*
 * The child's side of the latency pass (harness/child_pass.h). Leaves out all but its name: what it
 * writes, harness/latency_pass.c reads.
 */
#ifndef TIDEMARK_HARNESS_LATENCY_CHILD_H
#define TIDEMARK_HARNESS_LATENCY_CHILD_H

#include "harness/child_pass.h"

extern const struct child_pass latency_child_pass;

#endif
