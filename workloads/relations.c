/*
 * Relations of the continued-fraction method: the factor base, rests divided by all of it, and
 * pairs that share a large prime. Leaves out how rests come about (factoring.c). Each division
 * makes a value of its quotient, needed or not, as a program does whose numbers are all blocks:
 * these are what the workload cfrac is made of. Source: factoring.h.
 */
#include "workloads/factoring.h"

#include <math.h>

enum {
    ROWS_SPARE = 12, /* each leads to a divisor with a chance of one half or more */
    LISTS = 4096,
    FACTORS_MOST = 160, /* of a rest: it is below 2^160 */
    LARGE_TIMES = 100,  /* how far above the base a large prime may be */
    EARLY_SHARE = 16,   /* the first primes: one in so many */
    EARLY_LEAST = 128,  /* members of a base below which every rest is divided by all */
};
static const double early_cut = 1.0 / 65536;

int factoring_is_prime(uint32_t number)
{
    for (uint32_t i = 2; i * i <= number; i++)
        if (number % i == 0)
            return 0;
    return number > 1;
}

/* Euler's criterion. */
int factoring_has_root(uint32_t number, uint32_t prime)
{
    uint64_t power = 1, base = number % prime;

    for (uint32_t exponent = (prime - 1) / 2; exponent > 0; exponent /= 2) {
        if (exponent % 2 == 1)
            power = power * base % prime;
        base = base * base % prime;
    }
    return power == 1;
}

/* --- The factor base. --- */

static size_t base_bytes(size_t count)
{
    return sizeof(struct factor_base) + count * sizeof(uint32_t);
}

/* Whether the prime divides rests of this multiple. */
static int is_member(const struct bignum *multiple, uint32_t prime)
{
    uint32_t rest = bignum_modulo_small(multiple, prime);

    return rest == 0 || prime == 2 || factoring_has_root(rest, prime);
}

static void find_members(const struct bignum *multiple, struct factor_base *base, size_t count)
{
    base->primes[0] = 1;
    base->count = 1;
    for (uint32_t prime = 2; base->count < count; prime++)
        if (factoring_is_prime(prime) && is_member(multiple, prime))
            base->primes[base->count++] = prime;
}

int relations_open(struct worker *worker, const struct bignum *multiple, size_t count,
                   struct relations *relations)
{
    *relations = (struct relations){
        .base = block_make(worker, base_bytes(count)),
        .row_room = count + ROWS_SPARE,
        .early_most = 2 * sqrt(bignum_to_double(multiple)) * early_cut,
    };
    if (!relations->base)
        return -ENOMEM;
    find_members(multiple, relations->base, count);
    relations->rows = block_make(worker, relations->row_room * sizeof *relations->rows);
    relations->lists = block_make(worker, LISTS * sizeof(struct relation *));
    if (relations->lists)
        memset(relations->lists, 0, LISTS * sizeof(struct relation *));
    return relations->rows && relations->lists ? 0 : -ENOMEM;
}

/* --- Relations, and the rows that they become. --- */

static size_t relation_bytes(size_t count)
{
    return sizeof(struct relation) + count * sizeof(uint16_t);
}

static void drop_relation(struct worker *worker, struct relation *relation)
{
    bignum_free(worker, relation->root);
    block_drop(worker, relation, relation_bytes(relation->count));
}

static void drop_lists(struct worker *worker, struct relation **lists)
{
    for (size_t i = 0; i < LISTS; i++) {
        for (struct relation *relation = lists[i]; relation;) {
            struct relation *next = relation->next;
            drop_relation(worker, relation);
            relation = next;
        }
    }
    block_drop(worker, lists, LISTS * sizeof(struct relation *));
}

void relations_close(struct worker *worker, struct relations *relations)
{
    for (size_t i = 0; i < relations->row_count; i++)
        drop_relation(worker, relations->rows[i].own);
    if (relations->rows)
        block_drop(worker, relations->rows, relations->row_room * sizeof *relations->rows);
    if (relations->lists)
        drop_lists(worker, relations->lists);
    if (relations->base)
        block_drop(worker, relations->base, base_bytes(relations->base->count));
    *relations = (struct relations){0};
}

