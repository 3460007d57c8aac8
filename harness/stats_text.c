/*
 * CPython's layout, digit for digit. Leaves out its choice of words for allocators that have other
 * figures. From Objects/obmalloc.c of CPython 3.11 (_PyObject_DebugMallocStats, printone).
 */
#include "harness/stats_text.h"

#include <inttypes.h>
#include <string.h>

enum {
    CLASS_BYTES = 16, /* what one class of CPython's is larger than the one before */
    LABEL_COLUMNS = 35,
    NUMBER_COLUMNS = 21, /* with its commas; a number that is longer takes what it needs */
};

/* A figure, or -1 where there is none. */
static json_int_t figure(const json_t *phase, const char *name)
{
    const json_t *value = json_object_get(json_object_get(phase, "figures"), name);

    return value ? json_integer_value(value) : -1;
}

/* A label, "=", and the number with commas, right-aligned. */
static void print_number(FILE *out, const char *label, uint64_t number)
{
    char text[32];
    size_t at = sizeof text - 1;
    unsigned digits = 0;

    text[at] = '\0';
    do {
        if (digits > 0 && digits % 3 == 0)
            text[--at] = ',';
        text[--at] = (char)('0' + number % 10);
        number /= 10;
        digits++;
    } while (number > 0);
    fprintf(out, "%-*s=%*s\n", LABEL_COLUMNS, label, NUMBER_COLUMNS, text + at);
}

/* Nothing where there is none. */
static void print_figure(FILE *out, const char *label, json_int_t number)
{
    if (number >= 0)
        print_number(out, label, (uint64_t)number);
}

/* CPython numbers the classes by 16 bytes; a size between two has no number. */
static void print_class(FILE *out, const json_t *class)
{
    const json_int_t block_bytes = json_integer_value(json_object_get(class, "block_bytes"));

    if (block_bytes % CLASS_BYTES == 0)
        fprintf(out, "%5" JSON_INTEGER_FORMAT, block_bytes / CLASS_BYTES - 1);
    else
        fprintf(out, "%5s", "-");
    fprintf(out,
            " %6" JSON_INTEGER_FORMAT " %11" JSON_INTEGER_FORMAT " %15" JSON_INTEGER_FORMAT
            " %13" JSON_INTEGER_FORMAT "\n",
            block_bytes, json_integer_value(json_object_get(class, "pools")),
            json_integer_value(json_object_get(class, "blocks_in_use")),
            json_integer_value(json_object_get(class, "blocks_available")));
}

static void print_classes(FILE *out, const json_t *phase)
{
    size_t i;
    const json_t *class;

    fputs("class   size   num pools   blocks in use  avail blocks\n"
          "-----   ----   ---------   -------------  ------------\n",
          out);
    json_array_foreach(json_object_get(phase, "classes"), i, class) print_class(out, class);
    putc('\n', out);
}

static void print_arenas(FILE *out, const json_t *phase)
{
    const json_int_t arenas = (json_int_t)json_array_size(json_object_get(phase, "arenas"));
    const json_int_t arena_bytes = figure(phase, "arena_bytes");
    char label[96];

    print_figure(out, "# arenas allocated total", figure(phase, "arenas_allocated"));
    print_figure(out, "# arenas reclaimed", figure(phase, "arenas_reclaimed"));
    print_figure(out, "# arenas highwater mark", figure(phase, "arenas_highwater"));
    print_figure(out, "# arenas allocated current", figure(phase, "arenas_current"));
    snprintf(label, sizeof label,
             "%" JSON_INTEGER_FORMAT " arenas * %" JSON_INTEGER_FORMAT " bytes/arena", arenas,
             arena_bytes);
    print_figure(out, label, arenas * arena_bytes);
    putc('\n', out);
}

/* What all of the arenas' bytes are used for; their sum where nothing of it is missing. */
static void print_bytes(FILE *out, const json_t *phase)
{
    const json_int_t unused = figure(phase, "pools_unused");
    const json_int_t pool_bytes = figure(phase, "pool_bytes");
    char unused_pools[96];
    const struct {
        const char *label;
        json_int_t bytes;
    } lines[] = {
        {"# bytes in allocated blocks", figure(phase, "allocated_bytes")},
        {"# bytes in available blocks", figure(phase, "available_bytes")},
        {unused_pools, unused < 0 ? -1 : unused * pool_bytes},
        {"# bytes lost to pool headers", figure(phase, "header_bytes")},
        {"# bytes lost to quantization", figure(phase, "quantization_bytes")},
        {"# bytes lost to arena alignment", figure(phase, "alignment_bytes")},
    };
    json_int_t total = 0;

    snprintf(unused_pools, sizeof unused_pools,
             "%" JSON_INTEGER_FORMAT " unused pools * %" JSON_INTEGER_FORMAT " bytes", unused,
             pool_bytes);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        print_figure(out, lines[i].label, lines[i].bytes);
        total = total < 0 || lines[i].bytes < 0 ? -1 : total + lines[i].bytes;
    }
    print_figure(out, "Total", total);
}

void stats_text_print(FILE *out, const json_t *phase)
{
    print_classes(out, phase);
    print_arenas(out, phase);
    print_bytes(out, phase);
}
