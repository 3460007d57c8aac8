/*
 * Tables in mappings of their own, on a list of those that are free. Leaves out giving memory back:
 * a process has as many as it had threads at once.
 */
#define _GNU_SOURCE
#include "harness/latency_table.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

_Static_assert(LATENCY_CLASSES <= 32, "a set of classes has 32 bits");

static struct {
    pthread_mutex_t lock;
    struct latency_table *all[LATENCY_THREADS];
    unsigned count;
    struct latency_table *free;
    unsigned threads; /* that ever had one */
} tables = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Of zeros. NULL without memory, or when there are too many. */
static struct latency_table *make_table(void)
{
    if (tables.count == LATENCY_THREADS)
        return NULL;
    struct latency_table *table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (table == MAP_FAILED)
        return NULL;
    /* One value is not to take 2 MiB. */
    madvise(table, sizeof *table, MADV_NOHUGEPAGE);
    tables.all[tables.count++] = table;
    return table;
}

struct latency_table *latency_table_take(void)
{
    pthread_mutex_lock(&tables.lock);
    struct latency_table *table = tables.free ? tables.free : make_table();
    if (table) {
        tables.free = table->next;
        table->next = NULL;
        table->thread = tables.threads++;
    }
    pthread_mutex_unlock(&tables.lock);
    if (!table)
        return NULL;
    thread_events_open(&table->events); /* without them there are no tags: the file says so */
    table->system_calls = ledger_trap_thread();
    return table;
}

void latency_table_give_back(struct latency_table *table)
{
    thread_events_close(&table->events);
    pthread_mutex_lock(&tables.lock);
    table->next = tables.free;
    tables.free = table;
    pthread_mutex_unlock(&tables.lock);
}

static struct ledger_thread calls_between(const struct latency_mark *before,
                                          const struct latency_mark *after)
{
    const struct ledger_thread *from = &before->system_calls, *to = &after->system_calls;
    struct ledger_thread between = {.all = to->all - from->all};

    for (size_t i = 0; i < LEDGER_CALLS; i++)
        between.by_call[i] = to->by_call[i] - from->by_call[i];
    return between;
}

static struct latency_slow *least_of(struct latency_slowest *slowest)
{
    struct latency_slow *least = &slowest->calls[0];

    for (unsigned i = 1; i < slowest->count; i++) {
        if (slowest->calls[i].call.ticks < least->call.ticks)
            least = &slowest->calls[i];
    }
    return least;
}

static void keep(struct latency_slowest *slowest, const struct latency_slow *slow)
{
    if (slow->call.ticks <= slowest->least_ticks)
        return;
    if (slowest->count < LATENCY_SLOWEST)
        slowest->calls[slowest->count++] = *slow;
    else
        *least_of(slowest) = *slow;
    if (slowest->count == LATENCY_SLOWEST)
        slowest->least_ticks = least_of(slowest)->call.ticks;
}

static void keep_slow(struct latency_spot *spot, const struct latency_slow *slow)
{
    keep(slow->events.preemptions > 0 ? &spot->preempted : &spot->undisturbed, slow);
}

void latency_table_keep(struct latency_table *table, unsigned spot_index,
                        const struct latency_call *call, const struct latency_mark *before,
                        const struct latency_mark *after)
{
    struct latency_slow slow = {.call = *call, .thread = table->thread};

    thread_events_between(&table->events, before->events, after->events, &slow.events);
    slow.system_calls = calls_between(before, after);
    keep_slow(&table->spots[spot_index], &slow);
}

void latency_table_add_system_calls(struct latency_spot *spot, const struct latency_mark *before,
                                    const struct latency_mark *after)
{
    const struct ledger_thread between = calls_between(before, after);

    spot->trapped_count++;
    for (size_t i = 0; i < LEDGER_CALLS; i++)
        spot->system_calls[i] += between.by_call[i];
}

void latency_tables_reset(void)
{
    for (unsigned i = 0; i < tables.count; i++) {
        struct latency_table *table = tables.all[i];
        for (unsigned at = 0; at < LATENCY_SPOTS; at++) {
            for (unsigned class = 0; class < LATENCY_CLASSES; class ++) {
                if (table->spots[at].classes >> class & 1)
                    memset(&table->histograms[at][class], 0, sizeof table->histograms[at][class]);
            }
        }
        memset(table->spots, 0, sizeof table->spots);
    }
}

static void merge_slowest(struct latency_spot *spot, const struct latency_slowest *other)
{
    for (unsigned i = 0; i < other->count; i++)
        keep_slow(spot, &other->calls[i]);
}

static void merge_spot(struct latency_spot *spot, const struct latency_spot *other)
{
    spot->classes |= other->classes;
    spot->faulted_count += other->faulted_count;
    spot->faulted_ticks += other->faulted_ticks;
    spot->trapped_count += other->trapped_count;
    for (size_t i = 0; i < LEDGER_CALLS; i++)
        spot->system_calls[i] += other->system_calls[i];
    merge_slowest(spot, &other->undisturbed);
    merge_slowest(spot, &other->preempted);
}

/* Puts a call at its place among `count` sorted ones. */
static void insert(struct latency_slow *calls, unsigned count, const struct latency_slow *slow)
{
    unsigned at = count;

    for (; at > 0 && calls[at - 1].call.ticks < slow->call.ticks; at--)
        calls[at] = calls[at - 1];
    calls[at] = *slow;
}

unsigned latency_spot_sort(const struct latency_spot *spot,
                           struct latency_slow calls[LATENCY_MOST_SLOWEST])
{
    unsigned count = 0;

    for (unsigned i = 0; i < spot->undisturbed.count; i++)
        insert(calls, count++, &spot->undisturbed.calls[i]);
    for (unsigned i = 0; i < spot->preempted.count; i++)
        insert(calls, count++, &spot->preempted.calls[i]);
    return count;
}

void latency_tables_spot(unsigned spot_index, struct latency_spot *spot)
{
    memset(spot, 0, sizeof *spot);
    for (unsigned i = 0; i < tables.count; i++)
        merge_spot(spot, &tables.all[i]->spots[spot_index]);
}

void latency_tables_histogram(unsigned spot_index, unsigned size_class,
                              struct latency_histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
    for (unsigned i = 0; i < tables.count; i++) {
        const struct latency_table *table = tables.all[i];
        if (table->spots[spot_index].classes >> size_class & 1)
            latency_histogram_merge(histogram, &table->histograms[spot_index][size_class]);
    }
}
