"""
Says what a run answers, first: which row was the fastest, had the lowest peak, kept the least, and where the intervals leave it open.
It leaves out why (findings.py). Medians over processes; "open" is said where 95 % intervals overlap, and nothing is called significant.
"""
from collections import Counter
from dataclasses import dataclass

import words

# (title, what is said of the best, attribute of a Cell, how it is written)
QUESTIONS = (("Fastest", "was the fastest", "wall_s", words.duration), ("Lowest peak", "had the lowest peak", "peak_mb", words.memory),
             ("Kept least", "kept the least memory at the end", "retained_mb", words.memory))
ALIKE_MB = 1.0  # two amounts of memory are alike within 1 MB
ALIKE = 0.01    # or within 1 %
MOST_NAMES = 4  # of a sentence


@dataclass
class Best:
    """The row with the lowest median of a figure in an experiment, its value, and the rows that may be as good."""
    cell: object
    value: str
    interval: str
    ties: list
    known: bool  # whether there are intervals to say so

    @property
    def name(self):
        return words.row(self.cell)


@dataclass
class Line:
    """An experiment and its Best for each of QUESTIONS, None where fewer than two rows have the figure."""
    experiment: object
    bests: list


def read_lines(run):
    """A Line for each experiment with at least two rows to compare; interpreters and the long idle are compared nowhere."""
    lines = []
    for experiment in run.experiments:
        if experiment.long_idle:
            continue
        cells = [cell for cell in experiment.cells if cell.ran and cell.host == "objects"]
        bests = [_find_best(cells, name, write) for _, _, name, write in QUESTIONS]
        if any(bests):
            lines.append(Line(experiment, bests))
    return lines


def _find_best(cells, name, write):
    found = sorted((cell for cell in cells if getattr(cell, name) is not None), key=lambda cell: getattr(cell, name).median)
    if len(found) < 2:
        return None
    best = getattr(found[0], name)
    ties = [words.row(cell) for cell in found[1:] if _may_be_as_good(best, getattr(cell, name), name)]
    return Best(found[0], write(best.median), words.interval(best, write).strip(), ties, best.low is not None)


def _may_be_as_good(best, other, name):
    """Whether intervals overlap or, of memory, the medians are too near to matter."""
    if name != "wall_s" and other.median - best.median <= max(ALIKE_MB, ALIKE * abs(best.median)):
        return True
    return best.high is not None and other.low is not None and other.low <= best.high


def read_paragraphs(run, lines):
    """What the run answers and how sure that is, in sentences; read_points has the rest."""
    if not lines:
        return ["This run has no two rows to compare: what it measured is in the table of cells."]
    at_once = ["The rows of each round ran at once, on one processor: every time on this page is of all of them together. What tells "
               "them apart is tidemark compare --metric cpu."] if run.at_once else []
    return [*at_once, _say_how_sure(lines)]


def read_points(lines):
    """Which row was the best in how many experiments, a line for each question."""
    return [text for place in range(len(QUESTIONS)) if (text := _say(lines, place))]


def _say(lines, place):
    """"Fastest, of 9 experiments: glibc in 3, mimalloc in 2 (1 open) ..."; of one experiment with its value."""
    title, said = QUESTIONS[place][:2]
    bests = [line.bests[place] for line in lines if line.bests[place]]
    if len(bests) < 2:
        return "".join(f"{best.name} {said}: {best.value}{' ' + best.interval if best.interval else ''}"
                       + (f"; {words.listing(best.ties)} may be as good." if best.ties else ".") for best in bests)
    clear, shared = Counter(), Counter()
    for best in bests:
        (shared if best.ties else clear)[best.name] += 1
    count = lambda name: clear[name] + shared[name]
    names = sorted(clear.keys() | shared.keys(), key=lambda name: (-count(name), shared[name], name))
    most = names[:MOST_NAMES]
    parts = [f"{name} in {count(name)}" + (f" ({'all' if shared[name] == count(name) > 1 else shared[name] if count(name) > 1 else ''} open)"
                                           .replace("( ", "(") if shared[name] else "") for name in most]
    rest = [f"others in {sum(map(count, names[MOST_NAMES:]))}"] if len(names) > MOST_NAMES else []
    return f"{title}, of {len(bests)} experiments: {words.listing([*parts, *rest])}."


def _say_how_sure(lines):
    bests = [best for line in lines for best in line.bests if best]
    shared = sum(bool(best.ties) for best in bests)
    counts = sorted({cell.count for line in lines for cell in line.experiment.cells if cell.ran})
    text = (f"By medians over processes, {words.samples(counts)}, one row came first in {len(bests)} comparisons; {shared} of them are open: another "
            "row's 95 % interval overlaps that of the best, or keeps memory within 1 % or 1 MB of it. ")
    if not any(best.known for best in bests):
        text = (f"By medians over processes, {words.samples(counts)}: too few for intervals, which need six. Read what follows as what this run saw, "
                "no more. ")
    return text + ("Nothing here is called significant." if counts and counts[-1] < 20 else "").strip()
