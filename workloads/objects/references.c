/*
 * Names of references: see references.h. A type that traverse() alone shows is named by the order
 * in which it shows them. Leaves out names of locals, which byte code would have. After objgraph's
 * _edge_label().
 */
#include "workloads/objects/references.h"

#include "workloads/objects/runtime.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- What sort of object it is: a class may be called as it likes, a built-in type may not. --- */

enum sort {
    SORT_OTHER,
    SORT_INSTANCE,
    SORT_LIST,
    SORT_TUPLE,
    SORT_DICT,
    SORT_SET,
    SORT_DEQUE,
    SORT_INT,
    SORT_FLOAT,
    SORT_STR,
    SORT_BYTES,
    SORT_FRAME,
};

static enum sort sort_of(const struct object *object)
{
    static const struct {
        const char *name;
        enum sort sort;
    } sorts[] = {
        {"list", SORT_LIST}, {"tuple", SORT_TUPLE}, {"dict", SORT_DICT},   {"set", SORT_SET},
        {"int", SORT_INT},   {"float", SORT_FLOAT}, {"deque", SORT_DEQUE}, {"bytes", SORT_BYTES},
        {"str", SORT_STR},   {"frame", SORT_FRAME},
    };

    if (object_is_instance(object))
        return SORT_INSTANCE;
    for (size_t i = 0; i < sizeof sorts / sizeof sorts[0]; i++)
        if (strcmp(object->type->name, sorts[i].name) == 0)
            return sorts[i].sort;
    return SORT_OTHER;
}

/* --- References. --- */

/* For types that are walked by traverse(); `index` is of the next name to look at. */
struct walk {
    const struct runtime *runtime;
    const struct object *object;
    enum sort sort;
    size_t index;
    reference_visitor *visit;
    void *argument;
};

/* As instance_traverse: the slots that are set, or the attributes that are set, then the dict. */
static struct reference name_of_instance(struct walk *walk, const struct object *child)
{
    const struct instance_class *class = (const struct instance_class *)walk->object->type;
    struct reference reference = {.kind = REFERENCE_DICT};

    for (; walk->index < class->slots; walk->index++) {
        if (instance_get_slot(walk->object, walk->index) != child)
            continue;
        reference.kind = REFERENCE_SLOT;
        reference.index = walk->index++;
        return reference;
    }
    for (; class->names && walk->index < (size_t) class->names->items; walk->index++) {
        struct object *name = *dict_keys_key(class->names, (int64_t)walk->index);
        if (instance_get(walk->runtime, walk->object, name) != child)
            continue;
        walk->index++;
        reference.kind = REFERENCE_ATTRIBUTE;
        reference.key = name;
        return reference;
    }
    return reference;
}

static void visit_traversed(struct object *child, void *argument)
{
    struct walk *walk = argument;
    struct reference reference = {.kind = REFERENCE_LOCAL, .index = walk->index};

    if (walk->sort == SORT_INSTANCE) {
        reference = name_of_instance(walk, child);
    } else {
        if (walk->sort == SORT_SET)
            reference.kind = REFERENCE_MEMBER;
        else if (walk->sort == SORT_DEQUE)
            reference.kind = REFERENCE_ITEM;
        else if (sort_of(child) == SORT_FRAME)
            reference.kind = REFERENCE_FRAME;
        walk->index++;
    }
    walk->visit(child, &reference, walk->argument);
}

/* From the first to the last, where traverse() goes the other way. */
static void visit_items(struct object *const *items, size_t size, reference_visitor *visit,
                        void *argument)
{
    struct reference reference = {.kind = REFERENCE_ITEM};

    for (; reference.index < size; reference.index++)
        if (items[reference.index])
            visit(items[reference.index], &reference, argument);
}

/* With the keys that are strings, which traverse() of 3.x leaves out; those of a split dict are
 * held by the table that it shares. */
static void visit_dict(const struct runtime *runtime, const struct object *dict,
                       reference_visitor *visit, void *argument)
{
    const struct reference as_key = {.kind = REFERENCE_KEY};
    struct reference as_value = {.kind = REFERENCE_VALUE};
    struct object *key, *value;
    const int is_split = dict_is_split(runtime, dict);
    size_t position = 0;

    while (dict_next(runtime, dict, &position, &key, &value)) {
        as_value.key = key;
        if (!is_split)
            visit(key, &as_key, argument);
        visit(value, &as_value, argument);
    }
}

void references_visit(struct runtime *runtime, struct object *object, reference_visitor *visit,
                      void *argument)
{
    struct walk walk = {
        .runtime = runtime,
        .object = object,
        .visit = visit,
        .argument = argument,
    };

    if (!object_is_container(object))
        return;
    walk.sort = sort_of(object);
    if (walk.sort == SORT_LIST)
        visit_items(((struct list *)object)->items, ((struct list *)object)->size, visit, argument);
    else if (walk.sort == SORT_TUPLE)
        visit_items(((struct tuple *)object)->items, ((struct tuple *)object)->size, visit,
                    argument);
    else if (walk.sort == SORT_DICT)
        visit_dict(runtime, object, visit, argument);
    else
        object->type->traverse(object, visit_traversed, &walk);
}

/* --- Text. --- */

