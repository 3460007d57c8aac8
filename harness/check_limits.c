/*
 * Checks at the limits: sizes that cannot be served, memory that ends, memory that has to be used
 * again. Leaves out limits by a cgroup, where the kernel kills: no allocator can answer that.
 */
#define _GNU_SOURCE
#include "harness/check_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* --- Sizes that cannot be served. --- */

static const size_t huge_sizes[] = {
    PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX - 4096, SIZE_MAX - 15, SIZE_MAX,
};

enum { HUGE_SIZES = sizeof huge_sizes / sizeof huge_sizes[0] };

/* `block` is what the call gave. */
static void judge_refusal(const char *name, size_t size, const void *block, int *set_count)
{
    if (block)
        check_fail("%s of %zu bytes gives a block", name, size);
    if (errno != 0 && errno != ENOMEM)
        check_fail("%s of %zu bytes gives NULL and sets errno to %d (%s)", name, size, errno,
                   strerror(errno));
    *set_count += errno == ENOMEM;
}

/*
 * C says NULL and nothing of errno; POSIX sets ENOMEM. The contract asks for what C says, and that
 * nothing else be set: a caller who prints errno would be told a wrong reason.
 */
void check_huge_sizes(const struct check_run *run)
{
    int set_count = 0, call_count = 0;

    for (size_t i = 0; i < HUGE_SIZES; i++) {
        volatile size_t size = huge_sizes[i];
        errno = 0;
        judge_refusal("malloc", huge_sizes[i], check_try_malloc(run, size), &set_count);
        call_count++;
        if (check_has(run, ALLOCATOR_CALLOC)) {
            errno = 0;
            judge_refusal("calloc", huge_sizes[i], run->ops->calloc(1, size), &set_count);
            call_count++;
        }
        if (check_has(run, ALLOCATOR_REALLOC)) {
            errno = 0;
            judge_refusal("realloc of NULL", huge_sizes[i], check_try_realloc(run, NULL, 0, size),
                          &set_count);
            call_count++;
        }
    }
    check_pass("errno is ENOMEM after %d of %d calls, left alone after the others", set_count,
               call_count);
}

/* --- Memory that has to be used again. --- */

enum { TOTAL_MIB = 1024, SLOTS = 512, LARGEST_BYTES = 32768, BOUND_MIB = 128, PAGE_BYTES = 4096 };

static void touch(unsigned char *block, size_t size)
{
    for (size_t i = 0; i < size; i += PAGE_BYTES)
        block[i] = 1;
    block[size - 1] = 1;
}

void check_memory_reused(const struct check_run *run)
{
    unsigned char **slots = check_table_memory(SLOTS * sizeof *slots);
    const size_t before_bytes = check_resident_bytes();
    uint64_t state = run->seed;

    for (size_t done_bytes = 0, step = 0; done_bytes < (size_t)TOTAL_MIB << 20; step++) {
        size_t size = 1 + check_random_below(&state, step % 4 ? LARGEST_BYTES : 2 * LARGEST_BYTES);
        unsigned char **slot = &slots[check_random_below(&state, SLOTS)];
        check_call_free(run, *slot);
        *slot = check_call_malloc(run, size);
        touch(*slot, size);
        done_bytes += size;
        if (step % 256 == 0)
            check_resident_below(before_bytes, (size_t)BOUND_MIB << 20,
                                 "while at most 32 MiB of what was allocated were not freed");
    }
    size_t after_bytes = check_resident_bytes();
    for (size_t i = 0; i < SLOTS; i++)
        check_call_free(run, slots[i]);
    check_pass("%d MiB in all; %zu KiB resident above the start at the end", TOTAL_MIB,
               (after_bytes > before_bytes ? after_bytes - before_bytes : 0) >> 10);
}

/* --- Memory that ends. --- */

/*
 * The address space of this process may grow by so much and no more; RLIM_INFINITY: as it likes
 * again. Relative to what it has, since
 * some allocators reserve much of it before they need it.
 */
