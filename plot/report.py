#!/usr/bin/python3
"""
Draws the figures of a run and writes its report: RUN/figures/*.png, RUN/figures/*.svg and RUN/report.html.
It leaves out measuring and statistics; its only input is the run folder as results/FORMAT.md describes it.
The chain read, draw, write with one question per module is that of hyperfine's plot scripts.
"""
import argparse
import base64
import os
import re
import sys
from dataclasses import dataclass

sys.dont_write_bytecode = True

import address_map  # noqa: E402
import canary  # noqa: E402
import checked  # noqa: E402
import findings_census  # noqa: E402
import findings_steadiness  # noqa: E402
import held_back  # noqa: E402
import latency  # noqa: E402
import memory_return  # noqa: E402
import micro  # noqa: E402
import overview  # noqa: E402
import replay  # noqa: E402
import report_page  # noqa: E402
import returned  # noqa: E402
import run_folder  # noqa: E402
import style  # noqa: E402
import survivors  # noqa: E402
import system_calls  # noqa: E402
import trade_off  # noqa: E402
import words  # noqa: E402

EXAMPLE = """example:
  plot/report.py results/2024-05-01-quick    figures and report of that run
"""


@dataclass
class Picture:
    """
    A figure of the run; `alt` says in words what it shows; `anchor` is that of the section that it belongs to. It is a file only where the
    report has charts, which show the same.
    """
    path: str
    title: str
    alt: str
    anchor: str = ""

    @property
    def source(self):
        with open(self.path, "rb") as file:
            return "data:image/png;base64," + base64.b64encode(file.read()).decode("ascii")


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="report.py", description="Draws the figures of a run and writes its report.",
                                     epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN", help="folder of a run, as `tidemark run` writes it")
    parser.add_argument("--only", choices=("report", "figures"),
                        help="the report, whose charts need no figures, or the figures; by default both")
    options = parser.parse_args(arguments)
    try:
        run = run_folder.read_run(options.run)
        library = report_page.find_library()
        # Without the library the page holds the figures.
        pictures = draw_all(run) if options.only != "report" or library is None else []
        if options.only != "figures":
            report_page.write_report(run, pictures, latency.read_latencies(run), library)
        for picture in pictures:
            print(picture.path)
        if options.only != "figures":
            print(os.path.join(run.folder, "report.html"))
        sys.stdout.flush()
    except (checked.RunError, OSError) as error:
        print(f"report.py: {options.run}: {error}", file=sys.stderr)
        style.discard()
        sys.stdout = None  # nothing is left to be flushed at exit
        return 1
    return 0


def draw_all(run):
    """Draws every figure that the run has data for. Returns Pictures in reading order."""
    latencies = latency.read_latencies(run)  # first: what is refused leaves no figure
    return [*_draw_overview(run), *_draw_returned(run), *_draw_curves(run, long_idle=False), *_draw_replays(run),
            *_draw_curves(run, long_idle=True), *_draw_trade_off(run), *_draw_held(run), *_draw_calls(run), *_draw_maps(run),
            *_draw_survivors(run), *_draw_latencies(run, latencies), *_draw_micro(run), *_draw_canary(run)]


