/*
 * .wl of glibc's trace-utils: bytes of operations with numbers of seven bits a byte, the highest
 * first; a head that says where each thread begins, then the threads one after the other. Threads
 * write and read points of synchronisation where a block goes from one to another: they are run in
 * turn here, and one that reads waits until another has written. Leaves out points that nobody
 * writes. Source: DJ Delorie's malloc branch of glibc, by its trace_run, as its files are read.
 */
#define _GNU_SOURCE
#include "harness/trace/import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum wl_operation {
    WL_NOP,
    WL_DONE,
    WL_MALLOC,
    WL_CALLOC,
    WL_REALLOC,
    WL_FREE,
    WL_SYNC_WRITE,
    WL_SYNC_READ,
    WL_ALLOC_POINTERS,
    WL_ALLOC_SYNCS,
    WL_THREADS,
    WL_START_THREAD,
    WL_MEMALIGN,
    WL_VALLOC,
    WL_PVALLOC,
    WL_POSIX_MEMALIGN,
};

enum { MOST_SYNCS = 1 << 24, PAGE_BYTES = 4096 };

struct wl_thread {
    const uint8_t *at;
    int is_done, waits;
};

struct wl {
    struct import *import;
    const uint8_t *bytes, *end;
    struct wl_thread *threads;
    uint32_t thread_count;
    uint8_t *written; /* by point of synchronisation */
    uint64_t sync_count;
    uint64_t operations; /* done so far */
    int is_forced;       /* nobody can go on: points are passed over */
};

static int get(const struct wl *wl, const uint8_t **at, uint64_t *number)
{
    uint64_t found = 0;

    for (unsigned i = 0; i < 10 && *at < wl->end; i++) {
        const uint8_t byte = *(*at)++;
        found = found << 7 | (byte & 0x7f);
        if (!(byte & 0x80)) {
            *number = found;
            return 0;
        }
    }
    return -EBADMSG;
}

/* How many numbers follow. */
static int numbers_of(enum wl_operation operation)
{
    switch (operation) {
    case WL_NOP:
    case WL_DONE:
        return 0;
    case WL_FREE:
    case WL_SYNC_WRITE:
    case WL_SYNC_READ:
    case WL_ALLOC_POINTERS:
    case WL_ALLOC_SYNCS:
    case WL_THREADS:
    case WL_START_THREAD:
        return 1;
    case WL_MALLOC:
    case WL_CALLOC:
    case WL_VALLOC:
    case WL_PVALLOC:
        return 2;
    case WL_REALLOC:
    case WL_MEMALIGN:
    case WL_POSIX_MEMALIGN:
        return 3;
    }
    return -1;
}

static int sync_point(struct wl *wl, struct wl_thread *thread, enum wl_operation operation,
                      uint64_t point)
{
    if (point >= wl->sync_count)
        return -EBADMSG;
    if (operation == WL_SYNC_WRITE)
        wl->written[point] = 1;
    else
        thread->waits = !wl->written[point] && !wl->is_forced;
    return 0;
}

/* Block 0 is NULL. */
static int do_call(struct wl *wl, uint32_t number, enum wl_operation operation, const uint64_t *n)
{
    struct import *import = wl->import;

    switch (operation) {
    case WL_MALLOC:
        return import_made(import, number, TRACE_MALLOC, n[0], n[1], 0);
    case WL_CALLOC:
        return import_made(import, number, TRACE_CALLOC, n[0], n[1], 0);
    case WL_REALLOC:
        return import_moved(import, number, n[1], n[0], n[2]);
    case WL_FREE:
        return import_ended(import, number, n[0]);
    case WL_MEMALIGN:
    case WL_POSIX_MEMALIGN:
        return import_made(import, number, TRACE_ALIGNED, n[0], n[2], n[1]);
    case WL_VALLOC:
    case WL_PVALLOC:
        return import_made(import, number, TRACE_ALIGNED, n[0], n[1], PAGE_BYTES);
    default:
        return -EBADMSG; /* of a head */
    }
}

