/*
 * A real CPython's allocator from its shared library: see libpython.h. Leaves out what is asked of
 * it. The text that is read back is that of _PyObject_DebugMallocStats, Objects/obmalloc.c of
 * CPython 3.6 to 3.11.
 */
#include "tests/libpython.h"

#include "allocators/pymalloc/geometry.h"

#include <dlfcn.h>
#include <string.h>

/* dlsym gives an object pointer; POSIX promises that the bits are those of the function. */
static void find(void *handle, const char *symbol, void *function)
{
    void *address = dlsym(handle, symbol);
    memcpy(function, &address, sizeof(address));
}

int libpython_open(struct libpython *python, const char *path, char *reason)
{
    struct libpython found;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (handle == NULL) {
        snprintf(reason, LIBPYTHON_REASON_BYTES, "%s cannot be opened: %s", path, dlerror());
        return -1;
    }
    memset(&found, 0, sizeof(found));
    find(handle, "PyObject_Malloc", &found.objects.malloc);
    find(handle, "PyObject_Calloc", &found.objects.calloc);
    find(handle, "PyObject_Realloc", &found.objects.realloc);
    find(handle, "PyObject_Free", &found.objects.free);
    find(handle, "PyObject_SetArenaAllocator", &found.set_arena_allocator);
    find(handle, "PyMem_SetAllocator", &found.set_raw_allocator);
    find(handle, "_PyObject_DebugMallocStats", &found.print_statistics);
    if (found.objects.malloc == NULL || found.objects.realloc == NULL ||
        found.objects.free == NULL) {
        snprintf(reason, LIBPYTHON_REASON_BYTES, "%s is no libpython: it has no PyObject_Malloc",
                 path);
        dlclose(handle);
        return -1;
    }
    *python = found;
    return 0;
}

/* "# bytes in allocated blocks      =    6,400,064" */
static size_t number_after_equals(const char *line)
{
    size_t number = 0;
    for (const char *at = strrchr(line, '='); at != NULL && *at != '\0'; at++)
        if (*at >= '0' && *at <= '9')
            number = 10 * number + (size_t)(*at - '0');
    return number;
}

static void read_line(struct pymalloc_statistics *statistics, const char *line)
{
    const struct {
        const char *text;
        size_t *field;
    } fields[] = {
        {"# arenas allocated total", &statistics->arenas_allocated},
        {"# arenas reclaimed", &statistics->arenas_reclaimed},
        {"# arenas highwater mark", &statistics->arenas_highwater},
        {"# arenas allocated current", &statistics->arenas_current},
        {"# bytes in allocated blocks", &statistics->allocated_bytes},
        {"# bytes in available blocks", &statistics->available_bytes},
        {"# bytes lost to pool headers", &statistics->header_bytes},
        {"# bytes lost to quantization", &statistics->quantization_bytes},
        {"# bytes lost to arena alignment", &statistics->alignment_bytes},
        {"# arena map mid nodes", &statistics->map_mid_nodes},
        {"# arena map bot nodes", &statistics->map_bottom_nodes},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
        if (strncmp(line, fields[i].text, strlen(fields[i].text)) == 0)
            *fields[i].field = number_after_equals(line);

    struct pymalloc_class_statistics class;
    unsigned index, block_bytes;
    size_t pools;
    /* NOLINTNEXTLINE(cert-err34-c): CPython printed these from the same types */
    if (sscanf(line, "%zu unused pools * %u bytes", &pools, &block_bytes) == 2)
        statistics->pools_unused = pools;
    /* NOLINTNEXTLINE(cert-err34-c): as above */
    if (sscanf(line, "%u %u %zu %zu %zu", &index, &block_bytes, &class.pools, &class.blocks_in_use,
               &class.blocks_available) == 5 &&
        index < SIZE_CLASSES)
        statistics->classes[index] = class;
}

int libpython_count(const struct libpython *python, struct pymalloc_statistics *statistics)
{
    FILE *file = python->print_statistics != NULL ? tmpfile() : NULL;
    char line[256];

    if (file == NULL)
        return -1;
    python->print_statistics(file);
    rewind(file);
    memset(statistics, 0, sizeof(*statistics));
    while (fgets(line, sizeof(line), file) != NULL)
        read_line(statistics, line);
    fclose(file);
    return 0;
}
