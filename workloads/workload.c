/*
 * What workload.h declares: phases handed to the harness, parameters by name, values as users write
 * them. Leaves out defaults per suite and the grammar around a value, which are the harness's. The
 * suffixes are those of DESIGN.md: k, M and G are powers of a thousand.
 */
#include "workloads/workload.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Paths and texts by number, as long as the process lives; a value has room for no more than that.
 */
static char texts[WORKLOAD_TEXTS][WORKLOAD_TEXT_BYTES];
static size_t text_count;

void workload_phase(struct workload_context *context, const char *name)
{
    context->begin_phase(context, name);
}

void workload_idle(struct workload_context *context)
{
    if (context->before_rest)
        context->before_rest(context);
    if (context->idle_ns > 0) {
        context->begin_phase(context, "idle");
        context->sleep(context, context->idle_ns);
    }
    context->end_phase(context);
    if (context->after_rest)
        context->after_rest(context);
    context->objects = NULL; /* it ends with run() */
}

/* Not inline: what is stored is a local of the caller, of whom the compiler cannot know that it
 * calls workload_idle(). */
void workload_show_objects(struct workload_context *context, struct runtime *runtime)
{
    context->objects = runtime;
}

void workload_rest(struct workload_context *context)
{
    context->end_phase(context);
    if (context->idle_ns > 0)
        context->sleep(context, context->idle_ns);
}

unsigned workload_object_needs(const struct workload *workload, const uint64_t *values)
{
    unsigned needs = workload->object_needs;

    for (size_t i = 0; workload->parameters && workload->parameters[i].name; i++)
        if (workload->parameters[i].needs)
            needs |= workload->parameters[i].needs[values[i]];
    return needs;
}

uint64_t workload_value(const struct workload_context *context, const char *name)
{
    const struct parameter *parameters = context->workload->parameters;

    for (size_t i = 0; parameters && parameters[i].name; i++)
        if (strcmp(parameters[i].name, name) == 0)
            return context->values[i];
    fprintf(stderr, "workload %s reads a parameter that it does not have: %s\n",
            context->workload->name, name);
    abort();
}

const char *workload_text(const struct workload_context *context, const char *name)
{
    return texts[workload_value(context, name)];
}

const struct workload *workload_find(const char *name)
{
    for (size_t i = 0; i < workload_registry_count; i++)
        if (strcmp(workload_registry[i]->name, name) == 0)
            return workload_registry[i];
    return NULL;
}

/* 0 for what is no suffix. */
static uint64_t suffix_factor(const char *suffix)
{
    if (strcmp(suffix, "") == 0)
        return 1;
    if (strcmp(suffix, "k") == 0)
        return UINT64_C(1000);
    if (strcmp(suffix, "M") == 0)
        return UINT64_C(1000000);
    if (strcmp(suffix, "G") == 0)
        return UINT64_C(1000000000);
    return 0;
}

static int parse_count(const struct parameter *parameter, const char *text, uint64_t *value)
{
    size_t digits = strspn(text, "0123456789");
    uint64_t factor = suffix_factor(text + digits);
    uint64_t count = 0;

    if (digits == 0 || factor == 0)
        return -EINVAL;
    for (size_t i = 0; i < digits; i++) {
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (count > (UINT64_MAX - digit) / 10)
            return -ERANGE;
        count = count * 10 + digit;
    }
    if (count > UINT64_MAX / factor)
        return -ERANGE;
    count *= factor;
    if (count < parameter->minimum || count > parameter->maximum)
        return -ERANGE;
    *value = count;
    return 0;
}

static int parse_choice(const struct parameter *parameter, const char *text, uint64_t *value)
{
    for (size_t i = 0; parameter->choices[i]; i++) {
        if (strcmp(parameter->choices[i], text) == 0) {
            *value = i;
            return 0;
        }
    }
    return -EINVAL;
}

static int parse_text(const char *text, uint64_t *value)
{
    size_t number = 0;

    if (!*text)
        return -EINVAL;
    while (number < text_count && strcmp(texts[number], text) != 0)
        number++;
    if (number == text_count) {
        if (text_count == WORKLOAD_TEXTS || strlen(text) >= WORKLOAD_TEXT_BYTES)
            return -ERANGE;
        memcpy(texts[text_count++], text, strlen(text) + 1);
    }
    *value = number;
    return 0;
}

int parameter_parse(const struct parameter *parameter, const char *text, uint64_t *value)
{
    if (parameter->kind == PARAMETER_FILE || parameter->kind == PARAMETER_TEXT)
        return parse_text(text, value);
    if (parameter->kind == PARAMETER_CHOICE)
        return parse_choice(parameter, text, value);
    return parse_count(parameter, text, value);
}

int parameter_scale(const struct parameter *parameter, double factor, uint64_t *value)
{
    double scaled = round((double)*value * factor);

    if (!parameter->scales || factor == 1)
        return 0;
    if (scaled < (double)parameter->minimum) {
        *value = parameter->minimum;
        return 1;
    }
    if (scaled > (double)parameter->maximum) {
        *value = parameter->maximum;
        return 1;
    }
    *value = (uint64_t)scaled;
    return 0;
}

const char *parameter_format(const struct parameter *parameter, uint64_t value, char *text,
                             size_t text_bytes)
{
    if (parameter->kind == PARAMETER_CHOICE)
        snprintf(text, text_bytes, "%s", parameter->choices[value]);
    else if (parameter->kind == PARAMETER_FILE || parameter->kind == PARAMETER_TEXT)
        snprintf(text, text_bytes, "%s", texts[value]);
    else
        snprintf(text, text_bytes, "%" PRIu64, value);
    return text;
}
