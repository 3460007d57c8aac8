/*
 * JSON by hand, through a buffer and write(2): see stream.h. Numbers go into flat arrays, whose
 * order harness/snapshot_stream.c reads. Leaves out everything that would allocate.
 */
#define _GNU_SOURCE
#include "harness/sites/stream.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

enum { OUT_BYTES = 1 << 15, MOST_MODULES = 512, BUILD_ID_MOST = 32, OWN_PATH_BYTES = 1024 };

struct out {
    int fd;
    int error;
    size_t used;
    char bytes[OUT_BYTES];
};

/* One thread at a time, and too large for a stack that may be a small thread's. */
static struct out out;

static void flush(void)
{
    size_t done = 0;

    while (done < out.used && !out.error) {
        ssize_t wrote = write(out.fd, out.bytes + done, out.used - done);
        if (wrote < 0 && errno != EINTR)
            out.error = -errno;
        else if (wrote > 0)
            done += (size_t)wrote;
    }
    out.used = 0;
}

static void put_byte(char byte)
{
    if (out.used == OUT_BYTES)
        flush();
    out.bytes[out.used++] = byte;
}

static void put_text(const char *text)
{
    for (; *text; text++)
        put_byte(*text);
}

static void put_number(uint64_t number)
{
    char digits[20];
    size_t count = 0;

    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0)
        put_byte(digits[--count]);
}

static void put_hex_byte(unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";

    put_byte(digits[byte >> 4]);
    put_byte(digits[byte & 15]);
}

/* A byte that is no printable ASCII becomes that of the same number in Latin-1: a path that is
 * not ASCII is shown wrongly, and no path makes the line invalid. */
static void put_string(const char *text)
{
    put_byte('"');
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\') {
            put_byte('\\');
            put_byte(*text);
        } else if (byte < ' ' || byte > '~') {
            put_text("\\u00");
            put_hex_byte(byte);
        } else {
            put_byte(*text);
        }
    }
    put_byte('"');
}

/* `,` before all but the first. */
static void put_next(uint64_t number, int *is_first)
{
    if (!*is_first)
        put_byte(',');
    *is_first = 0;
    put_number(number);
}

/* --- Modules. --- */

struct module {
    const char *path; /* the loader's, which lives as long as the module */
    uintptr_t base, begin, end;
    size_t build_id_bytes;
    unsigned char build_id[BUILD_ID_MOST];
};

static struct module modules[MOST_MODULES];
static size_t module_count;

static size_t padded(size_t bytes)
{
    return (bytes + 3) & ~(size_t)3;
}

static void read_build_id(struct module *module, const unsigned char *notes, size_t bytes)
{
    ElfW(Nhdr) note;

    while (bytes >= sizeof note) {
        memcpy(&note, notes, sizeof note);
        size_t name = padded(note.n_namesz), description = padded(note.n_descsz);
        if (name > bytes - sizeof note || description > bytes - sizeof note - name)
            return;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof ELF_NOTE_GNU &&
            memcmp(notes + sizeof note, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0 &&
            note.n_descsz <= BUILD_ID_MOST) {
            module->build_id_bytes = note.n_descsz;
            memcpy(module->build_id, notes + sizeof note + name, note.n_descsz);
            return;
        }
        notes += sizeof note + name + description;
        bytes -= sizeof note + name + description;
    }
}

static const void *at_address(uintptr_t address)
{
    return (const void *)address; /* NOLINT(performance-no-int-to-ptr): the loader gives numbers */
}

static int take_module(struct dl_phdr_info *info, size_t size, void *argument)
{
    struct module module = {.path = info->dlpi_name, .base = info->dlpi_addr, .begin = UINTPTR_MAX};

    (void)size;
    (void)argument;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_LOAD && begin < module.begin)
            module.begin = begin;
        if (header->p_type == PT_LOAD && begin + header->p_memsz > module.end)
            module.end = begin + header->p_memsz;
        if (header->p_type == PT_NOTE && module.build_id_bytes == 0)
            read_build_id(&module, at_address(begin), header->p_memsz);
    }
    if (module_count < MOST_MODULES && module.begin < module.end)
        modules[module_count++] = module;
    return 0;
}

