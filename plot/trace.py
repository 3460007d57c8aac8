"""
Draws what `tidemark trace --json` tells of a recorded program: live bytes over time, or where the trace has no times over blocks
made; blocks and bytes by size, lifetimes.
It leaves out replays, whose figures are those of any run (report.py).
"""
import argparse
import functools
import os
import sys

import matplotlib.ticker

import style
import words
from checked import RunError, get, read_bytes, read_json

MB = 1e6
LEAST_MB = 1e5     # bytes from which on a size is told in MB: below, its digits would be lost
MOST_TITLE = 90    # letters
COUNTS = ("made", "ended", "remote", "left_bytes", "asked_bytes", "peak_bytes", "threads", "processes", "curve_end")
# What the curve is over: a unit of its axis in those of the trace, the least width of the axis (a point over time stands for a
# millisecond or more), and names.
OVER = {"time": (1e9, 1e-3, "Live memory over time", "seconds since the recording began"),
        "blocks": (1, 1, "Live memory over blocks made: there are no times", "blocks made")}
QUANTILES = (("p10", "10 %"), ("p50", "50 %"), ("p90", "90 %"), ("p99", "99 %"), ("most", "all"))


def read_trace(path):
    """The summary at `path`, checked as far as it is drawn. Raises RunError where it is none."""
    trace = read_json(path, dict, functools.partial(read_bytes, missing="no such file"))
    for name in COUNTS:
        get(trace, name, int, path, least=0)
    get(trace, "about", dict, path, optional=True)
    lives = get(trace, "lifetime_bytes", dict, path)
    for name in ("count", *(name for name, _ in QUANTILES)):
        get(lives, name, int, f"{path}: lifetime_bytes", least=0)
    if get(trace, "curve_over", str, path) not in OVER:
        raise RunError(f"{path}: 'curve_over' is {trace['curve_over']!r}, wanted one of {', '.join(OVER)}")
    for number, size in enumerate(get(trace, "sizes", list, path)):
        for name, least in (("below_bytes", 1), ("blocks", 0), ("bytes", 0)):
            get(size, name, int, f"{path}: sizes {number}", least=least)
    for number, point in enumerate(get(trace, "curve", list, path)):
        where = f"{path}: curve {number}"
        if not isinstance(point, list) or len(point) != 3:
            raise RunError(f"{where}: wanted an array of a place, bytes and blocks")
        for name, value in zip(("place", "bytes", "blocks"), point):
            get({name: value}, name, int, where, least=0)
    return trace


def draw(trace):
    """The figure: a wide panel of live bytes, two beneath it."""
    about = trace.get("about") or {}
    command = about.get("command") or "a recorded program"
    figure, axes = style.make_panels(
        2, 2, 2.7, words.plain(command, MOST_TITLE),
        f"{_count(trace['made'], 'block')}, {_bytes(trace['asked_bytes'])} asked for, "
        f"{_bytes(trace['peak_bytes'])} alive at the most, {_bytes(trace['left_bytes'])} never freed; "
        f"{words.percent(trace['remote'] / max(trace['ended'], 1))} of the frees by another thread than made the block.",
        "Live bytes are what the program asked for and had not freed: the floor of any allocator's peak. A lifetime in bytes is "
        "what the same thread asked for between the two calls. " + f"{_count(trace['threads'], 'thread')} in "
        f"{_count(trace['processes'], 'process')}, on {words.plain(about.get('malloc', 'an unknown'))} malloc.")
    _fit(figure, figure.texts[0], command)
    wide = _join(figure, axes[0], axes[1])
    _draw_curve(wide, trace)
    _draw_sizes(axes[2], trace)
    _draw_lifetimes(axes[3], trace)
    return figure


def _fit(figure, title, text):
    """Cuts the title until it is inside the picture: how many letters are depends on which."""
    most = MOST_TITLE
    while most > 1 and style.text_box(figure.axes[0], title).x1 > figure.bbox.x1:
        most -= 1
        title.set_text(words.plain(text, most))


def _join(figure, left, right):
    """One axis in the place of two beside each other."""
    first, second = left.get_position(), right.get_position()
    right.remove()
    left.set_position([first.x0, first.y0, second.x1 - first.x0, first.height])
    return left


