/*
 * trace: a recorded program's calls of malloc and its kin, once more. Each recorded thread is a
 * thread here, begun and ended where it was, and does its calls in their order; a block that
 * another thread ends is waited for, and nothing else is, so that threads run as freely as they
 * did. A block is written to once when it is made, a byte of each page. Deviations: what the
 * program did between its calls is left out; with `pace=recorded` its rests of 10 ms and more are
 * kept. Blocks that are alive at the program's end are alive at the end here. Source: the trace
 * (tidemark record).
 */
#define _GNU_SOURCE
#include "workloads/block.h"
#include "workloads/flat_example.h"
#include "workloads/flat_trace.h"

#include <assert.h>
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PACE_NONE, PACE_RECORDED };
enum { SPINS = 1000 /* looks at a slot before the processor is given up */ };

/* Where a block lies that another thread ends than made it: told of by `block`, stored last. */
struct shared_slot {
    void *_Atomic block;
    size_t bytes;
};
static_assert(sizeof(struct shared_slot) == sizeof(struct slot), "both stand in one array");

struct replay;

struct player {
    struct worker worker; /* what block.h counts with; of a team of none */
    struct replay *replay;
    const struct flat_thread *thread;
    const uint64_t *words;
    struct slot *slots;
    pthread_t handle;
    struct player *next_finished;
};

struct replay {
    const struct flat_head *head;
    const struct flat_thread *threads;
    const uint64_t *words;
    size_t file_bytes;
    struct slot *slots; /* of all threads; what a slot holds by then is freed at the end */
    struct shared_slot *shared;
    size_t slots_bytes, shared_bytes;
    struct player *players;
    size_t players_bytes;
    struct team team; /* of no threads: where workers find the gauge */
    int is_paced;
    _Atomic int error;               /* the first one; all threads end */
    struct player *_Atomic finished; /* threads that can be joined */
    _Atomic uint64_t started, joined;
    sem_t finishes;
};

/* --- The file. --- */

/* What the parent made is trusted but for its size: it is a file of this run. */
static int check_file(const struct flat_head *head, size_t bytes)
{
    return bytes >= sizeof *head && memcmp(head->magic, FLAT_MAGIC, sizeof head->magic) == 0 &&
                   head->file_bytes == bytes && head->threads >= 1 &&
                   head->threads <= FLAT_MOST_THREADS
               ? 0
               : -EBADMSG;
}

/* All pages are there before the baseline, so that reading them is no growth of the process. */
static int map_file(struct replay *replay, const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    void *pages = MAP_FAILED;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) == 0 && status.st_size > 0) {
        replay->file_bytes = (size_t)status.st_size;
        pages = mmap(NULL, replay->file_bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    }
    close(fd);
    if (pages == MAP_FAILED)
        return -EBADMSG;
    replay->head = pages;
    return check_file(pages, replay->file_bytes);
}

static int open_trace(struct replay *replay, const char *path)
{
    int error = 0;

    if (strcmp(path, FLAT_EXAMPLE) == 0) {
        replay->head = flat_example_make(&replay->file_bytes);
        error = replay->head ? 0 : -ENOMEM;
    } else {
        error = map_file(replay, path);
    }
    if (error)
        return error;
    replay->threads = (const struct flat_thread *)(replay->head + 1);
    replay->words = (const uint64_t *)(replay->threads + replay->head->threads);
    return 0;
}

static void *map_memory(size_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_NORESERVE, -1, 0);

    return pages == MAP_FAILED ? NULL : pages;
}

static int make_players(struct replay *replay)
{
    const uint64_t threads = replay->head->threads;
    uint64_t slots = 1;

    for (uint64_t i = 0; i < threads; i++)
        slots += replay->threads[i].slots;
    replay->slots_bytes = slots * sizeof *replay->slots;
    replay->shared_bytes = (replay->head->shared_slots + 1) * sizeof *replay->shared;
    replay->players_bytes = threads * sizeof *replay->players;
    replay->slots = map_memory(replay->slots_bytes);
    replay->shared = map_memory(replay->shared_bytes);
    replay->players = map_memory(replay->players_bytes);
    if (!replay->slots || !replay->shared || !replay->players)
        return -ENOMEM;
    struct slot *own = replay->slots;
    for (uint64_t i = 0; i < threads; i++) {
        struct player *player = &replay->players[i];
        player->worker =
            (struct worker){.ops = replay->team.context->object, .team = &replay->team};
        player->replay = replay;
        player->thread = &replay->threads[i];
        player->words = replay->words + player->thread->first_word;
        player->slots = own;
        own += player->thread->slots;
    }
    return 0;
}

