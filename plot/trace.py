"""
Draws what `tidemark trace --json` tells of a recorded program: live bytes over time, blocks and bytes by size, lifetimes.
It leaves out replays, whose figures are those of any run (report.py).
"""
import argparse
import json
import os
import sys

import matplotlib.ticker

import style
import words
from checked import RunError

MB = 1e6
QUANTILES = (("p10", "10 %"), ("p50", "50 %"), ("p90", "90 %"), ("p99", "99 %"), ("most", "all"))


def read_trace(path):
    """The summary at `path`. Raises RunError where it is none."""
    try:
        with open(path, encoding="utf-8") as file:
            trace = json.load(file)
        return trace if {"curve", "sizes", "lifetime_bytes", "lifetime_us", "peak_bytes"} <= trace.keys() else None
    except (OSError, ValueError, AttributeError) as error:
        raise RunError(f"{path}: {error}") from error


def draw(trace):
    """The figure: a wide panel of live bytes, two beneath it."""
    about = trace.get("about") or {}
    peak = trace["peak_bytes"]
    figure, axes = style.make_panels(
        2, 2, 2.7, words.plain(about.get("command", "a recorded program"), 90),
        f"{words.number(trace['made'], 0)} blocks, {words.memory(trace['asked_bytes'] / MB)} asked for, "
        f"{words.memory(peak / MB)} alive at the most, {words.memory(trace['left_bytes'] / MB)} never freed; "
        f"{words.percent(trace['remote'] / max(trace['ended'], 1))} of the frees by another thread than made the block.",
        "Live bytes are what the program asked for and had not freed: the floor of any allocator's peak. A lifetime in bytes is "
        "what the same thread asked for between the two calls. " + f"{_count(trace['threads'], 'thread')} in "
        f"{_count(trace['processes'], 'process')}, on {words.plain(about.get('malloc', 'an unknown'))} malloc.")
    wide = _join(figure, axes[0], axes[1])
    _draw_curve(wide, trace)
    _draw_sizes(axes[2], trace)
    _draw_lifetimes(axes[3], trace)
    return figure


def _join(figure, left, right):
    """One axis in the place of two beside each other."""
    first, second = left.get_position(), right.get_position()
    right.remove()
    left.set_position([first.x0, first.y0, second.x1 - first.x0, first.height])
    return left


def _draw_curve(axis, trace):
    times = [point[0] / 1e9 for point in trace["curve"]]
    live = [point[1] / MB for point in trace["curve"]]
    axis.fill_between(times, live, step="post", color=style.LIVE_AREA, linewidth=0)
    axis.step(times, live, where="post", color=style.RESIDENT, linewidth=1.2)
    axis.set_title("Live memory over time", loc="left", fontweight="bold")
    axis.set_xlabel("seconds since the recording began")
    axis.set_ylabel("MB alive")
    axis.set_ylim(0, max(max(live, default=0), trace["peak_bytes"] / MB) * 1.12 or 1)
    axis.set_xlim(0, max(times[-1] if times else 0, 1e-3))


def _size(below):
    """The class of sizes below 2^n, as its least."""
    least = below // 2
    for unit, factor in (("G", 2**30), ("M", 2**20), ("k", 2**10)):
        if least >= factor:
            return f"{least // factor}{unit}"
    return str(least)


def _draw_sizes(axis, trace):
    sizes = trace["sizes"]
    places = range(len(sizes))
    tallest = 0
    for key, whole, colour, marker, label in (
            ("blocks", trace["made"], style.BLUE, "o", "blocks"), ("bytes", trace["asked_bytes"], style.VERMILLION, "s", "bytes")):
        shares = [100 * size[key] / max(whole, 1) for size in sizes]
        axis.plot(places, shares, color=colour, marker=marker, markersize=4.5, linewidth=1, label=label)
        tallest = max([tallest, *shares])
        if shares:
            most = max(places, key=shares.__getitem__)
            axis.annotate(label, (most, shares[most]), xytext=(0, 6), textcoords="offset points", ha="center", color=colour,
                          fontsize=style.SMALL)
    axis.set_title("Sizes: share of blocks and of bytes", loc="left", fontweight="bold")
    axis.set_xticks(list(places), [_size(size["below_bytes"]) for size in sizes], rotation=60, fontsize=style.SMALL - 1)
    axis.set_xlabel("bytes of a block, from")
    axis.set_ylabel("%")
    axis.set_ylim(0, tallest * 1.15 or 1)


def _draw_lifetimes(axis, trace):
    lives = trace["lifetime_bytes"]
    values = [max(lives[name], 1) for name, _ in QUANTILES]
    places = range(len(QUANTILES))
    axis.plot(places, values, color=style.GREEN, marker="^", markersize=5.5, linewidth=1)
    for place, value in zip(places, values):
        axis.annotate(words.memory(value / MB) if value >= 1e5 else f"{value:,} B", (place, value), xytext=(-4, 6),
                      textcoords="offset points", ha="right", fontsize=style.SMALL)
    axis.set_title("Lifetimes, in bytes asked for meanwhile", loc="left", fontweight="bold")
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(matplotlib.ticker.LogLocator(numticks=6))
    axis.yaxis.set_major_formatter(lambda value, _: words.memory(value / MB) if value >= 1e5 else f"{value:,.0f} B")
    axis.yaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axis.set_ylim(min(values) / 3, max(values) * 12)
    axis.set_xticks(list(places), [share for _, share in QUANTILES])
    axis.set_xlim(-0.5, len(QUANTILES) - 0.5)
    axis.set_xlabel("share of blocks that live so long or less")


def _count(number, noun):
    return f"{words.number(number, 0)} {noun}" + ("" if number == 1 else "s" if noun[-1] != "s" else "es")


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("trace", help="what `tidemark trace --json` printed")
    parser.add_argument("output", help="a picture, .png or .svg")
    arguments = parser.parse_args()
    trace = read_trace(arguments.trace)
    if trace is None:
        raise RunError(f"{arguments.trace} is no summary of a trace")
    figure = draw(trace)
    form = "svg" if arguments.output.endswith(".svg") else "png"
    try:
        style.write_file(os.path.abspath(arguments.output), lambda path: figure.savefig(path, dpi=style.DOTS, format=form))
    except OSError as error:
        raise RunError(f"{arguments.output}: {error.strerror}") from error


if __name__ == "__main__":
    try:
        main()
    except RunError as error:
        sys.exit(f"tidemark trace: {error}")
