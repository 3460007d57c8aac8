"""
Draws the canary over a run: three pieces of work done before each sample, each as a ratio to its own median over the run.
It leaves out the samples themselves and what made the machine slow. What is dirty was decided while it ran and is only shown.
The idea: a machine that is steady draws three flat lines.
"""
import statistics

import style
import words

DIRTY = style.VERMILLION
# (name, what one step is, the ratio from which on it is slow: canary.c), in the order of model.Reading.pieces
PIECES = (("Integer loop", "a turn", 1.3), ("Memory latency", "a load", 1.3), ("First touch", "a page", 1.5))


def draw(run, name):
    """Draws one panel per piece over all samples. Returns the path of the PNG."""
    readings = run.readings
    figure, axes = style.make_panels(
        len(PIECES), 1, 1.25, "How steady the machine was",
        "Before each sample the same work is done on the same core: how long it took, as a ratio to its median over this run.\n"
        "A flat line is a steady machine. " + _say_dirty(readings) + _say_shards(readings),
        "A sample is dirty when a piece took more than 1.3 times (first touch: 1.5 times) its median over the run until then, of at "
        "least five readings. The dashed line stands at as many times the median over the whole run: where the machine changed "
        "meanwhile, the two do not agree everywhere. "
        + style.machine_caption(run), gap=0.42, sharex=True, head=0.42, left=0.8)
    for axis, (piece, step, limit), values in zip(axes, PIECES, zip(*(reading.pieces for reading in readings))):
        _draw_panel(axis, readings, values, limit)
        axis.set_title(f"{piece} · {_say_medians(readings, values)} {step}", loc="left", fontweight="bold")
    axes[-1].set_xlabel("sample, in the order measured")
    _name_repeats(axes[0], readings)
    return style.save(figure, run.folder, name)


def _say_dirty(readings):
    dirty = sum(reading.dirty for reading in readings)
    return f"Marked: the {dirty} dirty samples." if dirty else "No sample was dirty."


def _say_shards(readings):
    return "" if len({reading.shard for reading in readings}) < 2 else " Of a merged run the median is that of each shard."


def _medians(readings, values):
    """By shard: each was measured as a run of its own, perhaps on another machine."""
    of_shards = {}
    for reading, value in zip(readings, values):
        of_shards.setdefault(reading.shard, []).append(value)
    return {shard: statistics.median(own) for shard, own in of_shards.items()}


def _say_medians(readings, values):
    medians = _medians(readings, values).values()
    low, high = (words.duration(bound(medians) / 1e9) for bound in (min, max))
    return f"median {low}" if len(medians) == 1 else f"medians {low} to {high}"


def _draw_panel(axis, readings, values, limit):
    numbers = [reading.number for reading in readings]
    medians = _medians(readings, values)
    ratios = [value / medians[reading.shard] for reading, value in zip(readings, values)]
    _shade_repeats(axis, readings)
    axis.axhline(1, color=style.LIVE_AREA, linewidth=1, zorder=1)
    axis.axhline(limit, color=style.INK, linewidth=1, linestyle=(0, (5, 3)), zorder=2)
    axis.plot(numbers, ratios, color=style.RESIDENT, linewidth=0.7, alpha=0.55, zorder=3)
    axis.plot(numbers, ratios, "o", color=style.RESIDENT, markersize=2.6, markeredgewidth=0, zorder=4)
    marked = [(number, ratio) for number, ratio, reading in zip(numbers, ratios, readings) if reading.dirty]
    if marked:
        axis.plot(*zip(*marked), "D", color=DIRTY, markersize=4.6, markeredgecolor="white", markeredgewidth=0.6, zorder=5,
                  clip_on=False)
    axis.set_xlim(numbers[0] - 0.5, max(numbers[-1], numbers[0] + 1) + 0.5)
    axis.set_ylim(min(0.8, 0.95 * min(ratios)), max(1.65, 1.06 * max(ratios)))
    axis.text(1.003, limit, f"{limit:g}", transform=axis.get_yaxis_transform(), va="center", fontsize=style.SMALL)
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}×")


def _repeats(readings):
    """First and last sample of those taken once more, which come at the end of a run, and in a merged one of each shard."""
    spans = []
    for before, reading in zip([None, *readings], readings):
        if reading.repeat and before and before.repeat and before.shard == reading.shard:
            spans[-1][1] = reading.number
        elif reading.repeat:
            spans.append([reading.number, reading.number])
    return spans


def _shade_repeats(axis, readings):
    for first, last in _repeats(readings):
        axis.axvspan(first - 0.5, last + 0.5, color=style.PARKED, linewidth=0, zorder=0)


def _name_repeats(axis, readings):
    """Above the panel, ending where the last shade does: there is room for the words even over a single sample."""
    if _repeats(readings):
        axis.text(_repeats(readings)[-1][1] + 0.5, 1.03, "shaded: taken once more", transform=axis.get_xaxis_transform(),
                  ha="right", va="bottom", fontsize=style.SMALL)
