/*
 * What shards have to have in common, and what each of them lacks. Leaves out repair: which of two
 * plans was meant is its owner's to say.
 */
#define _GNU_SOURCE
#include "harness/merge.h"

#include "harness/json_file.h"
#include "harness/plan.h"
#include "harness/shard.h"
#include "harness/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DIFFERENCES = 8, WHERE_BYTES = 200, LIMITS_TO_GIVE_UP = 2 };

/* Two shards that are compared, and where what differs is said. */
struct pair {
    const struct merge_shard *first, *other;
    json_t *sentences; /* borrowed */
    size_t said;
};

/* --- One value beside another. --- */

/* A value as a reader would say it; the caller frees it. */
static char *value_text(const json_t *value)
{
    return value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : strdup("not known");
}

static void differ(struct pair *pair, const char *where, const json_t *a, const json_t *b)
{
    char *text_a = value_text(a), *text_b = value_text(b);

    if (++pair->said <= MOST_DIFFERENCES)
        merge_say(pair->sentences, "%s is %.200s in %s, and %.200s in %s", where,
                  text_a ? text_a : "?", pair->first->path, text_b ? text_b : "?",
                  pair->other->path);
    else if (pair->said == MOST_DIFFERENCES + 1)
        merge_say(pair->sentences, "there is more that differs between %s and %s",
                  pair->first->path, pair->other->path);
    free(text_a);
    free(text_b);
}

static void compare(struct pair *pair, const char *where, const json_t *a, const json_t *b)
{
    if (!a || !b || !json_equal(a, b))
        differ(pair, where, a, b);
}

/* Every member that either has, but those named. */
static void compare_members(struct pair *pair, const char *prefix, json_t *a, json_t *b,
                            const char *const *but)
{
    char where[WHERE_BYTES];
    const char *key;
    json_t *value;

    json_object_foreach(a, key, value)
    {
        size_t i = 0;
        while (but[i] && strcmp(but[i], key) != 0)
            i++;
        if (but[i])
            continue;
        snprintf(where, sizeof where, "%.60s%.120s", prefix, key);
        if (!json_equal(value, json_object_get(b, key)))
            differ(pair, where, value, json_object_get(b, key));
    }
    json_object_foreach(b, key, value)
    {
        snprintf(where, sizeof where, "%.60s%.120s", prefix, key);
        if (!json_object_get(a, key))
            differ(pair, where, NULL, value);
    }
}

/* --- Plans. --- */

/* A cell that neither can run may have another reason on each. */
static void compare_cell(struct pair *pair, size_t index, json_t *a, json_t *b)
{
    static const char *const but[] = {"not_available", NULL};
    const json_t *lack_a = json_object_get(a, "not_available");
    const json_t *lack_b = json_object_get(b, "not_available");
    char prefix[48], where[WHERE_BYTES];

    snprintf(prefix, sizeof prefix, "plan.json: cells[%zu].", index);
    compare_members(pair, prefix, a, b, but);
    snprintf(where, sizeof where, "%snot_available", prefix);
    if (!json_is_string(lack_a) || !json_is_string(lack_b))
        compare(pair, where, lack_a, lack_b);
}

static void compare_cells(struct pair *pair, const json_t *a, const json_t *b)
{
    if (json_array_size(a) != json_array_size(b)) {
        json_t *count_a = json_integer((json_int_t)json_array_size(a));
        json_t *count_b = json_integer((json_int_t)json_array_size(b));
        differ(pair, "plan.json: the number of cells", count_a, count_b);
        json_decref(count_a);
        json_decref(count_b);
        return;
    }
    for (size_t i = 0; i < json_array_size(a); i++)
        compare_cell(pair, i, json_array_get(a, i), json_array_get(b, i));
}

static int is_default_limit(const struct merge_shard *shard)
{
    return json_is_true(
        json_object_get(json_object_get(shard->content.plan, "shard"), "limit_is_default"));
}

