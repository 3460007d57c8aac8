/*
 * A program that knows nothing of Tidemark and holds its malloc to what glibc's manual promises:
 * `preload_program CHECK [LIBRARY]`. preload_test.py runs it on libtidemark-pymalloc.so, and
 * without, since glibc has to pass as well. It prints what failed, with its line, and ends with
 * status 1; else it prints one line, waits for its standard input to end (so that it can be looked
 * at), and ends with 0.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition) check(condition, __LINE__, #condition)

static void check(int holds, int line, const char *condition)
{
    if (holds)
        return;
    printf("%s:%d: %s\n", __FILE__, line, condition);
    exit(1);
}

/* Volatile, so that the compiler does not know what malloc is asked for and does. */
static volatile size_t huge = SIZE_MAX / 2 + 1;
static volatile size_t none = 0;
static void *volatile sink;
/* Nor that none has to be given for size 0, nor that what these refuse to change is still there. */
static void *(*volatile take)(size_t size) = malloc;
static void *(*volatile change)(void *block, size_t size) = realloc;
static void *(*volatile change_array)(void *block, size_t count, size_t size) = reallocarray;

/* --- Blocks of before main, and calls after it. --- */

static void *early[100];

/* Before the constructors of all libraries but one that is marked to be the first. */
static void take_early(void)
{
    for (size_t i = 0; i < 100; i++)
        early[i] = malloc(1 + i * 11);
}

__attribute__((section(".preinit_array"), used)) static void (*const preinit)(void) = take_early;

__attribute__((destructor)) static void use_late(void)
{
    for (size_t i = 0; i < 100; i++)
        early[i] = realloc(early[i], 2 + i * 13);
    for (size_t i = 0; i < 100; i++)
        free(early[i]);
}

/* --- One promise each. --- */

static void check_alignment(void)
{
    for (size_t size = 0; size < 2000; size++) {
        sink = take(size);
        CHECK(sink && (uintptr_t)sink % 16 == 0);
        CHECK(malloc_usable_size(sink) >= size);
        memset(sink, 1, malloc_usable_size(sink));
        free(sink);
    }
    CHECK(malloc_usable_size(NULL) == 0);
}

static void check_aligned_block(void *block, size_t alignment, size_t size)
{
    CHECK(block && (uintptr_t)block % alignment == 0);
    CHECK(malloc_usable_size(block) >= size);
    block = realloc(block, size + 1);
    CHECK(block != NULL);
    free(block);
}

static void check_aligned_family(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    for (size_t alignment = 1; alignment <= (size_t)1 << 20; alignment *= 2) {
        for (size_t size = 0; size < 3000; size += 97) {
            void *block = NULL;
            check_aligned_block(memalign(alignment, size), alignment, size);
            check_aligned_block(aligned_alloc(alignment, size), alignment, size);
            if (alignment < sizeof(void *))
                continue;
            CHECK(posix_memalign(&block, alignment, size) == 0);
            check_aligned_block(block, alignment, size);
        }
    }
    check_aligned_block(valloc(5), page, 5);
    check_aligned_block(pvalloc(5), page, page);
}

static void check_posix_memalign_refuses(void)
{
    char here;
    void *untouched = &here;

    errno = 77;
    CHECK(posix_memalign(&untouched, 24, 8) == EINVAL);
    CHECK(posix_memalign(&untouched, 2, 8) == EINVAL);
    CHECK(posix_memalign(&untouched, 0, 8) == EINVAL);
    CHECK(posix_memalign(&untouched, 64, huge) == ENOMEM);
    CHECK(posix_memalign(&untouched, 8, huge) == ENOMEM);
    CHECK(untouched == &here);
}

static void refused(void *block)
{
    CHECK(block == NULL);
    CHECK(errno == ENOMEM);
    errno = 0;
}

static void check_too_much_is_refused(void)
{
    unsigned char *small = malloc(40), *large = malloc(4000);

    small[39] = large[3999] = 7;
    errno = 0;
    refused(malloc(huge));
    refused(malloc(huge * 2 - 1));
    refused(calloc(huge, 1));
    refused(calloc(huge / 4, 8));
    refused(change(NULL, huge));
    refused(change(small, huge));
    refused(change(large, huge));
    refused(change_array(small, huge / 4, 8));
    refused(change_array(large, huge / 4, 9));
    refused(memalign(64, huge));
    refused(aligned_alloc(16, huge));
    refused(valloc(huge));
    refused(pvalloc(huge * 2 - 1));
    CHECK(small[39] == 7 && large[3999] == 7);
    free(small);
    free(large);
}

/* Frees that give memory back to the system, too. */
static void check_free_keeps_errno(void)
{
    enum { BLOCKS = 20000 };
    static void *blocks[BLOCKS];

    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(i % 100 ? 500 : 200000);
    errno = 77;
    for (size_t i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    free(NULL);
    CHECK(errno == 77);
}

static void check_size_zero(void)
{
    void *a = take(0), *b = take(0), *c = calloc(none, 5);

    CHECK(a && b && c && a != b && b != c && a != c);
    errno = 77;
    CHECK(change(a, 0) == NULL);
    b = realloc(b, 600);
    CHECK(b && change(b, 0) == NULL);
    CHECK(change_array(c, 0, 9) == NULL);
    CHECK(errno == 77);
    a = change(NULL, 0);
    CHECK(a != NULL);
    free(a);
}

static int has_pattern(const unsigned char *block, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (block[i] != (unsigned char)(i * 7))
            return 0;
    }
    return 1;
}

