/*
 * The merged run, in memory and then in files. Leaves out what the shards' reports were drawn to:
 * `tidemark plot` draws the whole.
 */
#define _GNU_SOURCE
#include "harness/checksum.h"
#include "harness/gzip_text.h"
#include "harness/json_file.h"
#include "harness/merge.h"
#include "harness/pass.h"
#include "harness/pass_file.h"
#include "harness/shard.h"
#include "harness/summary.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What becomes a file each, but for curves and passes, which are copied one by one. */
struct merged {
    json_t *plan, *machine, *samples, *summary;
};

static const char unfinished_plan[] = "plan.part"; /* a folder without plan.json is no run */

static int fail(char *error, int number, const char *path, const char *what)
{
    snprintf(error, MERGE_ERROR_BYTES, "%.900s: %.500s", path, what);
    return number;
}

/* --- plan.json. --- */

/* What a cell lacks is what it lacked where it would have been measured. */
static void take_reasons(json_t *plan, const struct merge_shard *shard)
{
    const json_t *own = json_object_get(shard->content.plan, "cells");
    json_t *cell;
    size_t i;

    json_array_foreach(json_object_get(plan, "cells"), i, cell)
    {
        if (json_integer_value(json_object_get(cell, "shard")) == (json_int_t)shard->index)
            json_object_set(cell, "not_available",
                            json_object_get(json_array_get(own, i), "not_available"));
    }
}

static json_t *merge_plans(const struct merge *merge)
{
    json_t *plan = json_deep_copy(merge->shards[0].content.plan), *numbers = json_array();
    json_t *shard = json_object_get(plan, "shard");
    json_int_t limit_bytes = INT64_MAX;

    for (size_t i = 0; i < merge->count; i++) {
        const json_int_t own_bytes = json_integer_value(
            json_object_get(merge->shards[i].content.plan, "memory_limit_bytes"));
        limit_bytes = own_bytes < limit_bytes ? own_bytes : limit_bytes;
        json_array_append_new(numbers, json_integer((json_int_t)merge->shards[i].index));
        take_reasons(plan, &merge->shards[i]);
    }
    json_object_set_new(plan, "memory_limit_bytes", json_integer(limit_bytes));
    json_object_del(shard, "index");
    json_object_set_new(shard, "merged", numbers);
    return plan;
}

/* --- machine.json. --- */

/* Which of the machines so far it is, from 1. */
static json_int_t machine_number(json_t *known, const json_t *machine)
{
    static const char *const facts[] = {"host_name", "cpu", "cores", "memory_bytes", "kernel"};
    json_t *identity = json_array();
    size_t i;
    const json_t *other;

    for (i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        json_t *fact = json_object_get(machine, facts[i]);
        json_array_append_new(identity, fact ? json_incref(fact) : json_null());
    }
    json_array_foreach(known, i, other)
    {
        if (json_equal(other, identity))
            break;
    }
    if (i == json_array_size(known))
        json_array_append(known, identity);
    json_decref(identity);
    return (json_int_t)i + 1;
}

/* Its own record, but for what is large and the same at the top. */
static json_t *machine_of(const struct merge_shard *shard, json_t *known, const json_t *top)
{
    static const char *const large[] = {"programs", "traces", "settings", "tunables"};
    json_t *machine = json_object();

    json_object_set_new(machine, "shard", json_integer((json_int_t)shard->index));
    const size_t samples = json_array_size(shard->content.samples);
    json_object_set_new(machine, "machine",
                        samples ? json_integer(machine_number(known, shard->content.machine))
                                : json_null());
    json_object_set_new(machine, "samples", json_integer((json_int_t)samples));
    json_object_set(machine, "memory_limit_bytes",
                    json_object_get(shard->content.plan, "memory_limit_bytes"));
    json_object_update_missing(machine, shard->content.machine);
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        if (json_equal(json_object_get(machine, large[i]), json_object_get(top, large[i])))
            json_object_del(machine, large[i]);
    }
    return machine;
}

static const char *text_of(const struct merge_shard *shard, const char *key)
{
    return json_text(shard->content.machine, key);
}

