/*
 * Reads a run that may come from anywhere: its three files, and that each field is of the kind that
 * results/FORMAT.md says. Leaves out whether plan and samples fit this build (harness/plan_read.h,
 * harness/tally.h). What has passed can be summarised and printed without another look.
 */
#ifndef TIDEMARK_HARNESS_RUN_READ_H
#define TIDEMARK_HARNESS_RUN_READ_H

#include "harness/checksum.h"
#include "harness/run_folder.h"

/* What a run folder says; run_content_free. */
struct run_content {
    json_t *plan, *machine, *samples;
    char plan_checksum[CHECKSUM_BYTES]; /* of plan.json as it is stored */
};

/*
 * Parses and checks the texts. Returns 0, or -EINVAL with a message in `error`
 * (RUN_FOLDER_ERROR_BYTES) that names the file, the line where the file is one of lines, and the
 * field; `content` is then untouched. A field that is not known here is left alone.
 */
int run_content_parse(struct run_content *content, const struct run_texts *texts, char *error);

/* The same for the files of a folder, or another negative errno; `error` names the folder too. */
int run_content_read(struct run_content *content, const struct run_folder *folder, char *error);

void run_content_free(struct run_content *content);

#endif
