/*
 * Whole numbers of any size as a program of the 1980s keeps them: each value is a block of its own,
 * each operation makes a new one, and nothing is changed in place. Leaves out negative numbers,
 * fast multiplication and reading and writing. Source: Knuth, The Art of Computer Programming,
 * volume 2, section 4.3.1.
 *
 * Functions take values without owning them, and give one that the caller has to free. NULL stands
 * for a value for which there was no memory: an operation on it is NULL as well, so that a formula
 * is written without a look at each step of it, and looked at once, at its end.
 */
#ifndef TIDEMARK_WORKLOADS_BIGNUM_H
#define TIDEMARK_WORKLOADS_BIGNUM_H

#include "workloads/block.h"

#include <stddef.h>
#include <stdint.h>

/* Digits of 32 bits, the least first; the last one is not 0, and the number 0 has none. */
struct bignum {
    uint16_t room; /* digits that the block was made for */
    uint16_t count;
    uint32_t digits[];
};

struct bignum *bignum_make(struct worker *worker, uint64_t value);

struct bignum *bignum_copy(struct worker *worker, const struct bignum *of);

/* `bignum` may be NULL. */
void bignum_free(struct worker *worker, struct bignum *bignum);

/* Frees what the variable holds and puts `value`, which may be made of that, in its place. */
void bignum_replace(struct worker *worker, struct bignum **variable, struct bignum *value);

/* Below 0, 0 or above 0, as memcmp. Neither is NULL. */
int bignum_compare(const struct bignum *one, const struct bignum *other);

/* Whether both are there and the same. */
int bignum_is(const struct bignum *bignum, uint64_t value);

struct bignum *bignum_add(struct worker *worker, const struct bignum *one,
                          const struct bignum *other);

/* `from` is not below `what`. */
struct bignum *bignum_subtract(struct worker *worker, const struct bignum *from,
                               const struct bignum *what);

struct bignum *bignum_multiply(struct worker *worker, const struct bignum *one,
                               const struct bignum *other);

/* The quotient; `*rest` below `by`, which is not 0. */
struct bignum *bignum_divide_small(struct worker *worker, const struct bignum *bignum, uint32_t by,
                                   uint32_t *rest);

/* Its rest alone, which makes no value; `bignum` is not NULL. */
uint32_t bignum_modulo_small(const struct bignum *bignum, uint32_t by);

/* The quotient and a rest that is a value too: both, or both NULL. `by` is not 0. */
struct bignum *bignum_divide(struct worker *worker, const struct bignum *bignum,
                             const struct bignum *by, struct bignum **rest);

struct bignum *bignum_modulo(struct worker *worker, const struct bignum *bignum,
                             const struct bignum *by);

/* one * other modulo `by`. */
struct bignum *bignum_multiply_modulo(struct worker *worker, const struct bignum *one,
                                      const struct bignum *other, const struct bignum *by);

/* The largest number whose square is not above this one. */
struct bignum *bignum_root(struct worker *worker, const struct bignum *bignum);

/* The greatest common divisor; neither is 0. */
struct bignum *bignum_common_divisor(struct worker *worker, const struct bignum *one,
                                     const struct bignum *other);

/* base to the power of `exponent` modulo `by`, which is above 1. */
struct bignum *bignum_power_modulo(struct worker *worker, const struct bignum *base,
                                   const struct bignum *exponent, const struct bignum *by);

/* Rounded; 0 for NULL. */
double bignum_to_double(const struct bignum *bignum);

/* The value modulo 2^64; 0 for NULL. */
uint64_t bignum_low(const struct bignum *bignum);

#endif
