/*
 * tidemark-micro: what one call of an allocator costs, by size, in the best case: one thread, a
 * warm cache. Leaves out memory returned, contention and real lifetimes, which workloads have, and
 * the reading of rows: `tidemark micro` starts it once per row, tunables already in the
 * environment. That the row `null` measures the loop itself is fio's idea; the clock and the
 * choice of iteration counts are Google Benchmark's.
 *
 * Google Benchmark allocates from libc, outside of the measured loops: only `glibc` shares a heap
 * with it.
 */
#include "allocators/null.h"
#include "harness/gbench_shim.h"
#include "harness/open_row.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NOT_AVAILABLE = 3 };

enum {
    BLOCKS = 1000,
    SMALLEST_BYTES = 8,
    LARGEST_PAIR_BYTES = 1 << 20,
    LARGEST_MANY_BYTES = 4096,
    DISPATCH_BYTES = 64
};

static int failed_benchmarks;

static void fail(struct tidemark_gbench_state *state, const char *reason)
{
    failed_benchmarks++;
    tidemark_gbench_skip_with_error(state, reason);
}

/* Every block is written, as a program would: the first word, since its header and its line are
 * what a free touches next. */
static void write_word(void *block, int64_t word)
{
    *(int64_t *)block = word;
    tidemark_gbench_do_not_optimize(block);
}

/*
 * The calls go through the pointers of struct allocator_ops, loaded anew each time, as a workload
 * makes them: the compiler cannot know what open_row() put there. It is inlined so that the same
 * loop, given operations that are known, becomes one with direct calls (run_direct, run_loop).
 */
static inline __attribute__((always_inline)) void
measure_pairs(struct tidemark_gbench_state *state, const struct allocator_ops *ops, size_t size)
{
    for (int64_t left; (left = tidemark_gbench_keep_running_batch(state)) > 0;) {
        for (; left > 0; left--) {
            void *block = ops->malloc(size);

            if (!block) {
                fail(state, "malloc gave NULL");
                return;
            }
            write_word(block, left);
            ops->free(block);
        }
    }
    tidemark_gbench_set_items_processed(state, tidemark_gbench_iterations(state));
}

/*
 * One more block of the size stays alive meanwhile, as it would in a program. Without it each free
 * empties a pool of pymalloc and each malloc sets one up again, in ours and in the real one alike:
 * several times the time of a pair, and no program's usual case.
 */
static void run_pair(struct tidemark_gbench_state *state, void *data)
{
    const struct allocator_ops *ops = data;
    const size_t size = (size_t)tidemark_gbench_argument(state, 0);
    void *neighbour = ops->malloc(size);

    if (!neighbour) {
        fail(state, "malloc gave NULL");
        return;
    }
    write_word(neighbour, 0);
    measure_pairs(state, ops, size);
    ops->free(neighbour);
}

static int64_t slot;

static void *slot_malloc(size_t size)
{
    (void)size;
    return &slot;
}

static void slot_free(void *block)
{
    (void)block;
}

/* The loop of `pair` by itself: these calls vanish, the written word and the count stay. */
static void run_loop(struct tidemark_gbench_state *state, void *data)
{
    static const struct allocator_ops vanishing = {.malloc = slot_malloc, .free = slot_free};

    (void)data;
    measure_pairs(state, &vanishing, (size_t)tidemark_gbench_argument(state, 0));
}

/* `pair` on `null`, but that the compiler knows whom it calls. */
static void run_direct(struct tidemark_gbench_state *state, void *data)
{
    static const struct allocator_ops known = {.malloc = null_malloc, .free = null_free};

    (void)data;
    measure_pairs(state, &known, (size_t)tidemark_gbench_argument(state, 0));
}

static void free_stack(const struct allocator_ops *ops, void **blocks, int count)
{
    while (count > 0)
        ops->free(blocks[--count]);
}

static void run_stack(struct tidemark_gbench_state *state, void *data)
{
    static void *blocks[BLOCKS];
    const struct allocator_ops *ops = data;
    const size_t size = (size_t)tidemark_gbench_argument(state, 0);

    for (int64_t left; (left = tidemark_gbench_keep_running_batch(state)) > 0;) {
        for (; left > 0; left--) {
            for (int i = 0; i < BLOCKS; i++) {
                blocks[i] = ops->malloc(size);
                if (!blocks[i]) {
                    free_stack(ops, blocks, i);
                    fail(state, "malloc gave NULL");
                    return;
                }
                write_word(blocks[i], left);
            }
            free_stack(ops, blocks, BLOCKS);
        }
    }
    tidemark_gbench_set_items_processed(state, tidemark_gbench_iterations(state) * BLOCKS);
}

