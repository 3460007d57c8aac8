/* Threads that wait for each other: none goes before the last has come or stays away. */
#include "harness/meeting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

enum { THREADS = 8 };

static struct meeting meeting;
static _Atomic int come, early;

static void *attend(void *argument)
{
    struct attendance attendance = {.meeting = &meeting};

    (void)argument;
    atomic_fetch_add(&come, 1);
    meeting_wait(&attendance);
    atomic_fetch_add(&early, atomic_load(&come) != THREADS);
    meeting_leave(&attendance); /* has come: nothing happens */
    return NULL;
}

static void *stay_away(void *argument)
{
    struct attendance attendance = {.meeting = &meeting};

    (void)argument;
    atomic_fetch_add(&come, 1);
    meeting_leave(&attendance);
    meeting_leave(&attendance);
    return NULL;
}

static void hold(int away)
{
    pthread_t threads[THREADS];

    atomic_store(&come, 0);
    atomic_store(&early, 0);
    meeting_init(&meeting, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i < away ? stay_away : attend, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(meeting.expected, 0);
    meeting_destroy(&meeting);
}

static void nobody_goes_before_the_last_has_come(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        hold(0);
        assert_int_equal(early, 0);
    }
}

static void who_stays_away_is_not_waited_for(void **state)
{
    (void)state;
    for (int away = 1; away <= THREADS; away++) {
        hold(away);
        assert_int_equal(early, 0);
    }
}

static void without_a_meeting_nobody_waits(void **state)
{
    (void)state;
    meeting_wait(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_goes_before_the_last_has_come),
        cmocka_unit_test(who_stays_away_is_not_waited_for),
        cmocka_unit_test(without_a_meeting_nobody_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
