/* Field by field, from the outside in. Leaves out repair: a file is read whole or not at all. */
#include "harness/ledger_check.h"

#include "harness/json_file.h"
#include "harness/json_place.h"
#include "harness/ledger_calls.h"
#include "harness/page.h"
#include "harness/pass.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Above any machine's bytes and any run's nanoseconds, and a sum of some thousands of them fits. */
#define MOST_NUMBER (INT64_C(1) << 50)

enum { MOST_CALLS = 256 }; /* a child tells 135 apart (harness/ledger_trap.h) */

static int check_number(const struct json_place *place, const char *key, json_int_t least)
{
    const json_t *value = json_object_get(place->object, key);

    if (!json_is_integer(value))
        return json_place_refuse(place, "%s: wanted a whole number", key);
    if (json_integer_value(value) < least || json_integer_value(value) > MOST_NUMBER)
        return json_place_refuse(
            place, "%s is %" JSON_INTEGER_FORMAT ", not between %" JSON_INTEGER_FORMAT " and 2^50",
            key, json_integer_value(value), least);
    return 0;
}

static int is_call(const char *name)
{
    for (int call = 0; call < LEDGER_CALLS; call++) {
        if (strcmp(ledger_call_name((enum ledger_call)call), name) == 0)
            return 1;
    }
    return 0;
}

/* The words of ledger_kind_name: letters, digits, and what stands between them. */
static int is_kind(const json_t *value)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "_+-";
    const char *text = json_string_value(value);

    return text && json_string_length(value) < LEDGER_KIND_BYTES &&
           strspn(text, letters) == json_string_length(value);
}

static int check_line(const struct json_place *place)
{
    const char *call = json_text(place->object, "call");

    if (!json_is_object(place->object))
        return json_place_refuse(place, "it is no object");
    if (!is_call(call))
        return json_place_refuse(place, "call: '%.32s' is none that a ledger has", call);
    if (!is_kind(json_object_get(place->object, "kind")))
        return json_place_refuse(place,
                                 "kind: wanted letters, digits, '_', '+' and '-', fewer than %d",
                                 LEDGER_KIND_BYTES);
    if (strcmp(call, "mremap") == 0 && check_number(place, "old_bytes", 0) != 0)
        return -EINVAL;
    if (check_number(place, "count", 1) != 0 || check_number(place, "failed", 0) != 0 ||
        check_number(place, "bytes", 0) != 0 || check_number(place, "net_bytes", -MOST_NUMBER) != 0)
        return -EINVAL;
    return check_number(place, "time_ns", 0) != 0 || check_number(place, "longest_ns", 0) != 0
               ? -EINVAL
               : 0;
}

/* 1 when a line before `index` has its call and its kind. */
static int is_double(const json_t *calls, size_t index)
{
    const json_t *line = json_array_get(calls, index);

    for (size_t i = 0; i < index; i++) {
        const json_t *other = json_array_get(calls, i);
        if (strcmp(json_text(line, "call"), json_text(other, "call")) == 0 &&
            strcmp(json_text(line, "kind"), json_text(other, "kind")) == 0)
            return 1;
    }
    return 0;
}

static int check_calls(const struct json_place *place, const char *key)
{
    const json_t *calls = json_object_get(place->object, key), *line;
    size_t i;

    if (!json_is_array(calls) || json_array_size(calls) > MOST_CALLS)
        return json_place_refuse(place, "%s: wanted an array of at most %d", key, MOST_CALLS);
    json_array_foreach(calls, i, line)
    {
        struct json_place inner = {.object = line, .error = place->error};
        snprintf(inner.where, sizeof inner.where, "%.32s%s[%zu].", place->where, key, i);
        if (check_line(&inner) != 0)
            return -EINVAL;
        if (is_double(calls, i))
            return json_place_refuse(&inner, "it stands there twice");
    }
    return 0;
}

static int check_phase(const struct json_place *place)
{
    const json_t *name = json_object_get(place->object, "name");
    const char *text = json_string_value(name);
    size_t length = 0;

    while (text && text[length] >= ' ' && text[length] <= '~')
        length++;
    if (!text || text[length] || length == 0 || length >= sizeof((struct page_phase *)NULL)->name)
        return json_place_refuse(place, "name: wanted 1 to %zu characters of printable ASCII",
                                 sizeof((struct page_phase *)NULL)->name - 1);
    if (check_number(place, "mapped_begin_bytes", 0) != 0 ||
        check_number(place, "mapped_end_bytes", 0) != 0)
        return -EINVAL;
    return check_calls(place, "before") != 0 ? -EINVAL : check_calls(place, "calls");
}

static int check_head(const struct json_place *place)
{
    const json_t *format = json_object_get(place->object, "format");

    if (!json_is_object(place->object))
        return json_place_refuse(place, "it is no object");
    if (!json_is_integer(format) || json_integer_value(format) != LEDGER_FORMAT)
        return json_place_refuse(place, "format: this program reads %d", LEDGER_FORMAT);
    if (check_number(place, "cell", 0) != 0 || check_number(place, "clock_ns", 0) != 0 ||
        check_number(place, "empty_call_ns", 0) != 0 ||
        check_number(place, "trapped_call_ns", 0) != 0)
        return -EINVAL;
    return check_calls(place, "opening");
}

int ledger_check(const json_t *json, char *error)
{
    const struct json_place whole = {.object = json, .error = error};
    const json_t *phases = json_object_get(json, "phases"), *phase;
    size_t i;

    if (check_head(&whole) != 0)
        return -EINVAL;
    if (!json_is_array(phases) || json_array_size(phases) == 0 ||
        json_array_size(phases) > PAGE_PHASES)
        return json_place_refuse(&whole, "phases: wanted an array of 1 to %d", PAGE_PHASES);
    json_array_foreach(phases, i, phase)
    {
        struct json_place place = {.object = phase, .error = error};
        snprintf(place.where, sizeof place.where, "phases[%zu].", i);
        if (check_phase(&place) != 0)
            return -EINVAL;
    }
    return 0;
}
