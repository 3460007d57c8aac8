/*
 * tidemark-sites: a workload with every block recorded by the stack that asked for it, and a
 * snapshot at the baseline and at the end of each phase. Leaves out time and memory, which the
 * recording changes. Started by `tidemark snapshot`.
 */
#define _GNU_SOURCE
#include "harness/observe.h"
#include "harness/sites/capture.h"
#include "harness/sites/object_labels.h"
#include "harness/sites/recorder.h"
#include "harness/sites/stream.h"

#include "harness/clock.h"

#include <stdio.h>
#include <string.h>

enum { OBJECT, RAW, DOMAINS };

static struct recorder recorder;
static struct allocator_ops real[DOMAINS], recorded[DOMAINS];
/* Threads of a workload have no `outermost` of their own: there the unwinder is asked. */
static struct capture_bounds bounds;

/* --- The recording allocators. --- */

static size_t capture(const void *frame, void *return_address, uintptr_t *frames)
{
    size_t depth = capture_frame_pointers(&bounds, frame, frames, STACK_MOST_FRAMES);

    return depth > 0 ? depth : capture_unwind(return_address, frames, STACK_MOST_FRAMES);
}

static uint32_t current_stack(const void *frame, void *return_address)
{
    uintptr_t frames[STACK_MOST_FRAMES];

    return stack_tree_find(&recorder.stacks, frames, capture(frame, return_address, frames));
}

static void enter(void *block, size_t bytes, int domain, uint16_t label, const void *frame,
                  void *return_address)
{
    const struct block_entry entry = {.address = (uintptr_t)block,
                                      .bytes = bytes,
                                      .stack = current_stack(frame, return_address),
                                      .label = label,
                                      .domain = (uint16_t)domain};

    recorder_add(&recorder, &entry);
}

/* The caller's own frame and where it returns to: a macro, as a function would have its own. */
#define ENTER(block, bytes, domain, label)                                                         \
    do {                                                                                           \
        if (block)                                                                                 \
            enter(block, bytes, domain, label, __builtin_frame_address(0),                         \
                  __builtin_return_address(0));                                                    \
    } while (0)

static void leave(void *block)
{
    struct block_entry entry;

    /* One that is not there was not entered for want of memory, or is NULL. */
    (void)block_table_take(&recorder.blocks, (uintptr_t)block, &entry);
}

/* Before the allocator may give the place to another thread. Returns the block as it was. */
static struct block_entry leave_for_a_while(void *block)
{
    struct block_entry entry = {.address = 0};

    (void)block_table_take(&recorder.blocks, (uintptr_t)block, &entry);
    return entry;
}

/* A recording function of each kind for each of the two domains. */
#define RECORDING(NAME, DOMAIN)                                                                    \
    static void *NAME##_malloc(size_t bytes)                                                       \
    {                                                                                              \
        void *block = real[DOMAIN].malloc(bytes);                                                  \
        ENTER(block, bytes, DOMAIN, 0);                                                            \
        return block;                                                                              \
    }                                                                                              \
    static void *NAME##_calloc(size_t count, size_t bytes)                                         \
    {                                                                                              \
        void *block = real[DOMAIN].calloc(count, bytes);                                           \
        ENTER(block, count *bytes, DOMAIN, 0);                                                     \
        return block;                                                                              \
    }                                                                                              \
    static void *NAME##_aligned_alloc(size_t alignment, size_t bytes)                              \
    {                                                                                              \
        void *block = real[DOMAIN].aligned_alloc(alignment, bytes);                                \
        ENTER(block, bytes, DOMAIN, 0);                                                            \
        return block;                                                                              \
    }                                                                                              \
    static void *NAME##_realloc(void *block, size_t bytes)                                         \
    {                                                                                              \
        const struct block_entry before = leave_for_a_while(block);                                \
        void *moved = real[DOMAIN].realloc(block, bytes);                                          \
        ENTER(moved, bytes, DOMAIN, before.label);                                                 \
        if (!moved && before.address)                                                              \
            (void)block_table_put(&recorder.blocks, &before);                                      \
        return moved;                                                                              \
    }                                                                                              \
    static void NAME##_free(void *block)                                                           \
    {                                                                                              \
        leave(block);                                                                              \
        real[DOMAIN].free(block);                                                                  \
    }

RECORDING(object, OBJECT)
RECORDING(raw, RAW)

/* A function that the allocator has not stays absent. Regions are not recorded: no workload that
 * has phases to look at takes one. */
