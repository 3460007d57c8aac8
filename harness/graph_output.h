/*
 * The file that `tidemark graph -o` names: what it is to be by its extension, whether it can be
 * written, before a long run; and the writing of it, whole or not at all. Leaves out its content.
 */
#ifndef TIDEMARK_HARNESS_GRAPH_OUTPUT_H
#define TIDEMARK_HARNESS_GRAPH_OUTPUT_H

#include <jansson.h>

enum { GRAPH_PATH_BYTES = 4096 }; /* Linux's PATH_MAX */

enum graph_format {
    GRAPH_FORMAT_NONE,
    GRAPH_FORMAT_DOT,
    GRAPH_FORMAT_JSON,
    GRAPH_FORMAT_LAID_OUT,
};

struct graph_output {
    char path[GRAPH_PATH_BYTES];
    enum graph_format format;
    const char *extension; /* of a picture that dot makes; borrowed from the path that was given */
    int has_dot;           /* 0: Graphviz is missing, the text for it is written instead */
};

/*
 * Looks at `path`; NULL leaves GRAPH_FORMAT_NONE, all zero. Returns an exit status (harness/cli.h),
 * if it is not CLI_OK with a message on stderr. Starts dot once where the extension needs it.
 */
int graph_output_open(struct graph_output *output, const char *path);

/* Draws the picture and writes it. Returns as graph_output_open: without Graphviz CLI_FAILED, with
 * the text for it in FILE.dot. */
int graph_output_draw(const struct graph_output *output, const json_t *picture,
                      const char *subject);

/* Writes all of it as JSON. Returns as graph_output_open. */
int graph_output_write_json(const struct graph_output *output, const json_t *record);

#endif
