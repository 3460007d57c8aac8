/*
 * What one system call was, from its arguments and result: every call by hand, in pages of 4 KiB.
 * Leaves out who makes it, which ledger_trap_test.c sees.
 */
#define _GNU_SOURCE
#include "harness/ledger_calls.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cmocka.h>

enum {
    PAGE = 4096,
    TWO_PAGES = 2 * PAGE,
    THREE_PAGES = 3 * PAGE,
    BLOCK = 0x10000,
    TWO_BLOCKS = 2 * BLOCK,
    THREE_BLOCKS = 3 * BLOCK
};

static const uint64_t place = 0x7f0000000000;

static struct ledger_event classify(enum ledger_call call, const uint64_t *arguments,
                                    int64_t result)
{
    struct ledger_event event;

    ledger_classify(&event, call, arguments, result, 0, PAGE);
    return event;
}

static void assert_kind(const struct ledger_event *event, const char *expected)
{
    char text[LEDGER_KIND_BYTES];

    assert_string_equal(ledger_kind_name(event->call, event->kind, text), expected);
}

static void assert_bytes(const struct ledger_event *event, uint64_t old_bytes, uint64_t bytes,
                         int64_t net_bytes)
{
    assert_int_equal(event->failed, 0);
    assert_int_equal(event->old_bytes, old_bytes);
    assert_int_equal(event->bytes, bytes);
    assert_int_equal(event->net_bytes, net_bytes);
}

static void test_calls_are_known_by_number(void **state)
{
    (void)state;
    assert_int_equal(ledger_call_of(SYS_mmap), LEDGER_MMAP);
    assert_int_equal(ledger_call_of(SYS_process_madvise), LEDGER_PROCESS_MADVISE);
    assert_int_equal(ledger_call_of(SYS_write), -1);
    for (int call = 0; call < LEDGER_CALLS; call++)
        assert_non_null(ledger_call_name((enum ledger_call)call));
    assert_string_equal(ledger_call_name(LEDGER_MREMAP), "mremap");
}

static struct ledger_event map(uint64_t bytes, uint64_t protection, uint64_t flags)
{
    return classify(LEDGER_MMAP, (uint64_t[6]){0, bytes, protection, flags, UINT64_MAX, 0},
                    (int64_t)place);
}

