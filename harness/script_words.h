/*
 * The command line of a script of plot/, word by word, from the options of a command. Leaves out
 * running it (cli_run_script_with of cli.h).
 */
#ifndef TIDEMARK_HARNESS_SCRIPT_WORDS_H
#define TIDEMARK_HARNESS_SCRIPT_WORDS_H

#include "harness/grammar.h"

#include <stddef.h>

enum { SCRIPT_WORDS = 2 * WORKLOAD_PARAMETERS * GRAMMAR_VALUES + 32 };

/* Owns its text; `words` ends with NULL. Starts as {0}. */
struct script_words {
    char *words[SCRIPT_WORDS + 1];
    size_t count;
};

/* Adds a copy of a word. Returns 0, -E2BIG or -ENOMEM. */
int script_words_add(struct script_words *words, const char *word);

/* Adds "OPTION=VALUE", one word: a value may begin with a dash. Returns as script_words_add. */
int script_words_add_value(struct script_words *words, const char *option, const char *value);

/*
 * Adds what says which workload, written as for `tidemark run -w`: --workload NAME, and --parameter
 * NAME=VALUE for each value of each parameter that `text` names, as plans have them. Returns 0, or
 * -EINVAL with a message in `error` (GRAMMAR_ERROR_BYTES), or as script_words_add with its text.
 */
int script_words_add_workload(struct script_words *words, const char *text, char *error);

void script_words_free(struct script_words *words);

#endif
