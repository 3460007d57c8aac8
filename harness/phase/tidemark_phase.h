/*
 * Tells `tidemark exec` where a phase of this program begins. One file to copy or to include, C and
 * C++, without a library. Where the program is not measured it does nothing.
 *
 *     tidemark_phase("load");
 *     ...
 *     tidemark_phase("serve");
 */
#ifndef TIDEMARK_PHASE_H
#define TIDEMARK_PHASE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Ends the phase before and begins the one called `name`: 1 to 23 letters, digits, `_`, `-` and
 * `.`; twelve different phases in all, and none called idle, purge, pressure or rebuild. Other
 * names are passed over. Does not allocate, keeps errno, and costs a system call, which waits for
 * nobody unless 64 KiB of names are unread. Thread-safe, as far as nobody changes the environment
 * at the same time.
 */
static inline void tidemark_phase(const char *name)
{
    enum { MOST = 23 };
    const int saved_errno = errno;
    const char *text = getenv("TIDEMARK_PHASE_FD");
    const size_t length = strlen(name);
    char line[MOST + 1];

    if (!text || !text[0] || length > MOST)
        return;
    memcpy(line, name, length);
    line[length] = '\n';
    while (write(atoi(text), line, length + 1) < 0 && errno == EINTR)
        continue;
    errno = saved_errno;
}

#endif
