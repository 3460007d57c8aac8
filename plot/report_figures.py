"""
Makes the data of the report's charts but curves and maps: trade-off, phases, latency, calls, pages, census, micro and others.
It leaves out looks, which templates/*.js have: each Figure has a kind that they know, and numbers. Those are the numbers that the
modules of the same name draw to files; what was left out there (rows, phases) is in here, as a reader can zoom and choose.
"""
import math
import statistics
from dataclasses import dataclass, field

import numpy

import canary
import given_back
import held_back
import inference
import latency
import micro
import replay
import report_pack
import returned
import survivors
import system_calls
import words
from report_pack import short

MOST_STEPS = 80          # of a line of latencies
NEAR = 0.01              # decades that such a line may be off: 2.3 %
HOLES = (("requested", "asked for"), ("rounding", "rounded up"), ("holes", "holes"), ("held", "held back"))


@dataclass
class Figure:
    """A chart of the page: what kind of one, its title, what it shows in words, what to know when reading it, and its data."""
    kind: str
    title: str
    alt: str
    data: dict
    notes: list = field(default_factory=list)
    height: int = 320
    anchor: str = ""

    @property
    def packed(self):
        return report_pack.pack(self.data)


def rows_of(run):
    """{name of a row: number of its look}, the same in every chart of the page."""
    names = [words.row(cell) for experiment in run.experiments for cell in experiment.cells]
    names += [words.plain(row, 48) for row in micro_rows(run)]
    return {name: index for index, name in enumerate(dict.fromkeys(names))}


def micro_rows(run):
    return [row for lines in micro.read_lines(run).values() for row in lines]


def interval(values):
    """[median, low, high] with the exact 95 % interval of order statistics, None for bounds below six values; None without any."""
    values = [value for value in values if value is not None and math.isfinite(value)]
    if not values:
        return None
    found = inference.median(values)
    return [short(found.value, 6), short(found.low, 6), short(found.high, 6)]


def _figure(figure):
    return None if figure is None else [short(figure.median, 6), short(figure.low, 6), short(figure.high, 6)]


def read_trade_off(experiment, samples, looks):
    """Time against memory, None with fewer than two rows to compare: cells inside an interpreter are left out."""
    cells = [cell for cell in experiment.cells if cell.host == "objects" and cell.ran and cell.wall_s is not None]
    if len(cells) < 2 or experiment.long_idle:
        return None
    rows = [{"name": words.row(cell), "look": looks[words.row(cell)], "time": _figure(cell.wall_s),
             "kept": _figure(cell.retained_mb), "peak": _figure(cell.peak_mb),
             "samples": [[one["n"], one["time"], one["kept"], one["peak"]] for one in samples.get(cell.index, ())
                         if one["status"] == "ok"]} for cell in cells]
    times = [row["time"][0] for row in rows]
    notes = ["Down and to the left is better. The stepped line is the Pareto front: no row is both faster and needs less than a row on "
             "it. Faint: one sample each; solid: the median, with its 95 % interval from six samples on."]
    return Figure("points", "Time against memory", "; ".join(
        f"{row['name']} {words.duration(row['time'][0])} and {words.memory(row['kept'][0])} kept" for row in rows),
        {"rows": rows, "log": min(times) > 0 and max(times) > 20 * min(times)}, notes, 400)


