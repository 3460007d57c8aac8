/*
 * Words quoted and joined: see describe_command.h. Leaves out the rest of words above 79 bytes.
 */
#include "harness/describe_command.h"

#include "harness/text.h"

#include <stdio.h>
#include <string.h>

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
