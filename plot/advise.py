"""
Says which row to ship: tables of time, peak and retained memory with the Pareto front of each experiment and over them, then a
paragraph. `tidemark advise` runs it; report.py takes its paragraphs.
It leaves out pictures (trade_off.py draws the front) and any score: rows are put in an order only by weights that a user gives.
"""
import argparse
import dataclasses
import json
import os
import shutil
import sys
import textwrap
from dataclasses import dataclass, field

sys.dont_write_bytecode = True

import numpy  # noqa: E402

import advice_words  # noqa: E402
import command  # noqa: E402
import dominance  # noqa: E402
import processes  # noqa: E402
import words  # noqa: E402
from dominance import AXES, CERTAIN, MAY, ON  # noqa: E402
from model import Way  # noqa: E402

NARROWEST, WIDEST = 60, 110  # of text on a terminal
FIELDS = ("time_ns", "peak_bytes", "retained_bytes")  # of AXES, in JSON


@dataclass
class Experiment:
    """Cells that may be compared, on one host. `comparison` is None where fewer than two rows have what it takes."""
    name: str
    cells: list
    rows: list = field(default_factory=list)      # that are compared
    left_out: list = field(default_factory=list)  # (row, reason)
    values: numpy.ndarray = None                  # [axis, row, block]
    comparison: dominance.Comparison = None
    noise: dominance.Ratio = None                 # of times: a row of it that was measured twice, over itself

    @property
    def first(self):
        return self.cells[0]


@dataclass
class Overall:
    """Experiments that are averaged. `left_out`: (row, reason)."""
    experiments: list
    rows: list
    left_out: list
    comparison: dominance.Comparison


@dataclass
class Advice:
    """`others`: experiments of a program that `singles` or `overalls` have already, given back in another way."""
    run: object
    experiments: list
    overalls: list
    singles: list
    others: list


# --- What is compared. -----------------------------------------------------------------------------------------------------

def advise(run, is_asked=lambda cell: True):
    """The Advice of a Measured run, of the cells that are asked for."""
    groups = {}
    for cell in run.cells:
        if not cell.control and is_asked(cell):
            groups.setdefault(cell.key, []).append(cell)
    experiments = [_compare(run, cells) for cells in groups.values()]
    main, others = _part_ways([one for one in experiments if one.comparison])
    overalls = []
    for host in dict.fromkeys(one.first.host for one in main):
        here = [one for one in main if one.first.host == host]
        for indices, _ in dominance.choose_blocks([{cell.row for cell in one.cells} for one in here]):
            overalls += filter(None, [_average([here[index] for index in indices])])
    averaged = [one for overall in overalls for one in overall.experiments]
    return Advice(run, experiments, overalls, [one for one in main if one not in averaged], others)


def paragraphs(run):
    """
    The paragraphs of a run that run_folder.py has read, as plain text, for its report; empty where nothing is compared, or its rows
    ran at once.
    """
    return [] if run.at_once else say_paragraphs(advise(processes.read(run.folder)))


def _compare(run, cells):
    experiment = Experiment(_name(run, cells[0]), cells)
    known = []
    for cell in cells:
        reason = cell.trouble or cell.missing
        if reason:
            experiment.left_out.append((cell.row, words.plain(reason, 160)))
        else:
            known.append(cell)
    blocks = sorted(set.intersection(*({process.block for process in cell.good} for cell in known)) if known else ())
    experiment.left_out += [(cell.row, f"more than {dominance.MOST_ROWS} rows") for cell in known[dominance.MOST_ROWS:]]
    known = known[:dominance.MOST_ROWS]
    experiment.noise = _measure_noise(run, cells)
    if len(known) > 1 and blocks:
        experiment.rows = [cell.row for cell in known]
        by_block = [{process.block: process for process in cell.good} for cell in known]
        experiment.values = numpy.array([[[_figures(row[block])[axis] for block in blocks] for row in by_block]
                                         for axis in range(len(AXES))], dtype=float)
        experiment.comparison = dominance.compare(experiment.rows, experiment.values)
    return experiment


def _measure_noise(run, cells):
    """The Ratio of times of an A/A control over the cell that it repeats; None without one that ran."""
    for control in run.cells:
        if control.control and control.key == cells[0].key:
            times = [{process.block: process.figures["wall_ns"] for process in cell.good if process.figures["wall_ns"]}
                     for cell in (control, *(cell for cell in cells if cell.allocator == control.allocator))]
            blocks = sorted(set(times[0]) & set(times[-1]))
            if len(times) == 2 and blocks:
                return dominance.paired_ratio(*(numpy.array([by_block[block] for block in blocks], dtype=float) for by_block in times))
    return None


def _figures(process):
    return process.figures["wall_ns"], process.peak_above_bytes, process.figures["retained_bytes"]


