/*
 * A line for each phase: bytes from what the program asked for to what is resident, and by which
 * factor each step is more than the one before. Leaves out a factor of less than 1 MiB, which says
 * nothing of an allocator.
 */
#include "harness/pages_table.h"

#include "harness/json_file.h"
#include "harness/pass_file.h"
#include "harness/table.h"
#include "harness/text.h"

#include <errno.h>
#include <string.h>

enum { REASON_BYTES = 640, PHASE_WIDTH = 12, LEAST_NOTED_BYTES = 100000 };

#define LEAST_BYTES (1 << 20) /* of what a factor is of */

/* --- Reading. --- */

/* Why a cell without a file has none. */
static const char *reason_of(const json_t *cell, const struct run_content *run, char *text)
{
    if (json_is_true(json_object_get(cell, "control")))
        snprintf(text, REASON_BYTES, "a control has none");
    else if (strcmp(json_text(cell, "host"), "objects") != 0)
        snprintf(text, REASON_BYTES, "a real CPython (%.64s) has none", json_text(cell, "host"));
    else if (!pass_was_asked(run->plan, &pages_pass))
        snprintf(text, REASON_BYTES, "the run was made without: tidemark run --passes pages");
    else if (json_integer_value(json_object_get(cell, "samples")) == 0)
        snprintf(text, REASON_BYTES, "%.32s: %.512s", json_text(cell, "status"),
                 json_text(cell, "reason"));
    else
        snprintf(text, REASON_BYTES,
                 "there is none: its blocks are not distinct, as those of null, or it failed, "
                 "which tidemark run --resume tells");
    text_make_printable(text);
    return text;
}

static int read_cell(json_t *cell, size_t index, const struct run_folder *folder,
                     const struct run_content *run, char *error)
{
    char why[PASS_ERROR_BYTES], reason[REASON_BYTES];
    json_t *pages = NULL;
    const int failed = pass_file_read(folder->fd, &pages_pass, index, &pages, why);

    if (failed == -ENOENT) {
        json_object_set_new(cell, "no_pages", json_string(reason_of(cell, run, reason)));
        return 0;
    }
    if (failed) {
        snprintf(error, RUN_FOLDER_ERROR_BYTES, "%.900s/%.500s", folder->path, why);
        return failed;
    }
    json_object_set_new(cell, "pages", pages);
    return 1;
}

int pages_table_read(json_t *summary, const struct run_folder *folder,
                     const struct run_content *run, char *error)
{
    json_t *cell;
    size_t i;
    int count = 0;

    json_array_foreach(summary, i, cell)
    {
        const int got = read_cell(cell, i, folder, run, error);
        if (got < 0)
            return got;
        count += got;
    }
    return count;
}

/* --- The table. --- */

static double part(const json_t *phase, const char *key)
{
    return json_number_value(json_object_get(phase, key));
}

static void print_headings(FILE *out, const json_t *cell, int width)
{
    (void)cell;
    fprintf(out, "  %-*s  %-*s %10s %10s %10s %10s %10s %9s %7s %7s\n", width, "row", PHASE_WIDTH,
            "phase", "objects", "requested", "usable", "pages", "resident", "rounding", "holes",
            "held");
}

static void print_bytes(FILE *out, double bytes)
{
    char text[TEXT_NUMBER_BYTES];

    fprintf(out, " %10s", text_format_bytes(text, bytes));
}

/* "x1.20": how much more `whole` is than `of`. */
static void print_factor(FILE *out, double whole, double of, int width)
{
    char text[TEXT_NUMBER_BYTES] = "-";

    if (of >= LEAST_BYTES)
        snprintf(text, sizeof text, whole < 100 * of ? "x%.2f" : "x%.0f", whole / of);
    fprintf(out, " %*s", width, text);
}

