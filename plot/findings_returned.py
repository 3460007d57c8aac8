"""
Says how memory goes back: which rows give it back by themselves, which after a time, which when used, which when asked.
It leaves out the figures (returned.py). A run in which nothing is done after the last free has no such section.
"""
import given_back
import returned
import words
from findings import Section

NEARLY = 0.1  # share of what could go back up to which it is said to have gone, as give_back_90_ns has it


def read_sections(run):
    groups = returned.find_groups(run)
    sections = [Section(f"returned-{index}" if index else "returned", f"How much goes back, and how soon ({group.name})",
                        _say_group(group), [_say_row(group, row) for row in group.rows])
                for index, group in enumerate(groups[:returned.MOST_GROUPS])]
    left = groups[returned.MOST_GROUPS:]
    if left:
        sections.append(Section("returned-left", "How much goes back: what is not drawn",
                                [f"{words.amount(len(left), 'workload')} more than the figures hold: see all cells below.",
                                 words.listing(words.plain(group.name, 80) for group in left) + "."]))
    return sections


def _say_group(group):
    """Each row at what was enough for nine tenths."""
    found = {}
    for row in group.rows:
        found.setdefault(_find_enough(group, row), []).append(row.name)
    text = "Nine tenths of what could go back had gone: " + "; ".join(
        f"{what}, {words.listing(rows)}" for what, rows in found.items()) + "."
    return [text, *filter(None, [_say_second(group), _find_dearest(group)])]


def _say_second(group):
    """What each row keeps after a second in which nothing was done; empty where no row rested for one."""
    told = []
    for row in group.rows:
        for column, cell in zip(group.columns, row.cells):
            is_left_alone = column.way.mode in ("stock", "idle") and not column.way.activity_s and column.way.thp == "system"
            point = next((point for point in given_back.points(cell) if point.name == "1 s"), None) \
                if is_left_alone and cell and cell.ran else None
            if point:
                told.append(f"{row.name} {words.percent_short(point.kept)}")
                break
    return f"1 s after the last free, nothing done meanwhile, this is kept of it: {words.listing(told)}." if told else ""


AT_ONCE, RESTING, ACTIVE = "with the last free", "by itself while it rested", "only while it was used a little"
EAGER, ASKED, PRESSED = "with its eager tunables", "when asked (purge)", "under pressure"
NONE, UNKNOWN = "in no way of this run", "not known, as less than 1 MiB could go or nothing ran"
OF_MODE = {"eager": EAGER, "purge": ASKED, "pressure": PRESSED}


def _find_enough(group, row):
    """The mildest of what needs nobody's doing; else all that helped."""
    reached = set()
    known = False
    for column, cell in zip(group.columns, row.cells):
        points = given_back.points(cell) if cell and cell.ran else []
        if not points:
            continue
        known = True
        # At the last free every way but eager is still as the row comes.
        if column.way.mode != "eager" and points[0].kept <= NEARLY:
            reached.add(AT_ONCE)
        if points[-1].kept <= NEARLY:
            reached.add(OF_MODE.get(column.way.mode, ACTIVE if column.way.activity_s else RESTING))
    by_itself = next((verdict for verdict in (AT_ONCE, RESTING, ACTIVE) if verdict in reached), None)
    helped = " or ".join(verdict for verdict in OF_MODE.values() if verdict in reached)
    return by_itself or (f"only {helped}" if helped else NONE if known else UNKNOWN)


def _find_dearest(group):
    """The row that pays most for giving back eagerly, and that which takes longest when asked; empty where neither is."""
    told = lambda mode: [(row, cell) for row in group.rows for column, cell in zip(group.columns, row.cells)
                         if column.way.mode == mode and cell and cell.ran]
    parts = []
    eager = [(cell.prices.beside_stock, row.name) for row, cell in told("eager") if cell.prices.beside_stock]
    if eager:
        figure, name = max(eager, key=lambda pair: pair[0].median)
        write = lambda ratio: words.number(ratio, 2)
        parts.append(f"Giving back eagerly costs {name} most: {write(figure.median)}{words.interval(figure, write)} times "
                     "the time of stock.")
    asked = [(cell.prices.asking_s.median, row.name) for row, cell in told("purge") if cell.prices.asking_s]
    if asked:
        parts.append(f"When asked {max(asked)[1]} takes longest, {words.duration(max(asked)[0])}.")
    return " ".join(parts)


def _say_row(group, row):
    told = [_say_cell(column, cell) for column, cell in zip(group.columns, row.cells) if cell]
    return f"{row.name}: {'; '.join(told)}."


def _say_cell(column, cell):
    text = returned.name_column(column)
    points = given_back.points(cell) if cell.ran else []
    if not points:
        return f"{text}: {'too little to tell' if cell.ran else 'n/a'}"
    text += f": keeps {words.percent_short(points[-1].kept)}"
    if points[-1].lazy > 0.005:
        text += f" ({words.percent_short(points[-1].lazy)} freed lazily)"
    return ", ".join([text, *_say_times(cell.prices)])


def _say_times(prices):
    reach, parts = prices.ninety, []
    if reach and reach.median_s is not None:
        parts.append("nine tenths " + ("at once" if reach.median_s < 0.001 else f"after {words.duration(reach.median_s)}"))
    if prices.asking_s:
        parts.append(f"asking took {words.duration(prices.asking_s.median)}")
    return parts
