"""
Says what keeps arenas in place, from a run's censuses: how many stay, how little pins them, what the closed form says.
It leaves out the figures (address_map.py, survivors.py). A run without a census has no such section.
"""
import address_map
import survivors
import words
from findings import Section

MOST_ITEMS = 12  # cells that are told one by one


def read_sections(run):
    return [*_read_pins(run), *(_read_survivors(f"survivors-{index}" if index else "survivors", series)
                                for index, series in enumerate(survivors.find_series(run)))]


def _read_pins(run):
    if not run.censuses:
        return []
    drawn = [one for one, _ in address_map.choose(run.censuses)]
    held = any(one.after.held_bytes for one in drawn)
    text = ("An arena goes back only whole, so that one block in use keeps all of it. " if held else "")
    text += (f"The address maps below show {words.amount(len(drawn), 'cell')} of {len(run.censuses)} with a census, of each "
             "workload and version the one that tells most." if drawn else "No allocator with a census had an arena.")
    is_drawn = lambda one: any(one is other for other in drawn)
    order = sorted(run.censuses, key=lambda one: (not is_drawn(one), -one.after.pinned_bytes))
    items = [_say_cell(run, one) + (" Drawn below." if is_drawn(one) else "") for one in order[:MOST_ITEMS]]
    if len(order) > MOST_ITEMS:
        items.append(f"Not told here: {words.amount(len(order) - MOST_ITEMS, 'cell')} whose pinned arenas hold less.")
    return [Section("pins", "What keeps an arena in place", [text], items)]


def _say_cell(run, one):
    text = f"{words.plain(one.cell.allocator)} in {words.experiment(experiment_of(run, one))}, {address_map.say(one)}"
    if one.after.held_bytes:
        text += f"; {words.memory(one.after.held_bytes / 1e6)} not in use cannot go back"
    return text + "."


def experiment_of(run, one):
    return next(experiment for experiment in run.experiments if any(cell is one.cell for cell in experiment.cells))


def _read_survivors(anchor, series):
    title = f"How few survivors hold a pool, and an arena ({series.name})"
    items = [survivors.say(series, size, row) + f" ({words.plain(row)})." for size in series.sizes for row in series.rows
             if series.of(size=size, row=row)]
    parts = []
    for what, blocks in (("pools", "blocks_per_pool"), ("arenas", "blocks_per_arena")):
        point, off = survivors.find_furthest(series, what, blocks)
        parts.append(f"{words.number(100 * off)} percentage points for {what} ({words.plain(point.row)}, {point.size} "
                     f"bytes, 1 in {words.number(point.k, 0)})")
    values = words.amount(len({point.k for point in series.points}), "value")
    text = (f"Each block survived by chance, 1 in k, for {values} of k. "
            f"Measured and closed form, 1 − (1 − 1/k)^blocks, are furthest apart by {' and by '.join(parts)}.")
    if survivors.find_histograms(series):
        text += f" {survivors.say_held(series)}."
    return Section(anchor, title, [text], items)
