/*
 * libtidemark-snapshot.so: every block recorded by the stack that asked for it, for any program, on
 * whichever malloc comes next (harness/preload/). Leaves out threads and signals of its own:
 * the parent raises a counter (control.h), and the program's next malloc takes the snapshot. In a
 * forked child it is only a way through.
 */
#define _GNU_SOURCE
#include "harness/preload/hooks.h"
#include "harness/sites/capture.h"
#include "harness/sites/control.h"
#include "harness/sites/recorder.h"
#include "harness/sites/stack_walk.h"
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

const char hook_library[] = "libtidemark-snapshot.so";

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

static void enter(void *block, const struct hook_request *request)
{
    const int error = errno;

    is_inside = 1;
    const struct block_entry entry = {
        .address = (uintptr_t)block,
        .bytes = request->bytes,
        .stack = stack_walk_find(&recorder.stacks, request->caller, request->frame)};
    recorder_add(&recorder, &entry);
    if (atomic_load_explicit(&control->requests, memory_order_relaxed) !=
        atomic_load_explicit(&requests_met, memory_order_relaxed))
        meet_request();
    is_inside = 0;
    errno = error;
}

void hook_made(const struct hook_request *request, void *block)
{
    if (records())
        enter(block, request);
}

/* Takes the block out before its place may be given to another thread. Without an address when it
 * was not recorded. */
static struct block_entry leave(void *block)
{
    struct block_entry entry = {.address = 0};

    if (atomic_load_explicit(&is_recording, memory_order_relaxed))
        (void)block_table_take(&recorder.blocks, (uintptr_t)block, &entry);
    return entry;
}

void hook_ends(void *block)
{
    (void)leave(block);
}

void *hook_realloc(const struct next_malloc *next, void *block, const struct hook_request *request)
{
    const struct block_entry before = leave(block);
    void *moved = next->realloc(block, request->bytes);

    if (moved)
        hook_made(request, moved);
    else if (request->bytes > 0 && before.address)
        (void)block_table_put(&recorder.blocks, &before);
    return moved;
}

int hook_enter(void)
{
    const int was_inside = is_inside;

    is_inside = 1;
    return was_inside;
}

void hook_leave(int was_inside)
{
    is_inside = was_inside;
}

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
    stack_walk_init();
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
