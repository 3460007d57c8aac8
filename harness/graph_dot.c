/*
 * DOT of a picture: see graph_dot.h. Colours are on white, so that they are read on a dark page
 * too; what a colour says a width, a shape or a word says as well. Leaves out anything interactive.
 */
#include "harness/graph_dot.h"

#include "harness/graph_text.h"
#include "harness/json_file.h"

#include <string.h>

#define RED    "#C8102E"
#define BLUE   "#0072B2" /* of Okabe and Ito */
#define GREY   "#6B6B6B"
#define YELLOW "#FFF1B8"
#define PINK   "#FBE3E4"
#define SKY    "#DCEEF8"
#define PLAIN  "#F4F4F4"

static int64_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static int is_set(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

/* Within double quotes: a backslash of the text is one in the picture. */
static void put_quoted(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putc('\\', out);
        putc(*text, out);
    }
}

static void put_html(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '>')
            fputs("&gt;", out);
        else if (*text == '&')
            fputs("&amp;", out);
        else
            putc(*text, out);
    }
}

static void put_count(FILE *out, int64_t count)
{
    char text[GRAPH_COUNT_BYTES];

    fputs(graph_format_count((uint64_t)count, text), out);
}

/* --- Objects. --- */

static const char *fill_of(const json_t *node)
{
    if (is_set(node, "chosen"))
        return YELLOW;
    if (number(node, "cycle") > 0)
        return PINK;
    return is_set(node, "shared") ? "#FFFFFF" : PLAIN;
}

static void put_node(FILE *out, size_t position, const json_t *node)
{
    const char *value = json_text(node, "value");
    const int is_cyclic = number(node, "cycle") > 0;

    fprintf(out, "  n%zu [label=\"", position);
    put_quoted(out, json_text(node, "type"));
    fprintf(out, " #%lld", (long long)number(node, "index"));
    if (value[0]) {
        fputs("\\n", out);
        put_quoted(out, value);
    }
    fputs("\\n", out);
    put_count(out, number(node, "bytes"));
    fprintf(out, " B\", fillcolor=\"%s\", color=\"%s\", penwidth=%s, style=\"filled,rounded%s\"",
            fill_of(node), is_cyclic ? RED : GREY,
            is_set(node, "chosen") ? "2.5"
            : is_cyclic            ? "1.5"
                                   : "1",
            is_set(node, "shared") ? ",dashed" : "");
    fprintf(out, ", tooltip=\"%s\"];\n",
            is_set(node, "shared")      ? "of the interpreter itself"
            : is_set(node, "reachable") ? "a name leads to it"
                                        : "no name leads to it");
}

/* What holds an object from outside of the graph. */
static void put_root(FILE *out, size_t position, const json_t *node, int is_way)
{
    int64_t outside = number(node, "outside");

    if (outside == 0)
        return;
    fprintf(out, "  r%zu [label=\"", position);
    if (is_set(node, "garbage"))
        fputs("gc.garbage", out);
    else if (outside == 1)
        fputs("a name of the program", out);
    else
        fputs("names of the program (", out), put_count(out, outside), putc(')', out);
    fputs("\", shape=ellipse, style=filled, fillcolor=\"" SKY "\", color=\"" BLUE
          "\", tooltip=\"held from outside\"];\n",
          out);
    fprintf(out, "  r%zu -> n%zu [color=\"" BLUE "\", penwidth=%s];\n", position, position,
            is_way ? "2.5" : "1");
}

/* "... 9,999,940 more", of references that are not drawn. */
static void put_stubs(FILE *out, size_t position, const json_t *node)
{
    static const struct {
        const char *key;
        char letter;
    } sides[] = {{"more_to", 't'}, {"more_from", 'f'}};

    for (size_t i = 0; i < 2; i++) {
        int64_t more = number(node, sides[i].key);
        if (more == 0)
            continue;
        fprintf(out, "  %c%zu [label=\"… ", sides[i].letter, position);
        put_count(out, more);
        fputs(" more\", shape=plaintext, fontcolor=\"" GREY "\", tooltip=\"not drawn\"];\n", out);
        if (sides[i].letter == 't')
            fprintf(out, "  n%zu -> t%zu", position, position);
        else
            fprintf(out, "  f%zu -> n%zu", position, position);
        fputs(" [color=\"" GREY "\", style=dashed, arrowsize=0.6];\n", out);
    }
}

/* --- References. --- */

static void put_names(FILE *out, const json_t *edge)
{
    const json_t *names = json_object_get(edge, "names"), *name;
    int64_t more = number(edge, "count") - (int64_t)json_array_size(names);
    size_t i;

    json_array_foreach(names, i, name)
    {
        if (i > 0)
            fputs(", ", out);
        put_quoted(out, json_string_value(name));
    }
    if (more > 0) {
        fputs(" … ", out);
        put_count(out, more);
        fputs(" more", out);
    }
}

/* The name has room on both sides, so that it stands clear of thick lines. */
static void put_edge(FILE *out, const json_t *edge)
{
    static const struct {
        const char *part, *attributes;
    } parts[] = {
        {"around", "color=\"" GREY "\", fontcolor=\"#333333\""},
        {"way", "color=\"" BLUE "\", fontcolor=\"" BLUE "\", penwidth=2.5"},
        {"cycle", "color=\"" RED "\", fontcolor=\"" RED "\""},
        {"round", "color=\"" RED "\", fontcolor=\"" RED "\", penwidth=3"},
        {"weak", "color=\"" GREY "\", fontcolor=\"" GREY
                 "\", style=dotted, arrowhead=open, constraint=false"},
    };

    fprintf(out, "  n%lld -> n%lld [label=\"   ", (long long)number(edge, "from"),
            (long long)number(edge, "to"));
    if (strcmp(json_text(edge, "part"), "weak") == 0)
        fputs("weak", out);
    else
        put_names(out, edge);
    fputs("   \"", out);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strcmp(json_text(edge, "part"), parts[i].part) == 0)
            fprintf(out, ", %s", parts[i].attributes);
    fputs("];\n", out);
}

