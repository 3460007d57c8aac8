"""
Says how steady the machine was, from what the run recorded: dirty samples, A/A controls, the first touch of memory.
It leaves out the canary's curve, which is canary.py's, and any judgement of other figures: a reader has to compare them.
"""
import machines
import words
from findings import Section

ANCHOR, TITLE = "steady", "How steady was the machine"
COLD = 1.2  # first touch over second from which on the warm-up has made a difference


def read_section(run):
    """The Section; what an earlier version of the program did not record is said to be so."""
    items = [_say_control(control) for control in run.controls]
    if run.readings is None and not items and not run.machine.get("warm_up"):
        return Section(ANCHOR, TITLE, ["Not recorded by this run."], absent=True)
    places = machines.several(run)
    paragraphs = [_say_dirty(run), *([_say_warm_up(run.machine.get("warm_up"))] if not places else
                                     [f"On {place.name}: {_say_warm_up(place.record.get('warm_up'))}" for place in places]),
                  *_say_until(run), "A row measured twice, as if it were two (A/A):" if items else
                  "This run has no A/A control, a row measured twice: from six rounds and two rows on it shows what noise alone "
                  "does."]
    return Section(ANCHOR, TITLE, paragraphs, items)


def _say_dirty(run):
    if run.readings is None:
        return "Whether something else used the machine meanwhile was not recorded by this run."
    total, dirty = len(run.readings), sum(reading.dirty for reading in run.readings)
    if not dirty:
        return f"None of {total} samples was dirty: no piece of the canary was slow for this run."
    repeats = sum(reading.repeat for reading in run.readings)
    text = (f"{dirty} of {total} samples were dirty: right before them something else used the machine, so that the canary was "
            "slow for this run. ")
    if not run.repeat_dirty:
        return text + "This run was told to take no sample once more."
    return text + (f"Their rounds were run once more, {repeats} samples. All are kept and count in every figure here.")


def _say_until(run):
    """Paragraphs on the rounds that --until asked for, with each row whose interval stayed wider."""
    cells = [cell for experiment in run.experiments for cell in experiment.cells if cell.until]
    if not cells:
        return []
    wide = [cell for cell in cells if not cell.until.reached]
    text = (f"Rounds were added until half the interval is at most {words.percent_small(cells[0].until.share)} of the median: "
            f"{len(cells) - len(wide)} of {len(cells)} rows came to that")
    return [f"{text}; not {'; '.join(map(_say_wide, wide))}." if wide else text + "."]


def _say_wide(cell):
    stopped = {"rounds": "inconclusive at the bound of rounds", "time": "inconclusive at the bound of time",
               None: "not narrow yet"}[cell.until.cap]
    widths = [f"±{words.percent_small(width)} in {name}" for name, width in cell.until.widths.items() if width is not None]
    return f"{words.row(cell)} in {words.experiment(cell)} ({', '.join([stopped, *widths])})"


def _say_warm_up(warm_up):
    if not warm_up:
        return "Memory was not warmed up before the first sample, or this run did not record it."
    first, again = warm_up["first_ns_per_page"], warm_up["again_ns_per_page"]
    text = (f"Before the first sample {words.memory(warm_up['bytes'] / 1e6)} of memory were touched: a page cost "
            f"{words.duration(first / 1e9)} the first time and {words.duration(again / 1e9)} again. ")
    if first < COLD * again:
        return text + "The machine had that memory at hand."
    return text + f"Without that the first samples would have paid {words.number(first / again)} times as much for each page."


def _say_control(control):
    """"glibc in W: two identical rows differed by +0.3 % [−1.9, +3.2] in time: a smaller difference means nothing"."""
    parts = [f"by {_difference(figure)} in {name}" for name, figure in
             (("time", control.wall), ("peak", control.peak), ("retained memory", control.retained)) if figure is not None]
    name = f"{words.row(control.cell)} in {words.experiment(control.cell)}"
    if not parts:
        return f"{name}: no pair of samples finished."
    few = "" if control.wall is None or control.wall.low is not None else " There are too few pairs for an interval."
    return (f"{name}: two identical rows differed {words.listing(parts)}, {control.pairs} pairs: a smaller difference means "
            f"nothing in this run.{few}")


def _difference(figure):
    write = lambda ratio: words.percent_difference(ratio - 1)
    return write(figure.median) + words.interval(figure, write)
