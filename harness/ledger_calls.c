/*
 * Arguments and results of system calls, in words. Leaves out errno values: a call failed or not.
 * Numbers and flags are those of <sys/syscall.h> and the kernel's own headers.
 */
#define _GNU_SOURCE
#include "harness/ledger_calls.h"

#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* Of mmap's kind, above the three bits of its protection. */
enum {
    KIND_FILE = 8,
    KIND_SHARED = 16,
    KIND_FIXED = 32,
    KIND_NORESERVE = 64,
    KIND_POPULATE = 128,
    KIND_HUGETLB = 256,
    KIND_STACK = 512,
    KIND_LOCKED = 1024,
};

/* Of mremap's and brk's. */
enum { KIND_SAME = 0, KIND_GROW = 1, KIND_SHRINK = 2, KIND_MOVED = 4, KIND_DONTUNMAP = 8 };

/* Not in the headers of every system that builds this. */
enum {
    OUR_MAP_FIXED_NOREPLACE = 0x100000,
    OUR_MREMAP_DONTUNMAP = 4,
    MOST_ERRNO = 4095,
};

static const struct {
    const char *name;
    long number;
} calls[LEDGER_CALLS] = {
    [LEDGER_MMAP] = {"mmap", SYS_mmap},
    [LEDGER_MUNMAP] = {"munmap", SYS_munmap},
    [LEDGER_MREMAP] = {"mremap", SYS_mremap},
    [LEDGER_BRK] = {"brk", SYS_brk},
    [LEDGER_MPROTECT] = {"mprotect", SYS_mprotect},
    [LEDGER_MADVISE] = {"madvise", SYS_madvise},
    [LEDGER_PROCESS_MADVISE] = {"process_madvise", SYS_process_madvise},
};

int ledger_call_of(long number)
{
    for (int i = 0; i < LEDGER_CALLS; i++) {
        if (calls[i].number == number)
            return i;
    }
    return -1;
}

const char *ledger_call_name(enum ledger_call call)
{
    return calls[call].name;
}

/* --- What it was. --- */

static uint64_t whole_pages(uint64_t bytes, uint64_t page_bytes)
{
    return (bytes + page_bytes - 1) & ~(page_bytes - 1);
}

static const struct {
    uint64_t flag;
    uint32_t kind;
    const char *name;
} mmap_flags[] = {
    {MAP_FIXED, KIND_FIXED, "fixed"},
    {MAP_NORESERVE, KIND_NORESERVE, "noreserve"},
    {MAP_POPULATE, KIND_POPULATE, "populate"},
    {MAP_HUGETLB, KIND_HUGETLB, "hugetlb"},
    {MAP_STACK, KIND_STACK, "stack"},
    {MAP_LOCKED, KIND_LOCKED, "locked"},
    {OUR_MAP_FIXED_NOREPLACE, KIND_FIXED, NULL}, /* net as if it were free, which it then was */
};

enum { MMAP_FLAGS = sizeof mmap_flags / sizeof mmap_flags[0] };

static uint32_t protection_of(uint64_t bits)
{
    return (uint32_t)(bits & (PROT_READ | PROT_WRITE | PROT_EXEC));
}

static void classify_mmap(struct ledger_event *event, const uint64_t *arguments,
                          uint64_t page_bytes)
{
    const uint64_t flags = arguments[3];

    event->kind = protection_of(arguments[2]);
    for (size_t i = 0; i < MMAP_FLAGS; i++) {
        if (flags & mmap_flags[i].flag)
            event->kind |= mmap_flags[i].kind;
    }
    if (!(flags & MAP_ANONYMOUS))
        event->kind |= KIND_FILE;
    if ((flags & MAP_TYPE) != MAP_PRIVATE) /* or MAP_SHARED_VALIDATE */
        event->kind |= KIND_SHARED;
    event->bytes = whole_pages(arguments[1], page_bytes);
    event->net_bytes = flags & MAP_FIXED ? 0 : (int64_t)event->bytes;
}

static void classify_mremap(struct ledger_event *event, const uint64_t *arguments, int64_t result,
                            uint64_t page_bytes)
{
    event->old_bytes = whole_pages(arguments[1], page_bytes);
    event->bytes = whole_pages(arguments[2], page_bytes);
    event->kind = event->bytes > event->old_bytes   ? KIND_GROW
                  : event->bytes < event->old_bytes ? KIND_SHRINK
                                                    : KIND_SAME;
    event->net_bytes = (int64_t)(event->bytes - event->old_bytes);
    if (!event->failed && (uint64_t)result != arguments[0])
        event->kind |= KIND_MOVED;
    if (arguments[3] & OUR_MREMAP_DONTUNMAP) {
        event->kind |= KIND_DONTUNMAP;
        event->net_bytes = (int64_t)event->bytes;
    }
}

/* Its result is the break, moved or not: it never fails by a negative errno. */
static void classify_brk(struct ledger_event *event, uint64_t asked, uint64_t before,
                         uint64_t after, uint64_t page_bytes)
{
    event->failed = asked != 0 && after != asked;
    event->kind = asked == 0 || asked == before ? KIND_SAME
                  : asked > before              ? KIND_GROW
                                                : KIND_SHRINK;
    event->net_bytes = (int64_t)(whole_pages(after, page_bytes) - whole_pages(before, page_bytes));
    event->bytes = (uint64_t)(event->net_bytes < 0 ? -event->net_bytes : event->net_bytes);
}

