/*
 * What is known of each block of a trace while it is alive: found by its name, in pages that are
 * given back once all of their blocks have ended. Leaves out what that is, which is the caller's:
 * two numbers. A block may be told of by its end before it is by its beginning, on another thread.
 */
#ifndef TIDEMARK_HARNESS_TRACE_BIRTH_TABLE_H
#define TIDEMARK_HARNESS_TRACE_BIRTH_TABLE_H

#include "harness/trace/trace_event.h"

struct birth {
    uint64_t size_bytes;
    uint64_t time_ns;
    uint64_t clock; /* of the caller's */
    uint8_t is_born, has_ended;
};

struct birth_table;

/* NULL when there is no memory. */
struct birth_table *birth_table_make(void);

/* The entry, zeroed at first; valid until birth_table_done of it. NULL when there is no memory. Not
 * thread-safe, as all here. */
struct birth *birth_table_at(struct birth_table *table, const struct trace_block_name *name);

/* The same, but NULL where nothing was asked for before, or all around it has ended. */
const struct birth *birth_table_look(const struct birth_table *table,
                                     const struct trace_block_name *name);

/* Nothing more will be asked of this block. */
void birth_table_done(struct birth_table *table, const struct trace_block_name *name);

/* Calls `visit` with each entry that is born and has not ended. */
void birth_table_each(const struct birth_table *table,
                      void (*visit)(void *context, const struct birth *birth), void *context);

void birth_table_free(struct birth_table *table);

#endif
