/*
 * tidemark check: the allocator contract on any rows, a process for each check. Leaves out the
 * checks (harness/check.h) and their processes (harness/check_process.h).
 */
#define _GNU_SOURCE
#include "harness/check_process.h"
#include "harness/cli.h"
#include "harness/clock.h"
#include "harness/grammar.h"
#include "harness/json_file.h"
#include "harness/progress.h"
#include "harness/row_list.h"
#include "harness/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CHECKS = 64, OPTION_ONLY = 256, OPTION_LIST, OPTION_SEED, OPTION_TIMEOUT };

#ifdef TIDEMARK_SANITIZED
enum { CHECK_USUAL_SECONDS = 600 };
#else
enum { CHECK_USUAL_SECONDS = 60 };
#endif

struct check_options {
    struct row_list rows;
    const struct check *only[MOST_CHECKS];
    size_t only_count;
    struct check_limits limits;
    int json, list;
};

static void add_only(struct argp_state *state, struct check_options *options, const char *name)
{
    const char *names[MOST_CHECKS];
    char message[GRAMMAR_ERROR_BYTES];
    const struct check *check = check_find(name);

    if (check && options->only_count < MOST_CHECKS) {
        options->only[options->only_count++] = check;
        return;
    }
    for (size_t i = 0; i < check_table_count; i++)
        names[i] = check_table[i].name;
    snprintf(message, sizeof message,
             check ? "--only: too many, at '%.64s'" : "no check is called '%.64s'", name);
    if (!check)
        grammar_suggest(message, sizeof message, name, names, check_table_count);
    argp_error(state, "%s", message);
}

static void read_seed(struct argp_state *state, const char *text, uint64_t *seed)
{
    if (text_parse_number(text, 0, INT64_MAX, seed) != 0)
        argp_error(state, "--seed: '%s' is no number between 0 and %" PRId64, text, INT64_MAX);
}

static void read_timeout(struct argp_state *state, const char *text, unsigned *seconds)
{
    enum { MOST_MINUTES = 60 };
    uint64_t ns;

    if (text_parse_duration(text, &ns) != 0 || ns % CLOCK_SECOND_NS != 0 || ns == 0 ||
        ns > MOST_MINUTES * UINT64_C(60) * CLOCK_SECOND_NS)
        argp_error(state, "--timeout: '%s' is no whole number of seconds between 1s and %dmin",
                   text, MOST_MINUTES);
    *seconds = (unsigned)(ns / CLOCK_SECOND_NS);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct check_options *options = state->input;
    char error[ROW_ERROR_BYTES];

    switch (key) {
    case 'a':
        if (row_list_add(&options->rows, argument, error) != 0)
            argp_error(state, "%s", error);
        return 0;
    case OPTION_ONLY:
        add_only(state, options, argument);
        return 0;
    case OPTION_SEED:
        read_seed(state, argument, &options->limits.seed);
        return 0;
    case OPTION_TIMEOUT:
        read_timeout(state, argument, &options->limits.timeout_seconds);
        return 0;
    case OPTION_LIST:
        options->list = 1;
        return 0;
    case 'j':
        options->json = 1;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "a row follows -a, as in '-a %s'", argument);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_table[] = {
    {"allocator", 'a', "ROW", 0,
     "Rows, as in tidemark run; may be repeated (default: every allocator of this build)", 0},
    {"only", OPTION_ONLY, "CHECK", 0, "This check alone; may be repeated (default: all)", 0},
    {"list", OPTION_LIST, NULL, 0, "Print the checks, and what each needs, and run none", 0},
    {"seed", OPTION_SEED, "N", 0, "Seeds the random calls (default 1)", 0},
    {"timeout", OPTION_TIMEOUT, "TIME", 0,
     "Limit of the time of one check, 1s to 60min (default 60s; 10min in a sanitizer's build)", 0},
    {"json", 'j', NULL, 0,
     "Print an array of rows, each with its checks: name, status, finding, what else was printed, "
     "seconds",
     0},
    {0},
};

const struct argp cli_check_parser = {
    .options = option_table,
    .parser = parse,
    .doc = "Put rows to the contract of an allocator (allocators/allocator.h): alignment, zeros, "
           "content through random calls, blocks that never overlap, sizes that cannot be served, "
           "memory that is used again, memory that ends, regions, threads, forks; and that the "
           "row is served by the file that it names. Each check of each row has a process of its "
           "own: one that crashes or hangs fails, and the others go on. The same seed makes the "
           "same calls. A row takes some seconds."
           "\vStatus of a check:\n"
           "  ok     the promise is kept\n"
           "  FAIL   it is not, and the sentence says where\n"
           "  n/a    the row lacks the capability that is named, or this cannot be told here\n"
           "  known  it is not kept, in a way that is known of this allocator, for the reason "
           "given\n\n"
           "Example:\n"
           "  tidemark check -a jemalloc -a pymalloc@jemalloc\n"
           "  tidemark check -a mine=/opt/lib/libmine.so\n"
           "  tidemark check -a /opt/lib/libmine.so --only no_overlap --only content --seed 7\n"
           "  tidemark check --json | jq '.[].checks[] | select(.status == \"FAIL\")'\n\n"
           "Exit status: 0 nothing fails; 1 something does, or a row of -a cannot be opened; 2 "
           "usage; 130 interrupted.",
};

/* --- --list --- */

static json_t *list_to_json(void)
{
    json_t *all = json_array();
    char needs[ALLOCATOR_TEXT_BYTES];

    for (size_t i = 0; i < check_table_count; i++) {
        const struct check *check = &check_table[i];
        json_array_append_new(
            all, json_pack("{s:s, s:s, s:s}", "name", check->name, "summary", check->summary,
                           "needs", allocator_capability_names(check->needs, needs, sizeof needs)));
    }
    return all;
}

static void print_list(int json)
{
    json_t *all = list_to_json();
    const json_t *entry;
    size_t i;

    if (json) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        json_array_foreach(all, i, entry)
        {
            const char *needs = json_text(entry, "needs");
            printf("%-19s %s\n", json_text(entry, "name"), json_text(entry, "summary"));
            if (needs[0])
                printf("%-19s   needs %s\n", "", needs);
        }
    }
    json_decref(all);
}

