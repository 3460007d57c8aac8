/* A run that may come from anywhere is taken or refused by file, line and field. Leaves out the
 * files (json_file_test.c), what plan and samples mean together (plan_read_test.c) and what nobody
 * has thought of (fuzz/run_folder_fuzz.c). */
#include "harness/run_read.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* With ' in place of ", so that they can be read here. */
static const char good_plan[] =
    "{'format':1,'suite':null,'seed':1,'tick_ns':1,'timeout_ns':1,'memory_limit_bytes':1,"
    "'cells':[{'workload':'w','params':{'n':'5'},'allocator':'a','host':'objects','idle_ns':0,"
    "'rounds':2,'not_available':null}],'order':[[0],[0]]}";
static const char good_machine[] = "{'kernel':'Linux 6.1','finished':null}";
static const char good_line[] = "{'sample':0,'cell':0,'round':0,'status':'ok','reason':null,"
                                "'wall_ns':7,'phases':[{'name':'build','rss_bytes':1}]}\n";

static char error[RUN_FOLDER_ERROR_BYTES];

static struct file_text text_of(const char *quoted)
{
    struct file_text text = {.bytes = malloc(strlen(quoted) + 1), .length = strlen(quoted)};

    assert_non_null(text.bytes);
    for (size_t i = 0; i <= text.length; i++)
        text.bytes[i] = (char)(quoted[i] == '\'' ? '"' : quoted[i]);
    return text;
}

static int parse(struct run_content *content, const char *plan, const char *machine,
                 const char *samples)
{
    struct run_texts texts = {
        .plan = text_of(plan), .machine = text_of(machine), .samples = text_of(samples)};

    error[0] = '\0';
    int failed = run_content_parse(content, &texts, error);
    run_texts_free(&texts);
    return failed;
}

static void assert_refused(const char *plan, const char *machine, const char *samples,
                           const char *says)
{
    struct run_content content = {0};

    assert_int_equal(parse(&content, plan, machine, samples), -EINVAL);
    if (strncmp(error, says, strlen(says)) != 0)
        fail_msg("'%s' does not begin with '%s'", error, says);
    assert_null(content.plan);
    assert_null(content.samples);
}

/* `text` with its first `old` replaced. */
static const char *with(const char *text, const char *old, const char *new)
{
    static char changed[8192];
    const char *at = strstr(text, old);

    assert_non_null(at);
    int length = snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, new,
                          at + strlen(old));
    assert_in_range(length, 1, sizeof changed - 1);
    return changed;
}

static void test_a_good_run_is_taken_with_the_checksum_of_its_plan(void **state)
{
    struct run_content content;

    (void)state;
    if (parse(&content, good_plan, good_machine, good_line) != 0)
        fail_msg("%s", error);
    assert_int_equal(json_array_size(content.samples), 1);
    assert_string_equal(content.plan_checksum, "7e6e1316"); /* python3: zlib.crc32 */
    run_content_free(&content);
}

static void test_a_field_that_is_not_known_is_left_alone(void **state)
{
    struct run_content content;

    (void)state;
    assert_int_equal(parse(&content, with(good_plan, "{'format'", "{'new':[],'format'"),
                           good_machine, good_line),
                     0);
    run_content_free(&content);
    assert_int_equal(
        parse(&content, good_plan, good_machine, with(good_line, "'wall_ns':7", "'new':{}")), 0);
    run_content_free(&content);
}

static void test_what_is_no_json_is_named_with_its_line(void **state)
{
    (void)state;
    assert_refused("{\n'format':1,\n", good_machine, "", "plan.json:3: ");
    assert_refused(good_plan, "{\n,", "", "machine.json:2: ");
    assert_refused(good_plan, good_machine, "{}x\n", "samples.jsonl:1: ");
    assert_refused("", good_machine, "", "plan.json:1: ");
    assert_refused("[]", good_machine, "", "plan.json:1: it is no object");
    assert_refused(good_plan, "[]", "", "machine.json:1: it is no object");
    assert_refused(good_plan, good_machine, "{'a':1,'a':2}\n", "samples.jsonl:1: duplicate");
}

static void test_json_that_is_nested_without_end_is_refused(void **state)
{
    static char deep[100001];

    (void)state;
    memset(deep, '[', sizeof deep - 1);
    assert_refused(deep, good_machine, "", "plan.json:1: maximum parsing depth");
    deep[sizeof deep - 2] = '\n';
    assert_refused(good_plan, good_machine, deep, "samples.jsonl:1: maximum parsing depth");
}