def _part_ways(experiments):
    """
    Of each program once what is given as advice: as it came, with the shortest rest; where a run has none such, its first way. The rest
    is the same program, and would count it twice.
    """
    programs = {}
    for one in experiments:
        cell = one.first
        programs.setdefault((cell.workload, json.dumps(cell.params, sort_keys=True), cell.host), []).append(one)
    as_it_came = lambda one: (one.first.way.mode != "stock", one.first.way.activity_s > 0, one.first.way.thp != "system",
                              one.first.idle_ns)
    main = [min(same, key=as_it_came) for same in programs.values()]
    return main, [one for one in experiments if one not in main]


def _average(experiments):
    """The Overall of experiments that were planned with common rows; None where fewer than two of these ran in all of them."""
    everywhere = [row for row in experiments[0].rows if all(row in one.rows for one in experiments)]
    left_out = []
    for row in dict.fromkeys(cell.row for one in experiments for cell in one.cells):
        if row not in everywhere:
            reasons = [reason for one in experiments for name, reason in one.left_out if name == row]
            count = sum(row in one.rows for one in experiments)
            left_out.append((row, reasons[0] if reasons else f"measured in {count} of {len(experiments)}"))
    if len(everywhere) < 2:
        return None
    chosen = [one.values[:, [one.rows.index(row) for row in everywhere]] for one in experiments]
    return Overall(experiments, everywhere, left_out, dominance.mean_over(everywhere, chosen))


def _name(run, cell):
    name = words.workload(cell.workload, cell.params)
    host = run.host_name(cell.host)
    way = dataclasses.replace(cell.way, told=cell.way != Way())
    return words.with_way(name, way) + (f" · in {host}" if host else "")


# --- Words. ----------------------------------------------------------------------------------------------------------------

def say_paragraphs(advice):
    """A paragraph for each set of rows that can be compared: those over several experiments first."""
    said = [advice_words.paragraph(_name_overall(overall), overall.comparison, _say_next_overall(overall),
                                   noise=_find_noise(overall.experiments)) for overall in advice.overalls]
    said += [advice_words.paragraph(one.name, one.comparison, advice_words.say_next(one.comparison), one.comparison.middles,
                                    _find_noise([one])) for one in advice.singles]
    return said


def _name_overall(overall):
    names = [one.name for one in overall.experiments]
    workloads = list(dict.fromkeys(words.plain(one.first.workload) for one in overall.experiments))
    host = names[0].partition(" · in ")[2]
    return (f"Over {len(names)} experiments ({words.listing(workloads[:6])}{' and others' if len(workloads) > 6 else ''})"
            + (f" in {host}" if host else ""))


def _say_next_overall(overall):
    """The experiment in which two rows are hardest to tell apart is the one to run again."""
    def widest(axis, best, other):
        def width(one):
            ratio = one.comparison.ratios[axis][one.rows.index(overall.rows[other])][one.rows.index(overall.rows[best])]
            return ratio.high / ratio.low
        return max(overall.experiments, key=width).name
    return advice_words.say_next(overall.comparison, widest)


def _find_noise(experiments):
    """The Ratio of times of a row that was measured twice in one of them, that which is furthest from 1; None without."""
    known = [one.noise for one in experiments if one.noise]
    return max(known, key=lambda ratio: abs(ratio.value - 1), default=None)


def _say_left_out(left_out):
    return [f"n/a: {words.plain(row)}: {reason}" for row, reason in left_out]


# --- Text. -----------------------------------------------------------------------------------------------------------------

class Printer:
    """Lines of a terminal, or of a file; bold where a terminal wants it."""

    def __init__(self, out):
        self.out = out
        self.bold = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"
        self.width = max(NARROWEST, min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST))

    def line(self, text="", bold=False):
        self.out.write((f"\x1b[1m{text}\x1b[0m" if bold and self.bold else text) + "\n")

    def wrapped(self, text, indent=""):
        self.line(textwrap.fill(text, self.width, initial_indent=indent, subsequent_indent=indent, break_long_words=False,
                                break_on_hyphens=False))


def print_advice(advice, weights, printer):
    for one in advice.experiments:
        _print_head(printer, one.name, one.comparison)
        if one.comparison:
            _print_table(printer, one.comparison, advice_words.write_value)
            _print_order(printer, one.comparison, weights)
        else:
            printer.line("  fewer than two rows can be compared")
        _print_notes(printer, one.left_out)
    for overall in advice.overalls:
        _print_head(printer, _name_overall(overall), overall.comparison)
        printer.wrapped("geometric means of each figure over the best of its experiment", "  ")
        _print_table(printer, overall.comparison, lambda _, value: advice_words.write_ratio(value))
        _print_order(printer, overall.comparison, weights)
        _print_notes(printer, overall.left_out)
    said = say_paragraphs(advice)
    if said:
        printer.line("Advice", bold=True)
    for text in said:
        printer.wrapped(text, "  ")
        printer.line()
    for text in _notes(advice):
        printer.wrapped(text)


