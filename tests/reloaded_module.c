/*
 * A library that comes and goes, for `recorded_program reload`: built twice, with frames of two
 * sizes and the same code otherwise, so that the loader puts the second where the first was and its
 * return addresses are those of the first. Who takes the one's frame for the other's finds the
 * stack at its end: all words that it has are return addresses into _start.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>

void *reloaded_ask(size_t bytes);

void *reloaded_ask(size_t bytes)
{
    enum { INTO_START = 16 };
    volatile uintptr_t room[FRAME_WORDS];

    for (size_t i = 0; i < FRAME_WORDS; i++)
        room[i] = (uintptr_t)getauxval(AT_ENTRY) + INTO_START;
    void *block = malloc(bytes);
    room[1] = room[0];
    return block;
}
