/*
 * An array of pages for each thread: see birth_table.h. Leaves out bounds of names: those of a
 * trace were held against its index (trace_index.h).
 */
#include "harness/trace/birth_table.h"

#include "harness/trace/room.h"

#include <stdlib.h>

enum { PAGE_BIRTHS = 1024 };

struct page {
    struct birth births[PAGE_BIRTHS];
    uint32_t done;
};

struct thread_births {
    struct page **pages;
    uint32_t room;
};

struct birth_table {
    struct thread_births *threads;
    uint32_t room;
};

struct birth_table *birth_table_make(void)
{
    return calloc(1, sizeof(struct birth_table));
}

static struct page **find_page(struct birth_table *table, const struct trace_block_name *name)
{
    const uint64_t number = name->ordinal / PAGE_BIRTHS;
    struct thread_births *threads =
        room_for(table->threads, &table->room, name->thread, sizeof *threads);

    if (!threads || number > UINT32_MAX / 2)
        return NULL;
    table->threads = threads;
    struct thread_births *thread = &threads[name->thread];
    struct page **pages =
        room_for(thread->pages, &thread->room, (uint32_t)number, sizeof(struct page *));
    if (!pages)
        return NULL;
    thread->pages = pages;
    return &pages[number];
}

struct birth *birth_table_at(struct birth_table *table, const struct trace_block_name *name)
{
    struct page **page = find_page(table, name);

    if (page && !*page)
        *page = calloc(1, sizeof **page);
    return page && *page ? &(*page)->births[name->ordinal % PAGE_BIRTHS] : NULL;
}

const struct birth *birth_table_look(const struct birth_table *table,
                                     const struct trace_block_name *name)
{
    const uint64_t number = name->ordinal / PAGE_BIRTHS;

    if (name->thread >= table->room || number >= table->threads[name->thread].room)
        return NULL;
    const struct page *page = table->threads[name->thread].pages[number];
    return page ? &page->births[name->ordinal % PAGE_BIRTHS] : NULL;
}

void birth_table_done(struct birth_table *table, const struct trace_block_name *name)
{
    struct page **page = find_page(table, name);

    if (!page || !*page || ++(*page)->done < PAGE_BIRTHS)
        return;
    free(*page);
    *page = NULL;
}

void birth_table_each(const struct birth_table *table,
                      void (*visit)(void *context, const struct birth *birth), void *context)
{
    for (uint32_t i = 0; i < table->room; i++)
        for (uint32_t page = 0; page < table->threads[i].room; page++)
            for (size_t at = 0; table->threads[i].pages[page] && at < PAGE_BIRTHS; at++) {
                const struct birth *birth = &table->threads[i].pages[page]->births[at];
                if (birth->is_born && !birth->has_ended)
                    visit(context, birth);
            }
}

void birth_table_free(struct birth_table *table)
{
    if (!table)
        return;
    for (uint32_t i = 0; i < table->room; i++) {
        for (uint32_t page = 0; page < table->threads[i].room; page++)
            free(table->threads[i].pages[page]);
        free(table->threads[i].pages);
    }
    free(table->threads);
    free(table);
}