def _slug(*parts, taken=None):
    """A file name from the parts; unique among `taken`, to which it is added."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(parts)).strip("-.")[:120]
    taken = set() if taken is None else taken
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name}-{number}", number + 1
    taken.add(unique)
    return unique


def _parts_of(experiment):
    """Of an experiment, for the name of a file."""
    return [experiment.workload, *map(words.count, experiment.params.values()), *filter(None, [words.way(experiment.way)])]


def _draw_curves(run, long_idle):
    taken = set()
    for experiment in run.experiments:
        if experiment.long_idle != long_idle:
            continue
        kind = "idle" if long_idle else "memory-return"
        name = _slug(kind, *_parts_of(experiment), taken=taken)
        title = words.experiment(experiment)
        if long_idle:
            title = f"What comes back while idle for {words.duration(experiment.idle_s)} · {title}"
        shares = [f"{words.row(cell)} gives back {words.value(cell.return_ratio, words.percent_short)}"
                  for cell in experiment.cells]
        yield Picture(memory_return.draw(run, experiment, name), title,
                      f"Memory over time, one panel per row: {'; '.join(shares)}")


def _draw_replays(run):
    taken = set()
    for experiment, ours, real in replay.find_pairs(run):
        name = _slug("replay", *_parts_of(experiment), ours.allocator, taken=taken)
        path = replay.draw(run, experiment, ours, real, name)
        if path:
            yield Picture(path, f"The replay over {real.host_version} · {words.experiment(experiment)}",
                          "Resident memory by progress within each phase, replay and CPython: " + "; ".join(
                              f"{words.plain(a.name)} {off} ({share})"
                              for a, _, off, share in replay.compare(ours, real)))


def _draw_trade_off(run):
    parts = trade_off.parts(trade_off.candidates(run))
    for number, pairs in enumerate(parts, 1):
        name = f"trade-off-{number}" if len(parts) > 1 else "trade-off"
        yield Picture(trade_off.draw(run, pairs, name), "Time against retained memory" + _part(number, parts),
                      "A dot per sample, the median of each row, and the Pareto front; the values are in the table of cells")


def _part(number, parts):
    return f" · {number} of {len(parts)}" if len(parts) > 1 else ""


def _draw_overview(run):
    pairs = overview.candidates(run)
    parts = overview.parts(pairs) if pairs else []
    for number, some in enumerate(parts, 1):
        name = f"overview-{number}" if len(parts) > 1 else "overview"
        yield Picture(overview.draw(run, some, name), "The field at a glance" + _part(number, parts),
                      "A line per experiment, a column per row: time and peak over the best of the line, and the share kept of "
                      "what could have gone back; the values are in the table of cells")


def _draw_returned(run):
    taken = set()
    for group in returned.find_groups(run)[:returned.MOST_GROUPS]:
        name = _slug("returned", group.workload, *map(words.count, group.params.values()), taken=taken)
        several = returned.parts(group)
        for number, part in enumerate(several, 1):
            yield Picture(returned.draw(run, part, f"{name}-part-{number}" if len(several) > 1 else name),
                          f"How much goes back, and how soon · {group.name}" + _part(number, several), returned.say(part))
        several = returned.price_parts(group) if returned.has_prices(group) else []
        for number, part in enumerate(several, 1):
            yield Picture(returned.draw_prices(run, part, f"{name}-price-{number}" if len(several) > 1 else f"{name}-price"),
                          f"What giving back costs · {group.name}" + _part(number, several),
                          "A dot per row and way: memory kept, time over stock, time of asking, time of building anew")


def _draw_held(run):
    taken = set()
    for experiment, rows in held_back.candidates(run):
        name = _slug("held-back", *_parts_of(experiment), taken=taken)
        yield Picture(held_back.draw(run, experiment, rows, name),
                      f"Who holds memory back · {words.experiment(experiment)}", "A bar per row, of what is resident: "
                      + "; ".join(f"{words.plain(one.cell.allocator)}: {held_back.say(one)}" for one in rows))


def _draw_calls(run):
    taken = set()
    for experiment, ledgers in system_calls.candidates(run)[0]:
        name = _slug("system-calls", experiment.workload, *map(words.count, experiment.params.values()), taken=taken)
        yield Picture(system_calls.draw(run, experiment, ledgers, name), f"Calls to the kernel · {words.experiment(experiment)}",
                      "A bar per row and phase, of bytes taken and given back: " + "; ".join(
                          f"{words.plain(one.cell.allocator)}: {system_calls.say(one)}" for one in ledgers))


def _draw_maps(run):
    taken = set()
    for one, left_out in address_map.choose(run.censuses):
        experiment = findings_census.experiment_of(run, one)
        name = _slug("address-map", *_parts_of(experiment), one.cell.allocator, taken=taken)
        yield Picture(address_map.draw(run, experiment, one, left_out, name),
                      f"What keeps arenas in place · {words.experiment(experiment)} · {words.row(one.cell)}",
                      f"A cell per pool, a column per arena, a panel per phase; {address_map.say(one)}")


def _draw_survivors(run):
    taken = set()
    for series in survivors.find_series(run):
        values = map(words.count, series.params.values())
        name = _slug("survivors", *values, words.way(series.way), taken=taken)
        told = "; ".join(survivors.say(series, size, row) for size in series.sizes for row in series.rows
                         if series.of(size=size, row=row))
        yield Picture(survivors.draw_shares(run, series, name),
                      f"How few survivors hold a pool, and an arena · {series.name}",
                      f"Share of pools and arenas that stay, by k, with the closed form: {told}")
        if survivors.find_histograms(series):
            name = _slug(name, "histogram", taken=taken)
            yield Picture(survivors.draw_histograms(run, series, name), f"How many blocks hold an arena · {series.name}",
                          "Arenas by their blocks in use after the frees, measured and binomial")


def _draw_latencies(run, latencies):
    taken = set()
    for experiment in run.experiments:
        found = [one for one in latencies if one.cell in experiment.cells and one.operations]
        if found:
            name = _slug("latency", *_parts_of(experiment), taken=taken)
            yield Picture(latency.draw(run, experiment, found, name), f"How long each call took · {words.experiment(experiment)}",
                          "Time of a call by percentile, a line per row; " + "; ".join(
                              latency.say(found, operation) for operation in latency.choose(found)))


def _draw_micro(run):
    lines = micro.read_lines(run)
    if lines:
        yield Picture(micro.draw(run, lines, "micro"), "Micro-benchmarks", "Nanoseconds per item by size or threads, a panel per kind and a line per row")


def _draw_canary(run):
    if run.readings:
        dirty = sum(reading.dirty for reading in run.readings)
        yield Picture(canary.draw(run, "steadiness"), "The canary before each sample",
                      f"Ratio of each piece to its median by sample; {dirty} of {len(run.readings)} samples are dirty",
                      findings_steadiness.ANCHOR)


if __name__ == "__main__":
    sys.exit(main())