def _notes(advice):
    notes = [f"front: whether another row is worse on no axis and better on one at least, by more than "
             f"{dominance.MARGIN * 100:.0f}{words.NARROW}%; the share is that of resamples of the rounds in which the row is on it. "
             "Memory is above the baseline; below 1 MiB it counts as 1 MiB."]
    if advice.others:
        notes.append("In no mean and in no advice, as the same program given back in another way: "
                     + "; ".join(one.name for one in advice.others) + ".")
    return notes


def _print_head(printer, name, comparison):
    rounds = f"  ({comparison.rounds} round{'s' if comparison.rounds > 1 else ''})" if comparison else ""
    printer.line(name + rounds, bold=True)


def _print_table(printer, comparison, write):
    lines = [("", "time", "peak", "retained", "front", "")]
    for row, name in enumerate(comparison.rows):
        cells = [_write_cell(comparison, axis, row, write) for axis in range(len(AXES))]
        lines.append((words.plain(name, 34), *cells, *_write_front(comparison, row)))
    widths = [max(map(len, column)) for column in zip(*lines)]
    for number, line in enumerate(lines):
        texts = [text.ljust(width) if place in (0, 5) else text.rjust(width)
                 for place, (text, width) in enumerate(zip(line, widths))]
        printer.line(("  " + "  ".join(texts)).rstrip(), bold=number > 0 and comparison.front[number - 1] == ON)


def _write_cell(comparison, axis, row, write):
    low, high = comparison.spans[axis][row]
    bounds = "" if low is None else f" [{_bare(write(axis, low))}, {_bare(write(axis, high))}]"
    return write(axis, comparison.middles[axis][row]) + bounds


def _bare(text):
    """In an interval the unit stands with each bound: two of different units are not to be mistaken."""
    return text.replace(words.NARROW, "")


def _write_front(comparison, row):
    share = "" if comparison.share[row] is None else f" {comparison.share[row] * 100:.0f}{words.NARROW}%"
    certain, may = comparison.dominators(row, CERTAIN), comparison.dominators(row, MAY)
    names = lambda rows: words.listing(words.plain(comparison.rows[other], 34) for other in rows)
    if certain:
        return "no" + share, f"dominated by {names(certain)}"
    if may:
        return "maybe" + share, f"perhaps dominated by {names(may)}"
    return "yes" + share, ""


def _print_order(printer, comparison, weights):
    if weights is None:
        return
    order = dominance.order_front(comparison, weights)
    stable = dominance.weigh_stability(comparison, weights)
    told = ", ".join(f"{name}={weight:g}" for name, weight in zip(AXES, weights))
    ranks = ", ".join(f"{place}. {words.plain(comparison.rows[row])}" + (f" (+{(numpy.exp(cost) - 1) * 100:.1f}{words.NARROW}%)"
                                                                         if place > 1 else "")
                      for place, (row, cost) in enumerate(order, 1))
    first = words.listing(f"{words.plain(comparison.rows[row])} is first in {count}"
                          for row, count in sorted(stable.first.items(), key=lambda item: -item[1]))
    share = ("" if stable.first_share is None else
             f"; over resampled rounds {words.plain(comparison.rows[order[0][0]])} is first in {stable.first_share * 100:.0f}{words.NARROW}%")
    printer.wrapped(f"by your weights {told}: {ranks}. With each weight up to 20{words.NARROW}% less or more the order is the same in "
                    f"{stable.same} of {stable.changes}; {first}{share}.", "  ")


def _print_notes(printer, left_out):
    for text in _say_left_out(left_out):
        printer.wrapped(text, "  ")
    printer.line()


# --- JSON. -----------------------------------------------------------------------------------------------------------------

def to_json(advice, weights):
    experiments = {id(one): index for index, one in enumerate(advice.experiments)}
    return {"format": 1, "run": advice.run.name, "hash": advice.run.hash, "margin": dominance.MARGIN,
            "floor_bytes": dominance.FLOOR, "weights": None if weights is None else dict(zip(AXES, weights)),
            "experiments": [_experiment_json(one, weights) for one in advice.experiments],
            "overall": [{"experiments": [experiments[id(one)] for one in overall.experiments],
                         **_comparison_json(overall.comparison, AXES, weights), "left_out": _left_out_json(overall.left_out)}
                        for overall in advice.overalls],
            "not_in_overall": [experiments[id(one)] for one in advice.others],
            "advice": [text.replace(words.NARROW, " ") for text in say_paragraphs(advice)]}


