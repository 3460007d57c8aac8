/*
 * Facts of the machine, from /proc, /sys and libc. What a machine does not tell is null.
 */
#define _GNU_SOURCE
#include "harness/machine.h"

#include "harness/cgroup.h"
#include "harness/procfs.h"
#include "harness/programs.h"
#include "harness/text.h"
#include "harness/trace_files.h"

#include "git_describe.h"

#include <gnu/libc-version.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static json_t *line_or_null(const char *path)
{
    char line[256];

    return procfs_read_line(path, line, sizeof line) == 0 ? json_string(line) : json_null();
}

static json_t *chosen_word(const char *path)
{
    char line[256], word[256];

    return procfs_read_line(path, line, sizeof line) == 0
               ? json_string(text_in_brackets(line, word, sizeof word))
               : json_null();
}

/* The value of the first "key : value" line of a file, or null. */
static json_t *value_of(const char *path, const char *key)
{
    char line[512];
    FILE *file = fopen(path, "re");
    json_t *found = NULL;

    while (file && !found && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (!colon || strncmp(line, key, strlen(key)) != 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        found = json_string(colon + 1 + strspn(colon + 1, " \t"));
    }
    if (file)
        fclose(file);
    return found ? found : json_null();
}

static json_t *cgroup_version(void)
{
    uint64_t limit;
    int version = cgroup_memory_limit(&limit);

    return version ? json_integer(version) : json_null();
}

static json_t *pythons(const struct plan *plan)
{
    json_t *found = json_object();

    for (size_t i = 0; i < plan->cell_count; i++) {
        const struct host *host = &plan->cells[i].host;
        if (!host_is_objects(host) && !json_object_get(found, host->text))
            json_object_set_new(
                found, host->text,
                json_pack("{s:s, s:s}", "path", host->path, "version", host->version));
    }
    return found;
}

#ifdef TIDEMARK_SANITIZED
static const char *const sanitizer = TIDEMARK_SANITIZED;
#else
static const char *const sanitizer = NULL;
#endif

json_t *machine_describe(const struct plan *plan, const struct program_paths *paths,
                         const char *started)
{
    struct utsname kernel;
    char libc[64], release[sizeof kernel.sysname + sizeof kernel.release + 2];
    json_t *machine = json_object();

    uname(&kernel);
    snprintf(release, sizeof release, "%s %s", kernel.sysname, kernel.release);
    snprintf(libc, sizeof libc, "glibc %s", gnu_get_libc_version());
    json_object_set_new(machine, "tidemark", json_string(TIDEMARK_VERSION));
    json_object_set_new(machine, "git", TIDEMARK_GIT[0] ? json_string(TIDEMARK_GIT) : json_null());
    json_object_set_new(machine, "build_type", json_string(TIDEMARK_BUILD_TYPE));
    json_object_set_new(machine, "sanitizer", sanitizer ? json_string(sanitizer) : json_null());
    json_object_set_new(machine, "programs", programs_describe(plan, paths));
    if (plan->traces)
        json_object_set_new(machine, "traces", trace_files_describe(plan->traces));
    json_object_set_new(machine, "plan", json_null());
    if (plan->shard.count > 0)
        json_object_set_new(machine, "host_name", json_string(kernel.nodename));
    json_object_set_new(machine, "cpu", value_of("/proc/cpuinfo", "model name"));
    json_object_set_new(machine, "cores", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
    json_object_set_new(machine, "memory_bytes",
                        json_integer((json_int_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE)));
    json_object_set_new(machine, "page_bytes", json_integer(sysconf(_SC_PAGESIZE)));
    json_object_set_new(machine, "kernel", json_string(release));
    json_object_set_new(machine, "libc", json_string(libc));
    json_object_set_new(machine, "thp", chosen_word("/sys/kernel/mm/transparent_hugepage/enabled"));
    json_object_set_new(machine, "overcommit_memory",
                        line_or_null("/proc/sys/vm/overcommit_memory"));
    json_object_set_new(machine, "governor",
                        line_or_null("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
    json_object_set_new(machine, "cgroup", cgroup_version());
    json_object_set_new(machine, "sampler", json_null());
    json_object_set_new(machine, "memory_limit", json_null());
    json_object_set_new(machine, "libraries", json_object());
    json_object_set_new(machine, "tunables",
                        plan->tunables ? json_incref(plan->tunables) : json_object());
    json_object_set_new(machine, "settings",
                        plan->settings ? json_incref(plan->settings) : json_object());
    json_object_set_new(machine, "python", pythons(plan));
    json_object_set_new(machine, "dropped_environment", environment_dropped());
    json_object_set_new(machine, "started", json_string(started));
    json_object_set_new(machine, "resumed", json_array());
    json_object_set_new(machine, "warm_up", json_null());
    json_object_set_new(machine, "finished", json_null());
    json_object_set_new(machine, "interrupted", json_false());
    return machine;
}

/* 1 when `known`, a version or an array of them, holds it. */
static int holds_version(const json_t *known, const json_t *version)
{
    size_t i;
    const json_t *one;

    json_array_foreach(known, i, one)
    {
        if (json_equal(one, version))
            return 1;
    }
    return json_equal(known, version);
}

int machine_add_version(json_t *machine, const struct cell *cell, const char *version)
{
    json_t *libraries = json_object_get(machine, "libraries");
    char key[ROW_KEY_BYTES];

    if (!version[0] || !host_is_objects(&cell->host))
        return 0;
    row_key(&cell->row, key);
    if (!json_is_object(libraries)) {
        libraries = json_object();
        json_object_set_new(machine, "libraries", libraries);
    }
    json_t *known = json_object_get(libraries, key), *loaded = json_string(version);
    if (!known || holds_version(known, loaded)) {
        if (!known)
            json_object_set(libraries, key, loaded);
        json_decref(loaded);
        return 0;
    }
    json_t *all = json_is_array(known) ? json_incref(known) : json_pack("[O]", known);
    json_array_append_new(all, loaded);
    json_object_set_new(libraries, key, all);
    return 1;
}

void machine_choose_cpus(int *child_cpu, int *sampler_cpu)
{
    cpu_set_t allowed;
    int first = -1, last = -1;

    CPU_ZERO(&allowed);
    sched_getaffinity(0, sizeof allowed, &allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET((size_t)cpu, &allowed))
            continue;
        first = first < 0 ? cpu : first;
        last = cpu;
    }
    *child_cpu = first == last ? -1 : last;
    *sampler_cpu = first == last ? -1 : first;
}

static uint64_t meminfo_available_bytes(void)
{
    json_t *value = value_of("/proc/meminfo", "MemAvailable");
    uint64_t bytes =
        json_is_string(value) ? strtoull(json_string_value(value), NULL, 10) * 1024 : INT64_MAX;

    json_decref(value);
    return bytes;
}

uint64_t machine_available_bytes(void)
{
    uint64_t available = meminfo_available_bytes();
    uint64_t limit;

    cgroup_memory_limit(&limit);
    return available < limit ? available : limit;
}

const char *machine_utc_now(char *text)
{
    enum { UTC_BYTES = 32 };
    struct tm utc;
    time_t now = time(NULL);

    gmtime_r(&now, &utc);
    strftime(text, UTC_BYTES, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return text;
}
