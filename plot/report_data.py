"""
Gathers what the report's page draws: for each experiment its charts, in reading order, and those of the whole run.
It leaves out the text beside them (report_page.py) and how each chart's data are made (report_figures.py, report_curves.py).
"""
from dataclasses import dataclass

import report_curves
import report_figures
import report_map
import words
from report_figures import Figure

CURVES_HEIGHT = 210  # pixels of a line of panels


@dataclass
class Chapter:
    """An experiment of the page, or what is of all: its title and its charts."""
    anchor: str
    title: str
    about: str
    figures: list
    experiment: object = None


def read_chapters(run, latencies, samples):
    """A Chapter for each experiment, those with nothing to draw included. Raises RunError."""
    looks = report_figures.rows_of(run)
    all_samples = report_curves.has_room(run)
    maps = list(report_map.read_maps(run))
    chapters = []
    for index, experiment in enumerate(run.experiments):
        figures = [_read_curves(run, experiment, looks, all_samples), report_figures.read_trade_off(experiment, samples, looks),
                   report_figures.read_phases(experiment, looks), report_figures.read_latencies(experiment, latencies, looks),
                   report_figures.read_calls(experiment, run.ledgers), report_figures.read_held(experiment, run.pages),
                   report_figures.read_census(experiment, run.censuses),
                   *(figure for one, figure in maps if any(one.cell is cell for cell in experiment.cells)),
                   *report_figures.read_replays(run, experiment)]
        chapters.append(Chapter(f"experiment-{index}", name_experiment(experiment), words.ABOUT.get(experiment.workload, ""),
                                [figure for figure in figures if figure], experiment))
    _number(chapters)
    return chapters


def name_experiment(experiment):
    """With the idle time where that is what the experiment is about: two may differ in it alone."""
    idle = f" · idle for {words.duration(experiment.idle_s)}" if experiment.long_idle else ""
    return words.experiment(experiment) + idle


def read_whole(run):
    """The charts that are of no single experiment."""
    looks = report_figures.rows_of(run)
    figures = [*report_figures.read_returned(run, looks), *report_figures.read_prices(run, looks), *report_figures.read_survivors(run),
               *report_figures.read_survivor_arenas(run), report_figures.read_micro(run, looks)]
    chapter = Chapter("whole", "Of the whole run", "", [figure for figure in figures if figure])
    _number([chapter])
    return chapter


def read_steadiness(run):
    figure = report_figures.read_canary(run)
    if figure:
        figure.anchor = "chart-canary"
    return figure


def _number(chapters):
    for chapter in chapters:
        for place, figure in enumerate(chapter.figures):
            figure.anchor = f"chart-{chapter.anchor.removeprefix('experiment-')}-{place}"


def _read_curves(run, experiment, looks, all_samples):
    data = report_curves.read_curves(run, experiment, looks, all_samples)
    if data is None:
        return None
    shares = [f"{row['name']} gives back {row['back']}" for row in data["rows"] if "back" in row]
    which = "The thick line is the sample nearest to its row's median, thin lines are the others." if all_samples else \
        "Of each row the sample nearest to its median is drawn: with all samples the page would be too large."
    others = f" (thin lines: {words.memory(data['errorOthers'])})" if all_samples else ""
    notes = [f"Memory above each process's own baseline. {which} Strong grey: object bytes, what the program can still reach; faint grey: "
             "live bytes, asked of the allocator and not freed. Stripes are phases; USS and LazyFree are known at their ends. "
             f"Lines have fewer points than were measured and are off by no more than {words.memory(data['error'])}{others}; the highest "
             "and the lowest point and the ends of phases are kept."]
    if any(cell.host != "objects" for cell in experiment.cells):
        notes.append("Inside CPython live and object bytes are known only from phase to phase.")
    return Figure("curves", "Memory over time", "; ".join(shares), data, notes, CURVES_HEIGHT * -(-len(data["rows"]) // 2) + 40)
