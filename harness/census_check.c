/*
 * The pools are counted, and what is said of them is held to that count. Leaves out repair. Every
 * product here is bounded: an arena has less than 2^36 bytes, a file fewer than 2^18 arenas.
 */
#include "harness/census_check.h"

#include "harness/json_place.h"
#include "harness/page.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ARENA_BYTES (UINT64_C(1) << 36)

/* The pools of one size, as the class says and as they were counted. */
struct size_class {
    uint64_t block_bytes, pools, in_use, available;
    uint64_t pools_seen, in_use_seen;
};

/* One phase. */
struct heap {
    uint64_t arena_bytes, pool_bytes, header_bytes;
    struct size_class *classes; /* ascending by block_bytes */
    size_t class_count;
    uint64_t arenas, pools, pools_unused;
};

_Static_assert((int)CENSUS_ERROR_BYTES == (int)JSON_PLACE_ERROR_BYTES, "one buffer for both");

static int read_whole(const struct json_place *place, const char *key, uint64_t minimum,
                      uint64_t maximum, uint64_t *number)
{
    const json_t *value = json_object_get(place->object, key);
    json_int_t read = json_integer_value(value);

    if (!value)
        return json_place_refuse(place, "%s is missing", key);
    if (!json_is_integer(value) || read < 0)
        return json_place_refuse(place, "%s: wanted a whole number, not negative", key);
    if ((uint64_t)read < minimum || (uint64_t)read > maximum)
        return json_place_refuse(
            place, "%s is %" JSON_INTEGER_FORMAT ", not between %" PRIu64 " and %" PRIu64, key,
            read, minimum, maximum);
    *number = (uint64_t)read;
    return 0;
}

static int read_array(const struct json_place *place, const char *key, const json_t **array)
{
    *array = json_object_get(place->object, key);
    return json_is_array(*array) ? 0 : json_place_refuse(place, "%s: wanted an array", key);
}

/* Printable ASCII, not empty, shorter than `most`. */
static int read_word(const struct json_place *place, const char *key, size_t most,
                     const char **word)
{
    const char *text = json_string_value(json_object_get(place->object, key));
    size_t length = 0;

    while (text && text[length] >= ' ' && text[length] <= '~')
        length++;
    if (!text || text[length] || length == 0 || length >= most)
        return json_place_refuse(place, "%s: wanted 1 to %zu characters of printable ASCII", key,
                                 most - 1);
    *word = text;
    return 0;
}

/* The place of an element, for messages that name it. */
static struct json_place element(const struct json_place *parent, const json_t *object,
                                 const char *array, size_t index)
{
    struct json_place place = {.object = object, .error = parent->error};

    snprintf(place.where, sizeof place.where, "%.36s%s[%zu].", parent->where, array, index);
    return place;
}

static int check_figures(const struct json_place *phase, struct heap *heap)
{
    struct json_place figures = {.object = json_object_get(phase->object, "figures"),
                                 .error = phase->error};
    const char *name;
    json_t *value;

    if (!json_is_object(figures.object))
        return json_place_refuse(phase, "figures: wanted an object");
    snprintf(figures.where, sizeof figures.where, "%.40sfigures.", phase->where);
    json_object_foreach(json_object_get(phase->object, "figures"), name, value)
    {
        if (!json_is_integer(value) || json_integer_value(value) < 0)
            return json_place_refuse(&figures, "%.64s: wanted a whole number, not negative", name);
    }
    if (read_whole(&figures, "arena_bytes", 1, MOST_ARENA_BYTES, &heap->arena_bytes) != 0 ||
        read_whole(&figures, "pool_bytes", 1, heap->arena_bytes, &heap->pool_bytes) != 0)
        return -EINVAL;
    return read_whole(&figures, "pool_header_bytes", 0, heap->pool_bytes - 1, &heap->header_bytes);
}

static uint64_t blocks_per_pool(const struct heap *heap, uint64_t block_bytes)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): read_class takes none below 1 */
    return (heap->pool_bytes - heap->header_bytes) / block_bytes;
}

static int read_class(const struct json_place *place, const struct heap *heap, uint64_t least_bytes,
                      struct size_class *class)
{
    if (!json_is_object(place->object))
        return json_place_refuse(place, "it is no object");
    if (read_whole(place, "block_bytes", least_bytes, heap->pool_bytes - heap->header_bytes,
                   &class->block_bytes) != 0 ||
        read_whole(place, "pools", 1, INT64_MAX, &class->pools) != 0 ||
        read_whole(place, "blocks_in_use", 1, INT64_MAX, &class->in_use) != 0)
        return -EINVAL;
    return read_whole(place, "blocks_available", 0, INT64_MAX, &class->available);
}

