/*
 * Child, lines, JSON, file. Leaves out a second try: a child that fails here would fail again.
 */
#define _GNU_SOURCE
#include "harness/census_pass.h"

#include "harness/census_check.h"
#include "harness/census_child.h"
#include "harness/census_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IDLE_NS = 10000000 }; /* most that the child waits where the cell is idle */

int census_pass_is_left(const struct tally *tally, size_t cell, int run_fd)
{
    const struct cell *wanted = &tally->plan->cells[cell];

    return tally->plan->census && tally->cells[cell].has_ok && !wanted->is_control &&
           host_is_objects(&wanted->host) && wanted->way.mode == RETURN_STOCK &&
           wanted->row.object.allocator->capabilities & ALLOCATOR_CENSUS &&
           !census_file_is_there(run_fd, cell);
}

static int fail(char *why, int number, const char *what)
{
    snprintf(why, CENSUS_PASS_ERROR_BYTES, "%s", what);
    return number;
}

/* All of the file, and a NUL behind it; the caller frees it. NULL without memory. */
static char *read_lines(int fd, size_t length)
{
    char *lines = malloc(length + 1);
    size_t used = 0;

    while (lines && used < length) {
        ssize_t got = pread(fd, lines + used, length - used, (off_t)used);
        if (got <= 0) {
            free(lines);
            return NULL;
        }
        used += (size_t)got;
    }
    if (lines)
        lines[length] = '\0';
    return lines;
}

/* The census that the child left in `fd`, checked. NULL with a sentence in `why`. */
static json_t *understand(int fd, size_t length, size_t cell, size_t phases, char *why)
{
    char what[CENSUS_ERROR_BYTES] = "what the child wrote cannot be read back";
    char *lines = read_lines(fd, length);
    json_t *census = lines ? census_from_lines(lines, length, cell, what) : NULL;

    free(lines);
    if (census && json_array_size(json_object_get(census, "phases")) != phases)
        snprintf(what, sizeof what, "it lacks a phase");
    else if (census && census_check(census, what) == 0)
        return census;
    fail(why, 0, what);
    json_decref(census);
    return NULL;
}

/* Where the child stopped at the bound, what it wrote is too much as well (census_child.h). */
static int write_file(int fd, size_t cell, int run_fd, const struct sample *sample, char *why)
{
    static const char too_large[] = "it is larger than a reader takes: 32 MiB, 262144 objects";
    struct stat info = {0};

    if (fstat(fd, &info) != 0 || info.st_size > CENSUS_MOST_LINE_BYTES - CENSUS_BUFFER_BYTES)
        return fail(why, -EFBIG, too_large);
    json_t *census = understand(fd, (size_t)info.st_size, cell, sample->phase_count, why);
    if (!census)
        return -EINVAL;
    int failed = census_file_write(run_fd, census);
    json_decref(census);
    if (failed)
        fail(why, failed, failed == -EFBIG ? too_large : strerror(-failed));
    return failed;
}

static int take(const struct sample_settings *settings, size_t index, int run_fd,
                struct sample *sample, char *why)
{
    struct cell cell = settings->plan->cells[index];

    /* Its phase stays, but what no operation changes is not waited for. */
    if (cell.idle_ns > IDLE_NS)
        cell.idle_ns = IDLE_NS;
    cell.way.rebuilds = 0;
    int failed = sample_run(settings, &cell, settings->plan->seed, sample);

    if (failed)
        return fail(why, failed, "cannot start a child");
    if (sample->status == SAMPLE_INTERRUPTED)
        return -EINTR;
    if (sample->status == SAMPLE_OK)
        return write_file(settings->census_fd, index, run_fd, sample, why);
    snprintf(why, CENSUS_PASS_ERROR_BYTES, "%s: %s", sample_status_name(sample->status),
             sample->reason);
    return -ECHILD;
}

int census_pass_take(const struct sample_settings *settings, size_t index, int run_fd,
                     struct sample *sample, char *why)
{
    struct sample_settings own = *settings;

    own.makes_census = 1;
    own.census_fd = memfd_create("tidemark-census", MFD_CLOEXEC);
    if (own.census_fd < 0)
        return fail(why, -errno, "no file for the child to write to");
    int failed = take(&own, index, run_fd, sample, why);
    close(own.census_fd);
    return failed;
}