/* --- Slots. --- */

/* What another thread puts there, or put. Returns 0, or -ECANCELED when the replay ends early. */
static int take_shared(struct replay *replay, uint32_t number, struct slot *taken)
{
    struct shared_slot *slot = &replay->shared[number];
    unsigned spins = 0;

    while (!(taken->block = atomic_load_explicit(&slot->block, memory_order_acquire))) {
        if (atomic_load_explicit(&replay->error, memory_order_relaxed))
            return -ECANCELED;
        if (++spins > SPINS)
            sched_yield();
    }
    taken->bytes = slot->bytes;
    atomic_store_explicit(&slot->block, NULL, memory_order_relaxed); /* nobody else looks */
    return 0;
}

static inline int take_block(struct player *player, uint64_t word, struct slot *taken)
{
    struct slot *own = &player->slots[flat_slot(word)];

    if (__builtin_expect(flat_is_shared(word), 0))
        return take_shared(player->replay, flat_slot(word), taken);
    *taken = *own;
    own->block = NULL;
    return 0;
}

static inline void put_block(struct player *player, uint64_t word, void *block, size_t bytes)
{
    struct slot *own = &player->slots[flat_slot(word)];

    if (__builtin_expect(flat_is_shared(word), 0)) {
        struct shared_slot *slot = &player->replay->shared[flat_slot(word)];
        slot->bytes = bytes;
        atomic_store_explicit(&slot->block, block, memory_order_release);
        return;
    }
    own->block = block;
    own->bytes = bytes;
}

/* --- Operations. --- */

static inline int put_made(struct player *player, uint64_t word, void *block, size_t bytes)
{
    if (!block)
        return -ENOMEM;
    player->worker.operations++;
    worker_gain(&player->worker, bytes);
    block_touch(block, bytes);
    put_block(player, word, block, bytes);
    return 0;
}

/* A row that has no aligned_alloc is not asked for what it cannot do (harness/trace_files.h), but
 * for `null`, whose blocks nobody looks at. */
static int make_aligned(struct player *player, uint64_t word, size_t alignment, size_t bytes)
{
    const struct allocator_ops *ops = player->worker.ops;
    /* C17 wants a size that is a multiple; where it was none, posix_memalign was called. */
    const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    const size_t asked = rounded < bytes ? bytes : rounded;
    void *block = ops->aligned_alloc ? ops->aligned_alloc(alignment, asked) : ops->malloc(asked);

    if (!ops->aligned_alloc || (uintptr_t)block % alignment == 0)
        return put_made(player, word, block, bytes);
    ops->free(block);
    return -EBADMSG;
}

static void *make_zeroed(const struct allocator_ops *ops, size_t bytes)
{
    void *block = ops->calloc ? ops->calloc(1, bytes) : ops->malloc(bytes);

    return ops->calloc || !block ? block : memset(block, 0, bytes);
}

/* As a program does on a malloc that has no realloc. */
static void *move(const struct allocator_ops *ops, const struct slot *before, size_t bytes)
{
    void *moved = ops->realloc ? ops->realloc(before->block, bytes) : ops->malloc(bytes);

    if (ops->realloc || !moved)
        return moved;
    memmove(moved, before->block, before->bytes < bytes ? before->bytes : bytes);
    ops->free(before->block);
    return moved;
}

static int resize(struct player *player, uint64_t from, uint64_t to, size_t bytes)
{
    struct slot before;
    const int error = take_block(player, from, &before);

    if (error)
        return error;
    void *moved = move(player->worker.ops, &before, bytes);
    if (!moved) {
        put_block(player, from, before.block, before.bytes);
        return -ENOMEM;
    }
    (void)put_made(player, to, moved, bytes);
    player->worker.frees++;
    worker_lose(&player->worker, before.bytes);
    return 0;
}