static json_int_t limit_of(const struct merge_shard *shard)
{
    return json_integer_value(json_object_get(shard->content.plan, "memory_limit_bytes"));
}

/* 80 % of what each machine has is one plan, and still another limit: told once. */
static void tell_limits(struct merge *merge)
{
    json_int_t least = limit_of(&merge->shards[0]), most = least;

    for (size_t i = 1; i < merge->count; i++) {
        const json_int_t limit = limit_of(&merge->shards[i]);
        least = limit < least ? limit : least;
        most = limit > most ? limit : most;
    }
    if (least < most)
        merge_say(merge->warnings,
                  "memory_limit_bytes was chosen on each machine, from %" JSON_INTEGER_FORMAT
                  " to %" JSON_INTEGER_FORMAT "; --memory-limit sets one for all",
                  least, most);
}

static void compare_plans(struct merge *merge, const struct merge_shard *first,
                          const struct merge_shard *other)
{
    static const char *const but[] = {"cells", "order", "shard", "memory_limit_bytes", NULL};
    static const char *const but_index[] = {"index", NULL};
    struct pair pair = {first, other, merge->refusals, 0};
    json_t *a = first->content.plan, *b = other->content.plan;

    compare_members(&pair, "plan.json: ", a, b, but);
    compare_members(&pair, "plan.json: shard.", json_object_get(a, "shard"),
                    json_object_get(b, "shard"), but_index);
    if (!is_default_limit(first) || !is_default_limit(other))
        compare(&pair, "plan.json: memory_limit_bytes", json_object_get(a, "memory_limit_bytes"),
                json_object_get(b, "memory_limit_bytes"));
    compare_cells(&pair, json_object_get(a, "cells"), json_object_get(b, "cells"));
    if (pair.said == 0 && !json_equal(json_object_get(a, "order"), json_object_get(b, "order")))
        merge_say(merge->refusals, "plan.json: order is another in %s than in %s", first->path,
                  other->path);
}

/* Workload and parameters are what is compared: all of it was measured by one shard. */
static void check_units(struct merge *merge, const struct merge_shard *shard)
{
    json_t *known = json_object(), *cell;
    size_t i;

    json_array_foreach(json_object_get(shard->content.plan, "cells"), i, cell)
    {
        json_t *unit = json_pack("{s:O, s:O}", "workload", json_object_get(cell, "workload"),
                                 "params", json_object_get(cell, "params"));
        char *key = json_dumps(unit, JSON_COMPACT | JSON_SORT_KEYS);
        json_t *number = json_object_get(cell, "shard"), *before;
        before = key ? json_object_get(known, key) : NULL;
        if (before && !json_equal(before, number))
            merge_say(merge->refusals,
                      "%s/plan.json: cells[%zu]: its experiment is of two shards, and so of two "
                      "machines",
                      shard->path, i);
        else if (key)
            json_object_set(known, key, number);
        free(key);
        json_decref(unit);
    }
    json_decref(known);
}

/* --- Machines. --- */

/* Of one shard's machine.json, beside the first shard that knows the same; `owners` has its place,
 * by key. */
static void compare_known_of(struct merge *merge, json_t *owners, size_t index, const char *field,
                             const char *member)
{
    const struct merge_shard *shard = &merge->shards[index];
    char where[WHERE_BYTES];
    const char *key;
    json_t *value;

    json_object_foreach(json_object_get(shard->content.machine, field), key, value)
    {
        const json_t *owner = json_object_get(owners, key);
        if (!owner) {
            json_object_set_new(owners, key, json_integer((json_int_t)index));
            continue;
        }
        struct pair pair = {&merge->shards[json_integer_value(owner)], shard, merge->refusals, 0};
        const json_t *other =
            json_object_get(json_object_get(pair.first->content.machine, field), key);
        snprintf(where, sizeof where, "machine.json: %s: %.120s", field, key);
        compare(&pair, where, member ? json_object_get(other, member) : other,
                member ? json_object_get(value, member) : value);
    }
}

