/*
 * The suites as data. `quick` answers the main question in minutes, `full` takes every way and
 * every row at n = 10M, `python` takes every published experiment, `pymalloc` sets ours beside
 * the real one, `survivors` is for the census of pools, `layers` shows who keeps memory between a
 * name and a page, `fidelity` is what `tidemark fidelity` compares, `classic` takes the workloads
 * of other suites and papers (docs/workloads.md). Leaves out sizes. The experiments are those that
 * people published of CPython; docs/method.md says what they are checked against.
 */
#include "harness/suite.h"

#include <string.h>

#define SECOND 1000000000u

static const char *const beneath_2_7[] = {
    "pymalloc", "pymalloc@glibc+tcache_count:0", "pymalloc@jemalloc", "pymalloc@mimalloc", NULL,
};

static const char *const four_allocators[] = {"pymalloc", "glibc", "jemalloc", "mimalloc", NULL};

/* The real allocator under the objects of its own version. */
static const char *const cpython_own[] = {"cpython", NULL};

static const char *const python_own[] = {"pymalloc", NULL};

static const char *const every_row[] = {
    "pymalloc",
    "pymalloc@glibc+tcache_count:0",
    "pymalloc@jemalloc",
    "pymalloc@mimalloc",
    "pymalloc@tcmalloc",
    "glibc",
    "glibc+tcache_count:0",
    "jemalloc",
    "mimalloc",
    "tcmalloc",
    "bump",
    "null",
    NULL,
};

static const char *const python_rows[] = {
    "pymalloc", "glibc", "jemalloc", "mimalloc", "tcmalloc", NULL,
};

static const struct suite_line quick_lines[] = {
    {"del_collect:profile=2.7,way=pass|del|del_collect", beneath_2_7, "objects", 0, 0},
    {"list_lifetime:how=del_collect,profile=3.11", four_allocators, "objects", 0, 0},
    {"list_lifetime:how=del_collect,profile=3.11", cpython_own, "objects", 0, 0},
    {"list_lifetime:how=del_collect,profile=3.11", python_own, "python3", 0, 0},
    /* One long look at each allocator: what comes back while the program only waits. */
    {"list_lifetime:how=del_collect,profile=3.11", four_allocators, "objects", 1, 12ull * SECOND},
    {0},
};

static const struct suite_line full_lines[] = {
    {"del_collect:profile=2.7,way=pass|del|del_collect|collect_without_del", every_row, "objects",
     0, 0},
    {"list_lifetime:profile=3.11,how=local|global|returned|del_collect|cycle|cycle_collect",
     every_row, "objects", 0, 0},
    {"list_lifetime:profile=3.11,how=local|global|returned|del_collect|cycle|cycle_collect",
     cpython_own, "objects", 0, 0},
    {"list_lifetime:profile=3.11,how=local|global|returned|del_collect|cycle|cycle_collect",
     python_rows, "python3", 0, 0},
    {"list_lifetime:how=del_collect,profile=3.11", four_allocators, "objects", 1, 12ull * SECOND},
    {0},
};

static const char *const python_two[] = {"pymalloc", "glibc", NULL};

/* One experiment on our runtime and on the CPython whose objects it has. */
#define ARTICLE(workload)                                                                          \
    {workload, four_allocators, "objects", 0, 0},                                                  \
    {                                                                                              \
        workload, python_two, "python3", 0, 0                                                      \
    }

static const struct suite_line python_lines[] = {
    {"del_collect:profile=2.7,way=pass|del|del_collect|collect_without_del", beneath_2_7, "objects",
     0, 0},
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
    {"bulk:n=10M,size=32,order=lifo|fifo|random", ours_and_the_real_one, "objects", 0, 0},
    {"list_lifetime:how=del_collect|cycle_collect,profile=3.11", ours_and_the_real_one, "objects",
     0, 0},
    {0},
};

static const char *const small_and_large_arenas[] = {"pymalloc-2.7", "pymalloc-3.11", NULL};