static void classify_rest(struct ledger_event *event, const uint64_t *arguments, int64_t result,
                          uint64_t page_bytes)
{
    event->bytes = whole_pages(arguments[1], page_bytes);
    switch (event->call) {
    case LEDGER_MUNMAP:
        event->net_bytes = -(int64_t)event->bytes;
        break;
    case LEDGER_MPROTECT:
        event->kind = protection_of(arguments[2]);
        break;
    case LEDGER_PROCESS_MADVISE: /* a vector of ranges: its result is the bytes that it took */
        event->kind = (uint32_t)arguments[3];
        event->bytes = (uint64_t)result;
        break;
    default:
        event->kind = (uint32_t)arguments[2];
    }
}

void ledger_classify(struct ledger_event *event, enum ledger_call call,
                     const uint64_t arguments[LEDGER_ARGUMENTS], int64_t result,
                     uint64_t brk_before, uint64_t page_bytes)
{
    *event = (struct ledger_event){.call = call};
    if (call == LEDGER_BRK) {
        classify_brk(event, arguments[0], brk_before, (uint64_t)result, page_bytes);
        return;
    }
    event->failed = result < 0 && result >= -MOST_ERRNO;
    if (call == LEDGER_MMAP)
        classify_mmap(event, arguments, page_bytes);
    else if (call == LEDGER_MREMAP)
        classify_mremap(event, arguments, result, page_bytes);
    else
        classify_rest(event, arguments, result, page_bytes);
    if (event->failed) {
        event->bytes = 0;
        event->old_bytes = 0;
        event->net_bytes = 0;
    }
}

/* --- Its name. --- */

/* Appends to `text` at `used` and returns the new end; what does not fit is cut. */
static size_t append(char *text, size_t used, const char *word)
{
    while (*word && used + 1 < LEDGER_KIND_BYTES)
        text[used++] = *word++;
    text[used] = '\0';
    return used;
}

static size_t append_number(char *text, size_t used, int32_t number)
{
    char digits[12];
    size_t at = sizeof digits - 1;
    uint32_t left = number < 0 ? 0u - (uint32_t)number : (uint32_t)number;

    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0)
        digits[--at] = '-';
    return append(text, used, digits + at);
}

static const char *const protections[] = {"none", "r", "w", "rw", "x", "rx", "wx", "rwx"};

_Static_assert(PROT_READ == 1 && PROT_WRITE == 2 && PROT_EXEC == 4, "the order of protections");

static void name_mmap(uint32_t kind, char *text)
{
    size_t used = append(text, 0, protections[kind & 7]);

    if (kind & KIND_FILE)
        used = append(text, used, "+file");
    if (kind & KIND_SHARED)
        used = append(text, used, "+shared");
    for (size_t i = 0; i < MMAP_FLAGS; i++) {
        if (!mmap_flags[i].name || !(kind & mmap_flags[i].kind))
            continue;
        used = append(text, used, "+");
        used = append(text, used, mmap_flags[i].name);
    }
}

static void name_resize(uint32_t kind, const char *same, char *text)
{
    size_t used = append(text, 0, kind & KIND_GROW ? "grow" : kind & KIND_SHRINK ? "shrink" : same);

    if (kind & KIND_MOVED)
        used = append(text, used, "+moved");
    if (kind & KIND_DONTUNMAP)
        append(text, used, "+dontunmap");
}

/* Of the kernel's include/uapi/asm-generic/mman-common.h, to 6.13. */
static const struct {
    uint32_t advice;
    const char *name;
} advices[] = {
    {0, "MADV_NORMAL"},           {1, "MADV_RANDOM"},          {2, "MADV_SEQUENTIAL"},
    {3, "MADV_WILLNEED"},         {4, "MADV_DONTNEED"},        {8, "MADV_FREE"},
    {9, "MADV_REMOVE"},           {10, "MADV_DONTFORK"},       {11, "MADV_DOFORK"},
    {12, "MADV_MERGEABLE"},       {13, "MADV_UNMERGEABLE"},    {14, "MADV_HUGEPAGE"},
    {15, "MADV_NOHUGEPAGE"},      {16, "MADV_DONTDUMP"},       {17, "MADV_DODUMP"},
    {18, "MADV_WIPEONFORK"},      {19, "MADV_KEEPONFORK"},     {20, "MADV_COLD"},
    {21, "MADV_PAGEOUT"},         {22, "MADV_POPULATE_READ"},  {23, "MADV_POPULATE_WRITE"},
    {24, "MADV_DONTNEED_LOCKED"}, {25, "MADV_COLLAPSE"},       {100, "MADV_HWPOISON"},
    {101, "MADV_SOFT_OFFLINE"},   {102, "MADV_GUARD_INSTALL"}, {103, "MADV_GUARD_REMOVE"},
};

static void name_advice(uint32_t kind, char *text)
{
    for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++) {
        if (advices[i].advice == kind) {
            append(text, 0, advices[i].name);
            return;
        }
    }
    append_number(text, append(text, 0, "advice_"), (int32_t)kind);
}

const char *ledger_kind_name(enum ledger_call call, uint32_t kind, char *text)
{
    text[0] = '\0';
    if (kind == LEDGER_OTHER_KIND)
        append(text, 0, "other");
    else if (call == LEDGER_MMAP)
        name_mmap(kind, text);
    else if (call == LEDGER_MREMAP)
        name_resize(kind, "same", text);
    else if (call == LEDGER_BRK)
        name_resize(kind, "query", text);
    else if (call == LEDGER_MPROTECT)
        append(text, 0, protections[kind & 7]);
    else if (call == LEDGER_MADVISE || call == LEDGER_PROCESS_MADVISE)
        name_advice(kind, text);
    return text;
}
