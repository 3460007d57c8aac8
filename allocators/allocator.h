/*
 * The allocator contract: what a row of a Tidemark table has to provide, and nothing else.
 * It leaves out how a row is chosen (harness/row.h) and who counts the bytes
 * (workloads/workload.h). The shape, one struct of operations and one designated initializer per
 * plug-in, is fio's `ioengine_ops`.
 *
 * An allocator of the suite is one C file in allocators/ that defines `const struct allocator
 * allocator_NAME`, and one line in CMakeLists.txt, `tidemark_allocator(NAME)`, which adds it to the
 * generated registry and to the contract tests (`tidemark check`). A plug-in is one C file of
 * anybody's that includes this header alone and defines `const struct allocator
 * tidemark_allocator_v3`; built as a shared object, its path is a row. docs/add-an-allocator.md
 * walks through both.
 *
 * Lifetime: a sample is a fresh process that opens exactly one row, that is one allocator, or two
 * when one stands on the other. Nothing is ever closed: the process ends. State may therefore be
 * static.
 */
#ifndef TIDEMARK_ALLOCATORS_ALLOCATOR_H
#define TIDEMARK_ALLOCATORS_ALLOCATOR_H

#include <stddef.h>
#include <stdint.h>

/* How an allocator hands out memory. It decides how tables are grouped, never what may be called:
 * that is `capabilities`. */
enum allocator_family {
    ALLOCATOR_GENERAL, /* malloc and free of any size */
    ALLOCATOR_POOL,    /* small size classes carved from arenas; larger requests go to a general
                          allocator beneath it */
    ALLOCATOR_REGION,  /* create, allocate, reset or destroy as a whole; no free of one block */
};

/*
 * What an allocator can do. Those that name a function promise that its pointer in `struct
 * allocator_ops` is not NULL; `tidemark check` tells whether pointers and flags agree. A workload
 * whose needs are not all met is `n/a`, with the missing ones named: a capability is never
 * imitated.
 */
enum allocator_capability {
    ALLOCATOR_MALLOC = 1u << 0,
    ALLOCATOR_CALLOC = 1u << 1,
    ALLOCATOR_REALLOC = 1u << 2,
    ALLOCATOR_ALIGNED = 1u << 3, /* aligned_alloc */
    ALLOCATOR_FREE = 1u << 4,
    ALLOCATOR_USABLE_SIZE = 1u << 5,
    ALLOCATOR_REGIONS = 1u << 6, /* region_create, region_alloc, region_reset, region_destroy */
    ALLOCATOR_PURGE = 1u << 7,
    ALLOCATOR_DISTINCT = 1u << 8, /* two live blocks never overlap; absent in `null`, whose every
                                     block is the same slot */
    ALLOCATOR_THREADS = 1u << 9,  /* any function may be called from any thread */
    ALLOCATOR_PRELOAD = 1u << 10, /* `soname` exports malloc and free, so that a program runs on it
                                     unchanged when it is preloaded */
    ALLOCATOR_CENSUS = 1u << 11,  /* it can tell what is in each of its pools */
    /*
     * free drops nothing: a block ends when a collection finds no pointer to or into it, starting
     * from static data, registers and the stack of the one thread, and going on through blocks.
     * What a caller keeps elsewhere, in a mapping of its own or in blocks of another allocator, is
     * not seen: what stands on such a one needs ALLOCATOR_TRACEABLE, and only a workload that says
     * that its blocks, or regions, are reachable runs on it.
     */
    ALLOCATOR_COLLECTED = 1u << 12,
    ALLOCATOR_BENEATH = 1u << 13, /* of regions: they take their memory from the general allocator
                                     beneath, `raw` of open, as each pool allocator may */
    /*
     * With ALLOCATOR_BENEATH: each block that it has from beneath is pointed to, at its start or
     * inside, from another such block, from static data, or is what region_create gave. A collector
     * beneath that finds a region so finds all of it. No pointer is kept in a changed form.
     */
    ALLOCATOR_TRACEABLE = 1u << 14,
};

/*
 * Where a census goes: the heap of an allocator whose arenas hold pools of one size, each with
 * blocks of one size. Its functions are called in their order here: all figures, all size classes,
 * then each arena, by ascending address, followed by its pools. `context` is theirs. None of them
 * calls the allocator.
 */