/* The alignment that malloc promises (allocator.h), so that the three can be compared. */
static size_t malloc_alignment(size_t size)
{
    return size < 16 ? 8 : 16;
}

static void fill_and_reset(struct tidemark_gbench_state *state, const struct allocator_ops *ops,
                           void *region)
{
    const size_t size = (size_t)tidemark_gbench_argument(state, 0);
    const size_t alignment = malloc_alignment(size);

    for (int64_t left; (left = tidemark_gbench_keep_running_batch(state)) > 0;) {
        for (; left > 0; left--) {
            for (int i = 0; i < BLOCKS; i++) {
                void *block = ops->region_alloc(region, size, alignment);

                if (!block) {
                    fail(state, "region_alloc gave NULL");
                    return;
                }
                write_word(block, left);
            }
            ops->region_reset(region);
        }
    }
    tidemark_gbench_set_items_processed(state, tidemark_gbench_iterations(state) * BLOCKS);
}

static void run_region(struct tidemark_gbench_state *state, void *data)
{
    const struct allocator_ops *ops = data;
    void *region = ops->region_create();

    if (!region) {
        fail(state, "region_create gave NULL");
        return;
    }
    fill_and_reset(state, ops, region);
    ops->region_destroy(region);
}

static const struct micro {
    const char *name;
    tidemark_gbench_function *run;
    unsigned needs;
    int64_t smallest_bytes, largest_bytes;
    const char *summary;
} micros[] = {
    {"pair", run_pair, ALLOCATOR_MALLOC | ALLOCATOR_FREE, SMALLEST_BYTES, LARGEST_PAIR_BYTES,
     "malloc, write one word, free, beside one live block of\n"
     "                  the size; sizes to 1 MiB; an item is a pair"},
    {"stack", run_stack, ALLOCATOR_MALLOC | ALLOCATOR_FREE, SMALLEST_BYTES, LARGEST_MANY_BYTES,
     "1000 of malloc and write, then 1000 of free, last in first out;\n"
     "                  sizes to 4 KiB; an item is a pair"},
    {"region", run_region, ALLOCATOR_REGIONS, SMALLEST_BYTES, LARGEST_MANY_BYTES,
     "1000 of region_alloc and write, then one reset; sizes to 4 KiB;\n"
     "                  an item is a block"},
};

/* What a pair on `null` consists of: each does what the one before does, and one thing more. */
static const struct micro dispatch_micros[] = {
    {"loop", run_loop, 0, DISPATCH_BYTES, DISPATCH_BYTES,
     "the loop of pair by itself: count and write one word"},
    {"direct", run_direct, 0, DISPATCH_BYTES, DISPATCH_BYTES,
     "and a malloc and a free that do nothing, called by name"},
    {"pair", run_pair, ALLOCATOR_MALLOC | ALLOCATOR_FREE, DISPATCH_BYTES, DISPATCH_BYTES,
     "the same, but that the two are called through pointers"},
};

struct options {
    const char *object;
    const char *raw;   /* NULL when nothing lies beneath */
    const char *label; /* NULL until given */
    bool dispatch;
    bool help;
};

