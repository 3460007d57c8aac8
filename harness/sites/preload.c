/*
 * libtidemark-snapshot.so: malloc and its kin with every block recorded by the stack that asked for
 * it, for any program, on whichever malloc comes next. Leaves out threads and signals of its own:
 * the parent raises a counter (control.h), and the program's next malloc takes the snapshot. In a
 * forked child it is only a way through.
 */
#define _GNU_SOURCE
#include "harness/sites/capture.h"
#include "harness/sites/control.h"
#include "harness/sites/preload_next.h"
#include "harness/sites/recorder.h"
#include "harness/sites/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct recorder recorder;
static struct control *control;
static struct stream stream;
static char stream_path[PATH_MAX];
static uint64_t began_ns;

static _Atomic int is_recording;
static _Atomic uint32_t requests_met;
static struct spin_lock snapshot_lock;

/* 1 while this thread records: what the unwinder asks for then is not the program's. */
static _Thread_local int is_inside;

/* --- Snapshots. --- */

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void take_snapshot(const char *name)
{
    const struct stream_snapshot snapshot = {.name = name, .time_ns = now_ns() - began_ns};

    spin_lock_take(&snapshot_lock);
    int error = stream_write(&stream, &snapshot);
    spin_lock_release(&snapshot_lock);
    int none = 0;
    if (error)
        atomic_compare_exchange_strong(&control->error, &none, error);
}

/* "12.3s" */
static void name_time(char *name, uint64_t time_ns)
{
    uint64_t tenths = time_ns / UINT64_C(100000000);
    char digits[24];
    size_t count = 0;

    digits[count++] = 's';
    digits[count++] = (char)('0' + tenths % 10);
    digits[count++] = '.';
    tenths /= 10;
    do {
        digits[count++] = (char)('0' + tenths % 10);
        tenths /= 10;
    } while (tenths > 0);
    while (count > 0)
        *name++ = digits[--count];
    *name = '\0';
}

/* By the first thread that comes when the parent has asked for one. */
static void meet_request(void)
{
    uint32_t asked = atomic_load_explicit(&control->requests, memory_order_relaxed);
    uint32_t met = atomic_load_explicit(&requests_met, memory_order_relaxed);
    char name[24];

    if (asked == met || !atomic_compare_exchange_strong(&requests_met, &met, asked))
        return;
    name_time(name, now_ns() - began_ns);
    take_snapshot(name);
}

/* --- Blocks. --- */

static int records(void)
{
    return atomic_load_explicit(&is_recording, memory_order_relaxed) && !is_inside;
}

static void enter(void *block, size_t bytes, void *return_address)
{
    uintptr_t frames[STACK_MOST_FRAMES];
    const int error = errno;

    is_inside = 1;
    size_t depth = capture_unwind(return_address, frames, STACK_MOST_FRAMES);
    if (depth == 0) {
        /* Code that no unwinder knows: at least who called. */
        frames[0] = (uintptr_t)return_address;
        depth = 1;
    }
    const struct block_entry entry = {.address = (uintptr_t)block,
                                      .bytes = bytes,
                                      .stack = stack_tree_find(&recorder.stacks, frames, depth)};
    recorder_add(&recorder, &entry);
    if (atomic_load_explicit(&control->requests, memory_order_relaxed) !=
        atomic_load_explicit(&requests_met, memory_order_relaxed))
        meet_request();
    is_inside = 0;
    errno = error;
}

#define ENTER(block, bytes)                                                                        \
    do {                                                                                           \
        if ((block) && records())                                                                  \
            enter(block, bytes, __builtin_return_address(0));                                      \
    } while (0)

/* Takes the block out before its place may be given to another thread. Without an address when it
 * was not recorded. */
static struct block_entry leave(void *block)
{
    struct block_entry entry = {.address = 0};

    if (block && atomic_load_explicit(&is_recording, memory_order_relaxed))
        (void)block_table_take(&recorder.blocks, (uintptr_t)block, &entry);
    return entry;
}

/* --- The C library's functions, with the names of its parameters. --- */

void *malloc(size_t size)
{
    const struct next_malloc *next = preload_next();
    void *block = next ? next->malloc(size) : preload_early_block(size);

    ENTER(block, size);
    return block;
}

void *calloc(size_t nmemb, size_t size)
{
    const struct next_malloc *next = preload_next();
    size_t all;

    if (__builtin_mul_overflow(nmemb, size, &all)) {
        errno = ENOMEM;
        return NULL;
    }
    void *block = next ? next->calloc(nmemb, size) : preload_early_block(all);
    ENTER(block, all);
    return block;
}

static void *move_early(const void *block, size_t bytes)
{
    void *moved = preload_next() ? preload_next()->malloc(bytes) : preload_early_block(bytes);
    const size_t room = preload_early_room(block);

    if (moved)
        memcpy(moved, block, bytes < room ? bytes : room);
    return moved;
}

