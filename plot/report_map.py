"""
Makes the data of the report's address maps: of a cell each pool of each arena at each phase's end, what it holds, how full it is.
It leaves out looks (templates/report_map.js). The choice of cells, of colours and of what shares a column is address_map.py's.
Equal neighbours of a column are one stretch, so that a map of thousands of pools is some hundreds of rectangles.
"""
import numpy

import address_map
import census
import words
from report_figures import Figure

LEVELS = 8         # of fill: more could not be told apart


def read_maps(run):
    """(Census, Figure) for each cell that address_map.py chooses."""
    for one, left_out in address_map.choose(run.censuses):
        yield one, _read_map(one, left_out)


def _read_map(one, left_out):
    phases = census.read_phases(one)
    drawn = [phase for phase in phases if len(phase.bases)] or phases
    grid = address_map.lay_out(drawn)
    sizes = _choose_sizes(phases)
    data = {"columns": grid.columns, "rows": grid.rows, "arenasPerColumn": grid.arenas_per_column, "poolsPerRow": grid.pools_per_row,
            "sizes": sizes, "levels": LEVELS,
            "phases": [_read_phase(phase, count, grid, sizes) for phase, count in zip(phases, one.phases)],
            "telling": _choose_first(one)}
    size = lambda bytes_: f"{bytes_ / 2**20:g} MiB" if bytes_ >= 2**20 else f"{bytes_ / 2**10:g} KiB"
    notes = [f"{words.plain(one.version, 40)}: arenas of {size(phases[0].arena_bytes)} across, by ascending address, an arena in the same "
             f"column in every phase; their pools of {size(phases[0].pool_bytes)} upwards. Blank: the arena is not there. The mark above "
             "an arena says that few blocks pin it: less than a tenth of its room is in use."]
    if grid.arenas_per_column > 1 or grid.pools_per_row > 1:
        shared = [f"{words.amount(number, what)} a {place}" for number, what, place in
                  ((grid.arenas_per_column, "arena", "column"), (grid.pools_per_row, "pool", "row")) if number > 1]
        notes.append(f"There are {words.listing(shared)}: a cell shows the fullest of its pools, a mark that at least one of its arenas is pinned.")
    if left_out:
        notes.append(f"Of the cells of this workload and version {left_out} more are not drawn: this one tells most.")
    return Figure("map", f"Address map of {words.plain(one.cell.allocator)}", f"{words.plain(one.cell.allocator)}, {address_map.say(one)}",
                  data, notes, 380)


def _choose_first(one):
    """Index of the phase that is shown first: the one that tells, or the fullest where it has next to nothing to show."""
    if one.after.arenas > 1:
        return next(place for place, count in enumerate(one.phases) if count is one.after)
    return max(range(len(one.phases)), key=lambda place: one.phases[place].arenas)


def _choose_sizes(phases):
    """Bytes of a block of the classes with the most pools, the most first; the others are one colour."""
    return [int(size) for size in address_map.choose_hues(phases)]


def _read_phase(phase, count, grid, sizes):
    """Name, what is said of it, stretches [column, row, length, kind, level ...], marks [column, kind ...]."""
    block_bytes, fill = address_map.bin_pools(phase, grid) if len(phase.bases) else (None, None)
    stretches, marks = [], []
    if block_bytes is not None:
        kind = numpy.full(block_bytes.shape, -1)
        kind[block_bytes == 0] = 0
        kind[block_bytes > 0] = len(sizes) + 1
        for place, size in enumerate(sizes):
            kind[block_bytes == size] = place + 1
        level = numpy.where(kind > 0, numpy.ceil(LEVELS * numpy.clip(fill, 0, 1)), 0).astype(int)
        stretches = _find_stretches(kind, level)
        ranks = address_map.bin_marks(phase, grid)
        marks = [int(number) for column in numpy.flatnonzero(ranks != address_map.GONE) for number in (column, ranks[column])]
    between = count.arenas - count.pinned - count.full - count.free
    parts = [f"{words.number(number, 0)} {what}" for number, what in ((count.pinned, "pinned"), (between, "between"),
                                                                      (count.full, "full"), (count.free, "free")) if number]
    told = words.amount(count.arenas, "arena") + (f": {words.listing(parts)}" if parts else "")
    return {"name": words.plain(phase.name, 24), "told": told, "stretches": stretches, "marks": marks}


def _find_stretches(kind, level):
    """Columns first: where kind or level change from a row to the next a new stretch begins."""
    code = numpy.where(kind < 0, -1, kind * (LEVELS + 1) + level)
    begins = numpy.ones(code.shape, bool)
    begins[1:] = code[1:] != code[:-1]
    flat = []
    for column in range(code.shape[1]):
        rows = numpy.flatnonzero(begins[:, column])
        ends = numpy.append(rows[1:], code.shape[0])
        for row, end in zip(rows.tolist(), ends.tolist()):
            if code[row, column] >= 0:
                flat += [column, row, end - row, int(kind[row, column]), int(level[row, column])]
    return flat
