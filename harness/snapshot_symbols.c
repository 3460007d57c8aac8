/*
 * Addresses to lines by libdwfl, with each module at an address of our choice. Leaves out
 * processes: the files are read as they lie there, and held to their build-id. The order of inlined
 * calls is that of eu-addr2line -i.
 */
#define _GNU_SOURCE
#include "harness/snapshot_symbols.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef TIDEMARK_HAVE_LIBDW

#include <dwarf.h>
#include <elfutils/libdwfl.h>

/* Far from each other, so that an address tells its module. */
#define MODULE_SPAN_BYTES (UINT64_C(1) << 40)

enum { MOST_MODULES = 4096, MOST_PATH_BYTES = 4096, MOST_NAME_BYTES = 1024 };

struct reported {
    Dwfl_Module *dwfl;
    GElf_Addr bias;
};

struct naming {
    Dwfl *dwfl;
    struct reported modules[MOST_MODULES];
    const char *root;
    char found_root[MOST_PATH_BYTES]; /* of tidemark's own sources */
};

/* --- Modules. --- */

static int has_build_id(Dwfl_Module *module, const char *wanted)
{
    const unsigned char *bits;
    GElf_Addr address;
    int length = dwfl_module_build_id(module, &bits, &address);
    char text[2 * 64 + 1] = "";

    if (!wanted[0])
        return 1; /* it has none to be held to */
    for (int i = 0; i < length && i < 64; i++)
        snprintf(text + (size_t)i * 2, 3, "%02x", bits[i]);
    return strcmp(text, wanted) == 0;
}

/* What is not mapped, or has changed, stays NULL. A module lies at an address of our choice, but
 * for an executable that says its own: `bias` is what has to be added to an offset in it. */
static void report_modules(struct naming *naming, const json_t *modules)
{
    size_t i;
    const json_t *module;
    GElf_Addr bias = 0;

    dwfl_report_begin(naming->dwfl);
    json_array_foreach(modules, i, module)
    {
        const char *path = json_string_value(json_array_get(module, 0));
        if (i < MOST_MODULES && path[0] == '/')
            naming->modules[i].dwfl =
                dwfl_report_elf(naming->dwfl, path, path, -1, (i + 1) * MODULE_SPAN_BYTES, true);
    }
    dwfl_report_end(naming->dwfl, NULL, NULL);
    json_array_foreach(modules, i, module)
    {
        if (i >= MOST_MODULES || !naming->modules[i].dwfl)
            continue;
        if (!dwfl_module_getelf(naming->modules[i].dwfl, &bias) ||
            !has_build_id(naming->modules[i].dwfl, json_string_value(json_array_get(module, 1))))
            naming->modules[i].dwfl = NULL;
        naming->modules[i].bias = bias;
    }
}

/* --- Paths. --- */

/* A file of ours that every recorded workload goes through tells where our sources were. */
static void find_own_root(struct naming *naming, const char *file)
{
    static const char known[] = "/harness/observe.c";
    const size_t length = strlen(file);

    if (naming->found_root[0] || length < sizeof known || length >= MOST_PATH_BYTES ||
        strcmp(file + length - (sizeof known - 1), known) != 0)
        return;
    memcpy(naming->found_root, file, length - (sizeof known - 1));
}

static const char *relative(const struct naming *naming, const char *file)
{
    const char *root = naming->root ? naming->root : naming->found_root;
    const size_t length = strlen(root);

    return length > 1 && strncmp(file, root, length) == 0 && file[length] == '/' ? file + length + 1
                                                                                 : file;
}

/* --- Calls. --- */

static void append_call(json_t *frame, const char *function, const char *file, int line)
{
    json_t *name = json_string(function ? function : "");
    json_t *path = json_string(file ? file : "");

    /* NULL where a name is no UTF-8. */
    json_array_append_new(frame, name ? name : json_string("?"));
    json_array_append_new(frame, path ? path : json_string("?"));
    json_array_append_new(frame, json_integer(line > 0 ? line : 0));
}

static int is_function(Dwarf_Die *die)
{
    int tag = dwarf_tag(die);

    return tag == DW_TAG_inlined_subroutine || tag == DW_TAG_subprogram ||
           tag == DW_TAG_entry_point;
}

/* The file that the number in an attribute means, in the compilation unit of `die`. */
static const char *call_file(Dwarf_Die *die, Dwarf_Word number)
{
    Dwarf_Die unit;
    Dwarf_Files *files;
    size_t count;

    if (!dwarf_diecu(die, &unit, NULL, NULL) || dwarf_getsrcfiles(&unit, &files, &count) != 0 ||
        number >= count)
        return NULL;
    return dwarf_filesrc(files, number, NULL, NULL);
}

static Dwarf_Word attribute_of(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;

    if (dwarf_attr(die, name, &attribute))
        dwarf_formudata(&attribute, &value);
    return value;
}

