/*
 * tidemark micro: each row in a process of its own under Google Benchmark, its JSON kept in a run
 * folder. Leaves out Google Benchmark's own options: they pass through after `--`.
 */
#define _GNU_SOURCE
#include "harness/cli.h"
#include "harness/clock.h"
#include "harness/json_file.h"
#include "harness/machine.h"
#include "harness/micro_table.h"
#include "harness/process.h"
#include "harness/progress.h"
#include "harness/proof.h"
#include "harness/row_list.h"
#include "harness/run_folder.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_NOT_AVAILABLE = 3, CLI_STOP = -1 /* answered: nothing follows */ };

struct micro_options {
    struct row_list rows;
    const char *folder;
    char **passed; /* Google Benchmark's flags */
    int passed_count;
};

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
    {0},
};

const struct argp cli_micro_parser = {
    .options = option_table,
    .parser = parse,
    .args_doc = "[-- GOOGLE_BENCHMARK_FLAG...]",
    .doc = "Measure malloc and free by size (8 B to 1 MiB) on each row, each in a process of its "
           "own, by Google Benchmark: pair (malloc, write, free, beside one live block), stack "
           "(1000 blocks, freed last first), region (1000 blocks, one reset), as far as the row "
           "can. Its JSON is kept as micro/ROW.json in the run folder, without the host's name. "
           "`null` is the floor: what the loop and the calls cost by themselves."
           "\vExample:\n"
           "  tidemark micro -a null -a glibc -a jemalloc\n"
           "  tidemark micro -a mimalloc -- --benchmark_filter=pair/64\n"
           "  tidemark micro -- --help    (Google Benchmark's flags)\n\n"
           "Rows are measured one after the other: compare differences that are larger than the "
           "machine's drift.\n\n"
           "Exit status: 0 done; 1 a row failed or none had a result; 2 usage; 130 interrupted.",
};

/* A file name from a row: what could trouble a shell or another system becomes an underscore. */
static void file_name(const char *row, char *name, size_t name_bytes)
{
    size_t used = 0;

    for (; *row && used + 1 < name_bytes; row++)
        name[used++] = (char)(isalnum((unsigned char)*row) || strchr("._+@-", *row) ? *row : '_');
    name[used] = '\0';
}

static int add_passed(struct command *command, const struct micro_options *options)
{
    int error = 0;

    for (int i = 0; i < options->passed_count && !error; i++)
        error = command_add(command, options->passed[i]);
    return error;
}

static int build_command(struct command *command, const struct program_paths *paths,
                         const struct row *row, const struct micro_options *options,
                         const char *output)
{
    char flag[RUN_FOLDER_PATH_BYTES + 512];
    int error = 0;
    const char *const own[] = {"--object",
                               row_component_name(&row->object),
                               "--label",
                               row->text,
                               row->raw.allocator ? "--raw" : NULL,
                               row->raw.allocator ? row_component_name(&row->raw) : NULL};

    command_init(command, paths->micro);
    for (size_t i = 0; i < sizeof own / sizeof own[0] && own[i] && !error; i++)
        error = command_add(command, own[i]);
    if (!error)
        error = add_passed(command, options);
    snprintf(flag, sizeof flag, "--benchmark_out=%s", output);
    if (!error)
        error = command_add(command, flag);
    if (!error)
        error = command_add(command, "--benchmark_out_format=json");
    return error ? error : environment_add_row(&command->environment, row);
}

/* Google Benchmark writes the host's name, the program's path and the load into its context; a
 * reader of the figures needs none of them. */
static int keep_result(int micro_fd, const char *temporary, const char *name, json_t **result)
{
    char error[JSON_FILE_ERROR_BYTES];
    json_t *read = json_file_read(micro_fd, temporary, error);

    unlinkat(micro_fd, temporary, 0);
    if (!read || json_array_size(json_object_get(read, "benchmarks")) == 0) {
        fprintf(stderr, "tidemark micro: no result: %s\n",
                read ? "the file holds no benchmark" : error);
        json_decref(read);
        return -EINVAL;
    }
    json_object_del(json_object_get(read, "context"), "host_name");
    json_object_del(json_object_get(read, "context"), "executable");
    json_object_del(json_object_get(read, "context"), "load_avg");
    int failed = json_file_write(micro_fd, name, read);
    if (failed)
        fprintf(stderr, "tidemark micro: cannot write micro/%s: %s\n", name, strerror(-failed));
    *result = read;
    return failed;
}

