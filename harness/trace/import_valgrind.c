/*
 * valgrind --trace-malloc=yes: "--PID-- malloc(10) = 0x4A43040" and its like, among all else that
 * it prints. Leaves out processes but the first, and realloc's inner malloc. Source: Valgrind 3.19,
 * m_replacemalloc/vg_replace_malloc.c, by what it prints.
 */
#include "harness/trace/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long process; /* of the first line; 0: none yet */

/* Behind "= ". Returns 0 where there is no address. */
static uint64_t result_of(const char *call)
{
    const char *equals = strrchr(call, '=');

    return equals ? strtoull(equals + 1, NULL, 16) : 0;
}

static int read_call(struct import *import, const char *call, uint64_t line)
{
    static const char *const plain[] = {"malloc(",
                                        "__builtin_new(",
                                        "_Znwm(",
                                        "__builtin_vec_new(",
                                        "_Znam(",
                                        "valloc(",
                                        "_ZnwmRKSt9nothrow_t(",
                                        "_ZnamRKSt9nothrow_t("};
    static const char *const ends[] = {
        "free(", "cfree(", "_ZdlPv", "_ZdaPv", "__builtin_delete(", "__builtin_vec_delete("};
    uint64_t numbers[2];
    const char *open = strchr(call, '(');

    /* Of C++'s aligned new. */
    if (open && import_match(open, "(size #, al #", numbers))
        return import_made(import, 0, TRACE_ALIGNED, result_of(call), numbers[0], numbers[1]);
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (strncmp(call, plain[i], strlen(plain[i])) == 0 &&
            import_match(call + strlen(plain[i]), "#", numbers))
            return import_made(import, 0, TRACE_MALLOC, result_of(call), numbers[0], 0);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (strncmp(call, ends[i], strlen(ends[i])) == 0 && open)
            return import_ended(import, 0, strtoull(open + 1, NULL, 16));
    if (import_match(call, "calloc(#,#", numbers))
        return import_made(import, 0, TRACE_CALLOC, result_of(call), numbers[0] * numbers[1], 0);
    if (import_match(call, "memalign(al #, size #", numbers))
        return import_made(import, 0, TRACE_ALIGNED, result_of(call), numbers[1], numbers[0]);
    if (import_match(call, "realloc(0x@,#", numbers))
        return import_moved(import, 0, numbers[0], result_of(call), numbers[1]);
    if (strstr(call, "usable_size("))
        import_passed(import);
    else
        import_odd(import, line);
    return 0;
}

static int read_line(struct import *import, char *line, uint64_t number)
{
    char *end;

    if (strncmp(line, "--", 2) != 0) {
        import_passed(import); /* the program's own, or a report */
        return 0;
    }
    const long pid = strtol(line + 2, &end, 10);
    if (end == line + 2 || strncmp(end, "-- ", 3) != 0 || !strchr(end, '(')) {
        import_passed(import);
        return 0;
    }
    if (process == 0)
        process = pid;
    if (pid == process)
        return read_call(import, end + 3, number);
    import_passed(import);
    return 0;
}

int import_valgrind(struct import *import, const char *path)
{
    process = 0;
    return import_lines(import, path, read_line);
}
