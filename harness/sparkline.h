/*
 * A curve in one line of text: what Tufte calls a sparkline (Beautiful Evidence, 2006), of block
 * elements or of ASCII. Leaves out the terminal (harness/live_screen.h). The curve is kept coarse
 * while it grows, so that neither its memory nor the cost of drawing it grows with it.
 */
#ifndef TIDEMARK_HARNESS_SPARKLINE_H
#define TIDEMARK_HARNESS_SPARKLINE_H

#include <stddef.h>
#include <stdint.h>

enum {
    SPARKLINE_BUCKETS = 128,
    SPARKLINE_CELL_BYTES = 3, /* of a block element in UTF-8 */
};

/* The largest value of each stretch of `bucket_ns`, from time 0. All zero but for `bucket_ns` is an
 * empty one. */
struct sparkline_curve {
    uint64_t most[SPARKLINE_BUCKETS];
    size_t used;
    size_t fresh; /* 1 and the last stretch that has a value of its own */
    uint64_t bucket_ns;
};

/*
 * Adds a value at a time, which is not before the one added last. A stretch without a value has
 * that of the one before it. Where there is no room, pairs of stretches become one of twice the
 * length. O(1) but for that.
 */
void sparkline_add(struct sparkline_curve *curve, uint64_t t_ns, uint64_t value);

/*
 * Draws `count` values in at most `columns` columns into `text`, which holds SPARKLINE_CELL_BYTES
 * times as many bytes and one for the NUL: the largest of those that share a column, in eight steps
 * from 0 to the largest of all. Returns how many columns it took. Thread-safe.
 */
size_t sparkline_draw(char *text, const uint64_t *values, size_t count, size_t columns,
                      int is_utf8);

#endif
