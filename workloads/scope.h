/*
 * What dies together: the objects of a request, of a document, of a stage of a compiler. Either
 * each is a block, freed one by one at the end, or all of them lie in a region of the allocator,
 * which is reset. Leaves out who uses which. Source: regions as Tofte and Talpin (1997) and Hanson
 * (1990) have them; the comparison is that of Berger et al., "Reconsidering Custom Memory
 * Allocation", OOPSLA 2002.
 */
#ifndef TIDEMARK_WORKLOADS_SCOPE_H
#define TIDEMARK_WORKLOADS_SCOPE_H

#include "workloads/block.h"

enum scope_how { SCOPE_BLOCKS, SCOPE_REGION };

/* All zero but `how`, `slots` and `most`: an empty one. */
struct scope {
    enum scope_how how;
    struct slot *slots; /* blocks: of `most` */
    size_t most;
    void *region; /* region: created at the first object, kept until scope_close */
    size_t count; /* objects */
    size_t bytes; /* of all of them */
};

/* A new object, its pages touched; NULL when there is no memory. At most `most` of them. */
void *scope_make(struct worker *worker, struct scope *scope, size_t bytes);

/* Ends all objects; a region stays, for the next ones. */
void scope_end(struct worker *worker, struct scope *scope);

/* The same, and the region goes as well. */
void scope_close(struct worker *worker, struct scope *scope);

extern const char *const scope_hows[];
extern const unsigned scope_needs[];

/* A workload that has this needs nothing else of a row. */
#define PARAMETER_SCOPE                                                                            \
    {                                                                                              \
        .name = "how", .summary = "each object a block of its own, or regions of the allocator",   \
        .kind = PARAMETER_CHOICE, .choices = scope_hows, .needs = scope_needs, .quick = "blocks",  \
        .full = "blocks"                                                                           \
    }

#endif
