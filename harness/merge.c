/*
 * Shards as they are read, each by itself. Leaves out what they are to each other
 * (harness/merge_check.c).
 */
#include "harness/merge.h"

#include "harness/plan.h"
#include "harness/shard.h"
#include "harness/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void merge_say(json_t *sentences, const char *format, ...)
{
    char sentence[2048];
    va_list words;

    va_start(words, format);
    vsnprintf(sentence, sizeof sentence, format, words);
    va_end(words);
    text_make_printable(sentence);
    json_array_append_new(sentences, json_string(sentence));
}

/* The whole number under `key`, or -1 where there is none from 1 to `most`. */
static json_int_t number_to(const json_t *object, const char *key, json_int_t most)
{
    const json_t *value = json_object_get(object, key);
    const json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;

    return number >= 1 && number <= most ? number : -1;
}

/* NULL, or what is wrong with the fields of the plan that a shard has. */
static const char *check_fields(const json_t *plan)
{
    const json_t *shard = json_object_get(plan, "shard"), *cell;
    const json_int_t count = number_to(shard, "count", SHARDS_MOST);
    size_t i;

    if (!shard)
        return "it is no shard: it was measured without --shard";
    if (json_object_get(shard, "merged"))
        return "it was merged: name the shards that it was made of";
    if (count < 0 || number_to(shard, "index", count) < 0)
        return "plan.json: shard: its index and count are no numbers of a shard";
    json_array_foreach(json_object_get(plan, "cells"), i, cell)
    {
        if (number_to(cell, "shard", count) < 0)
            return "plan.json: a cell names no shard";
        if (number_to(cell, "rounds", PLAN_MOST_ROUNDS) < 0)
            return "plan.json: a cell has no number of rounds";
    }
    return NULL;
}

/* The same of the plan that machine.json was written for. */
static const char *check_plan(const struct run_content *content)
{
    const char *recorded = json_string_value(json_object_get(content->machine, "plan"));
    const char *wrong = check_fields(content->plan);

    if (wrong)
        return wrong;
    if (!recorded || strcmp(recorded, content->plan_checksum) != 0)
        return "plan.json has changed since the run began: its CRC-32 is not that of machine.json";
    return NULL;
}

static void read_shard(struct merge *merge, struct merge_shard *shard)
{
    char error[RUN_FOLDER_ERROR_BYTES];
    struct run_folder folder;

    if (run_folder_open(&folder, shard->path, error) != 0) {
        merge_say(merge->refusals, "%s", error);
        return;
    }
    const int failed = run_content_read(&shard->content, &folder, error);
    run_folder_close(&folder);
    const char *wrong = failed ? NULL : check_plan(&shard->content);
    if (failed)
        merge_say(merge->refusals, "%s", error);
    else if (wrong)
        merge_say(merge->refusals, "%s: %s", shard->path, wrong);
    else
        shard->index = (unsigned)json_integer_value(
            json_object_get(json_object_get(shard->content.plan, "shard"), "index"));
}

int merge_read(struct merge *merge, const char *const *paths, size_t count)
{
    *merge = (struct merge){.refusals = json_array(), .warnings = json_array()};
    merge->shards = calloc(count + 1, sizeof *merge->shards);
    if (!merge->shards || !merge->refusals || !merge->warnings)
        return -ENOMEM;
    merge->count = count;
    for (size_t i = 0; i < count; i++) {
        merge->shards[i].path = paths[i];
        read_shard(merge, &merge->shards[i]);
    }
    return 0;
}

void merge_free(struct merge *merge)
{
    for (size_t i = 0; i < merge->count; i++)
        run_content_free(&merge->shards[i].content);
    free(merge->shards);
    json_decref(merge->refusals);
    json_decref(merge->warnings);
    *merge = (struct merge){0};
}