/* Of glibc and others realloc(block, 0) frees and returns NULL; else NULL leaves the block. */
static void *resize(void *block, size_t bytes)
{
    if (preload_is_early(block))
        return move_early(block, bytes);
    const struct next_malloc *next = preload_next();
    if (!next)
        return preload_early_block(bytes);
    const struct block_entry before = leave(block);
    void *moved = next->realloc(block, bytes);
    if (!moved && bytes > 0 && before.address)
        (void)block_table_put(&recorder.blocks, &before);
    return moved;
}

void *realloc(void *ptr, size_t size)
{
    void *moved = resize(ptr, size);

    ENTER(moved, size);
    return moved;
}

void *reallocarray(void *ptr, size_t nmemb, size_t size)
{
    size_t all;

    if (__builtin_mul_overflow(nmemb, size, &all)) {
        errno = ENOMEM;
        return NULL;
    }
    void *moved = resize(ptr, all);
    ENTER(moved, all);
    return moved;
}

static void give_back(void *block)
{
    if (!block || preload_is_early(block))
        return;
    (void)leave(block);
    preload_next()->free(block);
}

void free(void *ptr)
{
    give_back(ptr);
}

/* A malloc library that lacks one of the following has the caller go without. */
static void *unknown(void)
{
    errno = ENOMEM;
    return NULL;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    const struct next_malloc *next = preload_next();
    void *block = next && next->aligned_alloc ? next->aligned_alloc(alignment, size) : unknown();

    ENTER(block, size);
    return block;
}

int posix_memalign(void **memptr, size_t alignment, size_t size)
{
    const struct next_malloc *next = preload_next();
    int error =
        next && next->posix_memalign ? next->posix_memalign(memptr, alignment, size) : ENOMEM;

    if (error == 0)
        ENTER(*memptr, size);
    return error;
}

void *memalign(size_t alignment, size_t size)
{
    const struct next_malloc *next = preload_next();
    void *block = next && next->memalign ? next->memalign(alignment, size) : unknown();

    ENTER(block, size);
    return block;
}

void *valloc(size_t size)
{
    const struct next_malloc *next = preload_next();
    void *block = next && next->valloc ? next->valloc(size) : unknown();

    ENTER(block, size);
    return block;
}

void *pvalloc(size_t size)
{
    const struct next_malloc *next = preload_next();
    void *block = next && next->pvalloc ? next->pvalloc(size) : unknown();

    ENTER(block, size);
    return block;
}

/* --- C++'s operators, which an allocator behind may have of its own, past our malloc. Names are
 * those of the Itanium ABI, which the headers of no language declare. --- */

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,bugprone-macro-parentheses) */
#define NEW(NAME, PARAMETERS, ARGUMENTS, GIVE)                                                     \
    void *NAME PARAMETERS;                                                                         \
    void *NAME PARAMETERS                                                                          \
    {                                                                                              \
        const struct next_malloc *next = preload_next();                                           \
        void *block = GIVE;                                                                        \
        if (!block) {                                                                              \
            /* The real one throws, or calls the program's handler. */                             \
            void *(*real)PARAMETERS = (void *(*)PARAMETERS)preload_next_function(#NAME);           \
            block = real ? real ARGUMENTS : NULL;                                                  \
        }                                                                                          \
        ENTER(block, bytes);                                                                       \
        return block;                                                                              \
    }

static void *give(const struct next_malloc *next, size_t bytes)
{
    return next ? next->malloc(bytes ? bytes : 1) : preload_early_block(bytes);
}

static void *give_aligned(const struct next_malloc *next, size_t alignment, size_t bytes)
{
    void *block = NULL;

    if (alignment < sizeof(void *))
        alignment = sizeof(void *);
    return next && next->posix_memalign &&
                   next->posix_memalign(&block, alignment, bytes ? bytes : 1) == 0
               ? block
               : NULL;
}

#define PLAIN           (size_t bytes)
#define PLAIN_NOTHROW   (size_t bytes, const void *nothrow)
#define ALIGNED         (size_t bytes, size_t alignment)
#define ALIGNED_NOTHROW (size_t bytes, size_t alignment, const void *nothrow)

NEW(_Znwm, PLAIN, (bytes), give(next, bytes))
NEW(_Znam, PLAIN, (bytes), give(next, bytes))
NEW(_ZnwmRKSt9nothrow_t, PLAIN_NOTHROW, (bytes, nothrow), give(next, bytes))
NEW(_ZnamRKSt9nothrow_t, PLAIN_NOTHROW, (bytes, nothrow), give(next, bytes))
NEW(_ZnwmSt11align_val_t, ALIGNED, (bytes, alignment), give_aligned(next, alignment, bytes))
NEW(_ZnamSt11align_val_t, ALIGNED, (bytes, alignment), give_aligned(next, alignment, bytes))
NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, ALIGNED_NOTHROW, (bytes, alignment, nothrow),
    give_aligned(next, alignment, bytes))