static int check_classes(const struct json_place *phase, struct heap *heap)
{
    const json_t *classes;
    uint64_t least_bytes = 1;

    if (read_array(phase, "classes", &classes) != 0)
        return -EINVAL;
    heap->classes = calloc(json_array_size(classes) + 1, sizeof *heap->classes);
    if (!heap->classes) {
        json_place_refuse(phase, "not enough memory for its classes");
        return -ENOMEM;
    }
    for (; heap->class_count < json_array_size(classes); heap->class_count++) {
        const struct json_place place = element(phase, json_array_get(classes, heap->class_count),
                                                "classes", heap->class_count);
        struct size_class *class = &heap->classes[heap->class_count];
        if (read_class(&place, heap, least_bytes, class) != 0)
            return -EINVAL;
        least_bytes = class->block_bytes + 1;
    }
    return 0;
}

static int compare_block_bytes(const void *key, const void *class)
{
    const uint64_t wanted = *(const uint64_t *)key;
    const uint64_t has = ((const struct size_class *)class)->block_bytes;

    return (wanted > has) - (wanted < has);
}

/* Counts one pool. Returns 0, or -EINVAL when no pool is so. */
static int count_pool(struct heap *heap, uint64_t block_bytes, uint64_t in_use)
{
    heap->pools++;
    if (block_bytes == 0 && in_use == 0) {
        heap->pools_unused++;
        return 0;
    }
    struct size_class *class = bsearch(&block_bytes, heap->classes, heap->class_count,
                                       sizeof *heap->classes, compare_block_bytes);
    if (!class || in_use == 0 || in_use > blocks_per_pool(heap, block_bytes))
        return -EINVAL;
    class->pools_seen++;
    class->in_use_seen += in_use;
    return 0;
}

/* A whole number that is not negative, or UINT64_MAX, which no pool has. */
static uint64_t number_at(const json_t *array, size_t index)
{
    const json_t *value = json_array_get(array, index);

    return json_is_integer(value) ? (uint64_t)json_integer_value(value) : UINT64_MAX;
}

static int check_pools(const struct json_place *arena, struct heap *heap, uint64_t base)
{
    const json_t *pools;
    /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): check_figures takes none below 1 */
    const uint64_t begin = base / heap->pool_bytes + (base % heap->pool_bytes != 0);
    const uint64_t end = (base + heap->arena_bytes) / heap->pool_bytes;
    const uint64_t wanted = end > begin ? end - begin : 0;

    if (read_array(arena, "pools", &pools) != 0)
        return -EINVAL;
    if (json_array_size(pools) != 2 * wanted)
        return json_place_refuse(arena, "pools has %zu numbers, where there are %" PRIu64 " pools",
                                 json_array_size(pools), wanted);
    for (size_t i = 0; i < json_array_size(pools); i += 2) {
        if (count_pool(heap, number_at(pools, i), number_at(pools, i + 1)) != 0)
            return json_place_refuse(
                arena,
                "pools[%zu]: neither 0,0 nor the block_bytes of a class and as many "
                "blocks in use as fit",
                i);
    }
    return 0;
}

/* "0x7f0123400000", of an arena that does not wrap. */
static int read_base(const struct json_place *arena, const struct heap *heap, uint64_t *base)
{
    const char *text = json_string_value(json_object_get(arena->object, "base"));
    const size_t digits = text && strncmp(text, "0x", 2) == 0 ? strlen(text + 2) : 0;

    if (digits == 0 || digits > 16 || strspn(text + 2, "0123456789abcdef") != digits)
        return json_place_refuse(arena, "base: wanted an address, as 0x7f0123400000");
    *base = strtoull(text + 2, NULL, 16);
    return *base <= UINT64_MAX - heap->arena_bytes
               ? 0
               : json_place_refuse(arena, "base: its arena would pass the end of memory");
}

static int check_arenas(const struct json_place *phase, struct heap *heap)
{
    const json_t *arenas;
    uint64_t base = 0, least = 0;

    if (read_array(phase, "arenas", &arenas) != 0)
        return -EINVAL;
    for (; heap->arenas < json_array_size(arenas); heap->arenas++) {
        const struct json_place arena =
            element(phase, json_array_get(arenas, heap->arenas), "arenas", heap->arenas);
        if (read_base(&arena, heap, &base) != 0)
            return -EINVAL;
        if (base < least)
            return json_place_refuse(&arena, "base: not above the arena before");
        least = base + heap->arena_bytes;
        if (check_pools(&arena, heap, base) != 0)
            return -EINVAL;
    }
    return 0;
}

