/*
 * Interning: see intern.h. Leaves out the interpreter's own names, thousands of them at its start.
 * After CPython Objects/unicodeobject.c (PyUnicode_InternInPlace, unicode_dealloc).
 */
#include "workloads/objects/intern.h"

#include "workloads/objects/runtime.h"

#include <errno.h>

/* Key and value of the dict are the string: these references are not counted. */
enum { UNCOUNTED = 2 };

static int add(struct runtime *runtime, struct object *string)
{
    if (!runtime->interned)
        runtime->interned = dict_new(runtime);
    if (!runtime->interned || dict_set(runtime, runtime->interned, string, string) != 0)
        return -ENOMEM;
    string->references -= UNCOUNTED;
    ((struct str *)string)->interned = 1;
    return 0;
}

int str_intern(struct runtime *runtime, struct object **name)
{
    struct object *string = *name;
    struct object *found = NULL;

    if (((struct str *)string)->interned || ((struct str *)string)->shared)
        return 0;
    if (runtime->interned)
        found = dict_get(runtime, runtime->interned, string);
    if (!found)
        return add(runtime, string);
    object_assign(runtime, name, object_keep(found));
    return 0;
}

/* One reference more than the dict drops: the string is freed by its own dealloc, not again. */
void intern_remove(struct runtime *runtime, struct object *string)
{
    string->references = UNCOUNTED + 1;
    dict_delete(runtime, runtime->interned, string);
}

void intern_finish(struct runtime *runtime)
{
    struct object *key, *value;
    size_t position = 0;

    if (!runtime->interned)
        return;
    while (dict_next(runtime, runtime->interned, &position, &key, &value)) {
        key->references += UNCOUNTED;
        ((struct str *)key)->interned = 0;
    }
    object_assign(runtime, &runtime->interned, NULL);
}