struct allocator_census {
    void *context;
    /*
     * A whole number below 2^63 by its name (results/FORMAT.md, census): `arena_bytes`,
     * `pool_bytes` and `pool_header_bytes` always, others where the allocator has them, and none
     * twice. `name`: lower-case letters, digits and '_', at most 31.
     */
    void (*figure)(void *context, const char *name, uint64_t value);
    /* The pools with a block in use of one size, and the blocks in them; ascending by
     * `block_bytes`, and none without a pool. */
    void (*size_class)(void *context, size_t block_bytes, size_t pools, size_t blocks_in_use,
                       size_t blocks_available);
    /* An arena of `arena_bytes` at `base`, as mapped. */
    void (*arena)(void *context, uintptr_t base);
    /*
     * The next pool of that arena, ascending from the first multiple of `pool_bytes` in it to the
     * last pool that fits. Both are 0 for a pool without a block in use, or never used.
     */
    void (*pool)(void *context, size_t block_bytes, size_t blocks_in_use);
};

/*
 * The functions of one opened allocator. A pointer is NULL when the capability is absent. Unless
 * ALLOCATOR_THREADS is set, one thread at a time may call them. Failure is NULL, as in C; no
 * function prints, exits or raises.
 */
struct allocator_ops {
    /* At least `size` bytes, aligned to 16 (8 suffices below 16 bytes); size 0 gives NULL or a
     * block that free accepts. */
    void *(*malloc)(size_t size);
    /* `count * size` zeroed bytes; NULL when the product overflows. */
    void *(*calloc)(size_t count, size_t size);
    /* Keeps the first min(old, new) bytes; on failure the old block is untouched. `block` may be
     * NULL. */
    void *(*realloc)(void *block, size_t size);
    /* `alignment` is a power of two, `size` a multiple of it (C17 7.22.3.1). */
    void *(*aligned_alloc)(size_t alignment, size_t size);
    /* `block` may be NULL. */
    void (*free)(void *block);
    /* Bytes that may be used at `block`, at least what was asked for. */
    size_t (*usable_size)(void *block);
    /* A region owns every block that it gives; reset takes all of them back and keeps the region,
     * destroy ends both. */
    void *(*region_create)(void);
    void *(*region_alloc)(void *region, size_t size, size_t alignment);
    void (*region_reset)(void *region);
    void (*region_destroy)(void *region);
    /* Gives back to the operating system, now, all that the allocator can. Returns 0 or a negative
     * errno. */
    int (*purge)(void);
    /*
     * Tells `census` of every pool, as the heap stands. It allocates nothing and changes nothing,
     * and it cannot fail; no other function runs meanwhile, also with ALLOCATOR_THREADS. It may
     * read the head of every pool: for the end of a phase, not for a loop.
     */
    void (*census)(const struct allocator_census *census);
};

/*
 * A documented tunable that may follow a name in a row, `jemalloc+dirty_decay_ms:0`. A list ends
 * with name == NULL. Allocators tend to take a value that they do not understand for zero, or to
 * ignore it: it is checked before anything runs.
 */
struct allocator_tunable {
    const char *name;
    const char *summary; /* what it does, its unit, its default */
    const char
        *words; /* accepted values, separated by '|'; NULL: a whole number within the bounds */
    int64_t minimum, maximum;
};

/*
 * How tunables reach the allocator: always as environment of the fresh process, set before exec,
 * since that is the one way that all of them read. With `variable` set, tunables are joined into
 * it: PREFIX name ASSIGN value, SEPARATOR between. Without, each is a variable of its own: PREFIX
 * and the name in upper case.
 */
struct allocator_environment {
    const char *variable;
    const char *prefix;
    char assign;
    char separator;
};

enum {
    ALLOCATOR_TEXT_BYTES = 192, /* room for a version or a reason, with its NUL */
    ALLOCATOR_VALUE_BYTES = 64, /* the same for the value of a tunable */
};

/* How the value of a tunable became known. */
enum allocator_proof {
    ALLOCATOR_UNPROVED, /* not at all */
    ALLOCATOR_TOLD,     /* the allocator says so itself */
    ALLOCATOR_SEEN,     /* it follows from what the allocator does */
};

