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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

const char hook_library[] = "libtidemark-record.so";

/* A page that a fork empties (MADV_WIPEONFORK): a child that no handler has told, made by _Fork()
 * or clone(), writes nothing into its parent's chunks. */
static struct gate {
    struct record_shared *shared; /* NULL: nothing is recorded */
} * gate;

static struct record_shared *mapped; /* what `gate` opens */
static uint32_t process;
static uint32_t with;
static struct stack_tree stacks;
static struct spin_lock telling_nodes;
static uint32_t nodes_told; /* of the tree */
static pthread_key_t at_thread_end;

/* Of each thread. */
static _Thread_local struct {
    _Atomic uint64_t *next, *last; /* in its chunk: the next word, and the last that an event may
                                      begin at; `next` is above `last` when it has none */
    uint64_t clock_ns;             /* as told last */
    struct record_chunk *chunk;
    uint32_t number; /* counted from 1; 0: it has none yet */
    uint32_t serial; /* of its next chunk */
    int is_stamped;
    int is_inside;    /* what is asked for meanwhile is not the program's */
    int is_writer;    /* counted in `writers` */
    uint32_t forking; /* the process that is being forked */
} self = {.last = NULL};

static inline struct record_shared *shared_memory(void)
{
    return __builtin_expect(gate != NULL, 1) ? gate->shared : NULL;
}

/* --- Chunks. --- */

/*
 * Until the collector has given chunks back. Returns 0, or -1 when it is gone: for its clock stands
 * still, since a process of its number may be another one, or in another namespace.
 */
static int wait_for_chunk(struct record_shared *shared)
{
    enum { LOOKS = 100 };
    const struct timespec a_while = {.tv_nsec = 100000000};
    const uint64_t clock_ns = atomic_load(&shared->clock_ns);

    for (unsigned looks = 0; looks < LOOKS; looks++) {
        const uint32_t seen = atomic_load(&shared->returned);
        atomic_fetch_add(&shared->waiting, 1);
        if ((uint32_t)atomic_load(&shared->free_chunks) == RECORD_NO_CHUNK)
            syscall(SYS_futex, &shared->returned, FUTEX_WAIT, seen, &a_while, NULL, 0);
        atomic_fetch_sub(&shared->waiting, 1);
        if (atomic_load(&shared->is_over))
            return -1;
        if ((uint32_t)atomic_load(&shared->free_chunks) != RECORD_NO_CHUNK ||
            atomic_load(&shared->clock_ns) != clock_ns)
            return 0;
    }
    return -1;
}

/* One more than there were, where there may be. */
static uint32_t make_chunk(struct record_shared *shared)
{
    uint32_t made = atomic_load(&shared->made_chunks);
    const uint32_t allowed = RECORD_BACKLOG_CHUNKS + atomic_load(&shared->writers);

    do {
        if (made >= allowed || made >= RECORD_MOST_CHUNKS)
            return RECORD_NO_CHUNK;
    } while (!atomic_compare_exchange_weak(&shared->made_chunks, &made, made + 1));
    return made + 1;
}

static uint32_t take_chunk(struct record_shared *shared)
{
    for (;;) {
        uint32_t number = record_pop(shared, &shared->free_chunks);
        if (number == RECORD_NO_CHUNK)
            number = make_chunk(shared);
        if (number != RECORD_NO_CHUNK)
            return number;
        if (wait_for_chunk(shared) != 0) {
            atomic_store(&shared->is_over, 1);
            return RECORD_NO_CHUNK;
        }
    }
}

static void close_chunk(enum record_closed how)
{
    if (self.chunk)
        atomic_store_explicit(&self.chunk->is_closed, how, memory_order_release);
    self.chunk = NULL;
    self.next = NULL;
    self.last = NULL;
}

/* glibc clears it before there is a second thread, whoever starts that. */
static int has_threads(void)
{
    return !__libc_single_threaded || (with & RECORD_WITH_TIMES);
}

