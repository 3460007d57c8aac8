/*
 * Files of a run. Leaves out a database: one line of text a sample survives any interruption and
 * any tool can read it.
 */
#define _GNU_SOURCE
#include "harness/run_folder.h"

#include "harness/checksum.h"
#include "harness/json_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static int fail(char *error, int number, const char *what, const char *path)
{
    snprintf(error, RUN_FOLDER_ERROR_BYTES, "%s %.1000s: %s", what, path, strerror(-number));
    return number;
}

int run_folder_make_parents(const char *path)
{
    char part[RUN_FOLDER_PATH_BYTES];

    if (!path[0])
        return -ENOENT;
    if (strlen(path) >= sizeof part)
        return -ENAMETOOLONG;
    snprintf(part, sizeof part, "%s", path);
    for (char *at = part + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return -errno;
        *at = '/';
    }
    return 0;
}

/* mkdir -p: a run is usually the first thing in results/. */
static int make_folders(const char *path)
{
    const int failed = run_folder_make_parents(path);

    if (failed)
        return failed;
    return mkdir(path, 0777) != 0 && errno != EEXIST ? -errno : 0;
}

static int is_empty(int folder_fd)
{
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    int entries = 0;

    if (!directory)
        return 0;
    for (struct dirent *entry; (entry = readdir(directory));)
        entries += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(directory);
    return entries == 0;
}

static int open_folder(struct run_folder *folder, const char *path)
{
    *folder = (struct run_folder){.fd = -1, .samples_fd = -1};
    if (strlen(path) >= sizeof folder->path)
        return -ENAMETOOLONG;
    snprintf(folder->path, sizeof folder->path, "%s", path);
    folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder->fd < 0 ? -errno : 0;
}

/* Leaves an empty folder, so that the same place can be tried again. */
static void undo_create(struct run_folder *folder)
{
    unlinkat(folder->fd, "samples.jsonl", 0);
    unlinkat(folder->fd, "machine.json", 0);
    unlinkat(folder->fd, "plan.json", 0);
    unlinkat(folder->fd, "curves", AT_REMOVEDIR);
    run_folder_close(folder);
}

/*
 * For appending, and for no other process while this one lives (flock(2)). A link is refused: what
 * has no newline at its end is cut, and that should be a file of this run.
 */