def read_phases(experiment, looks):
    """Each phase of each row: time and what was resident at its end, every sample, the median and its interval."""
    cells = [cell for cell in experiment.cells if cell.ran]
    names = list(dict.fromkeys(words.plain(phase.name, 24) for cell in cells for sample in cell.good for phase in sample.phases))
    if not names:
        return None
    metrics = [("time", "time of the phase", "s", lambda phase: phase.wall_s),
               ("resident", "resident at its end, above baseline", "MB", lambda phase: phase.resident_mb),
               ("uss", "USS at its end, above baseline", "MB", lambda phase: phase.uss_mb),
               ("lazy", "LazyFree at its end", "MB", lambda phase: phase.lazy_mb)]
    values = [[[_of_phase(cell, name, read) for cell in cells] for name in names] for *_, read in metrics]
    data = {"rows": [[words.row(cell), looks[words.row(cell)]] for cell in cells], "phases": names,
            "metrics": [metric[:3] for metric in metrics], "values": values}
    alt = "; ".join(f"{name}: " + ", ".join(f"{words.row(cell)} {words.duration(found[0][0])}" for cell, found in zip(cells, line)
                                            if found and found[0]) for name, line in zip(names, values[0]))
    return Figure("dots", "Phase by phase", alt, data, ["A faint dot per sample, a solid one at the median; the bar is its 95 % "
                  "interval by order statistics, from six samples on. Park time is in no phase."], 90 + 26 * len(cells))


def _of_phase(cell, name, read):
    """[[median, low, high], values]: of the phase so called, the last one where a sample has two."""
    found = [{words.plain(phase.name, 24): read(phase) for phase in sample.phases}.get(name) for sample in cell.good]
    found = [value for value in found if value is not None]
    return [interval(found), [short(value, 5) for value in found]] if found else None


