/*
 * Suites that compare allocators: the first look, giving memory back, the workloads of other
 * suites and papers, regions, threads, and all of them. Leaves out sizes (harness/suite.h), and
 * what each workload does (docs/workloads.md).
 */
#include "harness/suite.h"
#include "harness/suite_rows.h"

#include <stddef.h>

#define SECOND 1000000000u

/* --- A first look. --- */

/* Threads need a row that any of them may call. */
static const char *const general_rows[] = {
    "glibc", "jemalloc", "mimalloc", "tcmalloc", "pymalloc-locked", NULL,
};

static const char *const some_regions[] = {"bump", "mimalloc-heap", "frees", NULL};

/* Whose arenas go back, and whose do not. */
static const char *const quick_beneath_2_7[] = {
    "pymalloc",
    "pymalloc@glibc+tcache_count:0",
    "pymalloc@jemalloc",
    NULL,
};

/* Those that keep what was freed; pymalloc gives it back at once. */
static const char *const that_wait[] = {"glibc", "jemalloc", "mimalloc", NULL};

static const struct suite_line quick_lines[] = {
    {"del_collect:profile=2.7,way=pass|del|del_collect", quick_beneath_2_7, "objects", 0, 0, NULL},
    {"list_lifetime:how=del_collect,profile=3.11", rows_four, "objects", 0, 0, NULL},
    {"list_lifetime:how=del_collect,profile=3.11", rows_cpython, "objects", 0, 0, NULL},
    {"list_lifetime:how=del_collect,profile=3.11", rows_pymalloc, "python3", 0, 0, NULL},
    /* Threads that hand blocks on, a server, and a server's regions. */
    {"larson:threads=2", general_rows, "objects", 3, 0, NULL},
    {"request_server:how=blocks", general_rows, "objects", 3, 0, NULL},
    {"request_server:how=region", some_regions, "objects", 3, 0, NULL},
    /* One long look at each allocator: what comes back while the program only waits. */
    {"list_lifetime:how=del_collect,profile=3.11", that_wait, "objects", 1, 12ull * SECOND, NULL},
    {0},
};

/* --- Giving memory back. --- */

static const char *const give_back_rows[] = {
    "glibc", "jemalloc", "mimalloc", "tcmalloc", "tbb", "boehm", "pymalloc", NULL,
};

static const struct return_way ways_of_giving[] = {
    {.mode = RETURN_STOCK, .rebuilds = 1},
    {.mode = RETURN_EAGER, .rebuilds = 1},
    {.mode = RETURN_PURGE, .rebuilds = 1},
    {.mode = RETURN_PRESSURE, .rebuilds = 1},
};
static const struct suite_ways gives = {ways_of_giving, 4};

/* The same but for the kernel's part. */
static const struct suite_ways asked = {ways_of_giving, 3};

/* A long rest, with nothing to do and with a little: an object and a buffer a millisecond, as
 * jemalloc looks at its clock once in a thousand calls that come past its caches
 * (DECAY_NTICKS_PER_UPDATE). */
static const struct return_way ways_of_resting[] = {
    {.mode = RETURN_IDLE, .rebuilds = 1},
    {.mode = RETURN_IDLE, .activity_ns = SECOND / 1000, .rebuilds = 1},
};
static const struct suite_ways rests = {ways_of_resting, 2};

static const struct return_way ways_of_huge_pages[] = {
    {.mode = RETURN_STOCK, .thp = RETURN_THP_ON, .rebuilds = 1},
    {.mode = RETURN_STOCK, .thp = RETURN_THP_OFF, .rebuilds = 1},
};
static const struct suite_ways huge_pages = {ways_of_huge_pages, 2};

/* 250 MB of small blocks, all of them freed, or all but one in fifty. */
#define LARGER_BLOCKS  "bulk:n=500k,size=500,order=fifo,keep=0|50"
#define SMALLER_BLOCKS "bulk:n=5M,size=48,order=fifo,keep=0|50"
#define OBJECTS        "list_lifetime:how=del_collect,profile=3.11"

