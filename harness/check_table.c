/*
 * The table of checks. Leaves out the sizes and bounds of each, which stand in its own file.
 */
#include "harness/check.h"

#include "allocators/allocator.h"

#include <stdio.h>
#include <string.h>

#define SERVES_ITSELF   "the sanitizer serves malloc itself: what glibc would have served is not seen"
#define REPORTS_ITSELF  "the sanitizer reports a size that it refuses"
#define KEEPS_MEMORY    "a sanitizer keeps freed blocks aside and memory of its own"
#define NEEDS_SPACE     "a sanitizer ends the process when its own memory meets the limit"
#define MAY_NOT_FORK    "a sanitizer does not support a fork of a process with threads"
#define MALLOC_AND_FREE (ALLOCATOR_MALLOC | ALLOCATOR_FREE)
#define DISTINCT_BLOCKS (MALLOC_AND_FREE | ALLOCATOR_DISTINCT)
#define THREADED_BLOCKS (DISTINCT_BLOCKS | ALLOCATOR_THREADS)

const struct check check_table[] = {
    {"opens", "a fresh process can open the row, and it serves a first block", 0, NULL,
     check_opens},
    {"functions_agree", "each capability has its function, each function its capability", 0, NULL,
     check_functions_agree},
    {"describes_itself", "the required fields are filled, and there is a version", 0, NULL,
     check_describes_itself},
    {"own_file", "the row is served by the file that it names", 0, NULL, check_own_file},
    {"no_other_malloc", "no other malloc library is loaded beside it", 0, NULL,
     check_no_other_malloc},
    {"glibc_aside", "glibc's malloc serves the rows of glibc and no other, by its own count", 0,
     SERVES_ITSELF, check_glibc_aside},
    {"large_from_beneath", "a pool allocator takes large blocks from the one beneath it", 0,
     SERVES_ITSELF, check_large_from_beneath},

    {"alignment", "blocks of 1 to 70000 bytes are aligned to 16, below 16 bytes to 8",
     MALLOC_AND_FREE, NULL, check_alignment},
    {"aligned_alloc", "alignments from 1 byte to 1 MiB are kept",
     ALLOCATOR_ALIGNED | ALLOCATOR_FREE, NULL, check_aligned_alloc},
    {"calloc_zero", "calloc gives zeros where freed blocks were dirty, small and large",
     ALLOCATOR_CALLOC | MALLOC_AND_FREE, NULL, check_calloc_zero},
    {"calloc_overflow", "calloc gives NULL when the product of its arguments wraps",
     ALLOCATOR_CALLOC, NULL, check_calloc_overflow},
    {"usable_size",
     "usable bytes are at least those asked for, and all of them are the block's own",
     ALLOCATOR_USABLE_SIZE | DISTINCT_BLOCKS, NULL, check_usable_size},
    {"size_zero", "size 0 gives NULL or a block that free accepts", MALLOC_AND_FREE, NULL,
     check_size_zero},
    {"free_null", "free(NULL) does nothing", MALLOC_AND_FREE, NULL, check_free_null},

    {"realloc_content", "realloc keeps what is there, across each size of 1 to 4200 and at random",
     ALLOCATOR_REALLOC | DISTINCT_BLOCKS, NULL, check_realloc_content},
    {"realloc_large", "realloc keeps what is there, doubling to 64 MiB and halving again",
     ALLOCATOR_REALLOC | DISTINCT_BLOCKS, NULL, check_realloc_large},
    {"realloc_null", "realloc(NULL, size) is malloc(size)", ALLOCATOR_REALLOC | DISTINCT_BLOCKS,
     NULL, check_realloc_null},
    {"realloc_failure", "a realloc that fails leaves the block as it was",
     ALLOCATOR_REALLOC | DISTINCT_BLOCKS, NULL, check_realloc_failure},

    {"content", "blocks keep their content through a million random calls", DISTINCT_BLOCKS, NULL,
     check_content},
    {"no_overlap", "no two live blocks share an address, usable bytes included", DISTINCT_BLOCKS,
     NULL, check_no_overlap},
    {"purge", "purge may come at any time, and takes no live block",
     ALLOCATOR_PURGE | DISTINCT_BLOCKS, NULL, check_purge},
    {"census", "a census adds up, and follows each block that is made or freed",
     ALLOCATOR_CENSUS | DISTINCT_BLOCKS, NULL, check_census},

    {"huge_sizes", "sizes that no address space holds give NULL; errno is ENOMEM or left alone",
     ALLOCATOR_MALLOC, NULL, check_huge_sizes},
    {"prints_nothing", "no function prints, not even when a size is large, refused, or memory ends",
     MALLOC_AND_FREE, REPORTS_ITSELF, check_prints_nothing},
    {"memory_reused", "1 GiB allocated and freed, 32 MiB at a time at most, takes 128 MiB or less",
     DISTINCT_BLOCKS, KEEPS_MEMORY, check_memory_reused},
    {"memory_limit", "without memory, large blocks are NULL; once they are freed it goes on",
     DISTINCT_BLOCKS, NEEDS_SPACE, check_memory_limit},
    {"memory_limit_small", "the same with small blocks", DISTINCT_BLOCKS, NEEDS_SPACE,
     check_memory_limit_small},

    {"regions", "blocks of two regions are distinct and aligned, through resets",
     ALLOCATOR_REGIONS | ALLOCATOR_DISTINCT, NULL, check_regions},
    {"region_refusal", "a region gives NULL for sizes that no address space holds",
     ALLOCATOR_REGIONS, NULL, check_region_refusal},
    {"region_reuse", "1 GiB through resets and destroyed regions takes 64 MiB or less",
     ALLOCATOR_REGIONS, KEEPS_MEMORY, check_region_reuse},
    {"region_churn", "20000 regions of 20 blocks, 64 alive at a time, take 64 MiB or less",
     ALLOCATOR_REGIONS | ALLOCATOR_DISTINCT, KEEPS_MEMORY, check_region_churn},
    {"region_limit",
     "without memory a region gives NULL, keeps its blocks, and serves after a reset",
     ALLOCATOR_REGIONS | ALLOCATOR_DISTINCT, NEEDS_SPACE, check_region_limit},

    {"threads_own", "blocks keep their content while four threads make random calls",
     THREADED_BLOCKS, NULL, check_threads_own},
    {"threads_handover", "blocks may be freed by another thread than asked for them",
     THREADED_BLOCKS, NULL, check_threads_handover},
    {"thread_churn", "10000 short threads, and blocks that outlive them, take 128 MiB or less",
     THREADED_BLOCKS, NULL, check_thread_churn},
    {"fork_with_threads", "after a fork amid threads that allocate, both processes go on",
     THREADED_BLOCKS, MAY_NOT_FORK, check_fork_with_threads},
};

const size_t check_table_count = sizeof check_table / sizeof check_table[0];

const struct check *check_find(const char *name)
{
    for (size_t i = 0; i < check_table_count; i++) {
        if (strcmp(check_table[i].name, name) == 0)
            return &check_table[i];
    }
    return NULL;
}

#ifdef TIDEMARK_SANITIZED
enum { IS_SANITIZED = 1 };
#else
#define TIDEMARK_SANITIZED ""
enum { IS_SANITIZED = 0 };
#endif

int check_has_obstacle(const struct check *check, unsigned capabilities, char *obstacle)
{
    char missing[ALLOCATOR_TEXT_BYTES];
    const unsigned lacking = check->needs & ~capabilities;

    if (lacking)
        snprintf(obstacle, CHECK_OBSTACLE_BYTES, "needs %s",
                 allocator_capability_names(lacking, missing, sizeof missing));
    else if (IS_SANITIZED && check->not_sanitized)
        snprintf(obstacle, CHECK_OBSTACLE_BYTES, "in a build with -fsanitize=%s: %s",
                 TIDEMARK_SANITIZED, check->not_sanitized);
    return lacking || (IS_SANITIZED && check->not_sanitized);
}