static void print_help(void)
{
    printf("NAME\n"
           "  tidemark-micro - what one call of an allocator costs, by size\n"
           "\n"
           "SYNOPSIS\n"
           "  tidemark-micro --object NAME [--raw NAME] [--label ROW] [FLAG ...]\n"
           "  tidemark-micro --object null --dispatch [FLAG ...]\n"
           "\n"
           "DESCRIPTION\n"
           "  Opens one allocator in this process and times it with Google Benchmark,\n"
           "  calling it through pointers as the workloads of tidemark do. It shows the\n"
           "  best case: one thread and a warm cache. The row `null` is the floor: what\n"
           "  the loop and the calls cost by themselves. The benchmarks follow one another\n"
           "  in one heap; for a fresh one, name one with --benchmark_filter.\n"
           "  Debian's Google Benchmark warns that it was built as DEBUG; the measured loops\n"
           "  make no call into it.\n"
           "\n"
           "  `tidemark micro` starts this program once per row and keeps the JSON in the\n"
           "  run folder. It sets the row's tunables in the environment, and for every row\n"
           "  GLIBC_TUNABLES=glibc.rtld.optional_static_tls=4096, which jemalloc needs.\n"
           "\n"
           "OPTIONS\n"
           "  --object NAME   the allocator to measure (`tidemark list allocators`)\n"
           "  --raw NAME      the general allocator beneath it, when --object is a pool\n"
           "                  allocator; glibc unless given\n"
           "  --label ROW     what the results call this row; OBJECT or OBJECT@RAW unless\n"
           "                  given\n"
           "  --dispatch      measures what a pair on `null` consists of, see below; only with\n"
           "                  --object null\n"
           "  --help          this text, then the flags of Google Benchmark\n"
           "  Every other argument is a flag of Google Benchmark.\n"
           "\n"
           "BENCHMARKS\n"
           "  Named NAME/SIZE, SIZE in bytes, the powers of two from 8; an iteration's time\n"
           "  is in nanoseconds. One that the allocator cannot run is left out, with a line\n"
           "  `n/a: NAME (reason)` on stderr.\n");
    for (size_t i = 0; i < sizeof micros / sizeof micros[0]; i++)
        printf("  %-15s %s\n", micros[i].name, micros[i].summary);
    printf("  With --dispatch, in their place and at %d bytes only (`tidemark overhead`):\n",
           DISPATCH_BYTES);
    for (size_t i = 0; i < sizeof dispatch_micros / sizeof dispatch_micros[0]; i++)
        printf("  %-15s %s\n", dispatch_micros[i].name, dispatch_micros[i].summary);
    printf("\n"
           "CONTEXT\n"
           "  The JSON's \"context\" has tidemark_row, tidemark_version (of what was loaded),\n"
           "  tidemark_object_provider and tidemark_raw_provider (the files that serve\n"
           "  malloc) and, in a build that must not be timed, tidemark_sanitized.\n"
           "\n"
           "EXIT STATUS\n"
           "  0  the benchmarks were run or listed\n"
           "  1  a benchmark ended with an error, which the JSON names, or the results\n"
           "     could not be written\n"
           "  2  usage\n"
           "  3  nothing could be run: a library is missing, or no benchmark is left;\n"
           "     stderr says why\n"
           "\n"
           "EXAMPLE\n"
           "  tidemark-micro --object pymalloc --raw jemalloc --benchmark_filter=pair/ \\\n"
           "      --benchmark_out=pymalloc.json --benchmark_repetitions=6\n"
           "\n"
           "GOOGLE BENCHMARK\n");
    fflush(stdout);
    tidemark_gbench_print_flags();
}

static int usage_error(const char *problem, const char *value)
{
    fprintf(stderr, "tidemark-micro: %s%s; see tidemark-micro --help\n", problem, value);
    return -EINVAL;
}

/* The option of this program that `argument` is, or begins ("--raw=NAME"); `text` gets the part
 * after `=`, or NULL. */
static const char **match_option(struct options *options, const char *argument, const char **text)
{
    const struct {
        const char *name;
        const char **value;
    } table[] = {
        {"--object", &options->object}, {"--raw", &options->raw}, {"--label", &options->label}};

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        size_t length = strlen(table[i].name);

        if (strncmp(argument, table[i].name, length) != 0)
            continue;
        if (argument[length] != '\0' && argument[length] != '=')
            continue;
        *text = argument[length] == '=' ? argument + length + 1 : NULL;
        return table[i].value;
    }
    return NULL;
}

/* Takes our options out of `argv`; what stays, still NULL-terminated, is Google Benchmark's. */
static int take_options(struct options *options, int *argc, char **argv)
{
    int kept = 1;

    for (int i = 1; i < *argc; i++) {
        const char *text;
        const char **value = match_option(options, argv[i], &text);

        if (strcmp(argv[i], "--help") == 0) {
            options->help = true;
        } else if (strcmp(argv[i], "--dispatch") == 0) {
            options->dispatch = true;
        } else if (!value) {
            argv[kept++] = argv[i];
        } else {
            *value = text ? text : argv[++i];
            if (!*value || **value == '\0' || **value == '-')
                return usage_error("a value is missing after ", text ? argv[i] : argv[i - 1]);
        }
    }
    argv[kept] = NULL;
    *argc = kept;
    return 0;
}