static void begin_chunk(struct record_shared *shared, uint32_t number)
{
    struct record_chunk *chunk = record_chunk_at(shared, number);

    if (self.number == 0)
        self.number = atomic_fetch_add(&shared->threads, 1) + 1;
    if (!self.is_writer)
        atomic_fetch_add(&shared->writers, 1);
    self.is_writer = 1;
    self.is_stamped = has_threads();
    chunk->process = process;
    chunk->thread = self.number;
    chunk->serial = self.serial++;
    chunk->is_stamped = (uint32_t)self.is_stamped;
    chunk->tid = (int32_t)syscall(SYS_gettid);
    atomic_store_explicit(&chunk->words[0], 0, memory_order_relaxed);
    atomic_store_explicit(&chunk->is_closed, RECORD_OPEN, memory_order_relaxed);
    self.chunk = chunk;
    self.next = chunk->words;
    self.last = &chunk->words[RECORD_CHUNK_WORDS - 2 * RECORD_MOST_WORDS];
    self.clock_ns = 0;
    record_push(shared, &shared->opened_chunks, number);
}

/* Returns 1 with room for an event. Keeps errno. */
static int open_chunk(void)
{
    struct record_shared *shared = mapped;
    const int error = errno;

    close_chunk(RECORD_CLOSED);
    const uint32_t number = atomic_load(&shared->is_over) ? RECORD_NO_CHUNK : take_chunk(shared);
    if (number != RECORD_NO_CHUNK) {
        begin_chunk(shared, number);
        /* Asks for the end of the thread; a key beyond the first 32 makes glibc allocate. */
        self.is_inside = 1;
        pthread_setspecific(at_thread_end, &self);
        self.is_inside = 0;
    }
    errno = error;
    return number != RECORD_NO_CHUNK;
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

/* Makes the event whole, with nothing behind it. */
static inline void put_first(size_t words, uint64_t word)
{
    put(words, 0);
    atomic_store_explicit(self.next, word, memory_order_release);
    self.next += words;
}

static inline size_t put_stamp(size_t words)
{
    if (self.is_stamped)
        put(words++, read_counter());
    return words;
}

static void put_plain(enum record_kind kind, const uint64_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put(1 + i, words[i]);
    const size_t all = kind < RECORD_TIME ? put_stamp(1 + count) : 1 + count;
    put_first(all, record_word(kind, 0, 0));
}

/* Room for an event, behind the time where it went on, and in a chunk that is stamped once there
 * are threads. `last` leaves room for two events. */
__attribute__((noinline)) static int prepare_slowly(uint64_t clock_ns)
{
    if ((self.next == NULL || self.next > self.last || has_threads() != self.is_stamped) &&
        !open_chunk())
        return 0;
    if (clock_ns != self.clock_ns)
        put_plain(RECORD_TIME, &clock_ns, 1);
    self.clock_ns = clock_ns;
    return 1;
}

static inline int prepare(const struct record_shared *shared)
{
    const uint64_t clock_ns = atomic_load_explicit(&shared->clock_ns, memory_order_relaxed);

    if (__builtin_expect(self.next <= self.last && self.next != NULL && clock_ns == self.clock_ns &&
                             (__libc_single_threaded || self.is_stamped),
                         1))
        return 1;
    return prepare_slowly(clock_ns);
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
        if ((self.next == NULL || self.next > self.last) && !open_chunk())
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

/* The shared memory when this call is to be told; else NULL. */
static inline struct record_shared *records(void)
{
    struct record_shared *shared = shared_memory();

    return __builtin_expect(self.is_inside, 0) ? NULL : shared;
}

static inline void put_made(const struct record_shared *shared, enum record_kind kind, void *block,
                            const struct hook_request *request)
{
    const int has_stack = (with & RECORD_WITH_STACKS) != 0;
    const uint32_t stack = has_stack && block ? find_stack(request->caller) : 0;
    uint64_t size = request->bytes;
    size_t words = 1;

    if (!prepare(shared))
        return;
    if (__builtin_expect(size >= RECORD_SIZE_FOLLOWS, 0)) {
        put(words++, size);
        size = RECORD_SIZE_FOLLOWS;
    }
    if (kind == RECORD_ALIGNED)
        put(words++, request->alignment);
    if (has_stack)
        put(words++, stack);
    words = put_stamp(words);
    put_first(words, record_word(kind, size, (uintptr_t)block));
}

static inline void put_ends(const struct record_shared *shared, enum record_kind kind,
                            const void *block)
{
    if (prepare(shared)) {
        const size_t words = put_stamp(1);
        put_first(words, record_word(kind, 0, (uintptr_t)block));
    }
}

void hook_made(const struct hook_request *request, void *block)
{
    static const enum record_kind kinds[] = {[HOOK_MALLOC] = RECORD_MALLOC,
                                             [HOOK_CALLOC] = RECORD_CALLOC,
                                             [HOOK_ALIGNED] = RECORD_ALIGNED};
    const struct record_shared *shared = records();

    if (shared)
        put_made(shared, kinds[request->kind], block, request);
}

void hook_ends(void *block)
{
    const struct record_shared *shared = records();

    if (shared)
        put_ends(shared, RECORD_FREE, block);
}

void *hook_realloc(const struct next_malloc *next, void *block, const struct hook_request *request)
{
    const struct record_shared *shared = records();

    if (!shared)
        return next->realloc(block, request->bytes);
    put_ends(shared, RECORD_MOVE, block);
    self.is_inside = 1; /* one that is made of malloc and free is one call all the same */
    void *moved = next->realloc(block, request->bytes);
    self.is_inside = 0;
    put_made(shared, RECORD_MOVED, moved, request);
    return moved;
}

int hook_enter(void)
{
    const int was_inside = self.is_inside;

    self.is_inside = 1;
    return was_inside;
}

void hook_leave(int was_inside)
{
    self.is_inside = was_inside;
}

/* --- Threads. --- */

/* Of a thread that is being started: its number, so that the trace says which one it is. */
struct start {
    _Atomic int is_taken;
    uint32_t number;
    void *(*routine)(void *);
    void *argument;
};

enum { STARTS = 1024 };

static struct start starts[STARTS];

/* NULL when so many are being started at once. */
static struct start *take_start(void)
{
    static _Atomic unsigned hint;
    const unsigned first = atomic_fetch_add_explicit(&hint, 1, memory_order_relaxed);

    for (unsigned i = 0; i < STARTS; i++) {
        struct start *start = &starts[(first + i) % STARTS];
        int free_one = 0;
        if (atomic_compare_exchange_strong(&start->is_taken, &free_one, 1))
            return start;
    }
    return NULL;
}

static void *run_started(void *context)
{
    struct start *start = context;
    void *(*routine)(void *) = start->routine;
    void *argument = start->argument;

    self.number = start->number;
    atomic_store(&start->is_taken, 0);
    return routine(argument);
}

static void end_thread(void *thread)
{
    struct record_shared *shared = shared_memory();

    (void)thread;
    if (!shared || !self.chunk)
        return;
    close_chunk(RECORD_ENDED);
    atomic_fetch_sub(&shared->writers, 1);
    self.is_writer = 0;
}

typedef int create_thread(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static create_thread *next_pthread_create(void)
{
    static create_thread *_Atomic known;

    if (!atomic_load(&known))
        atomic_store(&known, (create_thread *)preload_next_function("pthread_create"));
    return atomic_load(&known);
}

int pthread_create(pthread_t *restrict newthread, const pthread_attr_t *restrict attr,
                   void *(*start_routine)(void *), void *restrict arg)
{
    create_thread *real = next_pthread_create();
    struct record_shared *shared = records();
    struct start *start = real && shared ? take_start() : NULL;

    if (!real)
        return ENOSYS;
    if (!start)
        return real(newthread, attr, start_routine, arg);
    start->number = atomic_fetch_add(&shared->threads, 1) + 1;
    start->routine = start_routine;
    start->argument = arg;
    const uint64_t number = start->number;
    if (prepare(shared))
        put_plain(RECORD_START, &number, 1);
    const int error = real(newthread, attr, run_started, start);
    if (error)
        atomic_store(&start->is_taken, 0);
    return error;
}

/* --- Processes. --- */

/* A number and its entry, or 0 when there are none left. */
static uint32_t new_process(struct record_shared *shared)
{
    const uint32_t number = atomic_fetch_add(&shared->processes, 1) + 1;

    return number <= RECORD_MOST_PROCESSES ? number : 0;
}

static void announce(struct record_shared *shared, uint32_t parent)
{
    struct record_process *entry = &shared->process[process - 1];
    struct stat status;

    entry->pid = (int32_t)getpid();
    entry->pid_namespace = stat("/proc/self/ns/pid", &status) == 0 ? (uint64_t)status.st_ino : 0;
    entry->parent = parent;
    entry->is_image = parent == 0;
    snprintf(entry->name, sizeof entry->name, "%s", program_invocation_short_name);
    atomic_store_explicit(&entry->is_known, 1, memory_order_release);
}

/* A program that ends soon is looked at before; one whose collector is gone goes on. */
static void await_look(const struct record_shared *shared)
{
    enum { LOOKS = 500, LOOK_NS = 200000 };
    const struct timespec pause = {.tv_nsec = LOOK_NS};

    for (int i = 0; i < LOOKS && !atomic_load(&shared->process[process - 1].is_looked_at) &&
                    !atomic_load(&shared->is_over);
         i++)
        nanosleep(&pause, NULL);
}

static void before_fork(void)
{
    struct record_shared *shared = records();

    self.forking = shared ? new_process(shared) : 0;
    if (self.forking && prepare(shared)) {
        const uint64_t child = self.forking;
        put_plain(RECORD_FORK, &child, 1);
    }
}

/* The gate is shut, and the thread's chunk is the parent's. Locks that another thread held stay so
 * in the child: nobody is there to give them back. */
static void in_child(void)
{
    const uint32_t parent = process;
    const int error = errno;

    if (!gate)
        return;
    self.chunk = NULL;
    self.next = self.last = NULL;
    self.number = 0;
    self.serial = 0;
    self.is_writer = 0;
    telling_nodes = (struct spin_lock){0};
    stacks.growing = (struct spin_lock){0};
    nodes_told = 1; /* this process has a tree of its own, which nobody knows */
    process = self.forking;
    if (process) {
        announce(mapped, parent);
        gate->shared = mapped;
    }
    errno = error;
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
    madvise(pages, sizeof(struct record_shared), MADV_DONTDUMP);
    struct record_shared *opened = pages;
    if (opened->layout == RECORD_LAYOUT && !atomic_load(&opened->is_over))
        return opened;
    munmap(pages, sizeof(struct record_shared));
    return NULL;
}

/* Returns 0, or -1 when the kernel has no pages that a fork empties (before 4.14). */
static int make_gate(void)
{
    const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED || madvise(page, page_bytes, MADV_WIPEONFORK) != 0)
        return -1;
    gate = page;
    return 0;
}

static int begin(void)
{
    with = mapped->with;
    if (with & RECORD_WITH_STACKS) {
        if (stack_tree_init(&stacks) != 0)
            return -1;
        nodes_told = 1; /* the root has no address */
        capture_init();
    }
    if (pthread_key_create(&at_thread_end, end_thread) != 0 ||
        pthread_atfork(before_fork, NULL, in_child) != 0 || make_gate() != 0)
        return -1;
    process = new_process(mapped);
    if (process == 0)
        return -1;
    announce(mapped, 0);
    if (with & RECORD_WITH_STACKS)
        await_look(mapped);
    gate->shared = mapped;
    return 0;
}

__attribute__((constructor)) static void load(void)
{
    const char *path = getenv(RECORD_VARIABLE);

    if (!path || !preload_next())
        return;
    self.is_inside = 1;
    mapped = open_shared(path);
    if (mapped && begin() != 0)
        atomic_fetch_add(&mapped->lost, 1);
    self.is_inside = 0;
}
