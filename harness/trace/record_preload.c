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
 *
 * A signal may come between any two stores, and its handler may call a malloc that can bear it.
 * What it calls while its thread is storing an event is kept aside, and stored behind that event by
 * the code that it interrupted: no block that it knows of is what that event is about. What it
 * calls while the malloc behind is in a realloc, or a call stack is taken, cannot be told from what
 * those call themselves, and is not recorded.
 */
#define _GNU_SOURCE
#include "harness/preload/hooks.h"
#include "harness/sites/stack_walk.h"
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
#include <sys/single_threaded.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

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

/* A call of malloc or its kin, as it is stored. */
struct told {
    enum record_kind kind;
    uint32_t stack;
    const void *block;
    uint64_t size, alignment;
    uint64_t stamp; /* 0: that of when it is stored */
};

enum {
    STORING = 1, /* an event is half stored, or a chunk half taken */
    INSIDE = 2,  /* what is asked for meanwhile is not the program's */
    MOST_ASIDE = 32,
};

/* Of each thread. */
static _Thread_local struct {
    _Atomic uint64_t *next, *last; /* in its chunk: the next word, and the last that an event may
                                      begin at; `next` is above `last` when it has none */
    uint64_t clock_ns;             /* as told last */
    struct record_chunk *chunk;
    uint32_t number; /* counted from 1; 0: it has none yet */
    uint32_t serial; /* of its next chunk */
    int is_stamped;
    volatile sig_atomic_t state; /* STORING, INSIDE */
    _Atomic uint32_t aside_count;
    int is_writer;                 /* counted in `writers` */
    uint32_t forking;              /* the process that is being forked */
    struct told aside[MOST_ASIDE]; /* calls of a handler that interrupted a store */
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

/* A key beyond the first 32 makes glibc allocate. */
static void ask_for_end(void)
{
    const sig_atomic_t state = self.state;

    self.state = state | INSIDE;
    pthread_setspecific(at_thread_end, &self);
    self.state = state;
}

/* Returns 1 with room for an event. Keeps errno. */
static int open_chunk(void)
{
    struct record_shared *shared = mapped;
    const int error = errno, is_first = !self.is_writer;

    close_chunk(RECORD_CLOSED);
    const uint32_t number = atomic_load(&shared->is_over) ? RECORD_NO_CHUNK : take_chunk(shared);
    if (number != RECORD_NO_CHUNK)
        begin_chunk(shared, number);
    if (number != RECORD_NO_CHUNK && is_first)
        ask_for_end();
    errno = error;
    return number != RECORD_NO_CHUNK;
}

/* --- Words. --- */

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

static inline size_t put_stamp(size_t words, uint64_t stamp)
{
    if (self.is_stamped)
        put(words++, stamp ? stamp : record_read_counter());
    return words;
}

static void put_plain(enum record_kind kind, const uint64_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put(1 + i, words[i]);
    const size_t all = kind < RECORD_TIME ? put_stamp(1 + count, 0) : 1 + count;
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

/* A handler that interrupted a store leaves telling its nodes to what stores its call. */
__attribute__((noinline)) static uint32_t find_stack(const struct hook_request *request,
                                                     int may_tell)
{
    const int error = errno;
    const sig_atomic_t state = self.state;

    self.state = state | INSIDE;
    const uint32_t stack = stack_walk_find(&stacks, request->caller, request->frame);
    if (may_tell && stack >= nodes_told)
        tell_nodes();
    self.state = state;
    errno = error;
    return stack;
}

/* --- Events. --- */

/* Inline, so that what is known of an event stays in registers. */
__attribute__((always_inline)) static inline void put_told(const struct record_shared *shared,
                                                           const struct told *told)
{
    uint64_t size = told->size;
    size_t words = 1;

    if (!prepare(shared))
        return;
    if (told->kind != RECORD_MOVE && told->kind != RECORD_FREE) {
        if (__builtin_expect(size >= RECORD_SIZE_FOLLOWS, 0)) {
            put(words++, size);
            size = RECORD_SIZE_FOLLOWS;
        }
        if (told->kind == RECORD_ALIGNED)
            put(words++, told->alignment);
        if (with & RECORD_WITH_STACKS)
            put(words++, told->stack);
    }
    words = put_stamp(words, told->stamp);
    put_first(words, record_word(told->kind, size, (uintptr_t)told->block));
}

static inline struct told ends(enum record_kind kind, const void *block)
{
    return (struct told){.kind = kind, .block = block};
}

static inline struct told makes(enum record_kind kind, const void *block,
                                const struct hook_request *request, int may_tell)
{
    const int has_stack = block && with & RECORD_WITH_STACKS;

    return (struct told){.kind = kind,
                         .stack = has_stack ? find_stack(request, may_tell) : 0,
                         .block = block,
                         .size = request->bytes,
                         .alignment = request->alignment};
}

/* --- Calls of a signal's handler. --- */

/* Room for `count` calls, one behind the other; NULL where there is none. Handlers may interrupt
 * each other here. */
static struct told *set_aside(uint32_t count)
{
    const uint32_t first = atomic_fetch_add(&self.aside_count, count);

    if (first + count <= MOST_ASIDE)
        return &self.aside[first];
    atomic_fetch_add(&mapped->missed, count);
    return NULL;
}

static void keep_aside(struct told *place, const struct told *told)
{
    *place = *told;
    place->stamp = record_read_counter();
}

/* By the code that was interrupted, or before the next event; handlers may add more meanwhile. */
__attribute__((noinline)) static void put_aside(const struct record_shared *shared)
{
    uint32_t at = 0, count;

    do {
        count = atomic_load(&self.aside_count);
        for (; at < count && at < MOST_ASIDE; at++) {
            if (self.aside[at].kind == RECORD_NOTHING)
                continue; /* there was no room for two */
            if (with & RECORD_WITH_STACKS && self.aside[at].stack >= nodes_told)
                tell_nodes();
            put_told(shared, &self.aside[at]);
            self.aside[at].kind = RECORD_NOTHING;
        }
    } while (!atomic_compare_exchange_strong(&self.aside_count, &count, 0));
}

/* --- Storing: nothing between the two may be interrupted by more than handlers that see it. --- */

/* Returns 0 when this thread is storing already, or inside. */
static inline int begin_storing(const struct record_shared *shared)
{
    const uint32_t aside = atomic_load_explicit(&self.aside_count, memory_order_relaxed);

    if (__builtin_expect(self.state != 0, 0))
        return 0;
    self.state = STORING;
    atomic_signal_fence(memory_order_seq_cst);
    if (__builtin_expect(aside != 0, 0))
        put_aside(shared);
    return 1;
}

static inline void end_storing(const struct record_shared *shared)
{
    for (;;) {
        atomic_signal_fence(memory_order_seq_cst);
        self.state = 0;
        atomic_signal_fence(memory_order_seq_cst);
        if (__builtin_expect(atomic_load_explicit(&self.aside_count, memory_order_relaxed) == 0, 1))
            return;
        self.state = STORING;
        atomic_signal_fence(memory_order_seq_cst);
        put_aside(shared);
    }
}

/* --- Hooks. --- */

/* Where the thread is storing, or inside: by a handler, or not the program's. */
__attribute__((noinline)) static void made_meanwhile(enum record_kind kind, const void *block,
                                                     const struct hook_request *request)
{
    struct told *place = self.state & INSIDE ? NULL : set_aside(1);

    if (place) {
        const struct told told = makes(kind, block, request, 0);
        keep_aside(place, &told);
    }
}

__attribute__((noinline)) static void ends_meanwhile(const void *block)
{
    struct told *place = self.state & INSIDE ? NULL : set_aside(1);
    const struct told told = ends(RECORD_FREE, block);

    if (place)
        keep_aside(place, &told);
}

static void *realloc_meanwhile(const struct next_malloc *next, void *block,
                               const struct hook_request *request)
{
    const sig_atomic_t state = self.state;
    struct told *place = state & INSIDE ? NULL : set_aside(2);
    struct told told = ends(RECORD_MOVE, block);

    if (place)
        keep_aside(place, &told);
    self.state = state | INSIDE;
    void *moved = next->realloc(block, request->bytes);
    self.state = state;
    if (place) {
        told = makes(RECORD_MOVED, moved, request, 0);
        keep_aside(place + 1, &told);
    }
    return moved;
}

void hook_made(const struct hook_request *request, void *block)
{
    static const enum record_kind kinds[] = {[HOOK_MALLOC] = RECORD_MALLOC,
                                             [HOOK_CALLOC] = RECORD_CALLOC,
                                             [HOOK_ALIGNED] = RECORD_ALIGNED};
    const struct record_shared *shared = shared_memory();

    if (!shared)
        return;
    if (!begin_storing(shared)) {
        made_meanwhile(kinds[request->kind], block, request);
        return;
    }
    const struct told told = makes(kinds[request->kind], block, request, 1);
    put_told(shared, &told);
    end_storing(shared);
}

void hook_ends(void *block)
{
    const struct record_shared *shared = shared_memory();

    if (!shared)
        return;
    if (!begin_storing(shared)) {
        ends_meanwhile(block);
        return;
    }
    const struct told told = ends(RECORD_FREE, block);
    put_told(shared, &told);
    end_storing(shared);
}

void *hook_realloc(const struct next_malloc *next, void *block, const struct hook_request *request)
{
    const struct record_shared *shared = shared_memory();

    if (!shared)
        return next->realloc(block, request->bytes);
    if (!begin_storing(shared))
        return realloc_meanwhile(next, block, request);
    const struct told before = ends(RECORD_MOVE, block);
    put_told(shared, &before);
    self.state =
        STORING | INSIDE; /* one that is made of malloc and free is one call all the same */
    void *moved = next->realloc(block, request->bytes);
    self.state = STORING;
    const struct told after = makes(RECORD_MOVED, moved, request, 1);
    put_told(shared, &after);
    end_storing(shared);
    return moved;
}

int hook_enter(void)
{
    const int state = self.state;

    self.state = state | INSIDE;
    return state;
}

void hook_leave(int was_inside)
{
    self.state = was_inside;
}

static void put_number(const struct record_shared *shared, enum record_kind kind, uint64_t number)
{
    if (!begin_storing(shared))
        return;
    if (prepare(shared))
        put_plain(kind, &number, 1);
    end_storing(shared);
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
    if (!shared || !self.chunk || !begin_storing(shared))
        return;
    close_chunk(RECORD_ENDED);
    atomic_fetch_sub(&shared->writers, 1);
    self.is_writer = 0;
    end_storing(shared);
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
    struct record_shared *shared = shared_memory();
    struct start *start = real && shared && self.state == 0 ? take_start() : NULL;

    if (!real)
        return ENOSYS;
    if (!start)
        return real(newthread, attr, start_routine, arg);
    start->number = atomic_fetch_add(&shared->threads, 1) + 1;
    start->routine = start_routine;
    start->argument = arg;
    const uint64_t number = start->number;
    put_number(shared, RECORD_START, number);
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
    struct record_shared *shared = shared_memory();

    self.forking = shared && self.state == 0 ? new_process(shared) : 0;
    if (self.forking)
        put_number(shared, RECORD_FORK, self.forking);
}

/* The gate is shut, and the thread's chunk is the parent's. A child that a signal's handler forked
 * off a store is not recorded. Locks that another thread held stay so
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
        stack_walk_init();
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
    self.state = INSIDE;
    mapped = open_shared(path);
    if (mapped && begin() != 0)
        atomic_fetch_add(&mapped->lost, 1);
    self.state = 0;
}
