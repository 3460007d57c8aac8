/*
 * The pass `pages`: at the end of each phase what the program holds, the pages that this takes, and
 * what is resident besides (results/FORMAT.md, docs/pages.md). Leaves out looking, which is the
 * child's (harness/pages_look.h). In a file each figure is at most the one that contains it.
 */
#include "harness/json_file.h"
#include "harness/json_place.h"
#include "harness/page.h"
#include "harness/pages_look.h"
#include "harness/pass.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FORMAT = 1, LEAST_PAGE_BYTES = 1 << 12, MOST_PAGE_BYTES = 1 << 20 };

#define MOST_BYTES (INT64_C(1) << 56) /* of any figure: their sums fit */

/* --- Of what the child wrote. --- */

static int suits(const struct cell *cell)
{
    /* Where blocks overlap, their bytes are nobody's. */
    return (cell->row.object.allocator->capabilities & ALLOCATOR_DISTINCT) != 0;
}

/* The lines after the first one, as an array. Returns 0, or -1 with a sentence in `why`. */
static int take_phases(const json_t *lines, json_t *phases, char *why)
{
    for (size_t i = 1; i < json_array_size(lines); i++) {
        json_t *line = json_array_get(lines, i);
        const json_t *error = json_object_get(line, "error");
        if (error) {
            snprintf(why, PASS_ERROR_BYTES, "%.400s", json_string_value(error));
            return -1;
        }
        json_array_append(phases, line);
    }
    return 0;
}

static json_t *understand(const struct pass_output *output, char *why)
{
    const struct file_text text = {.bytes = output->text, .length = output->length};
    json_t *lines = json_file_parse_lines("what the child wrote", &text, why);
    json_t *phases = json_array();
    json_t *json = NULL;

    if (lines && take_phases(lines, phases, why) == 0) {
        json = json_copy(json_array_get(lines, 0));
        if (!json)
            snprintf(why, PASS_ERROR_BYTES, "the child wrote nothing");
    }
    if (json) {
        json_object_set_new(json, "format", json_integer(FORMAT));
        json_object_set_new(json, "cell", json_integer((json_int_t)output->cell));
        json_object_set(json, "phases", phases);
    }
    json_decref(phases);
    json_decref(lines);
    return json;
}

/* --- Of a file. --- */

static int check_whole(const struct json_place *place, const char *key, json_int_t least,
                       json_int_t most)
{
    const json_t *value = json_object_get(place->object, key);
    const json_int_t number = json_integer_value(value);

    if (!value)
        return json_place_refuse(place, "%s is missing", key);
    if (!json_is_integer(value) || number < least || number > most)
        return json_place_refuse(place,
                                 "%s: wanted a whole number from %" JSON_INTEGER_FORMAT
                                 " to %" JSON_INTEGER_FORMAT,
                                 key, least, most);
    return 0;
}

/* Printable ASCII, not empty, shorter than `most`. */
static int check_word(const struct json_place *place, const char *key, size_t most)
{
    const char *text = json_string_value(json_object_get(place->object, key));
    size_t length = 0;

    while (text && text[length] >= ' ' && text[length] <= '~')
        length++;
    if (!text || text[length] || length == 0 || length >= most)
        return json_place_refuse(place, "%s: wanted 1 to %zu characters of printable ASCII", key,
                                 most - 1);
    return 0;
}

static json_int_t number_of(const struct json_place *place, const char *key)
{
    return json_integer_value(json_object_get(place->object, key));
}

static const char *const numbers[] = {
    "object_bytes",    "live_bytes",     "blocks",
    "requested_bytes", "floor_bytes",    "requested_resident_bytes",
    "live_page_bytes", "resident_bytes", "held_bytes",
    "process_bytes",   "own_bytes",      "unread_bytes",
    "rss_bytes",       "lazyfree_bytes", "anon_huge_bytes",
    "swap_bytes",
};

/* Null together, with the reason in place. */
static const struct optional {
    const char *keys[2];
    const char *reason;
} optionals[] = {
    {{"usable_bytes", "usable_resident_bytes"}, "no_usable"},
    {{"floor_mapped_bytes", NULL}, "no_mapped"},
};

/* What is contained in what; either may be null. */
static const struct containment {
    const char *part, *whole;
} containments[] = {
    {"requested_resident_bytes", "requested_bytes"},
    {"requested_resident_bytes", "floor_bytes"},
    {"requested_resident_bytes", "usable_resident_bytes"},
    {"requested_bytes", "usable_bytes"},
    {"requested_bytes", "live_page_bytes"},
    {"usable_resident_bytes", "usable_bytes"},
    {"usable_resident_bytes", "floor_bytes"},
    {"floor_bytes", "live_page_bytes"},
    {"floor_bytes", "floor_mapped_bytes"},
    {"floor_bytes", "resident_bytes"},
    {"anon_huge_bytes", "rss_bytes"},
    {"lazyfree_bytes", "rss_bytes"},
};

static int check_numbers(const struct json_place *phase)
{
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (check_whole(phase, numbers[i], 0, MOST_BYTES) != 0)
            return -EINVAL;
    }
    return 0;
}

