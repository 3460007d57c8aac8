/*
 * Which interpreter draws. Leaves out drawing (plot/report.py) and the CPython that is measured
 * (harness/host.h).
 */
#ifndef TIDEMARK_HARNESS_PLOT_PYTHON_H
#define TIDEMARK_HARNESS_PLOT_PYTHON_H

#include <stddef.h>

/* What to install where there is none, for messages. */
#define PLOT_PYTHON_PACKAGES "python3-matplotlib python3-jinja2 python3-pil python3-scipy"

/*
 * The first interpreter that has matplotlib, jinja2, PIL and scipy; Debian's comes before any in
 * PATH. It imports them, a few hundred milliseconds. Returns 0 with its name (static storage) and,
 * as "matplotlib 3.6.3, jinja2 3.1.2, PIL 9.4.0", their versions; -ENOENT when there is none;
 * -EINTR when a signal came meanwhile. Outputs are untouched on failure.
 */
int plot_python_find(const char **interpreter, char *versions, size_t versions_bytes);

#endif
