/*
 * tidemark run: from what was asked for to a plan, and from the plan to a run. Leaves out the words
 * of the command line (harness/cli_run_options.h) and what a resumed run needs
 * (harness/run_start.h).
 */
#define _GNU_SOURCE
#include "harness/cli.h"
#include "harness/cli_run_options.h"
#include "harness/json_file.h"
#include "harness/machine.h"
#include "harness/memory_parent.h"
#include "harness/pass.h"
#include "harness/program_cells.h"
#include "harness/proof.h"
#include "harness/run_plan.h"
#include "harness/runner.h"
#include "harness/shard_text.h"
#include "harness/suite.h"
#include "harness/table.h"
#include "harness/text.h"
#include "harness/trace_files.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *message)
{
    fprintf(stderr, "tidemark run: %s\n", message);
    return CLI_FAILED;
}

static unsigned chosen_passes(const struct run_options *options)
{
    const struct suite *suite = run_plan_suite(&options->choice);
    unsigned passes = pass_bit(&census_pass);
    char error[PASS_ERROR_BYTES];

    if (options->chose_passes)
        passes = options->passes;
    else if (suite && suite->passes && pass_parse_set(suite->passes, &passes, error) != 0)
        abort(); /* suite.c names what there is */
    return options->no_census ? passes & ~pass_bit(&census_pass) : passes;
}

/* Whether there can be groups is known before the run, so that the plan says so. */
static void look_for_pressure(struct plan *plan)
{
    struct memory_parent parent;

    if (!plan_needs_pressure(plan))
        return;
    memory_parent_open(&parent);
    if (parent.version == 0)
        plan_rule_out_pressure(plan, parent.reason);
    memory_parent_close(&parent);
}

/* A program is told by the processes that belong to it, one sample at a time. Together they have as
 * much memory as one alone. */
static int seat_together(struct plan *plan, char *error)
{
    for (size_t i = 0; i < plan->cell_count; i++) {
        if (plan->cells[i].workload->is_program) {
            snprintf(error, GRAMMAR_ERROR_BYTES, "--together: '%s' runs programs, which take turns",
                     plan->cells[i].workload->name);
            return -EINVAL;
        }
    }
    if (plan->shard.limit_is_default)
        plan->memory_limit_bytes /= plan_most_together(plan);
    return 0;
}

static int make_plan(struct plan *plan, const struct run_options *options, char *error)
{
    plan->shard = options->shard;
    plan->shard.limit_is_default = options->memory_limit_bytes == 0;
    plan->scale = options->scale;
    plan->seed = options->seed;
    plan->tick_ns = options->tick_ns;
    plan->timeout_ns = options->timeout_ns;
    plan->memory_limit_bytes = options->memory_limit_bytes ? options->memory_limit_bytes
                                                           : machine_available_bytes() / 5 * 4;
    plan->warm_up_bytes = options->warm_up_bytes;
    plan->repeat_dirty = !options->no_repeats;
    plan->together = options->together;
    plan->until = options->until;
    int failed = run_plan_cells(plan, &options->choice, error);

    if (!failed && plan->together)
        failed = seat_together(plan, error);
    if (!failed)
        failed = trace_files_prepare(plan, error);
    if (!failed) {
        plan->passes = chosen_passes(options);
        look_for_pressure(plan);
    }
    return failed;
}

/* What may be added to the planned rounds. */
static void print_until(const struct plan *plan)
{
    const struct until *until = &plan->until;
    char words[UNTIL_WORDS_BYTES], left[TEXT_NUMBER_BYTES];

    if (until->share > 0)
        printf("; more until half the interval of %s is at most %g %%, up to %u rounds and %s",
               until_words(until->metrics, words), 100 * until->share, plan_most_rounds(plan),
               text_format_left(left, (double)until->most_ns / 1e9));
}

