/*
 * Suites of CPython's memory: the experiments that people published of it, ours beside the real
 * one, which pools stay, and what `tidemark fidelity` compares. Leaves out sizes. docs/method.md
 * says what they are checked against.
 */
#include "harness/suite.h"
#include "harness/suite_rows.h"

#include <stddef.h>

#define SECOND 1000000000u

static const char *const python_two[] = {"pymalloc", "glibc", NULL};

/* One experiment on our runtime and on the CPython whose objects it has. */
#define ARTICLE(workload)                                                                          \
    {workload, rows_four, "objects", 0, 0, NULL},                                                  \
    {                                                                                              \
        workload, python_two, "python3", 0, 0, NULL                                                \
    }

static const struct suite_line python_lines[] = {
    {"del_collect:profile=2.7,way=pass|del|del_collect|collect_without_del", rows_beneath_2_7,
     "objects", 0, 0, NULL},
    ARTICLE("del_collect:profile=3.11,way=pass|del_collect,source=range|xrange"),
    ARTICLE("user_batches:profile=3.11,collect=batch|never|disabled"),
    ARTICLE("user_batches:profile=3.11,collect=batch|never,results=kept"),
    ARTICLE("waste:profile=3.11,values=dropped|retained"),
    ARTICLE("free_list_pressure:profile=3.11,kind=float|list"),
    ARTICLE("list_lifetime:profile=3.11,how=local|global|returned|del_collect"),
    ARTICLE("cycles:profile=3.11,shape=two_lists|rings|parents_strong|parents_weak"),
    ARTICLE("slice_copy:profile=3.11,how=slice|name"),
    ARTICLE("generator_vs_list:profile=3.11,numbers=generator|list"),
    ARTICLE("dedupe_set:profile=3.11,distinct=few|all"),
    ARTICLE("interning:profile=3.11,how=interned|separate"),
    ARTICLE("bounded_history:profile=3.11,history=bounded|deque|list"),
    ARTICLE("global_leak:profile=3.11,seen=global|local"),
    ARTICLE("compress:profile=3.11,data=repetitive|random"),
    ARTICLE("async_tasks:profile=3.11,end=cancelled|finished"),
    ARTICLE("threads_shared:profile=3.11,threads=1|4"),
    ARTICLE("pinning:profile=3.11,k=510|32130"),
    {0},
};

static const char *const ours_and_the_real_one[] = {"pymalloc-3.11", "cpython", NULL};

/* Orders of frees first: they differ in what a processor's caches have. */
static const struct suite_line pymalloc_lines[] = {
    {"bulk:n=10M,size=32,order=lifo|fifo|random", ours_and_the_real_one, "objects", 0, 0, NULL},
    {"list_lifetime:how=del_collect|cycle_collect,profile=3.11", ours_and_the_real_one, "objects",
     0, 0, NULL},
    {0},
};

static const char *const small_and_large_arenas[] = {"pymalloc-2.7", "pymalloc-3.11", NULL};

/* What is shown is where the survivors lie: one census tells it. */
static const struct suite_line survivors_lines[] = {
    {"bulk:n=1M,order=random,size=32|512,keep=2|5|10|20|50|100|200|500|1000",
     small_and_large_arenas, "objects", 0, 0, NULL},
    {0},
};

/* Glibc's thread cache decides whether the top of the heap can be trimmed. */
static const char *const over_glibc[] = {"pymalloc", "pymalloc@glibc+tcache_count:0", NULL};

/* Each as it comes, and told to give back at once. */
static const char *const stock_and_eager[] = {
    "glibc",
    "jemalloc",
    "jemalloc+dirty_decay_ms:0",
    "mimalloc",
    "mimalloc+decommit_delay:0",
    "tcmalloc",
    "tcmalloc+aggressive_decommit:1",
    NULL,
};

/* Pages that go back as time passes: only while the program allocates, by a thread, or for the
 * kernel to take when it needs them. */
static const char *const by_time[] = {
    "jemalloc",
    "jemalloc+background_thread:true",
    "jemalloc+background_thread:true+muzzy_decay_ms:-1",
    NULL,
};

