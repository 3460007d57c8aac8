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
#include <sys/stat.h>
#include <unistd.h>

/* The descriptor, or -1: nobody listens. The environment may outlive the descriptor, and another
 * file may have its number by now: it must be the very pipe. */
static inline int tidemark_phase_descriptor(void)
{
    const char *text = getenv("TIDEMARK_PHASE_FD"), *inode = getenv("TIDEMARK_PHASE_INODE");
    struct stat info;

    if (!text || !text[0] || !inode || fstat(atoi(text), &info) != 0)
        return -1;
    return S_ISFIFO(info.st_mode) && info.st_ino == strtoul(inode, NULL, 10) ? atoi(text) : -1;
}

/*
 * Ends the phase before and begins the one called `name`: 1 to 23 letters, digits, `_`, `-` and
 * `.`, none called idle, purge, pressure or rebuild; a name may come again. Twelve phases may begin
 * in all, later ones are part of the twelfth. Other names, and that of the phase that goes on, are
 * passed over. Does not allocate, keeps errno, and costs two system calls, which wait for nobody
 * unless 64 KiB of names are unread. Thread-safe, as far as nobody changes the environment at the
 * same time.
 */
static inline void tidemark_phase(const char *name)
{
    enum { MOST = 23 };
    const int saved_errno = errno;
    const size_t length = strlen(name);
    const int descriptor = length > MOST ? -1 : tidemark_phase_descriptor();
    char line[MOST + 1];

    if (descriptor >= 0) {
        memcpy(line, name, length);
        line[length] = '\n';
        while (write(descriptor, line, length + 1) < 0 && errno == EINTR)
            continue;
    }
    errno = saved_errno;
}

#endif