static void print_plan(const struct plan *plan)
{
    const struct return_way usual = {0};
    char parameters[128], idle[TEXT_NUMBER_BYTES], way[RETURN_WAY_TEXT_BYTES];

    for (size_t i = 0; i < plan->cell_count; i++) {
        const struct cell *cell = &plan->cells[i];
        printf("%s:%s  row %s  host %s  idle %s  rounds %u", cell->workload->name,
               cell_format_parameters(cell, parameters, sizeof parameters), cell->row.text,
               cell->host.text, text_format_duration(idle, (double)cell->idle_ns), cell->rounds);
        if (!return_way_is_same(&cell->way, &usual))
            printf("  return %s%s", return_way_text(&cell->way, way),
                   cell->way.rebuilds ? ", rebuilt" : "");
        if (cell->not_available[0])
            printf("  n/a: %s", cell->not_available);
        if (cell->is_control)
            printf("  control");
        if (cell->shard)
            printf("  shard %u", cell->shard);
        putchar('\n');
    }
    printf("%zu cells", plan->cell_count - plan_controls(plan));
    if (plan_controls(plan) > 0)
        printf(" + %zu control cell%s", plan_controls(plan), plan_controls(plan) == 1 ? "" : "s");
    printf(", %zu samples, seed %" PRIu64, plan_samples(plan), plan->seed);
    if (plan->scale != 1)
        printf(", scale %g", plan->scale);
    if (plan->together)
        printf("; the rows of a round at once");
    print_until(plan);
    putchar('\n');
    shard_print_plan(stdout, plan);
}

static const char *default_folder(const struct plan *plan, const struct run_options *options,
                                  char *path, size_t path_bytes)
{
    const char *name = options->name ? options->name : plan->suite[0] ? plan->suite : "run";
    char utc[32], stamp[32];
    size_t used = 0;

    /* A colon in a name troubles make, rsync and Windows: 2026-01-31T120000Z. */
    machine_utc_now(utc);
    for (const char *at = utc; *at; at++) {
        if (*at != ':')
            stamp[used++] = *at;
    }
    stamp[used] = '\0';
    int length = snprintf(path, path_bytes, "results/%s-%s", stamp, name);
    /* Shards may start in the same second, into a folder that their machines share. */
    if (plan->shard.count > 0 && (size_t)length < path_bytes)
        snprintf(path + length, path_bytes - (size_t)length, "-%uof%u", plan->shard.index,
                 plan->shard.count);
    return path;
}

static void warn_of_environment(void)
{
    json_t *dropped = environment_dropped();
    size_t i;
    json_t *variable;

    json_array_foreach(dropped, i, variable) fprintf(
        stderr, "tidemark run: not passed on to the allocators: %s\n", json_string_value(variable));
    json_decref(dropped);
}

/* A tunable that nobody can read back is told: the row's figures rest on trust. */
static void warn_of_unproved(const struct plan *plan)
{
    const char *row;
    json_t *findings;
    size_t i;
    const json_t *finding;

    json_object_foreach(plan->tunables, row, findings)
    {
        json_array_foreach(findings, i, finding)
        {
            if (json_is_null(json_object_get(finding, "proof")))
                fprintf(stderr,
                        "tidemark run: %s: that %s:%s took effect is not proved: %s does not "
                        "tell it, nor does its behaviour here\n",
                        row, json_text(finding, "name"), json_text(finding, "asked"),
                        json_text(finding, "allocator"));
        }
    }
}

/* Returns CLI_OK, or the exit status that ends this program. */
static int prove_tunables(struct plan *plan)
{
    int error = proof_of_plan(plan);

    if (error == -EINTR)
        return CLI_INTERRUPTED;
    if (error)
        return fail("not enough memory to prove the tunables");
    warn_of_unproved(plan);
    return CLI_OK;
}

/* The table, and where everything lies; the report where it was asked for. */
static int tell(const struct run_options *options, const char *folder, int status)
{
    if (options->folder_used)
        snprintf(options->folder_used, CLI_FOLDER_BYTES, "%s", folder);
    if (options->no_table)
        return status;
    json_t *summary = cli_read_summary("run", folder);

    if (!summary)
        return CLI_FAILED;
    table_print(stdout, summary);
    cli_print_plan(folder);
    shard_print_folder(stdout, folder);
    json_decref(summary);
    printf("\nrun folder: %s\n", folder);
    status = cli_finish("run", status);
    if (options->report) {
        int drawn = cli_draw_report("run", folder, NULL);
        if (drawn == CLI_OK)
            printf("report:     %s/report.html\nfigures:    %s/figures/\n", folder, folder);
        else if (status == CLI_OK)
            status = drawn;
    }
    return status;
}

static int measure(struct run_start *start, const struct program_paths *paths,
                   const struct run_options *options, const char *folder)
{
    char error[RUNNER_ERROR_BYTES], quoted[TEXT_QUOTED_BYTES(RUN_FOLDER_PATH_BYTES)];

    warn_of_environment();
    int end = runner_run(start, paths, options->view, error);
    if (end < 0)
        return fail(error);
    int status = tell(options, folder, end == RUNNER_COMPLETE ? CLI_OK : CLI_FAILED);
    if (end == RUNNER_INTERRUPTED) {
        fprintf(stderr,
                "tidemark run: interrupted; what was measured is in %s\n"
                "finish it with: tidemark run --resume %s\n",
                folder, text_quote(folder, quoted));
        return CLI_INTERRUPTED;
    }
    return cli_finish("run", status);
}

