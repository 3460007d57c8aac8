/*
 * Checks of who serves: the file, the process's own malloc, the libraries that are loaded. Leaves
 * out what the functions do. That glibc's own count tells whose blocks it has is mallinfo(3).
 */
#define _GNU_SOURCE
#include "harness/check_run.h"

#include <link.h>
#include <malloc.h>
#include <string.h>

void check_opens(const struct check_run *run)
{
    check_pass("%s", run->row->version);
}

void check_functions_agree(const struct check_run *run)
{
    const struct allocator_ops none = {0};
    char reason[ALLOCATOR_TEXT_BYTES], names[ALLOCATOR_TEXT_BYTES];

    if (allocator_check_ops(run->row->object_allocator, run->ops, reason) != 0)
        check_fail("%s", reason);
    /* Of whoever promises a function, its absence is found. */
    if (allocator_check_ops(run->row->object_allocator, &none, reason) == 0)
        check_fail("it promises no function at all");
    check_pass("%s", allocator_capability_names(run->capabilities, names, sizeof names));
}

void check_describes_itself(const struct check_run *run)
{
    const struct allocator *allocator = run->row->object_allocator;
    char reason[ALLOCATOR_TEXT_BYTES];

    if (allocator_check(allocator, reason) != 0)
        check_fail("%s", reason);
    if (!run->row->version[0])
        check_fail("its version is empty");
    if (!strchr(run->object_name, '/') && allocator_find(allocator->name) != allocator)
        check_fail("the registry has another allocator under its name, %s", allocator->name);
    check_pass("%s, a %s allocator", allocator->name, allocator_family_name(allocator->family));
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static int begins_base(const char *path, const char *name)
{
    return strncmp(base_name(path), name, strlen(name)) == 0;
}

/* The file that serves the process's own malloc. */
#ifdef TIDEMARK_SANITIZED
#define PROCESS_MALLOC "lib" /* libasan, libtsan: the sanitizer's */
#else
#define PROCESS_MALLOC "libc.so."
#endif

/* `name` is the allocator as it was asked for. */
static void check_provider(const struct allocator *allocator, const char *name,
                           const char *provider)
{
    const char *expected = strchr(name, '/')                       ? base_name(name)
                           : allocator->soname                     ? allocator->soname
                           : strcmp(allocator->name, "glibc") == 0 ? PROCESS_MALLOC
                                                                   : "tidemark-check";

    if (!begins_base(provider, expected))
        check_fail("%s is served by %s, not by %s", name, provider, expected);
}

void check_own_file(const struct check_run *run)
{
    const struct open_row *row = run->row;
    const int is_composed = row->raw_allocator != row->object_allocator;
    const char *raw_name = run->raw_name ? run->raw_name : is_composed ? "glibc" : run->object_name;

    check_provider(row->object_allocator, run->object_name, row->object_provider);
    check_provider(row->raw_allocator, raw_name, row->raw_provider);
    check_pass(is_composed ? "%s over %s" : "%s", base_name(row->object_provider),
               base_name(row->raw_provider));
}

static int find_foreign(struct dl_phdr_info *info, size_t size, void *data)
{
    const struct check_run *run = data;

    (void)size;
    for (size_t i = 0; i < allocator_registry_count; i++) {
        const char *soname = allocator_registry[i]->soname;
        if (soname && begins_base(info->dlpi_name, soname) &&
            strcmp(info->dlpi_name, run->row->object_provider) != 0 &&
            strcmp(info->dlpi_name, run->row->raw_provider) != 0)
            check_fail("%s is loaded too, and may serve in its place", info->dlpi_name);
    }
    return 0;
}

void check_no_other_malloc(const struct check_run *run)
{
    struct check_run copy = *run;

    dl_iterate_phdr(find_foreign, &copy);
}

/* Bytes that glibc's malloc has given out in this process. */
static size_t glibc_in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

enum {
    SERVED_BLOCKS = 1000,
    SERVED_BYTES = 400,
    ALL_SERVED_BYTES = SERVED_BLOCKS * SERVED_BYTES,
    BOOKKEEPING_BYTES = 65536, /* what a pool allocator takes from beneath for its own lists */
};

static size_t glibc_growth_of_region(const struct allocator_ops *ops)
{
    const size_t before = glibc_in_use();
    void *region = ops->region_create();

    if (!region)
        check_fail("region_create gives NULL");
    for (size_t i = 0; i < SERVED_BLOCKS; i++) {
        if (!ops->region_alloc(region, SERVED_BYTES, 16))
            check_fail("region_alloc(%d) gives NULL", SERVED_BYTES);
    }
    const size_t after = glibc_in_use();
    ops->region_destroy(region);
    return after - before;
}

static size_t glibc_growth(const struct allocator_ops *ops)
{
    static void *blocks[SERVED_BLOCKS];
    size_t before = glibc_in_use();

    for (size_t i = 0; i < SERVED_BLOCKS; i++) {
        blocks[i] = ops->malloc(SERVED_BYTES);
        if (!blocks[i])
            check_fail("malloc(%d) gives NULL", SERVED_BYTES);
    }
    size_t after = glibc_in_use();
    for (size_t i = 0; i < SERVED_BLOCKS; i++) {
        if (ops->free)
            ops->free(blocks[i]);
    }
    return after - before;
}

static void check_growth(const char *side, size_t growth, size_t least, size_t most)
{
    if (growth < least || growth > most)
        check_fail("glibc gave out %zu bytes for %d that were asked of the %s side; %zu to %zu "
                   "were due",
                   growth, ALL_SERVED_BYTES, side, least, most);
}

void check_glibc_aside(const struct check_run *run)
{
    const struct open_row *row = run->row;
    const int object_is_glibc = strcmp(row->object_allocator->name, "glibc") == 0;
    const int raw_is_glibc = strcmp(row->raw_allocator->name, "glibc") == 0;

    if (!row->object.malloc) {
        check_growth("region", glibc_growth_of_region(&row->object),
                     raw_is_glibc ? ALL_SERVED_BYTES : 0, raw_is_glibc ? SIZE_MAX : 0);
        return;
    }
    check_growth("object", glibc_growth(&row->object), object_is_glibc ? ALL_SERVED_BYTES : 0,
                 object_is_glibc ? SIZE_MAX
                 : raw_is_glibc  ? BOOKKEEPING_BYTES
                                 : 0);
    check_growth("raw", glibc_growth(&row->raw), raw_is_glibc ? ALL_SERVED_BYTES : 0,
                 raw_is_glibc ? SIZE_MAX : 0);
}

void check_large_from_beneath(const struct check_run *run)
{
    enum { LARGE_BYTES = 100000 };

    if (run->row->object_allocator->family != ALLOCATOR_POOL)
        check_not_available("the row is no pool allocator");
    if (strcmp(run->row->raw_allocator->name, "glibc") != 0)
        check_not_available("only glibc counts what it gives out, and it is not beneath this row");
    size_t before = glibc_in_use();
    void *block = check_call_malloc(run, LARGE_BYTES);
    size_t growth = glibc_in_use() - before;
    check_call_free(run, block);
    if (growth < LARGE_BYTES)
        check_fail("glibc gave out %zu bytes for a block of %d", growth, LARGE_BYTES);
}
