/*
 * tidemark merge: shards of a run into one. Leaves out measuring them (tidemark run --shard).
 */
#define _GNU_SOURCE
#include "harness/cli.h"
#include "harness/merge.h"
#include "harness/shard.h"
#include "harness/shard_text.h"

#include <errno.h>
#include <stdio.h>

enum { OPTION_PARTIAL = 256 };

struct merge_options {
    const char *output;
    const char *shards[SHARDS_MOST];
    size_t count;
    int is_partial;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static const struct argp_option option_table[] = {
    {"output", 'o', "RUN", 0, "The folder of the merged run, which must not exist; needed", 0},
    {"partial", OPTION_PARTIAL, NULL, 0,
     "Merge what there is: shards may be missing or unfinished, and the merged run says so", 0},
    {0},
};

static void add_shard(struct merge_options *options, const char *path, struct argp_state *state)
{
    if (options->count == SHARDS_MOST)
        argp_error(state, "more than %d shards", SHARDS_MOST);
    options->shards[options->count++] = path;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct merge_options *options = state->input;

    switch (key) {
    case 'o':
        options->output = argument;
        return 0;
    case OPTION_PARTIAL:
        options->is_partial = 1;
        return 0;
    case ARGP_KEY_ARG:
        add_shard(options, argument, state);
        return 0;
    case ARGP_KEY_END:
        if (options->count == 0)
            argp_error(state, "which shards? Name the run folders of tidemark run --shard");
        if (!options->output)
            argp_error(state, "where to? -o names the folder of the merged run, a new one");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_merge_parser = {
    .options = option_table,
    .parser = parse,
    .args_doc = "-o RUN SHARD...",
    .doc =
        "Join the run folders of `tidemark run --shard` into one, which is then shown, drawn and "
        "kept as any run. Samples are numbered anew, shard by shard, in the order in which each "
        "was measured; their curves and what was looked at after the rounds go with them; the "
        "summary is made anew; machine.json keeps the machine of every shard, with its host's "
        "name. The same shards give the same bytes, in whatever order they are named. Refused, "
        "with each difference: shards of different plans, measured by different programs, or with "
        "other versions of libraries; a shard or a sample that is there twice; one that is missing "
        "or did not finish, unless --partial is given; a folder that exists. What differs between "
        "the machines is told, and no reason to refuse: all that is compared with each other was "
        "measured by one shard. Nothing is left where it fails, and no shard is changed."
        "\vExample:\n"
        "  tidemark run full --shard 1/2 -o shards/1     # on one machine\n"
        "  tidemark run full --shard 2/2 -o shards/2     # on another\n"
        "  tidemark merge -o results/full shards/1 shards/2\n"
        "  tidemark merge --partial -o results/so-far shards/2\n\n"
        "Exit status: 0 done; 1 the merged run could not be written; 2 usage, or the shards cannot "
        "be joined; 130 interrupted.",
};

static void print_sentences(const char *kind, const json_t *sentences)
{
    size_t i;
    const json_t *sentence;

    json_array_foreach(sentences, i, sentence)
        fprintf(stderr, "tidemark merge: %s%s\n", kind, json_string_value(sentence));
}

static void catch_interrupts(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_interrupt};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaction(numbers[i], &action, NULL);
}

static int tell(const struct merge *merge, const char *path)
{
    size_t samples = 0;

    for (size_t i = 0; i < merge->count; i++)
        samples += json_array_size(merge->shards[i].content.samples);
    printf("%zu samples of %zu of %u shards\n", samples, merge->count, merge->of);
    shard_print_folder(stdout, path);
    printf("\nrun folder: %s\n", path);
    return CLI_OK;
}

static int write_merged(const struct merge *merge, const char *path)
{
    char error[MERGE_ERROR_BYTES];
    const int failed = merge_write(merge, path, &interrupted, error);

    if (!failed)
        return tell(merge, path);
    fprintf(stderr, "tidemark merge: %s\n", error);
    return failed == -EINTR                         ? CLI_INTERRUPTED
           : failed == -EEXIST || failed == -EINVAL ? CLI_USAGE
                                                    : CLI_FAILED;
}

static int refuse(const struct merge *merge)
{
    print_sentences("", merge->refusals);
    fputs("tidemark merge: nothing was written\n", stderr);
    return CLI_USAGE;
}

static int join(struct merge *merge, const struct merge_options *options)
{
    if (merge_read(merge, options->shards, options->count) != 0) {
        fputs("tidemark merge: not enough memory for the shards\n", stderr);
        return CLI_FAILED;
    }
    if (json_array_size(merge->refusals) == 0)
        merge_check(merge, options->is_partial);
    if (json_array_size(merge->refusals) > 0)
        return refuse(merge);
    print_sentences("warning: ", merge->warnings);
    return write_merged(merge, options->output);
}

int cli_merge(int argc, char **argv)
{
    static struct merge_options options; /* large */
    struct merge merge = {0};

    argp_parse(&cli_merge_parser, argc, argv, 0, NULL, &options);
    catch_interrupts();
    const int status = join(&merge, &options);
    merge_free(&merge);
    return cli_finish("merge", status);
}
