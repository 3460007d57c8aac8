/*
 * The lines of the live view, from the tally and the sampler's ring. What is costly, the medians,
 * is done once a sample, before its canary; a frame takes what is new in the ring and one write.
 */
#define _GNU_SOURCE
#include "harness/run_view.h"

#include "harness/clock.h"
#include "harness/statistics.h"
#include "harness/text.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FRAME_NS = 200000000,
    FIRST_BUCKET_NS = 1000000,
    LEAST_BAR = 8,
    MOST_BAR = 40,
    LEAST_NAME = 8,
    FIGURES_WIDTH = 43, /* of a row of the table, behind its name */
};

int run_view_mode_parse(const char *text, enum run_view_mode *mode)
{
    static const char *const names[] = {[RUN_VIEW_AUTO] = "auto",
                                        [RUN_VIEW_PLAIN] = "plain",
                                        [RUN_VIEW_LIVE] = "live",
                                        [RUN_VIEW_NONE] = "none"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) != 0)
            continue;
        *mode = (enum run_view_mode)i;
        return 0;
    }
    return -EINVAL;
}

/* --- What the table shows, once a sample. --- */

/* The median of what the cell has so far, as `format` writes it. */
static void format_median(const struct tally_cell *cell, enum until_metric metric,
                          const char *(*format)(char *, double), char *text)
{
    double *values = calloc(cell->figure_count + 1, sizeof *values);

    snprintf(text, TEXT_NUMBER_BYTES, "-");
    if (values && cell->figure_count > 0) {
        memcpy(values, cell->figures[metric], cell->figure_count * sizeof *values);
        format(text, statistics_median(values, cell->figure_count).median);
    }
    free(values);
}

static const char *state_of(const struct cell *cell, const struct tally_cell *counted)
{
    if (cell->not_available[0])
        return "n/a";
    return counted->given_up ? "given up" : "";
}

static void fill_row(struct run_view *view, size_t index)
{
    const struct cell *cell = &view->tally->plan->cells[index];
    const struct tally_cell *counted = &view->tally->cells[index];
    struct run_view_row *row = &view->rows[view->row_count++];

    row->cell = index;
    row->state = state_of(cell, counted);
    row_short_name(cell->row.text, row->name);
    if (!host_is_objects(&cell->host)) {
        const size_t used = strlen(row->name);
        snprintf(row->name + used, sizeof row->name - used, ", %s", cell->host.text);
    }
    format_median(counted, UNTIL_TIME, text_format_duration, row->time);
    format_median(counted, UNTIL_PEAK, text_format_bytes, row->peak);
    format_median(counted, UNTIL_RETAINED, text_format_bytes, row->retained);
    row->samples = counted->figure_count;
    row->dirty = counted->dirty;
}

static void fill_table(struct run_view *view)
{
    const struct plan *plan = view->tally->plan;
    const struct cell *now = &plan->cells[view->cell];
    char parameters[128], way[RETURN_WAY_TEXT_BYTES];
    const struct return_way usual = {0};

    snprintf(view->experiment, sizeof view->experiment, "%s %s%s%s", now->workload->name,
             cell_format_parameters(now, parameters, sizeof parameters),
             return_way_is_same(&now->way, &usual) ? "" : ", return ",
             return_way_is_same(&now->way, &usual) ? "" : return_way_text(&now->way, way));
    view->row_count = 0;
    for (size_t i = 0; i < plan->cell_count && view->row_count < RUN_VIEW_ROWS; i++) {
        if (!plan->cells[i].is_control && plan_same_experiment(&plan->cells[i], now))
            fill_row(view, i);
    }
}

/* --- A frame. --- */

/* After a stop (Ctrl-Z) the shell has written beneath our lines: they are left where they are. */
static volatile sig_atomic_t continued;
static struct sigaction continue_before;

static void on_continue(int number)
{
    (void)number;
    continued = 1;
}

static void catch_continue(void)
{
    struct sigaction action = {.sa_handler = on_continue, .sa_flags = SA_RESTART};

    continued = 0;
    sigaction(SIGCONT, &action, &continue_before);
}

static void draw_bar(struct run_view *view, size_t width)
{
    const struct progress *progress = &view->progress;
    struct live_screen *screen = &view->screen;
    const char *done = screen->is_utf8 ? "█" : "#", *left = screen->is_utf8 ? "░" : "-";
    const size_t full = progress->total ? width * progress->done / progress->total : width;

    if (width < LEAST_BAR)
        return;
    for (size_t i = 0; i < width; i++)
        live_screen_glyphs(screen, LIVE_PLAIN, i < full ? done : left, 1);
    live_screen_text(screen, LIVE_PLAIN, "  ");
}

