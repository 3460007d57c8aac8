/* A count under a lock: see meeting.h. */
#include "harness/meeting.h"

void meeting_init(struct meeting *meeting, size_t expected)
{
    pthread_mutex_init(&meeting->lock, NULL);
    pthread_cond_init(&meeting->changed, NULL);
    meeting->expected = expected;
}

void meeting_destroy(struct meeting *meeting)
{
    pthread_cond_destroy(&meeting->changed);
    pthread_mutex_destroy(&meeting->lock);
}

/* With the lock held. */
static void settle(struct attendance *attendance)
{
    if (attendance->is_settled)
        return;
    attendance->is_settled = 1;
    attendance->meeting->expected--;
    pthread_cond_broadcast(&attendance->meeting->changed);
}

void meeting_wait(struct attendance *attendance)
{
    if (!attendance)
        return;
    struct meeting *meeting = attendance->meeting;
    pthread_mutex_lock(&meeting->lock);
    settle(attendance);
    while (meeting->expected > 0)
        pthread_cond_wait(&meeting->changed, &meeting->lock);
    pthread_mutex_unlock(&meeting->lock);
}

void meeting_leave(struct attendance *attendance)
{
    pthread_mutex_lock(&attendance->meeting->lock);
    settle(attendance);
    pthread_mutex_unlock(&attendance->meeting->lock);
}
