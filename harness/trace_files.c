/*
 * One temporary file a trace, open as long as the run: see trace_files.h. Leaves out a cache
 * between runs: compiling takes less than a replay.
 */
#define _GNU_SOURCE
#include "harness/trace_files.h"

#include "harness/checksum.h"
#include "harness/file_text.h"
#include "harness/text.h"
#include "harness/trace/trace_fit.h"
#include "workloads/flat_example.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct trace_file {
    uint64_t value; /* of the parameter */
    char path[WORKLOAD_TEXT_BYTES];
    char checksum[CHECKSUM_BYTES];
    int fd; /* what it was compiled into */
    uint64_t trace_bytes;
    struct trace_compiled compiled;
};

struct trace_files {
    struct trace_file *files;
    size_t count;
};

static int refuse(char *error, int status, const char *path, const char *why)
{
    snprintf(error, TRACE_FILES_ERROR_BYTES, "%.200s: %.400s", path, why);
    return status;
}

int trace_files_temporary(void)
{
    const char *folder = getenv("TMPDIR");
    char name[WORKLOAD_TEXT_BYTES + 32];

    if (!folder || !folder[0])
        folder = "/tmp";
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    /* Not every file system has them. */
    snprintf(name, sizeof name, "%.500s/tidemark-replay-XXXXXX", folder);
    fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    unlink(name);
    return fd;
}

/* What of the trace is not in the replay. */
static void tell(const struct trace_file *file, const struct trace_index *index, const char *damage)
{
    uint32_t others = 0;
    char name[64];

    for (uint32_t i = 0; i < index->process_room; i++)
        others += index->processes[i].is_known && index->processes[i].events > 0 &&
                  i != file->compiled.process;
    snprintf(name, sizeof name, "%s", index->processes[file->compiled.process].name);
    text_make_printable(name);
    if (damage)
        fprintf(stderr, "tidemark: %s: %s; what stands before it is replayed\n", file->path,
                damage);
    if (others > 0)
        fprintf(stderr,
                "tidemark: %s: of %u processes the one with the most events is replayed, %s\n",
                file->path, others + 1, name);
    if (file->compiled.inherited > 0)
        fprintf(stderr, "tidemark: %s: %llu frees of blocks from before a fork are left out\n",
                file->path, (unsigned long long)file->compiled.inherited);
}

/* The other thing that can be replayed. Returns NULL where it is no JSON at all. */
static json_t *read_fit(const char *path)
{
    struct file_text text;
    char what[FILE_TEXT_ERROR_BYTES];
    json_t *fit = NULL;

    if (file_text_read(&text, AT_FDCWD, path, FIT_MOST_BYTES, what) != 0)
        return NULL;
    if (text.length > 0 && text.bytes[0] == '{')
        fit = json_loadb(text.bytes, text.length, 0, NULL);
    file_text_free(&text);
    return fit;
}

static int compile_fit(struct trace_file *file, const json_t *fit, char *error)
{
    char what[TRACE_ERROR_BYTES];
    const int failed = trace_fit_compile(fit, FIT_SEED, file->fd, &file->compiled, what);

    return failed ? refuse(error, failed, file->path, what) : 0;
}

static int compile(struct trace_file *file, char *error)
{
    char what[TRACE_ERROR_BYTES];
    struct trace_reader *reader;
    struct trace_index index;
    json_t *fit = read_fit(file->path);
    const int is_fit = fit != NULL;
    int failed = fit ? compile_fit(file, fit, error) : trace_reader_open(&reader, file->path, what);

    json_decref(fit);
    if (is_fit)
        return failed;
    if (failed) {
        snprintf(error, TRACE_FILES_ERROR_BYTES, "%s", what);
        return failed;
    }
    file->trace_bytes = trace_reader_file_bytes(reader);
    failed = trace_index_make(&index, reader, what);
    if (failed) {
        trace_reader_close(reader);
        return refuse(error, failed, file->path, what);
    }
    const char *damage = trace_reader_damage(reader);
    char damaged[TRACE_ERROR_BYTES] = "";
    snprintf(damaged, sizeof damaged, "%s", damage ? damage : "");
    if (index.events == 0)
        failed = refuse(error, -EBADMSG, file->path, damage ? damage : "there is no event in it");
    if (!failed)
        failed = trace_compile(&index, reader, trace_largest_process(&index), file->fd,
                               &file->compiled, what) == 0
                     ? 0
                     : refuse(error, -EBADMSG, file->path, what);
    if (!failed)
        tell(file, &index, damaged[0] ? damaged : NULL);
    trace_index_free(&index);
    trace_reader_close(reader);
    return failed;
}

