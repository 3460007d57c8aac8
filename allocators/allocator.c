/*
 * What every allocator shares: finding one by name, the words for its capabilities and family, and
 * the check of what it promises. Leaves out the registry's contents, which CMake generates. That a
 * plug-in's required parts are checked once, at load, is fio's way (`check_engine_ops`).
 */
#include "allocators/allocator.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct allocator *allocator_find(const char *name)
{
    for (size_t i = 0; i < allocator_registry_count; i++) {
        if (strcmp(allocator_registry[i]->name, name) == 0)
            return allocator_registry[i];
    }
    return NULL;
}

static const struct {
    unsigned capability;
    const char *name;
} capability_names[] = {
    {ALLOCATOR_MALLOC, "malloc"},
    {ALLOCATOR_CALLOC, "calloc"},
    {ALLOCATOR_REALLOC, "realloc"},
    {ALLOCATOR_ALIGNED, "aligned_alloc"},
    {ALLOCATOR_FREE, "free"},
    {ALLOCATOR_USABLE_SIZE, "usable_size"},
    {ALLOCATOR_REGIONS, "regions"},
    {ALLOCATOR_PURGE, "purge"},
    {ALLOCATOR_DISTINCT, "distinct blocks"},
    {ALLOCATOR_THREADS, "threads"},
    {ALLOCATOR_PRELOAD, "preloadable library"},
    {ALLOCATOR_CENSUS, "census"},
    {ALLOCATOR_COLLECTED, "collected"},
    {ALLOCATOR_BENEATH, "memory from beneath"},
    {ALLOCATOR_TRACEABLE, "traceable"},
};

const char *allocator_capability_names(unsigned capabilities, char *text, size_t text_bytes)
{
    size_t used = 0;

    if (text_bytes > 0)
        text[0] = '\0';
    for (size_t i = 0; i < sizeof capability_names / sizeof capability_names[0]; i++) {
        if (!(capabilities & capability_names[i].capability))
            continue;
        int wrote = snprintf(text + used, text_bytes - used, "%s%s", used ? ", " : "",
                             capability_names[i].name);
        if (wrote < 0 || (size_t)wrote >= text_bytes - used)
            break;
        used += (size_t)wrote;
    }
    return text;
}

const char *allocator_family_name(enum allocator_family family)
{
    switch (family) {
    case ALLOCATOR_GENERAL:
        return "general";
    case ALLOCATOR_POOL:
        return "pool";
    case ALLOCATOR_REGION:
        return "region";
    }
    return "unknown";
}

int allocator_stands_on_another(const struct allocator *allocator)
{
    return allocator->family == ALLOCATOR_POOL || (allocator->capabilities & ALLOCATOR_BENEATH);
}

int allocator_check_beneath(const struct allocator *upper, const struct allocator *raw,
                            char *reason)
{
    const char *lacks = NULL;

    if (raw->family != ALLOCATOR_GENERAL)
        lacks = "a general allocator";
    else if ((raw->capabilities & ALLOCATOR_COLLECTED) &&
             !(upper->capabilities & ALLOCATOR_TRACEABLE))
        lacks = "one that does not collect, since it would not see what is held above,";
    else if (upper->family == ALLOCATOR_REGION && !(raw->capabilities & ALLOCATOR_DISTINCT))
        lacks = "one whose blocks are distinct";
    if (!lacks)
        return 0;
    snprintf(reason, ALLOCATOR_TEXT_BYTES, "beneath %.40s stands %.80s unlike %.40s", upper->name,
             lacks, raw->name);
    return -EINVAL;
}

static int is_name(const char *text)
{
    return text && text[0] && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.-")] == '\0';
}

int allocator_check(const struct allocator *allocator, char *reason)
{
    const struct {
        const char *field;
        int is_filled;
    } required[] = {
        {"name (lower-case letters, digits, '_', '.' and '-')", is_name(allocator->name)},
        {"summary", allocator->summary && allocator->summary[0]},
        {"source", allocator->source && allocator->source[0]},
        {"family", allocator->family == ALLOCATOR_GENERAL || allocator->family == ALLOCATOR_POOL ||
                       allocator->family == ALLOCATOR_REGION},
        {"open", allocator->open != NULL},
        {"version", allocator->version != NULL},
        {"environment.prefix, which its tunables need",
         !allocator->tunables || allocator->environment.prefix},
    };

    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
        if (required[i].is_filled)
            continue;
        snprintf(reason, ALLOCATOR_TEXT_BYTES, "its struct allocator lacks %s", required[i].field);
        return -EINVAL;
    }
    return 0;
}

int allocator_check_ops(const struct allocator *allocator, const struct allocator_ops *ops,
                        char *reason)
{
    const int region_functions =
        !!ops->region_create + !!ops->region_alloc + !!ops->region_reset + !!ops->region_destroy;
    const struct {
        unsigned capability;
        int has_function;
    } pairs[] = {
        {ALLOCATOR_MALLOC, ops->malloc != NULL},
        {ALLOCATOR_CALLOC, ops->calloc != NULL},
        {ALLOCATOR_REALLOC, ops->realloc != NULL},
        {ALLOCATOR_ALIGNED, ops->aligned_alloc != NULL},
        {ALLOCATOR_FREE, ops->free != NULL},
        {ALLOCATOR_USABLE_SIZE, ops->usable_size != NULL},
        {ALLOCATOR_PURGE, ops->purge != NULL},
        {ALLOCATOR_REGIONS, region_functions == 4},
        {ALLOCATOR_CENSUS, ops->census != NULL},
    };
    char name[32];

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        int is_promised = (allocator->capabilities & pairs[i].capability) != 0;
        if (is_promised == pairs[i].has_function)
            continue;
        allocator_capability_names(pairs[i].capability, name, sizeof name);
        snprintf(reason, ALLOCATOR_TEXT_BYTES,
                 is_promised ? "it promises %s and has no function for it"
                             : "it has a function for %s and does not promise it",
                 name);
        return -EINVAL;
    }
    if (region_functions != 0 && region_functions != 4) {
        snprintf(reason, ALLOCATOR_TEXT_BYTES, "it has %d of the 4 region functions",
                 region_functions);
        return -EINVAL;
    }
    return 0;
}
