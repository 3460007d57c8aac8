/*
 * Programs whose calls of malloc are known, for recording_test.py: which one is the first argument.
 * Sizes from 7000 on are theirs alone, so that what the C library asks for beside can be told
 * apart.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <mcheck.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OWN = 7000, BLOCKS = 100, THREADS = 2000, MANY = 200000 };
enum { SIGNALS = 3000, EACH_US = 100, IN_HANDLER = 3, BURST = 40 };

/* So that no compiler can do without a block. */
static void *volatile kept[BLOCKS];

/* 100 of each kind, all freed but ten of malloc. */
static void call_each(void)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        kept[0] = malloc(OWN);
        if (i >= 10)
            free(kept[0]);
        kept[1] = calloc(10, OWN / 10 + 1);
        free(kept[1]);
        kept[2] = aligned_alloc(4096, OWN + 1192);
        free(kept[2]);
        kept[3] = malloc(OWN + 20);
        kept[3] = realloc(kept[3], OWN + 2000000);
        free(kept[3]);
    }
}

static void *free_kept(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < BLOCKS; i++) {
        free(kept[i]);
        kept[i] = malloc(OWN + 1);
    }
    return NULL;
}

/* A thread frees what the main thread made, and the other way round. */
static void hand_over(void)
{
    pthread_t thread;

    for (size_t i = 0; i < BLOCKS; i++)
        kept[i] = malloc(OWN);
    if (pthread_create(&thread, NULL, free_kept, NULL) != 0)
        abort();
    pthread_join(thread, NULL);
    for (size_t i = 0; i < BLOCKS; i++)
        free(kept[i]);
}

static void *call_little(void *unused)
{
    void *volatile block = malloc(OWN);

    free(block);
    return unused;
}

/* At most 50 at once. */
static void start_many(void)
{
    pthread_t threads[50];

    for (unsigned i = 0; i < THREADS; i += 50) {
        for (unsigned j = 0; j < 50; j++)
            if (pthread_create(&threads[j], NULL, call_little, NULL) != 0)
                abort();
        for (unsigned j = 0; j < 50; j++)
            pthread_join(threads[j], NULL);
    }
}

static pthread_barrier_t all_there;

static void *call_and_wait(void *unused)
{
    void *volatile block = malloc(OWN);

    pthread_barrier_wait(&all_there);
    free(block);
    return unused;
}

/* All at once, each with a stack of 64 KiB. */
static void keep_many(void)
{
    static pthread_t threads[THREADS];
    pthread_attr_t attributes;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 1 << 16);
    pthread_barrier_init(&all_there, NULL, THREADS);
    for (unsigned i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], &attributes, call_and_wait, NULL) != 0)
            _exit(3);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* Either process frees the block that was there before. */
static void fork_once(void)
{
    kept[0] = malloc(OWN);
    const pid_t pid = fork();
    if (pid == 0) {
        free(kept[0]);
        kept[1] = malloc(OWN + 1);
        _exit(0);
    }
    free(kept[0]);
    waitpid(pid, NULL, 0);
}

static void call_many(void)
{
    for (size_t i = 0; i < MANY; i++) {
        kept[i % BLOCKS] = malloc(OWN + i % 64);
        free(kept[i % BLOCKS]);
    }
}

#ifdef RECORDED_STATIC
static void reload(char *const *files)
{
    (void)files; /* nothing is loaded into it */
}
#else
/* A hundred blocks of each of two libraries, of which the second comes to where the first was.
 * Prints whether it did. */
static void reload(char *const *files)
{
    uintptr_t places[2] = {0};

    for (size_t i = 0; i < 2; i++) {
        void *library = dlopen(files[i], RTLD_NOW | RTLD_LOCAL);
        void *found = library ? dlsym(library, "reloaded_ask") : NULL;
        void *(*ask)(size_t);
        if (!found)
            abort();
        memcpy(&ask, &found, sizeof ask);
        places[i] = (uintptr_t)found;
        for (size_t j = 0; j < BLOCKS; j++)
            free(ask(OWN + 100 + i));
        dlclose(library);
    }
    puts(places[0] == places[1] ? "same place" : "another place");
}
#endif

/* --- Signals, on signal_malloc.c: no other malloc lets a handler call it. --- */

static volatile sig_atomic_t signals, told_apart, in_realloc, burst;

/* Some blocks, one of them moved; none while the program's realloc runs, which is no time to tell a
 * handler's calls from its own. */
static void call_in_handler(int number)
{
    void *volatile blocks[BURST] = {NULL};

    (void)number;
    signals++;
    const int count = burst;
    if (in_realloc || count < 1)
        return;
    for (int i = 0; i < count; i++)
        blocks[i] = malloc(40);
    void *moved = realloc(blocks[0], 44);
    if (moved)
        blocks[0] = moved;
    for (int i = 0; i < count; i++)
        free(blocks[i]);
    told_apart++;
}

/* Prints how often each did what it does: main two blocks and a realloc, a handler its blocks and
 * one. */
static void be_interrupted(int blocks)
{
    const struct sigaction action = {.sa_handler = call_in_handler, .sa_flags = SA_RESTART};
    const struct timeval each = {.tv_usec = EACH_US};
    const struct itimerval timer = {each, each}, none = {{0}, {0}};
    unsigned long rounds = 0;

    burst = blocks;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
    for (; signals < SIGNALS; rounds++) {
        kept[0] = malloc(20);
        kept[1] = malloc(20);
        free(kept[1]);
        in_realloc = 1;
        kept[0] = realloc(kept[0], 24);
        in_realloc = 0;
        free(kept[0]);
    }
    setitimer(ITIMER_REAL, &none, NULL);
    printf("%lu %d\n", rounds, (int)told_apart);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "each") == 0)
        call_each();
    else if (strcmp(what, "threads") == 0)
        hand_over();
    else if (strcmp(what, "many-threads") == 0)
        start_many();
    else if (strcmp(what, "threads-at-once") == 0)
        keep_many();
    else if (strcmp(what, "fork") == 0)
        fork_once();
    else if (strcmp(what, "many") == 0)
        call_many();
    else if (strcmp(what, "reload") == 0 && argc > 3)
        reload(argv + 2);
    else if (strcmp(what, "signals") == 0)
        be_interrupted(IN_HANDLER);
    else if (strcmp(what, "bursts") == 0)
        be_interrupted(BURST);
    else if (strcmp(what, "mtrace") == 0) {
        mtrace(); /* to MALLOC_TRACE, under libc_malloc_debug.so.0 */
        call_each();
        muntrace();
    } else if (strcmp(what, "exec") == 0 && argc > 2) {
        call_each();
        static char each[] = "each";
        char *arguments[] = {argv[2], each, NULL};
        execv(argv[2], arguments);
    } else if (strcmp(what, "exit") == 0) {
        call_each();
        _exit(7);
    } else if (strcmp(what, "kill") == 0) {
        call_each();
        raise(SIGKILL);
    } else {
        return 2;
    }
    return 0;
}