static void test_mmap_tells_protection_and_flags(void **state)
{
    const uint64_t plain = MAP_PRIVATE | MAP_ANONYMOUS;
    const struct {
        uint64_t protection, flags;
        const char *name;
    } cases[] = {
        {PROT_READ | PROT_WRITE, plain, "rw"},
        {PROT_NONE, plain | MAP_NORESERVE, "none+noreserve"},
        {PROT_READ | PROT_WRITE, plain | MAP_POPULATE, "rw+populate"},
        {PROT_READ | PROT_WRITE, plain | MAP_HUGETLB, "rw+hugetlb"},
        {PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, "rx+file+fixed"},
        {PROT_READ, MAP_SHARED, "r+file+shared"},
        {PROT_READ, MAP_SHARED_VALIDATE, "r+file+shared"},
        {PROT_NONE, plain | MAP_STACK, "none+stack"},
        {PROT_READ | PROT_WRITE | PROT_EXEC, plain | MAP_LOCKED, "rwx+locked"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ledger_event event = map(1, cases[i].protection, cases[i].flags);
        assert_kind(&event, cases[i].name);
    }
}

static void test_mmap_counts_whole_pages(void **state)
{
    const uint64_t plain = MAP_PRIVATE | MAP_ANONYMOUS;
    struct ledger_event event = map(PAGE + 1, PROT_READ, plain);

    (void)state;
    assert_bytes(&event, 0, TWO_PAGES, TWO_PAGES);
    event = map(BLOCK, PROT_READ, plain | MAP_FIXED);
    assert_bytes(&event, 0, BLOCK, 0); /* it replaces what is there */
    event = map(BLOCK, PROT_READ, plain | 0x100000 /* MAP_FIXED_NOREPLACE */);
    assert_bytes(&event, 0, BLOCK, BLOCK);
    assert_kind(&event, "r+fixed");
}

static void test_a_refused_call_moves_no_bytes(void **state)
{
    const uint64_t arguments[6] = {place, BLOCK, 4, 0};

    (void)state;
    for (int call = 0; call < LEDGER_CALLS; call++) {
        if (call == LEDGER_BRK)
            continue;
        struct ledger_event event = classify((enum ledger_call)call, arguments, -ENOMEM);
        assert_int_equal(event.failed, 1);
        assert_int_equal(event.bytes, 0);
        assert_int_equal(event.old_bytes, 0);
        assert_int_equal(event.net_bytes, 0);
    }
}

static void test_munmap_and_mprotect(void **state)
{
    struct ledger_event event = classify(LEDGER_MUNMAP, (uint64_t[6]){place, PAGE - 1}, 0);

    (void)state;
    assert_bytes(&event, 0, PAGE, -PAGE);
    assert_kind(&event, "");
    event = classify(LEDGER_MPROTECT, (uint64_t[6]){place, BLOCK, PROT_READ | PROT_WRITE}, 0);
    assert_bytes(&event, 0, BLOCK, 0);
    assert_kind(&event, "rw");
    event = classify(LEDGER_MPROTECT, (uint64_t[6]){place, BLOCK, PROT_NONE}, 0);
    assert_kind(&event, "none");
}

static struct ledger_event resize(uint64_t old_bytes, uint64_t bytes, uint64_t flags, uint64_t to)
{
    return classify(LEDGER_MREMAP, (uint64_t[6]){place, old_bytes, bytes, flags}, (int64_t)to);
}

static void test_mremap_tells_both_sizes_and_whether_it_moved(void **state)
{
    struct ledger_event event = resize(BLOCK, THREE_BLOCKS, MREMAP_MAYMOVE, place);

    (void)state;
    assert_bytes(&event, BLOCK, THREE_BLOCKS, TWO_BLOCKS);
    assert_kind(&event, "grow");
    event = resize(BLOCK, THREE_BLOCKS, MREMAP_MAYMOVE, place + (1 << 30));
    assert_kind(&event, "grow+moved");
    event = resize(BLOCK, PAGE, 0, place);
    assert_bytes(&event, BLOCK, PAGE, PAGE - BLOCK);
    assert_kind(&event, "shrink");
    event = resize(BLOCK, BLOCK, MREMAP_MAYMOVE, place + (1 << 30));
    assert_bytes(&event, BLOCK, BLOCK, 0);
    assert_kind(&event, "same+moved");
    event = resize(BLOCK, BLOCK, MREMAP_MAYMOVE | 4 /* MREMAP_DONTUNMAP */, place + (1 << 30));
    assert_bytes(&event, BLOCK, BLOCK, BLOCK);
    assert_kind(&event, "same+moved+dontunmap");
}

static struct ledger_event move_break(uint64_t before, uint64_t asked, uint64_t after)
{
    struct ledger_event event;

    ledger_classify(&event, LEDGER_BRK, (uint64_t[6]){asked}, (int64_t)after, before, PAGE);
    return event;
}

static void test_brk_tells_the_difference(void **state)
{
    const uint64_t before = 0x555500000000;
    struct ledger_event event = move_break(before, 0, before);

    (void)state;
    assert_bytes(&event, 0, 0, 0);
    assert_kind(&event, "query");
    event = move_break(before, before + BLOCK, before + BLOCK);
    assert_bytes(&event, 0, BLOCK, BLOCK);
    assert_kind(&event, "grow");
    event = move_break(before, before - BLOCK, before - BLOCK);
    assert_bytes(&event, 0, BLOCK, -BLOCK);
    assert_kind(&event, "shrink");
    event = move_break(before + 1, before + 2, before + 2); /* within a page that is mapped */
    assert_bytes(&event, 0, 0, 0);
    event = move_break(before, before + BLOCK, before);
    assert_int_equal(event.failed, 1);
    assert_int_equal(event.net_bytes, 0);
    assert_kind(&event, "grow");
}

static struct ledger_event advise(uint64_t advice)
{
    return classify(LEDGER_MADVISE, (uint64_t[6]){place, BLOCK, advice}, 0);
}

static void test_madvise_names_each_advice(void **state)
{
    struct ledger_event event = advise(MADV_DONTNEED);

    (void)state;
    assert_bytes(&event, 0, BLOCK, 0);
    assert_kind(&event, "MADV_DONTNEED");
    event = advise(MADV_FREE);
    assert_kind(&event, "MADV_FREE");
    event = advise(MADV_HUGEPAGE);
    assert_kind(&event, "MADV_HUGEPAGE");
    event = advise(77);
    assert_kind(&event, "advice_77");
    event = advise((uint64_t)-3);
    assert_kind(&event, "advice_-3");
    event = classify(LEDGER_PROCESS_MADVISE, (uint64_t[6]){3, place, 2, MADV_COLD}, THREE_PAGES);
    assert_bytes(&event, 0, THREE_PAGES, 0);
    assert_kind(&event, "MADV_COLD");
}

static void test_every_kind_fits_its_text(void **state)
{
    char text[LEDGER_KIND_BYTES];

    (void)state;
    for (uint32_t kind = 0; kind < 1 << 11; kind++) {
        ledger_kind_name(LEDGER_MMAP, kind, text);
        assert_in_range(strlen(text), 1, LEDGER_KIND_BYTES - 2); /* none was cut */
    }
    assert_string_equal(ledger_kind_name(LEDGER_MMAP, LEDGER_OTHER_KIND, text), "other");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_are_known_by_number),
        cmocka_unit_test(test_mmap_tells_protection_and_flags),
        cmocka_unit_test(test_mmap_counts_whole_pages),
        cmocka_unit_test(test_a_refused_call_moves_no_bytes),
        cmocka_unit_test(test_munmap_and_mprotect),
        cmocka_unit_test(test_mremap_tells_both_sizes_and_whether_it_moved),
        cmocka_unit_test(test_brk_tells_the_difference),
        cmocka_unit_test(test_madvise_names_each_advice),
        cmocka_unit_test(test_every_kind_fits_its_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
