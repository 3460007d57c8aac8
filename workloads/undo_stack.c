/*
 * undo_stack: an editor that keeps what every edit has changed. Seven steps in ten are edits, which
 * also drop what could be redone, two undo and one redoes; beyond `limit` the oldest goes. Blocks
 * are freed at the top as a stack, at the bottom as a queue. Sizes: 32 bytes to 64 KiB by the
 * inverse square; lifetime: until undone and edited over, or too old; one thread. Source: editors;
 * no one program.
 */
#include "workloads/block.h"
#include "workloads/draw.h"
#include "workloads/table.h"

enum { LEAST_BYTES = 32, MOST_BYTES = 65536, UNDO_TENTHS = 2, REDO_TENTHS = 1 };

/* Entries from `oldest` to `newest`, modulo `limit`; those from `done` on could be redone. */
struct editor {
    struct slot *entries;
    size_t limit;
    uint64_t oldest, done, newest;
    uint64_t steps;
};

static struct slot *entry(const struct editor *editor, uint64_t number)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): a limit is at least 1 (parameters) */
    return &editor->entries[number % editor->limit];
}

static int edit(struct worker *worker, struct editor *editor)
{
    while (editor->newest > editor->done)
        slot_empty(worker, entry(editor, --editor->newest));
    if (editor->newest - editor->oldest == editor->limit)
        slot_empty(worker, entry(editor, editor->oldest++));
    if (slot_fill(worker, entry(editor, editor->newest),
                  draw_inverse_square(&worker->random, LEAST_BYTES, MOST_BYTES)) != 0)
        return -ENOMEM;
    editor->done = ++editor->newest;
    return 0;
}

static int step(struct worker *worker, struct editor *editor)
{
    size_t tenth = draw_below(&worker->random, 10);

    if (tenth >= UNDO_TENTHS + REDO_TENTHS)
        return edit(worker, editor);
    if (tenth < UNDO_TENTHS)
        editor->done -= editor->done > editor->oldest;
    else
        editor->done += editor->done < editor->newest;
    worker_mix(worker, editor->done);
    worker->operations++;
    return 0;
}

static int work(struct worker *worker)
{
    struct editor *editor = worker->program;
    int error = 0;

    for (uint64_t i = 0; i < editor->steps && !error; i++)
        error = step(worker, editor);
    return error;
}

static int clear(struct worker *worker)
{
    struct editor *editor = worker->program;

    slots_empty(worker, editor->entries, editor->limit);
    return 0;
}

static const struct stage stages[] = {
    {"work", work, ON_MAIN},
    {"free", clear, ON_MAIN},
    {0},
};

static int undo_stack_run(struct workload_context *context)
{
    struct editor editor = {
        .limit = workload_value(context, "limit"),
        .steps = workload_value(context, "n"),
    };

    editor.entries = table_map(editor.limit, sizeof *editor.entries);
    if (!editor.entries)
        return -ENOMEM;
    int error = team_play(context, 0, &editor, stages);
    table_unmap(editor.entries, editor.limit, sizeof *editor.entries);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "steps: edits, undos and redos", 1, 10000000000, "5M", "50M"),
    PARAMETER_COUNTED("limit", "edits that can be undone", 1, 100000000, "100k", "500k"),
    {0},
};

const struct workload workload_undo_stack = {
    .name = "undo_stack",
    .summary = "edits kept to be undone, freed at the top and, when too old, at the bottom",
    .source = "editors",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS,
    .run = undo_stack_run,
};
