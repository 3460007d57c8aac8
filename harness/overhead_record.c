/*
 * Whole commands, each timed from its start to its end: see overhead_record.h. Leaves out what a
 * trace says of the program.
 */
#define _GNU_SOURCE
#include "harness/overhead_record.h"

#include "harness/clock.h"
#include "harness/interrupts.h"
#include "harness/overhead_figure.h"
#include "harness/overhead_replay.h"
#include "harness/process.h"
#include "harness/program.h"
#include "harness/progress.h"
#include "harness/trace/record_program.h"
#include "harness/trace/record_shared.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_ROUNDS = 1000, STREAMS = 3, FOLDER_BYTES = 512, LEVEL = 3 };

enum mode { PLAIN, RECORDED, WITH_STACKS, HEAPTRACK, MODES };

enum figure {
    PLAIN_SECONDS,
    EVENTS,
    RECORDED_TIME,
    PROGRAM_TIME,
    STACKS_TIME,
    HEAPTRACK_TIME,
    RECORDED_BYTES,
    STACKS_BYTES,
    HEAPTRACK_BYTES,
    REPLAY_SPEED,
    REPLAY_BYTES,
    FIGURES
};

static const struct overhead_figure figures[FIGURES] = {
    [PLAIN_SECONDS] = {"program", "the program as it is, from start to end", "s", 0, 0},
    [EVENTS] = {"record_events", "blocks that it made, moved and ended, as recorded", "M", 0, 0},
    [RECORDED_TIME] = {"record", "`tidemark record`, over the program as it is", "x", 1.5, 0},
    [PROGRAM_TIME] = {"record_program", "of that until the program ended", "x", 0, 0},
    [STACKS_TIME] = {"record_stacks", "`tidemark record --stacks`", "x", 3, 0},
    [HEAPTRACK_TIME] = {"heaptrack", "`heaptrack`, which takes call stacks", "x", 0, 0},
    [RECORDED_BYTES] = {"record_bytes", "the trace, for each event", "B", 2, 0},
    [STACKS_BYTES] = {"record_stacks_bytes", "the same with call stacks", "B", 0, 0},
    [HEAPTRACK_BYTES] = {"heaptrack_bytes", "heaptrack's file, over the same number of events", "B",
                         0, 0},
    [REPLAY_SPEED] = {"replay_null", "operations of the trace's replay on `null`, a second", "M/s",
                      100, 1},
    [REPLAY_BYTES] = {"replay_bytes", "what the replay holds for itself, for each operation", "B",
                      16, 0},
};

struct comparison {
    char *const *argv;
    const struct program_paths *paths;
    char folder[FOLDER_BYTES];
    double values[FIGURES][MOST_ROUNDS];
    size_t counts[FIGURES];
    unsigned round;
    char not_replayed[OVERHEAD_ERROR_BYTES]; /* of the last round; empty: it was */
    char *error;
};

/* What one mode of a round came to. */
struct outcome {
    double seconds, program_seconds, file_bytes, events;
    struct overhead_replay replay; /* all 0: not measured, and why not: */
    char not_replayed[OVERHEAD_ERROR_BYTES];
};

static int refuse(const struct comparison *comparison, int failed, const char *what)
{
    snprintf(comparison->error, OVERHEAD_ERROR_BYTES, "%.500s", what);
    return failed;
}

/* --- What the program reads and writes: nothing, in each mode alike. --- */

/* This process's stdin, stdout and stderr, which programs inherit, until give_back_streams. */
static int take_away_streams(int *kept)
{
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (nothing < 0)
        return -errno;
    fflush(NULL);
    for (int i = 0; i < STREAMS; i++) {
        kept[i] = fcntl(i, F_DUPFD_CLOEXEC, STREAMS);
        dup2(nothing, i);
    }
    close(nothing);
    return 0;
}

static void give_back_streams(const int *kept)
{
    for (int i = 0; i < STREAMS; i++) {
        if (kept[i] < 0) {
            close(i); /* it was closed */
            continue;
        }
        dup2(kept[i], i);
        close(kept[i]);
    }
}

/* --- Modes. --- */

static size_t count_words(const char *const *words)
{
    size_t count = 0;

    while (words[count])
        count++;
    return count;
}

/* `prefix` words before those of the program. The caller frees them; NULL without memory. */
static const char **join_words(const struct comparison *comparison, const char *const *prefix)
{
    const char *const *own = (const char *const *)comparison->argv;
    const size_t before = count_words(prefix), count = count_words(own);
    const char **words = calloc(before + count + 1, sizeof *words);

    for (size_t i = 0; words && i < before + count; i++)
        words[i] = i < before ? prefix[i] : own[i - before];
    return words;
}

