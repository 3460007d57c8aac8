/*
 * The last step of the continued-fraction method: which rows multiply to a square, by elimination
 * modulo 2, and the divisor that the two roots give. Leaves out sparse matrices. Source:
 * factoring.h.
 */
#include "workloads/factoring.h"

enum { WORD_BITS = 64 };

/*
 * A line a row, each a block: whether the row has each prime of the base an odd number of times;
 * and then of which rows it has become the product.
 */
struct matrix {
    uint64_t **lines;
    size_t columns, line_count, line_words, history_at; /* in words */
};

static int get_bit(const uint64_t *words, size_t i)
{
    return (int)(words[i / WORD_BITS] >> i % WORD_BITS & 1);
}

static void flip_bit(uint64_t *words, size_t i)
{
    words[i / WORD_BITS] ^= UINT64_C(1) << i % WORD_BITS;
}

static size_t words_for(size_t bits)
{
    return (bits + WORD_BITS - 1) / WORD_BITS;
}

static void matrix_close(struct worker *worker, struct matrix *matrix)
{
    for (size_t i = 0; matrix->lines && i < matrix->line_count; i++)
        if (matrix->lines[i])
            block_drop(worker, matrix->lines[i], matrix->line_words * sizeof(uint64_t));
    if (matrix->lines)
        block_drop(worker, matrix->lines, matrix->line_count * sizeof *matrix->lines);
}

static void flip_factors(uint64_t *line, const struct relation *relation)
{
    for (size_t i = 0; relation && i < relation->count; i++)
        flip_bit(line, relation->factors[i]);
}

/* -ENOMEM leaves what there is for matrix_close. */
static int matrix_open(struct worker *worker, const struct relations *relations,
                       struct matrix *matrix)
{
    size_t history_at = words_for(relations->base->count), count = relations->row_count;

    *matrix = (struct matrix){
        .lines = block_make(worker, count * sizeof *matrix->lines),
        .columns = relations->base->count,
        .line_count = count,
        .line_words = history_at + words_for(count),
        .history_at = history_at,
    };
    if (!matrix->lines)
        return -ENOMEM;
    memset(matrix->lines, 0, count * sizeof *matrix->lines);
    for (size_t i = 0; i < count; i++) {
        uint64_t *line = block_make(worker, matrix->line_words * sizeof *line);
        if (!line)
            return -ENOMEM;
        memset(line, 0, matrix->line_words * sizeof *line);
        flip_factors(line, relations->rows[i].own);
        flip_factors(line, relations->rows[i].shared);
        flip_bit(line + history_at, i);
        matrix->lines[i] = line;
    }
    return 0;
}

/* Takes the column from all lines but the first that has it, which goes to the place `at`. Returns
 * how many lines are settled: one more, if any has it. */
static size_t eliminate_column(struct matrix *matrix, size_t column, size_t at)
{
    size_t first = at;

    while (first < matrix->line_count && !get_bit(matrix->lines[first], column))
        first++;
    if (first == matrix->line_count)
        return at;
    uint64_t *line = matrix->lines[first];
    matrix->lines[first] = matrix->lines[at];
    matrix->lines[at] = line;
    for (size_t i = first + 1; i < matrix->line_count; i++)
        if (get_bit(matrix->lines[i], column))
            for (size_t word = 0; word < matrix->line_words; word++)
                matrix->lines[i][word] ^= line[word];
    return at + 1;
}

/* The first line that is even in all primes; those after it are too. */
static size_t eliminate(struct matrix *matrix)
{
    size_t at = 0;

    for (size_t column = 0; column < matrix->columns; column++)
        at = eliminate_column(matrix, column, at);
    return at;
}

/* --- The roots of both sides. --- */

/* Modulo the number; `powers` of each member of the base, in the square of `right`. */
struct roots {
    struct bignum *left, *right;
    uint32_t *powers;
};

static void multiply_by(struct worker *worker, struct bignum **variable,
                        const struct bignum *factor, const struct bignum *number)
{
    bignum_replace(worker, variable, bignum_multiply_modulo(worker, *variable, factor, number));
}

