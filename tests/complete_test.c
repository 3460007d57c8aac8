/*
 * `tidemark --complete`: each kind of word, and which kind the end of a command line wants. Asks
 * for names that this build has to have, never for whole lists: those grow.
 */
#define _GNU_SOURCE
#include "harness/cli.h"
#include "harness/complete.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ANSWER_BYTES = 1 << 16, MOST_WORDS = 8 };

/* What is printed for the words, which one blank separates; the last may be empty. It begins with a
 * newline, so that a test can ask for whole lines. */
static const char *answer(const char *line)
{
    static char text[ANSWER_BYTES];
    char copy[256];
    const char *words[MOST_WORDS];
    size_t count = 0;
    FILE *out = fmemopen(text, sizeof text, "w");

    snprintf(copy, sizeof copy, "%s", line);
    for (char *at = copy, *word; (word = strsep(&at, " ")) != NULL;)
        words[count++] = word;
    putc('\n', out);
    cli_complete(out, words, count);
    fclose(out);
    return text;
}

static int has(const char *text, const char *word)
{
    char with_end[128], with_summary[128];

    snprintf(with_end, sizeof with_end, "\n%s\n", word);
    snprintf(with_summary, sizeof with_summary, "\n%s\t", word);
    return strstr(text, with_end) || strstr(text, with_summary);
}

static void assert_offers(const char *line, const char *word)
{
    if (!has(answer(line), word))
        fail_msg("'%s' does not offer '%s' but:%s", line, word, answer(line));
}

static void assert_leaves_out(const char *line, const char *word)
{
    if (has(answer(line), word))
        fail_msg("'%s' offers '%s'", line, word);
}

static void assert_is_silent(const char *line)
{
    assert_string_equal(answer(line), "\n");
}

static void test_a_row_is_completed_part_by_part(void **state)
{
    (void)state;
    assert_offers("run -a ", "pymalloc");
    assert_offers("run -a gl", "glibc");
    assert_leaves_out("run -a gl", "jemalloc");
    assert_offers("run -a pymalloc@j", "pymalloc@jemalloc");
    assert_offers("run -a base=gl", "base=glibc");
    assert_offers("run -a base=pymalloc@gl", "base=pymalloc@glibc");
    assert_offers("run -a glibc,pymalloc@j", "glibc,pymalloc@jemalloc");
    assert_offers("run -a jemalloc+dirty", "jemalloc+dirty_decay_ms:");
    assert_offers("run -a pymalloc@glibc+tcache_c", "pymalloc@glibc+tcache_count:");
    assert_offers("run -a jemalloc+thp:", "jemalloc+thp:always");
    assert_offers("run -a jemalloc+narenas:2+thp:n", "jemalloc+narenas:2+thp:never");
    assert_offers("run -a mine=/pr", "mine=/proc/");
    assert_offers("run -a pymalloc@/pr", "pymalloc@/proc/");
}

static void test_a_row_is_offered_nothing_that_it_cannot_have(void **state)
{
    (void)state;
    assert_leaves_out("run -a pymalloc@", "pymalloc@pymalloc");
    assert_leaves_out("run -a pymalloc@", "pymalloc@bump");
    assert_leaves_out("run -a pymalloc@", "pymalloc@boehm-collected");
    assert_offers("run -a pymalloc@", "pymalloc@boehm");
    assert_leaves_out("run -a jemalloc+narenas:2+", "jemalloc+narenas:2+narenas:");
    assert_offers("run -a jemalloc+narenas:2+", "jemalloc+narenas:2+tcache_max:");
    assert_offers("run -a jemalloc+tcache_max:1+tcache", "jemalloc+tcache_max:1+tcache:");
    assert_is_silent("run -a jemalloc+narenas:");
    assert_is_silent("run -a nosuch+");
    assert_is_silent("run -a pymalloc+x");
    assert_is_silent("run -a jemalloc+nosuch:");
}

static void test_a_workload_is_completed_part_by_part(void **state)
{
    (void)state;
    assert_offers("run -w del", "del_collect");
    assert_offers("run -w del_collect:", "del_collect:way=");
    assert_offers("run -w del_collect:way=", "del_collect:way=collect_without_del");
    assert_leaves_out("run -w del_collect:way=", "del_collect:way=range");
    assert_offers("run -w del_collect:n=1k,", "del_collect:n=1k,source=");
    assert_leaves_out("run -w del_collect:n=1k,", "del_collect:n=1k,n=");
    assert_offers("run -w del_collect:n=", "del_collect:n=5M");
    assert_offers("run -w del_collect:n=", "del_collect:n=10M");
    assert_offers("run -w del_collect:way=pass|d", "del_collect:way=pass|del_collect");
    assert_leaves_out("run -w del_collect:way=pass|", "del_collect:way=pass|pass");
    assert_offers("run -w del_collect:way=del_collect|", "del_collect:way=del_collect|del");
    assert_is_silent("run -w nosuch:");
    assert_is_silent("run -w del_collect:nosuch=");
}

