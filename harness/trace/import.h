/*
 * Captures of other tools into traces. Leaves out what they do not have: most know no threads, no
 * times and no stacks. A format is one file and one line in import.c.
 */
#ifndef TIDEMARK_HARNESS_TRACE_IMPORT_H
#define TIDEMARK_HARNESS_TRACE_IMPORT_H

#include "harness/trace/trace_event.h"

#include <stddef.h>
#include <stdint.h>

enum { IMPORT_ERROR_BYTES = 512 };

/* What was met. */
struct import_counts {
    uint64_t events, makes, ends, threads;
    uint64_t unknown;   /* ends of blocks that were never made: left out */
    uint64_t unseen;    /* blocks whose place or number was given again: ended there */
    uint64_t passed;    /* lines or records that say nothing of a block: passed over */
    uint64_t first_odd; /* the first line that is not understood, from 1; 0: all were */
    uint64_t odd;       /* how many are not */
};

struct import;

struct import_format {
    const char *name;
    const char *summary; /* which tool writes it, and how */
    int (*read)(struct import *import, const char *path);
};

/* Ends with name == NULL. Static storage. */
extern const struct import_format import_formats[];

/*
 * Reads `input` and writes the trace `output`, which must not be there. Returns 0 with `counts`
 * filled, or a negative errno with a message in `error` (IMPORT_ERROR_BYTES) and no file. Any bytes
 * are safe. Memory: that of the blocks that are alive at once.
 */
int import_run(const struct import_format *format, const char *input, const char *output,
               struct import_counts *counts, char *error);

/* --- For formats. All return 0 or a negative errno, where nothing else is said. --- */

/* The thread of that number, from 0, begins with its first event. */
enum { IMPORT_MOST_THREADS = 1 << 16 };

/* A block is called by a key of the format's: an address, or a number. 0 is none. */
int import_made(struct import *import, uint32_t thread, enum trace_kind kind, uint64_t key,
                uint64_t bytes, uint64_t alignment);
int import_ended(struct import *import, uint32_t thread, uint64_t key);
/* realloc: `to` may be `from`; a `from` that is not known makes it a malloc. */
int import_moved(struct import *import, uint32_t thread, uint64_t from, uint64_t to,
                 uint64_t bytes);
/* `starter` starts a thread that has no event yet. */
int import_started(struct import *import, uint32_t starter, uint32_t thread);

/* From now on. Never goes back. */
void import_time(struct import *import, uint64_t time_ns);

void import_passed(struct import *import);
void import_odd(struct import *import, uint64_t line);

/* Calls `read` with each line of a file, without its end; a line above 64 KiB is odd. */
int import_lines(struct import *import, const char *path,
                 int (*read)(struct import *import, char *line, uint64_t number));

/*
 * 1 when `text` begins as `pattern` says, with the numbers in it: `#` is a decimal one, `@` a
 * hexadecimal one, a space is any spaces or none, and anything else itself. 0 when not, or when a
 * number has more than 64 bits.
 */
int import_match(const char *text, const char *pattern, uint64_t *numbers);

/* What the formats define. */
int import_mtrace(struct import *import, const char *path);
int import_valgrind(struct import *import, const char *path);
int import_rep(struct import *import, const char *path);
int import_wl(struct import *import, const char *path);
int import_heaptrack(struct import *import, const char *path);

#endif