static uint32_t character_at(const struct str *str, size_t index)
{
    const void *characters = str_characters(&str->object);

    switch ((enum str_kind)str->kind) {
    case STR_UCS2:
        return ((const uint16_t *)characters)[index];
    case STR_UCS4:
        return ((const uint32_t *)characters)[index];
    default:
        return ((const unsigned char *)characters)[index];
    }
}

/* "abc" as it is written in source, without quotes; cut with dots after `room` bytes. */
static void escape(const struct object *object, int is_str, char *text, size_t room)
{
    const struct bytes *bytes = (const struct bytes *)object;
    const struct str *str = (const struct str *)object;
    size_t length = is_str ? str->length : bytes->size;
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < length; i++) {
        char one[16];
        uint32_t code = is_str ? character_at(str, i) : bytes->data[i];
        int is_plain = code >= ' ' && code <= '~' && code != '\'' && code != '\\';
        int wrote = is_plain ? snprintf(one, sizeof one, "%c", (char)code)
                             : snprintf(one, sizeof one,
                                        code > 0xff ? "\\u%04" PRIx32 : "\\x%02" PRIx32, code);
        if (used + (size_t)wrote + sizeof "..." > room) {
            snprintf(text + used, room - used, "...");
            return;
        }
        memcpy(text + used, one, (size_t)wrote + 1);
        used += (size_t)wrote;
    }
}

/* The shortest digits that are read back as the same value, with a point in them. */
static void format_float(double value, char *text)
{
    char digits[REFERENCE_TEXT_BYTES];
    int precision = 15;

    do
        snprintf(digits, sizeof digits, "%.*g", precision, value);
    while (strtod(digits, NULL) != value && value == value && ++precision <= 17);
    snprintf(text, REFERENCE_TEXT_BYTES, "%.*s%s", REFERENCE_TEXT_BYTES - 3, digits,
             strpbrk(digits, ".en") ? "" : ".0");
}

static void format_length(size_t length, char *text)
{
    snprintf(text, REFERENCE_TEXT_BYTES, "%zu item%s", length, length == 1 ? "" : "s");
}

const char *object_format_value(const struct runtime *runtime, const struct object *object,
                                char *text)
{
    char content[REFERENCE_TEXT_BYTES - 4];
    enum sort sort = sort_of(object);

    text[0] = '\0';
    if (sort == SORT_INT)
        snprintf(text, REFERENCE_TEXT_BYTES, "%" PRId64, int_value(object));
    else if (sort == SORT_FLOAT)
        format_float(float_value(object), text);
    else if (sort == SORT_LIST)
        format_length(((const struct list *)object)->size, text);
    else if (sort == SORT_TUPLE)
        format_length(((const struct tuple *)object)->size, text);
    else if (sort == SORT_DICT)
        format_length(dict_length(runtime, object), text);
    else if (sort == SORT_SET)
        format_length(set_length(object), text);
    else if (sort == SORT_DEQUE)
        format_length(deque_length(object), text);
    if (sort != SORT_STR && sort != SORT_BYTES)
        return text;
    escape(object, sort == SORT_STR, content, sizeof content);
    snprintf(text, REFERENCE_TEXT_BYTES, "%s'%s'", sort == SORT_BYTES ? "b" : "", content);
    return text;
}

const char *reference_format(const struct reference *reference, char *text)
{
    static const char *const plain[] = {
        [REFERENCE_KEY] = "key",        [REFERENCE_MEMBER] = "member",
        [REFERENCE_DICT] = ".__dict__", [REFERENCE_FRAME] = ".gi_frame",
        [REFERENCE_LOCAL] = "local",
    };
    char key[REFERENCE_TEXT_BYTES] = "";

    switch (reference->kind) {
    case REFERENCE_ITEM:
        snprintf(text, REFERENCE_TEXT_BYTES, "[%zu]", reference->index);
        break;
    case REFERENCE_SLOT:
        snprintf(text, REFERENCE_TEXT_BYTES, ".slot%zu", reference->index);
        break;
    case REFERENCE_ATTRIBUTE:
        escape(reference->key, 1, key, sizeof key - 1);
        snprintf(text, REFERENCE_TEXT_BYTES, ".%.*s", REFERENCE_TEXT_BYTES - 2, key);
        break;
    case REFERENCE_VALUE:
        /* The runtime is only asked for the length of a dict, which is no key. */
        object_format_value(NULL, reference->key, key);
        snprintf(text, REFERENCE_TEXT_BYTES, "[%.*s]", REFERENCE_TEXT_BYTES - 3,
                 key[0] ? key : reference->key->type->name);
        break;
    default:
        snprintf(text, REFERENCE_TEXT_BYTES, "%s", plain[reference->kind]);
    }
    return text;
}

/* --- The runtime's own. --- */

static int is_within(const void *store, size_t bytes, const struct object *object)
{
    return (uintptr_t)object - (uintptr_t)store < bytes;
}

int object_is_shared(const struct runtime *runtime, const struct object *object)
{
    if (object == runtime->tuples.empty ||
        is_within(&runtime->strs, sizeof runtime->strs, object) ||
        is_within(&runtime->bytes, sizeof runtime->bytes, object))
        return 1;
    if (sort_of(object) != SORT_INT)
        return 0;
    int64_t value = int_value(object);
    return value >= INT_SMALLEST_SHARED && value <= INT_LARGEST_SHARED &&
           runtime->ints.shared[value - INT_SMALLEST_SHARED] == object;
}