static inline int drop(struct player *player, uint64_t word)
{
    struct slot slot;
    const int error = take_block(player, word, &slot);

    if (!error)
        block_drop(&player->worker, slot.block, slot.bytes);
    return error;
}

static void rest(const struct replay *replay, uint64_t duration_ns)
{
    const struct timespec duration = {.tv_sec = (time_t)(duration_ns / 1000000000),
                                      .tv_nsec = (long)(duration_ns % 1000000000)};

    if (replay->is_paced)
        nanosleep(&duration, NULL);
}

static int start_player(struct replay *replay, uint32_t number);

/* A word, and its size where that is in the next. */
struct step {
    uint64_t word;
    size_t bytes;
};

static inline const uint64_t *read_step(const uint64_t *at, struct step *step)
{
    step->word = *at++;
    step->bytes = (size_t)flat_size(step->word);
    if (__builtin_expect(step->bytes == FLAT_SIZE_FOLLOWS, 0))
        step->bytes = (size_t)*at++;
    return at;
}

/* All words of a thread. */
static int play(struct player *player)
{
    const uint64_t *at = player->words, *end = at + player->thread->words;
    const struct allocator_ops *ops = player->worker.ops;
    struct step step, behind;
    int error = 0;

    while (at < end && !error) {
        at = read_step(at, &step);
        switch (flat_operation(step.word)) {
        case FLAT_MALLOC:
            error = put_made(player, step.word, ops->malloc(step.bytes), step.bytes);
            break;
        case FLAT_CALLOC:
            error = put_made(player, step.word, make_zeroed(ops, step.bytes), step.bytes);
            break;
        case FLAT_ALIGNED:
            error = make_aligned(player, step.word, (size_t)*at++, step.bytes);
            break;
        case FLAT_REALLOC:
            at = read_step(at, &behind);
            error = resize(player, step.word, behind.word, behind.bytes);
            break;
        case FLAT_FREE:
            error = drop(player, step.word);
            break;
        case FLAT_START:
            error = start_player(player->replay, flat_slot(step.word));
            break;
        case FLAT_PAUSE:
            rest(player->replay, *at++);
            break;
        case FLAT_OPERATIONS:
            break;
        }
    }
    return error;
}

/* --- Threads. --- */

/* The first error stays. */
static void note_error(struct replay *replay, int error)
{
    int none = 0;

    if (error)
        atomic_compare_exchange_strong(&replay->error, &none, error);
}

/* Among those that can be joined: a stack of which only pushing is done by many. */
static void push_finished(struct player *player)
{
    struct replay *replay = player->replay;
    struct player *first = atomic_load(&replay->finished);

    do {
        player->next_finished = first;
    } while (!atomic_compare_exchange_weak(&replay->finished, &first, player));
}

static void *play_in_thread(void *context)
{
    struct player *player = context;

    note_error(player->replay, play(player));
    worker_settle(&player->worker);
    player->handle = pthread_self(); /* pthread_create() may not have told it yet */
    push_finished(player);
    sem_post(&player->replay->finishes);
    return NULL;
}

/* Gives back the stacks of threads that have ended. Returns how many. */
static uint64_t join_finished(struct replay *replay)
{
    struct player *player = atomic_exchange(&replay->finished, NULL);
    uint64_t joined = 0;

    for (; player; joined++) {
        struct player *next = player->next_finished;
        pthread_join(player->handle, NULL);
        player = next;
    }
    atomic_fetch_add(&replay->joined, joined);
    return joined;
}

static int begin_player(struct replay *replay, uint64_t number)
{
    struct player *player = &replay->players[number];
    pthread_t handle;

    (void)join_finished(replay);
    atomic_fetch_add(&replay->started, 1);
    const int error = team_start_thread(&handle, play_in_thread, player);
    if (error)
        atomic_fetch_sub(&replay->started, 1);
    return error;
}

/* What a FLAT_START does, unless the thread began with the replay. */
static int start_player(struct replay *replay, uint32_t number)
{
    return replay->threads[number].is_started ? begin_player(replay, number) : 0;
}

