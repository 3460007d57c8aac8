/*
 * What a run shows while it goes on, on stderr: a live view on a terminal, a line for each sample
 * elsewhere. Leaves out the result (harness/table.h). The view is drawn by the thread that serves
 * the child, on the sampler's core, at most five times a second.
 */
#ifndef TIDEMARK_HARNESS_RUN_VIEW_H
#define TIDEMARK_HARNESS_RUN_VIEW_H

#include "harness/live_screen.h"
#include "harness/progress.h"
#include "harness/sample.h"
#include "harness/sparkline.h"
#include "harness/tally.h"
#include "harness/text.h"

enum run_view_mode {
    RUN_VIEW_AUTO, /* live where stderr is a terminal that can do it, else plain */
    RUN_VIEW_PLAIN,
    RUN_VIEW_LIVE,
    RUN_VIEW_NONE, /* notes alone */
};

enum { RUN_VIEW_TEXT_BYTES = 512, RUN_VIEW_ROWS = 64 };

/* A row of the experiment under way, as the table shows it. */
struct run_view_row {
    size_t cell;
    const char *state; /* "" or why it has no figures */
    char name[ROW_TEXT_BYTES];
    char time[TEXT_NUMBER_BYTES], peak[TEXT_NUMBER_BYTES], retained[TEXT_NUMBER_BYTES];
    size_t samples, dirty;
};

struct run_view {
    enum run_view_mode mode; /* never RUN_VIEW_AUTO */
    struct progress progress;
    struct sample_watcher watcher;
    struct live_screen screen;
    const struct tally *tally;
    int cpu;   /* to draw on; -1: on any */
    int begun; /* 1: a sample has been shown */
    size_t cell;
    char what[RUN_VIEW_TEXT_BYTES];
    char status[RUN_VIEW_TEXT_BYTES]; /* of the run; empty: nothing to say */
    char experiment[RUN_VIEW_TEXT_BYTES];
    struct run_view_row rows[RUN_VIEW_ROWS];
    size_t row_count;
    struct sampler_cursor cursor;
    struct sparkline_curve curve;
    uint64_t now_bytes, most_bytes, t_ns;
};

/* Reads "plain", "live", "none" or "auto". Returns 0, or -EINVAL with `mode` untouched. */
int run_view_mode_parse(const char *text, enum run_view_mode *mode);

/* `tally` is borrowed, and read whenever a sample begins. */
void run_view_init(struct run_view *view, enum run_view_mode mode, const struct tally *tally,
                   int sampler_cpu);

/* Who looks at a sample, for struct sample_settings; NULL where nothing is drawn meanwhile. */
struct sample_watcher *run_view_watcher(struct run_view *view);

/* Begins to count `total` samples or passes. */
void run_view_count(struct run_view *view, size_t total);

/* Shows that `what` runs now, which is of `cell`. */
void run_view_show(struct run_view *view, size_t cell, const char *what);

/* Prints `message` as a line that stays. */
void run_view_note(struct run_view *view, const char *message);

/* What the run is at: a line of the live view, else a line that stays. */
void run_view_tell(struct run_view *view, const char *status);

/* Removes what is live, for good: notes are still printed. What ran last stays as a line where the
 * run was interrupted. */
void run_view_end(struct run_view *view, int is_interrupted);

#endif
