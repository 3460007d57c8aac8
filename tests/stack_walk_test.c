/*
 * Our own way up a stack against libunwind's, frame by frame, in as many shapes as there are; and
 * the tables that it reads, intact and broken. Leaves out what becomes of stacks in a recording
 * (recording_test.py).
 */
#define _GNU_SOURCE
#include "harness/sites/capture.h"
#include "harness/sites/frame_rule.h"
#include "harness/sites/rule_table.h"
#include "harness/sites/stack_walk.h"
#include "tests/stack_shapes.h"

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 4, STACK_BYTES = 1 << 18 };

static struct stack_tree tree;
static _Atomic unsigned own_stacks, other_stacks, differences;

/* --- Looking both ways. --- */

static void tell_difference(uint32_t node, const uintptr_t *frames, size_t depth)
{
    if (atomic_fetch_add(&differences, 1) > 2)
        return;
    fprintf(stderr, "own:");
    for (; node; node = tree.nodes[node].parent)
        fprintf(stderr, " %lx", (unsigned long)tree.nodes[node].address);
    fprintf(stderr, "\nlibunwind:");
    for (size_t i = 0; i < depth; i++)
        fprintf(stderr, " %lx", (unsigned long)frames[i]);
    fprintf(stderr, "\n");
}

static void compare(uint32_t node, const uintptr_t *frames, size_t depth)
{
    uint32_t at = node;

    for (size_t i = 0; i < depth; i++) {
        if (at == 0 || tree.nodes[at].address != frames[i]) {
            tell_difference(node, frames, depth);
            return;
        }
        at = tree.nodes[at].parent;
    }
    if (at != 0)
        tell_difference(node, frames, depth);
}

/* From a function that has just been called; twice, for what is remembered of the first. */
__attribute__((noinline)) static void look(void)
{
    void *caller = __builtin_return_address(0);
    const void *frame = __builtin_frame_address(0);
    uintptr_t frames[STACK_MOST_FRAMES];
    uint32_t node;

    for (int i = 0; i < 2; i++) {
        if (stack_walk_try(&tree, caller, frame, &node) != 0) {
            other_stacks++;
            continue;
        }
        own_stacks++;
        compare(node, frames, capture_unwind(caller, frames, STACK_MOST_FRAMES));
    }
}

static void begin_looking(void)
{
    own_stacks = other_stacks = differences = 0;
}

/* No stack was another, and where `is_simple` none was left to libunwind. */
static void assert_same(int is_simple)
{
    assert_int_equal(differences, 0);
#if defined(__x86_64__) && !defined(TIDEMARK_SANITIZED)
    if (is_simple) {
        assert_int_equal(other_stacks, 0);
        assert_true(own_stacks > 0);
    }
#else
    (void)is_simple; /* a sanitizer's frames are not */
#endif
}

static void run_shapes(const struct stack_shape *shapes)
{
    for (; shapes->name; shapes++) {
        begin_looking();
        shapes->run(look);
        if (differences > 0)
            fprintf(stderr, "shape: %s\n", shapes->name);
        assert_same(strcmp(shapes->name, "frames of any size") != 0);
    }
}

static void unoptimised_code(void **state)
{
    (void)state;
    run_shapes(stack_shapes_unoptimised);
}

static void code_without_frame_pointers(void **state)
{
    (void)state;
    run_shapes(stack_shapes_optimised);
}

static void code_with_frame_pointers(void **state)
{
    (void)state;
    run_shapes(stack_shapes_framed);
}

static void code_that_is_small(void **state)
{
    (void)state;
    run_shapes(stack_shapes_small);
}

static void exceptions_on_their_way(void **state)
{
    (void)state;
    begin_looking();
    stack_shape_exceptions(look);
    assert_same(1);
}

/* --- Other stacks. --- */

static void handle(int number)
{
    (void)number;
    look();
}

static void raise_with(int flags)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = flags}, before;

    sigaction(SIGUSR1, &action, &before);
    for (int i = 0; i < 3; i++) {
        raise(SIGUSR1);
        look();
    }
    sigaction(SIGUSR1, &before, NULL);
}

/* A frame that a signal made has no rule: libunwind is asked, and the program's own go on. */
static void handlers_are_left_to_libunwind(void **state)
{
    (void)state;
    begin_looking();
    raise_with(0);
    assert_same(0);
    assert_true(other_stacks >= 6);
}

static void handlers_on_a_stack_of_their_own_as_well(void **state)
{
    static char room[STACK_BYTES];
    const stack_t other = {.ss_sp = room, .ss_size = sizeof room}, none = {.ss_flags = SS_DISABLE};

    (void)state;
    begin_looking();
    assert_int_equal(sigaltstack(&other, NULL), 0);
    raise_with(SA_ONSTACK);
    assert_int_equal(sigaltstack(&none, NULL), 0);
    assert_same(0);
    assert_true(other_stacks >= 6);
}

