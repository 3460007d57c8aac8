/*
 * Labels blocks by what the object runtime says they are (workloads/objects/observed.h). Leaves out
 * blocks of workloads without one, which stay without a label.
 */
#ifndef TIDEMARK_HARNESS_SITES_OBJECT_LABELS_H
#define TIDEMARK_HARNESS_SITES_OBJECT_LABELS_H

#include "harness/sites/recorder.h"

/* The running stack as a node of the recorder's tree, from the frame that `frame` is the record of
 * and that returns to `return_address`. */
typedef uint32_t object_labels_stack(const void *frame, void *return_address);

/* From now on; `recorder` outlives the workload. */
void object_labels_begin(struct recorder *recorder, object_labels_stack *stack);

#endif
