/*
 * Frames of a snapshot named: function, file and line of each call, inlined ones too. Leaves out
 * what was not built with debug information: such a frame has its function, or nothing. By libdw of
 * elfutils; a build without it names nothing and says so.
 */
#ifndef TIDEMARK_HARNESS_SNAPSHOT_SYMBOLS_H
#define TIDEMARK_HARNESS_SNAPSHOT_SYMBOLS_H

#include <jansson.h>

/*
 * Appends to each frame of `document` (results/FORMAT.md, snapshot) its calls, innermost first, and
 * notes in "symbols" by what. A file within `root` (NULL: that of tidemark's own sources, where
 * they can be told) is named relative to it. A module that has changed since is left unnamed. Takes
 * some milliseconds a module with debug information.
 */
void snapshot_symbols_add(json_t *document, const char *root);

#endif
