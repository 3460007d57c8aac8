/*
 * Each page that this process has in memory, by address: /proc/self/smaps for its mappings,
 * /proc/self/pagemap for their pages (Documentation/admin-guide/mm/pagemap.rst). Leaves out whose
 * they are, and page numbers of the machine, which need a privilege. Allocates nothing. Costs some
 * 10 ms for 1 GiB that is resident, and 60 ms for each 64 GiB of addresses of a mapping of which
 * anything is.
 */
#ifndef TIDEMARK_HARNESS_RESIDENT_PAGES_H
#define TIDEMARK_HARNESS_RESIDENT_PAGES_H

#include <stdint.h>

struct resident_page {
    uintptr_t address;
    int is_file;  /* of a file, or shared: nothing that a private mapping without one holds */
    int is_stack; /* of the first thread */
    uint64_t
        mapping_bytes; /* of the page table's entry: the page's size, or that of a huge page; 0
                          where the kernel does not tell which pages of this mapping are huge */
};

/* Sums over all mappings, by the kernel. */
struct resident_sums {
    uint64_t rss_bytes;
    uint64_t lazyfree_bytes;  /* MADV_FREE: until the kernel takes them, or they are written */
    uint64_t anon_huge_bytes; /* in transparent huge pages */
    uint64_t swap_bytes;
    uint64_t unread_bytes; /* resident in mappings so large that their pages are not looked at */
};

typedef void resident_visitor(const struct resident_page *page, void *argument);

/*
 * Calls `visit` for each resident page, ascending. A page that was read and never written is the
 * kernel's page of zeros, which is resident for nobody: it is left out. Returns 0, or a negative
 * errno with `sums` untouched; some pages may then have been visited. One at a time: its buffers
 * are static.
 */
int resident_pages_each(resident_visitor *visit, void *argument, struct resident_sums *sums);

#endif
