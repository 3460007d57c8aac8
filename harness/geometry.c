/*
 * From an object profile to a row of the registry. Leaves out versions without a row of their own:
 * they have that of the last version before them that changed something.
 */
#include "harness/geometry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAMILY_NAME "pymalloc"

/* 311 of "3.11"; 0 of what is no version. */
static long version_of(const char *text)
{
    char *end;
    long major = strtol(text, &end, 10);

    if (end == text || *end != '.')
        return 0;
    return major * 100 + strtol(end + 1, NULL, 10);
}

/* "3.8" of "pymalloc-3.8"; NULL of another name, as of "pymalloc-locked". */
static const char *geometry_of(const struct allocator *allocator)
{
    static const char prefix[] = FAMILY_NAME "-";
    size_t length = sizeof prefix - 1;

    if (strncmp(allocator->name, prefix, length) != 0 || version_of(allocator->name + length) == 0)
        return NULL;
    return allocator->name + length;
}

/* The newest geometry that is not newer than the profile. */
static const struct allocator *find_geometry(const char *profile)
{
    const struct allocator *best = NULL;
    long best_version = 0;

    for (size_t i = 0; i < allocator_registry_count; i++) {
        const char *geometry = geometry_of(allocator_registry[i]);
        long version = geometry ? version_of(geometry) : 0;
        if (version > best_version && version <= version_of(profile)) {
            best = allocator_registry[i];
            best_version = version;
        }
    }
    return best;
}

int geometry_choose(struct row *row, const char *profile, char *reason)
{
    const struct allocator *object = row->object.allocator;
    const struct allocator *own = profile ? find_geometry(profile) : NULL;

    if (!own || row->object.path[0])
        return 0;
    if (strcmp(object->name, FAMILY_NAME) == 0) {
        row->object.allocator = own;
        row->has_chosen_geometry = 1;
        return 0;
    }
    if (!geometry_of(object) || object == own)
        return 0;
    snprintf(
        reason, ROW_REASON_BYTES,
        "objects of profile=%s stand on %s: write pymalloc, or leave %s to workloads without a "
        "profile",
        profile, own->name, object->name);
    return -EINVAL;
}
