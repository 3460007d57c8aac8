/*
 * Bytes: see bytes.h. Leaves out what the interpreter makes without copying. After CPython
 * Objects/bytesobject.c, 3.8, 3.11 and 3.13 (PyBytes_FromStringAndSize).
 */
#include "workloads/objects/bytes.h"

#include "workloads/objects/runtime.h"

#include <stdint.h>
#include <string.h>

_Static_assert(sizeof(struct bytes) == 32, "PyBytesObject without its characters");
_Static_assert(sizeof(struct bytes) + 2 <= SHARED_BYTES_ROOM, "one character and a zero");

uint64_t bytes_hash(const void *data, size_t size)
{
    const unsigned char *character = data;
    uint64_t hash = UINT64_C(0xCBF29CE484222325);

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ character[i]) * UINT64_C(0x100000001B3);
    hash ^= hash >> 32; /* a table looks at the low bits */
    return hash ? hash : 1;
}

/* PyBytesObject_SIZE is 33: to the last byte, with no padding, both in getsizeof and as asked. */
static size_t block_bytes(size_t size)
{
    return sizeof(struct bytes) + size + 1;
}

static size_t bytes_bytes(const struct runtime *runtime, const struct object *object)
{
    (void)runtime;
    return block_bytes(((const struct bytes *)object)->size);
}

static uint64_t bytes_object_hash(struct object *object)
{
    struct bytes *bytes = (struct bytes *)object;

    if (!bytes->hash)
        bytes->hash = bytes_hash(bytes->data, bytes->size);
    return bytes->hash;
}

static int bytes_equal(const struct object *object, const struct object *other)
{
    const struct bytes *bytes = (const struct bytes *)object;
    const struct bytes *second = (const struct bytes *)other;

    return bytes->size == second->size && memcmp(bytes->data, second->data, bytes->size) == 0;
}

static void bytes_dealloc(struct runtime *runtime, struct object *object)
{
    size_t size = ((struct bytes *)object)->size;

    runtime_dropping(runtime, block_bytes(size), size);
    heap_free(&runtime->heap, HEAP_OBJECT, object, block_bytes(size));
}

static const struct object_type bytes_type = {
    .name = "bytes",
    .dealloc = bytes_dealloc,
    .bytes = bytes_bytes,
    .hash = bytes_object_hash,
    .equal = bytes_equal,
};

static struct object *bytes_write(void *block, const void *data, size_t size)
{
    struct bytes *bytes = block;

    bytes->object.references = 1;
    bytes->object.type = &bytes_type;
    bytes->size = size;
    bytes->hash = 0;
    if (size > 0)
        memcpy(bytes->data, data, size);
    bytes->data[size] = 0;
    return &bytes->object;
}

/* Written when it is first asked for; the reference of the store's own keeps it for good. */
static struct object *shared_bytes(struct bytes_store *store, const unsigned char *data,
                                   size_t size)
{
    void *room = size ? store->characters[*data] : store->empty;
    struct object *object = room;

    if (object->references == 0)
        bytes_write(room, data, size);
    return object_keep(object);
}

struct object *bytes_new(struct runtime *runtime, const void *data, size_t size)
{
    if (runtime->profile->major == 2)
        return str_new(runtime, STR_ASCII, data, size);
    if (size <= 1)
        return shared_bytes(&runtime->bytes, data, size);
    if (size > SIZE_MAX / 2)
        return NULL;
    void *block = heap_malloc(&runtime->heap, HEAP_OBJECT, block_bytes(size));
    if (!block)
        return NULL;
    runtime_made(runtime, block_bytes(size), size);
    return bytes_write(block, data, size);
}
