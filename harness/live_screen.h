/*
 * A few lines at the bottom of a terminal, redrawn in place. Leaves out curses: it would take over
 * the screen, and what was printed before would be gone. What is used is a
 * carriage return and four sequences that every terminal since the VT100 knows (CUU, EL, ED and SGR
 * of ECMA-48), and no mode is changed: a terminal needs no restoring, however the program ends.
 */
#ifndef TIDEMARK_HARNESS_LIVE_SCREEN_H
#define TIDEMARK_HARNESS_LIVE_SCREEN_H

#include <stddef.h>

enum { LIVE_SCREEN_BYTES = 16384 };

enum live_style { LIVE_PLAIN, LIVE_STRONG, LIVE_CURVE, LIVE_WARNING };

struct live_screen {
    int fd;
    int has_colour; /* 0 where NO_COLOR is set and not empty (no-color.org) */
    int is_utf8;    /* of the locale of the environment */
    size_t columns, rows;
    size_t drawn;  /* lines of ours that the terminal shows, the cursor on the line beneath them */
    size_t lines;  /* of the frame under way */
    size_t column; /* where its last line ends */
    size_t used;
    char frame[LIVE_SCREEN_BYTES];
};

/* 1 where lines can be redrawn on `fd`: it is a terminal, and TERM is set and not dumb. */
int live_screen_is_possible(int fd);

void live_screen_init(struct live_screen *screen, int fd);

/* Begins a frame, as wide as the terminal is now: a window may have been resized since. */
void live_screen_begin(struct live_screen *screen);

/* 1 when another line still fits the height. */
int live_screen_has_room(const struct live_screen *screen);

/*
 * Adds text to the current line; what does not fit the width is cut. `columns` is what it takes of
 * it, for text in UTF-8 each character of which is a column wide. live_screen_text takes ASCII:
 * any other byte becomes '?', so that no name is wider than it is thought.
 */
void live_screen_glyphs(struct live_screen *screen, enum live_style style, const char *text,
                        size_t columns);
__attribute__((format(printf, 3, 4))) void
live_screen_text(struct live_screen *screen, enum live_style style, const char *format, ...);

/* How many columns of the current line are left. */
size_t live_screen_left(const struct live_screen *screen);

void live_screen_end_line(struct live_screen *screen);

/* Puts the frame in the place of the one before, in one write. A terminal that takes nothing now
 * (Ctrl-S) is not waited for. */
void live_screen_show(struct live_screen *screen);

/* Removes what was drawn; the cursor is where it was before the first frame. */
void live_screen_erase(struct live_screen *screen);

#endif
