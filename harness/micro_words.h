/*
 * The themes of the micro suite in words, for its help and its tables. Leaves out how each is
 * measured (harness/micro/theme.h).
 */
#ifndef TIDEMARK_HARNESS_MICRO_WORDS_H
#define TIDEMARK_HARNESS_MICRO_WORDS_H

#include <stddef.h>

struct micro_words {
    const char *theme; /* the first part of a benchmark's name */
    const char *names; /* the parts that follow, as a pattern */
    const char *item;  /* what nanoseconds are given for */
    const char *summary;
};

extern const struct micro_words micro_words[];
extern const size_t micro_words_count;

/* The words of the theme that `name`, a theme or a benchmark of it, belongs to; NULL where there
 * are none. */
const struct micro_words *micro_words_find(const char *name);

/* The length of the theme at the start of a benchmark's name. */
size_t micro_words_theme_length(const char *name);

#endif
