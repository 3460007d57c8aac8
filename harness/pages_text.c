/*
 * A line for each phase: bytes from what the program asked for to what is resident, and by which
 * factor each step is more than the one before. Leaves out a factor of less than 1 MiB, which says
 * nothing of an allocator.
 */
#include "harness/pages_text.h"

#include "harness/json_file.h"
#include "harness/table.h"
#include "harness/text.h"

enum { PHASE_WIDTH = 12, LEAST_NOTED_BYTES = 100000 };

#define LEAST_BYTES (1 << 20) /* of what a factor is of */

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

    json_array_foreach(phases, i, phase)
    {
        fprintf(out, "  %-*s  ", width, i == 0 ? name : "");
        print_phase(out, phase);
    }
}

void pages_text_print(FILE *out, const json_t *cells, int by_phase)
{
    (void)by_phase;
    table_print_blocks(out, cells, print_headings, print_cell);
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
