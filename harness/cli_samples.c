/*
 * What commands that run others' workloads share (cli_exec.c, cli_fit.c, cli_replay.c): a word for
 * the workload, and its samples. Leaves out how a run is made (cli_run.c).
 */
#define _GNU_SOURCE
#include "harness/cli.h"
#include "harness/json_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_t *read_lines(int folder_fd)
{
    const int fd = openat(folder_fd, "samples.jsonl", O_RDONLY | O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    json_t *samples = json_array();
    char *line = NULL;
    size_t room = 0;

    while (file && getline(&line, &room, file) > 0)
        json_array_append_new(samples, json_loads(line, 0, NULL));
    free(line);
    if (file)
        fclose(file);
    return samples;
}

int cli_samples_read(struct cli_samples *read, const char *command, const char *folder)
{
    char error[JSON_FILE_ERROR_BYTES];
    const int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    *read = (struct cli_samples){0};
    read->plan = folder_fd < 0 ? NULL : json_file_read(folder_fd, "plan.json", error);
    if (!read->plan) {
        fprintf(stderr, "tidemark %s: cannot read %s\n", command, folder);
        if (folder_fd >= 0)
            close(folder_fd);
        return -1;
    }
    read->cells = json_object_get(read->plan, "cells");
    read->samples = read_lines(folder_fd);
    close(folder_fd);
    return 0;
}

void cli_samples_free(struct cli_samples *read)
{
    json_decref(read->plan);
    json_decref(read->samples);
}

int cli_name_workload(char *word, size_t bytes, const char *name, const char *value)
{
    size_t used = (size_t)snprintf(word, bytes, "%s=", name);

    for (; *value && used + 2 < bytes; value++) {
        if (strchr(",|\\+@", *value))
            word[used++] = '\\';
        word[used++] = *value;
    }
    word[used < bytes ? used : bytes - 1] = '\0';
    return *value ? -1 : 0;
}
