/*
 * What bignum.h declares: schoolbook arithmetic on digits of 32 bits. Leaves out everything that is
 * faster and longer. Source: Knuth, The Art of Computer Programming, volume 2, section 4.3.1; the
 * square root is Newton's.
 */
#include "workloads/bignum.h"

enum { DIGIT_BITS = 32 };

static size_t block_bytes(size_t room)
{
    return sizeof(struct bignum) + room * sizeof(uint32_t);
}

/* Of `room` digits that are yet to be written. */
static struct bignum *make_room(struct worker *worker, size_t room)
{
    struct bignum *bignum = block_make(worker, block_bytes(room));

    if (bignum)
        bignum->room = bignum->count = (uint16_t)room;
    return bignum;
}

static void trim(struct bignum *bignum)
{
    while (bignum->count > 0 && bignum->digits[bignum->count - 1] == 0)
        bignum->count--;
}

struct bignum *bignum_make(struct worker *worker, uint64_t value)
{
    struct bignum *bignum = make_room(worker, value >> DIGIT_BITS ? 2 : value ? 1 : 0);

    for (size_t i = 0; bignum && i < bignum->count; i++)
        bignum->digits[i] = (uint32_t)(value >> (i * DIGIT_BITS));
    return bignum;
}

struct bignum *bignum_copy(struct worker *worker, const struct bignum *of)
{
    struct bignum *bignum = of ? make_room(worker, of->count) : NULL;

    if (bignum)
        memcpy(bignum->digits, of->digits, of->count * sizeof of->digits[0]);
    return bignum;
}

void bignum_free(struct worker *worker, struct bignum *bignum)
{
    if (bignum)
        block_drop(worker, bignum, block_bytes(bignum->room));
}

void bignum_replace(struct worker *worker, struct bignum **variable, struct bignum *value)
{
    bignum_free(worker, *variable);
    *variable = value;
}

int bignum_compare(const struct bignum *one, const struct bignum *other)
{
    if (one->count != other->count)
        return one->count < other->count ? -1 : 1;
    for (size_t i = one->count; i-- > 0;)
        if (one->digits[i] != other->digits[i])
            return one->digits[i] < other->digits[i] ? -1 : 1;
    return 0;
}

int bignum_is(const struct bignum *bignum, uint64_t value)
{
    return bignum && bignum->count <= 2 && bignum_low(bignum) == value;
}

/* Digit i, also of those above the last one. */
static uint64_t digit(const struct bignum *bignum, size_t i)
{
    return i < bignum->count ? bignum->digits[i] : 0;
}

struct bignum *bignum_add(struct worker *worker, const struct bignum *one,
                          const struct bignum *other)
{
    if (!one || !other)
        return NULL;
    struct bignum *sum =
        make_room(worker, (size_t)(one->count > other->count ? one->count : other->count) + 1);
    uint64_t carry = 0;
    for (size_t i = 0; sum && i < sum->room; i++) {
        carry += digit(one, i) + digit(other, i);
        sum->digits[i] = (uint32_t)carry;
        carry >>= DIGIT_BITS;
    }
    if (sum)
        trim(sum);
    return sum;
}

struct bignum *bignum_subtract(struct worker *worker, const struct bignum *from,
                               const struct bignum *what)
{
    struct bignum *rest = from && what ? make_room(worker, from->count) : NULL;
    uint64_t borrow = 0;

    for (size_t i = 0; rest && i < rest->room; i++) {
        uint64_t left = digit(from, i) - digit(what, i) - borrow;
        rest->digits[i] = (uint32_t)left;
        borrow = left >> DIGIT_BITS ? 1 : 0;
    }
    if (rest)
        trim(rest);
    return rest;
}

struct bignum *bignum_multiply(struct worker *worker, const struct bignum *one,
                               const struct bignum *other)
{
    struct bignum *product =
        one && other ? make_room(worker, (size_t)one->count + other->count) : NULL;

    if (!product)
        return NULL;
    memset(product->digits, 0, product->room * sizeof product->digits[0]);
    for (size_t i = 0; i < one->count; i++) {
        uint64_t carry = 0;
        for (size_t j = 0; j < other->count; j++) {
            carry += (uint64_t)one->digits[i] * other->digits[j] + product->digits[i + j];
            product->digits[i + j] = (uint32_t)carry;
            carry >>= DIGIT_BITS;
        }
        product->digits[i + other->count] = (uint32_t)carry;
    }
    trim(product);
    return product;
}

