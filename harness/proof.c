/*
 * One process for each tunable: an experiment that shows one (allocators/glibc_tunables.c) may hide
 * another. Leaves out rows that cannot be opened: their samples say so.
 */
#define _GNU_SOURCE
#include "harness/proof.h"

#include "harness/description.h"
#include "harness/json_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Alike as text, or as numbers: 007 is 7. */
static int is_same_value(const char *a, const char *b)
{
    char *end_a, *end_b;
    long long number_a = strtoll(a, &end_a, 10), number_b = strtoll(b, &end_b, 10);

    if (strcmp(a, b) == 0)
        return 1;
    return end_a != a && !*end_a && end_b != b && !*end_b && number_a == number_b;
}

/* What was asked for and what was found, as machine.json has it. */
static json_t *finding_of(const struct row_component *component, const struct row_tunable *tunable,
                          const json_t *answer)
{
    json_t *value = json_object_get(answer, "value"), *proof = json_object_get(answer, "proof");
    json_t *finding = json_pack("{s:s, s:s, s:s}", "allocator", component->allocator->name, "name",
                                tunable->tunable->name, "asked", tunable->value);

    json_object_set(finding, "value", value ? value : json_null());
    json_object_set(finding, "proof", proof ? proof : json_null());
    return finding;
}

static void refuse(struct row *row, const struct row_component *component, const json_t *finding)
{
    int is_told = strcmp(json_text(finding, "proof"), "told") == 0;

    snprintf(row->not_available, sizeof row->not_available,
             "%.64s:%.64s did not take effect: %.64s %s %.64s", json_text(finding, "name"),
             json_text(finding, "asked"), component->allocator->name,
             is_told ? "says that it is" : "behaves as with", json_text(finding, "value"));
}

/* Asks a process with the row's environment. Returns 0 with the answer, which the caller owns, or a
 * negative errno. */
static int ask(const struct row *row, const char *question, const char *of, json_t **answer)
{
    char reason[DESCRIPTION_REASON_BYTES];
    struct environment environment;
    struct description_request request = {
        .object = row_component_name(&row->object),
        .raw = row->raw.allocator ? row_component_name(&row->raw) : NULL,
        .prove = question,
        .assignment = of,
        .environment = &environment,
    };

    environment_init(&environment);
    int error = environment_add_row(&environment, row);
    return error ? error : description_ask(&request, answer, reason);
}

/* Returns 0 or -EINTR. Of a row that cannot be opened nothing is found. */
static int prove_tunable(struct row *row, const struct row_component *component,
                         const struct row_tunable *tunable, json_t *findings)
{
    char assignment[ROW_TEXT_BYTES];
    json_t *answer = NULL;

    snprintf(assignment, sizeof assignment, "%s=%s", tunable->tunable->name, tunable->value);
    int error =
        ask(row, component == &row->object ? "--prove-object" : "--prove-raw", assignment, &answer);
    if (error)
        return error == -EINTR ? error : 0;
    json_t *finding = finding_of(component, tunable, answer);
    if (json_is_string(json_object_get(finding, "value")) &&
        !is_same_value(json_text(finding, "value"), tunable->value))
        refuse(row, component, finding);
    json_array_append_new(findings, finding);
    json_decref(answer);
    return 0;
}

static int prove_component(struct row *row, const struct row_component *component, json_t *findings)
{
    int error = 0;

    for (size_t i = 0; component->allocator && i < component->tunable_count && !error; i++)
        error = prove_tunable(row, component, &component->tunables[i], findings);
    return error;
}

int proof_of_row(struct row *row, json_t *findings)
{
    int error = prove_component(row, &row->object, findings);

    return error ? error : prove_component(row, &row->raw, findings);
}

static int tell_component(const struct row *row, const struct row_component *component,
                          json_t *settings)
{
    const char *name;
    json_t *answer = NULL, *value;

    if (!component->allocator || !component->allocator->tunables ||
        !component->allocator->tunables->name)
        return 0;
    int error = ask(row, "--tell", component == &row->object ? "object" : "raw", &answer);
    if (error)
        return error == -EINTR ? error : 0;
    json_object_foreach(json_object_get(answer, "values"), name, value) json_array_append_new(
        settings, json_pack("{s:s, s:s, s:O}", "allocator", component->allocator->name, "name",
                            name, "value", value));
    json_decref(answer);
    return 0;
}

int proof_settings(const struct row *row, json_t *settings)
{
    int error = tell_component(row, &row->object, settings);

    return error ? error : tell_component(row, &row->raw, settings);
}

enum { KEY_BYTES = ROW_TEXT_BYTES + 16 };

/* The row as written; one that is eager has tunables that it does not name. */
static const char *key_of(const struct cell *cell, char *key)
{
    snprintf(key, KEY_BYTES, "%s%s", cell->row.text,
             cell->way.mode == RETURN_EAGER ? " (eager)" : "");
    return key;
}

static int has_key(const struct cell *cell, const char *key)
{
    char own[KEY_BYTES];

    return strcmp(key_of(cell, own), key) == 0;
}

/* The cells of a row share what was found; `row` is that of the first. */
static void spread(struct plan *plan, const char *key, const struct row *row)
{
    for (size_t i = 0; i < plan->cell_count; i++) {
        struct cell *cell = &plan->cells[i];
        if (!has_key(cell, key) || cell->not_available[0])
            continue;
        snprintf(cell->not_available, sizeof cell->not_available, "%s", row->not_available);
    }
}

/* What the allocators of a row tell goes to the plan, once a row; a row that tells nothing is left
 * out. */
static int add_settings(struct plan *plan, const struct cell *cell)
{
    char key[KEY_BYTES];
    json_t *settings = json_array();
    int error = proof_settings(&cell->row, settings);

    if (json_array_size(settings) > 0)
        json_object_set(plan->settings, key_of(cell, key), settings);
    json_decref(settings);
    return error;
}

static int has_earlier_cell(const struct plan *plan, size_t at)
{
    char key[KEY_BYTES];

    key_of(&plan->cells[at], key);
    for (size_t i = 0; i < at; i++) {
        if (!plan->cells[i].not_available[0] && has_key(&plan->cells[i], key))
            return 1;
    }
    return 0;
}

static int tell_settings(struct plan *plan)
{
    int error = 0;

    for (size_t i = 0; i < plan->cell_count && !error; i++) {
        if (!plan->cells[i].not_available[0] && !has_earlier_cell(plan, i))
            error = add_settings(plan, &plan->cells[i]);
    }
    return error;
}

int proof_of_plan(struct plan *plan)
{
    char key[KEY_BYTES];
    int error = 0;

    if (!plan->tunables)
        plan->tunables = json_object();
    if (!plan->settings)
        plan->settings = json_object();
    if (!plan->tunables || !plan->settings)
        return -ENOMEM;
    for (size_t i = 0; i < plan->cell_count && !error; i++) {
        struct row *row = &plan->cells[i].row;
        key_of(&plan->cells[i], key);
        if (plan->cells[i].not_available[0] || json_object_get(plan->tunables, key) ||
            row->object.tunable_count + row->raw.tunable_count == 0)
            continue;
        json_t *findings = json_array();
        error = proof_of_row(row, findings);
        json_object_set_new(plan->tunables, key, findings);
        spread(plan, key, row);
    }
    return error ? error : tell_settings(plan);
}