static int open_samples(struct run_folder *folder, int flags)
{
    struct stat info;

    folder->samples_fd =
        openat(folder->fd, "samples.jsonl",
               O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0666);
    if (folder->samples_fd < 0)
        return -errno;
    if (fstat(folder->samples_fd, &info) != 0 || !S_ISREG(info.st_mode))
        return -EINVAL;
    if (flock(folder->samples_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    return errno == EWOULDBLOCK ? -EBUSY : -errno;
}

int run_folder_create(struct run_folder *folder, const char *path, const json_t *plan,
                      json_t *machine, char *error)
{
    char plan_checksum[CHECKSUM_BYTES];
    int failed = make_folders(path);

    if (!failed)
        failed = open_folder(folder, path);
    if (failed)
        return fail(error, failed, "cannot create the run folder", path);
    if (!is_empty(folder->fd)) {
        run_folder_close(folder);
        return fail(error, -EEXIST, "the run folder is not empty:", path);
    }
    if (mkdirat(folder->fd, "curves", 0777) != 0)
        failed = -errno;
    if (!failed)
        failed = json_file_write(folder->fd, "plan.json", plan);
    if (!failed)
        failed = checksum_file(folder->fd, "plan.json", plan_checksum);
    if (!failed)
        failed = json_object_set_new(machine, "plan", json_string(plan_checksum)) ? -ENOMEM : 0;
    if (!failed)
        failed = json_file_write(folder->fd, "machine.json", machine);
    if (!failed)
        failed = open_samples(folder, O_CREAT);
    if (failed) {
        undo_create(folder);
        return fail(error, failed, "cannot write to the run folder", path);
    }
    return 0;
}

int run_folder_open(struct run_folder *folder, const char *path, char *error)
{
    int failed = open_folder(folder, path);

    if (failed)
        return fail(error, failed, "cannot open the run", path);
    if (faccessat(folder->fd, "plan.json", R_OK, 0) != 0) {
        run_folder_close(folder);
        snprintf(error, RUN_FOLDER_ERROR_BYTES, "%.1000s is no run: it has no plan.json", path);
        return -EINVAL;
    }
    return 0;
}

int run_folder_reopen(struct run_folder *folder, const char *path, char *error)
{
    int failed = run_folder_open(folder, path, error);

    if (failed)
        return failed;
    failed = open_samples(folder, 0);
    if (!failed)
        return 0;
    run_folder_close(folder);
    if (failed != -EBUSY)
        return fail(error, failed, "cannot append to samples.jsonl of", path);
    snprintf(error, RUN_FOLDER_ERROR_BYTES, "%.1000s is still being measured", path);
    return failed;
}

/* Where the last whole line ends. One read a byte from the end: a line is some kilobytes. */
static off_t end_of_lines(int fd, off_t size)
{
    char byte;

    while (size > 0 && pread(fd, &byte, 1, size - 1) == 1 && byte != '\n')
        size--;
    return size;
}

/* The number of a curve from its name, or -1: another file. */
static long long curve_number(const char *name)
{
    char *end;
    long long number = strtoll(name, &end, 10);

    return end != name && name[0] >= '0' && name[0] <= '9' && strcmp(end, ".csv.gz") == 0 ? number
                                                                                          : -1;
}

static int drop_curves(int folder_fd, size_t stored)
{
    /* Files are removed here: never those of a folder that `curves` links to. */
    int fd = openat(folder_fd, "curves", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    int error = 0;

    if (!directory) {
        error = -errno;
        if (fd >= 0)
            close(fd);
        return error;
    }
    for (struct dirent *entry; !error && (entry = readdir(directory));) {
        if (curve_number(entry->d_name) >= (long long)stored && unlinkat(fd, entry->d_name, 0) != 0)
            error = -errno;
    }
    closedir(directory);
    return error;
}

int run_folder_drop_torn(struct run_folder *folder, size_t stored)
{
    struct stat info;

    if (fstat(folder->samples_fd, &info) != 0)
        return -errno;
    off_t end = end_of_lines(folder->samples_fd, info.st_size);
    if (end < info.st_size &&
        (ftruncate(folder->samples_fd, end) != 0 || fsync(folder->samples_fd) != 0))
        return -errno;
    return drop_curves(folder->fd, stored);
}

static int write_curve(gzFile file, const struct tick *ticks, size_t tick_count)
{
    if (gzputs(file, "t_ns,rss_bytes,object_bytes,live_bytes,phase,parked\n") < 0)
        return -EIO;
    for (size_t i = 0; i < tick_count; i++) {
        if (gzprintf(file,
                     "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu32 ",%" PRIu32 "\n",
                     ticks[i].t_ns, ticks[i].rss_bytes, ticks[i].object_bytes, ticks[i].live_bytes,
                     ticks[i].phase, ticks[i].parked) <= 0)
            return -ENOSPC;
    }
    return 0;
}

static int append_curve(int folder_fd, const char *name, const struct tick *ticks,
                        size_t tick_count)
{
    int error;
    int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return -errno;
    /* gzclose closes its descriptor; this one stays for the sync. */
    int copy = dup(fd);
    gzFile file = copy < 0 ? NULL : gzdopen(copy, "wb6");
    if (!file) {
        if (copy >= 0)
            close(copy);
        close(fd);
        return -ENOMEM;
    }
    error = write_curve(file, ticks, tick_count);
    if (gzclose(file) != Z_OK && !error)
        error = -ENOSPC;
    if (!error && fsync(fd) != 0)
        error = -errno;
    close(fd);
    if (error)
        unlinkat(folder_fd, name, 0);
    return error;
}

static int append_line(int fd, const json_t *sample)
{
    char *line = json_dumps(sample, JSON_COMPACT | JSON_REAL_PRECISION(12));
    struct stat before;
    int error = 0;

    if (!line)
        return -ENOMEM;
    size_t length = strlen(line);
    line[length] = '\n'; /* in place of the NUL: one write, one line */
    if (fstat(fd, &before) != 0) {
        error = -errno;
    } else if (length >= JSON_FILE_MOST_LINE_BYTES ||
               before.st_size + (off_t)length >= JSON_FILE_MOST_LINES_BYTES) {
        error = -EFBIG; /* no reader would take it */
    } else {
        ssize_t wrote = write(fd, line, length + 1);
        if (wrote != (ssize_t)(length + 1))
            error = wrote < 0 ? -errno : -ENOSPC;
        else if (fsync(fd) != 0)
            error = -errno;
        /* A line that is not whole and safe is none. */
        if (error && ftruncate(fd, before.st_size) != 0)
            error = -errno;
    }
    free(line);
    return error;
}

int run_folder_append(struct run_folder *folder, const json_t *sample, size_t number,
                      const struct tick *ticks, size_t tick_count)
{
    char curve[64];

    snprintf(curve, sizeof curve, "curves/%06zu.csv.gz", number);
    int error = append_curve(folder->fd, curve, ticks, tick_count);
    if (error)
        return error;
    error = append_line(folder->samples_fd, sample);
    if (error)
        unlinkat(folder->fd, curve, 0); /* no curve without its line */
    return error;
}

/* All lines as one text, which the caller frees. Returns 0 or a negative errno. */
static int lines_text(const json_t *samples, char **text, size_t *length)
{
    FILE *stream = open_memstream(text, length);
    size_t i;
    const json_t *sample;
    int error = stream ? 0 : -ENOMEM;

    json_array_foreach(samples, i, sample)
    {
        if (!error && (json_dumpf(sample, stream, JSON_COMPACT | JSON_REAL_PRECISION(12)) != 0 ||
                       fputc('\n', stream) == EOF))
            error = -ENOMEM;
    }
    if (stream && fclose(stream) != 0)
        error = -ENOMEM;
    return error;
}

int run_folder_write_samples(int folder_fd, const json_t *samples)
{
    char *text = NULL;
    size_t length = 0;
    int error = lines_text(samples, &text, &length);

    if (!error && length > JSON_FILE_MOST_LINES_BYTES)
        error = -EFBIG;
    if (!error)
        error = json_file_replace(folder_fd, "samples.jsonl", text, length);
    free(text);
    return error;
}

int run_folder_rewrite(struct run_folder *folder, const json_t *samples)
{
    const int error = run_folder_write_samples(folder->fd, samples);

    if (error)
        return error;
    close(folder->samples_fd); /* of the file that was replaced, and its lock */
    return open_samples(folder, 0);
}

static int check_plan(const json_t *plan, char *error)
{
    const json_t *format = json_object_get(plan, "format");

    if (!json_is_object(plan))
        snprintf(error, RUN_FOLDER_ERROR_BYTES, "plan.json:1: it is no object");
    else if (!json_is_integer(format) || json_integer_value(format) != RUN_FOLDER_FORMAT)
        snprintf(error, RUN_FOLDER_ERROR_BYTES, "plan.json: its format is not %d",
                 RUN_FOLDER_FORMAT);
    else
        return 0;
    return -EINVAL;
}

static int check_machine(const json_t *machine, char *error)
{
    if (json_is_object(machine))
        return 0;
    snprintf(error, RUN_FOLDER_ERROR_BYTES, "machine.json:1: it is no object");
    return -EINVAL;
}

int run_texts_parse(const struct run_texts *texts, json_t **plan, json_t **machine,
                    json_t **samples, char *error)
{
    json_t *read_machine = NULL, *read_samples = NULL;
    json_t *read_plan = json_file_parse("plan.json", &texts->plan, error);

    if (!read_plan || check_plan(read_plan, error) != 0)
        goto fail;
    read_machine = json_file_parse("machine.json", &texts->machine, error);
    if (!read_machine || check_machine(read_machine, error) != 0)
        goto fail;
    read_samples = json_file_parse_lines("samples.jsonl", &texts->samples, error);
    if (!read_samples)
        goto fail;
    *plan = read_plan;
    *machine = read_machine;
    *samples = read_samples;
    return 0;
fail:
    json_decref(read_machine);
    json_decref(read_plan);
    return -EINVAL;
}

int run_texts_read(struct run_texts *texts, const struct run_folder *folder, char *error)
{
    struct run_texts read = {0};
    int failed = file_text_read(&read.plan, folder->fd, "plan.json", JSON_FILE_MOST_BYTES, error);

    if (!failed)
        failed =
            file_text_read(&read.machine, folder->fd, "machine.json", JSON_FILE_MOST_BYTES, error);
    if (!failed)
        failed = file_text_read(&read.samples, folder->fd, "samples.jsonl",
                                JSON_FILE_MOST_LINES_BYTES, error);
    if (failed)
        run_texts_free(&read);
    *texts = read;
    return failed;
}

void run_texts_free(struct run_texts *texts)
{
    file_text_free(&texts->plan);
    file_text_free(&texts->machine);
    file_text_free(&texts->samples);
}

void run_folder_close(struct run_folder *folder)
{
    if (folder->samples_fd >= 0)
        close(folder->samples_fd);
    if (folder->fd >= 0)
        close(folder->fd);
    folder->samples_fd = folder->fd = -1;
}
