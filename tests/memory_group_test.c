/* Where memory groups are made, what is put back, and how they end: on folders of files that behave
 * as cgroups do (tests/fake_cgroup.h), and on this machine's own group where one can be had. What
 * the kernel does with a limit is in sample_test.c. */
#define _GNU_SOURCE
#include "harness/cgroup.h"
#include "harness/memory_parent.h"
#include "harness/memory_pressure.h"
#include "tests/fake_cgroup.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct memory_parent parent;

static const char *with_own_pid(const char *format)
{
    static char text[96];

    snprintf(text, sizeof text, "tidemark-%d%s", (int)getpid(), format);
    return text;
}

static const char *own_pid_line(void)
{
    static char text[24];

    snprintf(text, sizeof text, "%d\n", (int)getpid());
    return text;
}

static void assert_can(void)
{
    if (parent.version == 0)
        fail_msg("no group can be made: %s", parent.reason);
    assert_string_equal(parent.reason, "");
}

static void assert_refused(const char *because)
{
    struct memory_group group;

    assert_int_equal(parent.version, 0);
    if (!strstr(parent.reason, because))
        fail_msg("expected '%s', got '%s'", because, parent.reason);
    assert_int_equal(memory_parent_make(&parent, 1 << 20, &group), -ENOTSUP);
}

static int end(void **state)
{
    (void)state;
    memory_parent_close(&parent);
    fake_cgroup_end();
    return 0;
}

static int start_v1(void **state)
{
    (void)state;
    fake_cgroup_start(1);
    return 0;
}

static int start_v2(void **state)
{
    (void)state;
    fake_cgroup_start(2);
    return 0;
}

static void open_fake(void)
{
    memory_parent_open_at(&parent, fake_cgroup.version, fake_cgroup.folder);
}

/* A process that hangs; in the group where one is given. */
static pid_t start_process(const struct memory_group *group)
{
    pid_t maker = getpid();
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == maker && (!group || memory_group_enter(group->procs_fd) == 0))
            pause();
        _exit(1);
    }
    assert_true(pid > 0);
    return pid;
}

static int end_of(pid_t pid)
{
    int status = 0;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* Until the process is in the group: one that hangs says nothing. */
static void wait_for_entry(const char *name)
{
    char file[128];

    snprintf(file, sizeof file, "%s/cgroup.procs", name);
    for (int tries = 0; tries < 1000 && !fake_cgroup_get(file)[0]; tries++)
        usleep(1000);
    assert_true(fake_cgroup_get(file)[0]);
}

/* Limits. */

static void test_v1_limits_memory_with_swap_and_lets_the_kernel_kill(void **state)
{
    struct memory_group group;
    char file[128];

    (void)state;
    open_fake();
    assert_can();
    assert_int_equal(memory_parent_make(&parent, 64 << 20, &group), 0);
    snprintf(file, sizeof file, "%s/memory.limit_in_bytes", group.name);
    assert_string_equal(fake_cgroup_get(file), "67108864");
    snprintf(file, sizeof file, "%s/memory.memsw.limit_in_bytes", group.name);
    assert_string_equal(fake_cgroup_get(file), "67108864");
    snprintf(file, sizeof file, "%s/memory.swappiness", group.name);
    assert_string_equal(fake_cgroup_get(file), "0");
    assert_int_equal(memory_group_remove(&group), 0);
}

static void test_v2_limits_memory_without_swap_and_ends_the_whole_group(void **state)
{
    struct memory_group group;
    char file[128];

    (void)state;
    open_fake();
    assert_can();
    assert_int_equal(memory_parent_make(&parent, 64 << 20, &group), 0);
    snprintf(file, sizeof file, "%s/memory.max", group.name);
    assert_string_equal(fake_cgroup_get(file), "67108864");
    snprintf(file, sizeof file, "%s/memory.swap.max", group.name);
    assert_string_equal(fake_cgroup_get(file), "0");
    snprintf(file, sizeof file, "%s/memory.oom.group", group.name);
    assert_string_equal(fake_cgroup_get(file), "1");
    assert_int_equal(memory_group_remove(&group), 0);
}

static void test_each_group_is_a_fresh_one(void **state)
{
    struct memory_group first, second;

    (void)state;
    open_fake();
    fake_cgroup_make(with_own_pid("-1")); /* one that could not be removed */
    assert_int_equal(memory_parent_make(&parent, 1 << 20, &first), 0);
    assert_int_equal(memory_parent_make(&parent, 1 << 20, &second), 0);
    assert_string_equal(first.name, with_own_pid("-2"));
    assert_string_equal(second.name, with_own_pid("-3"));
    assert_int_equal(memory_group_remove(&first), 0);
    assert_int_equal(memory_group_remove(&second), 0);
    assert_false(fake_cgroup_has(with_own_pid("-2")));
    assert_false(fake_cgroup_has(with_own_pid("-3")));
}

static void test_a_group_that_cannot_be_limited_is_not_left(void **state)
{
    struct memory_group group = {.version = 77};

    (void)state;
    open_fake();
    parent.version = 1; /* asks for files that v2's groups do not have */
    assert_int_equal(memory_parent_make(&parent, 1 << 20, &group), -ENOENT);
    assert_int_equal(group.version, 77);
    assert_false(fake_cgroup_has(with_own_pid("-1")));
}

/* Kernel kills. */

static void set_in(const struct memory_group *group, const char *file, const char *text)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", group->name, file);
    fake_cgroup_set(path, text);
}

