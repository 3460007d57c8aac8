/*
 * A program that leaks known blocks at known lines: each has a mark, "LEAK how count size", by
 * which snapshot_test.py finds the line and what is to be found there. Leaves out everything that
 * is not about malloc. Compiled with -g, and with optimization, so that a call is inlined.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* So that no compiler can do without a block. */
static void *volatile kept;

static inline __attribute__((always_inline)) void inlined(void)
{
    kept = malloc(321); /* LEAK inlined 3 321 */
}

static void leak_small(void)
{
    for (int i = 0; i < 10; i++)
        kept = malloc(100); /* LEAK malloc 10 100 */
    for (int i = 0; i < 3; i++)
        inlined(); /* CALL inlined */
}

static void leak_others(void)
{
    void *aligned = NULL;

    kept = calloc(7, 11);                       /* LEAK calloc 1 77 */
    kept = realloc(malloc(5), 5000);            /* LEAK realloc 1 5000 */
    if (posix_memalign(&aligned, 64, 640) == 0) /* LEAK posix_memalign 1 640 */
        kept = aligned;
    kept = aligned_alloc(256, 512);    /* LEAK aligned_alloc 1 512 */
    kept = memalign(32, 96);           /* LEAK memalign 1 96 */
    kept = reallocarray(NULL, 13, 17); /* LEAK reallocarray 1 221 */
    kept = valloc(4321);               /* LEAK valloc 1 4321 */
}

/* All given back: none of these lines may be found. */
static void free_all(void)
{
    char *block = malloc(1000);

    kept = block;
    block = realloc(block, 100000);
    kept = block;
    free(block);
    /* NULL, or a block, as the allocator likes.
     * NOLINTNEXTLINE(clang-analyzer-optin.portability.UnixAPI) */
    kept = realloc(malloc(77), 0);
    free(kept);
    for (size_t i = 1; i < 1000; i++) {
        kept = calloc(i, 3);
        free(kept);
    }
    free(NULL);
}

static void *leak_in_thread(void *argument)
{
    for (int i = 0; i < 250; i++)
        kept = malloc(40); /* LEAK thread 1000 40 */
    return argument;
}

static int run_threads(void)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    int failed = 0;

    for (int i = 0; i < THREADS; i++)
        failed |= pthread_create(&threads[i], NULL, leak_in_thread, NULL);
    for (int i = 0; i < THREADS; i++)
        failed |= pthread_join(threads[i], NULL);
    return failed;
}

/* What a child does after fork is not its parent's. */
static int run_child(void)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        for (int i = 0; i < 1000; i++)
            kept = malloc(100000);
        exit(0);
    }
    return pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";

    if (strcmp(how, "exec") == 0) {
        kept = malloc(654321);
        execl("/proc/self/exe", argv[0], "more", (char *)NULL);
        return 1;
    }
    leak_small();
    leak_others();
    free_all();
    if (run_threads() != 0 || run_child() != 0)
        return 1;
    if (strcmp(how, "more") == 0)
        kept = malloc(1 << 20); /* MORE */
    if (strcmp(how, "slowly") == 0) {
        for (int i = 0; i < 40; i++) {
            usleep(10000);
            kept = malloc(1 << 16); /* SLOWLY */
        }
    }
    if (strcmp(how, "_exit") == 0)
        _exit(7);
    if (strcmp(how, "abort") == 0)
        abort();
    return 0;
}
