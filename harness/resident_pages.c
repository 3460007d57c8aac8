/*
 * smaps line by line, pagemap by chunks: see resident_pages.h. Leaves out mappings of which nothing
 * is resident, so that a reservation of any size costs nothing. Which pages are huge is told by
 * PAGEMAP_SCAN alone, from Linux 6.7 on; its structures are declared here, as Debian 12 has older
 * headers.
 */
#define _GNU_SOURCE
#include "harness/resident_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    TEXT_BYTES = 1 << 16,
    CHUNK_PAGES = 4096,
    HUGE_BYTES = 2 << 20, /* of a page table's second level, with 4 KiB pages */
    MOST_HUGE = 32,       /* of a chunk; there are 8 in one */
};

/* A mapping of more addresses is a reservation of a sanitizer's. */
#define MOST_MAPPING_BYTES (UINT64_C(1) << 38)

/* Bits of an entry of pagemap. */
#define ENTRY_PRESENT   (UINT64_C(1) << 63)
#define ENTRY_FILE      (UINT64_C(1) << 61)
#define ENTRY_EXCLUSIVE (UINT64_C(1) << 56)

/* include/uapi/linux/fs.h of Linux 6.7. */
struct scan_region {
    uint64_t start, end, categories;
};
struct scan_arguments {
    uint64_t size, flags, start, end, walk_end, vec, vec_length, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN         _IOWR('f', 16, struct scan_arguments)
#define SCAN_IS_HUGE (UINT64_C(1) << 6)

struct mapping {
    uint64_t begin, end;
    int is_stack;
    uint64_t rss_bytes, anon_huge_bytes;
};

struct walk {
    resident_visitor *visit;
    void *argument;
    int pagemap_fd;
    size_t page_bytes;
    struct mapping mapping; /* whose lines are being read; end 0 before the first */
    struct resident_sums sums;
};

/* Static, so that a look touches the same memory each time. */
static char text[TEXT_BYTES];
static uint64_t entries[CHUNK_PAGES];
static struct scan_region huge[MOST_HUGE];

/* --- Pages of one mapping. --- */

/* Huge pages of the chunk, into `huge`. Returns how many, or -1 when the kernel does not tell. */
static long find_huge(const struct walk *walk, uint64_t begin, uint64_t end)
{
    struct scan_arguments arguments = {
        .size = sizeof arguments,
        .start = begin,
        .end = end,
        .vec = (uintptr_t)huge,
        .vec_length = MOST_HUGE,
        .category_mask = SCAN_IS_HUGE,
        .return_mask = SCAN_IS_HUGE,
    };

    return ioctl(walk->pagemap_fd, SCAN, &arguments);
}

static uint64_t mapping_bytes_of(const struct walk *walk, uint64_t address, long huge_count)
{
    for (long i = 0; i < huge_count; i++) {
        if (address >= huge[i].start && address < huge[i].end)
            return HUGE_BYTES;
    }
    return huge_count < 0 ? 0 : walk->page_bytes;
}

/* Resident for this process: a page of zeros is present, of no file, and of many processes. */
static int is_resident(uint64_t entry)
{
    return (entry & ENTRY_PRESENT) && (entry & (ENTRY_FILE | ENTRY_EXCLUSIVE));
}

static void visit_chunk(const struct walk *walk, uint64_t begin, size_t pages)
{
    const uint64_t end = begin + pages * walk->page_bytes;
    const long huge_count = walk->mapping.anon_huge_bytes > 0 ? find_huge(walk, begin, end) : 0;

    for (size_t i = 0; i < pages; i++) {
        const uint64_t address = begin + i * walk->page_bytes;
        if (!is_resident(entries[i]))
            continue;
        const struct resident_page page = {
            .address = (uintptr_t)address,
            .is_file = (entries[i] & ENTRY_FILE) != 0,
            .is_stack = walk->mapping.is_stack,
            .mapping_bytes = mapping_bytes_of(walk, address, huge_count),
        };
        walk->visit(&page, walk->argument);
    }
}

static int visit_pages(const struct walk *walk)
{
    const struct mapping *mapping = &walk->mapping;

    for (uint64_t at = mapping->begin; at < mapping->end; at += CHUNK_PAGES * walk->page_bytes) {
        const uint64_t left = (mapping->end - at) / walk->page_bytes;
        const size_t pages = left < CHUNK_PAGES ? (size_t)left : CHUNK_PAGES;
        const off_t place = (off_t)(at / walk->page_bytes * sizeof *entries);
        const ssize_t got = pread(walk->pagemap_fd, entries, pages * sizeof *entries, place);
        if (got != (ssize_t)(pages * sizeof *entries))
            return got < 0 ? -errno : -EIO;
        visit_chunk(walk, at, pages);
    }
    return 0;
}

/* --- Mappings. --- */

/* All of its lines have been read. */
static int end_mapping(struct walk *walk)
{
    const struct mapping *mapping = &walk->mapping;

    if (mapping->rss_bytes == 0)
        return 0;
    walk->sums.rss_bytes += mapping->rss_bytes;
    if (mapping->end - mapping->begin <= MOST_MAPPING_BYTES)
        return visit_pages(walk);
    walk->sums.unread_bytes += mapping->rss_bytes;
    return 0;
}

/* "7f0123400000-7f0123500000 rw-p 00000000 00:00 0     [stack]". Returns 0 or a negative errno. */
static int begin_mapping(struct walk *walk, const char *line)
{
    char *end;
    int error = end_mapping(walk);

    walk->mapping = (struct mapping){.begin = strtoull(line, &end, 16)};
    if (*end != '-')
        return error ? error : -EINVAL;
    walk->mapping.end = strtoull(end + 1, &end, 16);
    walk->mapping.is_stack = strstr(end, "[stack]") != NULL;
    return error;
}

/* The number of kilobytes behind a key, in bytes, added to `sum`; the line may be another's. */
static void add_field(const char *line, const char *key, uint64_t *sum)
{
    const size_t length = strlen(key);

    if (strncmp(line, key, length) == 0)
        *sum += strtoull(line + length, NULL, 10) * 1024;
}

/* Keys begin with a capital, addresses have small digits. */
static int read_line(struct walk *walk, const char *line)
{
    if (line[0] < 'A' || line[0] > 'Z')
        return begin_mapping(walk, line);
    add_field(line, "Rss:", &walk->mapping.rss_bytes);
    add_field(line, "AnonHugePages:", &walk->mapping.anon_huge_bytes);
    add_field(line, "AnonHugePages:", &walk->sums.anon_huge_bytes);
    add_field(line, "LazyFree:", &walk->sums.lazyfree_bytes);
    add_field(line, "Swap:", &walk->sums.swap_bytes);
    return 0;
}

/* The whole lines of `text`. Returns how many bytes are left behind them, at its begin, or a
 * negative errno. */
static ssize_t read_lines(struct walk *walk, size_t used)
{
    char *line = text;

    for (;;) {
        char *newline = memchr(line, '\n', used - (size_t)(line - text));
        if (!newline)
            break;
        *newline = '\0';
        int error = read_line(walk, line);
        if (error)
            return error;
        line = newline + 1;
    }
    const size_t left = used - (size_t)(line - text);
    memmove(text, line, left);
    return left < TEXT_BYTES ? (ssize_t)left : -EINVAL;
}

static int walk_mappings(struct walk *walk, int smaps_fd)
{
    ssize_t used = 0;

    for (;;) {
        const ssize_t got = read(smaps_fd, text + used, TEXT_BYTES - (size_t)used);
        if (got < 0)
            return -errno;
        if (got == 0)
            return end_mapping(walk);
        used = read_lines(walk, (size_t)(used + got));
        if (used < 0)
            return (int)used;
    }
}

static int walk_open(struct walk *walk)
{
    const int smaps_fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);

    if (smaps_fd < 0)
        return -errno;
    const int error = walk_mappings(walk, smaps_fd);
    close(smaps_fd);
    return error;
}

int resident_pages_each(resident_visitor *visit, void *argument, struct resident_sums *sums)
{
    struct walk walk = {.visit = visit,
                        .argument = argument,
                        .pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC),
                        .page_bytes = (size_t)sysconf(_SC_PAGESIZE)};

    if (walk.pagemap_fd < 0)
        return -errno;
    const int error = walk_open(&walk);
    close(walk.pagemap_fd);
    if (!error)
        *sums = walk.sums;
    return error;
}