/* --- Results. --- */

struct tally {
    size_t counts[CHECK_KNOWN + 1];
};

static void print_result(const struct check *check, const struct row *row,
                         const struct check_result *result)
{
    const struct check_deviation *known =
        result->status == CHECK_KNOWN ? check_deviation_find(check->name, row, result->finding)
                                      : NULL;

    printf("%-5s %-19s %s\n", check_status_name(result->status), check->name, result->finding);
    if (known)
        printf("%-5s %-19s %s: %s\n", "", "", known->allocator, known->reason);
    if (result->status != CHECK_FAILED)
        return;
    for (const char *at = result->said; *at;) {
        int length = (int)strcspn(at, "\n");
        printf("%-5s %-19s | %.*s\n", "", "", length, at);
        at += length + (at[length] == '\n');
    }
}

/* A path need not be UTF-8; JSON has to be. */
static json_t *json_text_of(const char *text)
{
    json_t *string = json_string(text);

    return string ? string : json_string("(not UTF-8)");
}

static json_t *result_to_json(const struct check *check, const struct row *row,
                              const struct check_result *result)
{
    json_t *object =
        json_pack("{s:s, s:s, s:o, s:o, s:f}", "name", check->name, "status",
                  check_status_name(result->status), "finding", json_text_of(result->finding),
                  "printed", json_text_of(result->said), "seconds", result->seconds);

    if (result->status == CHECK_KNOWN)
        json_object_set_new(
            object, "reason",
            json_string(check_deviation_find(check->name, row, result->finding)->reason));
    return object;
}

static void print_tally(const struct tally *tally, double seconds)
{
    printf("%zu ok, %zu FAIL, %zu n/a, %zu known  (%.1f s)\n", tally->counts[CHECK_OK],
           tally->counts[CHECK_FAILED], tally->counts[CHECK_NOT_AVAILABLE],
           tally->counts[CHECK_KNOWN], seconds);
}

/* --- Rows. --- */

struct session {
    const struct check_options *options;
    struct program_paths paths;
    struct progress progress;
    uint64_t began_ns;
    json_t *rows;
    size_t failed;
};

static void show_progress(struct session *session, const struct row *row, const struct check *check)
{
    struct progress *progress = &session->progress;
    char what[ROW_TEXT_BYTES + 64];
    double seconds = clock_seconds_since(session->began_ns);

    /* Checks differ, rows less so: as good as a guess gets before the first row is done. */
    progress->left_seconds = progress->done ? seconds / (double)progress->done *
                                                  (double)(progress->total - progress->done)
                                            : 0.1 * (double)progress->total;
    snprintf(what, sizeof what, "%s · %s", row->text, check->name);
    progress_show(progress, what);
}

/* A row that nobody asked for by name may be missing; it is then no failure of this build. */
static int is_optional(const struct session *session, const struct row *row)
{
    return session->options->rows.count == 0 && row->object.allocator->package;
}

/* Whether the row can be opened at all: without that the other checks would all say the same. */
static int run_opens(struct session *session, const struct row *row, struct check_result *result)
{
    int error = 0;

    if (row->not_available[0]) {
        *result = (struct check_result){.status = CHECK_FAILED};
        snprintf(result->finding, sizeof result->finding, "%s", row->not_available);
    } else {
        error = check_process_run(check_find("opens"), row, &session->paths,
                                  &session->options->limits, result);
    }
    if (!error && result->status == CHECK_FAILED && is_optional(session, row))
        result->status = CHECK_NOT_AVAILABLE;
    return error;
}