/*
 * A call for each function that `scopes` are in, from inside out: the line is that of the address
 * in the innermost, and that of the inlined call in each around it. Returns how many.
 */
static size_t append_scopes(json_t *frame, Dwarf_Die *scopes, int count, const char *file, int line)
{
    size_t calls = 0;

    for (int i = 0; i < count; i++) {
        if (!is_function(&scopes[i]))
            continue;
        append_call(frame, dwarf_diename(&scopes[i]), file, line);
        calls++;
        if (dwarf_tag(&scopes[i]) != DW_TAG_inlined_subroutine)
            break;
        file = call_file(&scopes[i], attribute_of(&scopes[i], DW_AT_call_file));
        line = (int)attribute_of(&scopes[i], DW_AT_call_line);
    }
    return calls;
}

static size_t append_debug_calls(json_t *frame, Dwfl_Module *module, Dwarf_Addr address,
                                 const char *file, int line)
{
    Dwarf_Addr bias;
    Dwarf_Die *unit = dwfl_module_addrdie(module, address, &bias), innermost;
    Dwarf_Die *scopes = NULL;
    size_t calls = 0;

    if (!unit)
        return 0;
    /* Twice: by the address to the innermost scope, and from there outwards through the callers
     * that it is inlined into, not through where its source stands. */
    int count = dwarf_getscopes(unit, address - bias, &scopes);
    if (count > 0) {
        innermost = scopes[0];
        free(scopes);
        scopes = NULL;
        count = dwarf_getscopes_die(&innermost, &scopes);
    }
    if (count > 0)
        calls = append_scopes(frame, scopes, count, file, line);
    free(scopes);
    return calls;
}

static void name_frame(const struct naming *naming, json_t *frame)
{
    const json_int_t number = json_integer_value(json_array_get(frame, 0));
    const json_int_t offset = json_integer_value(json_array_get(frame, 1));
    const struct reported *module =
        number >= 0 && number < MOST_MODULES ? &naming->modules[number] : NULL;
    GElf_Off into;
    GElf_Sym symbol;
    int line = 0;

    if (!module || !module->dwfl || offset <= 0)
        return;
    /* A return address is behind the call. */
    const Dwarf_Addr address = module->bias + (uint64_t)offset - 1;
    Dwfl_Line *at = dwfl_module_getsrc(module->dwfl, address);
    const char *file = at ? dwfl_lineinfo(at, NULL, &line, NULL, NULL, NULL) : NULL;
    if (append_debug_calls(frame, module->dwfl, address, file, line) > 0)
        return;
    const char *name =
        dwfl_module_addrinfo(module->dwfl, address, &into, &symbol, NULL, NULL, NULL);
    char function[MOST_NAME_BYTES] = "";
    if (name)
        snprintf(function, sizeof function, "%s+0x%llx", name, (unsigned long long)into + 1);
    if (name || file)
        append_call(frame, function, file, line);
}

/* --- All. --- */

/* After all are named, as the frame that tells our sources may be the last. */
static void shorten_paths(struct naming *naming, json_t *frames)
{
    enum { FIRST_FILE = 3, CALL_FIELDS = 3 };
    size_t i;
    json_t *frame;

    json_array_foreach(frames, i, frame)
    {
        for (size_t at = FIRST_FILE; at < json_array_size(frame); at += CALL_FIELDS)
            find_own_root(naming, json_string_value(json_array_get(frame, at)));
    }
    json_array_foreach(frames, i, frame)
    {
        for (size_t at = FIRST_FILE; at < json_array_size(frame); at += CALL_FIELDS) {
            const char *file = json_string_value(json_array_get(frame, at));
            json_array_set_new(frame, at, json_string(relative(naming, file)));
        }
    }
}

void snapshot_symbols_add(json_t *document, const char *root)
{
    static char *no_path;
    static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_build_id_find_elf,
                                             .find_debuginfo = dwfl_standard_find_debuginfo,
                                             .section_address = dwfl_offline_section_address,
                                             .debuginfo_path = &no_path};
    static struct naming naming;
    const json_t *modules = json_object_get(document, "modules");
    json_t *frames = json_object_get(document, "frames"), *frame;
    size_t i;

    memset(&naming, 0, sizeof naming);
    naming.dwfl = dwfl_begin(&callbacks);
    naming.root = root;
    if (!naming.dwfl)
        return;
    report_modules(&naming, modules);
    json_array_foreach(frames, i, frame) name_frame(&naming, frame);
    shorten_paths(&naming, frames);
    dwfl_end(naming.dwfl);
    json_object_set_new(document, "symbols", json_sprintf("libdw %s", dwfl_version(NULL)));
}

#else

void snapshot_symbols_add(json_t *document, const char *root)
{
    (void)root;
    json_object_set_new(document, "symbols", json_null());
    fputs("tidemark snapshot: this build names no functions and lines: build it with the Debian "
          "package libdw-dev\n",
          stderr);
}

#endif
