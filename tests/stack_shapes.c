/*
 * Shapes of stacks in C: see stack_shapes.h. STACK_SHAPES is the name of the table, of this way to
 * compile them. Leaves out what needs a thread or another stack, which stack_walk_test.c has.
 */
#include "tests/stack_shapes.h"

#include <alloca.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __clang__
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noinline, noclone))
#endif
/* Behind a call, so that it is no jump. */
#define STAY __asm__ volatile("" ::: "memory")

/* Recursion is what is looked at. NOLINTBEGIN(misc-no-recursion) */
static NOINLINE void recurse(look_function *look, int depth)
{
    if (depth > 0)
        recurse(look, depth - 1);
    look();
    STAY;
}

static void recursion(look_function *look)
{
    recurse(look, 3);
    recurse(look, 60);
    recurse(look, 61);
    recurse(look, 400);
    recurse(look, 2);
    STAY;
}

static NOINLINE void take(look_function *look, size_t bytes)
{
    volatile char *room = alloca(bytes);

    room[0] = 1;
    look();
    room[bytes - 1] = room[0];
}

static void rooms_of_any_size(look_function *look)
{
    for (size_t bytes = 1; bytes < 5000; bytes = bytes * 3 + 7) {
        take(look, bytes);
        take(look, bytes);
    }
}

static NOINLINE void at_end(look_function *look, int left);

/* A jump where the compiler makes one of it. */
static NOINLINE void jump(look_function *look, int left)
{
    at_end(look, left - 1);
}

static NOINLINE void at_end(look_function *look, int left)
{
    if (left > 0) {
        jump(look, left);
        return;
    }
    look();
    STAY;
}

static void tail_calls(look_function *look)
{
    at_end(look, 10);
    STAY;
}

static look_function *looks;

static int compare_and_look(const void *left, const void *right)
{
    const int a = *(const int *)left, b = *(const int *)right;

    looks();
    return (a > b) - (a < b);
}

static void callbacks(look_function *look)
{
    int numbers[] = {5, 3, 9, 1, 7, 2, 8};

    looks = look;
    qsort(numbers, sizeof numbers / sizeof numbers[0], sizeof numbers[0], compare_and_look);
    (void)bsearch(&numbers[3], numbers, sizeof numbers / sizeof numbers[0], sizeof numbers[0],
                  compare_and_look);
}

static jmp_buf back;

static NOINLINE void leave(look_function *look, int depth)
{
    look();
    if (depth > 0)
        leave(look, depth - 1);
    STAY;
    if (depth == 0)
        longjmp(back, 1);
}

static void long_jumps(look_function *look)
{
    for (volatile int depth = 0; depth < 20; depth++) {
        if (setjmp(back) == 0)
            leave(look, depth);
        look();
    }
}

static NOINLINE void be_large(look_function *look)
{
    volatile char room[100000];

    room[0] = 0;
    look();
    room[sizeof room - 1] = room[0];
}

static NOINLINE void be_aligned(look_function *look)
{
    _Alignas(64) volatile char room[64];

    room[0] = 0;
    look();
    room[63] = room[0];
}

static NOINLINE long take_many(look_function *look, long a, long b, long c, long d, long e, long f,
                               long g, long h)
{
    look();
    return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h;
}

static void frames_of_any_size(look_function *look)
{
    be_large(look);
    be_aligned(look);
    if (take_many(look, 1, 2, 3, 4, 5, 6, 7, 8) == 8)
        look();
    STAY;
}

/* --- At random: the same frames from other places, other frames in the same place. --- */

static uint64_t random_state = 1;

static unsigned draw(unsigned below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % below;
}

static NOINLINE void wander(look_function *look, int depth);

static NOINLINE void by_one(look_function *look, int depth)
{
    wander(look, depth);
    STAY;
}

/* As large as by_one, so that only the return address tells them apart. */
static NOINLINE void by_another(look_function *look, int depth)
{
    wander(look, depth);
    STAY;
    look();
    STAY;
}

static NOINLINE void by_a_large_one(look_function *look, int depth)
{
    volatile char room[200];

    room[0] = 0;
    wander(look, depth);
    room[199] = room[0];
}

static NOINLINE void by_any_size(look_function *look, int depth)
{
    volatile char *room = alloca(16 + draw(200));

    room[0] = 0;
    wander(look, depth);
    room[1] = room[0];
}

static NOINLINE void wander(look_function *look, int depth)
{
    for (unsigned turns = draw(3); turns > 0 && depth > 0; turns--) {
        switch (draw(6)) {
        case 0:
            by_one(look, depth - 1);
            break;
        case 1:
            by_another(look, depth - 1);
            break;
        case 2:
            by_a_large_one(look, depth - 1);
            break;
        case 3:
            by_any_size(look, depth - 1);
            break;
        case 4:
            look();
            break;
        default:
            wander(look, depth - 1);
            look();
        }
    }
    look();
    STAY;
}

static void walks_at_random(look_function *look)
{
    for (int i = 0; i < 1000; i++)
        wander(look, 20);
}

/* NOLINTEND(misc-no-recursion) */

const struct stack_shape STACK_SHAPES[] = {
    {"recursion", recursion},
    {"rooms of any size", rooms_of_any_size},
    {"tail calls", tail_calls},
    {"callbacks", callbacks},
    {"long jumps", long_jumps},
    {"frames of any size", frames_of_any_size},
    {"walks at random", walks_at_random},
    {NULL, NULL},
};
