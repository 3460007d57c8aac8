"""
Draws a run of many experiments as one table: a line per experiment, a column per row, for time, peak and what was given back.
It leaves out spread and curves, which the other figures have, cells inside a real interpreter and the long idle.
Shading is by ratio to the best of the line, as in a heat map; each cell has its number in words.
"""
import math
import statistics

import style
import trade_off
import words

FEWEST = 6          # experiments; a run of fewer is read from its other figures
MOST_LINES = 60     # of one figure
SMALLEST_MB = 1.048576  # of a peak: below it pages of the process itself decide
MOST_BESIDE = 7     # columns, where the three tables still stand beside each other; with more, one above the other
LINE = 0.235        # inches
WORST = 4           # ratio to the best from which on a cell has the full shade
SHADE = (0xD5, 0x5E, 0x00)  # Okabe-Ito vermillion


def candidates(run):
    """What trade_off.py compares, where it is enough for a table."""
    pairs = trade_off.candidates(run)
    return pairs if len(pairs) >= FEWEST else []


def parts(pairs):
    """Lines for one figure each, of about the same length."""
    count = math.ceil(len(pairs) / (MOST_LINES if len(_rows(pairs)) <= MOST_BESIDE else MOST_LINES // 2))
    length = math.ceil(len(pairs) / count)
    return [pairs[at:at + length] for at in range(0, len(pairs), length)]


def ratios(figures):
    """Each figure over the least of its line; None where there is none. Zero is as good as the least that is not."""
    known = [figure for figure in figures if figure is not None and figure > 0]
    best = min(known) if known else 1
    return [None if figure is None else max(figure, best) / best for figure in figures]


def geometric_means(lines):
    """
    By column, over the lines that have all of the common columns, those with a ratio in at least three quarters of the lines
    that have any; None for another column, and for all where no line has them.
    """
    lines = [line for line in lines if any(ratio is not None for ratio in line)]
    common = [sum(ratio is not None for ratio in column) >= 0.75 * len(lines) for column in zip(*lines)]
    whole = [line for line in lines if not any(wanted and ratio is None for wanted, ratio in zip(common, line))]
    if not whole or not any(common):
        return None
    return [statistics.geometric_mean(column) if wanted else None for wanted, column in zip(common, zip(*whole))]


def write_ratio(ratio):
    return f"{ratio:.2f}" if ratio < 9.995 else f"{ratio:.0f}"


def write_share(share):
    return f"{share * 100:.0f}"


def read_tables(pairs):
    """The rows, and (title, lines of a value or None for each row, how one is written): the last line is of means, or None."""
    rows = _rows(pairs)
    return rows, [("Time, over the fastest", _table(pairs, rows, _time), write_ratio),
                  ("Peak, over the lowest", _table(pairs, rows, _peak), write_ratio),
                  ("Kept of what could go, %", _kept(pairs, rows), write_share)]


def weigh(value, write):
    """0 to 1: how much of the full shade a value gets."""
    return min(math.log(max(value, 1)) / math.log(WORST), 1) if write is write_ratio else value


def is_best(value, write):
    return value == (1 if write is write_ratio else 0)


def draw(run, pairs, name):
    """Draws the lines `pairs` of (experiment, cells). Returns the path of the PNG."""
    rows, tables = read_tables(pairs)
    is_beside = len(rows) <= MOST_BESIDE
    figure, axes = style.make_panels(
        *((1, 3) if is_beside else (3, 1)), LINE * (len(pairs) + 2), "The field at a glance",
        "1.00 is the best of its line, 2.00 takes twice as much. Kept: 0 is best, 100 is nothing given back. The darker, the "
        "worse.",
        f"Medians. A shade is full from {WORST} times the best on. Time is the sum over all phases but "
        f"{words.rest_phases(run)}, park time excluded; peak is "
        "above baseline, blank below 1 MiB; kept is 1 - return ratio at the end of the last phase, blank where less than 1 MiB could have come "
        "back. The last line is the geometric mean over the lines that have all of its rows. " + style.machine_caption(
            run, [cell for _, cells in pairs for cell in cells]), left=3.1, head=1.25, gap=1.5)
    for axis, (title, table, write) in zip(axes, tables):
        _draw_table(axis, title, rows, table, write)
    for axis in axes[:1] if is_beside else axes:
        axis.set_yticks(range(len(pairs)), [_label(experiment) for experiment, _ in pairs],
                        fontsize=style.SMALL - 0.5)
    return style.save(figure, run.folder, name)


def _rows(pairs):
    """Every row of the lines, as they come."""
    return list(dict.fromkeys(cell.allocator for _, cells in pairs for cell in cells))


def _label(experiment):
    """Cut in its parameters, if it must be: the way at its end tells it from its neighbours."""
    way = f" · {words.way_short(experiment.way)}" if experiment.way.told else ""
    return words.plain(words.workload(experiment.workload, experiment.params), max(46 - len(way), 16)) + way


def _time(cell):
    return cell.wall_s and cell.wall_s.median


def _peak(cell):
    baselines = [sample.baseline_mb for sample in cell.good]
    above = cell.peak_mb.median - statistics.median(baselines)
    return above if above >= SMALLEST_MB else None


def _of_row(cells, row, figure):
    """The figure of the cell of a row, None where it did not run."""
    found = [figure(cell) for cell in cells if cell.allocator == row and cell.ran]
    return found[0] if found else None


def _table(pairs, rows, figure):
    lines = [ratios([_of_row(cells, row, figure) for row in rows]) for _, cells in pairs]
    return lines + [geometric_means(lines)]


def _kept(pairs, rows):
    def kept(cell):
        return None if cell.return_ratio is None else min(max(1 - cell.return_ratio.median, 0), 1)
    return [[_of_row(cells, row, kept) for row in rows] for _, cells in pairs] + [None]


def _shade(weight):
    """White at 0, the full shade at 1."""
    return tuple((255 - (255 - part) * 0.75 * weight) / 255 for part in SHADE)


def _draw_table(axis, title, rows, table, write):
    is_ratio = write is write_ratio
    for line, values in enumerate(table):
        for column, value in enumerate(values or []):
            if value is None:
                continue
            axis.add_patch(style.pyplot.Rectangle((column - 0.48, line - 0.46), 0.96, 0.92, facecolor=_shade(weigh(value, write)),
                                                  edgecolor="none"))
            axis.text(column, line, write(value), ha="center", va="center", fontsize=7.5,
                      fontweight="bold" if line == len(table) - 1 or is_best(value, write) else "normal")
    if table[-1]:
        axis.axhline(len(table) - 1.5, color=style.FAINT, linewidth=0.8)
        if is_ratio:
            axis.text(-0.6, len(table) - 1, "mean", ha="right", va="center", fontsize=7.5)
    axis.set_xlim(-0.5, len(rows) - 0.5)
    axis.set_ylim(len(table) - 0.5, -0.5)
    # Beside each other tables have no room to the right of their last column.
    axis.set_xticks(range(len(rows)), [words.plain(row, 22) for row in rows], rotation=55 if len(rows) > MOST_BESIDE else 75,
                    ha="left", rotation_mode="anchor", fontsize=style.SMALL)
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)
    over_labels = len(rows) > MOST_BESIDE  # where the names of rows are the longest, and lines have room for the title
    axis.text(-0.39 if over_labels else 0, 1 + 1.02 * 72 / (axis.get_position().height * axis.figure.get_figheight() * 72), title,
              transform=axis.transAxes, fontweight="bold", fontsize=10.5)
