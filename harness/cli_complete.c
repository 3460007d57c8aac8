/*
 * tidemark --complete: which kind of word the end of a command line wants, by the tables that argp
 * reads. Leaves out what comes after `--`, which is another program's. The idea of asking the
 * program, where the shells' own scripts would grow stale, is that of Cobra's `__complete`.
 */
#include "harness/cli.h"
#include "harness/complete.h"

#include <string.h>

static const struct argp_option standard_options[] = {
    {"help", '?', NULL, 0, "Give this help list", 0},
    {"usage", 0, NULL, 0, "Give a short usage message", 0},
    {0},
};

static int is_end(const struct argp_option *option)
{
    return !option->name && !option->key && !option->doc;
}

/* The long option that `name` is up to `length`, or NULL. */
static const struct argp_option *find_long(const struct argp *parser, const char *name,
                                           size_t length)
{
    for (const struct argp_option *o = parser->options; o && !is_end(o); o++) {
        if (o->name && strlen(o->name) == length && strncmp(o->name, name, length) == 0)
            return o;
    }
    return NULL;
}

/*
 * The option in a cluster of short ones, "-na", that takes an argument, or NULL; `rest` is then
 * what follows it in the word.
 */
static const struct argp_option *find_short(const struct argp *parser, const char *cluster,
                                            const char **rest)
{
    for (const char *at = cluster + 1; *at; at++) {
        for (const struct argp_option *o = parser->options; o && !is_end(o); o++) {
            if (o->key != *at || !o->arg)
                continue;
            *rest = at + 1;
            return o;
        }
    }
    return NULL;
}

/* The kind of the next word when `word` is an option that waits for it, or NULL. */
static const char *awaited_kind(const struct argp *parser, const char *word)
{
    const char *rest = "";
    const struct argp_option *option = strncmp(word, "--", 2) == 0
                                           ? find_long(parser, word + 2, strlen(word + 2))
                                           : find_short(parser, word, &rest);

    return option && !*rest ? option->arg : NULL;
}

static void offer_options(FILE *out, const char *word, const struct argp_option *options)
{
    const struct completion completion = {out, "", word};
    char text[64];

    for (const struct argp_option *o = options; o && !is_end(o); o++) {
        if (!o->name || (o->flags & OPTION_HIDDEN))
            continue;
        int length = snprintf(text, sizeof text, "--%s", o->name);
        if (length < (int)sizeof text)
            complete_offer(&completion, word, text, (size_t)length, '\0', o->doc);
    }
}

/* Completes the value in "--host=py" or "-ajem" where `word` has one, else the option itself. */
static void complete_option(FILE *out, const struct argp *parser, const char *word)
{
    char head[64];
    const char *value = NULL;
    const struct argp_option *option = NULL;

    if (strncmp(word, "--", 2) == 0) {
        value = strchr(word, '=');
        option = value ? find_long(parser, word + 2, (size_t)(value - word) - 2) : NULL;
        value = value ? value + 1 : NULL;
    } else {
        option = find_short(parser, word, &value);
    }
    if (!value) {
        offer_options(out, word, parser->options);
        offer_options(out, word, standard_options);
    } else if (option && option->arg && (size_t)(value - word) < sizeof head) {
        memcpy(head, word, (size_t)(value - word));
        head[value - word] = '\0';
        complete_kind(&(struct completion){out, head, value}, option->arg);
    }
}

/* What argp's usage line calls the argument at `place`, without the brackets of one that may be
 * left out. */
static void complete_positional(FILE *out, const struct argp *parser, size_t place,
                                const char *word)
{
    char kind[64];
    const char *doc = parser->args_doc ? parser->args_doc : "";
    for (; place > 0 && *doc; place--) {
        doc += strcspn(doc, " ");
        doc += strspn(doc, " ");
    }
    int is_optional = *doc == '[';
    size_t length = strcspn(doc + is_optional, "] ");

    if (length < sizeof kind) {
        memcpy(kind, doc + is_optional, length);
        kind[length] = '\0';
        complete_kind(&(struct completion){out, "", word}, kind);
    }
}

/* `words` are those after the command's name; the last is completed. */
static void complete_arguments(FILE *out, const struct argp *parser, const char *const *words,
                               size_t count)
{
    const char *word = words[count - 1];
    const char *awaited = NULL;
    size_t positionals = 0;

    for (size_t i = 0; i + 1 < count; i++) {
        if (awaited)
            awaited = NULL;
        else if (strcmp(words[i], "--") == 0)
            return;
        else if (words[i][0] == '-')
            awaited = awaited_kind(parser, words[i]);
        else
            positionals++;
    }
    if (awaited)
        complete_kind(&(struct completion){out, "", word}, awaited);
    else if (word[0] == '-')
        complete_option(out, parser, word);
    else
        complete_positional(out, parser, positionals, word);
}

static void offer_commands(FILE *out, const char *word)
{
    const struct completion completion = {out, "", word};

    for (size_t i = 0; i < cli_command_count; i++)
        complete_offer(&completion, word, cli_commands[i].name, strlen(cli_commands[i].name), '\0',
                       cli_commands[i].summary);
}

void cli_complete(FILE *out, const char *const *words, size_t count)
{
    static const struct argp_option own_options[] = {
        {"help", 'h', NULL, 0, "What the commands are", 0},
        {"version", 0, NULL, 0, "Print the version", 0},
        {0},
    };

    if (count == 0)
        return;
    if (count == 1) {
        offer_commands(out, words[0]);
        if (words[0][0] == '-')
            offer_options(out, words[0], own_options);
        return;
    }
    if (count == 2 && (!strcmp(words[0], "help") || !strcmp(words[0], "--help")))
        offer_commands(out, words[1]);
    for (size_t i = 0; i < cli_command_count; i++) {
        if (strcmp(cli_commands[i].name, words[0]) == 0)
            complete_arguments(out, cli_commands[i].parser, words + 1, count - 1);
    }
}
