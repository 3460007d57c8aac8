/*
 * Trees of stacks by process, and a count for each: see trace_sites.h. Leaves out build-ids, which
 * /proc does not tell: names are those of the files as they are now.
 */
#define _GNU_SOURCE
#include "harness/trace/trace_sites.h"

#include "harness/sites/stack_tree.h"
#include "harness/trace/maps_line.h"
#include "harness/trace/room.h"
#include "harness/trace/varint.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    /* Nodes of all processes that are not there while larger numbers are: threads tell theirs in
       order, but are read one after the other. It bounds what numbers without nodes can take. */
    MOST_MISSING = 1 << 20,
    MOST_FRAMES = 128,
    MOST_PARENTS = 64,
    MOST_MODULES = 1 << 16,
    MOST_RANGES = 1 << 14, /* of a process; one with many libraries has a thousand */
    CALL_FIELDS = 3,       /* of a named frame: function, file, line */
    TEXT_BYTES = 1 << 13,
};

struct node {
    uint64_t address;
    uint32_t parent;
    uint32_t site; /* 0: not yet */
};

/* Code of a file that a process had mapped. */
struct range {
    uint64_t begin, end, base;
    uint32_t module;
    const struct range *before; /* the one that was met before it */
};

struct process_stacks {
    struct node *nodes; /* by number; 0 is the root */
    uint32_t room;
    uint32_t highest; /* number of a node */
    uint32_t range_count;
    const struct range *last_range;
    void *ranges; /* a tree (tsearch) that owns them */
};

struct module {
    char *path;
    uint32_t number;
};

struct site {
    uint32_t process, stack;
    uint64_t blocks, bytes, left_blocks, left_bytes;
};

struct trace_sites {
    const struct trace_index *index;
    struct process_stacks *processes; /* by number */
    uint32_t process_room;
    uint32_t missing_nodes;
    int has_nodes;
    struct site *sites; /* 0: all that are not known */
    uint32_t count, room;
    struct module **modules; /* by number */
    uint32_t module_count, module_room;
    void *module_tree; /* by path */
};

static struct process_stacks *process_at(struct trace_sites *sites, uint64_t number)
{
    if (number >= TRACE_MOST_PROCESSES)
        return NULL;
    struct process_stacks *room =
        room_for(sites->processes, &sites->process_room, (uint32_t)number, sizeof *room);
    if (room)
        sites->processes = room;
    return room ? &room[number] : NULL;
}

/* --- Nodes. --- */

/* Counts the numbers that are skipped, and the node itself, as missing. Returns 0 or -EBADMSG. */
static int reach_node(struct trace_sites *sites, struct process_stacks *process, uint32_t number)
{
    if (number <= process->highest)
        return 0;
    const uint32_t skipped = number - process->highest;
    if (sites->missing_nodes + skipped > MOST_MISSING)
        return -EBADMSG;
    sites->missing_nodes += skipped;
    process->highest = number;
    return 0;
}

/* Each is told once: what is told of it again is not looked at. One without an address is left as
 * one that is not known. */
static int add_node(struct trace_sites *sites, const uint64_t row[4])
{
    const uint64_t number = row[1], parent = row[2];

    if (number == 0 || number >= STACK_MOST_NODES || parent >= number ||
        row[0] >= TRACE_MOST_PROCESSES)
        return -EBADMSG;
    struct process_stacks *process = process_at(sites, row[0]);
    if (!process)
        return -ENOMEM;
    if (reach_node(sites, process, (uint32_t)number) != 0)
        return -EBADMSG;
    struct node *nodes = room_for(process->nodes, &process->room, (uint32_t)number, sizeof *nodes);
    if (!nodes)
        return -ENOMEM;
    process->nodes = nodes;
    sites->has_nodes = 1;
    if (nodes[number].address)
        return 0;
    nodes[number].address = row[3];
    nodes[number].parent = (uint32_t)parent;
    sites->missing_nodes -= row[3] != 0;
    return 0;
}

static int read_nodes(struct trace_sites *sites, const struct trace_block *block)
{
    struct varint_run run = {block->bytes, block->bytes + block->length};
    uint64_t row[4];
    int error = 0;

    while (run.at < run.end && !error) {
        for (size_t i = 0; i < 4 && !error; i++)
            error = varint_get(&run, &row[i]);
        if (!error)
            error = add_node(sites, row);
    }
    return error;
}

/* --- Modules. --- */

static int compare_paths(const void *one, const void *other)
{
    const struct module *a = one, *b = other;

    return strcmp(a->path, b->path);
}