static void limit_address_space(size_t growth_bytes)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit) != 0)
        check_not_available("the limit on address space cannot be read: %s", strerror(errno));
    limit.rlim_cur =
        growth_bytes == RLIM_INFINITY ? limit.rlim_max : check_virtual_bytes() + growth_bytes;
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_cur > limit.rlim_max)
        check_not_available("the address space is limited already, to %llu MiB",
                            (unsigned long long)limit.rlim_max >> 20);
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        check_not_available("the address space cannot be limited: %s", strerror(errno));
}

struct linked_block {
    struct linked_block *next;
    uint64_t mark;
};

/* Takes blocks, chained through themselves, until one is NULL or `most` are there; stores how many.
 */
static struct linked_block *take_until_null(const struct check_run *run, size_t size, size_t most,
                                            size_t *count)
{
    struct linked_block *first = NULL;

    for (*count = 0; *count < most; (*count)++) {
        struct linked_block *block = check_try_malloc(run, size);
        if (!block)
            break;
        *block = (struct linked_block){.next = first, .mark = size ^ *count};
        check_stamp(block + 1, size - sizeof *block, *count);
        first = block;
    }
    return first;
}

static void free_chain(const struct check_run *run, struct linked_block *first, size_t size,
                       size_t count)
{
    while (first) {
        struct linked_block *next = first->next;
        count--;
        if (first->mark != (size ^ count))
            check_fail("the head of block %zu of %zu bytes has changed, once memory had run out",
                       count, size);
        check_stamped(first + 1, size - sizeof *first, count, "once memory had run out");
        check_call_free(run, first);
        first = next;
    }
}

/*
 * Runs out of memory, frees all, and has to get a quarter of the blocks again. Not all of them:
 * what was freed may be kept for other sizes, or need new bookkeeping to be cut up again, for which
 * there is no memory either (jemalloc gets 48 % at times).
 */
static void exhaust(const struct check_run *run, size_t size, size_t growth_bytes)
{
    enum { LEAST_SHARE = 4 };
    const size_t most = 2 * growth_bytes / size;
    size_t count, again;

    limit_address_space(growth_bytes);
    struct linked_block *first = take_until_null(run, size, most, &count);
    if (count == most)
        check_not_available("%zu MiB could be had under a limit of %zu MiB: it had reserved them",
                            count * size >> 20, growth_bytes >> 20);
    if (count < growth_bytes / size / LEAST_SHARE)
        check_fail("malloc(%zu) gives NULL after %zu blocks, %zu MiB, under a limit of %zu MiB",
                   size, count, count * size >> 20, growth_bytes >> 20);
    free_chain(run, first, size, count);
    first = take_until_null(run, size, count / LEAST_SHARE, &again);
    if (again < count / LEAST_SHARE)
        check_fail("after %zu blocks of %zu bytes had been freed, only %zu could be had again",
                   count, size, again);
    free_chain(run, first, size, again);
    check_pass("NULL after %zu blocks of %zu bytes, under %zu MiB more of address space", count,
               size, growth_bytes >> 20);
}

void check_memory_limit(const struct check_run *run)
{
    exhaust(run, 1 << 20, (size_t)512 << 20);
}

void check_memory_limit_small(const struct check_run *run)
{
    exhaust(run, 200, (size_t)128 << 20);
}

/* --- Memory that ends within a region. --- */

enum { REGION_BLOCK_BYTES = 1000 };

/* As take_until_null, from a region. */
static struct linked_block *fill_region(const struct check_run *run, void *region, size_t most,
                                        size_t *count)
{
    struct linked_block *first = NULL;

    check_note("region_alloc of 1000 bytes");
    for (*count = 0; *count < most; (*count)++) {
        struct linked_block *block = run->ops->region_alloc(region, REGION_BLOCK_BYTES, 16);
        if (!block)
            break;
        *block = (struct linked_block){.next = first, .mark = *count};
        check_stamp(block + 1, REGION_BLOCK_BYTES - sizeof *block, *count);
        first = block;
    }
    return first;
}

