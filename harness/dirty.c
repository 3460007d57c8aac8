/*
 * The rule is a ratio to a median, so that it needs no figure of the machine and no earlier run.
 * Leaves out any trend: a run that becomes slower by and by has a median that follows.
 */
#define _GNU_SOURCE
#include "harness/dirty.h"

#include "harness/statistics.h"

#include <errno.h>
#include <stdlib.h>

static int grow(struct canary_history *history)
{
    size_t room = history->room ? 2 * history->room : 64;

    for (size_t piece = 0; piece < CANARY_PIECES; piece++) {
        double *grown = reallocarray(history->pieces[piece], room, sizeof *grown);
        if (!grown)
            return -ENOMEM;
        history->pieces[piece] = grown;
    }
    history->room = room;
    return 0;
}

int canary_history_add(struct canary_history *history, const struct canary_reading *reading)
{
    if (history->count == history->room && grow(history) != 0)
        return -ENOMEM;
    for (size_t piece = 0; piece < CANARY_PIECES; piece++)
        history->pieces[piece][history->count] = canary_piece(reading, piece);
    history->count++;
    return 0;
}

int canary_history_is_dirty(struct canary_history *history, const struct canary_reading *reading)
{
    if (history->count < DIRTY_LEAST_EARLIER)
        return 0;
    for (size_t piece = 0; piece < CANARY_PIECES; piece++) {
        double usual = statistics_median(history->pieces[piece], history->count).median;
        if (canary_piece(reading, piece) > canary_slow_ratio(piece) * usual)
            return 1;
    }
    return 0;
}

void canary_history_free(struct canary_history *history)
{
    for (size_t piece = 0; piece < CANARY_PIECES; piece++)
        free(history->pieces[piece]);
    *history = (struct canary_history){0};
}