struct allocator {
    const char *name;    /* as in a row: lower-case letters, digits, '_', '.' and '-' */
    const char *summary; /* one line for `tidemark list allocators` */
    const char *source;  /* paper, project or file that it comes from */
    enum allocator_family family;
    unsigned capabilities; /* of enum allocator_capability */

    const char *soname;  /* opened at run time, never linked; NULL when built in or part of libc */
    const char *package; /* Debian package that holds it; NULL when nothing has to be installed */
    /* A function that only libraries of this kind export. A library that is given by its path and
     * has it is opened as this allocator, `soname` being that path. NULL: none is. */
    const char *signature;

    struct allocator_environment environment;
    const struct allocator_tunable *tunables; /* NULL when there are none */
    /*
     * The tunables with which it gives memory back soonest, whatever time that takes; written as in
     * a row, without the first '+'. `--return eager` measures with them. NULL: none makes it give
     * back sooner.
     */
    const char *eager;

    /*
     * Fills `ops` and returns 0, or returns a negative errno with a sentence in `reason`
     * (ALLOCATOR_TEXT_BYTES) that says what was missing and what to install; the row is then `n/a`.
     * `self` is the allocator that is opened: this one, or a copy of it whose `soname` is the path
     * of a library. `raw` is the general allocator beneath a pool allocator or beneath regions with
     * ALLOCATOR_BENEATH, already open and living as long as the process; NULL for the others.
     */
    int (*open)(const struct allocator *self, struct allocator_ops *ops,
                const struct allocator_ops *raw, char *reason);

    /* Writes the version of what is really loaded (ALLOCATOR_TEXT_BYTES), after open. */
    void (*version)(char *text);

    /*
     * Finds out, after open, what the tunable really is in this process, and writes it to `value`
     * (ALLOCATOR_VALUE_BYTES) as a row would have it; `asked` itself where behaviour shows no
     * difference from it. `value` is untouched when it is ALLOCATOR_UNPROVED. It may allocate and
     * leave memory behind: it is called in a process that measures nothing. NULL: there is no way.
     */
    enum allocator_proof (*tunable_value)(const struct allocator_tunable *tunable,
                                          const char *asked, char *value);
};

/*
 * What a plug-in defines: one shared object, one allocator. The number is the version of this
 * header, and goes up whenever the layout of a structure here changes: what was built against
 * another one lacks the symbol and is refused by name.
 */
__attribute__((visibility("default"))) extern const struct allocator tidemark_allocator_v3;

/* The generated registry: every allocator of this build, in the order of CMakeLists.txt. Static
 * storage. */
extern const struct allocator *const allocator_registry[];
extern const size_t allocator_registry_count;

/* The allocator of that name, or NULL. Thread-safe. */
const struct allocator *allocator_find(const char *name);

/* Names of the flags in `capabilities`, separated by ", ", into `text`; cut to fit. Returns `text`.
 * Thread-safe. */
const char *allocator_capability_names(unsigned capabilities, char *text, size_t text_bytes);

/*
 * Whether an allocator, as yet unopened, fills what every allocator has to fill. Returns 0, or
 * -EINVAL with a `reason` (ALLOCATOR_TEXT_BYTES) that names the field. Thread-safe.
 */
int allocator_check(const struct allocator *allocator, char *reason);

/*
 * Whether the opened functions and the capabilities agree. Returns 0, or -EINVAL with a `reason`
 * (ALLOCATOR_TEXT_BYTES) that names the first capability that has no function, or the function that
 * has no capability. Thread-safe.
 */
int allocator_check_ops(const struct allocator *allocator, const struct allocator_ops *ops,
                        char *reason);

/* 1 when a general allocator stands beneath this one: a pool allocator, or regions that take their
 * memory there. Thread-safe. */
int allocator_stands_on_another(const struct allocator *allocator);

/*
 * Whether `raw` can stand beneath `upper`, by what both say of themselves. Returns 0, or -EINVAL
 * with a `reason` (ALLOCATOR_TEXT_BYTES). Thread-safe.
 */
int allocator_check_beneath(const struct allocator *upper, const struct allocator *raw,
                            char *reason);

/* "general", "pool" or "region". Thread-safe. */
const char *allocator_family_name(enum allocator_family family);

#endif