/* --- Title and legend. --- */

/* What of the legend the picture needs. */
struct kinds {
    int has_cycle, has_root, has_shared, has_weak, has_way;
};

static struct kinds kinds_of(const json_t *picture)
{
    struct kinds kinds = {0};
    const json_t *entry;
    size_t i;

    json_array_foreach(json_object_get(picture, "nodes"), i, entry)
    {
        kinds.has_cycle |= number(entry, "cycle") > 0;
        kinds.has_root |= number(entry, "outside") > 0;
        kinds.has_shared |= is_set(entry, "shared");
    }
    json_array_foreach(json_object_get(picture, "edges"), i, entry)
    {
        kinds.has_weak |= strcmp(json_text(entry, "part"), "weak") == 0;
        kinds.has_way |= strcmp(json_text(entry, "part"), "way") == 0;
    }
    return kinds;
}

static void put_swatch(FILE *out, const char *fill, const char *border, const char *text)
{
    fprintf(out,
            "<TD BORDER=\"1\" FIXEDSIZE=\"TRUE\" WIDTH=\"18\" HEIGHT=\"14\" BGCOLOR=\"%s\" "
            "COLOR=\"%s\"></TD><TD ALIGN=\"LEFT\">%s &nbsp;</TD>",
            fill, border, text);
}

static void put_arrow(FILE *out, const char *colour, const char *text)
{
    fprintf(out, "<TD><FONT COLOR=\"%s\">→</FONT></TD><TD ALIGN=\"LEFT\">%s &nbsp;</TD>", colour,
            text);
}

static void put_legend(FILE *out, const struct kinds *kinds)
{
    fputs("<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"3\" CELLPADDING=\"2\"><TR>", out);
    put_swatch(out, YELLOW, "#000000", "chosen");
    if (kinds->has_cycle) {
        put_swatch(out, PINK, RED, "in a cycle");
        put_arrow(out, RED, "the cycle");
    }
    if (kinds->has_root)
        put_swatch(out, SKY, BLUE, "held from outside");
    if (kinds->has_way)
        put_arrow(out, BLUE, "what keeps it");
    if (kinds->has_shared)
        put_swatch(out, "#FFFFFF", GREY, "the interpreter's own");
    if (kinds->has_weak)
        put_arrow(out, GREY, "weak: keeps nothing");
    fputs("</TR></TABLE>", out);
}

static void put_title(FILE *out, const json_t *picture, const char *subject)
{
    const struct kinds kinds = kinds_of(picture);

    fputs("  label=<<TABLE BORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"2\"><TR><TD><B>", out);
    put_html(out, subject);
    fputs("</B></TD></TR><TR><TD>at the end of <B>", out);
    put_html(out, json_text(picture, "phase"));
    fputs("</B>: ", out);
    put_count(out, (int64_t)json_array_size(json_object_get(picture, "nodes")));
    fputs(" of ", out);
    put_count(out, number(picture, "objects"));
    fputs(" objects are drawn</TD></TR><TR><TD>", out);
    put_legend(out, &kinds);
    fputs("</TD></TR></TABLE>>;\n", out);
}

/* Whether the first object of the way from a name is this one. */
static int begins_way(const json_t *picture, const json_t *node)
{
    const json_t *steps = json_object_get(json_object_get(picture, "way"), "steps");
    const json_t *first = json_array_get(steps, 0);

    return first && number(first, "index") == number(node, "index");
}

/*
 * A ring is drawn as one: where a cycle of some length is nearly all that there is, circo lays it
 * out better than rows do, which make a tall ladder of it.
 */
static int is_ring(const json_t *picture)
{
    enum { SHORTEST = 5 };
    const json_t *round = json_object_get(picture, "round");
    const int64_t nodes = (int64_t)json_array_size(json_object_get(picture, "nodes"));
    const int64_t length = number(round, "length");

    return length >= SHORTEST && nodes <= length + length / 2;
}

void graph_dot_write(FILE *out, const json_t *picture, const char *subject)
{
    const json_t *entry;
    size_t i;

    fputs("digraph \"Objects of ", out);
    put_quoted(out, subject);
    fputs(" at the end of ", out);
    put_quoted(out, json_text(picture, "phase"));
    fputs("\" {\n"
          "  graph [bgcolor=\"white\", fontname=\"Helvetica\", fontsize=11, labelloc=t, "
          "nodesep=0.3, ranksep=0.45, pad=0.2];\n"
          "  node [shape=box, fontname=\"Helvetica\", fontsize=10, margin=\"0.12,0.06\"];\n"
          "  edge [fontname=\"Helvetica\", fontsize=9, arrowsize=0.7];\n",
          out);
    if (is_ring(picture))
        fputs("  layout=circo;\n  mindist=0.8;\n", out);
    put_title(out, picture, subject);
    json_array_foreach(json_object_get(picture, "nodes"), i, entry)
    {
        put_node(out, i, entry);
        put_root(out, i, entry, begins_way(picture, entry));
        put_stubs(out, i, entry);
    }
    json_array_foreach(json_object_get(picture, "edges"), i, entry) put_edge(out, entry);
    fputs("}\n", out);
}
