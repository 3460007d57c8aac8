/*
 * The workload contract: a program over the allocator contract, in named phases, with typed
 * parameters. It leaves out processes, sampling and files, which are the harness's (harness/), so
 * that a workload is only its own program. The idea of parameters with a default per suite is
 * Google Benchmark's; phases that a sampler outside can see are ours.
 *
 * A plug-in is one C file in workloads/ that defines `const struct workload workload_NAME`, and one
 * line in CMakeLists.txt, `tidemark_workload(NAME)`. docs/add-a-workload.md walks through one.
 */
#ifndef TIDEMARK_WORKLOADS_WORKLOAD_H
#define TIDEMARK_WORKLOADS_WORKLOAD_H

#include "allocators/allocator.h"

#include <stdatomic.h>
#include <stdint.h>

/*
 * What the sampler outside reads at each tick; it fills one cache line of the page that the harness
 * and its child share. One thread writes, with gauge_add: a plain load and a plain store, no locked
 * instruction and no system call. Threads that work at once keep counters of their own and tell the
 * gauge seldom (team.h).
 */
struct workload_gauge {
    _Alignas(64) _Atomic uint64_t object_bytes; /* the program's reachable objects */
    _Atomic uint64_t live_bytes;                /* asked of the allocator and not freed */
    _Atomic uint64_t operations; /* what the workload counts: objects made or dropped */
    _Atomic uint64_t frees;      /* blocks given back to the allocator */
    _Atomic uint64_t
        checksum;           /* of the stream of operations: equal on every allocator for one seed */
    _Atomic uint32_t phase; /* 1 for the first phase, 0 before it; the harness writes it */
    _Atomic uint32_t parked; /* 1 while the child waits at a phase's end; the harness writes it */
};

