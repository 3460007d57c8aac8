/*
 * Tries interpreters in turn by importing what the plots import. Leaves out reading package
 * databases: one can list a module that does not load.
 */
#include "harness/plot_python.h"

#include "harness/process.h"

#include <errno.h>

int plot_python_find(const char **interpreter, char *versions, size_t versions_bytes)
{
    static const char *const candidates[] = {"/usr/bin/python3", "python3", "python"};
    static const char program[] = "import matplotlib, jinja2, PIL, scipy\n"
                                  "print(', '.join('%s %s' % (m.__name__, m.__version__)"
                                  " for m in (matplotlib, jinja2, PIL, scipy)))\n";

    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        const char *const argv[] = {candidates[i], "-c", program, NULL};
        int error = process_ask(argv, versions, versions_bytes);
        if (error == -EINTR)
            return error;
        if (!error) {
            *interpreter = candidates[i];
            return 0;
        }
    }
    return -ENOENT;
}
