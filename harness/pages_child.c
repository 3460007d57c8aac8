/*
 * The child's side of the pass `pages`: what pages_look() finds at the end of each phase, a line of
 * JSON each. Leaves out the file, which the parent makes of the lines (harness/pages_pass.c). A
 * line with `error` in place of figures says why there are none: a figure that does not hold is not
 * told.
 */
#include "harness/pages_child.h"

#include "harness/pages_look.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
    const struct open_row *row;
    int has_baseline;
    int error; /* of the baseline */
} pass;

/* --- JSON. --- */

/* Names come from code that may be anybody's. */
static void put_string(const char *text)
{
    pass_put('"');
    for (; *text; text++) {
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
            pass_put('?');
        else
            pass_put(*text);
    }
    pass_put('"');
}

static void put_key(const char *key)
{
    pass_put(',');
    put_string(key);
    pass_put(':');
}

static void put_number(const char *key, uint64_t number)
{
    put_key(key);
    pass_put_number(number);
}

static void put_number_or_null(const char *key, uint64_t number, int is_there)
{
    put_key(key);
    if (is_there)
        pass_put_number(number);
    else
        pass_put_text("null");
}

static void put_reason(const char *key, const char *reason)
{
    put_key(key);
    if (reason)
        put_string(reason);
    else
        pass_put_text("null");
}

/* --- Why there is no figure. --- */

/* The allocator that does not tell, or whose word does not hold. */
static const char *why_no_usable(const struct pages_look *look, char *text)
{
    const struct open_row *row = pass.row;
    const struct allocator *silent =
        row->object.usable_size ? row->raw_allocator : row->object_allocator;

    if (look->odd_usable > 0)
        snprintf(text, ALLOCATOR_TEXT_BYTES,
                 "what %.100s says of usable sizes cannot be of its blocks",
                 row->object_allocator->name);
    else if (look->has_usable)
        return NULL;
    else if (row->object_allocator->family == ALLOCATOR_REGION)
        snprintf(text, ALLOCATOR_TEXT_BYTES, "a block of a region has no usable size");
    else
        snprintf(text, ALLOCATOR_TEXT_BYTES, "%.100s does not tell the usable size of a block",
                 silent->name);
    return text;
}

static const char *why_no_mapped(const struct pages_look *look)
{
    return look->has_mapped ? NULL
                            : "this kernel does not tell which pages are huge (Linux 6.7 does)";
}

/* 1 when the look is no answer; the line is then written. */
static int put_error(const struct pages_look *look, int error)
{
    char text[ALLOCATOR_TEXT_BYTES];

    if (error)
        snprintf(text, sizeof text, "this process cannot look at its own pages: %s",
                 strerror(-error));
    else if (look->lost_blocks > 0)
        snprintf(text, sizeof text, "not enough memory to enter %" PRIu64 " blocks",
                 look->lost_blocks);
    else if (look->overlapping_pages > 0)
        snprintf(text, sizeof text, "blocks overlap: in %" PRIu64 " pages more is live than fits",
                 look->overlapping_pages);
    else
        return 0;
    pass_put_text("{\"error\":");
    put_string(text);
    pass_put_text("}\n");
    return 1;
}

/* --- Lines. --- */

static void put_shares(const struct pages_look *look)
{
    put_key("share_pages");
    for (size_t i = 0; i < PAGES_SHARES; i++) {
        pass_put(i == 0 ? '[' : ',');
        pass_put_number(look->share_pages[i]);
    }
    pass_put(']');
}

static void put_figures(const struct pages_look *look)
{
    char text[ALLOCATOR_TEXT_BYTES];
    const char *no_usable = why_no_usable(look, text);

    put_number("blocks", look->blocks);
    put_number("requested_bytes", look->requested_bytes);
    put_number_or_null("usable_bytes", look->usable_bytes, !no_usable);
    put_number("live_page_bytes", look->live_page_bytes);
    put_number("requested_resident_bytes", look->requested_resident_bytes);
    put_number_or_null("usable_resident_bytes", look->usable_resident_bytes, !no_usable);
    put_reason("no_usable", no_usable);
    put_number("floor_bytes", look->floor_bytes);
    put_number_or_null("floor_mapped_bytes", look->floor_mapped_bytes, look->has_mapped);
    put_reason("no_mapped", why_no_mapped(look));
    put_shares(look);
    put_number("held_bytes", look->held_bytes);
    put_number("resident_bytes", look->floor_bytes + look->held_bytes);
    put_number("lazyfree_bytes", look->lazyfree_bytes);
    put_number("process_bytes", look->process_bytes);
    put_number("own_bytes", look->own_bytes);
    put_number("unread_bytes", look->unread_bytes);
    put_number("rss_bytes", look->rss_bytes);
    put_number("anon_huge_bytes", look->anon_huge_bytes);
    put_number("swap_bytes", look->swap_bytes);
}

static int begin(struct workload_context *context, const struct open_row *row, char *reason)
{
    if (pages_look_begin(&context->object, &context->raw) != 0) {
        snprintf(reason, ALLOCATOR_TEXT_BYTES, "there are no addresses left for a table of blocks");
        return -1;
    }
    pass.row = row;
    pass_put_text("{\"page_bytes\":");
    pass_put_number((uint64_t)sysconf(_SC_PAGESIZE));
    put_key("version");
    put_string(row->version);
    pass_put_text("}\n");
    return 0;
}

static void phase_begun(struct workload_context *context, const char *name)
{
    (void)context;
    (void)name;
    if (!pass.has_baseline)
        pass.error = pages_look_baseline();
    pass.has_baseline = 1;
}

static void phase_ended(struct workload_context *context, const struct page_phase *phase)
{
    struct pages_look look = {0};
    const int error = pass.error ? pass.error : pages_look(&look);

    (void)context;
    if (put_error(&look, error))
        return;
    pass_put_text("{\"name\":");
    put_string(phase->name);
    put_number("object_bytes", phase->object_bytes);
    put_number("live_bytes", phase->live_bytes);
    put_figures(&look);
    pass_put_text("}\n");
}

const struct child_pass pages_child_pass = {
    .name = "pages",
    .begin = begin,
    .phase_begun = phase_begun,
    .phase_ended = phase_ended,
};
