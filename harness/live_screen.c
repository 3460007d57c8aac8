/*
 * Frames for a terminal. The cursor waits at the beginning of the line beneath the last one: what a
 * terminal echoes there (^C) goes with the next frame. Where a window became narrower meanwhile
 * some terminals have broken our lines anew: then some of them stay above, and nothing of others is
 * ever overwritten.
 */
#define _GNU_SOURCE
#include "harness/live_screen.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { USUAL_COLUMNS = 80, USUAL_ROWS = 24, TEXT_BYTES = 1024 };

static const char *const styles[] = {[LIVE_PLAIN] = "",
                                     [LIVE_STRONG] = "\033[1m",
                                     [LIVE_CURVE] = "\033[36m",
                                     [LIVE_WARNING] = "\033[33m"};

int live_screen_is_possible(int fd)
{
    const char *terminal = getenv("TERM");

    return isatty(fd) && terminal && terminal[0] && strcmp(terminal, "dumb") != 0;
}

/* Asked of a locale of its own: this program's numbers stay those of the C locale. */
static int environment_is_utf8(void)
{
    locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);

    if (!locale)
        return 0;
    const int is_utf8 = strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
    freelocale(locale);
    return is_utf8;
}

void live_screen_init(struct live_screen *screen, int fd)
{
    const char *no_color = getenv("NO_COLOR");

    memset(screen, 0, sizeof *screen);
    screen->fd = fd;
    screen->has_colour = !no_color || !no_color[0];
    screen->is_utf8 = environment_is_utf8();
}

static void append(struct live_screen *screen, const char *bytes, size_t length)
{
    if (length > LIVE_SCREEN_BYTES - screen->used)
        length = LIVE_SCREEN_BYTES - screen->used;
    memcpy(screen->frame + screen->used, bytes, length);
    screen->used += length;
}

static void append_text(struct live_screen *screen, const char *text)
{
    append(screen, text, strlen(text));
}

static void read_size(struct live_screen *screen)
{
    struct winsize size = {0};

    screen->columns = USUAL_COLUMNS;
    screen->rows = USUAL_ROWS;
    if (ioctl(screen->fd, TIOCGWINSZ, &size) != 0)
        return;
    if (size.ws_col > 0)
        screen->columns = size.ws_col;
    if (size.ws_row > 0)
        screen->rows = size.ws_row;
}

/* To the first of our lines, of which no more can be in sight than there are rows. */
static void go_up(struct live_screen *screen)
{
    char sequence[32];
    const size_t up = screen->drawn < screen->rows ? screen->drawn : screen->rows - 1;

    append_text(screen, "\r");
    if (up > 0) {
        snprintf(sequence, sizeof sequence, "\033[%zuA", up);
        append_text(screen, sequence);
    }
}

void live_screen_begin(struct live_screen *screen)
{
    read_size(screen);
    screen->used = screen->lines = screen->column = 0;
    go_up(screen);
}

int live_screen_has_room(const struct live_screen *screen)
{
    /* One line is the cursor's. */
    return screen->lines + 1 < screen->rows;
}

size_t live_screen_left(const struct live_screen *screen)
{
    /* The last column stays free: some terminals go to the next line once it is written. */
    return screen->columns > screen->column + 1 ? screen->columns - screen->column - 1 : 0;
}

/* The bytes of the first `columns` characters. */
static size_t bytes_of(const char *text, size_t columns)
{
    size_t at = 0;

    for (; text[at] && columns > 0; columns--) {
        at++;
        while (((unsigned char)text[at] & 0xc0) == 0x80)
            at++;
    }
    return at;
}

void live_screen_glyphs(struct live_screen *screen, enum live_style style, const char *text,
                        size_t columns)
{
    const size_t left = live_screen_left(screen);
    const size_t taken = columns < left ? columns : left;
    const int is_styled = screen->has_colour && styles[style][0];

    if (!live_screen_has_room(screen) || taken == 0)
        return;
    if (is_styled)
        append_text(screen, styles[style]);
    append(screen, text, bytes_of(text, taken));
    if (is_styled)
        append_text(screen, "\033[m");
    screen->column += taken;
}

void live_screen_text(struct live_screen *screen, enum live_style style, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list words;

    va_start(words, format);
    vsnprintf(text, sizeof text, format, words);
    va_end(words);
    for (char *at = text; *at; at++) {
        if (*at < ' ' || *at > '~')
            *at = '?';
    }
    live_screen_glyphs(screen, style, text, strlen(text));
}

void live_screen_end_line(struct live_screen *screen)
{
    if (!live_screen_has_room(screen))
        return;
    append_text(screen, "\033[K\r\n");
    screen->lines++;
    screen->column = 0;
}

static void write_out(struct live_screen *screen)
{
    size_t at = 0;

    while (at < screen->used) {
        const ssize_t wrote = write(screen->fd, screen->frame + at, screen->used - at);
        if (wrote < 0 && errno != EINTR)
            break;
        at += wrote > 0 ? (size_t)wrote : 0;
    }
    screen->used = 0;
}

void live_screen_show(struct live_screen *screen)
{
    struct pollfd out = {.fd = screen->fd, .events = POLLOUT};

    if (poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT))
        return;
    append_text(screen, "\033[J");
    screen->drawn = screen->lines;
    write_out(screen);
}

void live_screen_erase(struct live_screen *screen)
{
    read_size(screen);
    screen->used = 0;
    if (screen->drawn == 0)
        return;
    go_up(screen);
    append_text(screen, "\033[J");
    write_out(screen);
    screen->drawn = 0;
}
