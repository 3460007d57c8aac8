/*
 * cfrac: products of two primes are factored by continued fractions. Every number is a block of its
 * own, made by one operation and soon freed: tiny objects that hardly live, beside some thousand
 * relations that live to the end of a factoring. Sizes: 4 to some 50 bytes, and a matrix of up to
 * half a megabyte; one thread. Deviations: numbers are drawn, not given, but for the seventh Fermat
 * number, which is the one of 39 digits. Source: cfrac, Dave Barrett's program for the method of
 * Morrison and Brillhart (1975), in the collections of Zorn and Grunwald and of mimalloc-bench;
 * written anew from the paper (factoring.h).
 */
#include "workloads/draw.h"
#include "workloads/factoring.h"

enum { DIGITS_LEAST = 8, DIGITS_MOST = 39, DIGITS_OF_FERMAT = 39 };

/* What main keeps; all of it in blocks, so that a collector finds it. */
struct numbers {
    size_t count;
    uint64_t digits;
    struct task {
        struct bignum *number;
        struct bignum *divisor;
    } * tasks;
};

static uint64_t power_of_ten(uint64_t exponent)
{
    uint64_t power = 1;

    while (exponent-- > 0)
        power *= 10;
    return power;
}

/* Strong pseudoprimes to the first twelve primes begin above 3 * 10^24 (Sorenson and Webster,
 * Mathematics of Computation 86, 2017). */
static const uint32_t witnesses[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};

/* Whether base^odd is 1, or one of its first `squarings` squares -1, modulo `number`. */
static int passes(struct worker *worker, const struct bignum *number, uint32_t base)
{
    uint64_t value = bignum_low(number), odd = value - 1;
    unsigned squarings = (unsigned)__builtin_ctzll(odd);
    struct bignum *witness = bignum_make(worker, base);
    struct bignum *exponent = bignum_make(worker, odd >> squarings);
    struct bignum *power = bignum_power_modulo(worker, witness, exponent, number);
    int result = bignum_is(power, 1);

    for (unsigned i = 0; i < squarings && power && !result; i++) {
        result = bignum_is(power, value - 1);
        bignum_replace(worker, &power, bignum_multiply_modulo(worker, power, power, number));
    }
    if (!power)
        result = -ENOMEM;
    bignum_free(worker, witness);
    bignum_free(worker, exponent);
    bignum_free(worker, power);
    return result;
}

/* 1 or 0, or -ENOMEM; `value` is odd and above 37. */
static int is_prime(struct worker *worker, uint64_t value)
{
    struct bignum *number = bignum_make(worker, value);
    int result = number ? 1 : -ENOMEM;

    for (size_t i = 0; i < sizeof witnesses / sizeof witnesses[0] && result == 1; i++)
        result = passes(worker, number, witnesses[i]);
    bignum_free(worker, number);
    return result;
}

/* Of 4 to 19 digits. */
static int draw_prime(struct worker *worker, uint64_t digits, uint64_t *prime)
{
    uint64_t least = power_of_ten(digits - 1), value;
    int result;

    do {
        value = (least + random_next(&worker->random) % (9 * least)) | 1;
        result = is_prime(worker, value);
    } while (result == 0);
    if (result < 0)
        return result;
    *prime = value;
    return 0;
}

static struct bignum *multiply_values(struct worker *worker, uint64_t one, uint64_t other)
{
    struct bignum *left = bignum_make(worker, one), *right = bignum_make(worker, other);
    struct bignum *product = bignum_multiply(worker, left, right);

    bignum_free(worker, left);
    bignum_free(worker, right);
    return product;
}

/* The product of two primes of as many digits, or of one more; NULL when there is no memory. */
static struct bignum *draw_product(struct worker *worker, uint64_t digits)
{
    uint64_t one, other;

    do {
        if (draw_prime(worker, digits / 2, &one) != 0 ||
            draw_prime(worker, digits - digits / 2, &other) != 0)
            return NULL;
    } while (one == other);
    return multiply_values(worker, one, other);
}