static inline void gauge_add(_Atomic uint64_t *field, uint64_t amount)
{
    atomic_store_explicit(field, atomic_load_explicit(field, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

static inline void gauge_subtract(_Atomic uint64_t *field, uint64_t amount)
{
    atomic_store_explicit(field, atomic_load_explicit(field, memory_order_relaxed) - amount,
                          memory_order_relaxed);
}

enum parameter_kind {
    PARAMETER_COUNT,  /* a whole number, 10k and 10M accepted */
    PARAMETER_CHOICE, /* one of `choices` */
    PARAMETER_FILE,   /* the path of one, which the harness prepares for the child */
    PARAMETER_TEXT,   /* any words */
};

enum {
    WORKLOAD_TEXT_BYTES = 2048, /* of a value as text */
    WORKLOAD_TEXTS = 256,       /* different paths and texts that one process may name */
};

/* One typed parameter. A list ends with name == NULL. */
struct parameter {
    const char *name;
    const char *summary;
    enum parameter_kind kind;
    uint64_t minimum, maximum;  /* of a count, both accepted */
    int scales;                 /* 1: a count of what there is to do or to hold, which `tidemark run
                                   --scale` multiplies; each workload has one at least. Never the
                                   size of a block, threads, or one in how many */
    const char *const *choices; /* of a choice, NULL-terminated */
    const unsigned *needs;      /* of each choice: capabilities that the object allocator must have
                                   beside the workload's own; NULL: none */
    const char *quick, *full;   /* defaults in the two suites, written as a user would */
};

enum { WORKLOAD_PARAMETERS = 8 }; /* most that a workload may have */

struct workload_context;
struct runtime; /* workloads/objects/runtime.h */

struct workload {
    const char *name;
    const char *summary;
    const char *source; /* paper, article or program that it replays */
    const struct parameter *parameters;
    unsigned object_needs; /* capabilities that the object allocator must have */
    unsigned raw_needs;    /* capabilities that the raw allocator must have */
    int is_program;    /* 1: it runs a program: all processes beneath its own are measured, on the
                          malloc that is preloaded, and a row is one that has a library for that */
    int has_driver;    /* 1: what drives the program is beneath this process too, and is none of it
                          (PROGRAM_DRIVES of workloads/program_process.h) */
    int python_script; /* 1: workloads/python/NAME.py runs the same on a real CPython */
    /*
     * 1: each block in use is pointed to, at its start or inside, from static data, the main
     * thread's stack or another block in use, so that a collector finds it (ALLOCATOR_COLLECTED). A
     * workload that keeps its blocks in a table of its own from mmap does not; it is n/a on a row
     * that collects.
     */
    int is_reachable;
    /* 1: with a choice that needs ALLOCATOR_REGIONS, each region in use is pointed to in that way,
     * whatever is true of the blocks that it makes with another choice. */
    int has_reachable_regions;

    /*
     * Runs to the end and returns 0, or a negative errno: -ENOMEM when memory ran out, -EBADMSG
     * when a block is not aligned, not zeroed or not what was written to it. Calls workload_phase()
     * at each boundary and workload_idle() last, touches the memory that it allocates, uses nothing
     * of libc that allocates, and reads no clock. What it allocates before its first phase, such as
     * a runtime's start-up, is part of the process's own baseline, which is taken there; what it
     * does after workload_idle(), such as freeing what is left, is not measured. It may be called
     * again once it has returned, with the same seed and values, and then does the same operations:
     * no state is left in static data. Names of phases are not `idle`, `purge`, `pressure` or
     * `rebuild`, which are the harness's.
     */
    int (*run)(struct workload_context *context);
};

/* What run() is given. It owns nothing here; all of it outlives the call. */
struct workload_context {
    const struct allocator_ops *object; /* serves objects */
    const struct allocator_ops
        *raw; /* serves what CPython takes from malloc; the same as `object` in a row without `@` */
    struct workload_gauge *gauge;
    const struct workload *workload;
    uint64_t values[WORKLOAD_PARAMETERS]; /* in the order of `workload->parameters`; a choice is its
                                             index, a file or text its number */
    uint64_t seed;
    uint64_t idle_ns; /* how long workload_idle() waits; 0 skips the phase */
    /* The object runtime of a workload that has one, from its start to the end of the last phase,
     * else NULL: for those who look at its objects (workload_show_objects). */
    struct runtime *objects;

    void (*begin_phase)(struct workload_context *context,
                        const char *name);                                 /* set by the harness */
    void (*end_phase)(struct workload_context *context);                   /* set by the harness */
    void (*sleep)(struct workload_context *context, uint64_t duration_ns); /* set by the harness */
    /* Set by the harness, or NULL: called by workload_idle() before and after it waits. */
    void (*before_rest)(struct workload_context *context);
    void (*after_rest)(struct workload_context *context);
    void *harness; /* the harness's own */
};

/*
 * Ends the phase before, if any, and begins the one called `name` (at most 23 bytes, static
 * storage). The clock stands still in between. The first call takes the baseline before it begins
 * its phase: memory that is there by then is the process's own.
 */
void workload_phase(struct workload_context *context, const char *name);

/*
 * Ends the phase before and waits `idle_ns` in a phase called `idle`, with everything alive as it
 * is; when that is 0 it only ends the phase before. The harness may have memory given back before
 * or after that, in a phase of its own, `purge` or `pressure`. Either way no phase is open
 * afterwards.
 */
void workload_idle(struct workload_context *context);

/*
 * Lets those who look at objects find `runtime`, which lives until workload_idle() has returned;
 * that forgets it. program_start() calls it; a workload without an object runtime need not.
 */
void workload_show_objects(struct workload_context *context, struct runtime *runtime);

/*
 * Ends the phase before and waits `idle_ns` in no phase: the curve goes on, and no phase counts the
 * time. For a program that rests in between; begin a phase afterwards.
 */
void workload_rest(struct workload_context *context);

/* Capabilities that the object allocator must have for these values. Thread-safe. */
unsigned workload_object_needs(const struct workload *workload, const uint64_t *values);

/* The value of a parameter: a count, or the index of a choice. Aborts on a name that the workload
 * does not have: that is a bug. */
uint64_t workload_value(const struct workload_context *context, const char *name);

/* The value of a parameter that is a file or text. Static storage. */
const char *workload_text(const struct workload_context *context, const char *name);

/* The generated registry, in the order of CMakeLists.txt. Static storage. */
extern const struct workload *const workload_registry[];
extern const size_t workload_registry_count;

/* The workload of that name, or NULL. Thread-safe. */
const struct workload *workload_find(const char *name);

/*
 * Reads `text` as a value of `parameter` into `value`. Returns 0, or -EINVAL (no such choice, no
 * number) or -ERANGE (out of bounds, a path too long or one too many) with `value` untouched.
 * Thread-safe but for files, whose paths are remembered until the process ends.
 */
int parameter_parse(const struct parameter *parameter, const char *text, uint64_t *value);

/*
 * `*value` of a parameter that scales times `factor` (above 0), rounded, and brought within the
 * bounds; any other value stays. Returns 1 when a bound was in the way, else 0. Thread-safe.
 */
int parameter_scale(const struct parameter *parameter, double factor, uint64_t *value);

/* Writes `value` of `parameter` in its canonical form (10000000, del_collect). Returns `text`.
 * Thread-safe. */
const char *parameter_format(const struct parameter *parameter, uint64_t value, char *text,
                             size_t text_bytes);

#endif