/* UTC times of one form: their order is that of their text. */
static void set_times(json_t *machine, const struct merge *merge)
{
    const char *started = text_of(&merge->shards[0], "started"), *finished = "";
    int is_whole = merge->count == merge->of, was_interrupted = 0;

    for (size_t i = 0; i < merge->count; i++) {
        const struct merge_shard *shard = &merge->shards[i];
        if (strcmp(text_of(shard, "started"), started) < 0)
            started = text_of(shard, "started");
        if (strcmp(text_of(shard, "finished"), finished) > 0)
            finished = text_of(shard, "finished");
        is_whole &= !shard->is_unfinished;
        was_interrupted |= json_is_true(json_object_get(shard->content.machine, "interrupted"));
    }
    json_object_set_new(machine, "started", json_string(started));
    json_object_set_new(machine, "resumed", json_array());
    json_object_set_new(machine, "finished", is_whole ? json_string(finished) : json_null());
    json_object_set_new(machine, "interrupted", json_boolean(was_interrupted));
}

/* The first that measured something stands at the top, with the rows and interpreters of all. */
static json_t *merge_machines(const struct merge *merge)
{
    static const char *const all[] = {"libraries", "python", "traces"};
    const struct merge_shard *first = &merge->shards[0];
    json_t *known = json_array(), *shards = json_array();

    for (size_t i = merge->count; i > 0; i--) {
        if (json_array_size(merge->shards[i - 1].content.samples) > 0)
            first = &merge->shards[i - 1];
    }
    json_t *machine = json_deep_copy(first->content.machine);
    json_object_del(machine, "host_name");
    for (size_t i = 0; i < merge->count; i++) {
        json_array_append_new(shards, machine_of(&merge->shards[i], known, first->content.machine));
        for (size_t j = 0; j < sizeof all / sizeof all[0]; j++) {
            json_t *own = json_object_get(merge->shards[i].content.machine, all[j]);
            json_t *to = json_object_get(machine, all[j]);
            if (json_is_object(own) && json_is_object(to))
                json_object_update_missing(to, own);
        }
    }
    set_times(machine, merge);
    json_object_set_new(machine, "machines", json_integer((json_int_t)json_array_size(known)));
    json_object_set_new(machine, "shards", shards);
    json_decref(known);
    return machine;
}

/* --- samples.jsonl and summary.json. --- */

static json_t *merge_samples(const struct merge *merge)
{
    json_t *all = json_array(), *sample;
    size_t i;

    for (size_t shard = 0; shard < merge->count; shard++) {
        json_array_foreach(merge->shards[shard].content.samples, i, sample)
        {
            json_t *copy = json_copy(sample); /* one field becomes another */
            json_object_set_new(copy, "sample", json_integer((json_int_t)json_array_size(all)));
            json_array_append_new(all, copy);
        }
    }
    return all;
}

static void merged_free(struct merged *merged)
{
    json_decref(merged->plan);
    json_decref(merged->machine);
    json_decref(merged->samples);
    json_decref(merged->summary);
}

static int merged_make(struct merged *merged, const struct merge *merge, char *why)
{
    *merged = (struct merged){.plan = merge_plans(merge),
                              .machine = merge_machines(merge),
                              .samples = merge_samples(merge)};
    merged->summary = summary_of_run(merged->plan, merged->samples, why);
    return merged->summary ? 0 : -EINVAL;
}

/* --- Files. --- */

static int write_file(int folder_fd, const char *name, const struct file_text *text)
{
    const int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    size_t used = 0;
    int error = fd < 0 ? -errno : 0;

    while (!error && used < text->length) {
        const ssize_t wrote = write(fd, text->bytes + used, text->length - used);
        if (wrote > 0)
            used += (size_t)wrote;
        else if (wrote == 0 || errno != EINTR)
            error = wrote == 0 ? -ENOSPC : -errno;
    }
    if (fd >= 0 && close(fd) != 0 && !error)
        error = -errno;
    return error;
}