NEW(_ZnamSt11align_val_tRKSt9nothrow_t, ALIGNED_NOTHROW, (bytes, alignment, nothrow),
    give_aligned(next, alignment, bytes))

#define DELETE(NAME, PARAMETERS)                                                                   \
    void NAME PARAMETERS;                                                                          \
    void NAME PARAMETERS                                                                           \
    {                                                                                              \
        give_back(block);                                                                          \
    }

DELETE(_ZdlPv, (void *block))
DELETE(_ZdaPv, (void *block))
DELETE(_ZdlPvm, (void *block, __attribute__((unused)) size_t bytes))
DELETE(_ZdaPvm, (void *block, __attribute__((unused)) size_t bytes))
DELETE(_ZdlPvRKSt9nothrow_t, (void *block, __attribute__((unused)) const void *nothrow))
DELETE(_ZdaPvRKSt9nothrow_t, (void *block, __attribute__((unused)) const void *nothrow))
DELETE(_ZdlPvSt11align_val_t, (void *block, __attribute__((unused)) size_t alignment))
DELETE(_ZdaPvSt11align_val_t, (void *block, __attribute__((unused)) size_t alignment))
DELETE(_ZdlPvmSt11align_val_t, (void *block, __attribute__((unused)) size_t bytes,
                                __attribute__((unused)) size_t alignment))
DELETE(_ZdaPvmSt11align_val_t, (void *block, __attribute__((unused)) size_t bytes,
                                __attribute__((unused)) size_t alignment))
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, (void *block, __attribute__((unused)) size_t alignment,
                                             __attribute__((unused)) const void *nothrow))
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, (void *block, __attribute__((unused)) size_t alignment,
                                             __attribute__((unused)) const void *nothrow))
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,bugprone-macro-parentheses) */

/* --- The beginning. --- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* By the name that it was started by, or that of its file: python3 is python3.11. */
static int is_wanted(const char *program)
{
    char file[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", file, sizeof file - 1);

    file[length > 0 ? length : 0] = '\0';
    return !program[0] || strcmp(program, program_invocation_short_name) == 0 ||
           strcmp(program, base_name(file)) == 0;
}

/* Returns 1 when this process is the one to record: the first that may, or the same again after an
 * exec, which begins anew. */
static int claim(void)
{
    int32_t none = 0;

    if (is_wanted(control->program) &&
        (atomic_compare_exchange_strong(&control->recorded, &none, getpid()) || none == getpid()))
        return 1;
    atomic_fetch_add(&control->others, 1);
    return 0;
}

static int join(char *path, const char *folder, const char *name)
{
    return snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int open_control(const char *folder)
{
    char path[PATH_MAX];
    int fd = -1;

    if (join(path, folder, CONTROL_FILE) == 0 && join(stream_path, folder, CONTROL_STREAM) == 0)
        fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -ENOENT;
    void *page = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED)
        return -ENOMEM;
    control = page;
    return control->layout == CONTROL_LAYOUT ? 0 : -EINVAL;
}

static void stop_in_child(void)
{
    atomic_store(&is_recording, 0);
}

/* What was recorded before an exec is another program's. */
static int empty_stream(void)
{
    int fd = open(stream_path, O_WRONLY | O_TRUNC | O_CLOEXEC);

    return fd < 0 ? -errno : close(fd) == 0 ? 0 : -errno;
}

static void begin(void)
{
    int error = recorder_init(&recorder);

    if (!error)
        error = empty_stream();
    if (!error)
        error = -pthread_atfork(NULL, NULL, stop_in_child);
    atomic_fetch_add(&control->images, 1);
    if (error) {
        atomic_store(&control->error, error);
        return;
    }
    capture_init();
    stream =
        (struct stream){.recorder = &recorder, .path = stream_path, .unwinder = capture_unwinder()};
    began_ns = now_ns();
    atomic_store(&requests_met, atomic_load(&control->requests));
    atomic_store(&is_recording, 1);
}

__attribute__((constructor)) static void load(void)
{
    const char *folder = getenv(CONTROL_VARIABLE);

    if (!folder || !preload_next() || open_control(folder) != 0)
        return;
    is_inside = 1;
    if (claim())
        begin();
    is_inside = 0;
}

/* --- The end. --- */

/* Not in a child of vfork, which shares this memory and is another process. */
static void end(void)
{
    if (!atomic_load(&is_recording) || atomic_load(&control->recorded) != getpid())
        return;
    is_inside = 1;
    take_snapshot("exit");
    atomic_store(&is_recording, 0);
    is_inside = 0;
}

__attribute__((destructor)) static void unload(void)
{
    end();
}

void _exit(int status)
{
    end();
    for (;;)
        syscall(SYS_exit_group, status);
}

void _Exit(int status)
{
    _exit(status);
}