def _draw_curve(axis, trace):
    # What the last point stands for goes on to the end of the axis: the only point of a short trace is its last.
    over, least, title, label = OVER[trace["curve_over"]]
    end = max([trace["curve_end"] / over, least, *(point[0] / over for point in trace["curve"])])
    factor, unit = (MB, "MB") if trace["peak_bytes"] >= LEAST_MB else (1, "bytes")
    points = [(place / over, live / factor) for place, live, _ in trace["curve"]]
    points += [(end, live) for _, live in points[-1:]]
    places, live = [place for place, _ in points], [live for _, live in points]
    axis.fill_between(places, live, step="post", color=style.LIVE_AREA, linewidth=0)
    axis.step(places, live, where="post", color=style.RESIDENT, linewidth=1.2)
    axis.set_title(title, loc="left", fontweight="bold")
    axis.set_xlabel(label + (", of each thread" if trace["curve_over"] == "blocks" and trace["threads"] > 1 else ""))
    axis.set_ylabel(f"{unit} alive")
    axis.set_ylim(0, max([trace["peak_bytes"] / factor, *live]) * 1.12 or 1)
    axis.set_xlim(0, end)


def _size(below):
    """The class of sizes below 2^n, as its least."""
    least = below // 2
    for unit, factor in (("G", 2**30), ("M", 2**20), ("k", 2**10)):
        if least >= factor:
            return f"{least // factor}{unit}"
    return str(least)


def _draw_sizes(axis, trace):
    axis.set_title("Sizes: share of blocks and of bytes", loc="left", fontweight="bold")
    sizes = trace["sizes"]
    if not sizes:
        return _say(axis, "no block was made")
    places = range(len(sizes))
    peaks = []
    for key, whole, colour, marker in (("blocks", trace["made"], style.BLUE, "o"),
                                       ("bytes", trace["asked_bytes"], style.VERMILLION, "s")):
        shares = [100 * size[key] / max(whole, 1) for size in sizes]
        axis.plot(places, shares, color=colour, marker=marker, markersize=4.5, linewidth=1, label=key)
        most = max(places, key=shares.__getitem__)
        peaks.append((most, shares[most], key, colour))
    lower = "blocks" if peaks[0][1] < peaks[1][1] else "bytes"
    for most, share, key, colour in peaks:
        is_under = peaks[0][0] == peaks[1][0] and key == lower  # two labels of one size would cover each other
        axis.annotate(key, (most, share), xytext=(0, -6 if is_under else 6), textcoords="offset points", ha="center",
                      va="top" if is_under else "bottom", color=colour, fontsize=style.SMALL)
    axis.set_xticks(list(places), [_size(size["below_bytes"]) for size in sizes], rotation=60, fontsize=style.SMALL - 1)
    axis.set_xlabel("bytes of a block, from")
    axis.set_ylabel("%")
    axis.set_ylim(0, max(share for _, share, _, _ in peaks) * 1.15 or 1)


def _draw_lifetimes(axis, trace):
    axis.set_title("Lifetimes, in bytes asked for meanwhile", loc="left", fontweight="bold")
    lives = trace["lifetime_bytes"]
    if not lives["count"]:
        return _say(axis, "no block was freed by the thread that made it")
    values = [max(lives[name], 1) for name, _ in QUANTILES]  # a logarithmic axis has no 0; the label says it
    places = range(len(QUANTILES))
    axis.plot(places, values, color=style.GREEN, marker="^", markersize=5.5, linewidth=1)
    for place, (name, _) in enumerate(QUANTILES):
        axis.annotate(_bytes(lives[name]), (place, values[place]), xytext=(-4, 6), textcoords="offset points", ha="right",
                      fontsize=style.SMALL)
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(matplotlib.ticker.LogLocator(numticks=6))
    axis.yaxis.set_major_formatter(lambda value, _: _bytes(value))
    axis.yaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axis.set_ylim(min(values) / 3, max(values) * 12)
    axis.set_xticks(list(places), [share for _, share in QUANTILES])
    axis.set_xlim(-0.5, len(QUANTILES) - 0.5)
    axis.set_xlabel("share of blocks that live so long or less")


def _say(axis, sentence):
    """In place of what there is not."""
    axis.text(0.5, 0.5, sentence, transform=axis.transAxes, ha="center", va="center", color=style.FAINT)
    axis.set_xticks([])
    axis.set_yticks([])


def _bytes(size):
    return words.memory(size / MB) if size >= LEAST_MB else f"{size:,.0f}{words.NARROW}B"


def _count(number, noun):
    return f"{words.number(number, 0)} {noun}" + ("" if number == 1 else "s" if noun[-1] != "s" else "es")


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("trace", help="what `tidemark trace --json` printed")
    parser.add_argument("output", help="a picture, .png or .svg")
    arguments = parser.parse_args()
    figure = draw(read_trace(arguments.trace))
    form, metadata = ("svg", {"Date": None}) if arguments.output.endswith(".svg") else ("png", None)
    try:
        style.write_file(os.path.abspath(arguments.output),
                         lambda path: figure.savefig(path, dpi=style.DOTS, format=form, metadata=metadata))
    except OSError as error:
        raise RunError(f"{arguments.output}: {error.strerror}") from error


if __name__ == "__main__":
    try:
        main()
    except RunError as error:
        sys.exit(f"tidemark trace: {error}")