/* Until all have ended: one that is waited for may start others. */
static void wait_for_players(struct replay *replay)
{
    while (atomic_load(&replay->joined) < atomic_load(&replay->started))
        if (join_finished(replay) == 0)
            sem_wait(&replay->finishes); /* an interrupted one looks again */
}

/* The first thread of the program is the main thread here; others that nobody started begin with
 * it. */
static int play_all(struct replay *replay)
{
    int error = 0;

    for (uint64_t i = 1; i < replay->head->threads && !error; i++)
        if (!replay->threads[i].is_started)
            error = begin_player(replay, i);
    if (!error)
        error = play(&replay->players[0]);
    note_error(replay, error);
    wait_for_players(replay);
    return atomic_load(&replay->error);
}

/* --- The program. --- */

static void tell_gauge(const struct replay *replay)
{
    struct workload_gauge *gauge = replay->team.context->gauge;

    for (uint64_t i = 0; i < replay->head->threads; i++) {
        struct worker *worker = &replay->players[i].worker;
        worker_settle(worker);
        gauge_add(&gauge->operations, worker->operations);
        gauge_add(&gauge->frees, worker->frees);
    }
    gauge_add(&gauge->checksum, replay->head->checksum);
}

/* What the program never freed. Its threads have ended: the main thread counts. */
static void drop_rest(const struct replay *replay)
{
    struct worker *worker = &replay->players[0].worker;

    for (size_t i = 0; i < replay->slots_bytes / sizeof *replay->slots; i++)
        slot_empty(worker, &replay->slots[i]);
    for (size_t i = 0; i < replay->shared_bytes / sizeof *replay->shared; i++) {
        struct slot slot = {atomic_load(&replay->shared[i].block), replay->shared[i].bytes};
        slot_empty(worker, &slot);
        atomic_store(&replay->shared[i].block, NULL);
    }
    worker_settle(worker);
}

static void unmap(const struct replay *replay)
{
    union {
        const struct flat_head *mapped;
        void *pages;
    } file = {.mapped = replay->head};

    if (replay->players)
        munmap(replay->players, replay->players_bytes);
    if (replay->slots)
        munmap(replay->slots, replay->slots_bytes);
    if (replay->shared)
        munmap(replay->shared, replay->shared_bytes);
    if (file.pages)
        munmap(file.pages, replay->file_bytes);
}

static int run(struct workload_context *context)
{
    static struct replay replay; /* too large for a stack */
    const uint64_t repeats = workload_value(context, "repeat");

    replay = (struct replay){.team.context = context,
                             .is_paced = workload_value(context, "pace") == PACE_RECORDED};
    sem_init(&replay.finishes, 0, 0);
    int error = open_trace(&replay, workload_text(context, "file"));
    if (!error)
        error = make_players(&replay);
    if (!error) {
        workload_phase(context, "replay");
        for (uint64_t i = 0; i < repeats && !error; i++) {
            if (i > 0)
                drop_rest(&replay);
            error = play_all(&replay);
        }
        tell_gauge(&replay);
        workload_idle(context);
        drop_rest(&replay);
    }
    unmap(&replay);
    sem_destroy(&replay.finishes);
    return error;
}

static const char *const paces[] = {"none", "recorded", NULL};

static const struct parameter parameters[] = {
    {.name = "file",
     .summary = "a trace of tidemark record, or `example`, a short program that is built in",
     .kind = PARAMETER_FILE,
     .quick = FLAT_EXAMPLE,
     .full = FLAT_EXAMPLE},
    PARAMETER_SCALED("repeat", "times that it is replayed; what is left is freed in between", 1,
                     1000000, "1", "1"),
    {.name = "pace",
     .summary = "whether the program's rests of 10 ms and more are kept",
     .kind = PARAMETER_CHOICE,
     .choices = paces,
     .quick = "none",
     .full = "none"},
    {0},
};

const struct workload workload_trace = {
    .name = "trace",
    .summary = "a recorded program's mallocs and frees, replayed",
    .source = "tidemark record",
    .parameters = parameters,
    .object_needs = ALLOCATOR_MALLOC | ALLOCATOR_FREE,
    .run = run,
};
