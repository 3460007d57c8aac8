/*
 * The pass `census`: every pool of the object allocator at the end of each phase. Leaves out its
 * format (harness/census.h) and whether its numbers agree (harness/census_check.h).
 */
#include "harness/census.h"
#include "harness/census_check.h"
#include "harness/pass.h"

enum { IDLE_NS = 10000000 };

static int suits(const struct cell *cell)
{
    return cell->way.mode == RETURN_STOCK &&
           (cell->row.object.allocator->capabilities & ALLOCATOR_CENSUS) != 0;
}

static json_t *understand(const struct pass_output *output, char *why)
{
    return census_from_lines(output->text, output->length, output->cell, why);
}

const struct pass census_pass = {
    .name = "census",
    .summary = "each pool of an allocator that can tell of them, for tidemark stats and maps",
    .most_idle_ns = IDLE_NS,
    .suits = suits,
    .understand = understand,
    .check = census_check,
};
