/*
 * libtidemark-record.so: each call of malloc and its kin as a word or two in memory that the
 * collector shares (record_shared.h), on whichever malloc comes next (harness/preload/). Leaves out
 * compression, names and files, which are the collector's, in a process of its own: the program
 * pays for a store or two, and once in some thousand calls for taking another chunk.
 *
 * While a process has one thread its order is that of its words. From the first pthread_create on
 * each event carries the processor's counter, read after a block was given and before it is taken
 * back, so that the two ends of a block stand in the right order whoever calls (some 8 ns an
 * event).
 */
#define _GNU_SOURCE
#include "harness/preload/hooks.h"
#include "harness/sites/capture.h"
#include "harness/sites/stack_tree.h"
#include "harness/trace/record_shared.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

const char hook_library[] = "libtidemark-record.so";

static struct record_shared *shared; /* NULL: nothing is recorded */
static uint32_t process;
static uint32_t with;
static int has_threads; /* stamps; set before the second thread is there */
static struct stack_tree stacks;
static struct spin_lock telling_nodes;
static uint32_t nodes_told; /* of the tree */
static pthread_key_t at_thread_end;

/* Of each thread. */
static _Thread_local struct {
    _Atomic uint64_t *next, *end; /* in its chunk; both NULL when it has none */
    uint64_t clock_ns;            /* as told last */
    struct record_chunk *chunk;
    uint32_t number; /* counted from 1; 0: it has none yet */
    uint32_t serial; /* of its next chunk */
    int is_stamped;
    int is_inside;    /* what is asked for meanwhile is not the program's */
    uint32_t forking; /* the process that is being forked */
} self;

/* --- Chunks. --- */

/* Until the collector has given chunks back. Returns 0, or -1 when it is gone. */
static int wait_for_chunk(void)
{
    const struct timespec a_while = {.tv_nsec = 100000000};
    const uint32_t seen = atomic_load(&shared->returned);

    atomic_fetch_add(&shared->waiting, 1);
    if ((uint32_t)atomic_load(&shared->free_chunks) == RECORD_NO_CHUNK)
        syscall(SYS_futex, &shared->returned, FUTEX_WAIT, seen, &a_while, NULL, 0);
    atomic_fetch_sub(&shared->waiting, 1);
    if (atomic_load(&shared->is_over))
        return -1;
    return kill(atomic_load(&shared->collector), 0) == 0 || errno == EPERM ? 0 : -1;
}

/* One more than there were, where there may be. */
static uint32_t make_chunk(void)
{
    uint32_t made = atomic_load(&shared->made_chunks);
    const uint32_t allowed = RECORD_BACKLOG_CHUNKS + atomic_load(&shared->threads);

    do {
        if (made >= allowed || made >= RECORD_MOST_CHUNKS)
            return RECORD_NO_CHUNK;
    } while (!atomic_compare_exchange_weak(&shared->made_chunks, &made, made + 1));
    return made + 1;
}

static uint32_t take_chunk(void)
{
    for (;;) {
        uint32_t number = record_pop(shared, &shared->free_chunks);
        if (number == RECORD_NO_CHUNK)
            number = make_chunk();
        if (number != RECORD_NO_CHUNK)
            return number;
        if (wait_for_chunk() != 0) {
            atomic_store(&shared->is_over, 1);
            return RECORD_NO_CHUNK;
        }
    }
}

static void close_chunk(void)
{
    if (self.chunk)
        atomic_store_explicit(&self.chunk->is_closed, 1, memory_order_release);
    self.chunk = NULL;
    self.next = self.end = NULL;
}

/* Returns 1 with room for an event. Keeps errno. */
static int open_chunk(void)
{
    const int error = errno;

    close_chunk();
    if (atomic_load(&shared->is_over))
        return 0;
    const uint32_t number = take_chunk();
    if (number == RECORD_NO_CHUNK)
        return 0;
    if (self.number == 0)
        self.number = atomic_fetch_add(&shared->threads, 1) + 1;
    struct record_chunk *chunk = record_chunk_at(shared, number);
    chunk->process = process;
    chunk->thread = self.number;
    chunk->serial = self.serial++;
    chunk->is_stamped = (uint32_t)has_threads;
    chunk->self = (uint64_t)pthread_self();
    atomic_store_explicit(&chunk->is_closed, 0, memory_order_relaxed);
    self.chunk = chunk;
    self.is_stamped = has_threads;
    self.next = chunk->words;
    self.end = chunk->words + RECORD_CHUNK_WORDS;
    self.clock_ns = 0;
    record_push(shared, &shared->opened_chunks, number);
    /* Asks for the end of the thread; a key beyond the first 32 makes glibc allocate. */
    self.is_inside = 1;
    pthread_setspecific(at_thread_end, &self);
    self.is_inside = 0;
    errno = error;
    return 1;
}