enum row_end { ROW_DONE, ROW_NOT_AVAILABLE, ROW_FAILED, ROW_USAGE, ROW_INTERRUPTED };

/* What the program said on stderr, kept back: it matters only when there is no result. */
enum { SAID_BYTES = 8192 };

static enum row_end run_command(const struct command *command, int show_output, char *said)
{
    char output[256];
    struct process_request request = {
        .argv = (const char *const *)command->argv,
        .environment = (const char *const *)command->environment.variables,
        .output = show_output ? NULL : output,
        .output_bytes = sizeof output,
        .errors = said,
        .errors_bytes = SAID_BYTES,
    };
    int wait_status = 0;
    int error = process_run(&request, &wait_status);

    if (error == -EINTR)
        return ROW_INTERRUPTED;
    if (error || !WIFEXITED(wait_status))
        return ROW_FAILED;
    switch (WEXITSTATUS(wait_status)) {
    case 0:
        return ROW_DONE;
    case EXIT_NOT_AVAILABLE:
        return ROW_NOT_AVAILABLE;
    case CLI_USAGE:
        return ROW_USAGE;
    default:
        return ROW_FAILED;
    }
}

/*
 * Tries the passed flags on the floor before anything is written: lists what they select. Returns
 * CLI_OK when a run follows, else the exit status; --help and --benchmark_list_tests answer here.
 */
static int try_flags(const struct program_paths *paths, const struct micro_options *options)
{
    struct command command;
    char said[SAID_BYTES];
    int is_question = 0;

    for (int i = 0; i < options->passed_count; i++)
        is_question |= !strcmp(options->passed[i], "--help") ||
                       !strncmp(options->passed[i], "--benchmark_list_tests", 22);
    command_init(&command, paths->micro);
    if (command_add(&command, "--object") != 0 || command_add(&command, "null") != 0 ||
        add_passed(&command, options) != 0 ||
        (!is_question && command_add(&command, "--benchmark_list_tests") != 0))
        return cli_usage_error("micro", "too many flags");
    enum row_end end = run_command(&command, is_question, said);
    /* A filter may leave out all that the floor can do and still select what a row can. */
    if (end == ROW_DONE || end == ROW_NOT_AVAILABLE)
        return is_question ? CLI_STOP : CLI_OK;
    fputs(said, stderr);
    return end == ROW_USAGE ? CLI_USAGE : end == ROW_INTERRUPTED ? CLI_INTERRUPTED : CLI_FAILED;
}

/* The last line of what was said, which is the reason where there is one. */
static void tell(const struct row *row, const char *what, char *said)
{
    size_t used = strlen(said);

    while (used > 0 && said[used - 1] == '\n')
        said[--used] = '\0';
    char *newline = strrchr(said, '\n');
    fprintf(stderr, "%s: %s: %s\n", what, row->text, newline ? newline + 1 : said);
}