static void look_through_region(const struct linked_block *first, size_t count)
{
    for (; first; first = first->next) {
        count--;
        if (first->mark != count)
            check_fail("the head of block %zu of a region has changed, once memory had run out",
                       count);
        check_stamped(first + 1, REGION_BLOCK_BYTES - sizeof *first, count,
                      "of a region, once memory had run out");
    }
}

/* A reset may keep what it likes, but for the next blocks of this region. */
void check_region_limit(const struct check_run *run)
{
    enum { LEAST_SHARE = 4, GROWTH_BYTES = 128 << 20 };
    const size_t most = 2 * (size_t)GROWTH_BYTES / REGION_BLOCK_BYTES;
    void *region = run->ops->region_create();
    size_t count, again;

    if (!region)
        check_fail("region_create gives NULL");
    limit_address_space(GROWTH_BYTES);
    const struct linked_block *first = fill_region(run, region, most, &count);
    if (count == most)
        check_not_available("%zu MiB could be had under a limit of %d MiB: it had reserved them",
                            count * REGION_BLOCK_BYTES >> 20, GROWTH_BYTES >> 20);
    if (count < most / 2 / LEAST_SHARE)
        check_fail("a region gives NULL after %zu blocks of %d bytes, under a limit of %d MiB",
                   count, REGION_BLOCK_BYTES, GROWTH_BYTES >> 20);
    look_through_region(first, count);
    check_note("region_reset");
    run->ops->region_reset(region);
    first = fill_region(run, region, count / LEAST_SHARE, &again);
    look_through_region(first, again);
    if (again < count / LEAST_SHARE)
        check_fail("after a reset of %zu blocks, only %zu could be had again", count, again);
    check_note("region_destroy");
    run->ops->region_destroy(region);
    check_pass("NULL after %zu blocks of %d bytes, under %d MiB more of address space", count,
               REGION_BLOCK_BYTES, GROWTH_BYTES >> 20);
}

/* --- What is printed. --- */

/* Sends stdout and stderr to a file of memory. Returns its descriptor. */
static int catch_output(void)
{
    int fd = memfd_create("printed", MFD_CLOEXEC);

    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        check_not_available("what is printed cannot be caught: %s", strerror(errno));
    return fd;
}

static void free_if_there(const struct check_run *run, void *block)
{
    if (block)
        check_call_free(run, block);
}

/* Up to the first line's end. */
static void judge_output(int fd)
{
    char text[200] = "";
    ssize_t got = pread(fd, text, sizeof text - 1, 0);

    if (got < 0)
        check_not_available("what is printed cannot be read: %s", strerror(errno));
    if (got == 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    for (char *at = text; *at; at++) {
        if (*at < ' ' || *at > '~')
            *at = '?';
    }
    check_fail("it prints: %s", text);
}

static void ask_for_large(const struct check_run *run)
{
    const size_t sizes[] = {100, 1 << 20, (size_t)2 << 30, PTRDIFF_MAX, SIZE_MAX};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        volatile size_t size = sizes[i];
        free_if_there(run, check_try_malloc(run, size));
        if (check_has(run, ALLOCATOR_REALLOC))
            free_if_there(run, check_try_realloc(run, NULL, 0, size));
    }
}

static void run_out_of_small(const struct check_run *run)
{
    enum { LIMIT_BYTES = 32 << 20, SMALL_BYTES = 200 };
    size_t count;

    limit_address_space(LIMIT_BYTES);
    struct linked_block *first =
        take_until_null(run, SMALL_BYTES, 2 * LIMIT_BYTES / SMALL_BYTES, &count);
    free_chain(run, first, SMALL_BYTES, count);
    limit_address_space(RLIM_INFINITY);
}

/* Small blocks first: what a large one leaves behind may serve very many. */
void check_prints_nothing(const struct check_run *run)
{
    int fd = catch_output();

    if (check_has(run, ALLOCATOR_DISTINCT))
        run_out_of_small(run);
    ask_for_large(run);
    check_call_free(run, NULL);
    if (check_has(run, ALLOCATOR_PURGE))
        run->ops->purge();
    judge_output(fd);
    check_pass("after the end of memory, 2 GiB at once and refused sizes");
}
