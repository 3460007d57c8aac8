/*
 * The continued-fraction method of factoring: squares whose rests modulo a number have small prime
 * factors alone, by the continued fraction of a root, multiplied so that the rest is a square too.
 * Leaves out numbers that are prime, or a power of one. Source: Morrison and Brillhart, "A Method
 * of Factoring and the Factorization of F7", Mathematics of Computation 29, 1975; to give up early
 * on a rest is Pomerance and Wagstaff's, "Implementation of the Continued Fraction Integer
 * Factoring Algorithm", Congressus Numerantium 37, 1983. Written anew from these.
 */
#ifndef TIDEMARK_WORKLOADS_FACTORING_H
#define TIDEMARK_WORKLOADS_FACTORING_H

#include "workloads/bignum.h"

#include <stddef.h>
#include <stdint.h>

/*
 * A divisor of `number` that is neither 1 nor the number, into `*divisor`, for the caller to free.
 * `number` is odd, at least 10^7, no prime and no power of one. Returns 0; -ENOMEM; -EBADMSG when
 * values contradict each other, as they do when a block is not what was written to it; or -EDOM
 * when no multiple of the number led to a divisor. `*divisor` is untouched on failure.
 */
int factoring_divisor(struct worker *worker, const struct bignum *number, struct bignum **divisor);

/* --- What its parts share: relations.c and squares.c. --- */

/* A square, and what its rest is made of. */
struct relation {
    struct relation *next; /* of those with a large prime, in their list */
    struct bignum *root;   /* of the square */
    uint32_t large;        /* a prime above those of the base, or 1 */
    uint16_t count;
    uint16_t factors[]; /* indexes in the base, one that repeats as often as it does */
};

/* The first is -1, written as 1; the others divide a rest of this number now and then. */
struct factor_base {
    size_t count;
    uint32_t primes[];
};

/* Has an even number of each large prime. */
struct relation_row {
    struct relation *own;
    const struct relation *shared; /* the first one with the same large prime; NULL: has none */
};

/* All zero: without anything. */
struct relations {
    struct factor_base *base;
    struct relation_row *rows;
    size_t row_count, row_room;
    struct relation **lists; /* of relations with a large prime, by that prime */
    double early_most;       /* what may be left of a rest after the first primes */
};

int factoring_is_prime(uint32_t number);

/* Whether a number that is no multiple of the odd `prime` is a square modulo it. */
int factoring_has_root(uint32_t number, uint32_t prime);

/* Finds the first `count` members of the base of a multiple of the number, and makes room for some
 * more rows than that. Returns 0, or -ENOMEM with what there is for relations_close. */
int relations_open(struct worker *worker, const struct bignum *multiple, size_t count,
                   struct relations *relations);

void relations_close(struct worker *worker, struct relations *relations);

/* Keeps root^2 = rest, or -rest when `is_negative`, if the rest has such factors alone. There is
 * room for a row. Returns 0 either way, or -ENOMEM. */
int relations_offer(struct worker *worker, struct relations *relations, const struct bignum *root,
                    const struct bignum *rest, int is_negative);

/* Multiplies rows to squares on both sides. Returns 0 with a divisor of `number`, or with NULL when
 * those only led to 1 and the number; -ENOMEM; or -EBADMSG when a square is none. */
int squares_divisor(struct worker *worker, const struct relations *relations,
                    const struct bignum *number, struct bignum **divisor);

#endif