static enum row_end measure(const struct row *row, const struct program_paths *paths,
                            const struct micro_options *options, const char *folder, int micro_fd,
                            json_t **result)
{
    char base[ROW_TEXT_BYTES], name[ROW_TEXT_BYTES + 8], temporary[ROW_TEXT_BYTES + 16];
    char output[RUN_FOLDER_PATH_BYTES + 320], said[SAID_BYTES];
    struct command command;

    file_name(row->text, base, sizeof base);
    snprintf(name, sizeof name, "%s.json", base);
    snprintf(temporary, sizeof temporary, ".%s.new", name);
    snprintf(output, sizeof output, "%s/micro/%s", folder, temporary);
    if (faccessat(micro_fd, name, F_OK, 0) == 0) {
        fprintf(stderr,
                "tidemark micro: %s/micro/%s is there already; nothing measured is overwritten\n",
                folder, name);
        return ROW_FAILED;
    }
    if (row->not_available[0]) {
        fprintf(stderr, "n/a: %s: %s\n", row->text, row->not_available);
        return ROW_NOT_AVAILABLE;
    }
    if (build_command(&command, paths, row, options, output) != 0)
        return ROW_USAGE;
    enum row_end end = run_command(&command, 0, said);
    if (end == ROW_DONE)
        return keep_result(micro_fd, temporary, name, result) == 0 ? ROW_DONE : ROW_FAILED;
    unlinkat(micro_fd, temporary, 0);
    if (end == ROW_NOT_AVAILABLE)
        tell(row, "n/a", said);
    else if (end != ROW_INTERRUPTED)
        tell(row, "failed", said);
    return end;
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

static int measure_rows(const struct row *rows, size_t count, const struct program_paths *paths,
                        const struct micro_options *options, const char *folder, int micro_fd,
                        json_t *results)
{
    struct progress progress;
    int status = CLI_OK;
    uint64_t began_ns = clock_monotonic_ns();

    progress_init(&progress, count);
    for (size_t i = 0; i < count; i++) {
        json_t *result = NULL;
        /* Before the first row has run nothing is known; a row is some 30 s at Google Benchmark's
         * own time. */
        progress.left_seconds = i ? clock_seconds_since(began_ns) / (double)i * (double)(count - i)
                                  : 30.0 * (double)count;
        progress_show(&progress, rows[i].text);
        enum row_end end = measure(&rows[i], paths, options, folder, micro_fd, &result);
        progress.done++;
        progress_end(&progress);
        if (result)
            json_object_set_new(results, rows[i].text, result);
        if (end == ROW_INTERRUPTED)
            return CLI_INTERRUPTED;
        if (end != ROW_DONE && end != ROW_NOT_AVAILABLE)
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

int cli_micro(int argc, char **argv)
{
    static struct row rows[ROW_LIST_MOST];
    struct micro_options options = {0};
    struct run_folder folder;
    struct program_paths paths;
    char error[RUN_FOLDER_ERROR_BYTES], utc[32], path[128];

    argp_parse(&cli_micro_parser, argc, argv, 0, NULL, &options);
    size_t count = row_list_parse(&options.rows, rows, error);
    row_list_free(&options.rows);
    if (count == 0)
        return cli_usage_error("micro", error);
    if (cli_refuse_sanitized("micro"))
        return CLI_FAILED;
    if (cli_find_programs("micro", &paths) != CLI_OK)
        return CLI_FAILED;
    int tried = try_flags(&paths, &options);
    if (tried != CLI_OK)
        return tried == CLI_STOP ? CLI_OK : tried;
    if (prove_rows(rows, count) != 0)
        return CLI_INTERRUPTED;
    if (!options.folder) {
        machine_utc_now(utc);
        snprintf(path, sizeof path, "results/%.13s%.2s%.3s-micro", utc, utc + 14, utc + 17);
        options.folder = path;
    }
    int failed = open_folder(&folder, &paths, options.folder, error);
    if (failed) {
        fprintf(stderr, "tidemark micro: %s\n", error);
        return failed == -EEXIST ? CLI_USAGE : CLI_FAILED;
    }
    int micro_fd = open_micro(&folder);
    json_t *results = json_object();
    int status = micro_fd < 0 ? CLI_FAILED
                              : measure_rows(rows, count, &paths, &options, options.folder,
                                             micro_fd, results);
    if (status == CLI_OK && json_object_size(results) == 0) {
        fprintf(stderr, "tidemark micro: no row has a result\n");
        status = CLI_FAILED;
    }
    micro_table_print(stdout, results);
    printf("\nrun folder: %s\n", options.folder);
    json_decref(results);
    if (micro_fd >= 0)
        close(micro_fd);
    run_folder_close(&folder);
    return cli_finish("micro", status);
}
