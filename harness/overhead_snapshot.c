/*
 * tidemark-sites three times: without recording, recording, and without but under the preloaded
 * library. All three are the same program, so that their ratios are the recording. Leaves out
 * memory.
 */
#define _GNU_SOURCE
#include "harness/overhead_snapshot.h"

#include "harness/process.h"
#include "harness/snapshot_folder.h"
#include "harness/snapshot_program.h"
#include "harness/snapshot_workload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SITES_ARGUMENTS = 16, PAIRS = 1000000 };

enum mode { PLAIN, RECORDED, PRELOADED, MODES };

/* A workload that is timed from the end of phase `from` (NULL: the baseline) to that of `to`. */
struct timed {
    const char *workload, *first, *second; /* parameters */
    const char *from, *to;
};

static const struct timed pairs = {"steady", "n=1000", "replaced=1000000", "build", "replace"};
static const struct timed objects = {"waste", "n=200000", "values=dropped", NULL, "collect"};
static const struct timed mallocs = {"list_lifetime", "n=1000000", "how=del_collect", NULL,
                                     "collect"};

static int fill_arguments(const struct program_paths *paths, const char *stream,
                          const struct timed *timed, enum mode mode, const char **argv)
{
    int count = 0;

    argv[count++] = paths->sites;
    argv[count++] = "--stream";
    argv[count++] = stream;
    if (mode != RECORDED)
        argv[count++] = "--times-only";
    argv[count++] = "--object";
    argv[count++] = "glibc";
    argv[count++] = "--workload";
    argv[count++] = timed->workload;
    argv[count++] = "--set";
    argv[count++] = timed->first;
    argv[count++] = "--set";
    argv[count++] = timed->second;
    argv[count] = NULL;
    return count;
}

static int run_plainly(const char *const *argv)
{
    static char said[1024];
    const struct process_request request = {
        .argv = argv, .errors = said, .errors_bytes = sizeof said};
    int status = 0;
    int failed = process_run(&request, &status);

    return failed ? failed : status == 0 ? 0 : -EIO;
}

static int run_preloaded(const struct program_paths *paths, const char *const *argv)
{
    char *copied[SITES_ARGUMENTS + 1] = {NULL};
    char said[SNAPSHOT_ERROR_BYTES];
    json_t *document = NULL;
    int status = 0, failed = 0;

    for (size_t i = 0; argv[i] && !failed; i++) {
        copied[i] = strdup(argv[i]);
        failed = copied[i] ? 0 : -ENOMEM;
    }
    const struct snapshot_program request = {.argv = copied, .is_ours = 1};
    if (!failed &&
        (snapshot_program_run(&request, paths, &status, &document, said) != SNAPSHOT_DONE ||
         status != 0 || !document))
        failed = -EIO;
    json_decref(document);
    for (size_t i = 0; copied[i]; i++)
        free(copied[i]);
    return failed;
}

/* When the phase ended; the first snapshot for NULL. 0 when there is none of that name. */
static double time_of(const json_t *snapshots, const char *name)
{
    size_t i;
    const json_t *snapshot;

    json_array_foreach(snapshots, i, snapshot)
    {
        const char *has = json_string_value(json_object_get(snapshot, "name"));
        if (!name || strcmp(has, name) == 0)
            return (double)json_integer_value(json_object_get(snapshot, "time_ns"));
    }
    return 0;
}

static int read_time(const struct timed *timed, const char *stream, double *ns)
{
    char said[SNAPSHOT_ERROR_BYTES];
    json_t *domains = json_array();
    json_t *document = snapshot_stream_read(stream, domains, said);
    const json_t *snapshots = json_object_get(document, "snapshots");

    *ns = time_of(snapshots, timed->to) - time_of(snapshots, timed->from);
    json_decref(domains);
    json_decref(document);
    return *ns > 0 ? 0 : -EIO;
}

static int time_one(const struct program_paths *paths, const struct timed *timed, enum mode mode,
                    double *ns)
{
    const char *argv[SITES_ARGUMENTS + 1];
    struct snapshot_folder folder;
    int failed = snapshot_folder_make(&folder);

    if (failed)
        return failed;
    fill_arguments(paths, folder.stream, timed, mode, argv);
    failed = mode == PRELOADED ? run_preloaded(paths, argv) : run_plainly(argv);
    if (!failed)
        failed = read_time(timed, folder.stream, ns);
    snapshot_folder_remove(&folder);
    return failed;
}

static int time_all(const struct program_paths *paths, const struct timed *timed, double *ns)
{
    int failed = 0;

    for (int mode = 0; mode < MODES && !failed; mode++)
        failed = time_one(paths, timed, (enum mode)mode, &ns[mode]);
    return failed;
}

int overhead_snapshot_measure(const struct program_paths *paths, struct overhead_snapshot *figures,
                              char *error)
{
    double pair[MODES], object[MODES], list[MODES];
    int failed = time_all(paths, &pairs, pair);

    if (!failed)
        failed = time_all(paths, &objects, object);
    if (!failed)
        failed = time_all(paths, &mallocs, list);
    if (failed) {
        snprintf(error, OVERHEAD_ERROR_BYTES, "tidemark-sites did not run as it should: %s",
                 strerror(-failed));
        return failed;
    }
    *figures = (struct overhead_snapshot){.workload_pair_ns = pair[RECORDED] / PAIRS,
                                          .program_pair_ns = pair[PRELOADED] / PAIRS,
                                          .workload_ratio = object[RECORDED] / object[PLAIN],
                                          .program_ratio = object[PRELOADED] / object[PLAIN],
                                          .workload_malloc_ratio = list[RECORDED] / list[PLAIN],
                                          .program_malloc_ratio = list[PRELOADED] / list[PLAIN]};
    return 0;
}
