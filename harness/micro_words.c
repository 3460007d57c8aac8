/*
 * What each theme of the micro suite measures, in a sentence. Leaves out figures and limits, which
 * docs/micro.md has.
 */
#include "harness/micro_words.h"

#include <string.h>

const struct micro_words micro_words[] = {
    {"pair", "/size:N", "a malloc and a free",
     "malloc, write one word, free, beside one live block of the size"},
    {"aligned", "/size:N/alignment:N", "an aligned_alloc and a free",
     "the same with aligned_alloc, beside one live block alike"},
    {"calloc", "/reused|fresh/size:N", "a calloc, and its free if reused",
     "reused: calloc, write, free, beside a live block; fresh: 32 MiB held, frees not timed"},
    {"realloc_grow", "/by:F/to:N", "a realloc",
     "a block grows from 16 B by a factor, a word written into each new page, then free"},
    {"batch", "/order:lifo|fifo|random/n:N/size:N", "a malloc and a free",
     "n of malloc and write, then n of free in that order"},
    {"threads", "/size:N/real_time/threads:T", "a malloc and a free, of all threads together",
     "pair on T threads at once, by the clock on the wall"},
    {"remote", "/size:N/real_time/threads:T", "a malloc here and a free there",
     "one thread of each pair allocates, the other frees, through a ring of 1024 blocks"},
    {"region", "/create, /alloc_reset/size:N, /destroy/size:N",
     "a region, or a block of alloc_reset",
     "create an empty one; 1000 blocks, then reset; destroy one of 1000 blocks"},
};

const size_t micro_words_count = sizeof micro_words / sizeof micro_words[0];

size_t micro_words_theme_length(const char *name)
{
    return strcspn(name, "/");
}

const struct micro_words *micro_words_find(const char *name)
{
    size_t length = micro_words_theme_length(name);

    for (size_t i = 0; i < micro_words_count; i++) {
        if (strlen(micro_words[i].theme) == length &&
            strncmp(micro_words[i].theme, name, length) == 0)
            return &micro_words[i];
    }
    return NULL;
}