#if !defined(TIDEMARK_SANITIZED) /* which would have to be told of each switch */
static ucontext_t main_context, coroutine_context;

static void run_coroutine(void)
{
    for (int i = 0; i < 10; i++) {
        look();
        swapcontext(&coroutine_context, &main_context);
    }
}

static void coroutines_are_left_to_libunwind(void **state)
{
    static char room[STACK_BYTES];

    (void)state;
    begin_looking();
    getcontext(&coroutine_context);
    coroutine_context.uc_stack.ss_sp = room;
    coroutine_context.uc_stack.ss_size = sizeof room;
    coroutine_context.uc_link = &main_context;
    makecontext(&coroutine_context, run_coroutine, 0);
    for (int i = 0; i < 10; i++) {
        swapcontext(&main_context, &coroutine_context);
        look();
    }
    assert_same(0);
    assert_int_equal(other_stacks, 20);
}
#endif

static void *run_all(void *unused)
{
    static const struct stack_shape *const all[] = {
        stack_shapes_unoptimised, stack_shapes_optimised, stack_shapes_framed, stack_shapes_small};

    (void)unused;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        for (const struct stack_shape *shape = all[i]; shape->name; shape++)
            /* These two keep what they do in static variables. */
            if (strcmp(shape->name, "callbacks") != 0 && strcmp(shape->name, "long jumps") != 0 &&
                strcmp(shape->name, "walks at random") != 0)
                shape->run(look);
    return NULL;
}

static void threads_each_on_its_own(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
#ifdef TIDEMARK_SANITIZED
    /* libunwind takes a lock at a thread's end, when ThreadSanitizer has forgotten the thread. */
    if (strstr(TIDEMARK_SANITIZED, "thread"))
        skip();
#endif
    begin_looking();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, run_all, NULL), 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
    assert_same(0);
#if defined(__x86_64__) && !defined(TIDEMARK_SANITIZED)
    assert_true(own_stacks > 20 * other_stacks);
#endif
}

/* --- Tables. --- */

struct tables {
    const uint8_t *begin, *end; /* the segment */
    const uint8_t *index, *index_end;
    uintptr_t code, code_end;
};

/* Those of this program, whose index and entries are in one segment. */
static int take_tables(struct dl_phdr_info *info, size_t bytes, void *argument)
{
    struct tables *tables = argument;

    (void)bytes;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        const uintptr_t begin = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_GNU_EH_FRAME) {
            tables->index = (const uint8_t *)begin;
            tables->index_end = tables->index + segment->p_memsz;
        }
        if (segment->p_type == PT_LOAD && segment->p_flags & PF_X) {
            tables->code = begin;
            tables->code_end = begin + segment->p_memsz;
        }
    }
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        const uint8_t *begin = (const uint8_t *)(info->dlpi_addr + segment->p_vaddr);
        if (segment->p_type == PT_LOAD && tables->index >= begin &&
            tables->index < begin + segment->p_memsz) {
            tables->begin = begin;
            tables->end = begin + segment->p_memsz;
        }
    }
    return 1;
}

static struct frame_rule rule_in(const struct tables *tables, uintptr_t pc)
{
    const uintptr_t entry = frame_entry_find(tables->index, tables->index_end, pc);

    return entry ? frame_entry_read(tables->begin, tables->end, entry, pc)
                 : (struct frame_rule){.kind = FRAME_OTHER};
}

/* Of a whole segment, between whose variables a sanitizer has its own. */
__attribute__((no_sanitize("address"))) static void copy_segment(uint8_t *to, const uint8_t *from,
                                                                 size_t bytes)
{
    const volatile uint8_t *read = from;

    for (size_t i = 0; i < bytes; i++)
        to[i] = read[i];
}

/* A copy that ends where nothing can be read, with addresses `moved` from the original's. */
static struct tables copy_tables(const struct tables *from, uintptr_t *moved)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t bytes = (size_t)(from->end - from->begin), room = (bytes + page - 1) / page * page;
    uint8_t *pages =
        mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages + room, page, PROT_NONE), 0);
    uint8_t *begin = pages + room - bytes;
    copy_segment(begin, from->begin, bytes);
    *moved = (uintptr_t)begin - (uintptr_t)from->begin;
    return (struct tables){begin,
                           begin + bytes,
                           begin + (from->index - from->begin),
                           begin + (from->index_end - from->begin),
                           from->code + *moved,
                           from->code_end + *moved};
}

static void assert_rule(const struct frame_rule *rule, const struct frame_rule *expected)
{
    assert_int_equal(rule->kind, expected->kind);
    if (rule->kind == FRAME_FROM_SP || rule->kind == FRAME_FROM_BP) {
        assert_int_equal(rule->end_offset, expected->end_offset);
        assert_int_equal(rule->bp_saved_offset, expected->bp_saved_offset);
    }
}

