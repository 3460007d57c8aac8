/*
 * Commands by program: see packaged_needs.h. Source: packages.debian.org, bookworm.
 */
#define _GNU_SOURCE
#include "harness/packaged_needs.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct need {
    const char *program, *command, *package;
} needs[] = {
    {"python_json", "python3", "python3"},
    {"python_text", "python3", "python3"},
    {"redis", "redis-check-rdb", "redis-tools"},
    {"redis", "redis-benchmark", "redis-tools"},
    {"sqlite", "sqlite3", "sqlite3"},
    {"nginx", "nginx", "nginx-light"},
    {"nginx", "python3", "python3"},
    {"gcc", "gcc", "gcc"},
    {"gxx", "g++", "g++"},
    {"git", "git", "git"},
    {"lua", "lua5.4", "lua5.4"},
    {"perl", "perl", "perl"},
    {"xz", "xz", "xz-utils"},
    {"zstd", "zstd", "zstd"},
    {"ghostscript", "gs", "ghostscript"},
};

static int is_there(const char *command)
{
    const char *at = getenv("PATH");
    char path[PATH_MAX];

    while (at && *at) {
        const size_t length = strcspn(at, ":");
        if (snprintf(path, sizeof path, "%.*s/%s", (int)length, at, command) < PATH_MAX &&
            access(path, X_OK) == 0)
            return 1;
        at += length + (at[length] == ':');
    }
    /* Servers are there, and not in the PATH of every user; the drivers look there too. */
    return snprintf(path, sizeof path, "/usr/sbin/%s", command) < PATH_MAX &&
           access(path, X_OK) == 0;
}

int packaged_needs_more(const char *program, char *reason, size_t bytes)
{
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        if (strcmp(needs[i].program, program) != 0 || is_there(needs[i].command))
            continue;
        snprintf(reason, bytes, "%s is not installed: it is in the Debian package %s",
                 needs[i].command, needs[i].package);
        return 1;
    }
    return 0;
}
