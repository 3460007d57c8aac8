/*
 * A thread for each sample but the first: see seat.h. Leaves out placing: all children run on the
 * processor that the settings name, and the kernel takes turns.
 */
#include "harness/seat.h"

#include <stdlib.h>

struct seat *seats_make(size_t count)
{
    struct seat *seats = calloc(count, sizeof *seats);

    for (size_t i = 0; seats && i < count; i++) {
        if (sampler_init(&seats[i].sampler) != 0) {
            seats_free(seats, i);
            return NULL;
        }
    }
    return seats;
}

void seats_free(struct seat *seats, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sampler_destroy(&seats[i].sampler);
    free(seats);
}

static void *take(void *argument)
{
    struct seat *seat = argument;

    seat->failed = sample_run(&seat->settings, seat->cell, seat->seed, &seat->sample);
    meeting_leave(&seat->attendance);
    return NULL;
}

void seats_run(struct seat *seats, size_t count)
{
    struct meeting meeting;

    meeting_init(&meeting, count);
    for (size_t i = 0; i < count; i++) {
        seats[i].attendance = (struct attendance){.meeting = &meeting};
        seats[i].settings.attendance = &seats[i].attendance;
        seats[i].settings.sampler = &seats[i].sampler;
        seats[i].settings.sharers = (unsigned)count;
    }
    for (size_t i = 1; i < count; i++) {
        seats[i].failed = -pthread_create(&seats[i].thread, NULL, take, &seats[i]);
        seats[i].has_thread = seats[i].failed == 0;
        if (!seats[i].has_thread)
            meeting_leave(&seats[i].attendance);
    }
    take(&seats[0]);
    for (size_t i = 1; i < count; i++) {
        if (seats[i].has_thread)
            pthread_join(seats[i].thread, NULL);
    }
    meeting_destroy(&meeting);
}
