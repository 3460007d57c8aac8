/*
 * Threads that wait for each other once. Unlike at a pthread_barrier_t one may stay away, and is
 * not waited for.
 */
#ifndef TIDEMARK_HARNESS_MEETING_H
#define TIDEMARK_HARNESS_MEETING_H

#include <pthread.h>
#include <stddef.h>

struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t expected; /* who has neither come nor stayed away */
};

/* Of one thread. Starts with its meeting and 0. */
struct attendance {
    struct meeting *meeting;
    int is_settled;
};

void meeting_init(struct meeting *meeting, size_t expected);
void meeting_destroy(struct meeting *meeting);

/* Comes, and waits until all others have come or stay away. NULL: there is no meeting. */
void meeting_wait(struct attendance *attendance);

/* Will not come; does nothing where it has. */
void meeting_leave(struct attendance *attendance);

#endif