static void wrap(const struct allocator_ops *ops, int domain)
{
    const struct allocator_ops wrappers[DOMAINS] = {
        [OBJECT] = {.malloc = object_malloc,
                    .calloc = object_calloc,
                    .realloc = object_realloc,
                    .aligned_alloc = object_aligned_alloc,
                    .free = object_free},
        [RAW] = {.malloc = raw_malloc,
                 .calloc = raw_calloc,
                 .realloc = raw_realloc,
                 .aligned_alloc = raw_aligned_alloc,
                 .free = raw_free},
    };
    struct allocator_ops *into = &recorded[domain];

    real[domain] = *ops;
    *into = *ops;
    into->malloc = ops->malloc ? wrappers[domain].malloc : NULL;
    into->calloc = ops->calloc ? wrappers[domain].calloc : NULL;
    into->realloc = ops->realloc ? wrappers[domain].realloc : NULL;
    into->aligned_alloc = ops->aligned_alloc ? wrappers[domain].aligned_alloc : NULL;
    into->free = ops->free ? wrappers[domain].free : NULL;
}

/* --- Snapshots. --- */

struct session {
    const char *program;
    struct stream stream;
    uint64_t began_ns;
    int times_only;
    int error;
};

static int begin(void *argument, struct workload_context *context)
{
    struct session *session = argument;

    if (recorder_init(&recorder) != 0) {
        fprintf(stderr, "%s: not enough memory to record blocks\n", session->program);
        return OBSERVE_FAILED;
    }
    object_labels_begin(&recorder, current_stack);
    if (!session->times_only) {
        wrap(context->object, OBJECT);
        wrap(context->raw, RAW);
        context->object = &recorded[OBJECT];
        context->raw = &recorded[RAW];
    }
    session->began_ns = clock_monotonic_ns();
    return 0;
}

static void take_snapshot(void *argument, struct workload_context *context, const char *name)
{
    struct session *session = argument;
    const struct stream_snapshot snapshot = {
        .name = name,
        .time_ns = clock_monotonic_ns() - session->began_ns,
        .has_live_bytes = 1,
        .live_bytes = atomic_load(&context->gauge->live_bytes),
    };
    const int error = stream_write(&session->stream, &snapshot);

    if (error && !session->error)
        session->error = error;
}

static void take_baseline(void *argument, struct workload_context *context)
{
    take_snapshot(argument, context, "baseline");
}

static int usage(FILE *to)
{
    fprintf(
        to,
        "usage: tidemark-sites --stream FILE [--times-only] --object NAME --workload NAME ...\n"
        "Runs a workload and appends a snapshot of its blocks by call stack to FILE, which is\n"
        "there, at the baseline and at the end of each phase; with --times-only snapshots without\n"
        "any block, to compare with. It is started by `tidemark snapshot` and `overhead`.\n%s"
        "Exit status: 0 done; 1 it failed; 2 usage; 3 the row cannot be opened.\n",
        observe_usage);
    return OBSERVE_USAGE;
}

int main(int argc, char **argv)
{
    int own_arguments = 2; /* --stream FILE */
    static struct session session;
    const struct observer observer = {.started = begin,
                                      .baseline = take_baseline,
                                      .phase_ended = take_snapshot,
                                      .argument = &session};
    /* The linker's, whose names these are. NOLINTNEXTLINE(bugprone-reserved-identifier) */
    extern const char __executable_start[], etext[];

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        usage(stdout);
        return fflush(stdout) == 0 ? 0 : OBSERVE_FAILED;
    }
    if (argc <= own_arguments + 1 || strcmp(argv[1], "--stream") != 0)
        return usage(stderr);
    session.times_only = strcmp(argv[3], "--times-only") == 0;
    own_arguments += session.times_only;
    capture_init();
    bounds = (struct capture_bounds){.outermost = __builtin_frame_address(0),
                                     .text_begin = (uintptr_t)__executable_start,
                                     .text_end = (uintptr_t)etext};
    session.program = argv[0];
    session.stream =
        (struct stream){.recorder = &recorder, .path = argv[2], .unwinder = "frame pointers"};
    argv[own_arguments] = argv[0];
    int status = observe_run(argc - own_arguments, argv + own_arguments, &observer);
    if (!status && session.error) {
        fprintf(stderr, "%s: cannot write a snapshot: %s\n", session.program,
                strerror(-session.error));
        status = OBSERVE_FAILED;
    }
    return status;
}
