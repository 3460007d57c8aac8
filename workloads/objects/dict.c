/*
 * Dicts: see dict.h. Only the way to the layout of the profile, and what both have in common.
 * Leaves out everything that a table looks like. After CPython Objects/dictobject.c.
 */
#include "workloads/objects/dict.h"

#include "workloads/objects/runtime.h"

#include <assert.h>

struct object *dict_new(struct runtime *runtime)
{
    return runtime->profile->dict->new (runtime);
}

int dict_set(struct runtime *runtime, struct object *dict, struct object *key, struct object *value)
{
    assert(key->type->hash);
    return runtime->profile->dict->set(runtime, dict, key, value);
}

struct object *dict_get(const struct runtime *runtime, const struct object *dict,
                        struct object *key)
{
    return runtime->profile->dict->get(dict, key);
}

int dict_delete(struct runtime *runtime, struct object *dict, struct object *key)
{
    return runtime->profile->dict->delete (runtime, dict, key);
}

void dict_clear(struct runtime *runtime, struct object *dict)
{
    runtime->profile->dict->clear(runtime, dict);
}

size_t dict_length(const struct runtime *runtime, const struct object *dict)
{
    return runtime->profile->dict->length(dict);
}

int dict_next(const struct runtime *runtime, const struct object *dict, size_t *position,
              struct object **key, struct object **value)
{
    return runtime->profile->dict->next(dict, position, key, value);
}

void dicts_clear_free_lists(struct runtime *runtime)
{
    runtime->profile->dict->clear_free_lists(runtime);
}

void dict_maintain_tracking(struct runtime *runtime, struct object *dict, const struct object *key,
                            const struct object *value)
{
    if (!object_is_tracked(runtime, dict) &&
        (object_may_be_tracked(runtime, key) || object_may_be_tracked(runtime, value)))
        container_track(runtime, dict);
}
