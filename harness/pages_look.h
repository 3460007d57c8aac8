/*
 * One instant of this process, decomposed: what the program holds, what the allocator lets it use,
 * the pages that hold at least one of its bytes, and all that is resident. Leaves out text and
 * files (harness/pages_child.c). Every resident page is counted once: as one with a live byte, as
 * the process's own, as this census's own, or as held by the allocator though it could go back.
 */
#ifndef TIDEMARK_HARNESS_PAGES_LOOK_H
#define TIDEMARK_HARNESS_PAGES_LOOK_H

#include "allocators/allocator.h"

#include <stdint.h>

enum { PAGES_SHARES = 8 };

/* All in bytes but counts. docs/pages.md says what each is for. */
struct pages_look {
    uint64_t blocks;          /* that the program holds */
    uint64_t requested_bytes; /* their sum, as asked for */
    uint64_t usable_bytes;    /* their sum, as the allocator says; only with has_usable */
    uint64_t live_page_bytes; /* of pages with at least one requested byte */

    /* Of those pages, the resident ones: each is at most the next. */
    uint64_t requested_resident_bytes;
    uint64_t usable_resident_bytes; /* only with has_usable */
    uint64_t floor_bytes;           /* the pages themselves */
    /* The same with a huge page counted whole where the page table has one; at least floor_bytes;
     * only with has_mapped. */
    uint64_t floor_mapped_bytes;
    uint64_t share_pages[PAGES_SHARES]; /* those pages by the share of their bytes that was
                                           requested: to 1/8, to 2/8, ... to all */

    /* Resident pages without a live byte. */
    uint64_t held_bytes;    /* the allocator's; stacks of further threads besides */
    uint64_t process_bytes; /* resident at the baseline already, or of files, or the stack */
    uint64_t own_bytes;     /* the census's */
    uint64_t unread_bytes;  /* of mappings that are too large to be looked at */

    /* By the kernel, of the whole process. */
    uint64_t rss_bytes;
    uint64_t lazyfree_bytes; /* resident until the system is short of memory */
    uint64_t anon_huge_bytes;
    uint64_t swap_bytes;

    uint64_t overlapping_pages; /* more live bytes than fit: blocks overlap, no figure holds */
    uint64_t lost_blocks;       /* that were not entered for want of memory: no figure holds */
    uint64_t odd_usable; /* blocks with less usable than asked for, pages with more than fit: what
                            the allocator says is no size of its blocks, usable_* do not hold */
    int has_usable, has_mapped;
};

/*
 * From now on `*object` and `*raw` are operations that enter what they give (live_blocks.h). Once,
 * before the program's first call. Returns 0 or -ENOMEM.
 */
int pages_look_begin(const struct allocator_ops **object, const struct allocator_ops **raw);

/* Remembers which pages are resident: those are the process's own from then on, as long as they
 * hold no live byte. Returns 0 or a negative errno. */
int pages_look_baseline(void);

/*
 * Looks. No other thread may use the operations meanwhile. Returns 0, or a negative errno with
 * `look` untouched. Costs some 100 ns for each live block and page, and what resident_pages_each
 * costs.
 */
int pages_look(struct pages_look *look);

#endif