/* One curve, which has to be whole: the merged run would be refused for it. */
static int copy_curve(int from_fd, size_t number, int to_fd, size_t new_number, char *why)
{
    char name[32], new_name[32];
    struct file_text packed = {0}, text = {0};

    snprintf(name, sizeof name, "%06zu.csv.gz", number);
    snprintf(new_name, sizeof new_name, "%06zu.csv.gz", new_number);
    int error = file_text_read_no_link(&packed, from_fd, name, JSON_FILE_MOST_BYTES, why);
    if (error)
        return error == -ENOMEM ? error : -EINVAL; /* the shard lacks it */
    error = gzip_text_unpack(&packed, JSON_FILE_MOST_BYTES, &text);
    if (error)
        snprintf(why, FILE_TEXT_ERROR_BYTES, "%s: it is damaged, no gzip, or larger than 32 MiB",
                 name);
    else if ((error = write_file(to_fd, new_name, &packed)) != 0)
        snprintf(why, FILE_TEXT_ERROR_BYTES, "%s: cannot be copied: %s", name, strerror(-error));
    file_text_free(&packed);
    file_text_free(&text);
    return error;
}

static int copy_curves(const struct merge_shard *shard, int from_fd, int to_fd, size_t *next,
                       const volatile sig_atomic_t *interrupted, char *error)
{
    const size_t count = json_array_size(shard->content.samples);
    char why[FILE_TEXT_ERROR_BYTES], path[RUN_FOLDER_PATH_BYTES];
    const int curves_fd =
        openat(from_fd, "curves", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int failed = 0;

    snprintf(path, sizeof path, "%.900s/curves", shard->path);
    if (curves_fd < 0)
        return fail(error, -EINVAL, path, strerror(errno));
    for (size_t i = 0; i < count && !failed; i++) {
        failed = *interrupted ? -EINTR : copy_curve(curves_fd, i, to_fd, (*next)++, why);
        if (failed)
            fail(error, failed, path, *interrupted ? "interrupted" : why);
    }
    close(curves_fd);
    return failed;
}

/* What was looked at of the shard's own cells, read and checked, and written as a run writes it. */
static int copy_pass(const struct merge_shard *shard, int from_fd, int to_fd, size_t cell,
                     const struct pass *pass, char *error)
{
    char why[PASS_ERROR_BYTES];
    json_t *json;

    if (!pass_was_asked(shard->content.plan, pass) || !pass_file_is_there(from_fd, pass, cell))
        return 0;
    if (pass_file_read(from_fd, pass, cell, &json, why) != 0)
        return fail(error, -EINVAL, shard->path, why);
    const int failed = pass_file_write(to_fd, pass, json);
    json_decref(json);
    return failed ? fail(error, failed, shard->path, strerror(-failed)) : 0;
}

static int copy_passes(const struct merge_shard *shard, int from_fd, int to_fd,
                       const volatile sig_atomic_t *interrupted, char *error)
{
    const json_t *cell;
    size_t i;
    int failed = 0;

    json_array_foreach(json_object_get(shard->content.plan, "cells"), i, cell)
    {
        if (!shard_is_here(shard->content.plan, cell))
            continue;
        for (size_t p = 0; p < pass_registry_count && !failed; p++)
            failed = *interrupted ? fail(error, -EINTR, shard->path, "interrupted")
                                  : copy_pass(shard, from_fd, to_fd, i, pass_registry[p], error);
    }
    return failed;
}

static int copy_shard(const struct merge_shard *shard, int to_fd, int curves_fd, size_t *next,
                      const volatile sig_atomic_t *interrupted, char *error)
{
    struct run_folder folder;

    if (run_folder_open(&folder, shard->path, error) != 0)
        return -EINVAL;
    int failed = copy_curves(shard, folder.fd, curves_fd, next, interrupted, error);
    if (!failed)
        failed = copy_passes(shard, folder.fd, to_fd, interrupted, error);
    run_folder_close(&folder);
    return failed;
}

static int write_json(int fd, const struct merged *merged)
{
    char checksum[CHECKSUM_BYTES];
    int failed = json_file_write(fd, unfinished_plan, merged->plan);

    if (!failed)
        failed = checksum_file(fd, unfinished_plan, checksum);
    if (!failed)
        failed = json_object_set_new(merged->machine, "plan", json_string(checksum)) ? -ENOMEM : 0;
    if (!failed)
        failed = json_file_write(fd, "machine.json", merged->machine);
    if (!failed)
        failed = run_folder_write_samples(fd, merged->samples);
    if (!failed)
        failed = json_file_write(fd, "summary.json", merged->summary);
    return failed;
}

/* All of it into an empty folder; plan.json last, and after all else is on the disk. */
static int fill(int fd, const struct merge *merge, const struct merged *merged,
                const volatile sig_atomic_t *interrupted, char *error)
{
    size_t next = 0;
    int failed = mkdirat(fd, "curves", 0777) != 0 ? -errno : 0;
    const int curves_fd =
        failed ? -1 : openat(fd, "curves", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (!failed && curves_fd < 0)
        failed = -errno;
    if (!failed)
        failed = write_json(fd, merged);
    if (failed)
        fail(error, failed, "the merged run cannot be written", strerror(-failed));
    for (size_t i = 0; i < merge->count && !failed; i++)
        failed = copy_shard(&merge->shards[i], fd, curves_fd, &next, interrupted, error);
    if (curves_fd >= 0)
        close(curves_fd);
    if (!failed &&
        (syncfs(fd) != 0 || renameat(fd, unfinished_plan, fd, "plan.json") != 0 || fsync(fd) != 0))
        failed = fail(error, -errno, "the merged run cannot be written", strerror(errno));
    return failed;
}

/* --- The folder. --- */

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

/* Never over what came to be there meanwhile; also where the file system has no such rename, as NFS
 * has none: then an empty folder of our own holds the place. */
static int move_to(const char *from, const char *path)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    if (mkdir(path, 0777) != 0)
        return -errno;
    if (rename(from, path) == 0)
        return 0;
    const int error = -errno;
    rmdir(path);
    return error;
}

static int fill_and_move(const char *hidden, const char *path, const struct merge *merge,
                         const struct merged *merged, const volatile sig_atomic_t *interrupted,
                         char *error)
{
    const mode_t mask = umask(0);
    const int fd = open(hidden, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = fd < 0 ? -errno : 0;

    umask(mask);
    /* mkdtemp(3) makes it for its owner alone. */
    if (!failed && fchmod(fd, 0777 & ~mask) != 0)
        failed = -errno;
    if (failed)
        fail(error, failed, hidden, strerror(-failed));
    else
        failed = fill(fd, merge, merged, interrupted, error);
    if (fd >= 0)
        close(fd);
    if (failed)
        return failed;
    failed = *interrupted ? -EINTR : move_to(hidden, path);
    return failed ? fail(error, failed, path, strerror(-failed)) : 0;
}

/* ".NAME.merge-XXXXXX" beside NAME. Returns 0 or -ENAMETOOLONG. */
static int name_hidden(const char *path, char *hidden)
{
    const char *slash = strrchr(path, '/');
    const int length =
        snprintf(hidden, RUN_FOLDER_PATH_BYTES, "%.*s.%s.merge-XXXXXX",
                 slash ? (int)(slash + 1 - path) : 0, path, slash ? slash + 1 : path);

    return length < RUN_FOLDER_PATH_BYTES ? 0 : -ENAMETOOLONG;
}

/* Without the slashes at its end, and its parents made. */
static int prepare_path(const char *path, char *own, char *hidden)
{
    struct stat info;
    size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/')
        length--;
    if (length == 0)
        return -ENOENT;
    if (length >= RUN_FOLDER_PATH_BYTES)
        return -ENAMETOOLONG;
    snprintf(own, RUN_FOLDER_PATH_BYTES, "%.*s", (int)length, path);
    if (lstat(own, &info) == 0)
        return -EEXIST;
    const int failed = run_folder_make_parents(own);
    return failed ? failed : name_hidden(own, hidden);
}

int merge_write(const struct merge *merge, const char *path,
                const volatile sig_atomic_t *interrupted, char *error)
{
    enum { MOST_OPEN = 16 };
    char own[RUN_FOLDER_PATH_BYTES], hidden[RUN_FOLDER_PATH_BYTES], why[SUMMARY_ERROR_BYTES];
    struct merged merged;
    int failed = prepare_path(path, own, hidden);

    if (failed)
        return fail(error, failed, path, strerror(-failed));
    failed = merged_make(&merged, merge, why);
    if (failed)
        fail(error, failed, path, why);
    else if (!mkdtemp(hidden))
        failed = fail(error, -errno, hidden, strerror(errno));
    if (!failed) {
        failed = fill_and_move(hidden, own, merge, &merged, interrupted, error);
        if (failed)
            nftw(hidden, remove_one, MOST_OPEN, FTW_DEPTH | FTW_PHYS);
    }
    merged_free(&merged);
    return failed;
}