/* What others published of, as docs/return.md tells: many small blocks, one in twenty kept, and a
 * few that are just below the largest threshold from which glibc maps each. */
#define PUBLISHED(workload)                                                                        \
    {                                                                                              \
        workload, published_rows, "objects", 0, 0, &asked                                          \
    }

static const char *const published_rows[] = {"glibc", "jemalloc", "mimalloc", "tcmalloc", NULL};

static const struct suite_line return_lines[] = {
    {LARGER_BLOCKS, give_back_rows, "objects", 0, 0, &gives},
    {SMALLER_BLOCKS, give_back_rows, "objects", 0, 0, &gives},
    {OBJECTS, rows_four, "objects", 0, 0, &gives},
    PUBLISHED("bulk:n=8M,size=56,order=fifo,keep=0"),
    PUBLISHED("bulk:n=300k,size=1000,order=fifo,keep=20"),
    PUBLISHED("bulk:n=32,size=33554431,order=fifo,keep=0"),
    {LARGER_BLOCKS, give_back_rows, "objects", 0, 0, &huge_pages},
    {LARGER_BLOCKS, give_back_rows, "objects", 1, 0, &rests},
    {OBJECTS, rows_four, "objects", 1, 0, &rests},
    {0},
};

/* --- Workloads of other suites and papers, and programs of a known shape. --- */

static const char *const by_one_thread[] = {
    "glibc", "jemalloc", "mimalloc", "tcmalloc", "pymalloc", NULL,
};

/* Before 2.1 mimalloc's aligned blocks are not, and the workload says so by failing. */
static const char *const by_alignment[] = {"glibc", "jemalloc", "tcmalloc", NULL};

static const char *const by_region[] = {"bump", NULL};

#define THREADED(workload)                                                                         \
    {                                                                                              \
        workload, general_rows, "objects", 0, 0, NULL                                              \
    }
#define SINGLE(workload)                                                                           \
    {                                                                                              \
        workload, by_one_thread, "objects", 0, 0, NULL                                             \
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
    {"aligned_mix", by_alignment, "objects", 0, 0, NULL},
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
    {"request_server:how=region", by_region, "objects", 0, 0, NULL},
    SINGLE("compiler_phases:how=blocks"),
    {"compiler_phases:how=region", by_region, "objects", 0, 0, NULL},
    SINGLE("documents:how=blocks"),
    {"documents:how=region", by_region, "objects", 0, 0, NULL},
    SINGLE("entity_pools:how=blocks|chunks"),
    SINGLE("undo_stack"),
    THREADED("server_day"),
    SINGLE("fragment_drift"),
    {0},
};

/* --- Regions. --- */

/* All that can end many objects at once, and the general allocators with a list of frees in the
 * same place, as a program without regions would have it. */
static const char *const region_rows[] = {
    "bump",           "obstack", "apr",           "talloc",         "pmr-monotonic",
    "pmr-pool",       "frees",   "mimalloc-heap", "jemalloc-arena", "frees@jemalloc",
    "frees@mimalloc", NULL,
};

/* The same work with a call of free for each object. */
static const char *const block_rows[] = {"glibc", "jemalloc", "mimalloc", NULL};

#define IN_REGIONS(workload)                                                                       \
    {workload ":how=region", region_rows, "objects", 0, 0, NULL},                                  \
    {                                                                                              \
        workload ":how=blocks", block_rows, "objects", 0, 0, NULL                                  \
    }

static const struct suite_line regions_lines[] = {
    IN_REGIONS("request_server"),
    IN_REGIONS("compiler_phases"),
    IN_REGIONS("documents"),
    {0},
};

/* --- Threads. --- */

/* Each safe for threads; glibc with one arena for all of them too. */
static const char *const thread_rows[] = {
    "glibc", "glibc+arena_max:1", "jemalloc", "mimalloc", "tcmalloc",
    "tbb",   "pymalloc-locked",   NULL,
};

