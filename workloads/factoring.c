/*
 * What factoring.h declares: which multiple of the number is taken, and its continued fraction. A
 * multiple that leads nowhere gives way to the next. Source: factoring.h; the measure of a multiple
 * is Knuth's, The Art of Computer Programming, volume 2, section 4.5.4, exercise 28.
 */
#include "workloads/factoring.h"

#include <math.h>

enum {
    MULTIPLIER_MOST = 300, /* Morrison and Brillhart took 257 for the seventh Fermat number */
    SCORE_PRIME_MOST = 400,
    BASE_LEAST = 30,
};
static const double base_share = 0.6, base_power = 0.34;

/*
 * The continued fraction of the root of `multiple`, at step n. By Morrison and Brillhart's names A
 * is `convergent` (modulo the number), Q `rest`, P `sum`: A^2 = Q or -Q modulo the number, and
 * P^2 + Q * (Q before) is the multiple.
 */
struct fraction {
    struct bignum *multiple, *root;
    struct bignum *convergent, *convergent_before;
    struct bignum *rest, *rest_before;
    struct bignum *sum;
    struct bignum *left, *left_before; /* of the last two divisions */
    int is_negative;
};

static void fraction_close(struct worker *worker, struct fraction *fraction)
{
    struct bignum **values[] = {
        &fraction->multiple,    &fraction->root,
        &fraction->convergent,  &fraction->convergent_before,
        &fraction->rest,        &fraction->rest_before,
        &fraction->sum,         &fraction->left,
        &fraction->left_before,
    };

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        bignum_replace(worker, values[i], NULL);
}

/* -ENOMEM leaves some values NULL, for fraction_close. */
static int fraction_open(struct worker *worker, const struct bignum *multiple,
                         struct fraction *fraction)
{
    *fraction = (struct fraction){
        .multiple = bignum_copy(worker, multiple),
        .root = bignum_root(worker, multiple),
        .convergent = bignum_make(worker, 1),
        .convergent_before = bignum_make(worker, 0),
        .rest = bignum_make(worker, 1),
        .rest_before = bignum_copy(worker, multiple),
        .sum = bignum_make(worker, 0),
        .left_before = bignum_root(worker, multiple),
    };
    return fraction->multiple && fraction->root && fraction->convergent &&
                   fraction->convergent_before && fraction->rest && fraction->rest_before &&
                   fraction->sum && fraction->left_before
               ? 0
               : -ENOMEM;
}

/* rest_before + quotient * (left - left_before) */
static struct bignum *next_rest(struct worker *worker, const struct fraction *fraction,
                                const struct bignum *quotient)
{
    int is_less = bignum_compare(fraction->left, fraction->left_before) < 0;
    struct bignum *change = is_less
                                ? bignum_subtract(worker, fraction->left_before, fraction->left)
                                : bignum_subtract(worker, fraction->left, fraction->left_before);
    struct bignum *product = bignum_multiply(worker, quotient, change);
    struct bignum *rest = is_less ? bignum_subtract(worker, fraction->rest_before, product)
                                  : bignum_add(worker, fraction->rest_before, product);

    bignum_free(worker, change);
    bignum_free(worker, product);
    return rest;
}

/* quotient * convergent + convergent_before modulo the number */
static struct bignum *next_convergent(struct worker *worker, const struct fraction *fraction,
                                      const struct bignum *quotient, const struct bignum *number)
{
    struct bignum *product = bignum_multiply(worker, quotient, fraction->convergent);
    struct bignum *sum = bignum_add(worker, product, fraction->convergent_before);
    struct bignum *convergent = bignum_modulo(worker, sum, number);

    bignum_free(worker, product);
    bignum_free(worker, sum);
    return convergent;
}

static void move_on(struct worker *worker, struct bignum **before, struct bignum **now,
                    struct bignum *next)
{
    bignum_replace(worker, before, *now);
    *now = next;
}

/* -ENOMEM leaves some values NULL, for fraction_close. */
static int fraction_step(struct worker *worker, struct fraction *fraction,
                         const struct bignum *number)
{
    struct bignum *dividend = bignum_add(worker, fraction->root, fraction->sum);
    struct bignum *quotient = bignum_divide(worker, dividend, fraction->rest, &fraction->left);
    int error = -ENOMEM;

    bignum_free(worker, dividend);
    if (quotient) {
        struct bignum *rest = next_rest(worker, fraction, quotient);
        struct bignum *convergent = next_convergent(worker, fraction, quotient, number);
        bignum_replace(worker, &fraction->sum,
                       bignum_subtract(worker, fraction->root, fraction->left));
        move_on(worker, &fraction->rest_before, &fraction->rest, rest);
        move_on(worker, &fraction->convergent_before, &fraction->convergent, convergent);
        move_on(worker, &fraction->left_before, &fraction->left, NULL);
        fraction->is_negative = !fraction->is_negative;
        error = rest && convergent && fraction->sum ? 0 : -ENOMEM;
    }
    bignum_free(worker, quotient);
    return error;
}

