/*
 * Names and texts of the ways, and what the system says of huge pages. Leaves out the grammar of
 * the command line around a name.
 */
#include "harness/return_way.h"

#include "harness/procfs.h"
#include "harness/text.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char *const mode_names[RETURN_MODES] = {"stock", "idle", "eager", "purge", "pressure"};
static const char *const thp_names[RETURN_THPS] = {"system", "on", "off"};

const char *return_mode_name(enum return_mode mode)
{
    return mode_names[mode];
}

const char *return_thp_name(enum return_thp thp)
{
    return thp_names[thp];
}

/* The place of `text` among the names, or -EINVAL. */
static int place_of(const char *text, const char *const *names, int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], text) == 0)
            return i;
    }
    return -EINVAL;
}

int return_mode_parse(const char *text, enum return_mode *mode)
{
    int place = place_of(text, mode_names, RETURN_MODES);

    if (place < 0)
        return place;
    *mode = (enum return_mode)place;
    return 0;
}

int return_thp_parse(const char *text, enum return_thp *thp)
{
    int place = place_of(text, thp_names, RETURN_THPS);

    if (place < 0)
        return place;
    *thp = (enum return_thp)place;
    return 0;
}

int return_way_is_same(const struct return_way *a, const struct return_way *b)
{
    return a->mode == b->mode && a->thp == b->thp && a->activity_ns == b->activity_ns &&
           a->rebuilds == b->rebuilds;
}

const char *return_way_text(const struct return_way *way, char *text)
{
    char interval[TEXT_NUMBER_BYTES];
    size_t used = (size_t)snprintf(text, RETURN_WAY_TEXT_BYTES, "%s", return_mode_name(way->mode));

    if (way->activity_ns > 0)
        used += (size_t)snprintf(text + used, RETURN_WAY_TEXT_BYTES - used, ", active each %s",
                                 text_format_duration(interval, (double)way->activity_ns));
    if (way->thp != RETURN_THP_SYSTEM)
        snprintf(text + used, RETURN_WAY_TEXT_BYTES - used, ", THP %s", return_thp_name(way->thp));
    return text;
}

int return_thp_is_available(enum return_thp thp, const char *enabled, char *reason)
{
    if (thp == RETURN_THP_SYSTEM)
        return 1;
    if (!enabled[0]) {
        snprintf(reason, RETURN_REASON_BYTES, "this kernel has no transparent huge pages");
        return 0;
    }
    if (thp == RETURN_THP_OFF || strstr(enabled, "[always]"))
        return 1;
    snprintf(reason, RETURN_REASON_BYTES,
             "huge pages for all memory need the system's setting `always`: "
             "/sys/kernel/mm/transparent_hugepage/enabled says %.64s",
             enabled);
    return 0;
}

const char *return_thp_read(char *enabled)
{
    if (procfs_read_line("/sys/kernel/mm/transparent_hugepage/enabled", enabled,
                         RETURN_REASON_BYTES) != 0)
        enabled[0] = '\0';
    return enabled;
}