static int add(struct trace_files *files, uint64_t value, const struct parameter *parameter,
               char *error)
{
    struct trace_file *room = realloc(files->files, (files->count + 1) * sizeof *room);

    if (!room)
        return refuse(error, -ENOMEM, "a trace", strerror(ENOMEM));
    files->files = room;
    struct trace_file *file = &room[files->count];
    *file = (struct trace_file){.value = value};
    parameter_format(parameter, value, file->path, sizeof file->path);
    file->fd = trace_files_temporary();
    if (file->fd < 0)
        return refuse(error, file->fd, "no temporary file in TMPDIR, or /tmp", strerror(-file->fd));
    files->count++;
    const int failed = compile(file, error);
    if (!failed)
        (void)checksum_file(AT_FDCWD, file->path, file->checksum);
    return failed;
}

static const struct trace_file *find(const struct trace_files *files, uint64_t value)
{
    for (size_t i = 0; i < files->count; i++)
        if (files->files[i].value == value)
            return &files->files[i];
    return NULL;
}

static void tell_cell(struct cell *cell, const struct trace_file *file)
{
    const struct allocator *allocator = cell->row.object.allocator;
    const unsigned has = allocator->capabilities;

    snprintf(cell->prepared_file, sizeof cell->prepared_file, "/proc/%d/fd/%d", (int)getpid(),
             file->fd);
    cell->is_threaded = file->compiled.threads > 1;
    if (cell->not_available[0])
        return;
    if (cell->is_threaded && !(has & ALLOCATOR_THREADS))
        snprintf(cell->not_available, sizeof cell->not_available,
                 "the trace has %llu threads, and %s is for one at a time",
                 (unsigned long long)file->compiled.threads, allocator->name);
    /* Blocks of `null` are not looked at, whatever they are. */
    if (file->compiled.aligned > 0 && has & ALLOCATOR_DISTINCT && !(has & ALLOCATOR_ALIGNED))
        snprintf(cell->not_available, sizeof cell->not_available,
                 "the trace has %llu aligned blocks, and %s has no aligned_alloc",
                 (unsigned long long)file->compiled.aligned, allocator->name);
}

static int prepare_cell(struct trace_files *files, struct cell *cell, char *error)
{
    const struct parameter *parameters = cell->workload->parameters;

    for (size_t i = 0; parameters[i].name; i++) {
        char path[WORKLOAD_TEXT_BYTES];
        if (parameters[i].kind != PARAMETER_FILE)
            continue;
        parameter_format(&parameters[i], cell->values[i], path, sizeof path);
        if (strcmp(path, FLAT_EXAMPLE) == 0)
            continue;
        if (!find(files, cell->values[i])) {
            const int failed = add(files, cell->values[i], &parameters[i], error);
            if (failed)
                return failed;
        }
        tell_cell(cell, find(files, cell->values[i]));
    }
    return 0;
}

int trace_files_prepare(struct plan *plan, char *error)
{
    struct trace_files *made = calloc(1, sizeof *made);
    int failed = made ? 0 : refuse(error, -ENOMEM, "traces", strerror(ENOMEM));

    for (size_t i = 0; i < plan->cell_count && !failed; i++)
        failed = prepare_cell(made, &plan->cells[i], error);
    if (failed || made->count == 0) {
        trace_files_close(made);
        made = NULL;
    }
    if (!failed)
        plan->traces = made;
    return failed;
}

json_t *trace_files_describe(const struct trace_files *files)
{
    json_t *all = json_object();

    for (size_t i = 0; files && i < files->count; i++) {
        const struct trace_file *file = &files->files[i];
        const struct trace_compiled *compiled = &file->compiled;
        json_object_set_new(
            all, file->path,
            json_pack("{sI ss sI sI sI sI sI}", "bytes", (json_int_t)file->trace_bytes, "checksum",
                      file->checksum, "threads", (json_int_t)compiled->threads, "operations",
                      (json_int_t)compiled->operations, "shared", (json_int_t)compiled->shared,
                      "inherited", (json_int_t)compiled->inherited, "compiled_bytes",
                      (json_int_t)compiled->file_bytes));
    }
    return all;
}

uint64_t trace_files_operations(const struct trace_files *files)
{
    uint64_t operations = 0;

    for (size_t i = 0; i < files->count; i++)
        operations += files->files[i].compiled.operations;
    return operations;
}

void trace_files_close(struct trace_files *files)
{
    if (!files)
        return;
    for (size_t i = 0; i < files->count; i++)
        close(files->files[i].fd);
    free(files->files);
    free(files);
}
