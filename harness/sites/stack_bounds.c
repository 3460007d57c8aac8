/*
 * One mapping of /proc/self/maps: see stack_bounds.h. A stack is the thread's own when it is the
 * process's first one, or when the thread's control block stands at its upper end, where glibc puts
 * it. No cancellation point, no stdio: a malloc that is being called is no place for either.
 */
#define _GNU_SOURCE
#include "harness/sites/stack_bounds.h"

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    MOST_LOOKS = 1 << 12,
    MOST_TEXT_BYTES = 1 << 18, /* some 3000 mappings: who has more waits too long for the kernel */
    LINE_BYTES = 160,          /* of a line that are looked at: its name may be longer */
    GROWTH_BYTES = 1 << 20,    /* of the first stack, between two looks */
};

struct mapping {
    uintptr_t begin, end;
    int is_first_stack;
};

static uintptr_t read_hexadecimal(const char **at)
{
    static const char digits[] = "0123456789abcdef";
    uintptr_t value = 0;

    for (;; (*at)++) {
        const char *digit = **at ? strchr(digits, **at) : NULL;
        if (!digit)
            return value;
        value = value << 4 | (uintptr_t)(digit - digits);
    }
}

static struct mapping read_line(const char *line)
{
    static const char first_stack[] = "[stack]";
    const size_t length = strlen(line), name_length = sizeof first_stack - 1;
    struct mapping mapping = {.begin = read_hexadecimal(&line)};
    const char *after;

    if (*line == '-')
        line++;
    mapping.end = read_hexadecimal(&line);
    after = line + strlen(line);
    mapping.is_first_stack = length > name_length && strcmp(after - name_length, first_stack) == 0;
    return mapping;
}

/* Lines that may come in pieces. */
struct lines {
    char line[LINE_BYTES];
    size_t length;
    uintptr_t address;
    struct mapping found;
};

/* Returns 1 at the line that holds the address. */
static int take_text(struct lines *lines, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] != '\n') {
            if (lines->length < LINE_BYTES - 1)
                lines->line[lines->length++] = text[i];
            continue;
        }
        lines->line[lines->length] = '\0';
        lines->length = 0;
        lines->found = read_line(lines->line);
        if (lines->address - lines->found.begin < lines->found.end - lines->found.begin)
            return 1;
    }
    return 0;
}

/* Returns 1 and the mapping that holds `address`, or 0. */
static int find_mapping(uintptr_t address, char *text, size_t text_bytes, struct mapping *mapping)
{
    struct lines lines = {.address = address};
    const long fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t all = 0;
    int is_found = 0;

    if (fd < 0)
        return 0;
    while (!is_found && all < MOST_TEXT_BYTES) {
        const long got = syscall(SYS_read, fd, text, text_bytes);
        if (got <= 0)
            break;
        all += (size_t)got;
        is_found = take_text(&lines, text, (size_t)got);
    }
    syscall(SYS_close, fd);
    *mapping = lines.found;
    return is_found;
}

static uintptr_t control_block(void)
{
    uintptr_t address = 0;

#if defined(__x86_64__)
    __asm__("mov %%fs:0, %0" : "=r"(address)); /* the ABI has its own address there */
#endif
    return address;
}

static int may_help(const struct stack_bounds *bounds, uintptr_t sp)
{
    if (bounds->looks >= MOST_LOOKS)
        return 0;
    if (bounds->end)
        return bounds->grows && sp < bounds->begin && bounds->begin - sp < GROWTH_BYTES;
    return sp - bounds->other_begin >= bounds->other_end - bounds->other_begin;
}

int stack_bounds_look(struct stack_bounds *bounds, uintptr_t sp, char *text, size_t text_bytes)
{
    const uintptr_t control = control_block();
    struct mapping mapping;

    if (!may_help(bounds, sp))
        return 0;
    bounds->looks++;
    if (!find_mapping(sp, text, text_bytes, &mapping))
        return 0;
    if (!mapping.is_first_stack && (control <= sp || control >= mapping.end)) {
        bounds->other_begin = mapping.begin;
        bounds->other_end = mapping.end;
        return 0;
    }
    if (bounds->grows && mapping.end != bounds->end)
        return 0;
    bounds->begin = mapping.begin;
    bounds->end = mapping.is_first_stack ? mapping.end : control;
    bounds->grows = mapping.is_first_stack;
    return 1;
}
