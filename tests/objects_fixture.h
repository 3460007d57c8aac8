/*
 * A runtime for tests, with the few verbs that they speak in. Leaves out any expectation but that
 * nothing is left at the end. Brings cmocka and the recording allocator with it. Each test program
 * that includes this has one runtime of its own, over one recording allocator for both domains.
 */
#ifndef TIDEMARK_TESTS_OBJECTS_FIXTURE_H
#define TIDEMARK_TESTS_OBJECTS_FIXTURE_H

#include "tests/recording_allocator.h"
#include "workloads/objects/list.h"
#include "workloads/objects/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

/* Levels of objects within each other: a call for each would have 32 bytes of a stack of 8 MiB. */
enum { DEEP = 8 * 1024 * 1024 / 32 };

static struct runtime runtime;
static struct workload_gauge gauge;

static const struct profile *const python_2_7 = &profiles[0];
static const struct profile *const python_3_8 = &profiles[1];
static const struct profile *const python_3_11 = &profiles[2];
static const struct profile *const python_3_13 = &profiles[3];

static inline void start(const struct profile *profile)
{
    recording_reset();
    memset(&gauge, 0, sizeof gauge);
    assert_int_equal(runtime_init(&runtime, profile, &recording_ops, &recording_ops, &gauge), 0);
}

/* For more blocks than the recording allocator, which looks through its list, is fast with. */
static inline void start_over_libc(const struct profile *profile)
{
    static const struct allocator_ops libc = {.malloc = malloc, .realloc = realloc, .free = free};

    recording_reset();
    memset(&gauge, 0, sizeof gauge);
    assert_int_equal(runtime_init(&runtime, profile, &libc, &libc, &gauge), 0);
}

static inline void finish(void)
{
    runtime_finish(&runtime);
    assert_int_equal(gauge.object_bytes, 0);
    assert_int_equal(gauge.live_bytes, 0);
    assert_int_equal(recording.live_bytes, 0);
    assert_int_equal(recording.live_blocks, 0);
}

/* What the free list of lists keeps beyond a full collection, of `lists` dead ones: 2.7's stays. */
static inline size_t kept_bytes(size_t lists)
{
    return runtime.profile == python_2_7 ? lists * 72 : 0;
}

static inline struct object *number(int64_t value)
{
    struct object *object = int_new(&runtime, value);

    assert_non_null(object);
    assert_int_equal(int_value(object), value);
    return object;
}

static inline struct list *empty_list(void)
{
    struct list *list = list_new(&runtime, 0);

    assert_non_null(list);
    return list;
}

static inline void append(struct list *list, struct object *item)
{
    assert_int_equal(list_append(&runtime, list, item), 0);
}

/* Appends an int that nothing else holds. */
static inline void append_number(struct list *list, int64_t value)
{
    struct object *item = number(value);

    append(list, item);
    object_drop(&runtime, item);
}

static inline void drop_list(struct list *list)
{
    object_drop(&runtime, &list->object);
}

#endif