/* What is known by key: a shard without a cell of that row, or of that interpreter, knows nothing.
 */
static void compare_known(struct merge *merge, const char *field, const char *member)
{
    json_t *owners = json_object();

    for (size_t i = 0; i < merge->count; i++) {
        if (json_array_size(merge->refusals) <= MOST_DIFFERENCES)
            compare_known_of(merge, owners, i, field, member);
    }
    json_decref(owners);
}

static void compare_programs(struct pair *pair)
{
    static const char *const but[] = {NULL};
    json_t *a = json_object_get(pair->first->content.machine, "programs");
    json_t *b = json_object_get(pair->other->content.machine, "programs");
    const char *key;
    const json_t *value;

    if (!json_is_object(a) || !json_is_object(b)) {
        differ(pair, "machine.json: programs", a, b);
        return;
    }
    compare_members(pair, "machine.json: programs: the CRC-32 of ", a, b, but);
    /* One that could not be read is not known to be the same. */
    json_object_foreach(a, key, value)
    {
        if (!json_is_string(value) && json_equal(value, json_object_get(b, key)))
            merge_say(pair->sentences, "machine.json: programs: the CRC-32 of %.120s is not known",
                      key);
    }
}

/* Figures of one table are of the same code. */
static void compare_binaries(struct merge *merge, const struct merge_shard *first,
                             const struct merge_shard *other)
{
    static const char *const facts[] = {"tidemark", "build_type", "sanitizer", "libc"};
    struct pair pair = {first, other, merge->refusals, 0};
    char where[WHERE_BYTES];

    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        snprintf(where, sizeof where, "machine.json: %s", facts[i]);
        compare(&pair, where, json_object_get(first->content.machine, facts[i]),
                json_object_get(other->content.machine, facts[i]));
    }
    compare_programs(&pair);
}

static int has_samples(const struct merge_shard *shard)
{
    return json_array_size(shard->content.samples) > 0;
}

/* What makes it another machine, or the same one otherwise: told, not refused. */
static void compare_machines(struct merge *merge, const struct merge_shard *first,
                             const struct merge_shard *other)
{
    static const char *const facts[] = {"cpu",     "cores",   "memory_bytes",      "page_bytes",
                                        "kernel",  "thp",     "overcommit_memory", "governor",
                                        "cgroup",  "sampler", "memory_limit",      "settings",
                                        "tunables"};
    struct pair pair = {first, other, merge->warnings, 0};

    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        const json_t *a = json_object_get(first->content.machine, facts[i]);
        const json_t *b = json_object_get(other->content.machine, facts[i]);
        if (json_is_object(a) && json_is_object(b) && !json_equal(a, b))
            merge_say(merge->warnings, "%s differ between %s and %s (machine.json has both)",
                      facts[i], first->path, other->path);
        else
            compare(&pair, facts[i], a, b);
    }
}

/* The first that measured something: a machine of an empty shard is in no figure. */
static const struct merge_shard *first_measured(const struct merge *merge)
{
    for (size_t i = 0; i < merge->count; i++) {
        if (has_samples(&merge->shards[i]))
            return &merge->shards[i];
    }
    return &merge->shards[0];
}

static void compare_all(struct merge *merge)
{
    const struct merge_shard *measured = first_measured(merge);

    check_units(merge, &merge->shards[0]);
    for (size_t i = 1; i < merge->count; i++) {
        compare_plans(merge, &merge->shards[0], &merge->shards[i]);
        compare_binaries(merge, &merge->shards[0], &merge->shards[i]);
    }
    if (json_array_size(merge->refusals) == 0)
        tell_limits(merge);
    compare_known(merge, "traces", "checksum");
    compare_known(merge, "libraries", NULL);
    compare_known(merge, "python", "version");
    for (size_t i = 0; i < merge->count; i++) {
        if (&merge->shards[i] > measured && has_samples(&merge->shards[i]))
            compare_machines(merge, measured, &merge->shards[i]);
    }
}

/* --- Samples. --- */

