/*
 * What is known of each block of a trace that is alive, by its name. Leaves out what that is, which
 * is the caller's. A block may be told of by its end before it is by its beginning, on another
 * thread: its entry waits for that.
 */
#ifndef TIDEMARK_HARNESS_TRACE_BIRTH_TABLE_H
#define TIDEMARK_HARNESS_TRACE_BIRTH_TABLE_H

#include "harness/trace/trace_event.h"

struct birth {
    uint64_t size_bytes;
    uint64_t time_ns;
    uint64_t clock; /* of the caller's */
    uint32_t site;  /* likewise */
    uint8_t is_born, has_ended;
};

struct birth_table;

/* NULL when there is no memory. */
struct birth_table *birth_table_make(void);

/* The entry, zeroed at first; valid until the next call. NULL when there is no memory: it never
 * takes more than half of what the machine has. Not thread-safe, as all here. */
struct birth *birth_table_at(struct birth_table *table, const struct trace_block_name *name);

/* The entry, where there is one; else NULL. */
struct birth *birth_table_find(struct birth_table *table, const struct trace_block_name *name);

/* Takes the entry out. */
void birth_table_done(struct birth_table *table, const struct trace_block_name *name);

typedef void birth_visit(void *context, const struct trace_block_name *name,
                         const struct birth *birth);

/* Calls `visit` with each entry, in no order. */
void birth_table_each(const struct birth_table *table, birth_visit *visit, void *context);

void birth_table_free(struct birth_table *table);

#endif
