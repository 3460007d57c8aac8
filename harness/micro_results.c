/*
 * Reading the files of micro/. Leaves out everything that is not called NAME.json.
 */
#define _GNU_SOURCE
#include "harness/micro_results.h"

#include "harness/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROW_BYTES = 288 };

static int is_result(const struct dirent *entry)
{
    const char *end = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && end && strcmp(end, ".json") == 0;
}

static int add_result(json_t *results, int micro_fd, const char *name, char *error)
{
    char row[ROW_BYTES], why[JSON_FILE_ERROR_BYTES];
    json_t *result = json_file_read(micro_fd, name, why);

    if (!result) {
        snprintf(error, MICRO_RESULTS_ERROR_BYTES, "micro/%s", why);
        return -EINVAL;
    }
    const char *written = json_text(json_object_get(result, "context"), "tidemark_row");
    snprintf(row, sizeof row, "%s", *written ? written : name);
    text_make_printable(row);
    return json_object_set_new(results, row, result) == 0 ? 0 : -ENOMEM;
}

static int add_results(json_t *results, int micro_fd, char *error)
{
    struct dirent **entries;
    int count = scandirat(micro_fd, ".", &entries, is_result, alphasort);
    int failed = 0;

    if (count < 0) {
        failed = -errno;
        snprintf(error, MICRO_RESULTS_ERROR_BYTES, "micro: %s", strerror(-failed));
        return failed;
    }
    if (count > MICRO_RESULTS_MOST) {
        snprintf(error, MICRO_RESULTS_ERROR_BYTES, "micro: more than %d results",
                 MICRO_RESULTS_MOST);
        failed = -E2BIG;
    }
    for (int i = 0; i < count; i++) {
        if (!failed)
            failed = add_result(results, micro_fd, entries[i]->d_name, error);
        free(entries[i]);
    }
    free(entries);
    return failed;
}

json_t *micro_results_read(int folder_fd, char *error)
{
    json_t *results = json_object();
    int micro_fd = openat(folder_fd, "micro", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (micro_fd < 0 && errno == ENOENT)
        return results;
    int failed = micro_fd < 0 ? -errno : 0;
    if (failed)
        snprintf(error, MICRO_RESULTS_ERROR_BYTES, "micro: %s", strerror(-failed));
    else
        failed = add_results(results, micro_fd, error);
    if (micro_fd >= 0)
        close(micro_fd);
    if (!failed)
        return results;
    json_decref(results);
    return NULL;
}