/* Of a cell: which of its samples are there, and whether it was given up. */
struct seen {
    unsigned char *marks; /* of each round, one bit for each repeat */
    unsigned limits;
    int is_given_up;
};

static json_int_t whole(const json_t *object, const char *key, json_int_t absent)
{
    const json_t *value = json_object_get(object, key);

    return value ? (json_is_integer(value) ? json_integer_value(value) : -1) : absent;
}

/*
 * Rounds that a cell may have: those planned, or with --until as many as that allows. merge_read
 * has seen that the first are at most PLAN_MOST_ROUNDS, and the second are bounded here.
 */
static size_t rounds_of(const json_t *plan, const json_t *cell)
{
    const json_int_t planned = whole(cell, "rounds", 0);
    const json_int_t further = whole(json_object_get(plan, "until"), "most_rounds", 0);
    const json_int_t rounds = planned > further ? planned : further;

    return rounds <= 0 ? 0 : rounds > PLAN_MOST_ROUNDS ? PLAN_MOST_ROUNDS : (size_t)rounds;
}

/* NULL, or what is wrong with its place. */
static const char *mark_sample(const struct merge_shard *shard, const json_t *sample, size_t number,
                               struct seen *seen)
{
    const json_t *cells = json_object_get(shard->content.plan, "cells");
    const size_t index = (size_t)json_integer_value(json_object_get(sample, "cell"));
    const json_t *cell = json_array_get(cells, index);
    const json_int_t round = whole(sample, "round", -1), repeat = whole(sample, "repeat", 0);
    const char *status = json_text(sample, "status");

    if (whole(sample, "sample", -1) != (json_int_t)number)
        return "its number is not its place";
    if (whole(cell, "shard", -1) != (json_int_t)shard->index)
        return "a cell that another shard has";
    if (json_is_string(json_object_get(cell, "not_available")))
        return "a cell that the plan rules out";
    if (round < 0 || (size_t)round >= rounds_of(shard->content.plan, cell))
        return "no round of its cell";
    if (repeat < 0 || repeat >= PLAN_REPEATS)
        return "its repeat is neither 0 nor 1";
    if (seen[index].marks[round] & 1 << repeat)
        return "its cell and round are there twice";
    seen[index].marks[round] |= (unsigned char)(1 << repeat);
    seen[index].limits += strcmp(status, "timeout") == 0 || strcmp(status, "oom") == 0;
    seen[index].is_given_up |=
        strcmp(status, "n/a") == 0 || seen[index].limits >= LIMITS_TO_GIVE_UP;
    return NULL;
}

static void mark_samples(struct merge *merge, const struct merge_shard *shard, struct seen *seen)
{
    size_t i;
    const json_t *sample;

    json_array_foreach(shard->content.samples, i, sample)
    {
        const char *wrong = mark_sample(shard, sample, i, seen);
        if (wrong)
            merge_say(merge->refusals, "%s/samples.jsonl:%zu: %s", shard->path, i + 1, wrong);
        if (json_array_size(merge->refusals) > MOST_DIFFERENCES)
            return;
    }
}

/* Planned samples of the shard, and of them those that are neither there nor given up. */
static size_t count_left(const struct merge_shard *shard, const struct seen *seen, size_t *planned)
{
    size_t left = 0, i;
    const json_t *cell;

    *planned = 0;
    json_array_foreach(json_object_get(shard->content.plan, "cells"), i, cell)
    {
        const json_int_t rounds = whole(cell, "rounds", 0);
        if (whole(cell, "shard", 0) != (json_int_t)shard->index ||
            json_is_string(json_object_get(cell, "not_available")))
            continue;
        *planned += (size_t)rounds;
        for (json_int_t round = 0; round < rounds && !seen[i].is_given_up; round++)
            left += !(seen[i].marks[round] & 1);
    }
    return left;
}