static int check_optional(const struct json_place *phase, const struct optional *optional)
{
    const json_t *reason = json_object_get(phase->object, optional->reason);
    const int has_reason = reason && !json_is_null(reason);

    if (has_reason && check_word(phase, optional->reason, ALLOCATOR_TEXT_BYTES) != 0)
        return -EINVAL;
    for (size_t i = 0; i < 2 && optional->keys[i]; i++) {
        const json_t *value = json_object_get(phase->object, optional->keys[i]);
        if (has_reason != json_is_null(value))
            return json_place_refuse(phase, "%s: wanted null where %s says why, else a number",
                                     optional->keys[i], optional->reason);
        if (!has_reason && check_whole(phase, optional->keys[i], 0, MOST_BYTES) != 0)
            return -EINVAL;
    }
    return 0;
}

static int check_containments(const struct json_place *phase)
{
    for (size_t i = 0; i < sizeof containments / sizeof containments[0]; i++) {
        const struct containment *pair = &containments[i];
        const json_t *part = json_object_get(phase->object, pair->part);
        const json_t *whole = json_object_get(phase->object, pair->whole);
        if (!json_is_null(part) && !json_is_null(whole) &&
            json_integer_value(part) > json_integer_value(whole))
            return json_place_refuse(
                phase, "%s is %" JSON_INTEGER_FORMAT ", more than %s, %" JSON_INTEGER_FORMAT,
                pair->part, json_integer_value(part), pair->whole, json_integer_value(whole));
    }
    return 0;
}

/* Pages by their share are those of the floor. */
static int check_shares(const struct json_place *phase, json_int_t page_bytes)
{
    const json_t *shares = json_object_get(phase->object, "share_pages"), *share;
    json_int_t pages = 0;
    size_t i;

    if (!json_is_array(shares) || json_array_size(shares) != PAGES_SHARES)
        return json_place_refuse(phase, "share_pages: wanted %d numbers", PAGES_SHARES);
    json_array_foreach(shares, i, share)
    {
        if (!json_is_integer(share) || json_integer_value(share) < 0 ||
            json_integer_value(share) > MOST_BYTES / page_bytes)
            return json_place_refuse(phase, "share_pages[%zu]: wanted a number of pages", i);
        pages += json_integer_value(share);
    }
    if (pages > MOST_BYTES / page_bytes || pages * page_bytes != number_of(phase, "floor_bytes"))
        return json_place_refuse(phase,
                                 "floor_bytes is %" JSON_INTEGER_FORMAT
                                 ", share_pages has %" JSON_INTEGER_FORMAT " pages",
                                 number_of(phase, "floor_bytes"), pages);
    return 0;
}

static int check_phase(const struct json_place *phase, json_int_t page_bytes)
{
    if (!json_is_object(phase->object))
        return json_place_refuse(phase, "it is no object");
    if (check_word(phase, "name", sizeof((struct page_phase *)0)->name) != 0 ||
        check_numbers(phase) != 0)
        return -EINVAL;
    for (size_t i = 0; i < sizeof optionals / sizeof optionals[0]; i++) {
        if (check_optional(phase, &optionals[i]) != 0)
            return -EINVAL;
    }
    if (check_containments(phase) != 0 || check_shares(phase, page_bytes) != 0)
        return -EINVAL;
    if (number_of(phase, "resident_bytes") !=
        number_of(phase, "floor_bytes") + number_of(phase, "held_bytes"))
        return json_place_refuse(phase,
                                 "resident_bytes is not the sum of floor_bytes and held_bytes");
    return 0;
}

static int check_phases(const struct json_place *file)
{
    const json_t *phases = json_object_get(file->object, "phases"), *phase;
    const json_int_t page_bytes = number_of(file, "page_bytes");
    size_t i;

    if (!json_is_array(phases) || json_array_size(phases) == 0 ||
        json_array_size(phases) > PAGE_PHASES)
        return json_place_refuse(file, "phases: wanted an array of 1 to %d", PAGE_PHASES);
    json_array_foreach(phases, i, phase)
    {
        struct json_place at = {.object = phase, .error = file->error};
        snprintf(at.where, sizeof at.where, "phases[%zu].", i);
        if (check_phase(&at, page_bytes) != 0)
            return -EINVAL;
    }
    return 0;
}

static int check(const json_t *json, char *error)
{
    const struct json_place file = {.object = json, .error = error};

    if (!json_is_object(json))
        return json_place_refuse(&file, "it is no object");
    if (check_whole(&file, "format", FORMAT, FORMAT) != 0 ||
        check_whole(&file, "cell", 0, INT64_MAX) != 0 ||
        check_whole(&file, "page_bytes", LEAST_PAGE_BYTES, MOST_PAGE_BYTES) != 0 ||
        check_word(&file, "version", ALLOCATOR_TEXT_BYTES) != 0)
        return -EINVAL;
    return check_phases(&file);
}

const struct pass pages_pass = {
    .name = "pages",
    .summary = "what the program holds, the pages that this takes, and what is held back besides",
    /* What an allocator gives back in time is given back while the program is idle. */
    .most_idle_ns = UINT64_MAX,
    .suits = suits,
    .understand = understand,
    .check = check,
};
