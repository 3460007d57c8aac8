/*
 * A run folder from anywhere, through what `tidemark show` and `tidemark run --resume` do with it.
 * An input is plan.json, machine.json and samples.jsonl, a line "%%" between them. Leaves out the
 * files themselves (json_file_test.c) and every other program: hosts are looked up in a table.
 */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

#include "harness/machine.h"
#include "harness/plan_read.h"
#include "harness/run_compare.h"
#include "harness/run_read.h"
#include "harness/summary.h"
#include "harness/table.h"
#include "harness/tally.h"

#include <errno.h>
#include <string.h>

/* In place of harness/host.c's (ld --wrap): a plan may name any program, and none is started. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier): the name is the linker's */
int __wrap_host_resolve(struct host *host, const char *text, char *error);

int __wrap_host_resolve(struct host *host, const char *text, char *error)
{
    if (strcmp(text, "objects") == 0) {
        *host = (struct host){.text = "objects"};
        return 0;
    }
    if (strcmp(text, "python3") == 0) {
        *host = (struct host){.text = "python3",
                              .path = "/usr/bin/python3",
                              .major = 3,
                              .minor = 11,
                              .version = "CPython 3.11.2"};
        return 0;
    }
    snprintf(error, HOST_ERROR_BYTES, "no host is called '%.64s'", text);
    return -ENOENT;
}

/* A terminal takes it as text, and a script as one line. */
static void check_message(const char *message)
{
    FUZZ_CHECK(message[0]);
    for (; *message; message++)
        FUZZ_CHECK((unsigned char)*message >= ' ' && *message != 0x7f);
}

/* "samples.jsonl:7: ..." */
static int names_a_line(const char *message)
{
    static const char file[] = "samples.jsonl:";

    return strncmp(message, file, strlen(file)) == 0 && message[strlen(file)] >= '1' &&
           message[strlen(file)] <= '9';
}

static void check_refusal(const char *error)
{
    check_message(error);
    FUZZ_CHECK(strncmp(error, "plan.json", 9) == 0 || strncmp(error, "machine.json", 12) == 0 ||
               names_a_line(error));
}

static void check_table(const char *table)
{
    for (; *table; table++)
        FUZZ_CHECK(*table == '\n' || ((unsigned char)*table >= ' ' && *table != 0x7f));
}

/* What passed the reader is summarised and printed, whatever it says. */
static void show(const struct run_content *content)
{
    char error[SUMMARY_ERROR_BYTES], *table = NULL;
    size_t length = 0;
    json_t *summary = summary_of_run(content->plan, content->samples, error);
    FILE *out = open_memstream(&table, &length);

    FUZZ_CHECK(summary && out);
    FUZZ_CHECK(json_array_size(summary) ==
               json_array_size(json_object_get(content->plan, "cells")));
    table_print(out, summary);
    FUZZ_CHECK(fclose(out) == 0);
    check_table(table);
    free(table);
    char *text = json_dumps(summary, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    FUZZ_CHECK(text);
    free(text);
    json_decref(summary);
}

/* A plan that was read back is written as one that is read back again. */
static void check_round_trip(const struct plan *plan)
{
    char error[PLAN_ERROR_BYTES];
    struct plan again;
    json_t *json = plan_to_json(plan);

    FUZZ_CHECK(plan_from_json(&again, json, error) == 0);
    FUZZ_CHECK(again.cell_count == plan->cell_count && plan_samples(&again) == plan_samples(plan));
    plan_free(&again);
    json_decref(json);
}

/* As run_start.c does before it writes anything. */
static void compare(const struct plan *plan, json_t *machine)
{
    char reasons[2048] = "";
    json_t *now = json_pack("{s:{s:s, s:s}, s:s, s:s, s:i, s:{s:{s:s, s:s}}, s:{s:s, s:s}}",
                            "programs", "tidemark", "00c0ffee", "tidemark-child", "deadbeef",
                            "kernel", "Linux 6.1", "cpu", "A Processor", "cores", 2, "python",
                            "python3", "path", "/usr/bin/python3", "version", "CPython 3.11.2",
                            "libraries", "glibc", "glibc 2.36", "jemalloc", "jemalloc 5.3.0");

    FUZZ_CHECK(now);
    size_t differences = run_compare(plan, machine, now, reasons, sizeof reasons);
    FUZZ_CHECK(!differences == !reasons[0]);
    json_decref(now);
}

static void go_on(const struct run_content *content, const struct tally *tally)
{
    size_t i;
    const json_t *sample;

    FUZZ_CHECK(tally->stored == json_array_size(content->samples));
    FUZZ_CHECK(tally_left(tally) + tally->stored <=
               (tally->plan->until.share > 0
                    ? tally->plan->cell_count * plan_most_rounds(tally->plan) * PLAN_REPEATS
                    : plan_samples(tally->plan)));
    FUZZ_CHECK(tally_seconds_left(tally) >= 0);
    json_array_foreach(content->samples, i, sample)
    {
        json_int_t cell = json_integer_value(json_object_get(sample, "cell"));
        const char *version = json_string_value(json_object_get(sample, "version"));
        machine_add_version(content->machine, &tally->plan->cells[cell], version ? version : "");
    }
    compare(tally->plan, content->machine);
}

static void resume(const struct run_content *content)
{
    char error[RUN_FOLDER_ERROR_BYTES] = "";
    struct plan plan = {0};
    struct tally tally;

    if (plan_from_json(&plan, content->plan, error) != 0) {
        check_refusal(error);
        return;
    }
    check_round_trip(&plan);
    FUZZ_CHECK(tally_init(&tally, &plan) == 0);
    if (tally_add_stored(&tally, content->samples, error) != 0)
        check_refusal(error);
    else
        go_on(content, &tally);
    tally_free(&tally);
    plan_free(&plan);
}

static struct file_text text_of(struct fuzz_part part)
{
    return (struct file_text){.bytes = fuzz_copy(part), .length = part.length};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    char error[RUN_FOLDER_ERROR_BYTES] = "";
    struct run_content content;
    struct run_texts texts = {.plan = text_of(fuzz_next_part(&data, &length)),
                              .machine = text_of(fuzz_next_part(&data, &length)),
                              .samples = text_of(fuzz_next_part(&data, &length))};

    json_object_seed(1); /* the same input takes the same way each time */
    if (run_content_parse(&content, &texts, error) != 0) {
        check_refusal(error);
    } else {
        show(&content);
        resume(&content);
        run_content_free(&content);
    }
    run_texts_free(&texts);
    return 0;
}
