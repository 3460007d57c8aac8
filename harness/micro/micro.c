/*
 * tidemark-micro: what one call of an allocator costs, in the best case of each theme: by size, by
 * alignment, zeroed, growing, many at once, on threads, in regions. Leaves out the loops (pairs.c,
 * batches.c, threads.c, regions.c) and the reading of rows: `tidemark micro` starts it once per
 * row, tunables already in the environment. The clock and the choice of iteration counts are Google
 * Benchmark's, which allocates from libc, outside of the measured loops: only `glibc` shares a heap
 * with it.
 */
#include "harness/micro_words.h"
#include "harness/open_row.h"

#include "harness/micro/theme.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NOT_AVAILABLE = 3 };

/* In the order in which they are measured and shown. */
static const struct micro_theme *const themes[] = {
    &micro_pair,  &micro_aligned, &micro_calloc, &micro_realloc_grow,
    &micro_batch, &micro_threads, &micro_remote, &micro_region};

struct options {
    const char *object;
    const char *raw;   /* NULL when nothing lies beneath */
    const char *label; /* NULL until given */
    bool every;        /* --all */
    bool list;
    bool dispatch;
    bool help;
};

static void print_themes(void)
{
    printf("THEMES\n"
           "  A benchmark is called THEME/NAME:VALUE/..., sizes in bytes; an item's time is in\n"
           "  nanoseconds. A theme that the allocator cannot run is left out, with a line\n"
           "  `n/a: THEME (reason)` on stderr and tidemark_na_THEME in the JSON's context.\n");
    for (size_t i = 0; i < micro_words_count; i++)
        printf("  %s%s\n      %s; an item is %s\n", micro_words[i].theme, micro_words[i].names,
               micro_words[i].summary, micro_words[i].item);
    printf("  With --dispatch, in their place (`tidemark overhead`):\n"
           "  loop, direct, pair at 64 bytes\n"
           "      the loop of pair by itself; with a malloc and a free that do nothing, called by\n"
           "      name; with the same two called through pointers\n"
           "  Filters are regular expressions that match anywhere in a name: end one by $ or /,\n"
           "  since size:64 is also the start of size:65536.\n"
           "\n");
}