static void draw_progress(struct run_view *view)
{
    struct live_screen *screen = &view->screen;
    const struct progress *progress = &view->progress;
    char text[128], left[TEXT_NUMBER_BYTES];

    text_format_left(left, progress->left_seconds);
    const size_t length = (size_t)snprintf(text, sizeof text, "%zu/%zu  %s left", progress->done,
                                           progress->total, left);
    const size_t room = live_screen_left(screen);
    const size_t width = room > length + 2 ? room - length - 2 : 0;
    draw_bar(view, width < MOST_BAR ? width : MOST_BAR);
    live_screen_text(screen, LIVE_STRONG, "%s", text);
    live_screen_end_line(screen);
}

/* Its curve takes what the figures leave of the line. */
static void draw_curve(struct run_view *view)
{
    struct live_screen *screen = &view->screen;
    char text[128], now[TEXT_NUMBER_BYTES], most[TEXT_NUMBER_BYTES], time[TEXT_NUMBER_BYTES];
    char line[SPARKLINE_CELL_BYTES * SPARKLINE_BUCKETS + 1];

    if (view->curve.used == 0 || view->t_ns < CLOCK_SECOND_NS / 1000)
        return; /* the first tick, by itself, is no curve */
    const int length = snprintf(text, sizeof text, " %s, at most %s, after %s",
                                text_format_bytes(now, (double)view->now_bytes),
                                text_format_bytes(most, (double)view->most_bytes),
                                text_format_duration(time, (double)view->t_ns));
    const size_t room = live_screen_left(screen);
    const size_t width = room > (size_t)length ? room - (size_t)length : 0;
    const size_t drawn =
        sparkline_draw(line, view->curve.most, view->curve.used,
                       width < SPARKLINE_BUCKETS ? width : SPARKLINE_BUCKETS, screen->is_utf8);
    live_screen_glyphs(screen, LIVE_CURVE, line, drawn);
    live_screen_text(screen, LIVE_PLAIN, "%s", text);
}

static int name_width(const struct run_view *view)
{
    const size_t left = live_screen_left(&view->screen);
    size_t width = 3;

    for (size_t i = 0; i < view->row_count; i++) {
        const size_t length = strlen(view->rows[i].name);
        width = length > width ? length : width;
    }
    if (width + FIGURES_WIDTH > left)
        width = left > FIGURES_WIDTH + LEAST_NAME ? left - FIGURES_WIDTH : LEAST_NAME;
    return (int)width;
}

static void draw_row(struct run_view *view, const struct run_view_row *row, int width)
{
    struct live_screen *screen = &view->screen;
    const enum live_style style = row->cell == view->cell ? LIVE_STRONG : LIVE_PLAIN;

    live_screen_text(screen, style, "%s%-*.*s", row->cell == view->cell ? "> " : "  ", width, width,
                     row->name);
    if (row->state[0])
        live_screen_text(screen, LIVE_PLAIN, " %9s", row->state);
    else
        live_screen_text(screen, LIVE_PLAIN, " %9s %10s %10s %3zu", row->time, row->peak,
                         row->retained, row->samples);
    if (!row->state[0] || row->dirty > 0)
        live_screen_text(screen, row->dirty > 0 ? LIVE_WARNING : LIVE_PLAIN, " %5zu", row->dirty);
    live_screen_end_line(screen);
}

/* As many rows as there is room for, that of the sample under way among them. */
static void draw_table(struct run_view *view)
{
    struct live_screen *screen = &view->screen;
    const int width = name_width(view);
    size_t first = 0;

    live_screen_text(screen, LIVE_PLAIN, "%s", view->experiment);
    live_screen_end_line(screen);
    live_screen_text(screen, LIVE_PLAIN, "  %-*.*s %9s %10s %10s %3s %5s", width, width, "row",
                     "time", "peak", "retained", "n", "dirty");
    live_screen_end_line(screen);
    const size_t room = screen->rows > screen->lines + 1 ? screen->rows - screen->lines - 1 : 0;
    for (size_t i = 0; i < view->row_count; i++) {
        if (view->rows[i].cell == view->cell && i >= room)
            first = i + 1 - room;
    }
    for (size_t i = first; i < view->row_count && live_screen_has_room(screen); i++)
        draw_row(view, &view->rows[i], width);
}

