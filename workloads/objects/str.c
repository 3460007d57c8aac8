/*
 * Strings: see str.h. Leaves out 3.11's strings that are not compact, which nothing makes any more.
 * After CPython 2.7 Objects/stringobject.c (PyStringObject_SIZE 37), 3.8, 3.11 and 3.13
 * Objects/unicodeobject.c (PyUnicode_New), Include/cpython/unicodeobject.h.
 */
#include "workloads/objects/str.h"

#include "workloads/objects/runtime.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

static const uint8_t character_bytes[] = {
    [STR_ASCII] = 1, [STR_LATIN1] = 1, [STR_UCS2] = 2, [STR_UCS4] = 4};

static size_t head_bytes_of(const struct runtime *runtime, enum str_kind kind)
{
    return kind == STR_ASCII ? runtime->profile->str_ascii_head_bytes
                             : runtime->profile->str_wide_head_bytes;
}

static size_t content_bytes(const struct str *str)
{
    return str->length * character_bytes[str->kind];
}

/* With the zero at the end, in both getsizeof and as asked for. */
static size_t block_bytes(size_t head_bytes, enum str_kind kind, size_t length)
{
    return head_bytes + (length + 1) * character_bytes[kind];
}

static size_t str_bytes(const struct runtime *runtime, const struct object *object)
{
    const struct str *str = (const struct str *)object;

    (void)runtime;
    return block_bytes(str->head_bytes, (enum str_kind)str->kind, str->length);
}

static uint64_t str_hash(struct object *object)
{
    struct str *str = (struct str *)object;

    if (!str->hash)
        str->hash = bytes_hash(str_characters(object), content_bytes(str));
    return str->hash;
}

static int str_equal(const struct object *object, const struct object *other)
{
    const struct str *str = (const struct str *)object;
    const struct str *second = (const struct str *)other;

    return str->length == second->length && str->kind == second->kind &&
           memcmp(str_characters(object), str_characters(other), content_bytes(str)) == 0;
}

static void str_dealloc(struct runtime *runtime, struct object *object)
{
    const struct str *str = (const struct str *)object;
    size_t bytes = str_bytes(runtime, object);

    if (str->interned)
        intern_remove(runtime, object);
    runtime_dropping(runtime, bytes, str->length);
    heap_free(&runtime->heap, HEAP_OBJECT, object, bytes);
}

static const struct object_type str_type = {
    .name = "str",
    .dealloc = str_dealloc,
    .bytes = str_bytes,
    .hash = str_hash,
    .equal = str_equal,
};

static struct object *str_write(void *block, size_t head_bytes, enum str_kind kind,
                                const void *characters, size_t length)
{
    struct str *str = block;
    unsigned char *content = (unsigned char *)block + head_bytes;
    size_t bytes = length * character_bytes[kind];

    str->object.references = 1;
    str->object.type = &str_type;
    str->length = length;
    str->hash = 0;
    str->kind = (uint8_t)kind;
    str->interned = 0;
    str->shared = 0;
    str->head_bytes = (uint8_t)head_bytes;
    if (bytes > 0)
        memcpy(content, characters, bytes);
    memset(content + bytes, 0, character_bytes[kind]);
    return &str->object;
}

/*
 * Written when it is first asked for; the reference of the store's own keeps it for good. 2.7 makes
 * them on its heap, most of them as it starts.
 */
static struct object *shared_str(struct runtime *runtime, enum str_kind kind,
                                 const unsigned char *characters, size_t length)
{
    struct str_store *store = &runtime->strs;
    void *room = length ? store->characters[*characters] : store->empty;
    struct object *object = room;

    if (object->references == 0)
        str_write(room, head_bytes_of(runtime, kind), kind, characters, length);
    ((struct str *)object)->shared = 1;
    return object_keep(object);
}

struct object *str_new(struct runtime *runtime, enum str_kind kind, const void *characters,
                       size_t length)
{
    assert(kind == STR_ASCII || runtime->profile->major > 2);
    if (length == 0 || (length == 1 && kind <= STR_LATIN1))
        return shared_str(runtime, kind, characters, length);
    if (length > SIZE_MAX / 8)
        return NULL;
    size_t head_bytes = head_bytes_of(runtime, kind);
    size_t bytes = block_bytes(head_bytes, kind, length);
    void *block = heap_malloc(&runtime->heap, HEAP_OBJECT, bytes);
    if (!block)
        return NULL;
    runtime_made(runtime, bytes, length);
    return str_write(block, head_bytes, kind, characters, length);
}

struct object *str_of(struct runtime *runtime, const char *text)
{
    return str_new(runtime, STR_ASCII, text, strlen(text));
}

const void *str_characters(const struct object *object)
{
    return (const char *)object + ((const struct str *)object)->head_bytes;
}

int object_is_str(const struct object *object)
{
    return object->type == &str_type;
}
