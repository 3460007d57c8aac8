/*
 * What a word of one kind may become: the names in the registries, and files. Leaves out which kind
 * a command line wants (harness/cli_complete.c), backslashes in a word, and quoting, which is the
 * shell's.
 */
#ifndef TIDEMARK_HARNESS_COMPLETE_H
#define TIDEMARK_HARNESS_COMPLETE_H

#include <stdio.h>

/* A word as far as it is typed. */
struct completion {
    FILE *out;
    const char *head; /* stands before each word that is printed: "--host=", or "" */
    const char *word; /* what is completed, without the head */
};

/*
 * Prints `name`, or its first `length` bytes, when it begins with `typed`, which points into
 * `completion->word`; what comes before it stays as it is. `tail` follows the name unless it is
 * NUL; a summary follows after a tab unless it is NULL.
 */
void complete_offer(const struct completion *completion, const char *typed, const char *name,
                    size_t length, char tail, const char *summary);

/*
 * Prints all words of that kind: ROW, WORKLOAD, SUITE, HOST, RUN, FOLDER and CHECK as in the help
 * texts, or choices, "allocators|suites". One that can go on ends with : = or /. Of another kind,
 * such as TIME, there is nothing to print.
 */
void complete_kind(const struct completion *completion, const char *kind);

#endif
