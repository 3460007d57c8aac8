/*
 * Interning: one string of each value, in a dict whose references do not count, so that the last
 * name's drop still frees the string. Leaves out strings interned for good, as names in code are
 * from 3.12 on: this is sys.intern, which is mortal in all of them. After CPython 2.7
 * Objects/stringobject.c (PyString_InternInPlace), 3.8, 3.11 and 3.13 Objects/unicodeobject.c.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_INTERN_H
#define TIDEMARK_WORKLOADS_OBJECTS_INTERN_H

#include "workloads/objects/object.h"

/*
 * name = sys.intern(name): the string at `name` becomes the interned one of its value, or gives way
 * to it. Returns 0, or -ENOMEM with the name as it was. The dict is one of the program's objects,
 * made at the first call.
 */
int str_intern(struct runtime *runtime, struct object **name);

/* Called for an interned string whose last reference went: takes it out of the dict. */
void intern_remove(struct runtime *runtime, struct object *string);

/* Gives the dict back; strings that are still held are interned no longer. */
void intern_finish(struct runtime *runtime);

#endif
