/*
 * Numbers with units, as a user writes and reads them. Leaves out parameters of workloads, which
 * are workload.h's. A unit that is not named is refused, never guessed.
 */
#ifndef TIDEMARK_HARNESS_TEXT_H
#define TIDEMARK_HARNESS_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum { TEXT_NUMBER_BYTES = 32 };

/* "1ms", "0.5s", "250us", "2min": nanoseconds. Returns 0, or -EINVAL or -ERANGE with `duration_ns`
 * untouched. Thread-safe. */
int text_parse_duration(const char *text, uint64_t *duration_ns);

/* "64KiB", "256MiB", "4GiB", "4096" or "4096B": bytes. Returns 0, -EINVAL or -ERANGE. Thread-safe.
 */
int text_parse_bytes(const char *text, uint64_t *bytes);

/* Digits only. Returns 0, -EINVAL or -ERANGE (outside [minimum, maximum]). Thread-safe. */
int text_parse_number(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *number);

/* "12.3 ms", three significant digits. `text` holds TEXT_NUMBER_BYTES; returned. Thread-safe. */
const char *text_format_duration(char *text, double duration_ns);

/* "318.2 MB" (10^6), for tables. `text` holds TEXT_NUMBER_BYTES;
 * returned. Thread-safe. */
const char *text_format_bytes(char *text, double bytes);

/* "1 min 42 s": for time left. `text` holds TEXT_NUMBER_BYTES; returned. Thread-safe. */
const char *text_format_left(char *text, double seconds);

/*
 * "always [madvise] never": the word in brackets, into `word`; the whole text where there are none.
 * Thread-safe.
 */
const char *text_in_brackets(const char *text, char *word, size_t word_bytes);

/*
 * Replaces what would steer a terminal (C0 and C1 controls, line breaks too) by '?', in place: for
 * text that comes from a file. Thread-safe.
 */
void text_make_printable(char *text);

/*
 * `word` as a POSIX shell reads it back: as it is where that is safe, else in single quotes.
 * `quoted` holds TEXT_QUOTED_BYTES(strlen(word)); returned. Thread-safe.
 */
#define TEXT_QUOTED_BYTES(length) (4 * (length) + 3)
const char *text_quote(const char *word, char *quoted);

/* How many edits (insert, delete, replace) lie between two words; for "did you mean". Words above
 * 63 bytes count as far. Thread-safe. */
unsigned text_distance(const char *a, const char *b);

#endif