static int check_class_sums(const struct json_place *phase, const struct heap *heap)
{
    for (size_t i = 0; i < heap->class_count; i++) {
        const struct size_class *class = &heap->classes[i];
        const uint64_t blocks = class->pools_seen * blocks_per_pool(heap, class->block_bytes);
        if (class->pools != class->pools_seen || class->in_use != class->in_use_seen ||
            class->available != blocks - class->in_use_seen)
            return json_place_refuse(
                phase,
                "classes[%zu] has %" PRIu64 " pools, %" PRIu64 " blocks in use and %" PRIu64
                " available, its arenas have %" PRIu64 ", %" PRIu64 " and %" PRIu64,
                i, class->pools, class->in_use, class->available, class->pools_seen,
                class->in_use_seen, blocks - class->in_use_seen);
    }
    return 0;
}

/* What a figure is to be, from the pools that were counted. */
static void add_up(const struct heap *heap, uint64_t *allocated, uint64_t *available,
                   uint64_t *quantization)
{
    *allocated = *available = *quantization = 0;
    for (size_t i = 0; i < heap->class_count; i++) {
        const struct size_class *class = &heap->classes[i];
        *allocated += class->in_use * class->block_bytes;
        *available += class->available * class->block_bytes;
        *quantization +=
            class->pools * ((heap->pool_bytes - heap->header_bytes) % class->block_bytes);
    }
}

/* A figure that is there is what was counted. */
static int check_figure(const struct json_place *phase, const char *name, uint64_t counted)
{
    const json_t *figure = json_object_get(json_object_get(phase->object, "figures"), name);

    if (!figure || (uint64_t)json_integer_value(figure) == counted)
        return 0;
    return json_place_refuse(phase,
                             "figures.%s is %" JSON_INTEGER_FORMAT ", its arenas have %" PRIu64,
                             name, json_integer_value(figure), counted);
}

static int check_figure_sums(const struct json_place *phase, const struct heap *heap)
{
    uint64_t allocated, available, quantization;

    add_up(heap, &allocated, &available, &quantization);
    const struct {
        const char *name;
        uint64_t counted;
    } figures[] = {
        {"arenas_current", heap->arenas},
        {"pools_unused", heap->pools_unused},
        {"allocated_bytes", allocated},
        {"available_bytes", available},
        {"header_bytes", (heap->pools - heap->pools_unused) * heap->header_bytes},
        {"quantization_bytes", quantization},
        {"alignment_bytes", heap->arenas * heap->arena_bytes - heap->pools * heap->pool_bytes},
    };

    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        if (check_figure(phase, figures[i].name, figures[i].counted) != 0)
            return -EINVAL;
    }
    return 0;
}

static int check_heap(const struct json_place *phase, struct heap *heap)
{
    if (check_figures(phase, heap) != 0)
        return -EINVAL;
    int failed = check_classes(phase, heap);
    if (failed)
        return failed;
    if (check_arenas(phase, heap) != 0 || check_class_sums(phase, heap) != 0)
        return -EINVAL;
    return check_figure_sums(phase, heap);
}

static int check_phase(const struct json_place *phase)
{
    struct heap heap = {0};
    const char *name;
    uint64_t bytes;

    if (!json_is_object(phase->object))
        return json_place_refuse(phase, "it is no object");
    if (read_word(phase, "name", sizeof((struct page_phase *)0)->name, &name) != 0 ||
        read_whole(phase, "object_bytes", 0, INT64_MAX, &bytes) != 0 ||
        read_whole(phase, "live_bytes", 0, INT64_MAX, &bytes) != 0)
        return -EINVAL;
    int failed = check_heap(phase, &heap);
    free(heap.classes);
    return failed;
}

int census_check(const json_t *census, char *error)
{
    const struct json_place place = {.object = census, .error = error};
    const json_t *phases, *phase;
    const char *version;
    uint64_t number;
    size_t i;

    if (!json_is_object(census))
        return json_place_refuse(&place, "it is no object");
    if (read_whole(&place, "format", CENSUS_FORMAT, CENSUS_FORMAT, &number) != 0 ||
        read_whole(&place, "cell", 0, INT64_MAX, &number) != 0 ||
        read_word(&place, "version", ALLOCATOR_TEXT_BYTES, &version) != 0 ||
        read_array(&place, "phases", &phases) != 0)
        return -EINVAL;
    if (json_array_size(phases) == 0 || json_array_size(phases) > PAGE_PHASES)
        return json_place_refuse(&place, "phases: wanted 1 to %d", PAGE_PHASES);
    json_array_foreach(phases, i, phase)
    {
        const struct json_place at = element(&place, phase, "phases", i);
        int failed = check_phase(&at);
        if (failed)
            return failed;
    }
    return 0;
}
