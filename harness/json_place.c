/*
 * Sentences of what is refused. Leaves out which, and the name of the file, which its reader adds.
 */
#include "harness/json_place.h"

#include "harness/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int json_place_refuse(const struct json_place *place, const char *format, ...)
{
    va_list words;
    int used = snprintf(place->error, JSON_PLACE_ERROR_BYTES, "%s", place->where);

    va_start(words, format);
    vsnprintf(place->error + used, JSON_PLACE_ERROR_BYTES - (size_t)used, format, words);
    va_end(words);
    text_make_printable(place->error);
    return -EINVAL;
}
