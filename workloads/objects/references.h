/*
 * What an object holds and how the program calls it: every reference with its name, for those who
 * look at a heap and do not change it. Leaves out how it is stored, which is each type's. After
 * gc.get_referents() and the labels of Marius Gedminas' objgraph; unlike gc.get_referents() of 3.x
 * it shows keys of dicts that are strings.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_REFERENCES_H
#define TIDEMARK_WORKLOADS_OBJECTS_REFERENCES_H

#include "workloads/objects/object.h"

enum reference_kind {
    REFERENCE_ITEM,      /* of a list, tuple or deque; `index` */
    REFERENCE_KEY,       /* of a dict */
    REFERENCE_VALUE,     /* of a dict, under `key` */
    REFERENCE_MEMBER,    /* of a set */
    REFERENCE_ATTRIBUTE, /* of an instance; its name is the string `key` */
    REFERENCE_SLOT,      /* of an instance with __slots__; `index` */
    REFERENCE_DICT,      /* __dict__ of an instance */
    REFERENCE_FRAME,     /* of a generator of 2.7 */
    REFERENCE_LOCAL,     /* of a frame, or of a generator with its frame in it */
};

struct reference {
    enum reference_kind kind;
    size_t index;
    const struct object *key;
};

typedef void reference_visitor(struct object *child, const struct reference *reference,
                               void *argument);

/*
 * Calls `visit` once for each reference that `object` holds, in the same order each time. It counts
 * and makes nothing; the visitor may change nothing. Costs a walk of the object, and of an instance
 * a lookup for each attribute.
 */
void references_visit(struct runtime *runtime, struct object *object, reference_visitor *visit,
                      void *argument);

enum { REFERENCE_TEXT_BYTES = 48 };

/*
 * The name as a program would write it behind the object: ".next", "[3]", "['abc']". Of a member or
 * a key it is "member" and "key". `text` holds REFERENCE_TEXT_BYTES; what does not fit is cut.
 * Returns `text`.
 */
const char *reference_format(const struct reference *reference, char *text);

/*
 * The value of an int, a float, a string or bytes as repr() begins it, else the length of a list,
 * tuple, dict, set or deque ("3 items"), else "". In printable ASCII; of the rest \xNN. Sizes and
 * return as reference_format.
 */
const char *object_format_value(const struct runtime *runtime, const struct object *object,
                                char *text);

/*
 * Whether the runtime itself holds a reference to `object`, as an interpreter does to its small
 * ints, strings of one character and the empty tuple. Such an object is no object of the program.
 */
int object_is_shared(const struct runtime *runtime, const struct object *object);

#endif
