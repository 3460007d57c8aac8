/*
 * What every allocator shares: finding one by name, and the words for its capabilities and family.
 * Leaves out the registry's contents, which CMake generates.
 */
#include "allocators/allocator.h"

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
