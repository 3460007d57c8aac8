/*
 * Numbers with units, read strictly and written for people. Leaves out locale: a point is a point.
 */
#include "harness/text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    double factor;
};

static int parse_with_unit(const char *text, const struct unit *units, uint64_t *value)
{
    char *end;

    /* strtod also reads "inf", "0x1p3" and leading space; a size or a duration begins with a digit
     * and has no 'x'. */
    if (text[0] < '0' || text[0] > '9' || text[1] == 'x' || text[1] == 'X')
        return -EINVAL;
    errno = 0;
    double number = strtod(text, &end);
    for (; units->name; units++) {
        if (strcmp(end, units->name) != 0)
            continue;
        double scaled = number * units->factor;
        if (errno || scaled >= 9.2e18)
            return -ERANGE;
        *value = (uint64_t)llround(scaled);
        return 0;
    }
    return -EINVAL;
}

int text_parse_duration(const char *text, uint64_t *duration_ns)
{
    static const struct unit units[] = {{"ns", 1},  {"us", 1e3},   {"ms", 1e6},
                                        {"s", 1e9}, {"min", 60e9}, {NULL, 0}};

    return parse_with_unit(text, units, duration_ns);
}

int text_parse_bytes(const char *text, uint64_t *bytes)
{
    static const struct unit units[] = {
        {"", 1}, {"B", 1}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {NULL, 0}};

    return parse_with_unit(text, units, bytes);
}

int text_parse_number(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *number)
{
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    errno = 0;
    unsigned long long parsed = strtoull(text, &end, 10);
    if (*end)
        return -EINVAL;
    if (errno || parsed < minimum || parsed > maximum)
        return -ERANGE;
    *number = parsed;
    return 0;
}

/* Three significant digits, so that 1.23, 12.3 and 123 take alike room. */
static int decimals(double value)
{
    return value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
}

const char *text_format_duration(char *text, double duration_ns)
{
    static const struct unit units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
    size_t i = 0;

    if (duration_ns == 0) {
        snprintf(text, TEXT_NUMBER_BYTES, "0 s");
        return text;
    }
    while (i + 1 < sizeof units / sizeof units[0] && duration_ns >= 999.5 * units[i].factor)
        i++;
    double value = duration_ns / units[i].factor;
    snprintf(text, TEXT_NUMBER_BYTES, "%.*f %s", decimals(value), value, units[i].name);
    return text;
}

const char *text_format_bytes(char *text, double bytes)
{
    snprintf(text, TEXT_NUMBER_BYTES, "%.1f MB", bytes / 1e6);
    return text;
}

const char *text_format_left(char *text, double seconds)
{
    long whole = lround(seconds);

    if (whole >= 3600)
        snprintf(text, TEXT_NUMBER_BYTES, "%ld h %ld min", whole / 3600, whole % 3600 / 60);
    else if (whole >= 60)
        snprintf(text, TEXT_NUMBER_BYTES, "%ld min %ld s", whole / 60, whole % 60);
    else
        snprintf(text, TEXT_NUMBER_BYTES, "%ld s", whole);
    return text;
}

const char *text_in_brackets(const char *text, char *word, size_t word_bytes)
{
    const char *open = strchr(text, '[');
    const char *close = open ? strchr(open, ']') : NULL;

    if (close)
        snprintf(word, word_bytes, "%.*s", (int)(close - open - 1), open + 1);
    else
        snprintf(word, word_bytes, "%s", text);
    return word;
}

/* Bytes of a control character at `text`: C0 and DEL are one, C1 two in UTF-8; 0 for another. */
static size_t control_length(const unsigned char *text)
{
    if (text[0] < ' ' || text[0] == 0x7f)
        return 1;
    return text[0] == 0xc2 && text[1] >= 0x80 && text[1] < 0xa0 ? 2 : 0;
}

void text_make_printable(char *text)
{
    while (*text) {
        size_t length = control_length((const unsigned char *)text);
        for (size_t i = 0; i < length; i++)
            text[i] = '?';
        text += length ? length : 1;
    }
}

const char *text_quote(const char *word, char *quoted)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "%+,-./:=@_";
    char *at = quoted;

    if (word[0] && !word[strspn(word, safe)])
        return memcpy(quoted, word, strlen(word) + 1);
    *at++ = '\'';
    for (; *word; word++) {
        /* Within single quotes everything stands for itself but the quote, which ends them. */
        if (*word == '\'') {
            memcpy(at, "'\\''", 4);
            at += 4;
        } else {
            *at++ = *word;
        }
    }
    *at++ = '\'';
    *at = '\0';
    return quoted;
}

/* Levenshtein 1965, one row of the table at a time: O(|a|·|b|). */
unsigned text_distance(const char *a, const char *b)
{
    enum { LONGEST = 64 };
    unsigned row[LONGEST];
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);

    if (a_length >= LONGEST || b_length >= LONGEST)
        return LONGEST;
    for (unsigned j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned replace = diagonal + (a[i - 1] != b[j - 1]);
            unsigned shift = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replace < shift ? replace : shift;
        }
    }
    return row[b_length];
}
