/*
 * The command line of a script of plot/, word by word, from the options of a command. Leaves out
 * running it (cli_run_script of cli.h).
 */
#ifndef TIDEMARK_HARNESS_SCRIPT_WORDS_H
#define TIDEMARK_HARNESS_SCRIPT_WORDS_H

#include "harness/grammar.h"

#include <stddef.h>

enum { SCRIPT_WORDS = 2 * WORKLOAD_PARAMETERS * GRAMMAR_VALUES + 32 };

/* Owns its text; `words` ends with NULL. Starts as {0}. After a failure nothing more is added. */
struct script_words {
    char *words[SCRIPT_WORDS + 1];
    size_t count;
    int failed; /* 0, -E2BIG or -ENOMEM */
};

/* Adds a copy of a word. */
void script_words_add(struct script_words *words, const char *word);

/* Adds "OPTION=VALUE", one word: a value may begin with a dash. */
void script_words_add_value(struct script_words *words, const char *option, const char *value);

/*
 * Adds what says which workload, written as for `tidemark run -w`: --workload NAME, and --parameter
 * NAME=VALUE for each value of each parameter that `text` names, as plans have them. Returns 0, or
 * -EINVAL with a message in `error` (GRAMMAR_ERROR_BYTES).
 */
int script_words_add_workload(struct script_words *words, const char *text, char *error);

/* Returns 0 where every word was added, or what failed, with a message in `error`
 * (GRAMMAR_ERROR_BYTES). */
int script_words_check(const struct script_words *words, char *error);

void script_words_free(struct script_words *words);

#endif