static void check_end(struct merge *merge, struct merge_shard *shard, const struct seen *seen,
                      json_t *sentences)
{
    char quoted[TEXT_QUOTED_BYTES(RUN_FOLDER_PATH_BYTES)];
    const json_t *machine = shard->content.machine;
    size_t planned;
    const size_t left = count_left(shard, seen, &planned);

    shard->is_unfinished = left > 0 || !json_is_string(json_object_get(machine, "finished")) ||
                           json_is_true(json_object_get(machine, "interrupted"));
    if (shard->is_unfinished)
        merge_say(sentences,
                  "shard %u of %u did not finish: %zu of %zu samples are in %s; finish it with: "
                  "tidemark run --resume %s",
                  shard->index, merge->of, planned - left, planned, shard->path,
                  text_quote(shard->path, quoted));
}

static int alloc_seen(const json_t *plan, struct seen **seen, unsigned char **marks)
{
    const json_t *cells = json_object_get(plan, "cells");
    const size_t count = json_array_size(cells);
    size_t rounds = 0, i;
    const json_t *cell;

    json_array_foreach(cells, i, cell) rounds += rounds_of(plan, cell);
    *seen = calloc(count + 1, sizeof **seen);
    *marks = calloc(rounds + 1, 1);
    if (!*seen || !*marks)
        return -ENOMEM;
    rounds = 0;
    json_array_foreach(cells, i, cell)
    {
        (*seen)[i].marks = *marks + rounds;
        rounds += rounds_of(plan, cell);
    }
    return 0;
}

static void check_samples(struct merge *merge, json_t *incomplete)
{
    struct seen *seen = NULL;
    unsigned char *marks = NULL;

    if (alloc_seen(merge->shards[0].content.plan, &seen, &marks) != 0)
        merge_say(merge->refusals, "not enough memory for the samples");
    for (size_t i = 0; i < merge->count && json_array_size(merge->refusals) == 0; i++)
        mark_samples(merge, &merge->shards[i], seen);
    const int is_sound = json_array_size(merge->refusals) == 0;
    for (size_t i = 0; i < merge->count && is_sound; i++)
        check_end(merge, &merge->shards[i], seen, incomplete);
    free(seen);
    free(marks);
}

/* --- All of them. --- */

static int compare_index(const void *a, const void *b)
{
    const struct merge_shard *x = a, *y = b;

    if (x->index != y->index)
        return x->index < y->index ? -1 : 1;
    return strcmp(x->path, y->path);
}

static void check_twice(struct merge *merge)
{
    for (size_t i = 1; i < merge->count; i++) {
        if (merge->shards[i].index == merge->shards[i - 1].index)
            merge_say(merge->refusals, "shard %u of %u is there twice: %s and %s",
                      merge->shards[i].index, merge->of, merge->shards[i - 1].path,
                      merge->shards[i].path);
    }
}

static void check_missing(struct merge *merge, json_t *incomplete)
{
    char list[128] = "";
    size_t used = 0, missing = 0, at = 0;

    for (unsigned index = 1; index <= merge->of; index++) {
        while (at < merge->count && merge->shards[at].index < index)
            at++;
        if (at < merge->count && merge->shards[at].index == index)
            continue;
        missing++;
        if (used + 16 < sizeof list)
            used +=
                (size_t)snprintf(list + used, sizeof list - used, "%s%u", used ? ", " : "", index);
    }
    if (missing > 0)
        merge_say(incomplete, "%zu of %u shards are missing: %s%s", missing, merge->of, list,
                  used + 16 < sizeof list ? "" : " and more");
}

void merge_check(struct merge *merge, int is_partial)
{
    json_t *incomplete = is_partial ? merge->warnings : merge->refusals;

    merge->of = (unsigned)json_integer_value(
        json_object_get(json_object_get(merge->shards[0].content.plan, "shard"), "count"));
    qsort(merge->shards, merge->count, sizeof *merge->shards, compare_index);
    check_twice(merge);
    compare_all(merge);
    if (json_array_size(merge->refusals) > 0)
        return;
    check_samples(merge, incomplete);
    check_missing(merge, incomplete);
}