static void test_v1_tells_a_kill_for_its_limit_from_others(void **state)
{
    struct memory_group group;

    (void)state;
    open_fake();
    assert_int_equal(memory_parent_make(&parent, 64 << 20, &group), 0);
    set_in(&group, "memory.max_usage_in_bytes", "67108864\n");
    assert_int_equal(memory_group_kill_of(&group), MEMORY_KILL_NONE);
    set_in(&group, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
    assert_int_equal(memory_group_kill_of(&group), MEMORY_KILL_LIMIT);
    set_in(&group, "memory.max_usage_in_bytes", "60000000\n");
    assert_int_equal(memory_group_kill_of(&group), MEMORY_KILL_ELSEWHERE);
    set_in(&group, "memory.memsw.max_usage_in_bytes", "67108864\n");
    assert_int_equal(memory_group_kill_of(&group), MEMORY_KILL_LIMIT);
    set_in(&group, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n");
    assert_int_equal(memory_group_kill_of(&group), -ENODATA);
    assert_int_equal(memory_group_remove(&group), 0);
}

static void test_v2_tells_a_kill_for_its_limit_from_others(void **state)
{
    struct memory_group group;

    (void)state;
    open_fake();
    assert_int_equal(memory_parent_make(&parent, 64 << 20, &group), 0);
    set_in(&group, "memory.events", "low 0\nhigh 0\nmax 9\noom 2\noom_kill 0\noom_group_kill 0\n");
    assert_int_equal(memory_group_kill_of(&group), MEMORY_KILL_NONE);
    set_in(&group, "memory.events", "low 0\nhigh 0\nmax 9\noom 2\noom_kill 3\noom_group_kill 1\n");
    assert_int_equal(memory_group_kill_of(&group), MEMORY_KILL_LIMIT);
    set_in(&group, "memory.events", "low 0\nhigh 0\nmax 9\noom 0\noom_kill 3\noom_group_kill 1\n");
    assert_int_equal(memory_group_kill_of(&group), MEMORY_KILL_ELSEWHERE);
    assert_int_equal(memory_group_remove(&group), 0);
}

static void assert_charge_is_read_from(const char *file)
{
    struct memory_group group;
    uint64_t bytes = 77;

    open_fake();
    assert_int_equal(memory_parent_make(&parent, 64 << 20, &group), 0);
    set_in(&group, file, "5000000000\n");
    assert_int_equal(memory_group_charge(&group, &bytes), 0);
    assert_true(bytes == 5000000000);
    assert_int_equal(memory_group_remove(&group), 0);
}

static void test_v1_tells_the_charge(void **state)
{
    (void)state;
    assert_charge_is_read_from("memory.usage_in_bytes");
}

static void test_v2_tells_the_charge(void **state)
{
    (void)state;
    assert_charge_is_read_from("memory.current");
}

/* Pressure. */

static const char *get_in(const struct memory_group *group, const char *file)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", group->name, file);
    return fake_cgroup_get(path);
}

/* A group that holds 50 MB, of which 30 MB can go. */
static void make_loaded(struct memory_group *group)
{
    open_fake();
    assert_can();
    assert_int_equal(memory_parent_make(&parent, 64 << 20, group), 0);
    set_in(group, fake_cgroup.version == 1 ? "memory.usage_in_bytes" : "memory.current",
           "50000000\n");
    fake_cgroup.reclaimable = 30000000;
}

static void assert_charged(const struct memory_group *group, uint64_t expected)
{
    uint64_t bytes = 0;

    assert_int_equal(memory_group_charge(group, &bytes), 0);
    assert_int_equal(bytes, expected);
}

static void test_v1_pressure_ends_where_nothing_more_goes_and_the_limit_is_back(void **state)
{
    struct memory_group group;

    (void)state;
    make_loaded(&group);
    assert_int_equal(memory_pressure(&group), 0);
    assert_charged(&group, 20000000);
    assert_string_equal(get_in(&group, "memory.limit_in_bytes"), "67108864");
    assert_int_equal(memory_group_remove(&group), 0);
}

static void test_v1_a_limit_that_does_not_come_back_is_told(void **state)
{
    struct memory_group group;

    (void)state;
    make_loaded(&group);
    fake_cgroup.restore_error = EACCES;
    assert_int_equal(memory_pressure(&group), -EACCES);
    assert_int_equal(memory_group_remove(&group), 0);
}

static void test_v1_a_group_of_which_all_can_go_gets_its_limit_back_too(void **state)
{
    struct memory_group group;

    (void)state;
    make_loaded(&group);
    fake_cgroup.reclaimable = 50000000; /* so that a limit of 0 is taken */
    assert_int_equal(memory_pressure(&group), 0);
    assert_charged(&group, 0);
    assert_string_equal(get_in(&group, "memory.limit_in_bytes"), "67108864");
    assert_int_equal(memory_group_remove(&group), 0);
}

static void test_v2_pressure_is_put_on_until_nothing_more_goes(void **state)
{
    struct memory_group group;

    (void)state;
    make_loaded(&group);
    fake_cgroup.most_at_once = 7000000; /* five writes, and one that gets nothing */
    assert_int_equal(memory_pressure(&group), 0);
    assert_charged(&group, 20000000);
    assert_string_equal(get_in(&group, "memory.max"), "67108864");
    assert_string_equal(get_in(&group, "memory.high"), "max\n");
    assert_int_equal(memory_group_remove(&group), 0);
}

static void test_v2_an_earlier_kernel_is_pressed_by_high_which_is_max_again(void **state)
{
    struct memory_group group;

    (void)state;
    fake_cgroup.has_no_reclaim = 1;
    make_loaded(&group);
    assert_int_equal(memory_pressure(&group), 0);
    assert_charged(&group, 20000000);
    assert_string_equal(get_in(&group, "memory.high"), "max");
    assert_string_equal(get_in(&group, "memory.max"), "67108864");
    fake_cgroup.restore_error = EACCES;
    assert_int_equal(memory_pressure(&group), -EACCES);
    assert_int_equal(memory_group_remove(&group), 0);
}

static void test_no_group_is_harmless(void **state)
{
    struct memory_group none = MEMORY_GROUP_NONE;
    uint64_t bytes = 77;

    assert_int_equal(memory_pressure(&none), -ENOENT);

    (void)state;
    assert_int_equal(memory_group_charge(&none, &bytes), -ENOENT);
    assert_int_equal(bytes, 77);
    assert_int_equal(memory_group_enter(none.procs_fd), 0);
    assert_int_equal(memory_group_kill_of(&none), MEMORY_KILL_NONE);
    assert_int_equal(memory_group_remove(&none), 0);
}

/* Ends. */

static void assert_removing_kills_what_is_left(void)
{
    struct memory_group group;
    char name[MEMORY_GROUP_NAME_BYTES];

    open_fake();
    assert_can();
    assert_int_equal(memory_parent_make(&parent, 64 << 20, &group), 0);
    snprintf(name, sizeof name, "%s", group.name);
    pid_t inside = start_process(&group), outside = start_process(NULL);
    wait_for_entry(name);
    /* A child that nobody waits for stays a zombie, and the group is empty of it. */
    assert_int_equal(memory_group_remove(&group), 0);
    assert_false(fake_cgroup_has(name));
    assert_int_equal(end_of(inside), SIGKILL);
    assert_int_equal(kill(outside, 0), 0);
    kill(outside, SIGTERM);
    assert_int_equal(end_of(outside), SIGTERM);
}

static void test_v1_kills_what_is_left_in_a_group(void **state)
{
    (void)state;
    assert_removing_kills_what_is_left();
}

static void test_v2_kills_what_is_left_in_a_group(void **state)
{
    (void)state;
    assert_removing_kills_what_is_left();
}

static void test_v2_kills_what_is_left_without_cgroup_kill(void **state)
{
    (void)state;
    fake_cgroup.has_no_kill = 1;
    assert_removing_kills_what_is_left();
}

static void test_numbers_that_are_no_process_to_kill_are_passed_over(void **state)
{
    struct memory_group group;

    (void)state;
    open_fake();
    assert_int_equal(memory_parent_make(&parent, 64 << 20, &group), 0);
    /* Of another namespace; kill(2) would take it for the caller's process group. */
    set_in(&group, "cgroup.procs", "0\n0\n");
    assert_int_equal(memory_group_remove(&group), 0);
}

/* Where groups can be had in v2. */

static void test_v2_root_hands_memory_down_beside_its_processes(void **state)
{
    (void)state;
    fake_cgroup.is_root = 1;
    open_fake();
    assert_can();
    assert_string_equal(fake_cgroup_get("cgroup.subtree_control"), "memory\n");
    assert_string_equal(fake_cgroup_get("cgroup.procs"), own_pid_line());
    assert_false(fake_cgroup_has(with_own_pid("-parent")));
    memory_parent_close(&parent);
    assert_string_equal(fake_cgroup_get("cgroup.subtree_control"), "");
}

static void test_v2_alone_in_its_group_it_waits_in_a_leaf_and_comes_back(void **state)
{
    (void)state;
    open_fake();
    assert_can();
    assert_string_equal(fake_cgroup_get("cgroup.subtree_control"), "memory\n");
    assert_string_equal(fake_cgroup_get("cgroup.procs"), "");
    assert_string_equal(fake_cgroup_get(with_own_pid("-parent/cgroup.procs")), own_pid_line());
    memory_parent_close(&parent);
    assert_string_equal(fake_cgroup_get("cgroup.subtree_control"), "");
    assert_string_equal(fake_cgroup_get("cgroup.procs"), own_pid_line());
    assert_false(fake_cgroup_has(with_own_pid("-parent")));
}

static void test_v2_no_process_of_others_is_moved(void **state)
{
    char both[64];

    (void)state;
    pid_t other = start_process(NULL);
    snprintf(both, sizeof both, "%d\n%d\n", (int)getpid(), (int)other);
    fake_cgroup_set("cgroup.procs", both);
    open_fake();
    assert_refused("shares its group with others");
    assert_string_equal(fake_cgroup_get("cgroup.procs"), both);
    assert_string_equal(fake_cgroup_get("cgroup.subtree_control"), "");
    assert_false(fake_cgroup_has(with_own_pid("-parent")));
    kill(other, SIGKILL);
    end_of(other);
}

static void test_v2_groups_of_others_get_no_controller(void **state)
{
    (void)state;
    fake_cgroup.is_root = 1;
    fake_cgroup_make("system.slice");
    open_fake();
    assert_refused("groups of others");
    assert_string_equal(fake_cgroup_get("cgroup.subtree_control"), "");
    assert_true(fake_cgroup_has("system.slice"));
}

static void test_v2_a_controller_that_is_on_is_used_and_stays_on(void **state)
{
    (void)state;
    fake_cgroup.is_root = 1;
    fake_cgroup_set("cgroup.subtree_control", "cpu memory\n");
    fake_cgroup_make("system.slice");
    open_fake();
    assert_can();
    memory_parent_close(&parent);
    assert_string_equal(fake_cgroup_get("cgroup.subtree_control"), "cpu memory\n");
}

static void test_v2_a_controller_stays_on_where_others_have_come(void **state)
{
    (void)state;
    fake_cgroup.is_root = 1;
    open_fake();
    assert_can();
    fake_cgroup_make("system.slice");
    memory_parent_close(&parent);
    assert_string_equal(fake_cgroup_get("cgroup.subtree_control"), "memory\n");
}

static void test_v2_needs_the_memory_controller(void **state)
{
    (void)state;
    fake_cgroup_set("cgroup.controllers", "cpu memory_recursiveprot pids\n");
    open_fake();
    assert_refused("no memory controller");
}

static void test_what_refuses_a_group_is_named_and_nothing_stays_changed(void **state)
{
    (void)state;
    fake_cgroup.mkdir_error = EACCES;
    fake_cgroup.is_root = 1;
    open_fake();
    assert_refused("no group can be made in this process's own: Permission denied");
    assert_string_equal(fake_cgroup_get("cgroup.subtree_control"), "");
    fake_cgroup.mkdir_error = EROFS;
    fake_cgroup.is_root = 0;
    open_fake();
    assert_refused("cannot be turned on: Read-only file system");
    assert_string_equal(fake_cgroup_get("cgroup.procs"), own_pid_line());
}

static void test_a_folder_that_is_not_there_is_refused(void **state)
{
    (void)state;
    memory_parent_open_at(&parent, 1, "/nonexistent/memory");
    assert_refused("cannot be opened: No such file or directory");
}

static void test_a_group_is_known_by_its_processes(void **state)
{
    (void)state;
    fake_cgroup_set("cgroup.procs", "0\n1\n77\n");
    assert_true(cgroup_holds(fake_cgroup.folder, 1));
    assert_true(cgroup_holds(fake_cgroup.folder, 77));
    assert_false(cgroup_holds(fake_cgroup.folder, 7));
    assert_false(cgroup_holds("/nonexistent", 1));
}

/* What killed runs have left. */

static void test_only_empty_groups_of_ended_runs_are_swept(void **state)
{
    static const char *const kept[] = {"tidemark-1-0", "tidemark-",    "tidemark-12345",
                                       "tidemark-x-0", "tidemark-0-0", "notidemark",
                                       "tidemark--5-0"};
    char dead[64], busy[64], members[96], member[24];

    (void)state;
    pid_t gone = start_process(NULL), other = start_process(NULL);
    kill(gone, SIGKILL);
    end_of(gone);
    snprintf(dead, sizeof dead, "tidemark-%d-7", (int)gone);
    snprintf(busy, sizeof busy, "tidemark-%d-8", (int)gone);
    snprintf(members, sizeof members, "%s/cgroup.procs", busy);
    snprintf(member, sizeof member, "%d\n", (int)other);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        fake_cgroup_make(kept[i]);
    fake_cgroup_make(dead);
    fake_cgroup_make(busy);
    fake_cgroup_set(members, member);
    open_fake();
    assert_can();
    assert_false(fake_cgroup_has(dead));
    assert_true(fake_cgroup_has(busy));
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        assert_true(fake_cgroup_has(kept[i]));
    kill(other, SIGKILL);
    end_of(other);
}

/* The own group of this machine. */

static int folder_is_there(const char *name)
{
    char path[MEMORY_PARENT_FOLDER_BYTES + 64];

    snprintf(path, sizeof path, "%s/%s", parent.folder, name);
    return access(path, F_OK) == 0;
}

static void test_a_real_group_is_swept_after_its_maker_was_killed(void **state)
{
    struct memory_group group;
    char left[64];

    (void)state;
    memory_parent_open(&parent);
    if (parent.version == 0) {
        print_message("no real group was tried: %s\n", parent.reason);
        return;
    }
    print_message("a real group of cgroup v%d was tried\n", parent.version);
    /* The maker is this process's child: it ends as by kill -9, with a group that it has made. */
    pid_t maker = fork();
    if (maker == 0)
        _exit(memory_parent_make(&parent, 64 << 20, &group) == 0 ? 0 : 1);
    assert_int_equal(end_of(maker), 0);
    snprintf(left, sizeof left, "tidemark-%d-%u", (int)maker, parent.made);
    assert_true(folder_is_there(left));
    memory_parent_close(&parent);
    memory_parent_open(&parent);
    assert_can();
    assert_false(folder_is_there(left));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define V1(test) cmocka_unit_test_setup_teardown(test, start_v1, end)
#define V2(test) cmocka_unit_test_setup_teardown(test, start_v2, end)
        V1(test_v1_limits_memory_with_swap_and_lets_the_kernel_kill),
        V2(test_v2_limits_memory_without_swap_and_ends_the_whole_group),
        V1(test_each_group_is_a_fresh_one),
        V2(test_a_group_that_cannot_be_limited_is_not_left),
        V1(test_v1_tells_a_kill_for_its_limit_from_others),
        V2(test_v2_tells_a_kill_for_its_limit_from_others),
        V1(test_v1_tells_the_charge),
        V2(test_v2_tells_the_charge),
        V1(test_v1_pressure_ends_where_nothing_more_goes_and_the_limit_is_back),
        V1(test_v1_a_limit_that_does_not_come_back_is_told),
        V1(test_v1_a_group_of_which_all_can_go_gets_its_limit_back_too),
        V2(test_v2_pressure_is_put_on_until_nothing_more_goes),
        V2(test_v2_an_earlier_kernel_is_pressed_by_high_which_is_max_again),
        V1(test_no_group_is_harmless),
        V1(test_v1_kills_what_is_left_in_a_group),
        V2(test_v2_kills_what_is_left_in_a_group),
        V2(test_v2_kills_what_is_left_without_cgroup_kill),
        V1(test_numbers_that_are_no_process_to_kill_are_passed_over),
        V2(test_v2_root_hands_memory_down_beside_its_processes),
        V2(test_v2_alone_in_its_group_it_waits_in_a_leaf_and_comes_back),
        V2(test_v2_no_process_of_others_is_moved),
        V2(test_v2_groups_of_others_get_no_controller),
        V2(test_v2_a_controller_that_is_on_is_used_and_stays_on),
        V2(test_v2_a_controller_stays_on_where_others_have_come),
        V2(test_v2_needs_the_memory_controller),
        V2(test_what_refuses_a_group_is_named_and_nothing_stays_changed),
        V1(test_a_folder_that_is_not_there_is_refused),
        V1(test_a_group_is_known_by_its_processes),
        V1(test_only_empty_groups_of_ended_runs_are_swept),
        V1(test_a_real_group_is_swept_after_its_maker_was_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
