/*
 * documents: one document after another is parsed into nodes with texts, and discarded as a whole.
 * Most are small, a few are large, so that the heap rises and falls. Sizes: a node of 64 bytes and
 * a text of 8 to 256, falling in a straight line, each; documents of 10 to `most` nodes, by the
 * inverse square; lifetime: a document; one thread. Source: a parser of JSON or XML that makes a
 * tree; no one program.
 */
#include "workloads/draw.h"
#include "workloads/scope.h"
#include "workloads/table.h"

enum { NODE_BYTES = 64, LEAST_TEXT_BYTES = 8, MOST_TEXT_BYTES = 256, LEAST_NODES = 10 };

struct parser {
    struct scope document;
    uint64_t nodes; /* in all documents, about */
    size_t most_nodes;
};

static int parse(struct worker *worker, struct scope *document, size_t nodes)
{
    for (size_t i = 0; i < nodes; i++) {
        size_t text_bytes = draw_falloff(&worker->random, LEAST_TEXT_BYTES, MOST_TEXT_BYTES);
        if (!scope_make(worker, document, NODE_BYTES) || !scope_make(worker, document, text_bytes))
            return -ENOMEM;
    }
    return 0;
}

static int work(struct worker *worker)
{
    struct parser *parser = worker->program;
    int error = 0;

    for (uint64_t parsed = 0; parsed < parser->nodes && !error;) {
        size_t nodes = draw_inverse_square(&worker->random, LEAST_NODES, parser->most_nodes);
        error = parse(worker, &parser->document, nodes);
        scope_end(worker, &parser->document);
        parsed += nodes;
    }
    return error;
}

/* At the end, so that there is something to give back. */
static int parse_largest(struct worker *worker)
{
    struct parser *parser = worker->program;

    return parse(worker, &parser->document, parser->most_nodes);
}

static int clear(struct worker *worker)
{
    struct parser *parser = worker->program;

    scope_close(worker, &parser->document);
    return 0;
}

static const struct stage stages[] = {
    {"work", work, ON_MAIN},
    {"largest", parse_largest, ON_MAIN},
    {"free", clear, ON_MAIN},
    {0},
};

static int documents_run(struct workload_context *context)
{
    struct parser parser = {
        .document = {.how = (enum scope_how)workload_value(context, "how")},
        .nodes = workload_value(context, "n"),
        .most_nodes = workload_value(context, "most"),
    };

    parser.document.most = 2 * parser.most_nodes;
    parser.document.slots = table_map(parser.document.most, sizeof *parser.document.slots);
    if (!parser.document.slots)
        return -ENOMEM;
    int error = team_play(context, 0, &parser, stages);
    table_unmap(parser.document.slots, parser.document.most, sizeof *parser.document.slots);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "nodes of all documents together", 1, 10000000000, "3M", "20M"),
    PARAMETER_COUNTED("most", "nodes of the largest document", LEAST_NODES, 100000000, "300k",
                      "500k"),
    PARAMETER_SCOPE,
    {0},
};

const struct workload workload_documents = {
    .name = "documents",
    .summary = "documents parsed into a tree and discarded, most small, a few large",
    .source = "parsers that make a tree",
    .parameters = parameters,
    .has_reachable_regions = 1,
    .run = documents_run,
};
