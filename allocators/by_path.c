/*
 * Allocators from files. A library that exports a function which only jemalloc, mimalloc or
 * tcmalloc has is opened as that one, so that its purge, version and tunables are there too. Leaves
 * out guessing by file name: /opt/libfoo.so may hold anything.
 */
#define _GNU_SOURCE
#include "allocators/by_path.h"

#include "allocators/shared_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

#define PLUGIN_SYMBOL "tidemark_allocator_v3"

/* The library of no known kind; a process opens at most one. */
static const char *library_path;
static void *library_handle;
static int (*library_trim)(size_t keep_bytes);

static int library_purge(void)
{
    library_trim(0);
    return 0;
}

static int library_open(const struct allocator *self, struct allocator_ops *ops,
                        const struct allocator_ops *raw, char *reason)
{
    (void)raw;
    void *handle = shared_library_load(self->soname, reason);

    if (!handle)
        return -ENOENT;
    shared_library_malloc_family(handle, ops);
    if (self->capabilities & ALLOCATOR_PURGE) {
        int error = shared_library_symbol(handle, "malloc_trim", &library_trim, reason);
        if (error)
            return error;
        ops->purge = library_purge;
    }
    library_path = self->soname;
    library_handle = handle;
    return 0;
}

/* The note that `ld --build-id` leaves: 20 bytes that differ with every build. */
struct build_id {
    const struct link_map *library;
    char digits[41];
};

static void read_notes(const char *at, size_t left_bytes, struct build_id *id)
{
    while (left_bytes >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, at, sizeof note);
        size_t name_bytes = (note.n_namesz + 3u) & ~(size_t)3;
        size_t bytes = sizeof note + name_bytes + ((note.n_descsz + 3u) & ~(size_t)3);
        if (bytes > left_bytes)
            return;
        const unsigned char *text = (const unsigned char *)at + sizeof note + name_bytes;
        for (size_t i = 0; note.n_type == NT_GNU_BUILD_ID && i < note.n_descsz && i < 20; i++)
            snprintf(id->digits + 2 * i, 3, "%02x", text[i]);
        at += bytes;
        left_bytes -= bytes;
    }
}

static int find_build_id(struct dl_phdr_info *info, size_t bytes, void *data)
{
    struct build_id *id = data;

    (void)bytes;
    if (info->dlpi_addr != id->library->l_addr || strcmp(info->dlpi_name, id->library->l_name) != 0)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_NOTE)
            read_notes((const char *)info->dlpi_addr + header->p_vaddr, header->p_memsz, id);
    }
    return 1;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Such a library has no function that tells its version: its build is what tells it from another.
 */
static void library_version(char *text)
{
    struct link_map *map = NULL;
    struct build_id id = {.digits = ""};

    if (dlinfo(library_handle, RTLD_DI_LINKMAP, &map) == 0) {
        id.library = map;
        dl_iterate_phdr(find_build_id, &id);
    }
    snprintf(text, ALLOCATOR_TEXT_BYTES, "%.100s%s%s", base_name(library_path),
             id.digits[0] ? ", build " : ", which tells no version", id.digits);
}

static const struct allocator library = {
    .name = "library",
    .summary = "a malloc library given by its path",
    .source = "the file itself",
    .family = ALLOCATOR_GENERAL,
    .open = library_open,
    .version = library_version,
};

/* A plug-in of another version has the same symbol with another number. */
static int refuse_other_version(void *handle, char *reason)
{
    enum { NEWEST_TRIED = 9 };
    char symbol[32];

    for (int version = 0; version <= NEWEST_TRIED; version++) {
        snprintf(symbol, sizeof symbol, "tidemark_allocator_v%d", version);
        if (!shared_library_has(handle, symbol))
            continue;
        snprintf(reason, ALLOCATOR_TEXT_BYTES,
                 "it exports %s; this program takes " PLUGIN_SYMBOL
                 ": build it against the allocator.h of this version",
                 symbol);
        return -ENOEXEC;
    }
    return -ENOSYS;
}

static int load_plugin(void *handle, struct allocator *allocator, char *reason)
{
    if (!shared_library_has(handle, PLUGIN_SYMBOL))
        return refuse_other_version(handle, reason);
    const struct allocator *plugin = dlsym(handle, PLUGIN_SYMBOL);
    if (allocator_check(plugin, reason) != 0)
        return -ENOEXEC;
    *allocator = *plugin;
    return 0;
}

static const struct allocator *find_known(void *handle)
{
    for (size_t i = 0; i < allocator_registry_count; i++) {
        const char *signature = allocator_registry[i]->signature;
        if (signature && shared_library_has(handle, signature))
            return allocator_registry[i];
    }
    return NULL;
}

/* Returns 0, or -ENOSYS when it cannot stand for malloc and free. */
static int load_library(void *handle, struct allocator *allocator, enum by_path_kind *kind,
                        char *reason)
{
    struct allocator_ops ops;
    unsigned capabilities = shared_library_malloc_family(handle, &ops);
    const struct allocator *known = find_known(handle);

    if (!ops.malloc || !ops.free) {
        snprintf(reason, ALLOCATOR_TEXT_BYTES,
                 "it has no %s of its own, and is no plug-in (it does not export " PLUGIN_SYMBOL
                 ")",
                 ops.malloc ? "free" : "malloc");
        return -ENOSYS;
    }
    if (known && capabilities == SHARED_LIBRARY_MALLOC_FAMILY) {
        *allocator = *known;
        *kind = BY_PATH_KNOWN;
        return 0;
    }
    *allocator = library;
    allocator->capabilities =
        capabilities | (shared_library_has(handle, "malloc_trim") ? ALLOCATOR_PURGE : 0u);
    *kind = BY_PATH_LIBRARY;
    return 0;
}

int by_path_load(const char *path, struct allocator *allocator, enum by_path_kind *kind,
                 char *reason)
{
    void *handle = shared_library_load(path, reason);

    if (!handle)
        return -ENOENT;
    int error = load_plugin(handle, allocator, reason);
    if (error == 0)
        *kind = BY_PATH_PLUGIN;
    if (error != -ENOSYS)
        return error;
    error = load_library(handle, allocator, kind, reason);
    if (!error) {
        allocator->soname = path;
        allocator->package = NULL;
    }
    return error;
}
