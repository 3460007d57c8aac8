"""
Draws the address map of a cell, to show why an arena stays: arenas across, their pools upwards, a panel per phase.
It leaves out time within a phase and what lies between arenas. Where several share a column, the fullest pool is shown.
The idea is Jason Evans's picture of jemalloc in Firefox (2007), with arenas and pools in place of pages.
"""
import io
from dataclasses import dataclass

import matplotlib.colors
import matplotlib.ticker
import numpy
import PIL.Image

import census
import style
import words

MOST_MAPS = 6          # of a run; findings_census.py has the other cells in words
NEARLY = 0.75          # share of the memory that the most telling of alike maps has to show
MOST_COLUMNS = 560     # 2 pixels each in the PNG: one pool is still seen
MOST_BYTES = 120_000   # of the pictures in an SVG of 300 kB, packed: more columns than that share one
FEW_COLUMNS = 90       # are drawn even so
MOST_PANELS = 6
MOST_ROWS = 128
FEWEST_COLUMNS = 24    # the width of a panel: one arena alone is a column, not a wall
SHADES = 8             # of a colour; more could not be told apart
IMAGE_ROWS = 48        # at least; fewer pools are painted thicker
HUES = (style.BLUE, style.VERMILLION, style.GREEN, style.PURPLE, style.ORANGE)
OTHER = "#8a8a8a"
FREE, NOT_THERE = "#e9e9e9", "#ffffff"
WEAKEST = 0.65         # strength of a pool's colour with one block in use; 1 where all are
# Marks above an arena, by rising rank: what a column of several arenas has to tell first comes last.
GONE, EMPTY, BETWEEN, FILLED, PIN = range(5)
MARKS = {EMPTY: FREE, BETWEEN: "#b0b0b0", FILLED: "#606060", PIN: style.BLACK}
LABELS = 2.55          # inches beside the panels