/* Of a new run, or of one that goes on; its plan is then read into `plan`. */
static int run_and_tell(struct plan *plan, const struct run_options *options)
{
    struct program_paths paths;
    struct run_start start;
    char path[CLI_FOLDER_BYTES], error[RUN_START_ERROR_BYTES];
    const char *folder = options->resume   ? options->resume
                         : options->folder ? options->folder
                                           : default_folder(plan, options, path, sizeof path);
    int status;

    if (cli_find_programs("run", &paths) != CLI_OK)
        return CLI_FAILED;
    program_cells_prepare(plan, &paths);
    int failed = options->resume ? run_start_resumed(&start, plan, &paths, folder, error)
                                 : run_start_new(&start, plan, &paths, folder, error);
    if (failed) {
        fail(error);
        status = failed == -EEXIST || failed == -EINVAL ? CLI_USAGE
                 : failed == -EINTR                     ? CLI_INTERRUPTED
                                                        : CLI_FAILED;
    } else if (start.is_complete) {
        fprintf(stderr, "tidemark run: %s is complete: nothing is left to run\n", folder);
        status = cli_finish("run", tell(options, folder, CLI_OK));
    } else {
        status = measure(&start, &paths, options, folder);
    }
    run_start_close(&start);
    return status;
}

static void tell_scale_notes(const struct plan *plan)
{
    size_t i;
    const json_t *note;

    json_array_foreach(plan->scale_notes, i, note)
        fprintf(stderr, "tidemark run: --scale %g: %s\n", plan->scale, json_string_value(note));
}

/* The plan of a new run; an earlier one brings its own. Returns CLI_OK, or the exit status that
 * ends this program. */
static int prepare(struct plan *plan, const struct run_options *options)
{
    char error[PLAN_ERROR_BYTES];

    if (options->resume)
        return CLI_OK;
    if (make_plan(plan, options, error) != 0)
        return cli_usage_error("run", error);
    tell_scale_notes(plan);
    int status = prove_tunables(plan);
    /* Now it is known which rows can run: a control is of one that can. */
    if (status == CLI_OK && !options->no_control && plan_add_controls(plan) != 0)
        status = fail("not enough memory for the plan");
    if (status == CLI_OK && shard_share_out(plan) != 0)
        status = fail("not enough memory for the plan");
    shard_tell_empty(plan);
    return status;
}

static int run(struct plan *plan, const struct run_options *options)
{
    if (options->dry_run) {
        print_plan(plan);
        return cli_finish("run", CLI_OK);
    }
    return cli_refuse_sanitized("run") ? CLI_FAILED : run_and_tell(plan, options);
}

static int plan_and_run(const struct run_options *options)
{
    struct plan plan = {0};

    int status = prepare(&plan, options);
    if (status == CLI_OK)
        status = run(&plan, options);
    plan_free(&plan);
    return status;
}

int cli_run_suite(const struct cli_suite_run *asked, char *folder)
{
    struct run_options options = cli_run_usual_options;

    if (asked->folder && strlen(asked->folder) >= CLI_FOLDER_BYTES) {
        folder[0] = '\0';
        return cli_usage_error("run", "the path of the run folder is too long");
    }
    options.choice.suite = asked->suite;
    options.folder = asked->folder;
    options.choice.rounds = asked->rounds;
    options.tick_ns = asked->tick_ns;
    options.no_control = options.no_repeats = options.chose_passes = 1;
    options.folder_used = folder;
    options.no_table = 1;
    folder[0] = '\0';
    return plan_and_run(&options);
}

int cli_run_words(const struct cli_words_run *asked, char *folder)
{
    struct run_options options = cli_run_usual_options;

    options.name = asked->name;
    options.no_table = asked->no_table;
    options.folder_used = folder;
    folder[0] = '\0';
    argp_parse(&cli_run_parser, asked->count, asked->words, 0, NULL, &options);
    const int status = plan_and_run(&options);
    row_list_free(&options.choice.rows);
    return status;
}

int cli_run(int argc, char **argv)
{
    struct run_options options = cli_run_usual_options;

    argp_parse(&cli_run_parser, argc, argv, 0, NULL, &options);
    int status = plan_and_run(&options);
    row_list_free(&options.choice.rows);
    return status;
}