/* One experiment for each layer between a name and a page. */
static const struct suite_line layers_lines[] = {
    {"list_lifetime:profile=3.11,how=global|del_collect|cycle|cycle_collect", rows_pymalloc,
     "objects", 0, 0, NULL},
    {"del_collect:profile=2.7,way=pass|del|del_collect|collect_without_del", over_glibc, "objects",
     0, 0, NULL},
    {"free_list_pressure:profile=2.7|3.11,kind=float", rows_pymalloc, "objects", 0, 0, NULL},
    {"pinning:profile=3.8|3.11,k=1000|32130|1M", rows_pymalloc, "objects", 0, 0, NULL},
    {"list_lifetime:profile=3.11,how=del_collect", stock_and_eager, "objects", 0, 0, NULL},
    {"list_lifetime:profile=3.11,how=del_collect", by_time, "objects", 1, 12ull * SECOND, NULL},
    {0},
};

static const char *const glibc_without_tcache[] = {"pymalloc@glibc+tcache_count:0", NULL};

/* jemalloc with a decay so slow that what it keeps does not hang on the machine's speed. */
#define SLOW_JEMALLOC "jemalloc+dirty_decay_ms:600000"

static const char *const mallocs_beneath_2_7[] = {
    "pymalloc@" SLOW_JEMALLOC,
    "pymalloc@mimalloc",
    "pymalloc@tcmalloc",
    NULL,
};

static const char *const mallocs_alone[] = {
    "glibc", "glibc+tcache_count:0", SLOW_JEMALLOC, "mimalloc", "tcmalloc", NULL,
};

/* What stands in for a CPython without the lock, whose objects come from mimalloc. */
static const char *const mimalloc_alone[] = {"mimalloc", NULL};

/* A program of the object profile, on the allocator of its version. */
#define REPLAYED(workload)                                                                         \
    {                                                                                              \
        workload, rows_pymalloc, "objects", 0, 0, NULL                                             \
    }

/* And on the CPython of this machine. */
#define BESIDE(workload)                                                                           \
    {workload, rows_pymalloc, "objects", 0, 0, NULL},                                              \
    {                                                                                              \
        workload, rows_pymalloc, "python3", 0, 0, NULL                                             \
    }

/* Of the version `profile`: the loop, the list and the survivors that recorded.json has of it. */
#define OF_VERSION(line, profile)                                                                  \
    line("del_collect:n=10M,way=pass|del|del_collect|collect_without_del,profile=" profile),       \
        line("del_collect:n=10M,way=pass|del|del_collect,source=xrange,profile=" profile),         \
        line("list_lifetime:n=10M,how=local|global|returned|del_collect|cycle|cycle_collect,"      \
             "profile=" profile)

#define SMALL_OF_VERSION(line, profile)                                                            \
    line("user_batches:n=8k,collect=never|batch,links=cyclic|acyclic,profile=" profile),           \
        line("slice_copy:n=1M,profile=" profile)

#define SMALL_OF_3(line, profile)                                                                  \
    SMALL_OF_VERSION(line, profile),                                                               \
        line("generator_vs_list:n=1M,numbers=generator|list,profile=" profile),                    \
        line("bounded_history:n=1M,history=bounded|deque,maxlen=10,profile=" profile)

#define SURVIVORS(line, profile) line("pinning:n=10M,k=510|32130,profile=" profile)

/* What recorded.json has (tests/fidelity_table_test.py holds the two together). */
#define FIDELITY_LINES                                                                             \
    OF_VERSION(REPLAYED, "2.7"), SMALL_OF_VERSION(REPLAYED, "2.7"), SURVIVORS(REPLAYED, "2.7"),    \
        {"del_collect:n=10M,way=del_collect|collect_without_del,profile=2.7",                      \
         glibc_without_tcache,                                                                     \
         "objects",                                                                                \
         0,                                                                                        \
         0,                                                                                        \
         NULL},                                                                                    \
        {"del_collect:n=1M|2M|4M|5M,way=pass,profile=2.7",                                         \
         glibc_without_tcache,                                                                     \
         "objects",                                                                                \
         0,                                                                                        \
         0,                                                                                        \
         NULL},                                                                                    \
        {"list_lifetime:n=10M,how=local|del_collect|cycle_collect,profile=2.7",                    \
         glibc_without_tcache,                                                                     \
         "objects",                                                                                \
         0,                                                                                        \
         0,                                                                                        \
         NULL},                                                                                    \
        OF_VERSION(REPLAYED, "3.8"), SMALL_OF_3(REPLAYED, "3.8"), SURVIVORS(REPLAYED, "3.8"),      \
        OF_VERSION(BESIDE, "3.11"), SMALL_OF_3(BESIDE, "3.11"), SURVIVORS(BESIDE, "3.11"),         \
        OF_VERSION(REPLAYED, "3.13"), SMALL_OF_3(REPLAYED, "3.13")