def _experiment_json(one, weights):
    cell = one.first
    head = {"workload": cell.workload, "params": cell.params, "host": cell.host, "idle_ns": cell.idle_ns, "return": cell.way.mode,
            "activity_ns": round(cell.way.activity_s * 1e9), "rebuild": cell.way.rebuild, "thp": cell.way.thp}
    body = (_comparison_json(one.comparison, FIELDS, weights) if one.comparison else
            {"rounds": 0, "rows": [], "pairs": [], "order": None})
    return {**head, **body, "left_out": _left_out_json(one.left_out)}


def _left_out_json(left_out):
    return [{"row": row, "reason": reason} for row, reason in left_out]


def _comparison_json(comparison, names, weights):
    def row_json(row):
        figures = {name: {"median": comparison.middles[axis][row], "low": comparison.spans[axis][row][0],
                          "high": comparison.spans[axis][row][1]} for axis, name in enumerate(names)}
        by = {name: [comparison.rows[other] for other in comparison.dominators(row, outcome)]
              for name, outcome in (("dominated_by", CERTAIN), ("perhaps_dominated_by", MAY))}
        return {"row": comparison.rows[row], **figures, "front": comparison.front[row], "front_share": comparison.share[row], **by}

    def pair_json(one, other):
        ratios = [axis[one][other] for axis in comparison.ratios]
        return {"row": comparison.rows[one], "over": comparison.rows[other], "outcome": comparison.outcomes[one][other],
                **{name: {"ratio": ratio.value, "low": ratio.low, "high": ratio.high} for name, ratio in zip(AXES, ratios)}}
    count = len(comparison.rows)
    return {"rounds": comparison.rounds, "sure": comparison.sure, "rows": [row_json(row) for row in range(count)],
            "pairs": [pair_json(one, other) for one in range(count) for other in range(count) if one != other],
            "order": _order_json(comparison, weights)}


def _order_json(comparison, weights):
    if weights is None:
        return None
    stable = dominance.weigh_stability(comparison, weights)
    return {"rows": [{"row": comparison.rows[row], "cost": float(numpy.exp(cost))}
                     for row, cost in dominance.order_front(comparison, weights)],
            "changes": stable.changes, "same": stable.same,
            "first": {comparison.rows[row]: count for row, count in stable.first.items()}, "first_share": stable.first_share}


# --- The command. ----------------------------------------------------------------------------------------------------------

def read_weights(text):
    """Exponents for AXES out of "time=1,peak=0.5"; an axis that is not named has 0. Raises command.Usage."""
    found = dict.fromkeys(AXES, 0.0)
    for part in text.split(","):
        name, equals, value = part.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if name not in AXES or not equals or not 0 <= number <= 1000:
            raise command.Usage(f"'{words.plain(part)}' in --weights: wanted {', '.join(f'{axis}=NUMBER' for axis in AXES)}, "
                             "each from 0 to 1000")
        found[name] = number
    if not any(found.values()):
        raise command.Usage("--weights: one of them has to be above 0")
    return tuple(found.values())


def add_filter(parser):
    """Options of a script that takes a workload's name and values of its parameters, as harness/cli_filter.c writes them."""
    parser.add_argument("--workload", help="of this one alone")
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE",
                        help="with this value of a parameter, or another that is given of it")


def read_filter(options):
    """Whether a workload and its parameters are asked for."""
    wanted = {}
    for text in options.parameter:
        name, _, value = text.partition("=")
        wanted.setdefault(name, set()).add(value)
    return lambda workload, params: ((options.workload is None or workload == options.workload)
                                     and all(params.get(name) in values for name, values in wanted.items()))


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="advise.py", description=__doc__.strip().splitlines()[0])
    parser.add_argument("run", metavar="RUN", help="folder of a run")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--weights")
    add_filter(parser)
    options = parser.parse_args(arguments)
    return command.run("advise", lambda: _answer(options))


def _answer(options):
    weights = None if options.weights is None else read_weights(options.weights)
    is_asked = read_filter(options)
    run = processes.read(options.run)
    run.refuse_at_once()
    advice = advise(run, lambda cell: is_asked(cell.workload, cell.params))
    if not advice.experiments:
        there = dict.fromkeys(words.workload(cell.workload, cell.params) for cell in run.cells)
        raise command.Usage(f"no cell of {options.run} is as asked for; it has: {'; '.join(there) or 'none'}")
    if options.json:
        json.dump(to_json(advice, weights), sys.stdout, indent=1)
        sys.stdout.write("\n")
    else:
        print_advice(advice, weights, Printer(sys.stdout))
    return 0


if __name__ == "__main__":
    sys.exit(main())
