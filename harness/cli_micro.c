/*
 * tidemark micro: each row in a process of its own under Google Benchmark, its JSON kept in a run
 * folder. Leaves out Google Benchmark's own options: they pass through after `--`.
 */
#define _GNU_SOURCE
#include "harness/cli.h"
#include "harness/clock.h"
#include "harness/machine.h"
#include "harness/micro_run.h"
#include "harness/micro_table.h"
#include "harness/proof.h"
#include "harness/row_list.h"
#include "harness/run_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CLI_STOP = -1 /* answered: nothing follows */ };

struct micro_options {
    struct row_list rows;
    const char *folder;
    char **passed; /* Google Benchmark's flags */
    int passed_count;
    int takes_every;
    int list;
};

enum { KEY_ALL = 0x100, KEY_LIST };

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct micro_options *options = state->input;
    char error[ROW_ERROR_BYTES];

    switch (key) {
    case 'a':
        if (row_list_add(&options->rows, argument, error) != 0)
            argp_error(state, "%s", error);
        return 0;
    case 'o':
        options->folder = argument;
        return 0;
    case KEY_ALL:
        options->takes_every = 1;
        return 0;
    case KEY_LIST:
        options->list = 1;
        return 0;
    case ARGP_KEY_ARGS:
        options->passed = state->argv + state->next;
        options->passed_count = state->argc - state->next;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_table[] = {
    {"allocator", 'a', "ROW", 0,
     "Rows, as in tidemark run; may be repeated (default: every allocator)", 0},
    {"output", 'o', "FOLDER", 0,
     "A run folder to add to, or a new one (default results/TIME-micro)", 0},
    {"all", KEY_ALL, NULL, 0,
     "Every size, alignment, order and number of blocks; without it, and without "
     "--benchmark_filter, a set that takes about a minute a row",
     0},
    {"list", KEY_LIST, NULL, 0, "Print the names of the benchmarks, and measure nothing", 0},
    {0},
};

const struct argp cli_micro_parser = {
    .options = option_table,
    .parser = parse,
    .args_doc = "[-- GOOGLE_BENCHMARK_FLAG...]",
    .doc =
        "Measure what single calls cost on each row, each in a process of its own, by Google "
        "Benchmark. Its JSON is kept as micro/ROW.json in the run folder, without the host's name; "
        "the table has nanoseconds and times the first row's. `null` is the floor: what the loop "
        "and the calls cost by themselves.\n\n"
        "Themes, the first part of a benchmark's name:\n"
        "  pair           malloc, write, free, beside one live block; 8 B to 1 MiB\n"
        "  aligned        the same with aligned_alloc; alignments 32 B to 64 KiB\n"
        "  calloc         reused: zeroed again each time; fresh: from the system\n"
        "  realloc_grow   a block grows by 1.125, 1.5 or 2 to 4 KiB, 64 KiB or 1 MiB\n"
        "  batch          n blocks, freed last first, first first or at random\n"
        "  threads        pair on 1, 2, 4, ... threads, to the number of processors\n"
        "  remote         one thread allocates, another frees\n"
        "  region         create; 1000 blocks and a reset; destroy\n"
        "What a row cannot do is n/a with its reason. docs/micro.md says more."
        "\vExample:\n"
        "  tidemark micro -a null -a glibc -a jemalloc\n"
        "  tidemark micro -a glibc,mimalloc -- '--benchmark_filter=batch/order:random/.*size:64$'\n"
        "  tidemark micro --list --all -- --benchmark_filter=calloc\n"
        "  tidemark micro -- --help    (Google Benchmark's flags)\n\n"
        "A filter is a regular expression that matches anywhere in a name and selects from all "
        "that --all has. Rows are measured one after the other: compare differences that are "
        "larger than the machine's drift; --benchmark_enable_random_interleaving=true with "
        "--benchmark_repetitions mixes the benchmarks of a row.\n\n"
        "Exit status: 0 done; 1 a row or a benchmark failed or none had a result; 2 usage; 130 "
        "interrupted.",
};

/*
 * Tries the passed flags before anything is written: lists what they select. Returns CLI_OK when a
 * run follows, CLI_STOP when what was asked is answered, else the exit status.
 */
static int try_flags(struct micro_run *run, const struct micro_options *options)
{
    int shows = options->list, is_help = 0;
    enum micro_end end;

    for (int i = 0; i < options->passed_count; i++) {
        is_help |= !strcmp(options->passed[i], "--help");
        shows |= !strncmp(options->passed[i], "--benchmark_list_tests", 22);
    }
    end = is_help ? micro_run_answer(run) : micro_run_list(run, shows);
    switch (end) {
    case MICRO_DONE:
        return is_help || shows ? CLI_STOP : CLI_OK;
    case MICRO_NOT_AVAILABLE:
        return cli_usage_error("micro", "no benchmark's name matches the filter; `tidemark micro "
                                        "--list --all` prints the names");
    case MICRO_TIMED_OUT:
        return cli_usage_error("micro", "the filter takes more than 10 s to match; write it "
                                        "without repeats of repeats");
    case MICRO_INTERRUPTED:
        return CLI_INTERRUPTED;
    default:
        return end == MICRO_USAGE ? CLI_USAGE : CLI_FAILED;
    }
}

/* Opens the run to add to, or creates one whose plan has no cells. */
static int open_folder(struct run_folder *folder, const struct program_paths *paths,
                       const char *path, char *error)
{
    char utc[32];
    struct plan empty = {.suite = "micro", .seed = 1};
    struct stat found;

    if (stat(path, &found) == 0 && run_folder_open(folder, path, error) == 0)
        return 0;
    json_t *plan = plan_to_json(&empty);
    json_t *machine = machine_describe(&empty, paths, machine_utc_now(utc));
    json_object_set_new(machine, "finished", json_string(utc));
    int failed = run_folder_create(folder, path, plan, machine, error);
    json_decref(plan);
    json_decref(machine);
    return failed;
}

static int open_micro(const struct run_folder *folder)
{
    if (mkdirat(folder->fd, "micro", 0777) != 0 && errno != EEXIST)
        return -errno;
    int fd = openat(folder->fd, "micro", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int measure_rows(const struct row *rows, size_t count, struct micro_run *run,
                        json_t *results)
{
    struct progress progress;
    int status = CLI_OK;

    progress_init(&progress, count);
    run->progress = &progress;
    run->row_count = count;
    run->began_ns = clock_monotonic_ns();
    for (size_t i = 0; i < count; i++) {
        json_t *result = NULL;

        progress.left_seconds = micro_run_left_seconds(run, i, 0);
        progress_show(&progress, rows[i].text);
        enum micro_end end = micro_run_row(run, &rows[i], &result);
        progress.done++;
        progress_end(&progress);
        if (result)
            json_object_set_new(results, rows[i].text, result);
        if (end == MICRO_INTERRUPTED)
            return CLI_INTERRUPTED;
        if (end != MICRO_DONE && end != MICRO_NOT_AVAILABLE)
            status = CLI_FAILED;
    }
    return status;
}

/* A tunable that did not take makes its row n/a here too. Returns 0 or -EINTR. */
static int prove_rows(struct row *rows, size_t count)
{
    json_t *findings = json_array();
    int error = 0;

    for (size_t i = 0; i < count && !error; i++)
        error = rows[i].not_available[0] ? 0 : proof_of_row(&rows[i], findings);
    json_decref(findings);
    return error;
}

/* Measures into the folder, which is open, and prints the table. Returns the exit status. */
static int measure_into(const struct run_folder *folder, const struct row *rows, size_t count,
                        struct micro_run *run)
{
    json_t *results = json_object();
    int status;

    run->micro_fd = open_micro(folder);
    status = run->micro_fd < 0 ? CLI_FAILED : measure_rows(rows, count, run, results);
    if (status == CLI_OK && json_object_size(results) == 0) {
        fprintf(stderr, "tidemark micro: no row has a result\n");
        status = CLI_FAILED;
    }
    micro_table_print(stdout, results);
    printf("\nrun folder: %s\n", run->folder);
    json_decref(results);
    if (run->micro_fd >= 0)
        close(run->micro_fd);
    return status;
}

static int measure(struct row *rows, size_t count, struct micro_run *run)
{
    static char path[128]; /* as long as `run` needs it */
    struct run_folder folder;
    char error[RUN_FOLDER_ERROR_BYTES], utc[32];

    if (prove_rows(rows, count) != 0)
        return CLI_INTERRUPTED;
    if (!run->folder) {
        machine_utc_now(utc);
        snprintf(path, sizeof path, "results/%.13s%.2s%.3s-micro", utc, utc + 14, utc + 17);
        run->folder = path;
    }
    int failed = open_folder(&folder, run->paths, run->folder, error);
    if (failed) {
        fprintf(stderr, "tidemark micro: %s\n", error);
        return failed == -EEXIST ? CLI_USAGE : CLI_FAILED;
    }
    int status = measure_into(&folder, rows, count, run);
    run_folder_close(&folder);
    return status;
}

int cli_micro(int argc, char **argv)
{
    static struct row rows[ROW_LIST_MOST];
    struct micro_options options = {0};
    struct program_paths paths;
    char error[ROW_ERROR_BYTES];

    argp_parse(&cli_micro_parser, argc, argv, 0, NULL, &options);
    size_t count = row_list_parse(&options.rows, rows, error);
    row_list_free(&options.rows);
    if (count == 0)
        return cli_usage_error("micro", error);
    if (!options.list && cli_refuse_sanitized("micro"))
        return CLI_FAILED;
    if (cli_find_programs("micro", &paths) != CLI_OK)
        return CLI_FAILED;
    struct micro_run run = {.paths = &paths,
                            .folder = options.folder,
                            .micro_fd = -1,
                            .flags = options.passed,
                            .flag_count = options.passed_count,
                            .takes_every = options.takes_every};
    int tried = try_flags(&run, &options);
    if (tried == CLI_OK)
        tried = measure(rows, count, &run);
    return cli_finish("micro", tried == CLI_STOP ? CLI_OK : tried);
}