@dataclass
class Grid:
    """Where an arena and a pool are drawn: all arenas of all phases by address, so that each keeps its column."""
    bases: numpy.ndarray
    pools: int
    arenas_per_column: int
    pools_per_row: int

    @property
    def columns(self):
        return -(-len(self.bases) // self.arenas_per_column)

    @property
    def rows(self):
        return -(-self.pools // self.pools_per_row)

    def columns_of(self, phase):
        return numpy.searchsorted(self.bases, phase.bases) // self.arenas_per_column


def choose(censuses):
    """[(Census, how many like it are not drawn)]: one of each workload and version, first those whose pins hold the most."""
    groups = {}
    for one in censuses:
        if any(phase.arenas for phase in one.phases):
            groups.setdefault((one.cell.workload, one.version), []).append(one)
    chosen = [(_find_most_telling(group), len(group) - 1) for group in groups.values()]
    chosen.sort(key=lambda pair: -pair[0].after.pinned_bytes)
    return chosen[:MOST_MAPS]


def _find_most_telling(group):
    """Of those whose pinned arenas hold nearly the most memory the one with the fewest bytes in use; earliest of equals."""
    most = max(one.after.pinned_bytes for one in group)
    return min((one for one in group if one.after.pinned_bytes >= NEARLY * most),
               key=lambda one: (one.after.allocated_bytes if most else -max(phase.arenas for phase in one.phases)))


def say(one):
    """"after free: 14 of 320 arenas stay, pinned by 0.3 % of their blocks": the phase that tells, in numbers."""
    after, text = one.after, f"after {words.plain(one.after.name, 24)}: "
    if one.freeing is None:
        return text + words.amount(after.arenas, "arena") + (f", {after.pinned} of them pinned" if after.pinned else "")
    before = one.before.arenas
    if not after.arenas:
        return text + ("no arena was there" if not before else f"all {words.amount(before, 'arena')} went back")
    if after.arenas > before:
        text += words.amount(after.arenas, "arena")
    elif before == 1:
        text += "the only arena stays"
    else:
        text += "all" if after.arenas == before else f"{words.number(after.arenas, 0)} of"
        text += f" {words.number(before, 0)} arenas stay" + ("s" if after.arenas == 1 else "")
    if after.free == after.arenas:
        return text + ", empty"
    if not after.pinned:
        return text + ", none pinned"
    pinned = "" if after.pinned == after.arenas else f"{words.number(after.pinned, 0)} of them "
    its = "its" if after.pinned == 1 else "their"
    return text + f", {pinned}pinned by {words.percent_small(after.pinned_fill)} of {its} blocks"


def draw(run, experiment, one, left_out, name):
    """Draws the map of one Census. Returns the path of the PNG."""
    phases, not_shown = _choose_panels(_merge_alike(census.read_phases(one), one.phases), one.after)
    grid = lay_out([phase for _, phase, _ in phases])
    hues = choose_hues([phase for _, phase, _ in phases])
    figure, axes = style.make_panels(
        len(phases), 1, 1.5, f"{words.plain(one.cell.allocator, 30)} · {say(one)}",
        f"{words.experiment(experiment)}\nA cell is a pool. Blank: its arena is not there. Faint grey: free. Colour: the "
        "size of its blocks, stronger the fuller, but strong with a single block. The heavy mark above an arena says that "
        "few blocks pin it.",
        _caption(run, one, left_out, phases[0][1], grid, not_shown), gap=0.62, head=0.5)
    figure.subplots_adjust(right=1 - LABELS / style.WIDTH)
    for axis, (names, phase, counts) in zip(axes, phases):
        _draw_panel(axis, phase, grid, hues)
        axis.set_title(f"after {names} · {_say_states(counts[0])}", loc="left", fontweight="bold")
    for axis in axes[:-1]:
        axis.tick_params(labelbottom=False)
    axes[-1].set_xlabel("arena, by ascending address", loc="left" if grid.columns < FEWEST_COLUMNS else "center")
    return style.save(figure, run.folder, name, colours=256)


def _choose_panels(panels, telling):
    """At most MOST_PANELS, and the names of the others: the phase that tells, the one before it, then the first ones."""
    place = next(place for place, (_, _, counts) in enumerate(panels) if telling in counts)
    order = sorted(range(len(panels)), key=lambda index: (index not in (place - 1, place), index))
    kept = sorted(order[:MOST_PANELS])
    return [panels[index] for index in kept], [names for index, (names, *_) in enumerate(panels) if index not in kept]


def _merge_alike(phases, counts):
    """(names, Phase, PhaseCounts): phases that leave all as it was share the panel of the one before them."""
    merged = []
    for phase, count in zip(phases, counts):
        name, same = words.plain(phase.name, 14), merged and merged[-1][1]
        if same and all(numpy.array_equal(getattr(same, part), getattr(phase, part))
                        for part in ("bases", "block_bytes", "blocks_in_use")):
            merged[-1] = (f"{merged[-1][0]}, {name}", same, [*merged[-1][2], count])
        else:
            merged.append((name, phase, [count]))
    return merged


def _say_states(count):
    """"245 arenas: 240 pinned, 5 full"."""
    between = count.arenas - count.pinned - count.full - count.free
    parts = [f"{words.number(number, 0)} {what}" for number, what in
             ((count.pinned, "pinned"), (between, "between"), (count.full, "full"), (count.free, "free")) if number]
    return words.amount(count.arenas, "arena") + (f": {words.listing(parts)}" if parts else "")


def _caption(run, one, left_out, phase, grid, not_shown):
    size = lambda bytes_: f"{bytes_ / 2**20:g} MiB" if bytes_ >= 2**20 else f"{bytes_ / 2**10:g} KiB"
    pinned, full = map(words.percent_small, (census.PINNED, census.FULL))
    text = (f"{words.plain(one.version, 40)}: arenas of {size(phase.arena_bytes)}, pools of {size(phase.pool_bytes)} with "
            f"{phase.pool_header_bytes} bytes of head. Pinned: blocks are in use, but less than {pinned} of the arena's "
            f"room, as in one that is only begun; full: {full} or more; a percentage is of the blocks that fit. Addresses "
            "between arenas are left out; an arena keeps its column from panel to panel. ")
    if grid.arenas_per_column > 1 or grid.pools_per_row > 1:
        shared = [f"{words.amount(number, what)} a {place}" for number, what, place in
                  ((grid.arenas_per_column, "arena", "column"), (grid.pools_per_row, "pool", "row")) if number > 1]
        text += (f"There are {words.listing(shared)}: a cell shows the fullest of its pools, a mark that at least one of "
                 "its arenas is pinned. ")
    if not_shown:
        text += f"Phases left out: {words.listing(not_shown)}. "
    if left_out:
        text += (f"Of the cells of this workload and version whose pinned arenas hold nearly the most, drawn is that with "
                 f"the fewest bytes in use; {left_out} more {'is' if left_out == 1 else 'are'} not drawn. ")
    return text + "One process of its own, not timed. " + style.machine_caption(run, [one.cell], count=False)


def lay_out(phases):
    """The Grid that holds all the phases, as fine as pixels and MOST_BYTES allow."""
    bases = numpy.unique(numpy.concatenate([phase.bases for phase in phases]))
    pools = max(phase.block_bytes.shape[1] for phase in phases)
    grid = Grid(bases, pools, -(-len(bases) // MOST_COLUMNS), -(-pools // MOST_ROWS))
    hues = choose_hues(phases)
    while grid.columns > FEW_COLUMNS and sum(_pack(paint(phase, grid, hues)[0]) for phase in phases) > MOST_BYTES:
        grid = Grid(bases, pools, grid.arenas_per_column + max(grid.arenas_per_column // 4, 1), grid.pools_per_row)
    return grid


def _pack(image):
    """Bytes of a picture in an SVG, before base64 makes four of three."""
    packed = io.BytesIO()
    PIL.Image.fromarray(image).convert("RGBA").save(packed, format="png")
    return len(packed.getvalue())


def bin_pools(phase, grid):
    """Size of blocks and fill of the fullest pool of each cell of the grid; NO_POOL and -1 where there is none."""
    block_bytes = numpy.full((grid.rows, grid.columns), census.NO_POOL, numpy.int64)
    fill = numpy.full(block_bytes.shape, -1.0)
    level = numpy.where(phase.block_bytes == census.NO_POOL, -1.0, phase.fill)
    order = numpy.argsort(level, axis=None, kind="stable")  # of several the last one written stays: the fullest
    arenas, pools = numpy.unravel_index(order, level.shape)
    at = (pools // grid.pools_per_row, grid.columns_of(phase)[arenas])
    block_bytes[at], fill[at] = phase.block_bytes[arenas, pools], level[arenas, pools]
    return block_bytes, fill


def bin_marks(phase, grid):
    """The mark above each column: the first to be told of its arenas."""
    free, pinned, full = census.states(phase)
    ranks = numpy.select([free, pinned, full], [EMPTY, PIN, FILLED], BETWEEN)
    marks = numpy.full(grid.columns, GONE)
    numpy.maximum.at(marks, grid.columns_of(phase), ranks)
    return marks


def choose_hues(phases):
    """{bytes of a block: colour}: hues for the sizes that the most pools have, in any phase; the rest is OTHER."""
    most = {}
    for phase in phases:
        sizes, pools = numpy.unique(phase.block_bytes[phase.block_bytes > 0], return_counts=True)
        for size, count in zip(sizes.tolist(), pools.tolist()):
            most[size] = max(most.get(size, 0), count)
    named = sorted(most, key=lambda size: (-most[size], size))[:len(HUES)]
    return dict(zip(named, HUES))


def paint(phase, grid, hues):
    """The picture of one panel, from its lowest row: pools, a white line, the marks. Returns it and the rows of a pool."""
    block_bytes, fill = bin_pools(phase, grid)
    image = numpy.full((*block_bytes.shape, 3), matplotlib.colors.to_rgb(NOT_THERE))
    image[block_bytes == 0] = matplotlib.colors.to_rgb(FREE)
    other = (block_bytes > 0) & ~numpy.isin(block_bytes, list(hues))
    for here, colour in [(other, OTHER), *((block_bytes == size, colour) for size, colour in hues.items())]:
        image[here] = _shade(colour, WEAKEST + (1 - WEAKEST) * numpy.floor(SHADES * fill[here])[:, None] / SHADES)
    thick = -(-IMAGE_ROWS // grid.rows)
    image = numpy.repeat(image, thick, axis=0)
    image = numpy.concatenate([image, _paint_marks(bin_marks(phase, grid), len(image))])
    return (255 * image).round().astype(numpy.uint8), thick


def _shade(colour, strength):
    return 1 - strength * (1 - numpy.array(matplotlib.colors.to_rgb(colour)))


def _paint_marks(marks, rows):
    """Tall where an arena is pinned, low for the other arenas, after a gap."""
    low = max(rows // 32, 1)
    image = numpy.ones((4 * low, len(marks), 3))
    for mark, colour in MARKS.items():
        image[low:(4 if mark == PIN else 2) * low, marks == mark] = matplotlib.colors.to_rgb(colour)
    return image


def _draw_panel(axis, phase, grid, hues):
    image, thick = paint(phase, grid, hues)
    height = len(image) / thick * grid.pools_per_row
    axis.imshow(image, origin="lower", aspect="auto", interpolation="none",
                extent=(0, grid.columns, 0, height))
    axis.set_xlim(0, max(grid.columns, FEWEST_COLUMNS))
    axis.set_ylim(0, height)
    axis.set_ylabel("pool", y=0.45)
    most = max(12 * min(grid.columns, FEWEST_COLUMNS) // FEWEST_COLUMNS, 1)
    ticks = matplotlib.ticker.MaxNLocator(most, integer=True).tick_values(0, grid.columns)
    axis.set_xticks([tick for tick in ticks if 0 <= tick <= grid.columns])
    axis.xaxis.set_major_formatter(lambda value, _: words.number(value * grid.arenas_per_column, 0))
    axis.set_yticks([0, grid.rows * grid.pools_per_row // 2, grid.rows * grid.pools_per_row])
    for side in ("left", "bottom"):
        axis.spines[side].set_visible(False)
    axis.tick_params(length=2, color=style.FAINT)
    _label_classes(axis, phase, grid, hues)


def _label_classes(axis, phase, grid, hues):
    """Beside the map: each size, its colour when weakest and full, its pools and how full they are, a line to one."""
    block_bytes, _ = bin_pools(phase, grid)
    is_other = lambda sizes: (sizes > 0) & ~numpy.isin(sizes, list(hues))
    kinds = [(f"{size} B", colour, phase.block_bytes == size, block_bytes == size) for size, colour in hues.items()]
    kinds += [("other", OTHER, is_other(phase.block_bytes), is_other(block_bytes)),
              ("free", FREE, phase.block_bytes == 0, block_bytes == 0)]
    _place_labels(axis, [(f"{name}: {_say_pools(phase, pools)}", colour, cells) for name, colour, pools, cells in kinds
                         if pools.any()], grid)


def _say_pools(phase, pools):
    fill = float(phase.fill[pools].mean())
    return words.amount(int(pools.sum()), "pool") + (f", {words.percent_short(fill)} full" if fill else "")


def _place_labels(axis, texts, grid):
    """Labels at the right of the last column, in the order of what they name, spread apart."""
    top = axis.get_ylim()[1]
    targets = [(_find_target(cells, grid), text, colour) for text, colour, cells in texts]
    targets.sort(key=lambda target: target[0][1])
    step = 0.165 / (axis.get_position().height * axis.figure.get_figheight())
    heights = style.spread([target[1] / top for target, *_ in targets], [step] * len(targets), -0.1, 1.1)
    edge = grid.columns / axis.get_xlim()[1]
    for ((x, y), text, colour), height in zip(targets, heights):
        for at, shade in ((0.03, colour if colour == FREE else tuple(_shade(colour, WEAKEST))), (0.0395, colour)):
            axis.plot([edge + at], [height], "s", markersize=6, color=shade, transform=axis.transAxes, clip_on=False)
        axis.text(edge + 0.05, height, text, transform=axis.transAxes, va="center_baseline", fontsize=style.SMALL)
        if x > 0.7 * grid.columns:  # a line across the whole map would hide more than it says
            axis.annotate("", (x, y), xytext=(edge + 0.024, height), textcoords=axis.transAxes, annotation_clip=False,
                          arrowprops=style.leader(shrinkA=0, shrinkB=0))


def _find_target(cells, grid):
    """The middle one of such cells in the rightmost column that has any: its right edge, its height in pools."""
    rows, columns = numpy.nonzero(cells)
    if not len(rows):  # hidden by fuller pools of the same cells
        return 0, 0
    last = columns.max()
    there = rows[columns == last]
    return last + 1, (there[len(there) // 2] + 0.5) * grid.pools_per_row
