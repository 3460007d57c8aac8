/*
 * The folder of a run: created once, appended to sample by sample, each synced before the next one
 * starts. Leaves out the meaning of what is in it (results/FORMAT.md).
 */
#ifndef TIDEMARK_HARNESS_RUN_FOLDER_H
#define TIDEMARK_HARNESS_RUN_FOLDER_H

#include "harness/file_text.h"
#include "harness/sampler.h"

#include <jansson.h>

enum { RUN_FOLDER_FORMAT = 1, RUN_FOLDER_PATH_BYTES = 1024, RUN_FOLDER_ERROR_BYTES = 1536 };

struct run_folder {
    char path[RUN_FOLDER_PATH_BYTES];
    int fd;         /* of the folder */
    int samples_fd; /* of samples.jsonl, for appending, and locked; -1 when opened for reading */
};

/*
 * Creates `path` and its curves/, and writes plan.json and machine.json, which gets the CRC-32 of
 * plan.json as it is stored: `plan`. A folder that exists must be empty. Returns 0, or a negative
 * errno with a message in `error` (RUN_FOLDER_ERROR_BYTES).
 */
int run_folder_create(struct run_folder *folder, const char *path, const json_t *plan,
                      json_t *machine, char *error);

/* Opens an existing run for reading. Returns 0, or a negative errno with `error` set when it is no
 * run. */
int run_folder_open(struct run_folder *folder, const char *path, char *error);

/*
 * Opens an existing run to append to it; nothing is written yet. Returns 0, or a negative errno
 * with `error` set: -EBUSY when another process is measuring into it.
 */
int run_folder_reopen(struct run_folder *folder, const char *path, char *error);

/*
 * Removes what an interrupted write left: a last line of samples.jsonl without its newline, and the
 * curves of the numbers from `stored` on. Returns 0 or a negative errno.
 */
int run_folder_drop_torn(struct run_folder *folder, size_t stored);

/*
 * Writes curves/NNNNNN.csv.gz and appends the line, both synced. Returns 0 or a negative errno;
 * samples written before are untouched and a line is never left half written.
 */
int run_folder_append(struct run_folder *folder, const json_t *sample, size_t number,
                      const struct tick *ticks, size_t tick_count);

/* Writes the lines anew, all or none; to be appended to as before. Returns 0 or a negative errno:
 * the lines are then as they were. */
int run_folder_rewrite(struct run_folder *folder, const json_t *samples);

/* The same into a folder that is not yet a run. */
int run_folder_write_samples(int folder_fd, const json_t *samples);

/* mkdir -p of all but the last part of `path`. Returns 0 or a negative errno. */
int run_folder_make_parents(const char *path);

/* The files that say what a run is, as they are stored; run_texts_free. */
struct run_texts {
    struct file_text plan, machine, samples;
};

/* Reads plan.json, machine.json and samples.jsonl. Returns 0, or a negative errno with `error` set
 * (RUN_FOLDER_ERROR_BYTES), which names the file; `texts` is then empty. */
int run_texts_read(struct run_texts *texts, const struct run_folder *folder, char *error);

/*
 * Parses them; the caller owns the values. Returns 0, or -EINVAL with a message in `error` that
 * names the file and the line; nothing else is then set. What the fields hold is not looked at but
 * for the format (harness/run_read.h).
 */
int run_texts_parse(const struct run_texts *texts, json_t **plan, json_t **machine,
                    json_t **samples, char *error);

void run_texts_free(struct run_texts *texts);

void run_folder_close(struct run_folder *folder);

#endif