/* What is shown is where the survivors lie: one census tells it. */
static const struct suite_line survivors_lines[] = {
    {"bulk:n=1M,order=random,size=32|512,keep=2|5|10|20|50|100|200|500|1000",
     small_and_large_arenas, "objects", 0, 0},
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
    {"list_lifetime:profile=3.11,how=global|del_collect|cycle|cycle_collect", python_own, "objects",
     0, 0},
    {"del_collect:profile=2.7,way=pass|del|del_collect|collect_without_del", over_glibc, "objects",
     0, 0},
    {"free_list_pressure:profile=2.7|3.11,kind=float", python_own, "objects", 0, 0},
    {"pinning:profile=3.8|3.11,k=1000|32130|1M", python_own, "objects", 0, 0},
    {"list_lifetime:profile=3.11,how=del_collect", stock_and_eager, "objects", 0, 0},
    {"list_lifetime:profile=3.11,how=del_collect", by_time, "objects", 1, 12ull * SECOND},
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
        workload, python_own, "objects", 0, 0                                                      \
    }

/* And on the CPython of this machine. */
#define BESIDE(workload)                                                                           \
    {workload, python_own, "objects", 0, 0},                                                       \
    {                                                                                              \
        workload, python_own, "python3", 0, 0                                                      \
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
         glibc_without_tcache, "objects", 0, 0},                                                   \
        {"del_collect:n=1M|2M|4M|5M,way=pass,profile=2.7", glibc_without_tcache, "objects", 0, 0}, \
        {"list_lifetime:n=10M,how=local|del_collect|cycle_collect,profile=2.7",                    \
         glibc_without_tcache, "objects", 0, 0},                                                   \
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
     "objects", 0, 0},
    BESIDE("del_collect:n=1M|2M|4M|4194k|4195k|5M,way=pass,profile=3.11"),
    {"list_lifetime:n=10M,how=local|del_collect|cycle_collect,profile=3.11", mallocs_alone,
     "objects", 0, 0},
    {"list_lifetime:n=10M,how=local|del_collect|cycle_collect,profile=3.11", mallocs_alone,
     "python3", 0, 0},
    BESIDE("dedupe_set:n=1M,distinct=few|all,profile=3.11"),
    BESIDE("interning:n=500k,how=interned|separate,profile=3.11"),
    BESIDE("cycles:n=200k,shape=rings|parents_strong|parents_weak,profile=3.11"),
    BESIDE("waste:n=100k,values=dropped|retained,profile=3.11"),
    BESIDE("global_leak:n=100k,seen=global|local,profile=3.11"),
    BESIDE("free_list_pressure:n=200k,kind=float|list,profile=3.11"),
    BESIDE("async_tasks:n=100k,end=cancelled|finished,profile=3.11"),
    BESIDE("compress:n=8M,data=repetitive|random,profile=3.11"),
    {"list_lifetime:n=10M,how=del_collect,profile=3.13", mimalloc_alone, "objects", 0, 0},
    {"pinning:n=10M,k=32130,profile=3.13", mimalloc_alone, "objects", 0, 0},
    {0},
};

/* Threads need a row that any of them may call. */
static const char *const by_threads[] = {
    "glibc", "jemalloc", "mimalloc", "tcmalloc", "pymalloc-locked", NULL,
};

static const char *const by_one_thread[] = {
    "glibc", "jemalloc", "mimalloc", "tcmalloc", "pymalloc", NULL,
};

/* Before 2.1 mimalloc's aligned blocks are not, and the workload says so by failing. */
static const char *const by_alignment[] = {"glibc", "jemalloc", "tcmalloc", NULL};

static const char *const by_region[] = {"bump", NULL};

#define THREADED(workload)                                                                         \
    {                                                                                              \
        workload, by_threads, "objects", 0, 0                                                      \
    }
#define SINGLE(workload)                                                                           \
    {                                                                                              \
        workload, by_one_thread, "objects", 0, 0                                                   \
    }

