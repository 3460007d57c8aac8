/*
 * One process of tidemark-micro at a time, its console read for progress, its JSON kept. Leaves out
 * the meaning of figures.
 */
#define _GNU_SOURCE
#include "harness/micro_run.h"

#include "harness/clock.h"
#include "harness/command.h"
#include "harness/json_file.h"
#include "harness/micro_results.h"
#include "harness/micro_words.h"
#include "harness/process.h"
#include "harness/run_folder.h"
#include "harness/text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of tidemark-micro (see its --help). */
enum { EXIT_SOME_FAILED = 1, EXIT_BAD_USAGE = 2, EXIT_NOT_AVAILABLE = 3 };

/* What the program said on stderr, kept back: it matters only when there is no result. */
enum { SAID_BYTES = 8192, NOTE_BYTES = 128, LISTED_BYTES = 1 << 17, NAME_BYTES = 256 };

/* The console of a row as it comes: a line per result, whose first word is a benchmark's name. */
struct reading {
    struct micro_run *run;
    const struct row *row;
    char word[NAME_BYTES];
    size_t used;
    bool is_in_word;
    char last[NAME_BYTES];
    size_t done;
};

static void show(struct reading *reading, size_t rows_done)
{
    char what[ROW_TEXT_BYTES + NAME_BYTES + 16];

    if (!reading->run->progress->is_terminal)
        return;
    snprintf(what, sizeof what, "%s · %zu of %zu · %s", reading->row->text, reading->done,
             reading->run->names, reading->last);
    reading->run->progress->left_seconds =
        micro_run_left_seconds(reading->run, rows_done, reading->done);
    progress_show(reading->run->progress, what);
}

/* Repetitions have the same name, their median and the like have it with a suffix. */
static void end_word(struct reading *reading)
{
    const size_t length = strlen(reading->last);

    reading->word[reading->used] = '\0';
    if (!micro_words_find(reading->word))
        return;
    if (length && strncmp(reading->word, reading->last, length) == 0 &&
        (reading->word[length] == '\0' || reading->word[length] == '_'))
        return;
    memcpy(reading->last, reading->word, reading->used + 1);
    reading->done++;
    reading->run->measured++;
    show(reading, reading->run->progress->done);
}

static void read_console(void *context, const char *bytes, size_t count)
{
    struct reading *reading = context;

    for (size_t i = 0; i < count; i++) {
        if (reading->is_in_word && (bytes[i] == ' ' || bytes[i] == '\n')) {
            end_word(reading);
            reading->is_in_word = false;
        } else if (reading->is_in_word && reading->used + 1 < sizeof reading->word) {
            reading->word[reading->used++] = bytes[i];
        }
        if (bytes[i] == '\n') {
            reading->is_in_word = true;
            reading->used = 0;
        }
    }
}

/* A signal is named at the end of `said` (SAID_BYTES), where reasons are. */
static enum micro_end end_of(int error, int wait_status, char *said)
{
    const size_t used = strlen(said);

    if (error == -EINTR)
        return MICRO_INTERRUPTED;
    if (error == -ETIMEDOUT)
        return MICRO_TIMED_OUT;
    if (!error && WIFSIGNALED(wait_status))
        snprintf(said + used, SAID_BYTES - used, "\ntidemark-micro was ended by signal %d (%s)",
                 WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
    if (error || !WIFEXITED(wait_status))
        return MICRO_FAILED;
    switch (WEXITSTATUS(wait_status)) {
    case 0:
        return MICRO_DONE;
    case EXIT_NOT_AVAILABLE:
        return MICRO_NOT_AVAILABLE;
    case EXIT_BAD_USAGE:
        return MICRO_USAGE;
    default:
        return MICRO_FAILED;
    }
}

/* `output` NULL: stdout goes where this process's goes. `timeout_ns` 0: as long as it likes. */
static enum micro_end run_command(const struct command *command, char *output, size_t output_bytes,
                                  char *said, struct reading *reading, uint64_t timeout_ns)
{
    struct process_request request = {
        .argv = (const char *const *)command->argv,
        .environment = (const char *const *)command->environment.variables,
        .output = output,
        .output_bytes = output_bytes,
        .errors = said,
        .errors_bytes = SAID_BYTES - NOTE_BYTES, /* for end_of */
        .timeout_ns = timeout_ns,
        .on_output = reading ? read_console : NULL,
        .context = reading,
    };
    int wait_status = 0;

    said[0] = '\0';
    int error = process_run(&request, &wait_status);

    return end_of(error, wait_status, said);
}

static int add_flags(struct command *command, const struct micro_run *run)
{
    int error = run->takes_every ? command_add(command, "--all") : 0;

    for (int i = 0; i < run->flag_count && !error; i++)
        error = command_add(command, run->flags[i]);
    return error;
}

static int build_question(struct command *command, const struct micro_run *run,
                          const char *question)
{
    command_init(command, run->paths->micro);
    int error = command_add(command, question);

    if (!error)
        error = add_flags(command, run);
    if (error)
        fprintf(stderr, "tidemark micro: too many flags, or too long ones\n");
    return error;
}

enum micro_end micro_run_list(struct micro_run *run, int shows)
{
    /* Names are listed in milliseconds, but that some expressions take for ever to match. */
    const uint64_t list_ns = 10ull * CLOCK_SECOND_NS;
    static char listed[LISTED_BYTES];
    struct command command;
    char said[SAID_BYTES];
    size_t names = 0;

