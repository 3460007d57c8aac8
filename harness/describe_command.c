/*
 * Words quoted and joined: see describe_command.h. Leaves out the rest of words above 79 bytes.
 */
#include "harness/describe_command.h"

#include "harness/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns the byte behind, or NULL where there is no room. */
static char *put_byte(char *at, const char *end, unsigned char byte)
{
    const int is_plain = byte >= ' ' && byte <= '~' && byte != '%';

    if (end - at < 4)
        return NULL;
    return at + snprintf(at, (size_t)(end - at), is_plain ? "%c" : "%%%02X", byte);
}

static char *put_word(char *at, const char *end, const char *word)
{
    char *quoted = malloc(TEXT_QUOTED_BYTES(strlen(word)));

    if (!quoted)
        return NULL;
    text_quote(word, quoted);
    for (const char *from = quoted; *from && at; from++)
        at = put_byte(at, end, (unsigned char)*from);
    free(quoted);
    return at;
}

int describe_command_exactly(char *const *argv, char *text, size_t bytes)
{
    const char *end = text + bytes;
    char *at = text;

    for (size_t i = 0; argv[i] && at; i++) {
        if (i > 0)
            at = put_byte(at, end, ' ');
        if (at)
            at = put_word(at, end, argv[i]);
    }
    if (!at)
        return -E2BIG;
    *at = '\0';
    return 0;
}

const char *describe_command(char *const *argv, char *text)
{
    enum { WORD_BYTES = 80 };
    char quoted[TEXT_QUOTED_BYTES(WORD_BYTES)], word[WORD_BYTES];
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; argv[i] && used < DESCRIBE_COMMAND_BYTES - 1; i++) {
        snprintf(word, sizeof word, "%s", argv[i]);
        snprintf(text + used, DESCRIBE_COMMAND_BYTES - used, "%s%s", i ? " " : "",
                 text_quote(word, quoted));
        used = strlen(text);
    }
    text_make_printable(text);
    return text;
}