static int add_context(const struct options *options, const struct open_row *row)
{
    char label[2 * ALLOCATOR_TEXT_BYTES];
    int error;

    const int is_composed = row->raw_allocator != row->object_allocator;
    snprintf(label, sizeof label, "%s%s%s", options->object, is_composed ? "@" : "",
             !is_composed   ? ""
             : options->raw ? options->raw
                            : row->raw_allocator->name);
    error = tidemark_gbench_add_context("tidemark_row", options->label ? options->label : label);
    if (!error)
        error = tidemark_gbench_add_context("tidemark_version", row->version);
    if (!error)
        error = tidemark_gbench_add_context("tidemark_object_provider", row->object_provider);
    if (!error)
        error = tidemark_gbench_add_context("tidemark_raw_provider", row->raw_provider);
#ifdef TIDEMARK_SANITIZED
    fprintf(stderr,
            "tidemark-micro: built with -fsanitize=%s: these times say nothing about speed\n",
            TIDEMARK_SANITIZED);
    if (!error)
        error = tidemark_gbench_add_context("tidemark_sanitized", TIDEMARK_SANITIZED);
#endif
    return error;
}

/* Registers what the row can run and says what it cannot. Returns how many, or a negative errno. */
static int register_micros(struct open_row *row, const struct micro *table, size_t count)
{
    const struct allocator *allocator = row->object_allocator;
    int registered = 0;

    for (size_t i = 0; i < count; i++) {
        const struct micro *micro = &table[i];
        unsigned missing = micro->needs & ~allocator->capabilities;
        struct tidemark_gbench_registration *registration;
        int error;

        if (missing) {
            char names[ALLOCATOR_TEXT_BYTES];

            fprintf(stderr, "n/a: %s (%s has no %s)\n", micro->name, allocator->name,
                    allocator_capability_names(missing, names, sizeof names));
            continue;
        }
        registration = tidemark_gbench_register(micro->name, micro->run, &row->object);
        if (!registration)
            return -ENOMEM;
        error =
            tidemark_gbench_add_range(registration, micro->smallest_bytes, micro->largest_bytes, 2);
        if (error)
            return error;
        registered++;
    }
    return registered;
}

/* Returns the exit status. */
static int run_row(const struct options *options)
{
    static struct open_row row; /* the registered functions use it until the end */
    char reason[ALLOCATOR_TEXT_BYTES] = "";
    int count;
    int error = open_row(&row, options->object, options->raw, reason);

    if (error) {
        fprintf(stderr, "tidemark-micro: %s\n", reason);
        return error == -EINVAL ? EXIT_USAGE : EXIT_NOT_AVAILABLE;
    }
    count = add_context(options, &row);
    if (count == 0 && options->dispatch)
        count = register_micros(&row, dispatch_micros,
                                sizeof dispatch_micros / sizeof dispatch_micros[0]);
    else if (count == 0)
        count = register_micros(&row, micros, sizeof micros / sizeof micros[0]);
    if (count == 0) {
        fprintf(stderr, "tidemark-micro: %s can run none of the benchmarks\n", options->object);
        return EXIT_NOT_AVAILABLE;
    }
    if (count > 0)
        count = tidemark_gbench_run();
    if (count < 0) {
        fprintf(stderr, "tidemark-micro: %s\n", strerror(-count));
        return EXIT_FAILED;
    }
    if (count == 0) {
        fprintf(stderr, "tidemark-micro: no benchmark of %s is left by the filter\n",
                options->object);
        return EXIT_NOT_AVAILABLE;
    }
    return failed_benchmarks > 0 ? EXIT_FAILED : 0;
}

/* A table that did not reach its reader is a failure too. */
static int end_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "tidemark-micro: stdout: %s\n", strerror(errno));
    return status != 0 ? status : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    int status;

    if (take_options(&options, &argc, argv) != 0)
        return EXIT_USAGE;
    if (options.help) {
        print_help();
        return end_output(0);
    }
    if (!options.object) {
        usage_error("--object NAME is missing", "");
        return EXIT_USAGE;
    }
    if (options.dispatch && strcmp(options.object, "null") != 0) {
        usage_error("--dispatch goes with --object null, unlike ", options.object);
        return EXIT_USAGE;
    }
    if (tidemark_gbench_initialise(argc, argv) != 0)
        return EXIT_USAGE;
    status = run_row(&options);
    tidemark_gbench_shutdown();
    return end_output(status);
}