/* Returns 0 or a negative errno. */
static int run_words(const struct comparison *comparison, const char *const *prefix,
                     struct outcome *outcome)
{
    const char **words = join_words(comparison, prefix);
    int status = 0;

    if (!words)
        return refuse(comparison, -ENOMEM, strerror(ENOMEM));
    const struct process_request request = {.argv = words, .own_group = 1};
    const uint64_t began_ns = clock_monotonic_ns();
    int failed = process_run(&request, &status);
    outcome->seconds = clock_seconds_since(began_ns);
    if (failed || status != 0) {
        snprintf(comparison->error, OVERHEAD_ERROR_BYTES, "%.100s did not run to its end: %.300s",
                 words[0],
                 failed ? strerror(-failed)
                        : "its status is not 0 (what it writes is thrown away, and it reads "
                          "nothing)");
        failed = -EIO;
    }
    free(words);
    return failed;
}

/* The bytes of all files in the folder, which are then gone. */
static double take_files(const struct comparison *comparison)
{
    DIR *folder = opendir(comparison->folder);
    double bytes = 0;
    struct stat found;

    if (!folder)
        return 0;
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        if (fstatat(dirfd(folder), entry->d_name, &found, 0) != 0 || !S_ISREG(found.st_mode))
            continue;
        bytes += (double)found.st_size;
        unlinkat(dirfd(folder), entry->d_name, 0);
    }
    closedir(folder);
    return bytes;
}

/* What cannot be replayed on `null`, as blocks above its slot of 1 MiB, has no such figures. */
static int replay(const struct comparison *comparison, const char *file, struct outcome *outcome)
{
    if (overhead_replay_measure(file, outcome->events, comparison->paths, &outcome->replay,
                                outcome->not_replayed) == 0)
        outcome->not_replayed[0] = '\0';
    return *interrupts_noted() ? refuse(comparison, -EINTR, "interrupted") : 0;
}

static int run_recorded(const struct comparison *comparison, unsigned with, struct outcome *outcome)
{
    char file[FOLDER_BYTES + 16], error[PROGRAM_ERROR_BYTES] = "";
    struct record_result result;

    snprintf(file, sizeof file, "%s/trace", comparison->folder);
    const struct record_program request = {
        .argv = comparison->argv, .file = file, .with = with, .level = LEVEL, .is_ours = 1};
    const uint64_t began_ns = clock_monotonic_ns();
    const int failed = record_program_run(&request, comparison->paths, &result, error);
    outcome->seconds = clock_seconds_since(began_ns);
    if (failed || !result.is_kept || result.exit_status != 0)
        return refuse(comparison, -EIO,
                      failed            ? error
                      : !result.is_kept ? result.why
                                        : "the program ended with a status that is not 0");
    outcome->program_seconds = (double)result.program_ns / 1e9;
    outcome->events = (double)result.counts.events;
    return with ? 0 : replay(comparison, file, outcome);
}

static int run_mode(const struct comparison *comparison, enum mode mode, struct outcome *outcome)
{
    static const char *const nothing[] = {NULL};
    char file[FOLDER_BYTES + 16];
    const char *const heaptrack[] = {"heaptrack", "-o", file, NULL};
    int streams[STREAMS] = {-1, -1, -1};
    int failed = take_away_streams(streams);

    if (failed)
        return refuse(comparison, failed, "/dev/null cannot be opened");
    snprintf(file, sizeof file, "%s/heaptrack", comparison->folder);
    if (mode == PLAIN)
        failed = run_words(comparison, nothing, outcome);
    else if (mode == HEAPTRACK)
        failed = run_words(comparison, heaptrack, outcome);
    else
        failed = run_recorded(comparison, mode == WITH_STACKS ? RECORD_WITH_STACKS : 0, outcome);
    give_back_streams(streams);
    outcome->file_bytes = take_files(comparison);
    return failed;
}

static void add(struct comparison *comparison, enum figure figure, double value)
{
    comparison->values[figure][comparison->counts[figure]++] = value;
}