def read_latencies(experiment, latencies, looks):
    """How long each call took, by percentile, a panel per operation; None without the pass."""
    found = [one for one in latencies if one.operations and any(one.cell is cell for cell in experiment.cells)]
    if not found:
        return None
    panels = []
    for name in latency.choose(found):
        series = [_latency_line(words.row(one.cell), looks[words.row(one.cell)], one.operations[name])
                  for one in found if name in one.operations]
        series.append({**_latency_line("the clock itself", None, found[0].own), "dashed": True})
        widest = max(one["x"][-1] for one in series[:-1])
        series[-1] = _cut(series[-1], widest)
        panels.append({"title": name, "x": {"name": "calls that took no longer", "kind": "nines", "most": widest},
                       "y": {"name": "time of a call", "kind": "log", "unit": "s"}, "series": series})
    return Figure("lines", "How long each call took", "; ".join(latency.say(found, name) for name in latency.choose(found)),
                  {"panels": panels, "columns": 2},
                  ["Each call timed by itself, in one further child of each row. To the right the slower ones: at 99.9 % stands what one "
                   "call in a thousand takes or passes. Lines are off by no more than 2.4 % where a bucket of times begins, which is 3 % wide; the slowest "
                   "call of all is exact."],
                  300 * -(-len(panels) // 2))


def _latency_line(name, look, times):
    places, seconds = latency.nines(times)
    x, y = [*places, max(math.log10(times.calls), 0.31)], [*seconds, times.most]
    kept, _ = report_pack.thin(numpy.array(x), numpy.log10(numpy.maximum(y, 1e-10)), (), MOST_STEPS, NEAR)
    told = times.slowest.tags if times.slowest else ""
    return {"name": name, "look": look, "x": [short(x[at], 4) for at in kept], "y": [short(y[at], 4) for at in kept],
            "told": f"slowest that kept its processor {told}" if told else ""}


def _cut(line, widest):
    shown = sum(x <= widest for x in line["x"])
    return {**line, "x": line["x"][:shown], "y": line["y"][:shown]}


def read_calls(experiment, ledgers):
    """The system-call ledger: bytes taken and given back by call, a panel per phase, a bar per row."""
    mine = [one for one in ledgers if any(one.cell is cell for cell in experiment.cells)]
    mine = sorted((one for one in mine if one.sum("count")), key=lambda one: (one.sum("time_s"), one.sum("count")))
    if not mine:
        return None
    names = list(dict.fromkeys(phase.name for one in mine for phase in one.phases if phase.lines))
    panels = [_calls_panel(mine, name) for name in names]
    height = sum(70 + 24 * len(panel["rows"]) for panel in panels) + 60
    return Figure("bars", "System-call ledger", "; ".join(f"{words.row(one.cell)}: {system_calls.say(one)}" for one in mine),
                  {"panels": panels, "unit": "MB", "axis": "MB given back  |  MB taken", "signed": True},
                  ["Right of zero the bytes that the calls of a phase took from the kernel, left of it those that they gave back, in whole "
                   "pages, whether there was memory in them or not; address space alone, reserved and unmapped in the same phase, is cut off "
                   "where it is longer than the axis. Pointing at a bar tells its calls and their time. One process of its own per row, not "
                   "timed otherwise."], height)


def _calls_panel(ledgers, name):
    phases = [next((phase for phase in one.phases if phase.name == name), None) for one in ledgers]
    series = []
    for call in system_calls.COLOURS:
        for lazily in (False, True):
            lines = [[line for line in phase.lines if line.of(call) and line.lazily == lazily] if phase else [] for phase in phases]
            unused = [phase.unused if phase and call == "munmap" and not lazily else 0 for phase in phases]
            for what, values in (("taken", [sum(line.took for line in some) for some in lines]),
                                 ("given back", [-(sum(line.gave for line in some) - grey) for some, grey in zip(lines, unused)])):
                if any(abs(value) > 1e-9 for value in values):
                    series.append({"name": "madvise FREE" if lazily else call, "what": what, "key": call, "hatched": lazily,
                                   "values": [short(value, 5) for value in values]})
    if any(phase and phase.unused for phase in phases):
        series.append({"name": "munmap, maybe address space alone", "what": "given back", "key": "unused", "hatched": True,
                       "values": [short(-phase.unused, 5) if phase else 0 for phase in phases]})
    told = [f"{words.duration(phase.sum('time_s'))} in {system_calls.say_calls(phase, 200)}" if phase and phase.lines else "no call"
            for phase in phases]
    return {"title": f"phase {words.plain(name, 24)}", "rows": [words.row(one.cell) for one in ledgers], "series": series, "told": told}


def read_held(experiment, pages):
    """Who holds memory back: what is resident when most is held, and at the end."""
    mine = [one for one in pages if any(one.cell is cell for cell in experiment.cells)]
    if not mine:
        return None
    mine.sort(key=lambda one: (one.last.held, one.last.resident))
    panels = []
    for title, moment in (("When the program holds most", "fullest"), ("At the end", "last")):
        phases = [getattr(one, moment) for one in mine]
        parts = [[phase.requested, (phase.usable or phase.requested) - phase.requested,
                  phase.floor - (phase.usable or phase.requested), phase.held] for phase in phases]
        panels.append({"title": title, "rows": [words.row(one.cell) for one in mine], "told": [held_back.say(one) for one in mine],
                       "series": [{"name": name, "what": "", "key": key, "hatched": False,
                                   "values": [short(part[place], 5) for part in parts]} for place, (key, name) in enumerate(HOLES)]})
    return Figure("bars", "Who holds memory back", "; ".join(f"{words.row(one.cell)}: {held_back.say(one)}" for one in mine),
                  {"panels": panels, "unit": "MB", "axis": "MB resident, without what the process had at its baseline"},
                  ["The end of the third part is the floor of any allocator that does not move blocks; what is right of it is a choice."],
                  2 * (70 + 24 * len(mine)) + 60)


def read_census(experiment, censuses):
    """Arenas by how full they are, a panel per phase, a bar per row that has a census."""
    mine = [one for one in censuses if any(one.cell is cell for cell in experiment.cells) and any(phase.arenas for phase in one.phases)]
    if not mine:
        return None
    names = list(dict.fromkeys(phase.name for one in mine for phase in one.phases))
    panels = []
    for name in names:
        counts = [next((phase for phase in one.phases if phase.name == name), None) for one in mine]
        split = [[0, 0, 0, 0] if count is None else
                 [count.pinned, count.arenas - count.pinned - count.full - count.free, count.full, count.free] for count in counts]
        told = ["not in this row" if count is None else f"{words.amount(count.arenas, 'arena')}, {words.memory(count.held_bytes / 1e6)} "
                "not in use cannot go back" for count in counts]
        panels.append({"title": f"after {words.plain(name, 24)}", "rows": [words.row(one.cell) for one in mine], "told": told,
                       "series": [{"name": label, "what": "", "key": key, "hatched": False, "values": [part[place] for part in split]}
                                  for place, (key, label) in enumerate((("pinned", "pinned: under 10 % in use"), ("between", "between"),
                                                                        ("full", "full: 90 % or more"), ("free", "free")))]})
    return Figure("bars", "Census of arenas", "; ".join(f"{words.row(one.cell)}, after {words.plain(one.after.name, 24)}: "
                  f"{words.amount(one.after.arenas, 'arena')}, {one.after.pinned} pinned" for one in mine),
                  {"panels": panels, "unit": "arenas", "axis": "arenas"},
                  ["An arena goes back only whole: one block in use keeps all of it. From one further child of each row, not timed."],
                  sum(64 + 24 * len(mine) for _ in panels) + 60)


def read_replays(run, experiment):
    """The replay in C over the real CPython, a chart for each row that ran in both."""
    for one, ours, real in replay.find_pairs(run):
        if one is not experiment or not replay.compare(ours, real):
            continue
        phases = replay.compare(ours, real)
        names = [phase.name for phase, *_ in phases]
        lines = [(name, look, *replay.progress(run, cell, names)) for name, look, cell in
                 ((f"{ours.allocator} in C", 4, ours), (real.host_version, 5, real))]
        series = []
        for name, look, x, y in lines:
            known = numpy.flatnonzero(~numpy.isnan(y))
            kept, _ = report_pack.thin(x[known], y[known], (), 300, 0.002 * float(numpy.nanmax(y)))
            series.append({"name": words.plain(name), "look": look, "x": [short(x[known[at]]) for at in kept],
                           "y": [short(y[known[at]]) for at in kept]})
        told = "; ".join(f"{words.plain(a.name, 24)}: {off} ({share})" for a, _, off, share in phases)
        yield Figure("lines", f"The replay over {words.plain(real.host_version, 24)}", told,
                     {"panels": [{"title": "resident memory by progress within each phase", "series": series,
                                  "x": {"name": "phase, each stretched to the same width", "kind": "phases",
                                        "names": [words.plain(name, 20) for name in names]},
                                  "y": {"name": "MB above baseline", "kind": "value", "unit": "MB"}}], "columns": 1},
                     [f"Difference at each phase's end, replay less CPython: {told}."], 360)


def read_returned(run, looks):
    """How much goes back, and how soon: a panel per way, a line per row."""
    for group in returned.find_groups(run):
        if not any(given_back.points(cell) for cell in group.cells if cell.ran):
            continue
        panels = []
        for column_at, column in enumerate(group.columns):
            series = []
            for row in group.rows:
                cell = row.cells[column_at]
                points = given_back.points(cell) if cell and cell.ran else []
                if points:
                    series.append({"name": words.row(cell), "look": looks[words.row(cell)], "dots": True,
                                   "x": [short(max(point.after_s, 0.01)) for point in points],
                                   "y": [short(100 * point.kept) for point in points]})
            if series:
                panels.append({"title": returned.name_column(column), "series": series,
                               "x": {"name": "after the last free (0 at 10 ms)", "kind": "log", "unit": "s"},
                               "y": {"name": "kept of what could go back", "kind": "value", "unit": "%", "most": 100}})
        if panels:
            yield Figure("lines", f"How much goes back, and how soon · {words.plain(group.name, 120)}", returned.say(group),
                         {"panels": panels, "columns": min(3, len(panels))},
                         ["Medians at 0, 0.1, 1, 10 and 30 s after the last free, and at the end of what was done then; 100 % is nothing "
                          "given back. Lower is better."], 280 * -(-len(panels) // 3))


def read_prices(run, looks):
    """What giving back costs, beside what it leaves: a panel per way, a line per row."""
    for group in filter(returned.has_prices, returned.find_groups(run)):
        ways = [returned.name_column(column) for column in group.columns]
        names = [words.row(next(cell for cell in row.cells if cell)) for row in group.rows]
        values = [[[_of_price(row.cells[at], read) for row in group.rows] for at in range(len(ways))] for *_, read in PRICES]
        alt = "; ".join(f"{way}: " + ", ".join(f"{name} {words.memory(found[0][0])}" for name, found in zip(names, line) if found)
                        for way, line in zip(ways, values[0]))
        yield Figure("dots", f"What giving back costs · {words.plain(group.name, 120)}", f"Kept at the end, {alt}",
                     {"rows": [[name, looks[name]] for name in names], "phases": ways, "panel": "way",
                      "metrics": [price[:3] for price in PRICES], "values": values},
                     ["To the left is better. Time is that of the program itself, the ratio to the same row in stock in the same round: without "
                      "what was done after the last free. Asking: the phase `purge` or `pressure`. Again: the workload once more in the same "
                      "process, over its first time there. A row that is absent has no such price in that way."], 90 + 26 * len(names))


def _kept(cell):
    """Nothing, where less than at the beginning is left."""
    figure, values = _figure(cell.retained_mb), [sample.retained_mb for sample in cell.good]
    return [[bound if bound is None else max(bound, 0) for bound in figure], [short(max(value, 0), 5) for value in values]]


def _of_price(cell, read):
    return read(cell) if cell and cell.ran else None


def _price(found):
    """[[median, low, high], values] of a Figure or a number, whose values are not at hand; None without it."""
    if found is None:
        return None
    return [_figure(found) if hasattr(found, "median") else [short(found, 6), None, None], []]


PRICES = (("kept", "kept at the end", "MB", _kept),
          ("time", "time over stock's", "×", lambda cell: _price(cell.prices.beside_stock)),
          ("asking", "asking took", "s", lambda cell: _price(cell.prices.asking_s)),
          ("again", "again over first time", "×", lambda cell: _price(returned.rebuild_ratio(cell))))


def read_survivors(run):
    """How few survivors hold a pool, and an arena: measured and closed form."""
    for series in survivors.find_series(run):
        panels = []
        for size in series.sizes:
            for what, blocks in (("pools", "blocks_per_pool"), ("arenas", "blocks_per_arena")):
                lines = []
                for look, row in enumerate(series.rows):
                    points = series.of(size=size, row=row)
                    if not points:
                        continue
                    grid = numpy.geomspace(max(min(point.k for point in points), 1.01), max(point.k for point in points), 60)
                    lines.append({"name": words.plain(row, 48), "look": look, "bare": True, "x": [point.k for point in points],
                                  "y": [short(100 * getattr(point, what)) for point in points], "dots": True})
                    lines.append({"name": words.plain(row, 48) + ", closed form", "look": look, "x": [short(k) for k in grid],
                                  "y": [short(100 * survivors.predict(k, getattr(points[-1], blocks))) for k in grid]})
                panels.append({"title": f"Blocks of {size} bytes: {what} that stay", "series": lines,
                               "x": {"name": "k: one block in k survives", "kind": "log", "unit": "n"},
                               "y": {"name": "stay", "kind": "value", "unit": "%", "most": 100}})
        told = "; ".join(survivors.say(series, size, row) for size in series.sizes for row in series.rows
                         if series.of(size=size, row=row))
        yield Figure("lines", f"How few survivors hold a pool, and an arena · {words.plain(series.name, 120)}", told,
                     {"panels": panels, "columns": 2},
                     ["Each block survives the frees by chance, 1 in k. A dot is measured; the line is 1 − (1 − 1/k)^blocks."],
                     300 * -(-len(panels) // 2))


def read_survivor_arenas(run):
    """How many blocks hold an arena: a panel per size, row and k of survivors.find_histograms, measured and binomial."""
    for series in survivors.find_series(run):
        panels, told = [], []
        for point in (point for line in survivors.find_histograms(series) for point in line):
            kept = survivors.count_kept(point)
            if not len(kept):
                continue
            edges, shares, chances = survivors.bin_counts(kept, point.blocks_per_arena, point.k)
            middles = [short(at) for at in (edges[:-1] + edges[1:] - 1) / 2]
            title = f"{words.plain(point.row, 18)} · {point.size} B · k {words.number(point.k, 0)}"  # what a third of the page has room for
            told.append(f"{title}: {words.amount(len(kept), 'arena')}, {words.number(float(numpy.median(kept)), 0)} blocks in the median")
            panels.append({"title": title,
                           "series": [{"name": "measured", "look": 0, "bare": True, "dots": True, "x": middles, "y": [short(100 * share) for share in shares]},
                                      {"name": "binomial", "look": 1, "x": middles, "y": [short(100 * chance) for chance in chances]}],
                           "x": {"name": "blocks in use in an arena", "kind": "value", "unit": "n"},
                           "y": {"name": "share of arenas", "kind": "value", "unit": "%"}})
        if panels:
            yield Figure("lines", f"How many blocks hold an arena · {words.plain(series.name, 120)}", f"{survivors.say_held(series)}. {'; '.join(told)}",
                         {"panels": panels, "columns": 3},
                         ["Dots: arenas by their blocks in use after the frees, measured. Line: the binomial distribution of the blocks of an "
                          "arena, each kept 1 in k. Only arenas whose every block was in use before the frees, those that went back as 0."], 220 * -(-len(panels) // 3))


def read_micro(run, looks):
    """The micro-benchmarks, None without any."""
    lines = micro.read_lines(run)
    if not lines:
        return None
    panels = []
    for name, rows in lines.items():
        is_threads = name.split("/")[0] in ("threads", "remote")
        panels.append({"title": words.plain(name, 60), "x": {"name": "threads" if is_threads else "size", "kind": "log2",
                                                             "unit": "n" if is_threads else "B"},
                       "y": {"name": "time of an item", "kind": "log", "unit": "s"},
                       "series": [{"name": words.plain(row, 48), "look": looks[words.plain(row, 48)], "dots": True,
                                   "x": [x for x, _ in points], "y": [short(ns * 1e-9) for _, ns in points]}
                                  for row, points in rows.items()]})
    return Figure("lines", "Micro-benchmarks", "Time of one item by size or threads, a panel per kind and a line per row; the table "
                  "beneath has all values", {"panels": panels, "columns": 3},
                  ["By Google Benchmark, each row in its own process, in the best case: a warm cache and nothing else to do. Lower is "
                   "better; null is the floor, what the loop and the calls cost by themselves."], 250 * -(-len(panels) // 3))


def read_canary(run):
    """How steady the machine was: three pieces of the same work before each sample."""
    if not run.readings:
        return None
    panels = []
    for (piece, step, limit), values in zip(canary.PIECES, zip(*(reading.pieces for reading in run.readings))):
        middle = statistics.median(values)
        points = [(reading.number, short(value / middle), reading.dirty) for reading, value in zip(run.readings, values)]
        series = [{"name": "steady enough", "look": 0, "bare": True, "dots": True, "x": [x for x, _, dirty in points if not dirty],
                   "y": [y for _, y, dirty in points if not dirty]},
                  {"name": "dirty", "look": 1, "bare": True, "dots": True, "x": [x for x, _, dirty in points if dirty],
                   "y": [y for _, y, dirty in points if dirty]},
                  {"name": "limit", "look": None, "dashed": True, "x": [points[0][0], points[-1][0]], "y": [limit, limit]}]
        panels.append({"title": f"{piece}: median {words.duration(middle / 1e9)} {step}", "series": series,
                       "x": {"name": "sample, in the order measured", "kind": "value", "unit": "n"},
                       "y": {"name": "over its median", "kind": "value", "unit": "×", "from": "data"}})
    dirty = sum(reading.dirty for reading in run.readings)
    return Figure("lines", "The canary before each sample", f"Three pieces of the same work before each sample; {dirty} of "
                  f"{len(run.readings)} samples are dirty", {"panels": panels, "columns": 1},
                  ["A flat line is a steady machine. A sample is dirty when a piece took more than 1.3 times (first touch: 1.5 times) its "
                   "median over the run until then."], 480)
