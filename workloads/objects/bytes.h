/*
 * Bytes: the object and its characters in one block. On 2.7 bytes are str (str.h).
 * Leaves out bytearray and the methods. After CPython Objects/bytesobject.c, 3.8, 3.11 and 3.13
 * (PyBytesObject_SIZE 33).
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_BYTES_H
#define TIDEMARK_WORKLOADS_OBJECTS_BYTES_H

#include "workloads/objects/object.h"

struct bytes { /* PyBytesObject; a zero follows the last character */
    struct object object;
    size_t size;
    uint64_t hash; /* 0: not computed yet */
    unsigned char data[];
};

enum { SHARED_CHARACTERS = 256, SHARED_BYTES_ROOM = 40 };

/* The runtime's bytes of one character and of none: part of the interpreter, not of the heap. */
struct bytes_store {
    _Alignas(8) unsigned char characters[SHARED_CHARACTERS][SHARED_BYTES_ROOM];
    _Alignas(8) unsigned char empty[SHARED_BYTES_ROOM];
};

/*
 * A reference to bytes with a copy of `data`, or NULL when memory ran out. Of length 0 and 1 they
 * are shared.
 */
struct object *bytes_new(struct runtime *runtime, const void *data, size_t size);

/* FNV-1a, never 0: the hash of bytes and of strings. */
uint64_t bytes_hash(const void *data, size_t size);

#endif