static const struct suite_line fidelity_lines[] = {
    FIDELITY_LINES,
    {0},
};

static const struct suite_line fidelity_full_lines[] = {
    FIDELITY_LINES,
    {"del_collect:n=10M,way=pass|del_collect|collect_without_del,profile=2.7", mallocs_beneath_2_7,
     "objects", 0, 0, NULL},
    BESIDE("del_collect:n=1M|2M|4M|4194k|4195k|5M,way=pass,profile=3.11"),
    {"list_lifetime:n=10M,how=local|del_collect|cycle_collect,profile=3.11", mallocs_alone,
     "objects", 0, 0, NULL},
    {"list_lifetime:n=10M,how=local|del_collect|cycle_collect,profile=3.11", mallocs_alone,
     "python3", 0, 0, NULL},
    BESIDE("dedupe_set:n=1M,distinct=few|all,profile=3.11"),
    BESIDE("interning:n=500k,how=interned|separate,profile=3.11"),
    BESIDE("cycles:n=200k,shape=rings|parents_strong|parents_weak,profile=3.11"),
    BESIDE("waste:n=100k,values=dropped|retained,profile=3.11"),
    BESIDE("global_leak:n=100k,seen=global|local,profile=3.11"),
    BESIDE("free_list_pressure:n=200k,kind=float|list,profile=3.11"),
    BESIDE("async_tasks:n=100k,end=cancelled|finished,profile=3.11"),
    BESIDE("compress:n=8M,data=repetitive|random,profile=3.11"),
    {"list_lifetime:n=10M,how=del_collect,profile=3.13", mimalloc_alone, "objects", 0, 0, NULL},
    {"pinning:n=10M,k=32130,profile=3.13", mimalloc_alone, "objects", 0, 0, NULL},
    {0},
};

const struct suite suite_python = {
    .name = "python",
    .summary = "every experiment of the articles, 3 rounds, real CPython on two mallocs beside it",
    .size = SIZE_QUICK,
    .rounds = 3,
    .idle_ns = SECOND / 10,
    .lines = python_lines,
};

const struct suite suite_pymalloc = {
    .name = "pymalloc",
    .summary = "our pymalloc beside CPython's own, at n = 10M, 12 rounds",
    .size = SIZE_FULL,
    .rounds = 12,
    .idle_ns = 0,
    .lines = pymalloc_lines,
};

const struct suite suite_survivors = {
    .name = "survivors",
    .summary = "which pools and arenas one block in k keeps from going back, k = 2 to 1000, one "
               "sample each",
    .size = SIZE_QUICK,
    .rounds = 1,
    .idle_ns = 0,
    .lines = survivors_lines,
};

const struct suite suite_layers = {
    .name = "layers",
    .summary = "from del to the page: who keeps memory at each layer, n = 10M, 3 rounds, and 12 s "
               "of decay",
    .size = SIZE_FULL,
    .rounds = 3,
    .idle_ns = SECOND / 10,
    .lines = layers_lines,
};

const struct suite suite_fidelity = {
    .name = "fidelity",
    .summary = "what tidemark fidelity holds against real CPythons, one sample each",
    .size = SIZE_FULL,
    .rounds = 1,
    .idle_ns = SECOND / 20,
    .lines = fidelity_lines,
};

const struct suite suite_fidelity_full = {
    .name = "fidelity_full",
    .summary = "the same, with other mallocs and every other article, one sample each",
    .size = SIZE_FULL,
    .rounds = 1,
    .idle_ns = SECOND / 20,
    .lines = fidelity_full_lines,
};