static int has_room(size_t words)
{
    return self.end - self.next >= (ptrdiff_t)words;
}

/* --- Words. --- */

static inline uint64_t read_counter(void)
{
#if defined(__x86_64__)
    return __rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    return ticks;
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
#endif
}

static inline void put(size_t at, uint64_t word)
{
    atomic_store_explicit(&self.next[at], word, memory_order_relaxed);
}

/* Makes the event whole. */
static inline void put_first(size_t words, uint64_t word)
{
    atomic_store_explicit(self.next, word, memory_order_release);
    self.next += words;
}

static void put_plain(enum record_kind kind, const uint64_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put(1 + i, words[i]);
    put_first(1 + count, record_word(kind, 0, 0));
}

/* Room for an event, behind the time where it went on. */
__attribute__((noinline)) static int prepare_slowly(uint64_t clock_ns)
{
    if (!has_room(2 * RECORD_MOST_WORDS) && !open_chunk())
        return 0;
    if (clock_ns != self.clock_ns)
        put_plain(RECORD_TIME, &clock_ns, 1);
    self.clock_ns = clock_ns;
    return 1;
}

static inline int prepare(void)
{
    const uint64_t clock_ns = atomic_load_explicit(&shared->clock_ns, memory_order_relaxed);

    if (__builtin_expect(has_room(RECORD_MOST_WORDS) && clock_ns == self.clock_ns, 1))
        return 1;
    return prepare_slowly(clock_ns);
}

static inline size_t put_stamp(size_t words)
{
    if (self.is_stamped)
        put(words++, read_counter());
    return words;
}

/* --- Stacks. --- */

/* Nodes that the collector has not been told of: by whoever meets them first. */
static void tell_nodes(void)
{
    spin_lock_take(&telling_nodes);
    const uint32_t count = atomic_load(&stacks.count);
    for (; nodes_told < count; nodes_told++) {
        const struct stack_node *node = &stacks.nodes[nodes_told];
        const uint64_t words[] = {nodes_told, node->parent, node->address};
        if (!has_room(RECORD_MOST_WORDS) && !open_chunk())
            break;
        put_plain(RECORD_NODE, words, sizeof words / sizeof words[0]);
    }
    spin_lock_release(&telling_nodes);
}

__attribute__((noinline)) static uint32_t find_stack(void *caller)
{
    uintptr_t frames[STACK_MOST_FRAMES];
    const int error = errno;

    self.is_inside = 1;
    size_t depth = capture_unwind(caller, frames, STACK_MOST_FRAMES);
    if (depth == 0) {
        frames[0] = (uintptr_t)caller;
        depth = 1;
    }
    const uint32_t stack = stack_tree_find(&stacks, frames, depth);
    if (stack >= nodes_told)
        tell_nodes();
    self.is_inside = 0;
    errno = error;
    return stack;
}

/* --- Events. --- */

static inline int records(void)
{
    return __builtin_expect(shared != NULL, 1) && !self.is_inside;
}

static void put_made(enum record_kind kind, void *block, const struct hook_request *request)
{
    const uint32_t stack =
        __builtin_expect(with & RECORD_WITH_STACKS, 0) && block ? find_stack(request->caller) : 0;
    uint64_t size = request->bytes;
    size_t words = 1;

    if (!prepare())
        return;
    if (size >= RECORD_SIZE_FOLLOWS) {
        put(words++, size);
        size = RECORD_SIZE_FOLLOWS;
    }
    if (kind == RECORD_ALIGNED)
        put(words++, request->alignment);
    if (__builtin_expect(with & RECORD_WITH_STACKS, 0))
        put(words++, stack);
    words = put_stamp(words);
    put_first(words, record_word(kind, size, (uintptr_t)block));
}

static inline void put_ends(enum record_kind kind, const void *block)
{
    if (prepare()) {
        const size_t words = put_stamp(1);
        put_first(words, record_word(kind, 0, (uintptr_t)block));
    }
}