static void test_a_wrong_kind_is_named_by_field(void **state)
{
    static const char *const wrong[][3] = {
        {"'seed':1", "'seed':'1'", "plan.json: seed: wanted a whole number"},
        {"'seed':1,", "", "plan.json: seed: wanted a whole number"},
        {"'suite':null", "'suite':1", "plan.json: suite: wanted a string of printable ASCII or "},
        {"'order':[[0],[0]]", "'order':[[0],0]", "plan.json: order[1]: wanted an array"},
        {"'n':'5'", "'n':5", "plan.json: cells[0].params.n: wanted a string of printable ASCII"},
        {"'w'", "'\\u001b[2J'", "plan.json: cells[0].workload: wanted a string of printable"},
        {"'cells':[{", "'cells':[7,{", "plan.json: cells[0].workload: wanted"},
        {"'not_available':null", "'not_available':1",
         "plan.json: cells[0].not_available: wanted a "
         "string or null"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_refused(with(good_plan, wrong[i][0], wrong[i][1]), good_machine, good_line,
                       wrong[i][2]);
    assert_refused(good_plan, with(good_machine, "null", "7"), "", "machine.json: finished: ");
}

static void test_a_wrong_sample_is_named_by_line_and_field(void **state)
{
    static const char *const wrong[][3] = {
        {"'cell':0", "'cell':1", "samples.jsonl:2: no cell of the plan"},
        {"'cell':0", "'cell':-1", "samples.jsonl:2: no cell of the plan"},
        {"'cell':0", "'cell':0.0", "samples.jsonl:2: cell: wanted a whole number"},
        {"'wall_ns':7", "'wall_ns':'7'", "samples.jsonl:2: wall_ns: wanted a number or null"},
        {"'ok'", "'fine'", "samples.jsonl:2: 'fine' is no status that a sample has"},
        {"'rss_bytes':1", "'rss_bytes':{}", "samples.jsonl:2: phases[0].rss_bytes: wanted a num"},
        {"'phases':[{", "'phases':[0,{", "samples.jsonl:2: phases[0].name: wanted a string"},
    };
    char lines[1024];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(lines, sizeof lines, "%s%s", good_line, with(good_line, wrong[i][0], wrong[i][1]));
        assert_refused(good_plan, good_machine, lines, wrong[i][2]);
    }
}

static void test_more_phases_than_a_child_has_are_refused(void **state)
{
    char phases[1024];
    int used = snprintf(phases, sizeof phases, "'phases':[{'name':'x'}");

    (void)state;
    for (int i = 0; i < 16; i++)
        used += snprintf(phases + used, sizeof phases - (size_t)used, ",{'name':'x'}");
    snprintf(phases + used, sizeof phases - (size_t)used, ",{");
    assert_refused(good_plan, good_machine, with(good_line, "'phases':[{", phases),
                   "samples.jsonl:1: it has more than 16 phases");
}

static void test_more_cells_than_a_plan_has_are_refused(void **state)
{
    static char plan[20000];

    (void)state;
    snprintf(plan, sizeof plan, "%s", with(good_plan, "'cells':[", "'cells':["));
    char *end = plan + sizeof plan, *at = strstr(plan, "'cells':[") + strlen("'cells':[");
    for (int i = 0; i < 4097; i++)
        at += snprintf(at, (size_t)(end - at), i ? ",7" : " 7");
    snprintf(at, (size_t)(end - at), "],'order':[]}");
    assert_refused(plan, good_machine, "", "plan.json: it has more than 4096 cells");
}

static void test_a_message_steers_no_terminal(void **state)
{
    (void)state;
    assert_refused(with(good_plan, "'n':'5'", "'\\u001b[2J\\u009b':5"), good_machine, "",
                   "plan.json: cells[0].params.?[2J??: wanted");
    assert_refused("{\x1b", good_machine, "", "plan.json:1: ");
    for (const char *at = error; *at; at++)
        assert_true(*at >= ' ');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_run_is_taken_with_the_checksum_of_its_plan),
        cmocka_unit_test(test_a_field_that_is_not_known_is_left_alone),
        cmocka_unit_test(test_what_is_no_json_is_named_with_its_line),
        cmocka_unit_test(test_json_that_is_nested_without_end_is_refused),
        cmocka_unit_test(test_a_wrong_kind_is_named_by_field),
        cmocka_unit_test(test_a_wrong_sample_is_named_by_line_and_field),
        cmocka_unit_test(test_more_phases_than_a_child_has_are_refused),
        cmocka_unit_test(test_more_cells_than_a_plan_has_are_refused),
        cmocka_unit_test(test_a_message_steers_no_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
