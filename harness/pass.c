/*
 * Child, text, JSON, file. Leaves out a second try: a child that fails here would fail again.
 */
#define _GNU_SOURCE
#include "harness/pass.h"

#include "harness/file_text.h"
#include "harness/grammar.h"
#include "harness/json_file.h"
#include "harness/json_place.h"
#include "harness/pass_file.h"
#include "harness/pass_writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert((int)PASS_ERROR_BYTES == (int)JSON_PLACE_ERROR_BYTES, "one buffer for both");

const struct pass *const pass_registry[] = {&census_pass, &latency_pass, &ledger_pass, &pages_pass};
const size_t pass_registry_count = sizeof pass_registry / sizeof pass_registry[0];

/* --- Sets. --- */

const struct pass *pass_find(const char *name)
{
    for (size_t i = 0; i < pass_registry_count; i++) {
        if (strcmp(pass_registry[i]->name, name) == 0)
            return pass_registry[i];
    }
    return NULL;
}

unsigned pass_bit(const struct pass *pass)
{
    for (size_t i = 0; i < pass_registry_count; i++) {
        if (pass_registry[i] == pass)
            return 1u << i;
    }
    return 0;
}

static int refuse_name(const char *name, char *error)
{
    const char *names[PASS_MOST + 2] = {"all", "none"};

    for (size_t i = 0; i < pass_registry_count; i++)
        names[i + 2] = pass_registry[i]->name;
    snprintf(error, PASS_ERROR_BYTES, "no pass is called '%.64s'", name);
    grammar_suggest(error, PASS_ERROR_BYTES, name, names, pass_registry_count + 2);
    return -EINVAL;
}

static int add_name(const char *name, unsigned *set, char *error)
{
    const struct pass *pass = pass_find(name);

    if (strcmp(name, "all") == 0)
        *set |= (unsigned)((UINT64_C(1) << pass_registry_count) - 1);
    else if (pass)
        *set |= pass_bit(pass);
    else if (strcmp(name, "none") != 0)
        return refuse_name(name, error);
    return 0;
}

int pass_parse_set(const char *names, unsigned *set, char *error)
{
    char *copy = strdup(names), *rest = copy, *name;
    unsigned read = 0;
    int failed = copy ? 0 : -ENOMEM;

    if (failed)
        snprintf(error, PASS_ERROR_BYTES, "%s", strerror(ENOMEM));
    while (!failed && (name = strsep(&rest, ",")))
        failed = add_name(name, &read, error);
    free(copy);
    if (!failed)
        *set = read;
    return failed;
}

/* Earlier versions said of the one pass that they had whether they took it. */
int pass_was_asked(const json_t *plan, const struct pass *pass)
{
    const json_t *names = json_object_get(plan, "passes"), *name;
    size_t i;

    json_array_foreach(names, i, name)
    {
        if (json_is_string(name) && strcmp(json_string_value(name), pass->name) == 0)
            return 1;
    }
    return pass == &census_pass && json_is_true(json_object_get(plan, "census"));
}

/* --- One pass of one cell. --- */

int pass_is_left(const struct pass *pass, const struct tally *tally, size_t cell, int run_fd)
{
    const struct cell *wanted = &tally->plan->cells[cell];

    return tally->plan->passes & pass_bit(pass) && tally->cells[cell].has_ok &&
           !wanted->is_control && cell_calls_itself(wanted) &&
           wanted->way.mode != RETURN_PRESSURE && pass->suits(wanted) &&
           !pass_file_is_there(run_fd, pass, cell);
}

json_t *pass_understand_json(const struct pass_output *output, char *why)
{
    const struct file_text text = {.bytes = output->text, .length = output->length};
    json_t *json = json_file_parse("what the child wrote", &text, why);

    if (json)
        json_object_set_new(json, "cell", json_integer((json_int_t)output->cell));
    return json;
}

