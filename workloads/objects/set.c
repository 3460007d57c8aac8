/*
 * Sets: see set.h. One struct serves all versions: it is 200 bytes in each. Leaves out the cached
 * hash of a frozenset, and pop with its finger. After CPython Objects/setobject.c (set_add_entry,
 * set_table_resize, set_clear_internal, set_dealloc), 2.7, 3.8, 3.11 and
 * 3.13.
 */
#include "workloads/objects/set.h"

#include "workloads/objects/runtime.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

enum { SMALL_SLOTS = 8 }; /* PySet_MINSIZE */

struct slot {           /* setentry */
    struct object *key; /* NULL: never used; &dead_key: used once */
    uint64_t hash;
};

struct weakref;

struct set { /* PySetObject */
    struct object object;
    size_t fill; /* slots used now or once */
    size_t used;
    size_t mask;
    struct slot *table;
    uint64_t hash;   /* of a frozenset */
    uint64_t finger; /* of pop; on 2.7 the function that looks up */
    struct slot small[SMALL_SLOTS];
    struct weakref *weakrefs;
};

_Static_assert(sizeof(struct set) == 200, "PySetObject");

static struct object dead_key;

static int is_full_2_7(size_t fill, size_t mask)
{
    return fill * 3 >= (mask + 1) * 2;
}

static int is_full_3_7(size_t fill, size_t mask)
{
    return fill * 5 >= mask * 3;
}

const struct set_rule set_rule_2_7 = {.is_full = is_full_2_7, .free_most = 80};
const struct set_rule set_rule_3_7 = {
    .is_full = is_full_3_7, .linear_probes = 9, .reuses_last_dead = 1};

static size_t table_bytes(const struct set *set)
{
    return set->table == set->small ? 0 : (set->mask + 1) * sizeof(struct slot);
}

static size_t set_bytes(const struct runtime *runtime, const struct object *object)
{
    const struct set *set = (const struct set *)object;

    return runtime->profile->gc_head_bytes + sizeof *set + table_bytes(set);
}

static int slot_is_live(const struct slot *slot)
{
    return slot->key && slot->key != &dead_key;
}

static void make_small(struct set *set)
{
    memset(set->small, 0, sizeof set->small);
    set->table = set->small;
    set->mask = SMALL_SLOTS - 1;
    set->fill = 0;
    set->used = 0;
}

/* The walk over the slots where a hash may be: begins at hash & mask. */
struct probe {
    uint64_t base, perturb;
    size_t behind, last; /* the slot looked at is base + behind */
};

static size_t last_behind(const struct set *set, const struct set_rule *rule, uint64_t base)
{
    return base + rule->linear_probes <= set->mask ? rule->linear_probes : 0;
}

static struct probe probe_begin(const struct set *set, const struct set_rule *rule, uint64_t hash)
{
    struct probe probe = {.base = hash & set->mask, .perturb = hash};

    probe.last = last_behind(set, rule, probe.base);
    return probe;
}

static struct slot *probe_slot(const struct set *set, const struct probe *probe)
{
    return &set->table[probe->base + probe->behind];
}

/* 2.7 adds the bits of the hash before it shifts them, later versions after. */
static void probe_next(const struct set *set, const struct set_rule *rule, struct probe *probe)
{
    if (probe->behind < probe->last) {
        probe->behind++;
        return;
    }
    uint64_t before = probe->perturb;
    probe->perturb >>= 5;
    probe->base += probe->base * 4 + 1 + (rule->linear_probes ? probe->perturb : before);
    probe->base &= set->mask;
    probe->behind = 0;
    probe->last = last_behind(set, rule, probe->base);
}

/* The slot of that key, or the one where it would go. */
static struct slot *find_slot(const struct set *set, const struct set_rule *rule,
                              struct object *key, uint64_t hash)
{
    struct probe probe = probe_begin(set, rule, hash);
    struct slot *dead = NULL;

    for (;; probe_next(set, rule, &probe)) {
        struct slot *slot = probe_slot(set, &probe);
        if (!slot->key)
            return dead ? dead : slot;
        if (slot->key == &dead_key) {
            if (!dead || rule->reuses_last_dead)
                dead = slot;
        } else if (slot->key == key || (slot->hash == hash && object_equal(slot->key, key))) {
            return slot;
        }
    }
}

/* set_insert_clean: no key is equal and none is dead. */
static void move_slot(struct set *set, const struct set_rule *rule, const struct slot *from)
{
    struct probe probe = probe_begin(set, rule, from->hash);

    while (probe_slot(set, &probe)->key)
        probe_next(set, rule, &probe);
    *probe_slot(set, &probe) = *from;
    set->fill++;
    set->used++;
}

static void free_table(struct runtime *runtime, struct slot *table, size_t bytes)
{
    if (bytes > 0)
        heap_free(&runtime->heap, runtime->profile->mem_domain, table, bytes);
}

/* The next table for `wanted` members, which it is larger than; the set's own if that is enough. */
static struct slot *new_table(struct runtime *runtime, struct set *set, size_t wanted,
                              size_t *slots)
{
    *slots = SMALL_SLOTS;
    while (*slots <= wanted)
        *slots <<= 1;
    if (*slots == SMALL_SLOTS)
        return set->small;
    return heap_malloc(&runtime->heap, runtime->profile->mem_domain, *slots * sizeof(struct slot));
}