static void rules_are_those_of_the_tables_wherever_they_lie(void **state)
{
    struct tables tables = {0};
    unsigned simple = 0, all = 0;
    uintptr_t moved;

    (void)state;
    dl_iterate_phdr(take_tables, &tables);
    const struct tables copy = copy_tables(&tables, &moved);
    for (uintptr_t pc = tables.code; pc < tables.code_end; pc++, all++) {
        const struct frame_rule rule = rule_in(&tables, pc);
        const struct frame_rule copied = rule_in(&copy, pc + moved);
        assert_rule(&copied, &rule);
        simple += rule.kind != FRAME_OTHER;
#if defined(__x86_64__)
        if (all % 64 == 0) {
            const struct frame_rule found = frame_rule_find(pc + 1);
            assert_rule(&found, &rule);
        }
#endif
    }
    assert_true(simple > all / 2);
}

static uint64_t random_state = 7;

static size_t draw(size_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return below > 0 ? (size_t)(random_state >> 33) % below : 0;
}

/* What is read lies in the copy, or the page behind it ends the test. */
static void broken_tables_are_read_no_further_than_they_reach(void **state)
{
    enum { ROUNDS = 20000, LOOKS = 20 };
    struct tables tables = {0};
    uintptr_t moved;

    (void)state;
    dl_iterate_phdr(take_tables, &tables);
    const struct tables copy = copy_tables(&tables, &moved);
    const size_t bytes = (size_t)(copy.end - copy.begin);
    uint8_t *write = (uint8_t *)(uintptr_t)copy.begin;
    for (int round = 0; round < ROUNDS; round++) {
        const size_t at = draw(4) == 0 ? (size_t)(copy.index - copy.begin) + draw(16) : draw(bytes);
        write[at] = (uint8_t)draw(256);
        for (int i = 0; i < LOOKS; i++) {
            const uintptr_t pc = copy.code + draw(copy.code_end - copy.code);
            const struct frame_rule rule = rule_in(&copy, pc);
            assert_true(rule.kind == FRAME_OTHER || rule.kind == FRAME_OUTERMOST ||
                        (rule.end_offset > 0 && rule.end_offset % 8 == 0 &&
                         rule.bp_saved_offset % 8 == 0 && rule.bp_saved_offset <= 0));
        }
        const size_t cut = draw(64);
        (void)frame_entry_read(copy.begin, copy.end, (uintptr_t)copy.end - cut, copy.code);
        (void)frame_entry_find(copy.end - cut, copy.end, copy.code);
        (void)frame_entry_read(copy.begin, copy.end, (uintptr_t)copy.begin + draw(bytes),
                               copy.code);
    }
}

static void table_of_rules_forgets_with_its_generation(void **state)
{
    static struct rule_table rules;
    void *here = __builtin_return_address(0);

    (void)state;
    assert_int_equal(rule_table_init(&rules), 0);
    const struct frame_rule expected = frame_rule_find((uintptr_t)here);
    for (int round = 0; round < 70000; round++) { /* more than the key's 16 bits */
        const struct frame_rule rule = rule_table_find(&rules, (uintptr_t)here);
        if (round % 1000 == 0)
            assert_rule(&rule, &expected);
        rule_table_forget(&rules);
    }
    /* More addresses than there are places: each has its rule all the same. */
    for (uintptr_t pc = 1; pc < RULE_PLACES + RULE_PLACES / 8; pc++)
        if (rule_table_find(&rules, pc << 4).kind != FRAME_OTHER)
            assert_true(frame_rule_find(pc << 4).kind != FRAME_OTHER);
    const struct frame_rule again = rule_table_find(&rules, (uintptr_t)here);
    assert_rule(&again, &expected);
}

static int begin(void **state)
{
    (void)state;
    stack_walk_init();
    return stack_tree_init(&tree);
}

static int end(void **state)
{
    (void)state;
    stack_tree_free(&tree);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unoptimised_code),
        cmocka_unit_test(code_without_frame_pointers),
        cmocka_unit_test(code_with_frame_pointers),
        cmocka_unit_test(code_that_is_small),
        cmocka_unit_test(exceptions_on_their_way),
        cmocka_unit_test(handlers_are_left_to_libunwind),
        cmocka_unit_test(handlers_on_a_stack_of_their_own_as_well),
#if !defined(TIDEMARK_SANITIZED)
        cmocka_unit_test(coroutines_are_left_to_libunwind),
#endif
        cmocka_unit_test(threads_each_on_its_own),
        cmocka_unit_test(rules_are_those_of_the_tables_wherever_they_lie),
        cmocka_unit_test(broken_tables_are_read_no_further_than_they_reach),
        cmocka_unit_test(table_of_rules_forgets_with_its_generation),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