static int run_round(struct comparison *comparison, int modes)
{
    struct outcome outcomes[MODES] = {0};
    int failed = 0;

    for (int i = 0; i < modes && !failed; i++) {
        if (*interrupts_noted())
            return -EINTR;
        const int mode = (i + (int)comparison->round) % modes;
        failed = run_mode(comparison, (enum mode)mode, &outcomes[mode]);
    }
    if (failed)
        return failed;
    const double plain = outcomes[PLAIN].seconds, events = outcomes[RECORDED].events;
    add(comparison, PLAIN_SECONDS, plain);
    add(comparison, EVENTS, events / 1e6);
    add(comparison, RECORDED_TIME, outcomes[RECORDED].seconds / plain);
    add(comparison, PROGRAM_TIME, outcomes[RECORDED].program_seconds / plain);
    add(comparison, STACKS_TIME, outcomes[WITH_STACKS].seconds / plain);
    add(comparison, HEAPTRACK_TIME, outcomes[HEAPTRACK].seconds / plain);
    add(comparison, RECORDED_BYTES, outcomes[RECORDED].file_bytes / events);
    add(comparison, STACKS_BYTES, outcomes[WITH_STACKS].file_bytes / events);
    add(comparison, HEAPTRACK_BYTES, outcomes[HEAPTRACK].file_bytes / events);
    snprintf(comparison->not_replayed, sizeof comparison->not_replayed, "%s",
             outcomes[RECORDED].not_replayed);
    if (outcomes[RECORDED].replay.million_per_second > 0)
        add(comparison, REPLAY_SPEED, outcomes[RECORDED].replay.million_per_second);
    if (outcomes[RECORDED].replay.operation_bytes > 0)
        add(comparison, REPLAY_BYTES, outcomes[RECORDED].replay.operation_bytes);
    return 0;
}

static int has_heaptrack(void)
{
    static const char *const asked[] = {"heaptrack", "--version", NULL};
    char line[128];

    if (process_ask(asked, line, sizeof line) == 0)
        return 1;
    fputs("tidemark overhead: heaptrack is n/a: it is not installed (Debian package heaptrack)\n",
          stderr);
    return 0;
}

static json_t *to_json(struct comparison *comparison, int modes)
{
    json_t *all = json_array();

    for (int figure = 0; figure < FIGURES; figure++) {
        const int is_heaptracks = figure == HEAPTRACK_TIME || figure == HEAPTRACK_BYTES;
        if (comparison->counts[figure] > 0 && (modes == MODES || !is_heaptracks))
            json_array_append_new(all, overhead_figure_to_json(&figures[figure],
                                                               comparison->values[figure],
                                                               comparison->counts[figure]));
    }
    return all;
}

/* `comparison->round` is then how many were done. */
static int run_rounds(struct comparison *comparison, unsigned rounds, int modes)
{
    struct progress progress;
    const uint64_t began_ns = clock_monotonic_ns();
    int failed = 0;

    progress_init(&progress, rounds);
    for (unsigned round = 0; round < rounds && !failed && !*interrupts_noted(); round++) {
        progress.left_seconds =
            round ? clock_seconds_since(began_ns) / round * (rounds - round) : 30.0 * rounds;
        progress_show(&progress, "the program as it is, recorded, with stacks, under heaptrack");
        comparison->round = round;
        failed = run_round(comparison, modes);
        comparison->round += !failed;
        progress.done++;
    }
    progress_end(&progress);
    return *interrupts_noted() ? 0 : failed;
}

/* Why there are figures that there are not. */
static void tell_missing(const struct comparison *comparison)
{
    if (comparison->not_replayed[0])
        fprintf(stderr, "tidemark overhead: replay_null and replay_bytes are n/a: %s\n",
                comparison->not_replayed);
    else if (comparison->counts[REPLAY_BYTES] == 0)
        fputs("tidemark overhead: replay_bytes is n/a: the replay of so short a trace holds less "
              "than 1 MiB\n",
              stderr);
}

json_t *overhead_record_measure(char *const *argv, unsigned rounds,
                                const struct program_paths *paths, unsigned *rounds_done,
                                char *error)
{
    static struct comparison comparison; /* too large for a stack */
    static char sites[PROGRAM_PATH_BYTES],
        words[][16] = {"--stream", "/dev/null",  "--times-only", "--object",
                       "glibc",    "--workload", "cfrac",        "--set",
                       "n=2",      "--set",      "digits=39"};
    char *factoring[] = {sites,    words[0], words[1], words[2], words[3],  words[4], words[5],
                         words[6], words[7], words[8], words[9], words[10], NULL};
    const char *parent = getenv("TMPDIR");

    snprintf(sites, sizeof sites, "%s", paths->sites);
    comparison =
        (struct comparison){.argv = argv ? argv : factoring, .paths = paths, .error = error};
    snprintf(comparison.folder, sizeof comparison.folder, "%.480s/tidemark-overhead-XXXXXX",
             parent ? parent : "/tmp");
    if (rounds > MOST_ROUNDS || !mkdtemp(comparison.folder)) {
        refuse(&comparison, -errno, "cannot make a scratch folder");
        return NULL;
    }
    const int modes = has_heaptrack() ? MODES : HEAPTRACK;
    const int failed = run_rounds(&comparison, rounds, modes);
    take_files(&comparison);
    rmdir(comparison.folder);
    *rounds_done = comparison.round;
    if (!failed && comparison.round > 0)
        tell_missing(&comparison);
    return failed || comparison.round == 0 ? NULL : to_json(&comparison, modes);
}