static void keep(struct session *session, const struct check *check, const struct row *row,
                 const struct check_result *result, struct tally *tally, json_t *checks)
{
    progress_end(&session->progress);
    if (!session->options->json)
        print_result(check, row, result);
    json_array_append_new(checks, result_to_json(check, row, result));
    tally->counts[result->status]++;
    session->failed += result->status == CHECK_FAILED;
}

static int is_asked(const struct check_options *options, const struct check *check)
{
    for (size_t i = 0; i < options->only_count; i++) {
        if (options->only[i] == check)
            return 1;
    }
    return options->only_count == 0;
}

/* Without a process where it is plain that it would say nothing. Returns 0 or a negative errno. */
static int run_other(const struct session *session, const struct row *row,
                     const struct check *check, struct check_result *result)
{
    *result = (struct check_result){.status = CHECK_NOT_AVAILABLE};
    if (check_has_obstacle(check, row->object.allocator->capabilities, result->finding))
        return 0;
    return check_process_run(check, row, &session->paths, &session->options->limits, result);
}

/* The checks after `opens`. Returns 0 or a negative errno. */
static int run_others(struct session *session, const struct row *row, struct tally *tally,
                      json_t *checks)
{
    const struct check *opens = check_find("opens");
    struct check_result result;
    int error = 0;

    for (size_t i = 0; i < check_table_count && !error; i++) {
        const struct check *check = &check_table[i];
        if (check == opens || !is_asked(session->options, check))
            continue;
        if (session->progress.is_terminal)
            show_progress(session, row, check);
        error = run_other(session, row, check, &result);
        if (error)
            break;
        session->progress.done++;
        keep(session, check, row, &result, tally, checks);
        fflush(stdout);
    }
    return error;
}

/* Returns 0, or a negative errno when no process could be started or -EINTR. */
static int check_row(struct session *session, const struct row *row)
{
    const struct check *opens = check_find("opens");
    const uint64_t began_ns = clock_monotonic_ns();
    struct tally tally = {{0}};
    struct check_result result;
    json_t *checks = json_array();

    show_progress(session, row, opens);
    int error = run_opens(session, row, &result);
    if (!error) {
        progress_end(&session->progress);
        if (!session->options->json)
            printf("%s%s\n", json_array_size(session->rows) ? "\n" : "", row->text);
        keep(session, opens, row, &result, &tally, checks);
        fflush(stdout);
    }
    if (!error && result.status == CHECK_OK)
        error = run_others(session, row, &tally, checks);
    if (!error && !session->options->json)
        print_tally(&tally, clock_seconds_since(began_ns));
    json_array_append_new(
        session->rows, json_pack("{s:o, s:o}", "row", json_text_of(row->text), "checks", checks));
    return error;
}

static int check_rows(struct session *session, const struct row *rows, size_t count)
{
    const struct check_options *options = session->options;
    const size_t checks_a_row = options->only_count ? options->only_count + 1 : check_table_count;
    int error = 0;

    progress_init(&session->progress, count * checks_a_row);
    for (size_t i = 0; i < count && !error; i++) {
        session->progress.done = i * checks_a_row;
        error = check_row(session, &rows[i]);
    }
    progress_end(&session->progress);
    if (options->json && error != -EINTR) {
        json_dumpf(session->rows, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    if (error && error != -EINTR)
        fprintf(stderr, "tidemark check: a process cannot be started: %s\n", strerror(-error));
    return error == -EINTR ? CLI_INTERRUPTED : error || session->failed ? CLI_FAILED : CLI_OK;
}

int cli_check(int argc, char **argv)
{
    static struct row rows[ROW_LIST_MOST];
    /* A sanitizer makes the checks slower by as much as it likes. */
    struct check_options options = {.limits = {.seed = 1, .timeout_seconds = CHECK_USUAL_SECONDS}};
    struct session session = {.options = &options, .began_ns = clock_monotonic_ns()};
    char error[ROW_ERROR_BYTES];

    argp_parse(&cli_check_parser, argc, argv, 0, NULL, &options);
    if (options.list) {
        print_list(options.json);
        return cli_finish("check", CLI_OK);
    }
    size_t count = row_list_parse(&options.rows, rows, error);
    if (count == 0)
        return cli_usage_error("check", error);
    if (cli_find_programs("check", &session.paths) != CLI_OK)
        return CLI_FAILED;
    session.rows = json_array();
    int status = check_rows(&session, rows, count);
    json_decref(session.rows);
    row_list_free(&options.rows);
    return cli_finish("check", status);
}
