/*
 * What a block of the runtime is, told to whoever records blocks: tidemark-sites, for which the
 * workloads are compiled a second time with TIDEMARK_OBSERVED and which defines these. In the
 * measured programs they are nothing. Leaves out where a block was asked for, which the allocator's
 * side sees (harness/sites/). Exact, as the types themselves say it.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_OBSERVED_H
#define TIDEMARK_WORKLOADS_OBJECTS_OBSERVED_H

struct object;
struct runtime;

#ifdef TIDEMARK_OBSERVED

/* `object`, whose type is set, was made in a block of the allocator's or in a part of one. */
void observed_object(const struct runtime *runtime, const struct object *object);

/* `block` belongs to an object, and is `what`: static storage, "list items". */
void observed_storage(const void *block, const char *what);

/* The block that `object` lies in, whatever it was until now, waits in a free list from now on. */
void observed_kept(const void *object);

#else

static inline void observed_object(const struct runtime *runtime, const struct object *object)
{
    (void)runtime;
    (void)object;
}

static inline void observed_storage(const void *block, const char *what)
{
    (void)block;
    (void)what;
}

static inline void observed_kept(const void *object)
{
    (void)object;
}

#endif

#endif