static const struct suite_line classic_lines[] = {
    THREADED("larson:threads=1..2"),
    THREADED("xmalloc"),
    THREADED("cache_scratch:threads=1..2"),
    THREADED("cache_thrash:threads=1..2"),
    THREADED("threadtest:threads=1..2"),
    SINGLE("glibc_simple:size=16|64"),
    THREADED("glibc_thread:threads=1..2"),
    SINGLE("malloc_large"),
    THREADED("mleak"),
    THREADED("mstress"),
    THREADED("rptest"),
    THREADED("alloc_test:threads=1..2"),
    THREADED("linux_scalability:threads=1..2"),
    SINGLE("realloc_grow"),
    {"aligned_mix", by_alignment, "objects", 0, 0},
    SINGLE("calloc_zero"),
    THREADED("phong"),
    THREADED("sh6"),
    THREADED("sh8"),
    SINGLE("ffworst"),
    SINGLE("hoardworst"),
    THREADED("acdc"),
    THREADED("fleet"),
    SINGLE("barnes"),
    SINGLE("cfrac"),
    SINGLE("request_server:how=blocks"),
    {"request_server:how=region", by_region, "objects", 0, 0},
    SINGLE("compiler_phases:how=blocks"),
    {"compiler_phases:how=region", by_region, "objects", 0, 0},
    SINGLE("documents:how=blocks"),
    {"documents:how=region", by_region, "objects", 0, 0},
    SINGLE("entity_pools:how=blocks|chunks"),
    SINGLE("undo_stack"),
    THREADED("server_day"),
    SINGLE("fragment_drift"),
    {0},
};

const struct suite suite_registry[] = {
    {.name = "quick",
     .summary =
         "del, then collect: n = 5M, 6 rounds, 0.5 s idle, and one idle curve of 12 s an allocator",
     .size = SIZE_QUICK,
     .rounds = 6,
     .idle_ns = SECOND / 2,
     .lines = quick_lines},
    {.name = "full",
     .summary =
         "every way and every row at n = 10M, 6 rounds, real CPython on five mallocs beside it",
     .size = SIZE_FULL,
     .rounds = 6,
     .idle_ns = SECOND / 2,
     .lines = full_lines},
    {.name = "python",
     .summary = "every experiment of the articles, 3 rounds, real CPython on two mallocs beside it",
     .size = SIZE_QUICK,
     .rounds = 3,
     .idle_ns = SECOND / 10,
     .lines = python_lines},
    {.name = "pymalloc",
     .summary = "our pymalloc beside CPython's own, at n = 10M, 12 rounds",
     .size = SIZE_FULL,
     .rounds = 12,
     .idle_ns = 0,
     .lines = pymalloc_lines},
    {.name = "survivors",
     .summary = "which pools and arenas one block in k keeps from going back, k = 2 to 1000, one "
                "sample each",
     .size = SIZE_QUICK,
     .rounds = 1,
     .idle_ns = 0,
     .lines = survivors_lines},
    {.name = "layers",
     .summary = "from del to the page: who keeps memory at each layer, n = 10M, 3 rounds, and 12 s "
                "of decay",
     .size = SIZE_FULL,
     .rounds = 3,
     .idle_ns = SECOND / 10,
     .lines = layers_lines},
    {.name = "fidelity",
     .summary = "what tidemark fidelity holds against real CPythons, one sample each",
     .size = SIZE_FULL,
     .rounds = 1,
     .idle_ns = SECOND / 20,
     .lines = fidelity_lines},
    {.name = "fidelity_full",
     .summary = "the same, with other mallocs and every other article, one sample each",
     .size = SIZE_FULL,
     .rounds = 1,
     .idle_ns = SECOND / 20,
     .lines = fidelity_full_lines},
    {.name = "classic",
     .summary = "the workloads of other suites and papers, and programs of a known shape, 3 rounds",
     .size = SIZE_QUICK,
     .rounds = 3,
     .idle_ns = SECOND / 2,
     .lines = classic_lines},
};
const size_t suite_registry_count = sizeof suite_registry / sizeof suite_registry[0];

const struct suite *suite_find(const char *name)
{
    for (size_t i = 0; i < suite_registry_count; i++) {
        if (strcmp(suite_registry[i].name, name) == 0)
            return &suite_registry[i];
    }
    return NULL;
}