static void draw(struct run_view *view)
{
    struct live_screen *screen = &view->screen;

    if (continued)
        screen->drawn = 0;
    continued = 0;
    live_screen_begin(screen);
    draw_progress(view);
    live_screen_text(screen, LIVE_STRONG, "%s", view->what);
    live_screen_end_line(screen);
    draw_curve(view);
    live_screen_end_line(screen);
    if (view->status[0]) {
        live_screen_text(screen, LIVE_PLAIN, "%s", view->status);
        live_screen_end_line(screen);
    }
    draw_table(view);
    live_screen_show(screen);
}

/* On the sampler's core, which the child leaves alone; the sampler itself comes first there. */
static void draw_aside(struct run_view *view)
{
    cpu_set_t before, one;

    if (view->cpu < 0 || sched_getaffinity(0, sizeof before, &before) != 0) {
        draw(view);
        return;
    }
    CPU_ZERO(&one);
    CPU_SET((size_t)view->cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    draw(view);
    sched_setaffinity(0, sizeof before, &before);
}

static void take_ticks(struct run_view *view, const struct sampler *sampler)
{
    enum { CHUNK = 256 };
    struct sampler_view ticks[CHUNK];
    size_t count;

    do {
        count = sampler_glance(sampler, &view->cursor, ticks, CHUNK);
        for (size_t i = 0; i < count; i++) {
            sparkline_add(&view->curve, ticks[i].t_ns, ticks[i].rss_bytes);
            view->now_bytes = ticks[i].rss_bytes;
            view->t_ns = ticks[i].t_ns;
            view->most_bytes =
                view->now_bytes > view->most_bytes ? view->now_bytes : view->most_bytes;
        }
    } while (count == CHUNK);
}

static void look(struct sample_watcher *watcher, const struct sampler *sampler)
{
    struct run_view *view =
        (struct run_view *)(void *)((char *)watcher - offsetof(struct run_view, watcher));

    if (sampler)
        take_ticks(view, sampler);
    draw_aside(view);
}

/* --- The run. --- */

void run_view_init(struct run_view *view, enum run_view_mode mode, const struct tally *tally,
                   int sampler_cpu)
{
    const int is_possible = live_screen_is_possible(STDERR_FILENO);

    memset(view, 0, sizeof *view);
    view->mode = mode != RUN_VIEW_AUTO ? mode : is_possible ? RUN_VIEW_LIVE : RUN_VIEW_PLAIN;
    view->tally = tally;
    view->cpu = sampler_cpu;
    view->watcher = (struct sample_watcher){.look = look, .every_ns = FRAME_NS};
    live_screen_init(&view->screen, STDERR_FILENO);
    run_view_count(view, 0);
    if (view->mode == RUN_VIEW_LIVE)
        catch_continue();
}

struct sample_watcher *run_view_watcher(struct run_view *view)
{
    return view->mode == RUN_VIEW_LIVE ? &view->watcher : NULL;
}

void run_view_count(struct run_view *view, size_t total)
{
    progress_init(&view->progress, total);
    view->progress.is_terminal = 0; /* a line of its own for each sample, or none */
}

void run_view_show(struct run_view *view, size_t cell, const char *what)
{
    view->cell = cell;
    view->begun = 1;
    snprintf(view->what, sizeof view->what, "%s", what);
    if (view->mode == RUN_VIEW_PLAIN)
        progress_show(&view->progress, what);
    if (view->mode != RUN_VIEW_LIVE)
        return;
    view->cursor = (struct sampler_cursor){0};
    view->curve = (struct sparkline_curve){.bucket_ns = FIRST_BUCKET_NS};
    view->now_bytes = view->most_bytes = view->t_ns = 0;
    /* Drawn when the child starts: a terminal that draws would be heard by the canary. */
    fill_table(view);
}

void run_view_note(struct run_view *view, const char *message)
{
    live_screen_erase(&view->screen);
    progress_note(&view->progress, message);
    if (view->mode == RUN_VIEW_LIVE && view->begun)
        draw(view);
}

void run_view_tell(struct run_view *view, const char *status)
{
    snprintf(view->status, sizeof view->status, "%s", status);
    if (view->mode == RUN_VIEW_PLAIN)
        progress_note(&view->progress, status);
}

void run_view_end(struct run_view *view, int is_interrupted)
{
    live_screen_erase(&view->screen);
    if (view->mode == RUN_VIEW_LIVE && is_interrupted && view->begun)
        progress_show(&view->progress, view->what);
    view->begun = 0;
    if (view->mode == RUN_VIEW_LIVE)
        sigaction(SIGCONT, &continue_before, NULL);
    view->mode = RUN_VIEW_NONE;
}