/* Goes on until it waits or is done. Returns 1 when it did anything, 0, or a negative errno. */
static int run_thread(struct wl *wl, uint32_t number)
{
    struct wl_thread *thread = &wl->threads[number];
    uint64_t numbers[3] = {0};
    int error = 0, done = 0;

    thread->waits = 0;
    while (!error && !thread->waits) {
        const uint8_t *at = thread->at;
        if (at >= wl->end)
            return -EBADMSG;
        const enum wl_operation operation = (enum wl_operation) * at++;
        const int count = numbers_of(operation);
        for (int i = 0; i < count && !error; i++)
            error = get(wl, &at, &numbers[i]);
        if (error || count < 0)
            return -EBADMSG;
        if (operation == WL_DONE) {
            thread->is_done = 1;
            return 1;
        }
        if (operation == WL_SYNC_WRITE || operation == WL_SYNC_READ)
            error = sync_point(wl, thread, operation, numbers[0]);
        else if (operation != WL_NOP)
            error = do_call(wl, number, operation, numbers);
        if (thread->waits)
            break;
        thread->at = at;
        done = 1;
        /* An operation takes a byte at least, of its own thread's. */
        if (++wl->operations > (uint64_t)(wl->end - wl->bytes))
            return -EBADMSG;
    }
    return error ? error : done;
}

static int run_threads(struct wl *wl)
{
    uint32_t left = wl->thread_count;

    while (left > 0) {
        int went_on = 0;
        for (uint32_t i = 0; i < wl->thread_count; i++) {
            if (wl->threads[i].is_done)
                continue;
            const int did = run_thread(wl, i);
            if (did < 0)
                return did;
            went_on |= did;
            left -= (uint32_t)wl->threads[i].is_done;
        }
        if (!went_on && wl->is_forced)
            return -EBADMSG;
        wl->is_forced = !went_on;
    }
    return 0;
}

static int start_thread(struct wl *wl, uint64_t offset)
{
    if (offset >= (uint64_t)(wl->end - wl->bytes) || wl->thread_count == IMPORT_MOST_THREADS)
        return -EBADMSG;
    struct wl_thread *room = realloc(wl->threads, (wl->thread_count + 1) * sizeof *wl->threads);
    if (!room)
        return -ENOMEM;
    wl->threads = room;
    room[wl->thread_count] = (struct wl_thread){.at = wl->bytes + offset};
    wl->thread_count++;
    return wl->thread_count > 1 ? import_started(wl->import, 0, wl->thread_count - 1) : 0;
}

static int read_head(struct wl *wl)
{
    const uint8_t *at = wl->bytes;
    uint64_t number = 0;
    int error = 0;

    while (!error && at < wl->end) {
        const enum wl_operation operation = (enum wl_operation) * at++;
        if (operation == WL_DONE)
            return 0;
        if (operation != WL_NOP)
            error = get(wl, &at, &number);
        if (error)
            break;
        if (operation == WL_ALLOC_SYNCS && !wl->written && number <= MOST_SYNCS) {
            wl->written = calloc(number + 1, 1);
            wl->sync_count = wl->written ? number + 1 : 0;
            error = wl->written ? 0 : -ENOMEM;
        } else if (operation == WL_START_THREAD) {
            error = start_thread(wl, number);
        } else if (operation != WL_NOP && operation != WL_ALLOC_POINTERS &&
                   operation != WL_THREADS) {
            error = -EBADMSG;
        }
    }
    return error ? error : -EBADMSG; /* it does not end */
}

static int read_whole(const char *path, uint8_t **bytes, size_t *length)
{
    FILE *file = fopen(path, "re");
    struct stat status;
    int error = file ? 0 : -errno;

    if (!error && (fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode)))
        error = -EBADMSG;
    *length = error ? 0 : (size_t)status.st_size;
    *bytes = error ? NULL : malloc(*length + 1);
    if (!error && !*bytes)
        error = -ENOMEM;
    if (!error)
        *length = fread(*bytes, 1, *length, file);
    if (file)
        fclose(file);
    return error;
}

int import_wl(struct import *import, const char *path)
{
    struct wl wl = {.import = import};
    uint8_t *bytes = NULL;
    size_t length;
    int error = read_whole(path, &bytes, &length);

    wl.bytes = bytes;
    wl.end = bytes ? bytes + length : NULL;
    if (!error)
        error = read_head(&wl);
    if (!error)
        error = run_threads(&wl);
    free(wl.threads);
    free(wl.written);
    free(bytes);
    return error;
}
