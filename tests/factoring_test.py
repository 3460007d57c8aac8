"""The small bignums of the workload cfrac against Python's ints, and its factorings against primes known beforehand.

factoring_replay runs the operations. Python's ints are the oracle; the seventh Fermat number's factors are those that
Morrison and Brillhart found in 1970.
"""
import os
import random
import subprocess
import unittest
from math import gcd, isqrt

REPLAY = os.environ.get("FACTORING_REPLAY", "build/factoring_replay")
FERMAT_7 = (59649589127497217, 5704689200685129054721)
# Products of two primes, from 8 to 30 digits; of the last ones the primes are far apart.
PRODUCTS = [
    (3313, 3343), (10007, 10009), (99991, 100003), (1000003, 1000033), (4294967291, 4294967279),
    (10000000019, 10000000033), (1000000000039, 1000000000061), (100000000000031, 100000000000067),
    (101, 1000003), (65537, 2147483647), (1009, 2305843009213693951),
]


def ask(lines):
    """What the program answers to each line, as ints."""
    ran = subprocess.run([REPLAY], input="\n".join(lines) + "\n", capture_output=True, text=True, check=False, timeout=300)
    if ran.returncode != 0 or ran.stderr:
        raise AssertionError("status %d\n%s" % (ran.returncode, ran.stderr))
    return [[int(word, 16) for word in line.split()] for line in ran.stdout.splitlines()]


def primes_below(limit):
    """By Eratosthenes's sieve."""
    is_prime = bytearray([0, 0]) + bytearray([1]) * (limit - 2)
    for i in range(2, isqrt(limit) + 1):
        if is_prime[i]:
            is_prime[i * i::i] = bytes(len(range(i * i, limit, i)))
    return [i for i in range(limit) if is_prime[i]]


def values(randoms, count):
    """Of up to twelve digits of 32 bits, with edges: digits all zero or all one."""
    made = []
    for _ in range(count):
        digits = [randoms.choice([0, 1, 0x7fffffff, 0x80000000, 0xffffffff, randoms.getrandbits(32)])
                  for _ in range(randoms.randrange(13))]
        made.append(sum(digit << 32 * i for i, digit in enumerate(digits)))
    return made


class Bignum(unittest.TestCase):
    """Each operation on some thousand values; the seed is fixed, so that a failure repeats."""

    def check(self, verb, arguments, expected):
        answers = ask(["%s %s" % (verb, " ".join("%x" % value for value in some)) for some in arguments])
        self.assertEqual(len(answers), len(arguments))
        for some, answer in zip(arguments, answers):
            self.assertEqual(answer, expected(*some), "%s of %s" % (verb, " ".join(map(hex, some))))

    def pairs(self, seed, count=4000):
        randoms = random.Random(seed)
        return list(zip(values(randoms, count), values(randoms, count)))

    def test_sums_and_differences(self):
        self.check("add", self.pairs(1), lambda one, other: [one + other])
        ordered = [(max(pair), min(pair)) for pair in self.pairs(2)]
        self.check("subtract", ordered, lambda one, other: [one - other])
        self.check("compare", self.pairs(3) + [(7, 7), (1 << 32, 1 << 32)],
                   lambda one, other: [(one > other) - (one < other) + 1])

    def test_products(self):
        self.check("multiply", self.pairs(4), lambda one, other: [one * other])

    def test_quotients_and_rests(self):
        pairs = [(one, other) for one, other in self.pairs(5, 20000) if other]
        # Where the first guess of a digit is one or two too many (Knuth, volume 2, exercise 4.3.1-21).
        pairs += [(0x7fffffff80000000_00000000_00000000, 0x80000000_00000000_00000001),
                  (0x00000003_00000000_80000000, 0x00000001_00000000_20000000),
                  (0x80000000_00000000_00000003, 0x20000000_00000000_00000001)]
        pairs += [(one * other + rest, one) for one, other in self.pairs(6) if one for rest in (0, one - 1)]
        self.check("divide", pairs, lambda one, other: list(divmod(one, other)))
        small = [(one, other % 2**32) for one, other in self.pairs(7) if other % 2**32]
        self.check("divide_small", small, lambda one, other: list(divmod(one, other)))

    def test_roots(self):
        numbers = [one for one, _ in self.pairs(8, 1500)]
        numbers += [square + more for root in numbers[:300] if root for square in [root * root] for more in (-1, 0, 1)]
        self.check("root", [(number,) for number in numbers + [0, 1, 2, 3, 4]], lambda number: [isqrt(number)])

    def test_common_divisors(self):
        pairs = [(one * 12345, other * 12345) for one, other in self.pairs(9, 500) if one and other]
        self.check("common", pairs, lambda one, other: [gcd(one, other)])

    def test_powers(self):
        randoms = random.Random(10)
        arguments = [(one, randoms.getrandbits(70), other) for one, other in self.pairs(11, 300) if other > 1]
        self.check("power", arguments, lambda base, exponent, by: [pow(base, exponent, by)])


class Factoring(unittest.TestCase):
    """A divisor that is neither 1 nor the number, of numbers whose factors are known."""

    def test_products_of_two_primes(self):
        answers = ask(["factor %x" % (one * other) for one, other in PRODUCTS])
        for pair, answer in zip(PRODUCTS, answers):
            self.assertIn(answer[0], pair)

    def test_many_products(self):
        # With a prime that leaves 3 modulo 4 no product of rests is a square but for its sign: half are without one.
        randoms = random.Random(12)
        primes = [prime for prime in primes_below(10**6) if prime > 10**4]
        ones = [prime for prime in primes if prime % 4 == 1]
        pairs = [randoms.sample(kind, 2) for kind in (primes, ones) for _ in range(300)]
        answers = ask(["factor %x" % (one * other) for one, other in pairs])
        for pair, answer in zip(pairs, answers):
            self.assertIn(answer[0], pair)

    def test_the_seventh_fermat_number(self):
        self.assertEqual(FERMAT_7[0] * FERMAT_7[1], 2**128 + 1)
        self.assertIn(ask(["factor %x" % (2**128 + 1)])[0][0], FERMAT_7)

    def test_a_number_of_many_primes(self):
        number = 10007 * 10009 * 10037 * 10039
        divisor = ask(["factor %x" % number])[0][0]
        self.assertEqual(number % divisor, 0)
        self.assertNotIn(divisor, (1, number))


if __name__ == "__main__":
    unittest.main()
