/*
 * The pass `pages` as a child knows it. Leaves out everything else, which its file has.
 */
#ifndef TIDEMARK_HARNESS_PAGES_CHILD_H
#define TIDEMARK_HARNESS_PAGES_CHILD_H

#include "harness/child_pass.h"

extern const struct child_pass pages_child_pass;

#endif