/* What most rows have nothing of. */
static void print_note(FILE *out, const char *what, double bytes)
{
    char text[TEXT_NUMBER_BYTES];

    if (bytes >= LEAST_NOTED_BYTES)
        fprintf(out, "  %s %s", what, text_format_bytes(text, bytes));
}

static void print_phase(FILE *out, const json_t *phase)
{
    const double requested = part(phase, "requested_resident_bytes");
    const double usable = part(phase, "usable_resident_bytes");
    const double floor = part(phase, "floor_bytes"), resident = part(phase, "resident_bytes");
    const int has_usable = json_is_null(json_object_get(phase, "no_usable"));

    fprintf(out, "%-*.23s", PHASE_WIDTH, json_text(phase, "name"));
    print_bytes(out, part(phase, "object_bytes"));
    print_bytes(out, requested);
    if (has_usable)
        print_bytes(out, usable);
    else
        fprintf(out, " %10s", "n/a");
    print_bytes(out, floor);
    print_bytes(out, resident);
    if (has_usable)
        print_factor(out, usable, requested, 9);
    else
        fprintf(out, " %9s", "n/a");
    print_factor(out, floor, has_usable ? usable : requested, 7);
    print_factor(out, resident, floor, 7);
    print_note(out, "by huge pages", part(phase, "floor_mapped_bytes") - floor);
    print_note(out, "LazyFree", part(phase, "lazyfree_bytes"));
    print_note(out, "untouched", part(phase, "requested_bytes") - requested);
    fputc('\n', out);
}

static void print_cell(FILE *out, const json_t *cell, int width, const char *name)
{
    const json_t *phases = json_object_get(json_object_get(cell, "pages"), "phases"), *phase;
    size_t i;

    if (!phases)
        fprintf(out, "  %-*s  no pages: %s\n", width, name, json_text(cell, "no_pages"));
    json_array_foreach(phases, i, phase)
    {
        fprintf(out, "  %-*s  ", width, i == 0 ? name : "");
        print_phase(out, phase);
    }
}

void pages_table_print(FILE *out, const json_t *summary)
{
    table_print_blocks(out, summary, print_headings, print_cell);
    fputs("\nOf one process, at the end of each phase, without what was resident before the first "
          "one.\n"
          "requested: what the program holds, as it asked for it; usable: the same as the "
          "allocator rounds it up; both in\n"
          "pages that are resident. pages: those with at least one requested byte, the least that "
          "can stay unless blocks\n"
          "are moved. resident: all that the allocator has, LazyFree included. untouched: "
          "requested, in pages that are not\n"
          "resident. by huge pages: so much more than pages where a huge page counts whole.\n"
          "rounding, holes, held: by which factor usable is more than requested, pages than usable "
          "(than requested\n"
          "where usable is n/a), resident than pages; - where that is of less than 1 MiB.\n",
          out);
}

/* --- JSON. --- */

static json_t *json_of_cell(const json_t *cell, size_t index)
{
    const json_t *pages = json_object_get(cell, "pages");

    return json_pack(
        "{s:I, s:O, s:O, s:O, s:O, s:O, s:O?, s:O?, s:O?, s:O?}", "cell", (json_int_t)index,
        "workload", json_object_get(cell, "workload"), "params", json_object_get(cell, "params"),
        "allocator", json_object_get(cell, "allocator"), "host", json_object_get(cell, "host"),
        "idle_ns", json_object_get(cell, "idle_ns"), "version", json_object_get(pages, "version"),
        "page_bytes", json_object_get(pages, "page_bytes"), "reason",
        json_object_get(cell, "no_pages"), "phases", json_object_get(pages, "phases"));
}

void pages_table_print_json(FILE *out, const json_t *summary)
{
    json_t *array = json_array();
    const json_t *cell;
    size_t i;

    json_array_foreach(summary, i, cell)
    {
        if (!json_is_true(json_object_get(cell, "control")))
            json_array_append_new(array, json_of_cell(cell, i));
    }
    json_dumpf(array, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(array);
}
