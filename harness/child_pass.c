/*
 * The passes that tidemark-child can make. Leaves out what they do: one file each,
 * harness/NAME_child.c.
 */
#include "harness/child_pass.h"

#include "harness/census_child.h"
#include "harness/latency_child.h"
#include "harness/ledger_child.h"
#include "harness/pages_child.h"

#include <string.h>

static const struct child_pass *const registry[] = {&census_child_pass, &latency_child_pass,
                                                    &ledger_child_pass, &pages_child_pass};

const struct child_pass *child_pass_find(const char *name)
{
    for (size_t i = 0; i < sizeof registry / sizeof registry[0]; i++) {
        if (strcmp(registry[i]->name, name) == 0)
            return registry[i];
    }
    return NULL;
}