struct bignum *bignum_divide_small(struct worker *worker, const struct bignum *bignum, uint32_t by,
                                   uint32_t *rest)
{
    struct bignum *quotient = bignum ? make_room(worker, bignum->count) : NULL;
    uint64_t left = 0;

    for (size_t i = quotient ? quotient->room : 0; i-- > 0;) {
        left = left << DIGIT_BITS | bignum->digits[i];
        quotient->digits[i] = (uint32_t)(left / by);
        left %= by;
    }
    *rest = (uint32_t)left;
    if (quotient)
        trim(quotient);
    return quotient;
}

uint32_t bignum_modulo_small(const struct bignum *bignum, uint32_t by)
{
    uint64_t left = 0;

    for (size_t i = bignum->count; i-- > 0;)
        left = (left << DIGIT_BITS | bignum->digits[i]) % by;
    return (uint32_t)left;
}

/* `of` times 2^shift, shift below DIGIT_BITS, in `room` digits, the last of which may be 0. */
static struct bignum *shift_up(struct worker *worker, const struct bignum *of, unsigned shift,
                               size_t room)
{
    struct bignum *shifted = make_room(worker, room);

    for (size_t i = 0; shifted && i < room; i++) {
        uint64_t pair = digit(of, i) << DIGIT_BITS | (i > 0 ? digit(of, i - 1) : 0);
        shifted->digits[i] = (uint32_t)(pair << shift >> DIGIT_BITS);
    }
    return shifted;
}

static void shift_down(struct bignum *bignum, unsigned shift)
{
    for (size_t i = 0; i < bignum->count; i++) {
        uint64_t pair = digit(bignum, i + 1) << DIGIT_BITS | bignum->digits[i];
        bignum->digits[i] = (uint32_t)(pair >> shift);
    }
    trim(bignum);
}

/*
 * One digit of a quotient by Knuth's algorithm D: of the digits of `rest` from `at` on, which are
 * one more than those of `by`; takes as many times `by` from them. The first digit of `by` has its
 * highest bit set.
 */
static uint32_t divide_step(struct bignum *rest, size_t at, const struct bignum *by)
{
    size_t count = by->count;
    uint32_t *digits = rest->digits + at;
    uint64_t head = (uint64_t)digits[count] << DIGIT_BITS | digits[count - 1];
    uint64_t guess = head / by->digits[count - 1], left = head % by->digits[count - 1];
    uint64_t borrow = 0, carry = 0;

    while (guess >> DIGIT_BITS ||
           guess * by->digits[count - 2] > (left << DIGIT_BITS | digits[count - 2])) {
        guess--;
        left += by->digits[count - 1];
        if (left >> DIGIT_BITS)
            break;
    }
    for (size_t i = 0; i <= count; i++) {
        carry += guess * digit(by, i);
        uint64_t less = digits[i] - (carry & UINT32_MAX) - borrow;
        digits[i] = (uint32_t)less;
        borrow = less >> DIGIT_BITS ? 1 : 0;
        carry >>= DIGIT_BITS;
    }
    if (borrow == 0)
        return (uint32_t)guess;
    carry = 0; /* one too many: rare */
    for (size_t i = 0; i <= count; i++) {
        carry += (uint64_t)digits[i] + digit(by, i);
        digits[i] = (uint32_t)carry;
        carry >>= DIGIT_BITS;
    }
    return (uint32_t)guess - 1;
}

/* By two digits or more, of at least as many. */
static struct bignum *divide_long(struct worker *worker, const struct bignum *bignum,
                                  const struct bignum *by, struct bignum **rest)
{
    unsigned shift = (unsigned)__builtin_clz(by->digits[by->count - 1]);
    size_t steps = (size_t)bignum->count - by->count + 1;
    struct bignum *divisor = shift_up(worker, by, shift, by->count);
    struct bignum *left = shift_up(worker, bignum, shift, (size_t)bignum->count + 1);
    struct bignum *quotient = make_room(worker, steps);

    if (divisor && left && quotient) {
        for (size_t i = steps; i-- > 0;)
            quotient->digits[i] = divide_step(left, i, divisor);
        trim(quotient);
        trim(left);
        shift_down(left, shift);
    } else {
        bignum_replace(worker, &quotient, NULL);
        bignum_replace(worker, &left, NULL);
    }
    bignum_free(worker, divisor);
    *rest = left;
    return quotient;
}