static void put_modules(void)
{
    char own[OWN_PATH_BYTES] = "";
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);

    own[length > 0 ? length : 0] = '\0';
    put_text(",\"modules\":[");
    for (size_t i = 0; i < module_count; i++) {
        put_text(i ? ",[" : "[");
        put_string(modules[i].path[0] ? modules[i].path : own);
        put_text(",\"");
        for (size_t at = 0; at < modules[i].build_id_bytes; at++)
            put_hex_byte(modules[i].build_id[at]);
        put_text("\",");
        put_number(modules[i].base);
        put_byte(',');
        put_number(modules[i].begin);
        put_byte(',');
        put_number(modules[i].end);
        put_byte(']');
    }
    put_byte(']');
}

/* --- Tables. --- */

static void put_labels(const struct recorder *recorder)
{
    const uint32_t count = atomic_load(&recorder->label_count);

    put_text(",\"labels\":[");
    for (uint32_t i = 1; i < count; i++) {
        if (i > 1)
            put_byte(',');
        put_string(recorder->labels[i]);
    }
    put_byte(']');
}

/* Parent and address of each that no line before has. */
static void put_nodes(const struct recorder *recorder, uint32_t from, uint32_t to)
{
    int is_first = 1;

    put_text(",\"nodes\":[");
    for (uint32_t node = from; node < to; node++) {
        put_next(recorder->stacks.nodes[node].parent, &is_first);
        put_next(recorder->stacks.nodes[node].address, &is_first);
    }
    put_byte(']');
}

/* Stack, count and bytes of all that was ever asked for. */
static void put_allocated(const struct recorder *recorder, uint32_t count)
{
    int is_first = 1;

    put_text(",\"allocated\":[");
    for (uint32_t node = 0; node < count; node++) {
        const struct stack_node *at = &recorder->stacks.nodes[node];
        uint64_t blocks = atomic_load_explicit(&at->allocated_count, memory_order_relaxed);
        if (blocks == 0)
            continue;
        put_next(node, &is_first);
        put_next(blocks, &is_first);
        put_next(atomic_load_explicit(&at->allocated_bytes, memory_order_relaxed), &is_first);
    }
    put_byte(']');
}

/* Stack, domain, label, count and bytes. */
static void put_sites(const struct recorder_sites *sites)
{
    int is_first = 1;

    put_text(",\"sites\":[");
    for (size_t i = 0; sites->places && i <= sites->mask; i++) {
        const struct recorder_site *site = &sites->places[i];
        if (site->count == 0)
            continue;
        put_next(site->stack, &is_first);
        put_next(site->domain, &is_first);
        put_next(site->label, &is_first);
        put_next(site->count, &is_first);
        put_next(site->bytes, &is_first);
    }
    put_byte(']');
}

static void put_head(const struct stream *stream, const struct stream_snapshot *snapshot)
{
    put_text("{\"format\":");
    put_number(STREAM_FORMAT);
    put_text(",\"name\":");
    put_string(snapshot->name);
    put_text(",\"unwinder\":");
    put_string(stream->unwinder);
    put_text(",\"time_ns\":");
    put_number(snapshot->time_ns);
    put_text(",\"lost\":");
    put_number(atomic_load(&stream->recorder->lost));
    put_text(",\"live_bytes\":");
    if (snapshot->has_live_bytes)
        put_number(snapshot->live_bytes);
    else
        put_text("null");
}

static int open_out(const char *path)
{
    out.fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    out.error = out.fd < 0 ? -errno : 0;
    out.used = 0;
    return out.error;
}

int stream_write(struct stream *stream, const struct stream_snapshot *snapshot)
{
    struct recorder_sites sites;

    /* Before any lock of the table: a thread that loads a library holds the loader's and may be
     * waiting for the table's. */
    module_count = 0;
    dl_iterate_phdr(take_module, NULL);
    int error = recorder_add_up(stream->recorder, &sites);
    if (error)
        return error;
    error = open_out(stream->path);
    if (!error) {
        const uint32_t nodes = atomic_load(&stream->recorder->stacks.count);
        const uint32_t first = stream->nodes_written ? stream->nodes_written : 1;
        put_head(stream, snapshot);
        put_modules();
        put_labels(stream->recorder);
        put_nodes(stream->recorder, first, nodes);
        put_allocated(stream->recorder, nodes);
        put_sites(&sites);
        put_text("}\n");
        flush();
        stream->nodes_written = nodes;
        error = out.error;
        if (close(out.fd) != 0 && !error)
            error = -errno;
    }
    recorder_sites_free(&sites);
    return error;
}
