/*
 * A library for preload_program, opened by it or preloaded beside libtidemark-pymalloc.so. Its
 * constructor and its fork handlers call malloc, as those of real libraries do; preloaded behind
 * another, it would have its constructor run first. Leaves out any check of its own.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>

void *library_take(size_t size);
void library_give(void *block);

void *library_take(size_t size)
{
    return malloc(size);
}

void library_give(void *block)
{
    free(block);
}

static void *held[100];

static void take_some(void)
{
    for (size_t i = 0; i < 100; i++)
        held[i] = malloc(8 + 10 * i);
}

static void give_some(void)
{
    for (size_t i = 0; i < 100; i++) {
        free(held[i]);
        held[i] = NULL;
    }
}

__attribute__((constructor)) static void start(void)
{
    take_some();
    give_some();
    if (pthread_atfork(take_some, give_some, give_some) != 0)
        abort();
}

__attribute__((destructor)) static void end(void)
{
    take_some();
    give_some();
}
