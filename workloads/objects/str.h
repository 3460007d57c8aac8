/*
 * Strings: a head that depends on the version and on the widest character, and the characters, in
 * one block. On 2.7 this is str, of bytes; its unicode, two blocks each, is left
 * out, and so are the methods and the cached UTF-8 form. After CPython 2.7 Objects/stringobject.c,
 * 3.8, 3.11 and 3.13 Objects/unicodeobject.c (PyUnicode_New).
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_STR_H
#define TIDEMARK_WORKLOADS_OBJECTS_STR_H

#include "workloads/objects/bytes.h"
#include "workloads/objects/object.h"

/* PEP 393: by the widest character. 2.7 has only STR_ASCII, which there holds any byte. */
enum str_kind { STR_ASCII, STR_LATIN1, STR_UCS2, STR_UCS4 };

struct str { /* what PyStringObject, PyASCIIObject and PyCompactUnicodeObject have in common */
    struct object object;
    size_t length;
    uint64_t hash; /* 0: not computed yet */
    uint8_t kind;
    uint8_t interned;
    uint8_t shared;     /* of one character or none: there is no other of its value */
    uint8_t head_bytes; /* the characters begin there; of the state's four bytes in CPython too */
};

enum { SHARED_STR_ROOM = 80 };

/* The runtime's strings of one character up to 255, and of none. */
struct str_store {
    _Alignas(8) unsigned char characters[SHARED_CHARACTERS][SHARED_STR_ROOM];
    _Alignas(8) unsigned char empty[SHARED_STR_ROOM];
};

/*
 * A reference to a string of `length` characters copied from `characters`, of 1, 1, 2 or 4 bytes
 * each by kind; or NULL when memory ran out. The kind is that of the widest character among them,
 * which the caller has to see to. Empty ones and single ones up to 255 are shared.
 */
struct object *str_new(struct runtime *runtime, enum str_kind kind, const void *characters,
                       size_t length);

/* The same of a C string in ASCII. */
struct object *str_of(struct runtime *runtime, const char *text);

/* The characters of a string; of ASCII and of 2.7 ended by a zero. */
const void *str_characters(const struct object *object);

/* Whether `object` is a string, and so a key of a dict whose keys are strings. */
int object_is_str(const struct object *object);

#endif
