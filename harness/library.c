/*
 * Files as allocators. Leaves out following changes of a file while this process runs: it is asked
 * once. What the loader would say in words of its own ("wrong ELF class") is said here in ours.
 */
#define _GNU_SOURCE
#include "harness/library.h"

#include "harness/description.h"
#include "harness/json_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A known library; the strings of its allocator lie in the answer and the path. */
struct known {
    struct known *next;
    struct library library;
    char *path;
    json_t *answer;
    struct allocator_tunable *tunables;
};

static struct known *first_known;

/* What this program itself is: a library has to be the same. */
#if defined __x86_64__
enum { OWN_MACHINE = EM_X86_64 };
#elif defined __aarch64__
enum { OWN_MACHINE = EM_AARCH64 };
#elif defined __riscv
enum { OWN_MACHINE = EM_RISCV };
#else
enum { OWN_MACHINE = EM_NONE }; /* not compared: the loader will say */
#endif

static void name_machine(unsigned machine, char *name, size_t name_bytes)
{
    static const struct {
        unsigned machine;
        const char *name;
    } names[] = {
        {EM_X86_64, "x86-64"}, {EM_386, "i386"},        {EM_AARCH64, "arm64"}, {EM_ARM, "arm"},
        {EM_RISCV, "RISC-V"},  {EM_PPC64, "PowerPC64"}, {EM_S390, "s390"},
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].machine == machine) {
            snprintf(name, name_bytes, "%s", names[i].name);
            return;
        }
    }
    snprintf(name, name_bytes, "ELF machine %u", machine);
}

/* The part of the header that is alike in 32 and 64 bits: e_ident, e_type, e_machine. */
struct elf_start {
    unsigned char ident[EI_NIDENT];
    uint16_t type, machine;
};

static void check_header(const struct elf_start *start, size_t bytes, char *reason)
{
    char file[32], own[32];

    if (bytes < sizeof *start || memcmp(start->ident, ELFMAG, SELFMAG) != 0) {
        snprintf(reason, LIBRARY_REASON_BYTES, "it is no ELF file, so no shared library");
    } else if (OWN_MACHINE != EM_NONE && start->machine != OWN_MACHINE) {
        name_machine(start->machine, file, sizeof file);
        name_machine(OWN_MACHINE, own, sizeof own);
        snprintf(reason, LIBRARY_REASON_BYTES, "it is built for %s, and this machine runs %s", file,
                 own);
    } else if (start->type != ET_DYN) {
        snprintf(reason, LIBRARY_REASON_BYTES, "it is an ELF file, but no shared library");
    }
}

/* Leaves `reason` empty when the file may be loaded. */
static void check_file(const char *path, char *reason)
{
    struct elf_start start;
    struct stat found;
    /* A pipe would wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        snprintf(reason, LIBRARY_REASON_BYTES, "%s",
                 errno == ENOENT ? "there is no such file" : strerror(errno));
        return;
    }
    if (fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) {
        snprintf(reason, LIBRARY_REASON_BYTES, "it is no regular file");
    } else {
        ssize_t got = read(fd, &start, sizeof start);
        check_header(&start, got < 0 ? 0 : (size_t)got, reason);
    }
    close(fd);
}

static json_int_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static const char *text_or_null(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* Returns 0 or -ENOMEM. */
static int take_tunables(struct known *known)
{
    const json_t *all = json_object_get(known->answer, "tunables");
    size_t i;
    const json_t *one;

    known->tunables = calloc(json_array_size(all) + 1, sizeof *known->tunables);
    if (!known->tunables)
        return -ENOMEM;
    json_array_foreach(all, i, one) known->tunables[i] = (struct allocator_tunable){
        .name = json_text(one, "name"),
        .summary = json_text(one, "summary"),
        .words = text_or_null(one, "words"),
        .minimum = number_of(one, "minimum"),
        .maximum = number_of(one, "maximum"),
    };
    return 0;
}

static const char *base_name(const char *path)
{
    return strrchr(path, '/') + 1;
}

/* Returns 0 or -ENOMEM. */
static int take_answer(struct known *known)
{
    const json_t *environment = json_object_get(known->answer, "environment");
    const char *name = json_text(known->answer, "name");
    int error = take_tunables(known);

    known->library.allocator = (struct allocator){
        /* "library", for one of no known kind, says nothing in a message. */
        .name = strcmp(name, "library") == 0 ? base_name(known->path) : name,
        .summary = json_text(known->answer, "summary"),
        .source = json_text(known->answer, "source"),
        .family = (enum allocator_family)number_of(known->answer, "family"),
        .capabilities = (unsigned)number_of(known->answer, "capabilities"),
        .soname = text_or_null(known->answer, "soname"),
        .environment = {.variable = text_or_null(environment, "variable"),
                        .prefix = text_or_null(environment, "prefix"),
                        .assign = json_text(environment, "assign")[0],
                        .separator = json_text(environment, "separator")[0]},
        .tunables = known->tunables,
        .eager = text_or_null(known->answer, "eager"),
    };
    return error;
}

static int describe(struct known *known)
{
    struct library *library = &known->library;
    struct environment environment;
    const struct row nothing = {0};
    struct description_request request = {.object = known->path, .environment = &environment};

    library->allocator = (struct allocator){.name = base_name(known->path)};
    check_file(known->path, library->reason);
    if (library->reason[0])
        return 0;
    environment_init(&environment);
    /* As every child: with the static TLS that some libraries need. */
    int error = environment_add_row(&environment, &nothing);
    if (!error)
        error = description_ask(&request, &known->answer, library->reason);
    return error ? 0 : take_answer(known);
}

const struct library *library_find(const char *path)
{
    for (const struct known *known = first_known; known; known = known->next) {
        if (strcmp(known->path, path) == 0)
            return &known->library;
    }
    struct known *known = calloc(1, sizeof *known);
    if (!known)
        return NULL;
    known->path = strdup(path);
    if (!known->path || describe(known) != 0) {
        json_decref(known->answer);
        free(known->tunables);
        free(known->path);
        free(known);
        return NULL;
    }
    known->next = first_known;
    first_known = known;
    return &known->library;
}