static void multiply_relation(struct worker *worker, struct roots *roots,
                              const struct relation *relation, const struct bignum *number)
{
    multiply_by(worker, &roots->left, relation->root, number);
    for (size_t i = 0; i < relation->count; i++)
        roots->powers[relation->factors[i]]++;
}

static void multiply_row(struct worker *worker, struct roots *roots, const struct relation_row *row,
                         const struct bignum *number)
{
    multiply_relation(worker, roots, row->own, number);
    if (!row->shared)
        return;
    multiply_relation(worker, roots, row->shared, number);
    struct bignum *large = bignum_make(worker, row->own->large); /* its square is in the product */
    multiply_by(worker, &roots->right, large, number);
    bignum_free(worker, large);
}

static void multiply_powers(struct worker *worker, struct roots *roots,
                            const struct factor_base *base, const struct bignum *number)
{
    for (size_t i = 1; i < base->count; i++) {
        if (roots->powers[i] == 0)
            continue;
        struct bignum *prime = bignum_make(worker, base->primes[i]);
        struct bignum *half = bignum_make(worker, roots->powers[i] / 2);
        struct bignum *power = bignum_power_modulo(worker, prime, half, number);
        multiply_by(worker, &roots->right, power, number);
        bignum_free(worker, prime);
        bignum_free(worker, half);
        bignum_free(worker, power);
    }
}

/* The common divisor of the number and the sum of two roots of one square; NULL when that is the
 * number or 1. */
static int divisor_of_roots(struct worker *worker, const struct roots *roots,
                            const struct bignum *number, struct bignum **divisor)
{
    struct bignum *left_square = bignum_multiply_modulo(worker, roots->left, roots->left, number);
    struct bignum *right_square =
        bignum_multiply_modulo(worker, roots->right, roots->right, number);
    struct bignum *sum = bignum_add(worker, roots->left, roots->right);
    struct bignum *common = bignum_common_divisor(worker, sum, number);
    int error = left_square && right_square && common ? 0 : -ENOMEM;

    if (!error && bignum_compare(left_square, right_square) != 0)
        error = -EBADMSG;
    if (!error && !bignum_is(common, 1) && bignum_compare(common, number) != 0) {
        *divisor = common;
        common = NULL;
    }
    bignum_free(worker, left_square);
    bignum_free(worker, right_square);
    bignum_free(worker, sum);
    bignum_free(worker, common);
    return error;
}

static int divisor_of_line(struct worker *worker, const struct relations *relations,
                           const uint64_t *history, const struct bignum *number,
                           struct bignum **divisor)
{
    size_t bytes = relations->base->count * sizeof(uint32_t);
    struct roots roots = {.powers = block_make(worker, bytes)};
    int error = -ENOMEM;

    if (roots.powers) {
        memset(roots.powers, 0, bytes);
        roots.left = bignum_make(worker, 1);
        roots.right = bignum_make(worker, 1);
        for (size_t i = 0; i < relations->row_count; i++)
            if (get_bit(history, i))
                multiply_row(worker, &roots, &relations->rows[i], number);
        multiply_powers(worker, &roots, relations->base, number);
        error = divisor_of_roots(worker, &roots, number, divisor);
        bignum_free(worker, roots.left);
        bignum_free(worker, roots.right);
        block_drop(worker, roots.powers, bytes);
    }
    return error;
}

int squares_divisor(struct worker *worker, const struct relations *relations,
                    const struct bignum *number, struct bignum **divisor)
{
    struct matrix matrix;
    struct bignum *found = NULL;
    int error = matrix_open(worker, relations, &matrix);

    for (size_t i = error ? matrix.line_count : eliminate(&matrix);
         i < matrix.line_count && !found && !error; i++)
        error =
            divisor_of_line(worker, relations, matrix.lines[i] + matrix.history_at, number, &found);
    matrix_close(worker, &matrix);
    if (!error)
        *divisor = found;
    return error;
}