struct bignum *bignum_divide(struct worker *worker, const struct bignum *bignum,
                             const struct bignum *by, struct bignum **rest)
{
    struct bignum *quotient;
    uint32_t left = 0;

    *rest = NULL;
    if (!bignum || !by)
        return NULL;
    if (bignum->count >= by->count && by->count >= 2)
        return divide_long(worker, bignum, by, rest);
    if (by->count == 1) {
        quotient = bignum_divide_small(worker, bignum, by->digits[0], &left);
        *rest = quotient ? bignum_make(worker, left) : NULL;
    } else {
        quotient = bignum_make(worker, 0);
        *rest = quotient ? bignum_copy(worker, bignum) : NULL;
    }
    if (!*rest)
        bignum_replace(worker, &quotient, NULL);
    return quotient;
}

struct bignum *bignum_modulo(struct worker *worker, const struct bignum *bignum,
                             const struct bignum *by)
{
    struct bignum *rest;

    bignum_free(worker, bignum_divide(worker, bignum, by, &rest));
    return rest;
}

struct bignum *bignum_multiply_modulo(struct worker *worker, const struct bignum *one,
                                      const struct bignum *other, const struct bignum *by)
{
    struct bignum *product = bignum_multiply(worker, one, other);
    struct bignum *rest = bignum_modulo(worker, product, by);

    bignum_free(worker, product);
    return rest;
}

/* (guess + bignum / guess) / 2 */
static struct bignum *better_root(struct worker *worker, const struct bignum *bignum,
                                  const struct bignum *guess)
{
    struct bignum *rest;
    struct bignum *other = bignum_divide(worker, bignum, guess, &rest);
    struct bignum *sum = bignum_add(worker, guess, other);
    uint32_t odd;
    struct bignum *half = bignum_divide_small(worker, sum, 2, &odd);

    bignum_free(worker, rest);
    bignum_free(worker, other);
    bignum_free(worker, sum);
    return half;
}

/* A power of two above the root, or 1. */
static struct bignum *first_guess(struct worker *worker, const struct bignum *bignum)
{
    size_t bits = bignum->count == 0 ? 0
                                     : (size_t)bignum->count * DIGIT_BITS -
                                           (size_t)__builtin_clz(bignum->digits[bignum->count - 1]);
    size_t power = (bits + 1) / 2;
    struct bignum *guess = make_room(worker, power / DIGIT_BITS + 1);

    if (!guess)
        return NULL;
    memset(guess->digits, 0, guess->room * sizeof guess->digits[0]);
    guess->digits[power / DIGIT_BITS] = UINT32_C(1) << power % DIGIT_BITS;
    return guess;
}

struct bignum *bignum_root(struct worker *worker, const struct bignum *bignum)
{
    struct bignum *guess = bignum ? first_guess(worker, bignum) : NULL;

    if (bignum && bignum->count == 0) {
        bignum_replace(worker, &guess, NULL);
        return bignum_make(worker, 0);
    }
    for (;;) {
        struct bignum *next = better_root(worker, bignum, guess);
        if (!next) {
            bignum_replace(worker, &guess, NULL);
            return NULL;
        }
        if (bignum_compare(next, guess) >= 0) {
            bignum_free(worker, next);
            return guess;
        }
        bignum_replace(worker, &guess, next);
    }
}

struct bignum *bignum_common_divisor(struct worker *worker, const struct bignum *one,
                                     const struct bignum *other)
{
    struct bignum *high = bignum_copy(worker, one), *low = bignum_copy(worker, other);

    while (high && low && low->count > 0) {
        struct bignum *rest = bignum_modulo(worker, high, low);
        bignum_free(worker, high);
        high = low;
        low = rest;
    }
    if (!low)
        bignum_replace(worker, &high, NULL);
    bignum_free(worker, low);
    return high;
}

struct bignum *bignum_power_modulo(struct worker *worker, const struct bignum *base,
                                   const struct bignum *exponent, const struct bignum *by)
{
    struct bignum *power = bignum_make(worker, 1);

    for (size_t i = exponent ? (size_t)exponent->count * DIGIT_BITS : 0; i-- > 0;) {
        bignum_replace(worker, &power, bignum_multiply_modulo(worker, power, power, by));
        if (exponent->digits[i / DIGIT_BITS] >> i % DIGIT_BITS & 1)
            bignum_replace(worker, &power, bignum_multiply_modulo(worker, power, base, by));
    }
    if (!exponent || !base)
        bignum_replace(worker, &power, NULL);
    return power;
}

double bignum_to_double(const struct bignum *bignum)
{
    double value = 0;

    for (size_t i = bignum ? bignum->count : 0; i-- > 0;)
        value = value * 0x1p32 + bignum->digits[i];
    return value;
}

uint64_t bignum_low(const struct bignum *bignum)
{
    return bignum ? digit(bignum, 1) << DIGIT_BITS | digit(bignum, 0) : 0;
}