static void check_zeroed(size_t size)
{
    unsigned char *block = calloc(size, 1);

    CHECK(block != NULL);
    for (size_t i = 0; i < size; i++)
        CHECK(block[i] == 0);
    memset(block, 0xff, size);
    free(block);
}

static void check_content(void)
{
    unsigned char *block = NULL;
    size_t before = 0;

    for (size_t size = 1; size < 400000; size = size * 5 / 3 + 1) {
        block = reallocarray(block, size, 1);
        CHECK(block && has_pattern(block, before));
        for (size_t i = before; i < size; i++)
            block[i] = (unsigned char)(i * 7);
        before = size;
        check_zeroed(size);
    }
    for (size_t size = before; size > 1; size /= 2) {
        block = realloc(block, size);
        CHECK(block && has_pattern(block, size));
    }
    free(block);
}

static void check_family(const char *library)
{
    (void)library;
    check_alignment();
    check_aligned_family();
    check_posix_memalign_refuses();
    check_too_much_is_refused();
    check_free_keeps_errno();
    check_size_zero();
    check_content();
}

/* --- Threads that come and go, with blocks that outlive them. --- */

enum { COMERS = 200, AT_ONCE = 20, HANDED_OVER = 50 };
static void *handed_over[COMERS][HANDED_OVER];

static void *come_and_go(void *number)
{
    size_t own = (size_t)(uintptr_t)number;
    char *blocks[500];

    for (size_t round = 0; round < 20; round++) {
        for (size_t i = 0; i < 500; i++) {
            blocks[i] = malloc(1 + (i * 7 + round) % 700);
            *blocks[i] = (char)own;
        }
        for (size_t i = 0; i < 500; i++) {
            CHECK(*blocks[i] == (char)own);
            free(blocks[i]);
        }
    }
    for (size_t i = 0; i < HANDED_OVER; i++) {
        handed_over[own][i] = malloc(8 + i * 13);
        memset(handed_over[own][i], (int)own & 0xff, 8 + i * 13);
    }
    return NULL;
}

static void take_over(size_t own)
{
    for (size_t i = 0; i < HANDED_OVER; i++) {
        unsigned char *block = handed_over[own][i];
        CHECK(block[0] == (unsigned char)own && block[7 + i * 13] == (unsigned char)own);
        free(block);
    }
}

static void check_threads(const char *library)
{
    pthread_t threads[AT_ONCE];

    (void)library;
    for (uintptr_t first = 0; first < COMERS; first += AT_ONCE) {
        for (uintptr_t i = 0; i < AT_ONCE; i++)
            CHECK(pthread_create(&threads[i], NULL, come_and_go, (void *)(first + i)) == 0);
        for (size_t i = 0; i < AT_ONCE; i++)
            CHECK(pthread_join(threads[i], NULL) == 0);
    }
    for (size_t own = 0; own < COMERS; own++)
        take_over(own);
}

/* --- fork, while other threads allocate. --- */

static atomic_int threads_end;

static void *allocate_until_the_end(void *unused)
{
    void *blocks[300];

    while (!atomic_load(&threads_end)) {
        for (size_t i = 0; i < 300; i++)
            blocks[i] = malloc(16 + 3 * i);
        for (size_t i = 0; i < 300; i++)
            free(blocks[i]);
    }
    return unused;
}

/* A child has one thread, and starts another. */
static void live_as_a_child(void)
{
    pthread_t thread;
    void *blocks[1000];

    alarm(20);
    for (size_t i = 0; i < 1000; i++)
        blocks[i] = take(i);
    CHECK(pthread_create(&thread, NULL, come_and_go, NULL) == 0);
    for (size_t i = 0; i < 1000; i++)
        free(blocks[i]);
    CHECK(pthread_join(thread, NULL) == 0);
    _exit(0);
}

static void check_fork(const char *library)
{
    enum { THREADS = 4, FORKS = 100 };
    pthread_t threads[THREADS];
    int status;

    (void)library;
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, allocate_until_the_end, NULL) == 0);
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        if (child == 0)
            live_as_a_child();
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(status == 0);
    }
    atomic_store(&threads_end, 1);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

/* --- A library that is opened later (preload_library.c). --- */

static void check_dlopen(const char *library)
{
    void *(*library_take)(size_t) = NULL;
    void (*library_give)(void *) = NULL;
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);

    CHECK(handle != NULL);
    void *symbols[2] = {dlsym(handle, "library_take"), dlsym(handle, "library_give")};
    CHECK(symbols[0] && symbols[1]);
    memcpy(&library_take, &symbols[0], sizeof library_take);
    memcpy(&library_give, &symbols[1], sizeof library_give);
    for (size_t size = 0; size < 3000; size += 7) {
        void *theirs = library_take(size), *ours = take(size);
        CHECK(malloc_usable_size(theirs) == malloc_usable_size(ours));
        free(theirs);
        library_give(ours);
    }
    CHECK(dlclose(handle) == 0);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*check)(const char *library);
    } checks[] = {
        {"family", check_family},
        {"threads", check_threads},
        {"fork", check_fork},
        {"dlopen", check_dlopen},
    };
    char byte;

    for (size_t i = 0; argc > 1 && i < sizeof checks / sizeof checks[0]; i++) {
        if (strcmp(argv[1], checks[i].name) != 0)
            continue;
        checks[i].check(argc > 2 ? argv[2] : NULL);
        printf("%s: as promised\n", argv[1]);
        fflush(stdout);
        while (read(STDIN_FILENO, &byte, 1) > 0)
            continue;
        return 0;
    }
    fprintf(stderr, "usage: %s family|threads|fork|dlopen [LIBRARY]\n", argv[0]);
    return 2;
}