/* Whether sum^2 + rest * rest_before is the multiple. */
static int fraction_check(struct worker *worker, const struct fraction *fraction)
{
    struct bignum *square = bignum_multiply(worker, fraction->sum, fraction->sum);
    struct bignum *product = bignum_multiply(worker, fraction->rest, fraction->rest_before);
    struct bignum *sum = bignum_add(worker, square, product);
    int error = !sum ? -ENOMEM : bignum_compare(sum, fraction->multiple) == 0 ? 0 : -EBADMSG;

    bignum_free(worker, square);
    bignum_free(worker, product);
    bignum_free(worker, sum);
    return error;
}

/* As many members as serve numbers of this size best, found by trying. */
static size_t base_size(const struct bignum *number)
{
    double logarithm = log(bignum_to_double(number));
    double count = base_share * exp(base_power * sqrt(logarithm * log(logarithm)));

    return count < BASE_LEAST ? BASE_LEAST : (size_t)count;
}

/* Until there are rows enough, or the fraction repeats itself. */
static int collect(struct worker *worker, struct fraction *fraction, const struct bignum *number,
                   struct relations *relations)
{
    int error = 0;

    while (!error && relations->row_count < relations->row_room) {
        error = fraction_step(worker, fraction, number);
        if (!error)
            error = fraction_check(worker, fraction);
        if (!error && bignum_is(fraction->rest, 1))
            break;
        if (!error)
            error = relations_offer(worker, relations, fraction->convergent, fraction->rest,
                                    fraction->is_negative);
    }
    return error;
}

/* *divisor stays NULL when the multiple leads to none. */
static int try_multiple(struct worker *worker, const struct bignum *number,
                        const struct bignum *multiple, struct bignum **divisor)
{
    struct fraction fraction;
    struct relations relations = {0};
    int error = fraction_open(worker, multiple, &fraction);

    if (!error)
        error = relations_open(worker, multiple, base_size(number), &relations);
    if (!error)
        error = collect(worker, &fraction, number, &relations);
    if (!error)
        error = squares_divisor(worker, &relations, number, divisor);
    relations_close(worker, &relations);
    fraction_close(worker, &fraction);
    return error;
}

/* --- Which multiple. --- */

/* What the factor 2 and its powers give, in logarithms. */
static double score_of_two(unsigned rest_of_eight)
{
    if (rest_of_eight % 2 == 0 || rest_of_eight % 4 == 3)
        return log(2) / 3;
    return rest_of_eight == 5 ? 2 * log(2) / 3 : 4 * log(2) / 3;
}

/* How many small factors the rests of multiplier * number have, less what the multiplier adds to
 * their size. */
static double score(const struct bignum *number, uint32_t multiplier)
{
    double sum = score_of_two(multiplier * bignum_modulo_small(number, 8) % 8);

    for (uint32_t prime = 3; prime < SCORE_PRIME_MOST; prime += 2) {
        uint32_t rest = bignum_modulo_small(number, prime) * (multiplier % prime) % prime;
        if (!factoring_is_prime(prime))
            continue;
        if (rest == 0)
            sum += log(prime) / (prime + 1.0);
        else if (factoring_has_root(rest, prime))
            sum += 2.0 * prime * log(prime) / ((double)prime * prime - 1);
    }
    return sum - log(multiplier) / 2;
}

static int has_square_factor(uint32_t number)
{
    for (uint32_t i = 2; i * i <= number; i++)
        if (number % (i * i) == 0)
            return 1;
    return 0;
}

/* The best multiplier below `score_most`, which becomes its score; 0 when there is none left. */
static uint32_t next_multiplier(const double *scores, double *score_most)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i <= MULTIPLIER_MOST; i++)
        if (scores[i] < *score_most && (best == 0 || scores[i] > scores[best]))
            best = i;
    if (best)
        *score_most = scores[best];
    return best;
}

static int try_multiplier(struct worker *worker, const struct bignum *number, uint32_t multiplier,
                          struct bignum **divisor)
{
    struct bignum *factor = bignum_make(worker, multiplier);
    struct bignum *multiple = bignum_multiply(worker, number, factor);
    int error = multiple ? try_multiple(worker, number, multiple, divisor) : -ENOMEM;

    bignum_free(worker, factor);
    bignum_free(worker, multiple);
    return error;
}

int factoring_divisor(struct worker *worker, const struct bignum *number, struct bignum **divisor)
{
    double scores[MULTIPLIER_MOST + 1], score_most = INFINITY;
    struct bignum *found = NULL;
    uint32_t multiplier;
    int error = 0;

    for (uint32_t i = 0; i <= MULTIPLIER_MOST; i++)
        scores[i] = i == 0 || has_square_factor(i) ? INFINITY : score(number, i);
    while (!error && !found && (multiplier = next_multiplier(scores, &score_most)) != 0)
        error = try_multiplier(worker, number, multiplier, &found);
    if (!error && !found)
        error = -EDOM;
    if (!error)
        *divisor = found;
    return error;
}