static void free_module(struct module *module)
{
    free(module->path);
    free(module);
}

static int add_module(struct trace_sites *sites, const char *path)
{
    struct module **room =
        room_for(sites->modules, &sites->module_room, sites->module_count, sizeof(void *));
    struct module *module = room ? calloc(1, sizeof *module) : NULL;

    if (room)
        sites->modules = room;
    if (!module)
        return -ENOMEM;
    module->path = strdup(path);
    module->number = sites->module_count;
    if (!module->path || !tsearch(module, &sites->module_tree, compare_paths)) {
        free_module(module);
        return -ENOMEM;
    }
    room[sites->module_count++] = module;
    return 0;
}

/* The number of a path, or a negative errno. */
static int64_t find_module(struct trace_sites *sites, char *path)
{
    const struct module wanted = {.path = path};
    struct module *const *found = tfind(&wanted, &sites->module_tree, compare_paths);

    if (found)
        return (*found)->number;
    if (sites->module_count == MOST_MODULES)
        return -EBADMSG;
    const int error = add_module(sites, path);
    return error ? error : (int64_t)sites->module_count - 1;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_ranges(const void *one, const void *other)
{
    const struct range *a = one, *b = other;
    const int begin = compare_numbers(a->begin, b->begin), end = compare_numbers(a->end, b->end);
    const int base = compare_numbers(a->base, b->base);

    return begin ? begin : end ? end : base ? base : compare_numbers(a->module, b->module);
}

static int add_range(struct process_stacks *process, const struct range *range)
{
    if (tfind(range, &process->ranges, compare_ranges))
        return 0;
    if (process->range_count == MOST_RANGES)
        return -EBADMSG;
    struct range *kept = malloc(sizeof *kept);
    if (!kept)
        return -ENOMEM;
    *kept = *range;
    kept->before = process->last_range;
    if (!tsearch(kept, &process->ranges, compare_ranges)) {
        free(kept);
        return -ENOMEM;
    }
    process->last_range = kept;
    process->range_count++;
    return 0;
}

/* A file's lines stand together, the one with its beginning first. */
struct mapping {
    char path[PATH_MAX];
    uint64_t base;
};

static int read_line(struct trace_sites *sites, struct process_stacks *process,
                     struct mapping *before, const char *text)
{
    struct maps_line line;

    if (!maps_line_read(text, &line))
        return 0;
    if (strcmp(line.path, before->path) != 0 || line.offset == 0) {
        snprintf(before->path, sizeof before->path, "%s", line.path);
        before->base = line.begin - line.offset;
    }
    if (!line.is_code)
        return 0;
    const int64_t module = find_module(sites, before->path);
    const struct range range = {
        .begin = line.begin, .end = line.end, .base = before->base, .module = (uint32_t)module};
    return module < 0 ? (int)module : add_range(process, &range);
}

static int read_modules(struct trace_sites *sites, const struct trace_block *block)
{
    struct varint_run run = {block->bytes, block->bytes + block->length};
    struct mapping before = {.path = ""};
    char line[PATH_MAX + 128];
    uint64_t number;
    int error = varint_get(&run, &number);
    struct process_stacks *process = error ? NULL : process_at(sites, number);

    if (!error && !process)
        error = number >= TRACE_MOST_PROCESSES ? -EBADMSG : -ENOMEM;
    while (!error && run.at < run.end) {
        const uint8_t *newline = memchr(run.at, '\n', (size_t)(run.end - run.at));
        const uint8_t *end = newline ? newline : run.end;
        snprintf(line, sizeof line, "%.*s",
                 (int)(end - run.at < (ptrdiff_t)sizeof line ? end - run.at : 0),
                 (const char *)run.at);
        error = read_line(sites, process, &before, line);
        run.at = newline ? newline + 1 : run.end;
    }
    return error;
}

/* --- All. --- */

static int read_block(struct trace_sites *sites, const struct trace_block *block)
{
    if (block->kind == TRACE_BLOCK_STACKS)
        return read_nodes(sites, block);
    return block->kind == TRACE_BLOCK_MODULES ? read_modules(sites, block) : 0;
}

int trace_sites_read(struct trace_sites **sites, const struct trace_index *index,
                     struct trace_reader *reader)
{
    struct trace_sites *found = calloc(1, sizeof *found);
    struct trace_block block;
    int more = 1, error = found ? 0 : -ENOMEM;

    *sites = NULL;
    if (found)
        found->index = index;
    trace_reader_rewind(reader);
    while (!error && more > 0) {
        more = trace_reader_next(reader, &block);
        error = more < 0 ? more : more > 0 ? read_block(found, &block) : 0;
    }
    if (!error && found->has_nodes) {
        found->sites = room_for(NULL, &found->room, 0, sizeof *found->sites);
        found->count = 1;
        error = found->sites ? 0 : -ENOMEM;
    }
    if (error || !found->has_nodes)
        trace_sites_free(found);
    else
        *sites = found;
    return error;
}

/* The site of a node, or 0. */
static uint32_t site_of(struct trace_sites *sites, uint32_t number, uint32_t stack)
{
    if (number >= sites->process_room || stack == 0 || stack >= sites->processes[number].room)
        return 0;
    struct node *node = &sites->processes[number].nodes[stack];
    if (node->site || !node->address)
        return node->site;
    struct site *room = room_for(sites->sites, &sites->room, sites->count, sizeof *room);
    if (!room)
        return 0;
    sites->sites = room;
    node->site = sites->count;
    room[sites->count] = (struct site){.process = number, .stack = stack};
    return sites->count++;
}

uint32_t trace_sites_made(struct trace_sites *sites, uint32_t process, uint32_t stack,
                          uint64_t bytes)
{
    if (!sites)
        return 0;
    const uint32_t number = site_of(sites, process, stack);
    sites->sites[number].blocks++;
    sites->sites[number].bytes += bytes;
    return number;
}

void trace_sites_left(struct trace_sites *sites, uint32_t site, uint64_t bytes)
{
    if (!sites || site >= sites->count)
        return;
    sites->sites[site].left_blocks++;
    sites->sites[site].left_bytes += bytes;
}

/* What a tree points to is somebody else's. */
static void keep(void *entry)
{
    (void)entry;
}

void trace_sites_free(struct trace_sites *sites)
{
    if (!sites)
        return;
    for (uint32_t i = 0; i < sites->process_room; i++) {
        free(sites->processes[i].nodes);
        tdestroy(sites->processes[i].ranges, free);
    }
    tdestroy(sites->module_tree, keep);
    for (uint32_t i = 0; i < sites->module_count; i++)
        free_module(sites->modules[i]);
    free(sites->processes);
    free(sites->modules);
    free(sites->sites);
    free(sites);
}

/* --- JSON. --- */

static int compare_sites(const void *one, const void *other)
{
    const struct site *a = one, *b = other;

    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return a->stack != b->stack ? (a->stack > b->stack ? 1 : -1)
                                : (a->process > b->process) - (a->process < b->process);
}

/* What was mapped last at that address. */
static const struct range *find_own_range(const struct process_stacks *process, uint64_t address)
{
    const struct range *range = process->last_range;

    while (range && (address < range->begin || address >= range->end))
        range = range->before;
    return range;
}

/* A forked process has what its parent had, if nobody looked at it before it ended. */
static const struct range *find_range(const struct trace_sites *sites, uint32_t process,
                                      uint64_t address)
{
    const struct range *found = NULL;

    for (unsigned i = 0; i < MOST_PARENTS && !found && process > 0; i++) {
        if (process < sites->process_room)
            found = find_own_range(&sites->processes[process], address);
        process =
            process < sites->index->process_room ? sites->index->processes[process].parent : 0;
    }
    return found;
}

/* A trace from anywhere may name a pipe, which is not to be waited for, or a device, for which
 * being opened may mean something. */
static int is_regular(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* An executable that is not relocatable lies where it says: its addresses are its offsets. */
static int is_fixed(const char *path)
{
    Elf64_Half head[EI_NIDENT / 2 + 1];
    const int fd = is_regular(path) ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    const ssize_t got = fd < 0 ? 0 : read(fd, head, sizeof head);

    if (fd >= 0)
        close(fd);
    return got == (ssize_t)sizeof head && memcmp(head, ELFMAG, SELFMAG) == 0 &&
           head[EI_NIDENT / 2] == ET_EXEC;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Only a whole path is opened by who names the frames. */
static json_t *modules_to_json(const struct trace_sites *sites)
{
    json_t *modules = json_array();

    for (uint32_t i = 0; i < sites->module_count; i++) {
        const char *file = sites->modules[i]->path;
        json_t *path = json_string(is_regular(file) ? file : base_name(file));
        json_array_append_new(modules, json_pack("[o, s]", path ? path : json_string("?"), ""));
    }
    return modules;
}

static json_t *frame_to_json(const struct trace_sites *sites, uint32_t process, uint64_t address)
{
    const struct range *range = find_range(sites, process, address);

    if (!range)
        return json_pack("[i, I]", -1, (json_int_t)address);
    const uint64_t base = is_fixed(sites->modules[range->module]->path) ? 0 : range->base;
    return json_pack("[I, I]", (json_int_t)range->module, (json_int_t)(address - base));
}

/* One frame for each of all stacks, in their order; `stacks` gets how many each has. */
static json_t *frames_to_json(const struct trace_sites *sites, const struct site *top, size_t count,
                              size_t *depths)
{
    json_t *frames = json_array();

    for (size_t i = 0; i < count; i++) {
        const struct process_stacks *process = &sites->processes[top[i].process];
        uint32_t at = top[i].stack;
        for (depths[i] = 0; at > 0 && at < process->room && depths[i] < MOST_FRAMES; depths[i]++) {
            json_array_append_new(frames,
                                  frame_to_json(sites, top[i].process, process->nodes[at].address));
            at = process->nodes[at].parent;
        }
    }
    return frames;
}

static const char *string_at(const json_t *frame, size_t at)
{
    const char *text = json_string_value(json_array_get(frame, at));

    return text ? text : "";
}

/* "function (file:line)", or what is known of it. */
static void append_calls(json_t *stack, const json_t *frame, const json_t *modules)
{
    const json_int_t module = json_integer_value(json_array_get(frame, 0));
    const json_int_t offset = json_integer_value(json_array_get(frame, 1));
    const char *path = module < 0 ? "" : string_at(json_array_get(modules, (size_t)module), 0);
    const char *name = base_name(path);
    char text[TEXT_BYTES];

    if (json_array_size(frame) < 2 + CALL_FIELDS) {
        snprintf(text, sizeof text, "%.255s%s0x%llx", name, name[0] ? "+" : "",
                 (unsigned long long)offset);
        json_array_append_new(stack, json_string(text));
        return;
    }
    for (size_t at = 2; at + CALL_FIELDS <= json_array_size(frame); at += CALL_FIELDS) {
        const char *function = string_at(frame, at), *file = string_at(frame, at + 1);
        const json_int_t line = json_integer_value(json_array_get(frame, at + 2));
        if (file[0])
            snprintf(text, sizeof text, "%.1000s (%.4000s:%lld)", function, file, (long long)line);
        else
            snprintf(text, sizeof text, "%.1000s (%.255s)", function, name);
        json_t *call = json_string(text);
        json_array_append_new(stack, call ? call : json_string("?"));
    }
}

static json_t *site_to_json(const struct site *site, json_t *stack)
{
    return json_pack("{sI sI sI sI so}", "blocks", (json_int_t)site->blocks, "bytes",
                     (json_int_t)site->bytes, "left_blocks", (json_int_t)site->left_blocks,
                     "left_bytes", (json_int_t)site->left_bytes, "stack", stack);
}

static json_t *top_to_json(const struct trace_sites *sites, const struct site *top, size_t count,
                           trace_sites_name *name)
{
    size_t *depths = calloc(count + 1, sizeof *depths);
    json_t *all = json_array(), *document = json_object();
    size_t at = 0;

    if (depths) {
        json_object_set_new(document, "modules", modules_to_json(sites));
        json_object_set_new(document, "frames", frames_to_json(sites, top, count, depths));
        name(document, NULL);
    }
    for (size_t i = 0; i < count && depths; i++) {
        json_t *stack = json_array();
        for (size_t j = 0; j < depths[i]; j++)
            append_calls(stack, json_array_get(json_object_get(document, "frames"), at++),
                         json_object_get(document, "modules"));
        json_array_append_new(all, site_to_json(&top[i], stack));
    }
    json_decref(document);
    free(depths);
    return all;
}

json_t *trace_sites_to_json(const struct trace_sites *sites, size_t most, trace_sites_name *name)
{
    if (!sites)
        return json_array();
    struct site *sorted = calloc(sites->count, sizeof *sorted);
    if (!sorted)
        return json_array();
    memcpy(sorted, sites->sites, sites->count * sizeof *sorted);
    qsort(sorted, sites->count, sizeof *sorted, compare_sites);
    size_t count = 0;
    while (count < sites->count && count < most && sorted[count].blocks > 0)
        count++;
    json_t *all = top_to_json(sites, sorted, count, name);
    free(sorted);
    return all;
}