static void print_help(void)
{
    printf("NAME\n"
           "  tidemark-micro - what one call of an allocator costs\n"
           "\n"
           "SYNOPSIS\n"
           "  tidemark-micro --object NAME [--raw NAME] [--label ROW] [--all] [FLAG ...]\n"
           "  tidemark-micro --object null --dispatch [FLAG ...]\n"
           "  tidemark-micro --list [--all] [FLAG ...]\n"
           "\n"
           "DESCRIPTION\n"
           "  Opens one allocator in this process and times it with Google Benchmark,\n"
           "  calling it through pointers as the workloads of tidemark do. It shows the\n"
           "  best case: a warm cache and nothing else to do. The row `null` is the floor: what\n"
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
           "  --all           every size, alignment, order and number of blocks; without it,\n"
           "                  and without --benchmark_filter, those that take about a minute\n"
           "  --list          prints the names, measures nothing\n"
           "  --dispatch      measures what a pair on `null` consists of, see below; only with\n"
           "                  --object null\n"
           "  --help          this text, then the flags of Google Benchmark\n"
           "  Every other argument is a flag of Google Benchmark.\n"
           "\n");
    print_themes();
    printf("COUNTERS\n"
           "  items_per_second, bytes_per_second (of what was asked for); rss_bytes, resident\n"
           "  after the measured loop less before it; peak_bytes, the most less before it.\n"
           "\n"
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

/* The switch that `argument` is, or NULL. */
static bool *match_switch(struct options *options, const char *argument)
{
    const struct {
        const char *name;
        bool *value;
    } table[] = {{"--help", &options->help},
                 {"--all", &options->every},
                 {"--list", &options->list},
                 {"--dispatch", &options->dispatch}};

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(argument, table[i].name) == 0)
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
        bool *chosen = match_switch(options, argv[i]);

        if (chosen) {
            *chosen = true;
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

/* Why the allocator cannot run the theme, into `reason` (ALLOCATOR_TEXT_BYTES); or returns 0. */
static int rule_out(const struct micro_theme *theme, const struct allocator *allocator,
                    char *reason)
{
    const unsigned missing = theme->needs & ~allocator->capabilities;
    char names[ALLOCATOR_TEXT_BYTES];

    if (missing)
        snprintf(reason, ALLOCATOR_TEXT_BYTES, "%.60s has no %.100s", allocator->name,
                 allocator_capability_names(missing, names, sizeof names));
    else if (micro_processors() < theme->least_processors)
        snprintf(reason, ALLOCATOR_TEXT_BYTES, "needs %d processors, there is %d",
                 theme->least_processors, micro_processors());
    else
        return 0;
    return 1;
}

/* A reason on stderr, for who starts this program, and in the JSON, for who reads it later. */
static int tell_not_available(const char *theme, const char *reason)
{
    char key[64];

    fprintf(stderr, "n/a: %s (%s)\n", theme, reason);
    snprintf(key, sizeof key, "tidemark_na_%s", theme);
    return tidemark_gbench_add_context(key, reason);
}

/* A filter selects from all that there is. */
static enum micro_set set_of(const struct options *options)
{
    return options->every || tidemark_gbench_has_filter() ? MICRO_EVERY : MICRO_USUAL;
}

/* Registers what `allocator` can run and says what it cannot; NULL: what any can. Returns how many
 * themes, or a negative errno. */
static int register_themes(const struct micro_row *row, const struct allocator *allocator,
                           enum micro_set set)
{
    char reason[ALLOCATOR_TEXT_BYTES];
    int registered = 0, error = 0;

    for (size_t i = 0; i < MICRO_COUNT_OF(themes) && !error; i++) {
        if (allocator && rule_out(themes[i], allocator, reason)) {
            error = tell_not_available(themes[i]->name, reason);
        } else if (micro_processors() >= themes[i]->least_processors) {
            error = themes[i]->add(row, set);
            registered++;
        }
    }
    return error ? error : registered;
}

/* Runs or lists what was registered. Returns the exit status. */
static int run_registered(int count)
{
    if (count > 0)
        count = tidemark_gbench_run();
    if (count < 0) {
        fprintf(stderr, "tidemark-micro: %s\n", strerror(-count));
        return EXIT_FAILED;
    }
    if (count == 0) {
        fprintf(stderr, "tidemark-micro: no benchmark is left by the filter\n");
        return EXIT_NOT_AVAILABLE;
    }
    return micro_failures() > 0 ? EXIT_FAILED : 0;
}

/* Returns the exit status. */
static int run_row(const struct options *options)
{
    static struct open_row opened;
    static struct micro_row row; /* the registered functions use it until the end */
    char reason[ALLOCATOR_TEXT_BYTES] = "";
    int error = open_row(&opened, options->object, options->raw, reason);

    if (error) {
        fprintf(stderr, "tidemark-micro: %s\n", reason);
        return error == -EINVAL ? EXIT_USAGE : EXIT_NOT_AVAILABLE;
    }
    row.ops = opened.object;
    row.is_distinct = (opened.object_allocator->capabilities & ALLOCATOR_DISTINCT) != 0;
    row.counts_memory = !options->dispatch;
    int count = add_context(options, &opened);
    if (count == 0 && options->dispatch) {
        error = micro_add_dispatch(&row);
        count = error ? error : 1;
    } else if (count == 0) {
        count = register_themes(&row, opened.object_allocator, set_of(options));
    }
    if (count == 0) {
        fprintf(stderr, "tidemark-micro: %s can run none of the benchmarks\n", options->object);
        return EXIT_NOT_AVAILABLE;
    }
    return run_registered(count);
}

/* The functions are registered without a row, and never called. */
static int list(const struct options *options)
{
    static const struct micro_row none;

    return run_registered(register_themes(&none, NULL, set_of(options)));
}

/* A table that did not reach its reader is a failure too. */
static int end_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "tidemark-micro: stdout: %s\n", strerror(errno));
    return status != 0 ? status : EXIT_FAILED;
}

static int check_options(const struct options *options)
{
    if (options->list && (options->object || options->raw || options->dispatch))
        return usage_error("--list stands alone, but for --all and flags of Google Benchmark", "");
    if (options->list)
        return 0;
    if (!options->object)
        return usage_error("--object NAME is missing", "");
    if (options->dispatch && strcmp(options->object, "null") != 0)
        return usage_error("--dispatch goes with --object null, unlike ", options->object);
    return 0;
}

int main(int argc, char **argv)
{
    static char list_flag[] = "--benchmark_list_tests=true";
    struct options options = {0};
    int status;

    if (take_options(&options, &argc, argv) != 0)
        return EXIT_USAGE;
    if (options.help) {
        print_help();
        return end_output(0);
    }
    if (check_options(&options) != 0)
        return EXIT_USAGE;
    if (options.list) /* in the place of --list itself */
        argv[argc++] = list_flag;
    if (tidemark_gbench_initialise(argc, argv) != 0)
        return EXIT_USAGE;
    status = options.list ? list(&options) : run_row(&options);
    tidemark_gbench_shutdown();
    return end_output(status);
}
