/*
 * Two readings of the ledger a phase, and the kernel's own figure beside them. Leaves out sums over
 * phases, which are the reader's.
 */
#define _GNU_SOURCE
#include "harness/ledger_child.h"

#include "harness/ledger_trap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert((int)LEDGER_REASON_BYTES <= (int)ALLOCATOR_TEXT_BYTES, "a reason of a pass");

static int status_fd;
static struct ledger_cost cost;
static struct ledger_line last[LEDGER_LINES], now[LEDGER_LINES];

static void put_member(const char *name, uint64_t number)
{
    pass_put(',');
    pass_put('"');
    pass_put_text(name);
    pass_put_text("\":");
    pass_put_number(number);
}

static void put_signed(const char *name, uint64_t number)
{
    pass_put_text(",\"");
    pass_put_text(name);
    pass_put_text("\":");
    if (number > INT64_MAX) {
        pass_put('-');
        number = 0 - number;
    }
    pass_put_number(number);
}

static void put_line(const struct ledger_line *line, const struct ledger_totals *before)
{
    const struct ledger_totals *totals = &line->totals;
    char kind[LEDGER_KIND_BYTES];

    pass_put_text("{\"call\":\"");
    pass_put_text(ledger_call_name(line->call));
    pass_put_text("\",\"kind\":\"");
    pass_put_text(ledger_kind_name(line->call, line->kind, kind));
    pass_put('"');
    put_member("count", totals->count - before->count);
    put_member("failed", totals->failed - before->failed);
    put_member("bytes", totals->bytes - before->bytes);
    if (line->call == LEDGER_MREMAP)
        put_member("old_bytes", totals->old_bytes - before->old_bytes);
    put_signed("net_bytes", totals->net_bytes - before->net_bytes);
    put_member("time_ns", totals->time_ns - before->time_ns);
    put_member("longest_ns", totals->longest_ns);
    pass_put('}');
}

/* The calls since the reading before, as an array. */
static void put_calls(const char *name)
{
    const char *between = "";

    ledger_trap_read(now);
    pass_put('"');
    pass_put_text(name);
    pass_put_text("\":[");
    for (size_t i = 0; i < LEDGER_LINES; i++) {
        if (now[i].totals.count == last[i].totals.count)
            continue;
        pass_put_text(between);
        put_line(&now[i], &last[i].totals);
        between = ",";
    }
    pass_put(']');
    memcpy(last, now, sizeof last);
}

/* Kilobytes of a line of /proc/self/status, as bytes; 0 where there is none. */
static uint64_t status_bytes(const char *text, const char *key)
{
    const char *line = strstr(text, key);

    return line ? strtoull(line + strlen(key), NULL, 10) * 1024 : 0;
}

/* All that is mapped but the main stack, which grows without a call. */
static uint64_t mapped_bytes(void)
{
    static char text[8192];
    const ssize_t got = pread(status_fd, text, sizeof text - 1, 0);

    text[got > 0 ? got : 0] = '\0';
    return status_bytes(text, "\nVmSize:") - status_bytes(text, "\nVmStk:");
}

static int prepare(char *reason)
{
    const int failed = ledger_trap_install(reason);

    if (!failed)
        ledger_trap_measure(&cost);
    return failed;
}

static int begin(struct workload_context *context, const struct open_row *row, char *reason)
{
    (void)context;
    (void)row;
    status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (status_fd < 0) {
        const int failed = -errno;
        snprintf(reason, LEDGER_REASON_BYTES, "/proc/self/status cannot be read: %s",
                 strerror(errno));
        return failed;
    }
    pass_put_text("{\"clock_ns\":");
    pass_put_number(cost.clock_ns);
    put_member("empty_call_ns", cost.empty_call_ns);
    put_member("trapped_call_ns", cost.trapped_call_ns);
    pass_put(',');
    put_calls("opening");
    pass_put_text("}\n");
    return 0;
}

static void phase_begun(struct workload_context *context, const char *name)
{
    (void)context;
    pass_put_text("{\"name\":\"");
    pass_put_text(name);
    pass_put_text("\",");
    put_calls("before");
    put_member("mapped_begin_bytes", mapped_bytes());
}

static void phase_ended(struct workload_context *context, const struct page_phase *phase)
{
    (void)context;
    (void)phase;
    pass_put(',');
    put_calls("calls");
    put_member("mapped_end_bytes", mapped_bytes());
    pass_put_text("}\n");
}

const struct child_pass ledger_child_pass = {
    .name = "ledger",
    .prepare = prepare,
    .begin = begin,
    .phase_begun = phase_begun,
    .phase_ended = phase_ended,
};