void hook_made(const struct hook_request *request, void *block)
{
    static const enum record_kind kinds[] = {[HOOK_MALLOC] = RECORD_MALLOC,
                                             [HOOK_CALLOC] = RECORD_CALLOC,
                                             [HOOK_ALIGNED] = RECORD_ALIGNED};

    if (records())
        put_made(kinds[request->kind], block, request);
}

void hook_ends(void *block)
{
    if (records())
        put_ends(RECORD_FREE, block);
}

void *hook_realloc(const struct next_malloc *next, void *block, const struct hook_request *request)
{
    const int is_recorded = records();

    if (is_recorded)
        put_ends(RECORD_MOVE, block);
    void *moved = next->realloc(block, request->bytes);
    if (is_recorded)
        put_made(RECORD_MOVED, moved, request);
    return moved;
}

/* --- Threads. --- */

static void end_thread(void *thread)
{
    (void)thread;
    if (shared)
        close_chunk();
}

/* From now on every event has a stamp; the caller is still the only thread. */
static void begin_stamps(void)
{
    if (has_threads)
        return;
    has_threads = 1;
    close_chunk();
}

int pthread_create(pthread_t *restrict newthread, const pthread_attr_t *restrict attr,
                   void *(*start_routine)(void *), void *restrict arg)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

    if (!real)
        real = (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
                        void *))preload_next_function("pthread_create");
    if (!real)
        return ENOSYS;
    if (!shared)
        return real(newthread, attr, start_routine, arg);
    begin_stamps();
    const int error = real(newthread, attr, start_routine, arg);
    if (!error && records() && prepare()) {
        const uint64_t started = (uint64_t)*newthread;
        put_plain(RECORD_START, &started, 1);
    }
    return error;
}

/* --- Processes. --- */

/* A number and its entry, or 0 when there are none left. */
static uint32_t new_process(void)
{
    const uint32_t number = atomic_fetch_add(&shared->processes, 1) + 1;

    return number <= RECORD_MOST_PROCESSES ? number : 0;
}

static void announce(uint32_t parent)
{
    struct record_process *entry = &shared->process[process - 1];

    entry->pid = (int32_t)getpid();
    entry->parent = parent;
    entry->is_image = parent == 0;
    snprintf(entry->name, sizeof entry->name, "%s", program_invocation_short_name);
    atomic_store_explicit(&entry->is_known, 1, memory_order_release);
}

static void before_fork(void)
{
    if (!records())
        return;
    self.forking = new_process();
    if (self.forking && prepare()) {
        const uint64_t child = self.forking;
        put_plain(RECORD_FORK, &child, 1);
    }
}

static void in_child(void)
{
    const uint32_t parent = process;

    if (!shared)
        return;
    process = self.forking;
    self.chunk = NULL; /* the parent's */
    self.next = self.end = NULL;
    self.number = 0;
    self.serial = 0;
    has_threads = 0;
    if (process)
        announce(parent);
    else
        shared = NULL;
}

/* --- The beginning. --- */

static struct record_shared *open_shared(const char *path)
{
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat status;

    if (fd < 0)
        return NULL;
    void *pages =
        fstat(fd, &status) == 0 && (uint64_t)status.st_size == sizeof(struct record_shared)
            ? mmap(NULL, sizeof(struct record_shared), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_NORESERVE, fd, 0)
            : MAP_FAILED;
    close(fd);
    if (pages == MAP_FAILED)
        return NULL;
    struct record_shared *opened = pages;
    if (opened->layout == RECORD_LAYOUT && !atomic_load(&opened->is_over))
        return opened;
    munmap(pages, sizeof(struct record_shared));
    return NULL;
}

static int begin(void)
{
    with = shared->with;
    has_threads = (with & RECORD_WITH_TIMES) != 0;
    if (with & RECORD_WITH_STACKS) {
        if (stack_tree_init(&stacks) != 0)
            return -1;
        nodes_told = 1; /* the root has no address */
        capture_init();
    }
    process = new_process();
    if (process == 0 || pthread_key_create(&at_thread_end, end_thread) != 0 ||
        pthread_atfork(before_fork, NULL, in_child) != 0)
        return -1;
    announce(0);
    return 0;
}

__attribute__((constructor)) static void load(void)
{
    const char *path = getenv(RECORD_VARIABLE);

    if (!path || !preload_next())
        return;
    self.is_inside = 1;
    struct record_shared *opened = open_shared(path);
    if (opened) {
        shared = opened;
        if (begin() != 0)
            shared = NULL;
    }
    self.is_inside = 0;
}
