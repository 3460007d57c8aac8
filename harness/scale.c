/*
 * What scale.h declares. Leaves out the plan that the values go into.
 */
#include "harness/scale.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double least = 0.001, most = 1000;

int scale_parse(const char *text, double *factor)
{
    /* strtod also reads "inf", "0x1p3", "1e3" and leading space. */
    if (text[0] < '0' || text[0] > '9' || text[strspn(text, "0123456789.")] != '\0')
        return -EINVAL;
    char *end;
    double read = strtod(text, &end);
    if (*end)
        return -EINVAL;
    if (read < least || read > most)
        return -ERANGE;
    *factor = read;
    return 0;
}

/* Sentences are few: one for each parameter that has met a bound. */
static void note(json_t *notes, const struct workload *workload, const struct parameter *parameter,
                 uint64_t value)
{
    char text[64], sentence[256];
    size_t i;
    const json_t *earlier;

    snprintf(sentence, sizeof sentence, "%.64s: %.64s is %s, the %s that it takes", workload->name,
             parameter->name, parameter_format(parameter, value, text, sizeof text),
             value == parameter->minimum ? "least" : "most");
    json_array_foreach(notes, i, earlier)
    {
        if (strcmp(json_string_value(earlier), sentence) == 0)
            return;
    }
    json_array_append_new(notes, json_string(sentence));
}

static int has_value(const uint64_t *values, size_t count, uint64_t value)
{
    for (size_t i = 0; i < count; i++) {
        if (values[i] == value)
            return 1;
    }
    return 0;
}

void scale_words(struct workload_words *words, double factor, json_t *notes)
{
    const struct parameter *parameters = words->workload->parameters;

    for (size_t i = 0; parameters[i].name; i++) {
        uint64_t *values = words->values[i];
        size_t kept = 0;
        for (size_t j = 0; j < words->value_counts[i]; j++) {
            uint64_t value = values[j];
            if (parameter_scale(&parameters[i], factor, &value))
                note(notes, words->workload, &parameters[i], value);
            if (!parameters[i].scales || !has_value(values, kept, value))
                values[kept++] = value;
        }
        words->value_counts[i] = kept;
    }
}