    if (build_question(&command, run, "--list") != 0)
        return MICRO_USAGE;
    enum micro_end end = run_command(&command, listed, sizeof listed, said, NULL, list_ns);
    if (end == MICRO_USAGE || end == MICRO_FAILED)
        fputs(said, stderr);
    if (end != MICRO_DONE)
        return end;
    for (const char *at = listed; (at = strchr(at, '\n')); at++)
        names++;
    run->names = names;
    if (shows)
        fputs(listed, stdout);
    return MICRO_DONE;
}

enum micro_end micro_run_answer(const struct micro_run *run)
{
    struct command command;
    char said[SAID_BYTES];

    if (build_question(&command, run, "--help") != 0)
        return MICRO_USAGE;
    enum micro_end end = run_command(&command, NULL, 0, said, NULL, 0);
    fputs(said, stderr);
    return end;
}

/* A file name from a row: what could trouble a shell or another system becomes an underscore. */
static void file_name(const char *row, char *name, size_t name_bytes)
{
    size_t used = 0;

    for (; *row && used + 1 < name_bytes; row++)
        name[used++] = (char)(isalnum((unsigned char)*row) || strchr("._+@-", *row) ? *row : '_');
    name[used] = '\0';
}

static int build_row(struct command *command, const struct micro_run *run, const struct row *row,
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

    command_init(command, run->paths->micro);
    for (size_t i = 0; i < sizeof own / sizeof own[0] && own[i] && !error; i++)
        error = command_add(command, own[i]);
    if (!error)
        error = add_flags(command, run);
    snprintf(flag, sizeof flag, "--benchmark_out=%s", output);
    if (!error)
        error = command_add(command, flag);
    if (!error)
        error = command_add(command, "--benchmark_out_format=json");
    return error ? error : environment_add_row(&command->environment, row);
}

/* Google Benchmark writes the host's name, the program's path and the load into its context; a
 * reader of the figures needs none of them. */
static json_t *keep_result(int micro_fd, const char *temporary, const char *name)
{
    char error[JSON_FILE_ERROR_BYTES];
    json_t *result = micro_results_take(micro_fd, temporary, error);

    unlinkat(micro_fd, temporary, 0);
    if (!result || json_array_size(json_object_get(result, "benchmarks")) == 0) {
        fprintf(stderr, "tidemark micro: no result: %s\n",
                result ? "the file holds no benchmark" : error);
        json_decref(result);
        return NULL;
    }
    json_t *context = json_object_get(result, "context");
    json_object_del(context, "host_name");
    json_object_del(context, "executable");
    json_object_del(context, "load_avg");
    json_object_set_new(context, MICRO_MEASURED_KEY,
                        json_integer((json_int_t)clock_ns(CLOCK_REALTIME)));
    int failed = json_file_write(micro_fd, name, result);
    if (!failed)
        return result;
    fprintf(stderr, "tidemark micro: cannot write micro/%s: %s\n", name, strerror(-failed));
    json_decref(result);
    return NULL;
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

/* Returns how many benchmarks gave a reason in place of a figure, each told. */
static size_t tell_failures(const struct row *row, const json_t *result)
{
    size_t i, failed = 0;
    const json_t *benchmark;

    json_array_foreach(json_object_get(result, "benchmarks"), i, benchmark)
    {
        if (!json_is_true(json_object_get(benchmark, "error_occurred")))
            continue;
        fprintf(stderr, "failed: %s: %s: %s\n", row->text, json_text(benchmark, "name"),
                json_text(benchmark, "error_message"));
        failed++;
    }
    return failed;
}

/* Whether Google Benchmark came to the end of its file, also where some benchmarks failed. */
static int has_end(int micro_fd, const char *name)
{
    char error[JSON_FILE_ERROR_BYTES];
    json_t *result = micro_results_take(micro_fd, name, error);

    json_decref(result);
    return result != NULL;
}

/* Runs the row and keeps what it wrote as `name`. */
static enum micro_end run_into(struct micro_run *run, const struct row *row,
                               const struct command *command, const char *temporary,
                               const char *name, json_t **result)
{
    char output[256], said[SAID_BYTES];
    struct reading reading = {.run = run, .row = row};
    enum micro_end end = run_command(command, output, sizeof output, said, &reading, 0);
    json_t *kept = NULL;

    /* With --benchmark_format=json the console has no lines to count. */
    if (end == MICRO_DONE && reading.done == 0)
        run->measured += run->names;
    if (end == MICRO_DONE || (end == MICRO_FAILED && has_end(run->micro_fd, temporary)))
        kept = keep_result(run->micro_fd, temporary, name);
    unlinkat(run->micro_fd, temporary, 0);
    if (end == MICRO_NOT_AVAILABLE)
        tell(row, "n/a", said);
    else if (kept && tell_failures(row, kept) > 0)
        end = MICRO_FAILED;
    else if (end == MICRO_FAILED)
        tell(row, "failed", said);
    if (!kept)
        return end == MICRO_DONE ? MICRO_FAILED : end;
    *result = kept;
    return end;
}

enum micro_end micro_run_row(struct micro_run *run, const struct row *row, json_t **result)
{
    char base[ROW_TEXT_BYTES], name[ROW_TEXT_BYTES + 8], temporary[ROW_TEXT_BYTES + 16];
    char output[RUN_FOLDER_PATH_BYTES + 320];
    struct command command;

    file_name(row->text, base, sizeof base);
    snprintf(name, sizeof name, "%s.json", base);
    snprintf(temporary, sizeof temporary, ".%s.new", name);
    snprintf(output, sizeof output, "%s/micro/%s", run->folder, temporary);
    if (faccessat(run->micro_fd, name, F_OK, 0) == 0) {
        fprintf(stderr,
                "tidemark micro: %s/micro/%s is there already; nothing measured is overwritten\n",
                run->folder, name);
        return MICRO_FAILED;
    }
    if (row->not_available[0]) {
        fprintf(stderr, "n/a: %s: %s\n", row->text, row->not_available);
        return MICRO_NOT_AVAILABLE;
    }
    if (build_row(&command, run, row, output) != 0)
        return MICRO_USAGE;
    return run_into(run, row, &command, temporary, name, result);
}

/* The value of the last flag NAME=VALUE, or `otherwise`. */
static double flag_value(const struct micro_run *run, const char *name, double otherwise)
{
    const size_t length = strlen(name);
    double value = otherwise;

    for (int i = 0; i < run->flag_count; i++) {
        if (strncmp(run->flags[i], name, length) == 0)
            value = strtod(run->flags[i] + length, NULL);
    }
    return value > 0 ? value : otherwise;
}

double micro_run_left_seconds(const struct micro_run *run, size_t rows_done, size_t names_done)
{
    /* Google Benchmark feels its way to the iterations that take its minimum of time: with what
     * lies outside of the measured time it is nearly twice that. */
    const double google_benchmark_s = 0.5, tries = 2;
    const size_t all = run->row_count * run->names, done = rows_done * run->names + names_done;
    double each_s = tries * flag_value(run, "--benchmark_min_time=", google_benchmark_s) *
                    flag_value(run, "--benchmark_repetitions=", 1);

    if (run->measured > 0)
        each_s = clock_seconds_since(run->began_ns) / (double)run->measured;
    return all > done ? each_s * (double)(all - done) : 0;
}
