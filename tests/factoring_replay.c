/*
 * Runs operations of workloads/bignum.h and factorings of factoring.h on libc's malloc, for
 * factoring_test.py. A line of input is a verb and values in hexadecimal; a line of output is the
 * result, and what a division leaves. Leaves out memory that ends (workloads_test.c).
 */
#include "workloads/factoring.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_BYTES = 8192, VALUES = 3, DIGIT_CHARACTERS = 8 };

static void print(const struct bignum *bignum)
{
    if (!bignum)
        fputs("nothing", stdout);
    else if (bignum->count == 0)
        fputs("0", stdout);
    else if (bignum->digits[bignum->count - 1] == 0)
        fputs("a leading zero", stdout);
    else
        for (size_t i = bignum->count; i-- > 0;)
            printf("%08" PRIx32, bignum->digits[i]);
}

/* As a value that is added up of its digits. */
static struct bignum *read_value(struct worker *worker, const char *text)
{
    struct bignum *value = bignum_make(worker, 0);

    for (size_t i = 0; text[i]; i++) {
        const char character[2] = {text[i], 0};
        struct bignum *sixteen = bignum_make(worker, 16);
        struct bignum *digit = bignum_make(worker, strtoul(character, NULL, 16));
        bignum_replace(worker, &value, bignum_multiply(worker, value, sixteen));
        bignum_replace(worker, &value, bignum_add(worker, value, digit));
        bignum_free(worker, sixteen);
        bignum_free(worker, digit);
    }
    return value;
}

static struct bignum *divisor(struct worker *worker, const struct bignum *number)
{
    struct bignum *found = NULL;
    int error = factoring_divisor(worker, number, &found);

    if (error)
        fprintf(stderr, "factoring_divisor: %s\n", strerror(-error));
    return found;
}

/* 0, 1 or 2 for below, equal and above. */
static struct bignum *compared(struct worker *worker, const struct bignum *one,
                               const struct bignum *other)
{
    int order = bignum_compare(one, other);

    return bignum_make(worker, order < 0 ? 0 : order == 0 ? 1 : 2);
}

/* NULL when two ways to the rest differ. */
static struct bignum *divided(struct worker *worker, const struct bignum *bignum, uint32_t by,
                              struct bignum **rest)
{
    uint32_t left;
    struct bignum *quotient = bignum_divide_small(worker, bignum, by, &left);

    *rest = bignum_make(worker, left);
    if (bignum && bignum_modulo_small(bignum, by) != left)
        bignum_replace(worker, &quotient, NULL);
    return quotient;
}

/* Of the verb; what is left over goes to `rest`. */
static struct bignum *work_out(struct worker *worker, const char *verb,
                               struct bignum *const *values, struct bignum **rest)
{
    if (strcmp(verb, "add") == 0)
        return bignum_add(worker, values[0], values[1]);
    if (strcmp(verb, "subtract") == 0)
        return bignum_subtract(worker, values[0], values[1]);
    if (strcmp(verb, "multiply") == 0)
        return bignum_multiply(worker, values[0], values[1]);
    if (strcmp(verb, "divide") == 0)
        return bignum_divide(worker, values[0], values[1], rest);
    if (strcmp(verb, "root") == 0)
        return bignum_root(worker, values[0]);
    if (strcmp(verb, "common") == 0)
        return bignum_common_divisor(worker, values[0], values[1]);
    if (strcmp(verb, "power") == 0)
        return bignum_power_modulo(worker, values[0], values[1], values[2]);
    if (strcmp(verb, "compare") == 0)
        return compared(worker, values[0], values[1]);
    if (strcmp(verb, "factor") == 0)
        return divisor(worker, values[0]);
    if (strcmp(verb, "divide_small") == 0)
        return divided(worker, values[0], (uint32_t)bignum_low(values[1]), rest);
    return NULL;
}

static void answer(struct worker *worker, char *line)
{
    struct bignum *values[VALUES] = {NULL}, *rest = NULL;
    const char *verb = strtok(line, " \n"), *text;

    for (size_t i = 0; i < VALUES && (text = strtok(NULL, " \n")); i++)
        values[i] = read_value(worker, text);
    struct bignum *result = work_out(worker, verb, values, &rest);
    print(result);
    if (rest) {
        putchar(' ');
        print(rest);
    }
    putchar('\n');
    bignum_free(worker, result);
    bignum_free(worker, rest);
    for (size_t i = 0; i < VALUES; i++)
        bignum_free(worker, values[i]);
}

static int answer_all(struct worker *worker)
{
    static char line[LINE_BYTES];

    while (fgets(line, sizeof line, stdin))
        answer(worker, line);
    return 0;
}

static void no_phase(struct workload_context *context, const char *name)
{
    (void)context;
    (void)name;
}

static void no_end(struct workload_context *context)
{
    (void)context;
}

/* Fails when a block is left over. */
int main(void)
{
    static const struct allocator_ops libc_ops = {.malloc = malloc, .free = free};
    static const struct stage stages[] = {{"answer", answer_all, ON_MAIN}, {0}};
    static struct workload_gauge gauge;
    struct workload_context context = {
        .object = &libc_ops,
        .raw = &libc_ops,
        .gauge = &gauge,
        .seed = 1,
        .begin_phase = no_phase,
        .end_phase = no_end,
    };

    return team_play(&context, 0, NULL, stages) != 0 || gauge.live_bytes != 0;
}
