/*
 * Hosts: our C runtime, or a real CPython found and asked for its version.
 * Leaves out virtual environments: an interpreter is a file.
 */
#define _GNU_SOURCE
#include "harness/host.h"

#include "harness/process.h"
#include "harness/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int host_is_objects(const struct host *host)
{
    return strcmp(host->text, "objects") == 0;
}

static int find_in_path(const char *name, char *path)
{
    const char *at = getenv("PATH");

    while (at && *at) {
        size_t length = strcspn(at, ":");
        int wrote = snprintf(path, HOST_PATH_BYTES, "%.*s/%s", (int)length, at, name);
        if (length > 0 && wrote < HOST_PATH_BYTES && access(path, X_OK) == 0)
            return 0;
        at += length + (at[length] == ':');
    }
    return -ENOENT;
}

static int find_interpreter(const char *text, char *path)
{
    if (strchr(text, '/')) {
        snprintf(path, HOST_PATH_BYTES, "%s", text);
        return access(path, X_OK) == 0 ? 0 : -ENOENT;
    }
    if (snprintf(path, HOST_PATH_BYTES, "/usr/bin/%s", text) >= HOST_PATH_BYTES)
        return -ENOENT;
    return access(path, X_OK) == 0 ? 0 : find_in_path(text, path);
}

static int ask_version(struct host *host)
{
    static const char program[] =
        "import sys, platform, sysconfig\n"
        "print('%s %d %d %d %s %s' % (platform.python_implementation(), sys.version_info[0],"
        " sys.version_info[1], bool(sysconfig.get_config_var('Py_GIL_DISABLED')),"
        " platform.python_version(), sys.executable))\n";
    enum { NUMBERS = 3 }; /* major, minor, free-threaded */
    char line[384], implementation[32], words[NUMBERS][8], version[32], path[HOST_PATH_BYTES];
    uint64_t numbers[NUMBERS];

    const char *argv[] = {host->path, "-S", "-c", program, NULL};

    int error = process_ask(argv, line, sizeof line);
    if (error)
        return error;
    if (sscanf(line, "%31s %7s %7s %7s %31s %255[^\n]", implementation, words[0], words[1],
               words[2], version, path) != 6 ||
        strcmp(implementation, "CPython") != 0)
        return -EINVAL;
    for (size_t i = 0; i < NUMBERS; i++)
        if (text_parse_number(words[i], 0, 9999, &numbers[i]) != 0)
            return -EINVAL;
    host->major = (int)numbers[0];
    host->minor = (int)numbers[1];
    host->free_threaded = (int)numbers[2];
    snprintf(host->version, sizeof host->version, "CPython %s", version);
    /* The interpreter itself, where what was found is a version manager's script that starts it. */
    snprintf(host->path, sizeof host->path, "%s", path);
    return 0;
}

int host_resolve(struct host *host, const char *text, char *error)
{
    struct host found = {0};

    if (strlen(text) >= sizeof found.text) {
        snprintf(error, HOST_ERROR_BYTES, "a host is at most %zu bytes long",
                 sizeof found.text - 1);
        return -EINVAL;
    }
    memcpy(found.text, text, strlen(text));
    for (const char *at = text; *at; at++) {
        if (*at < ' ' || *at > '~') {
            snprintf(error, HOST_ERROR_BYTES, "a host is printable ASCII");
            return -EINVAL;
        }
    }
    if (strcmp(text, "objects") == 0) {
        *host = found;
        return 0;
    }
    if (!text[0] || find_interpreter(text, found.path) != 0) {
        snprintf(error, HOST_ERROR_BYTES,
                 "no host is called '%.64s' (accepted: objects, python3, or a path to a CPython)",
                 text);
        return -ENOENT;
    }
    if (ask_version(&found) != 0) {
        snprintf(error, HOST_ERROR_BYTES, "'%.200s' did not answer as a CPython does", found.path);
        return -EINVAL;
    }
    *host = found;
    return 0;
}

/* The general allocator that serves the interpreter's malloc under this row. */
static const struct allocator *python_malloc(const struct row *row)
{
    return row->raw.allocator ? row->raw.allocator : row->object.allocator;
}

static int is_python_malloc(const struct allocator *allocator)
{
    return strcmp(allocator->name, "glibc") == 0 || allocator->capabilities & ALLOCATOR_PRELOAD;
}

/* Newer profiles stand for every version from 3.10 on: where the lists and ints of a script are
 * alike to the byte, and with the lock. */
static int lays_out_as(const struct host *host, const char *profile)
{
    if (strcmp(profile, "2.7") == 0)
        return host->major == 2;
    if (strcmp(profile, "3.8") == 0)
        return host->major == 3 && host->minor == 8;
    return host->major == 3 && host->minor >= 10 && !host->free_threaded;
}

static const char *real_ones_of(const char *profile)
{
    if (strcmp(profile, "2.7") == 0)
        return "a CPython 2.7";
    if (strcmp(profile, "3.8") == 0)
        return "a CPython 3.8";
    return "a CPython from 3.10 on, with the lock";
}

void host_python_conflict(const struct host *host, const struct row *row, const char *profile,
                          char *reason)
{
    const struct allocator *object = row->object.allocator;
    int is_pymalloc = object->family == ALLOCATOR_POOL;

    reason[0] = '\0';
    if (is_pymalloc && strncmp(object->name, "pymalloc", strlen("pymalloc")) != 0) {
        snprintf(reason, HOST_ERROR_BYTES, "a CPython has no %s: its objects are pymalloc's",
                 object->name);
    } else if (is_pymalloc && (object->capabilities & ALLOCATOR_THREADS)) {
        snprintf(reason, HOST_ERROR_BYTES,
                 "a CPython has no %s: its pymalloc relies on the interpreter's lock",
                 object->name);
    } else if (!is_python_malloc(python_malloc(row))) {
        snprintf(reason, HOST_ERROR_BYTES,
                 "a CPython cannot run on %s: no library holds its malloc",
                 python_malloc(row)->name);
    } else if (!is_pymalloc && host->major * 100 + host->minor < 306) {
        snprintf(reason, HOST_ERROR_BYTES, "%s has no PYTHONMALLOC=malloc (it came with 3.6)",
                 host->version);
    } else if (profile && !lays_out_as(host, profile)) {
        snprintf(reason, HOST_ERROR_BYTES,
                 "%s lays objects out otherwise than profile=%s, which is %s", host->version,
                 profile, real_ones_of(profile));
    }
}

int host_python_environment(const struct row *row, struct environment *environment)
{
    const char *soname = python_malloc(row)->soname;
    int error = 0;

    if (row->object.allocator->family != ALLOCATOR_POOL)
        error = environment_add(environment, "PYTHONMALLOC", "malloc");
    if (!error && soname)
        error = environment_add(environment, "LD_PRELOAD", soname);
    return error;
}