/* A row by itself, or with the first of the same large prime, or that first one itself. */
static void keep(struct relations *relations, struct relation *relation)
{
    struct relation **list = &relations->lists[relation->large % LISTS];
    const struct relation *shared = *list;

    while (shared && shared->large != relation->large)
        shared = shared->next;
    if (relation->large == 1 || shared) {
        relations->rows[relations->row_count++] =
            (struct relation_row){.own = relation, .shared = shared};
        return;
    }
    relation->next = *list;
    *list = relation;
}

/* --- A rest and its factors. --- */

struct split {
    struct bignum *left; /* after division by those found */
    size_t count;
    uint16_t factors[FACTORS_MOST];
};

/* Divides by member `index` as often as that goes. */
static int divide_out(struct worker *worker, struct split *split, size_t index, uint32_t prime)
{
    for (;;) {
        uint32_t rest;
        struct bignum *quotient = bignum_divide_small(worker, split->left, prime, &rest);
        if (!quotient)
            return -ENOMEM;
        if (rest != 0) {
            bignum_free(worker, quotient);
            return 0;
        }
        bignum_replace(worker, &split->left, quotient);
        split->factors[split->count++] = (uint16_t)index;
    }
}

/* Where in the base a prime is that divides the rest. */
static size_t index_of(const struct factor_base *base, uint32_t prime)
{
    size_t low = 0, high = base->count - 1;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (base->primes[middle] < prime)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What is left is no square of a prime from here on, nor a product: 1 or a prime. */
static int is_done(const struct split *split, uint32_t prime)
{
    return split->left->count <= 1 && bignum_low(split->left) < (uint64_t)prime * prime;
}

/* Divides by the base until it is done. 0 when too much is left after the first primes, else 1, or
 * -ENOMEM. */
static int divide_by_base(struct worker *worker, const struct relations *relations,
                          struct split *split)
{
    const struct factor_base *base = relations->base;
    size_t early = base->count < EARLY_LEAST ? 0 : base->count / EARLY_SHARE;
    int error = 0;

    for (size_t i = 1; i < base->count && !error && !is_done(split, base->primes[i]); i++) {
        if (i == early && bignum_to_double(split->left) > relations->early_most)
            return 0;
        error = divide_out(worker, split, i, base->primes[i]);
    }
    return error ? error : 1;
}

/* The large prime that is left, or 1; 0 when it is none, or too large. */
static uint32_t large_left(const struct factor_base *base, struct split *split)
{
    uint32_t last = base->primes[base->count - 1];
    uint64_t left = bignum_low(split->left);

    if (!is_done(split, last) || left > (uint64_t)last * LARGE_TIMES)
        return 0;
    if (left == 1 || left > last)
        return (uint32_t)left;
    split->factors[split->count++] = (uint16_t)index_of(base, (uint32_t)left);
    return 1;
}

static struct relation *make_relation(struct worker *worker, const struct bignum *root,
                                      const struct split *split, uint32_t large)
{
    struct relation *relation = block_make(worker, relation_bytes(split->count));

    if (!relation)
        return NULL;
    *relation = (struct relation){
        .root = bignum_copy(worker, root),
        .large = large,
        .count = (uint16_t)split->count,
    };
    memcpy(relation->factors, split->factors, split->count * sizeof split->factors[0]);
    if (relation->root)
        return relation;
    drop_relation(worker, relation);
    return NULL;
}

int relations_offer(struct worker *worker, struct relations *relations, const struct bignum *root,
                    const struct bignum *rest, int is_negative)
{
    struct split split = {.left = bignum_copy(worker, rest)};
    int is_worth = split.left ? 1 : -ENOMEM;
    uint32_t large = 0;

    if (is_negative)
        split.factors[split.count++] = 0;
    if (is_worth > 0)
        is_worth = divide_by_base(worker, relations, &split);
    if (is_worth > 0)
        large = large_left(relations->base, &split);
    if (large) {
        struct relation *relation = make_relation(worker, root, &split, large);
        if (relation)
            keep(relations, relation);
        else
            is_worth = -ENOMEM;
    }
    bignum_free(worker, split.left);
    return is_worth < 0 ? is_worth : 0;
}