/* Of exactly so many digits. */
static struct bignum *draw_number(struct worker *worker, uint64_t digits)
{
    struct bignum *least =
        multiply_values(worker, power_of_ten(digits / 2), power_of_ten(digits - digits / 2 - 1));
    struct bignum *number = draw_product(worker, digits);

    while (least && number && bignum_compare(number, least) < 0)
        bignum_replace(worker, &number, draw_product(worker, digits));
    if (!least)
        bignum_replace(worker, &number, NULL);
    bignum_free(worker, least);
    return number;
}

/* 2^128 + 1 = 59649589127497217 * 5704689200685129054721 */
static struct bignum *seventh_fermat_number(struct worker *worker)
{
    struct bignum *two_to_64 = multiply_values(worker, UINT64_C(1) << 32, UINT64_C(1) << 32);
    struct bignum *square = bignum_multiply(worker, two_to_64, two_to_64);
    struct bignum *unit = bignum_make(worker, 1);
    struct bignum *number = bignum_add(worker, square, unit);

    bignum_free(worker, two_to_64);
    bignum_free(worker, square);
    bignum_free(worker, unit);
    return number;
}

static int build(struct worker *worker)
{
    struct numbers *numbers = worker->program;
    size_t bytes = numbers->count * sizeof *numbers->tasks;

    numbers->tasks = block_make(worker, bytes);
    if (!numbers->tasks)
        return -ENOMEM;
    memset(numbers->tasks, 0, bytes);
    for (size_t i = 0; i < numbers->count; i++) {
        numbers->tasks[i].number = numbers->digits == DIGITS_OF_FERMAT
                                       ? seventh_fermat_number(worker)
                                       : draw_number(worker, numbers->digits);
        if (!numbers->tasks[i].number)
            return -ENOMEM;
    }
    return 0;
}

/* -EBADMSG unless the divisor and what it leaves multiply to the number. */
static int check(struct worker *worker, const struct task *task)
{
    struct bignum *rest;
    struct bignum *other = bignum_divide(worker, task->number, task->divisor, &rest);
    struct bignum *product = bignum_multiply(worker, other, task->divisor);
    int error = product ? 0 : -ENOMEM;

    if (!error && (bignum_is(other, 1) || bignum_is(task->divisor, 1) ||
                   bignum_compare(product, task->number) != 0))
        error = -EBADMSG;
    bignum_free(worker, rest);
    bignum_free(worker, other);
    bignum_free(worker, product);
    return error;
}

static int work(struct worker *worker)
{
    struct numbers *numbers = worker->program;
    int error = 0;

    for (size_t i = 0; i < numbers->count && !error; i++) {
        struct task *task = &numbers->tasks[i];
        error = factoring_divisor(worker, task->number, &task->divisor);
        if (!error)
            error = check(worker, task);
        worker_mix(worker, bignum_low(task->divisor));
    }
    return error;
}

static int clear(struct worker *worker)
{
    struct numbers *numbers = worker->program;

    if (!numbers->tasks)
        return 0;
    for (size_t i = 0; i < numbers->count; i++) {
        bignum_free(worker, numbers->tasks[i].number);
        bignum_free(worker, numbers->tasks[i].divisor);
    }
    block_drop(worker, numbers->tasks, numbers->count * sizeof *numbers->tasks);
    return 0;
}

static const struct stage stages[] = {
    {"build", build, ON_MAIN},
    {"work", work, ON_MAIN},
    {"free", clear, ON_MAIN},
    {0},
};

static int cfrac_run(struct workload_context *context)
{
    struct numbers numbers = {
        .count = workload_value(context, "n"),
        .digits = workload_value(context, "digits"),
    };

    return team_play(context, 0, &numbers, stages);
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "numbers to factor, one after another", 1, 1000000, "20", "2"),
    PARAMETER_COUNTED("digits", "of each number; 39: the seventh Fermat number", DIGITS_LEAST,
                      DIGITS_MOST, "24", "39"),
    {0},
};

const struct workload workload_cfrac = {
    .name = "cfrac",
    .summary = "factors numbers by continued fractions: tiny objects that hardly live",
    .source = "Morrison and Brillhart 1975; Barrett's cfrac",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS,
    .is_reachable = 1,
    .run = cfrac_run,
};