static int fail(char *why, int number, const char *what)
{
    snprintf(why, PASS_REASON_BYTES, "%s", what);
    return number;
}

/* All of the file, and a NUL behind it; the caller frees it. NULL without memory. */
static char *read_text(int fd, size_t length)
{
    char *text = malloc(length + 1);
    size_t used = 0;

    while (text && used < length) {
        ssize_t got = pread(fd, text + used, length - used, (off_t)used);
        if (got <= 0) {
            free(text);
            return NULL;
        }
        used += (size_t)got;
    }
    if (text)
        text[length] = '\0';
    return text;
}

/* What the child left, checked. NULL with a sentence in `why`. */
static json_t *understand(const struct pass *pass, const struct pass_output *output, char *why)
{
    char what[PASS_ERROR_BYTES] = "what the child wrote cannot be read back";
    json_t *json = output->text ? pass->understand(output, what) : NULL;

    if (json && json_array_size(json_object_get(json, "phases")) != output->phases)
        snprintf(what, sizeof what, "it lacks a phase");
    else if (json && pass->check(json, what) == 0)
        return json;
    fail(why, 0, what);
    json_decref(json);
    return NULL;
}

static const char too_large[] = "it is larger than a reader takes: 32 MiB, 262144 objects";

/* Where the child stopped at the bound, what it wrote is too much as well (pass_writer.h). */
static int read_output(const struct sample_settings *settings, size_t cell,
                       const struct sample *sample, json_t **json, char *why)
{
    const int fd = settings->pass_fd;
    struct stat info = {0};

    if (fstat(fd, &info) != 0 || info.st_size > PASS_MOST_BYTES - PASS_BUFFER_BYTES)
        return fail(why, -EFBIG, too_large);
    const size_t length = (size_t)info.st_size;
    char *text = read_text(fd, length);
    json_t *found =
        understand(settings->pass,
                   &(struct pass_output){
                       .text = text, .length = length, .cell = cell, .phases = sample->phase_count},
                   why);
    free(text);
    if (!found)
        return -EINVAL;
    *json = found;
    return 0;
}

static int look(const struct sample_settings *settings, size_t index, struct sample *sample,
                json_t **json, char *why)
{
    const struct pass *pass = settings->pass;
    struct cell cell = settings->plan->cells[index];

    /* Its phase stays, but what no operation changes is not waited for. */
    if (cell.idle_ns > pass->most_idle_ns)
        cell.idle_ns = pass->most_idle_ns;
    cell.way.rebuilds = 0; /* a second time adds nothing to what the first one showed */
    int failed = sample_run(settings, &cell, settings->plan->seed, sample);

    if (failed)
        return fail(why, failed, "cannot start a child");
    if (sample->status == SAMPLE_INTERRUPTED)
        return -EINTR;
    if (sample->status == SAMPLE_OK)
        return read_output(settings, index, sample, json, why);
    snprintf(why, PASS_REASON_BYTES, "%s: %s", sample_status_name(sample->status), sample->reason);
    return -ECHILD;
}

int pass_look(const struct pass *pass, const struct sample_settings *settings, size_t index,
              struct sample *sample, json_t **json, char *why)
{
    struct sample_settings own = *settings;

    own.pass = pass;
    own.pass_fd = memfd_create("tidemark-pass", MFD_CLOEXEC);
    if (own.pass_fd < 0)
        return fail(why, -errno, "no file for the child to write to");
    int failed = look(&own, index, sample, json, why);
    close(own.pass_fd);
    return failed;
}

int pass_take(const struct pass *pass, const struct sample_settings *settings, size_t index,
              int run_fd, struct sample *sample, char *why)
{
    json_t *json = NULL;
    int failed = pass_look(pass, settings, index, sample, &json, why);

    if (failed)
        return failed;
    failed = pass_file_write(run_fd, pass, json);
    json_decref(json);
    if (failed)
        fail(why, failed, failed == -EFBIG ? too_large : strerror(-failed));
    return failed;
}
