/*
 * The child's side of a census: what the object allocator tells of its pools, as lines of text on a
 * descriptor, phase by phase. Leaves out JSON and checks, which are the parent's
 * (harness/census.h).
 *
 * A line is a letter, and words after a blank each; numbers are decimal but for `a`:
 *
 *     v VERSION                      once, of the object allocator; the rest of the line
 *     n NAME OBJECT_BYTES LIVE_BYTES a phase begins
 *     f NAME VALUE                   a figure of it
 *     c BLOCK_BYTES POOLS IN_USE AVAILABLE
 *     a BASE                         an arena, hexadecimal
 *     p BLOCK_BYTES IN_USE           the next pool of that arena
 *     e                              the phase is whole
 */
#ifndef TIDEMARK_HARNESS_CENSUS_CHILD_H
#define TIDEMARK_HARNESS_CENSUS_CHILD_H

#include "harness/child_pass.h"

extern const struct child_pass census_child_pass;

/* Starts a census of the allocator whose `version` this is, written to `fd`. One per process at a
 * time. */
void census_child_begin(int fd, const char *version);

/*
 * Writes what `ops` holds at the end of `phase`. An allocator without a census writes a phase
 * without a figure. What cannot be written is left out, and the phase is then not whole. Not
 * thread-safe.
 */
void census_child_phase(const struct allocator_ops *ops, const struct page_phase *phase);

#endif
