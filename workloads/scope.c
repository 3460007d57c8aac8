/*
 * What scope.h declares. It leaves out a region of the program's own over malloc: a row without
 * regions is n/a, never imitated. Sources are scope.h's.
 */
#include "workloads/scope.h"

enum { ALIGNMENT = 16 };

const char *const scope_hows[] = {"blocks", "region", NULL};
const unsigned scope_needs[] = {
    [SCOPE_BLOCKS] = BLOCK_NEEDS,
    [SCOPE_REGION] = ALLOCATOR_REGIONS | ALLOCATOR_DISTINCT,
};

static void *region_make(struct worker *worker, struct scope *scope, size_t bytes)
{
    if (!scope->region)
        scope->region = worker->ops->region_create();
    void *object =
        scope->region ? worker->ops->region_alloc(scope->region, bytes, ALIGNMENT) : NULL;
    if (object)
        block_count_made(worker, bytes);
    return object;
}

void *scope_make(struct worker *worker, struct scope *scope, size_t bytes)
{
    void *object =
        scope->how == SCOPE_BLOCKS ? block_make(worker, bytes) : region_make(worker, scope, bytes);

    if (!object)
        return NULL;
    block_touch(object, bytes);
    if (scope->how == SCOPE_BLOCKS)
        scope->slots[scope->count] = (struct slot){.block = object, .bytes = bytes};
    scope->count++;
    scope->bytes += bytes;
    return object;
}

static void region_end(struct worker *worker, struct scope *scope)
{
    worker->operations += scope->count;
    worker->frees += scope->count;
    worker_lose(worker, scope->bytes);
}

void scope_end(struct worker *worker, struct scope *scope)
{
    if (scope->how == SCOPE_BLOCKS) {
        slots_empty(worker, scope->slots, scope->count);
    } else if (scope->region) {
        worker->ops->region_reset(scope->region);
        region_end(worker, scope);
    }
    scope->count = 0;
    scope->bytes = 0;
}

void scope_close(struct worker *worker, struct scope *scope)
{
    scope_end(worker, scope);
    if (scope->region)
        worker->ops->region_destroy(scope->region);
    scope->region = NULL;
}