/* To twice as many as there are cores on the machine that the suites are made for. */
#define SWEPT(workload)                                                                            \
    {                                                                                              \
        workload ":threads=1|2|4", thread_rows, "objects", 0, 0, NULL                              \
    }

static const struct suite_line threads_lines[] = {
    SWEPT("larson"),
    SWEPT("xmalloc"),
    SWEPT("cache_scratch"),
    SWEPT("cache_thrash"),
    SWEPT("threadtest"),
    SWEPT("glibc_thread"),
    SWEPT("mstress"),
    SWEPT("rptest"),
    SWEPT("alloc_test"),
    SWEPT("linux_scalability"),
    SWEPT("sh6"),
    SWEPT("sh8"),
    {0},
};

/* --- Everything. --- */

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

static const struct suite_line full_lines[] = {
    {"del_collect:profile=2.7,way=pass|del|del_collect|collect_without_del", every_row, "objects",
     0, 0, NULL},
    {"list_lifetime:profile=3.11,how=local|global|returned|del_collect|cycle|cycle_collect",
     every_row, "objects", 0, 0, NULL},
    {"list_lifetime:profile=3.11,how=local|global|returned|del_collect|cycle|cycle_collect",
     rows_cpython, "objects", 0, 0, NULL},
    {"list_lifetime:profile=3.11,how=local|global|returned|del_collect|cycle|cycle_collect",
     python_rows, "python3", 0, 0, NULL},
    {"list_lifetime:how=del_collect,profile=3.11", rows_four, "objects", 1, 12ull * SECOND, NULL},
    {0},
};

static const struct suite *const full_parts[] = {
    &suite_return, &suite_classic,  &suite_regions, &suite_threads,
    &suite_python, &suite_programs, NULL,
};

/* --- The suites. --- */

const struct suite suite_quick = {
    .name = "quick",
    .summary = "del, then collect: n = 5M, 6 rounds, 0.2 s idle, one idle curve of 12 s of "
               "those that keep memory, and a server on blocks and on regions",
    .size = SIZE_QUICK,
    .rounds = 6,
    .idle_ns = SECOND / 5,
    .lines = quick_lines,
};

const struct suite suite_return = {
    .name = "return",
    .summary = "how much goes back and how soon: as it comes, eager, purged, under pressure, with "
               "huge pages and without, 3 rounds, and 30 s of rest, with a little activity and "
               "with none",
    .size = SIZE_QUICK,
    .rounds = 3,
    .idle_ns = SECOND + SECOND / 10, /* past the moment at 1 s */
    .lines = return_lines,
    .passes = "none",
};

const struct suite suite_classic = {
    .name = "classic",
    .summary = "the workloads of other suites and papers, and programs of a known shape, 3 rounds",
    .size = SIZE_QUICK,
    .rounds = 3,
    .idle_ns = SECOND / 5,
    .lines = classic_lines,
};

const struct suite suite_regions = {
    .name = "regions",
    .summary = "what can end many objects at once, beside a list of frees and a free for each, 3 "
               "rounds, with what each keeps and its system calls",
    .size = SIZE_QUICK,
    .rounds = 3,
    .idle_ns = SECOND / 5,
    .lines = regions_lines,
    .passes = "ledger,pages",
};

const struct suite suite_threads = {
    .name = "threads",
    .summary = "1, 2 and 4 threads on what any of them may call, 3 rounds",
    .size = SIZE_QUICK,
    .rounds = 3,
    .idle_ns = SECOND / 5,
    .lines = threads_lines,
    .passes = "none",
};

const struct suite suite_full = {
    .name = "full",
    .summary =
        "every way and every row at n = 10M, real CPython on five mallocs beside it, and "
        "all of return, classic, regions, threads, python and programs at full size, 3 rounds",
    .size = SIZE_FULL,
    .rounds = 3,
    .idle_ns = SECOND / 2,
    .lines = full_lines,
    .parts = full_parts,
};