/* set_table_resize: also sweeps out the dead. Returns 0 or -ENOMEM. */
static int resize(struct runtime *runtime, struct set *set, size_t wanted)
{
    struct slot copy[SMALL_SLOTS];
    struct slot *old = set->table;
    size_t old_bytes = table_bytes(set), old_slots = set->mask + 1, slots;
    struct slot *table = new_table(runtime, set, wanted, &slots);

    if (!table)
        return -ENOMEM;
    if (old_bytes == 0)
        old = memcpy(copy, set->small, sizeof copy);
    make_small(set);
    memset(table, 0, slots * sizeof *table);
    set->table = table;
    set->mask = slots - 1;
    for (size_t i = 0; i < old_slots; i++)
        if (slot_is_live(&old[i]))
            move_slot(set, runtime->profile->set, &old[i]);
    runtime_resized(runtime, old_bytes, table_bytes(set));
    free_table(runtime, old, old_bytes);
    return 0;
}

static void kill_slot(struct runtime *runtime, struct set *set, struct slot *slot)
{
    struct object *key = slot->key;

    slot->key = &dead_key;
    slot->hash = 0;
    set->used--;
    object_drop(runtime, key);
}

int set_add(struct runtime *runtime, struct object *object, struct object *key)
{
    struct set *set = (struct set *)object;
    const struct set_rule *rule = runtime->profile->set;
    assert(key->type->hash);
    uint64_t hash = key->type->hash(key);
    struct slot *slot = find_slot(set, rule, key, hash);

    if (slot_is_live(slot))
        return 0;
    set->fill += !slot->key;
    set->used++;
    *slot = (struct slot){.key = object_keep(key), .hash = hash};
    if (!rule->is_full(set->fill, set->mask))
        return 0;
    if (resize(runtime, set, set->used * (set->used > 50000 ? 2 : 4)) == 0)
        return 0;
    kill_slot(runtime, set, slot); /* CPython leaves it there and raises MemoryError */
    return -ENOMEM;
}

int set_contains(const struct runtime *runtime, const struct object *object, struct object *key)
{
    const struct set *set = (const struct set *)object;

    return slot_is_live(find_slot(set, runtime->profile->set, key, key->type->hash(key)));
}

int set_remove(struct runtime *runtime, struct object *object, struct object *key)
{
    struct set *set = (struct set *)object;
    struct slot *slot = find_slot(set, runtime->profile->set, key, key->type->hash(key));

    if (!slot_is_live(slot))
        return -ENOENT;
    kill_slot(runtime, set, slot);
    return 0;
}

static void drop_slots(struct runtime *runtime, const struct slot *table, size_t slots)
{
    for (size_t i = 0; i < slots; i++)
        if (slot_is_live(&table[i]))
            object_drop(runtime, table[i].key);
}

/* The set is empty before the first member goes: that drop may lead back to it. */
void set_clear(struct runtime *runtime, struct object *object)
{
    struct set *set = (struct set *)object;
    struct slot copy[SMALL_SLOTS];
    struct slot *table = set->table;
    size_t bytes = table_bytes(set), slots = set->mask + 1;

    if (bytes == 0)
        table = memcpy(copy, set->small, sizeof copy);
    make_small(set);
    gauge_subtract(runtime->dying_bytes, bytes);
    drop_slots(runtime, table, slots);
    free_table(runtime, table, bytes);
}

size_t set_length(const struct object *object)
{
    return ((const struct set *)object)->used;
}

int set_next(const struct object *object, size_t *position, struct object **key)
{
    const struct set *set = (const struct set *)object;
    size_t at = *position;

    while (at <= set->mask && !slot_is_live(&set->table[at]))
        at++;
    if (at > set->mask)
        return 0;
    *key = set->table[at].key;
    *position = at + 1;
    return 1;
}

static void set_dealloc(struct runtime *runtime, struct object *object)
{
    struct set *set = (struct set *)object;

    container_untrack(runtime, object);
    if (!runtime_enter(runtime, object))
        return;
    if (set->weakrefs)
        weakrefs_clear(runtime, object);
    runtime_dropping(runtime, set_bytes(runtime, object), set->used);
    drop_slots(runtime, set->table, set->mask + 1);
    free_table(runtime, set->table, table_bytes(set));
    if (!free_list_push(&runtime->sets, object, runtime->profile->set->free_most))
        container_free(runtime, object, sizeof *set);
    runtime_leave(runtime);
}

static void set_traverse(struct object *object, object_visitor *visit, void *argument)
{
    struct object *key;
    size_t position = 0;

    while (set_next(object, &position, &key))
        visit(key, argument);
}

static const struct object_type set_type = {
    .name = "set",
    .dealloc = set_dealloc,
    .bytes = set_bytes,
    .traverse = set_traverse,
    .clear = set_clear,
    .weak_list_offset = offsetof(struct set, weakrefs),
};

struct object *set_new(struct runtime *runtime)
{
    struct object *object = free_list_pop(&runtime->sets);

    if (object)
        container_renew(runtime, object);
    else
        object = container_alloc(runtime, sizeof(struct set));
    if (!object)
        return NULL;
    object->references = 1;
    object->type = &set_type;
    make_small((struct set *)object);
    ((struct set *)object)->weakrefs = NULL;
    runtime_made(runtime, set_bytes(runtime, object), 0);
    container_track(runtime, object);
    return object;
}

void sets_clear_free_list(struct runtime *runtime)
{
    struct object *object;

    while ((object = free_list_pop(&runtime->sets)))
        container_free(runtime, object, sizeof(struct set));
}