static void test_the_word_after_an_option_is_what_the_option_takes(void **state)
{
    (void)state;
    assert_offers("run --allocator ", "mimalloc");
    assert_offers("run --allocator=mi", "--allocator=mimalloc");
    assert_offers("run -ami", "-amimalloc");
    assert_offers("run -na ", "mimalloc");
    assert_offers("run -aglibc ", "quick");
    assert_leaves_out("run -aglibc ", "mimalloc");
    assert_offers("run --workload=ste", "--workload=steady");
    assert_offers("run --host ", "python3");
    assert_offers("run --host=obj", "--host=objects");
    assert_offers("micro -a ", "bump");
    assert_offers("check --only con", "content");
    assert_leaves_out("check --only con", "no_overlap");
    assert_offers("stats -w list_l", "list_lifetime");
    assert_offers("stats -a pymalloc-2", "pymalloc-2.7");
    assert_is_silent("run --rounds ");
    assert_is_silent("run --idle=");
    assert_is_silent("run --nosuch=");
}

static void test_commands_options_and_arguments(void **state)
{
    (void)state;
    assert_offers("", "overhead");
    assert_offers("mi", "micro");
    assert_offers("--v", "--version");
    assert_offers("help pl", "plot");
    assert_offers("run ", "quick");
    assert_offers("run -a glibc ", "quick");
    assert_leaves_out("run ", "--rounds");
    assert_offers("run --ro", "--rounds");
    assert_offers("run -", "--dry-run");
    assert_offers("run -", "--help");
    assert_offers("list ", "workloads");
    assert_offers("overhead --", "--size");
    assert_is_silent("list workloads ");
    assert_is_silent("run quick ");
    assert_is_silent("micro -- ");
    assert_is_silent("nosuch ");
    assert_is_silent("overhead ");
}

/* A folder with a run, a folder and a file, beneath one called "results". */
static void enter_scratch(char *scratch)
{
    assert_non_null(mkdtemp(scratch));
    assert_int_equal(chdir(scratch), 0);
    assert_int_equal(mkdir("results", 0700), 0);
    assert_int_equal(mkdir("results/a-run", 0700), 0);
    assert_int_equal(mkdir("results/other", 0700), 0);
    assert_int_equal(mkdir("results/tab\tin it", 0700), 0);
    assert_int_equal(mkdir("results/.hidden", 0700), 0);
    fclose(fopen("results/a-run/plan.json", "w"));
    fclose(fopen("results/file", "w"));
}

static void leave_scratch(const char *scratch)
{
    assert_int_equal(remove("results/a-run/plan.json"), 0);
    assert_int_equal(remove("results/file"), 0);
    assert_int_equal(remove("results/a-run"), 0);
    assert_int_equal(remove("results/other"), 0);
    assert_int_equal(remove("results/tab\tin it"), 0);
    assert_int_equal(remove("results/.hidden"), 0);
    assert_int_equal(remove("results"), 0);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(scratch), 0);
}

static void test_runs_and_folders_are_those_that_are_there(void **state)
{
    char scratch[] = "/tmp/tidemark-complete-XXXXXX", line[128], word[128];

    (void)state;
    enter_scratch(scratch);
    assert_offers("show ", "results/a-run");
    assert_offers("stats -w bulk ", "results/a-run");
    assert_offers("fidelity --json ", "results/a-run");
    assert_offers("run --resume=results/a", "--resume=results/a-run");
    assert_offers("plot results/", "results/other/");
    assert_leaves_out("plot results/", "results/file");
    assert_leaves_out("plot results/", "results/.hidden/");
    assert_leaves_out("plot results/.", "results/./");
    assert_offers("plot results/.", "results/.hidden/");
    assert_null(strstr(answer("plot results/"), "in it"));
    assert_offers("run -o res", "results/");
    assert_offers("run -o results/", "results/a-run/");
    snprintf(line, sizeof line, "show %s/results/a", scratch);
    snprintf(word, sizeof word, "%s/results/a-run", scratch);
    assert_offers(line, word);
    setenv("HOME", scratch, 1);
    assert_offers("show ~/results/a", "~/results/a-run");
    assert_offers("run --host /bin/s", "/bin/sh");
    leave_scratch(scratch);
}

static void test_a_summary_follows_after_a_tab(void **state)
{
    (void)state;
    assert_non_null(strstr(answer("run -a jem"), "\njemalloc\tslabs"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_row_is_completed_part_by_part),
        cmocka_unit_test(test_a_row_is_offered_nothing_that_it_cannot_have),
        cmocka_unit_test(test_a_workload_is_completed_part_by_part),
        cmocka_unit_test(test_the_word_after_an_option_is_what_the_option_takes),
        cmocka_unit_test(test_commands_options_and_arguments),
        cmocka_unit_test(test_runs_and_folders_are_those_that_are_there),
        cmocka_unit_test(test_a_summary_follows_after_a_tab),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
