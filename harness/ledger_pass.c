/*
 * The pass `ledger`: the system calls of each phase that change the address space. Leaves out how
 * they are seen (harness/ledger_trap.h) and whether a file is sound (harness/ledger_check.h).
 */
#include "harness/file_text.h"
#include "harness/json_file.h"
#include "harness/ledger_check.h"
#include "harness/pass.h"

#include <stdio.h>

/* What an allocator gives back while nothing happens is to be seen: its slowest default is 10 s. */
#define MOST_IDLE_NS UINT64_C(60000000000)

static int suits(const struct cell *cell)
{
    (void)cell;
    return 1;
}

/* The first line with the others as its phases. */
static json_t *understand(const struct pass_output *output, char *why)
{
    const struct file_text text = {.bytes = output->text, .length = output->length};
    json_t *lines = json_file_parse_lines("what the child wrote", &text, why);

    if (!lines)
        return NULL;
    json_t *ledger = json_incref(json_array_get(lines, 0));
    json_array_remove(lines, 0);
    if (!ledger) {
        snprintf(why, PASS_ERROR_BYTES, "the child wrote nothing");
        json_decref(lines);
        return NULL;
    }
    json_object_set_new(ledger, "format", json_integer(LEDGER_FORMAT));
    json_object_set_new(ledger, "cell", json_integer((json_int_t)output->cell));
    json_object_set_new(ledger, "phases", lines);
    return ledger;
}

const struct pass ledger_pass = {
    .name = "ledger",
    .summary = "system calls that change the address space, for tidemark show --syscalls",
    .most_idle_ns = MOST_IDLE_NS,
    .suits = suits,
    .understand = understand,
    .check = ledger_check,
};
