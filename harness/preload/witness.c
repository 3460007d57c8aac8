/*
 * libtidemark-witness.so: says in a file that the parent shares that a program began, and whether
 * it has its malloc from the file that it should. Leaves out each call, which goes its way
 * untouched: this library is behind the row's own in the loader's line.
 */
#define _GNU_SOURCE
#include "harness/preload/witness.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct witness *open_witness(const char *path)
{
    const int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    void *page = mmap(NULL, sizeof(struct witness), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return page == MAP_FAILED ? NULL : page;
}

/* Whether the file defines malloc, not only calls it. */
static int defines_malloc(const char *file)
{
    void *handle = dlopen(file, RTLD_LAZY | RTLD_NOLOAD);
    void *found = handle ? dlsym(handle, "malloc") : NULL;
    Dl_info info;
    const int is_there = found && dladdr(found, &info) && strcmp(info.dli_fname, file) == 0;

    if (handle)
        dlclose(handle);
    return is_there;
}

/*
 * The file that the loader finds malloc in. Of a program that is not position-independent the
 * function's address may be that of a stub in the program (x86-64 ABI, "Function Addresses"): then
 * it is the first library in the loader's order.
 */
static const char *malloc_file(void)
{
    void *found = dlsym(RTLD_DEFAULT, "malloc");
    const struct link_map *library = _r_debug.r_map;
    ElfW(Sym) *symbol = NULL;
    Dl_info info;

    if (!found || !dladdr1(found, &info, (void **)&symbol, RTLD_DL_SYMENT))
        return NULL;
    if (symbol && symbol->st_shndx != SHN_UNDEF)
        return info.dli_fname;
    for (library = library ? library->l_next : NULL; library; library = library->l_next)
        if (library->l_name[0] && defines_malloc(library->l_name))
            return library->l_name;
    return NULL;
}

static int is_expected(const struct witness *witness, const char *file)
{
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
    const size_t length = strcspn(witness->expected, ".");
    struct stat info;

    if (witness->is_of_file)
        return stat(file, &info) == 0 && info.st_dev == witness->device &&
               info.st_ino == witness->inode;
    /* Of one library there may be several names: libjemalloc.so.2, libjemalloc.so. */
    return strncmp(name, witness->expected, length) == 0 && name[length] == '.';
}

/* Cut where it is longer; the page began as zeros. */
static void keep(char *kept, size_t bytes, const char *text)
{
    const size_t length = strlen(text);

    memcpy(kept, text, length < bytes ? length : bytes - 1);
}

/* The first of each kind tells its names; all are counted. The parent reads when they have ended.
 */
static void tell_malloc(struct witness *witness)
{
    const char *file = malloc_file();

    if (file && is_expected(witness, file)) {
        if (atomic_exchange(&witness->is_told, 1) == 0)
            keep(witness->malloc_file, sizeof witness->malloc_file, file);
        return;
    }
    atomic_fetch_add(&witness->strangers, 1);
    if (atomic_exchange(&witness->is_stranger_told, 1) != 0)
        return;
    keep(witness->strange_file, sizeof witness->strange_file, file ? file : "nowhere");
    keep(witness->stranger, sizeof witness->stranger, program_invocation_short_name);
}

__attribute__((constructor)) static void tell(void)
{
    const char *path = getenv(WITNESS_VARIABLE);
    struct witness *witness = path ? open_witness(path) : NULL;

    if (!witness)
        return;
    if (witness->layout == WITNESS_LAYOUT) {
        tell_malloc(witness);
        atomic_fetch_add(&witness->images, 1);
    }
    munmap(witness, sizeof *witness);
}
