/*
 * The file of `tidemark graph`: see graph_output.h. Leaves out what stands in it (graph_dot.h) and
 * layout, which is Graphviz's.
 */
#define _GNU_SOURCE
#include "harness/graph_output.h"

#include "harness/cli.h"
#include "harness/graph_dot.h"
#include "harness/graph_process.h"
#include "harness/json_file.h"
#include "harness/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const char *message)
{
    fprintf(stderr, "tidemark graph: %s\n", message);
    return CLI_FAILED;
}

static const char *extension_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');

    return dot && dot != name ? dot + 1 : "";
}

static enum graph_format format_of(const char *extension)
{
    static const struct {
        const char *extension;
        enum graph_format format;
    } formats[] = {
        {"dot", GRAPH_FORMAT_DOT},      {"gv", GRAPH_FORMAT_DOT},
        {"json", GRAPH_FORMAT_JSON},    {"svg", GRAPH_FORMAT_LAID_OUT},
        {"png", GRAPH_FORMAT_LAID_OUT}, {"pdf", GRAPH_FORMAT_LAID_OUT},
    };

    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(extension, formats[i].extension) == 0)
            return formats[i].format;
    return GRAPH_FORMAT_NONE;
}

/* The folder of the file, opened, or a negative errno. */
static int open_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[GRAPH_PATH_BYTES];

    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    int fd = open(folder[0] ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Whether a file can be put there, before a long run. Returns 0 or a negative errno. */
static int try_folder(const char *path)
{
    struct stat there;
    int fd = open_folder(path);

    if (fd < 0)
        return fd;
    int error = faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == 0 ? 0 : -errno;
    if (!error && fstatat(fd, name_of(path), &there, 0) == 0 && !S_ISREG(there.st_mode))
        error = S_ISDIR(there.st_mode) ? -EISDIR : -EEXIST;
    close(fd);
    return error;
}

int graph_output_open(struct graph_output *output, const char *path)
{
    char quoted[TEXT_QUOTED_BYTES(GRAPH_PATH_BYTES)];

    if (!path)
        return CLI_OK;
    output->extension = extension_of(path);
    output->format = format_of(output->extension);
    if (output->format == GRAPH_FORMAT_NONE || strlen(path) >= sizeof output->path - 8) {
        fprintf(stderr,
                "tidemark graph: --output: '%s' ends with none of .dot .gv .svg .png .pdf .json\n",
                path);
        return CLI_USAGE;
    }
    snprintf(output->path, sizeof output->path, "%s", path);
    int error = try_folder(path);
    if (error) {
        fprintf(stderr, "tidemark graph: cannot write %s: %s\n", text_quote(path, quoted),
                strerror(-error));
        return CLI_FAILED;
    }
    output->has_dot = output->format != GRAPH_FORMAT_LAID_OUT || graph_process_has_dot();
    return CLI_OK;
}

static int write_file(const char *path, const char *bytes, size_t length)
{
    char message[GRAPH_PATH_BYTES + 64];
    int fd = open_folder(path);
    int error = fd < 0 ? fd : json_file_replace(fd, name_of(path), bytes, length);

    if (fd >= 0)
        close(fd);
    if (!error) {
        fprintf(stderr, "tidemark graph: wrote %s\n", path);
        return CLI_OK;
    }
    snprintf(message, sizeof message, "cannot write %s: %s", path, strerror(-error));
    return fail(message);
}

/* Beside the picture that was asked for: FILE.dot in place of FILE.svg. */
static int write_without_dot(const struct graph_output *output, const char *dot, size_t length)
{
    char path[GRAPH_PATH_BYTES];
    int stem = (int)(strlen(output->path) - strlen(output->extension));

    snprintf(path, sizeof path, "%.*sdot", stem, output->path);
    fprintf(stderr,
            "tidemark graph: a .%s is made by the program dot, of the Debian package graphviz, "
            "which is not installed; its input is written instead\n",
            output->extension);
    write_file(path, dot, length);
    return CLI_FAILED;
}

static int write_picture(const struct graph_output *output, const char *dot, size_t length)
{
    char error[GRAPH_PROCESS_ERROR_BYTES];
    char *picture = NULL;
    size_t picture_length = 0;

    if (output->format == GRAPH_FORMAT_DOT)
        return write_file(output->path, dot, length);
    if (!output->has_dot)
        return write_without_dot(output, dot, length);
    if (graph_process_lay_out(dot, length, output->extension, &picture, &picture_length, error) !=
        0)
        return fail(error);
    int status = write_file(output->path, picture, picture_length);
    free(picture);
    return status;
}

int graph_output_draw(const struct graph_output *output, const json_t *picture, const char *subject)
{
    char *dot = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&dot, &length);
    int status = CLI_FAILED;

    if (!memory)
        return fail("not enough memory for the picture");
    graph_dot_write(memory, picture, subject);
    if (fclose(memory) == 0)
        status = write_picture(output, dot, length);
    else
        fail("not enough memory for the picture");
    free(dot);
    return status;
}

int graph_output_write_json(const struct graph_output *output, const json_t *record)
{
    char *text = json_dumps(record, JSON_INDENT(2));
    int status = text ? write_file(output->path, text, strlen(text))
                      : fail("not enough memory for the file");

    free(text);
    return status;
}
