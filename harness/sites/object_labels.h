/*
 * Labels blocks by what the object runtime says they are (workloads/objects/observed.h). Leaves out
 * blocks of workloads without one, which stay without a label.
 */
#ifndef TIDEMARK_HARNESS_SITES_OBJECT_LABELS_H
#define TIDEMARK_HARNESS_SITES_OBJECT_LABELS_H

#include "harness/sites/recorder.h"

/* From now on; `recorder` outlives the workload. */
void object_labels_begin(struct recorder *recorder);

#endif
