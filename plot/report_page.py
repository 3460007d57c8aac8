"""
Writes report.html: one file in which text and tables stand as they are, and charts are data that scripts draw when they are seen.
It leaves out the data (report_data.py) and the figures beside the page. The charting library is Apache ECharts (vendor/README.md),
put into the page; without it the page holds the pictures that are files otherwise, and says so.
"""
import base64
import gzip
import hashlib
import os
from dataclasses import dataclass

import jinja2
import markupsafe

import advise
import findings
import findings_census
import findings_collection
import findings_ledger
import findings_pages
import findings_returned
import findings_steadiness
import machines
import overview
import report_answer
import report_data
import report_samples
import report_pack
import style
import words

TEMPLATES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "templates")
# In this order: each uses what stands before it.
SCRIPTS = ("report_base.js", "report_theme.js", "report_figure.js", "report_curves.js", "report_points.js", "report_dots.js",
           "report_lines.js", "report_bars.js", "report_map.js", "report_table.js", "report_samples.js", "report_start.js")
LIBRARY_PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vendor", "echarts.min.js.gz")
LIBRARY_NAME = "Apache ECharts 5.6.0"
COLUMNS = (("row", "text"), ("host", "text"), ("wall", ""), ("peak", ""), ("retained", ""), ("given back, of objects", ""),
           ("given back, of live", ""), ("since last free", ""), ("samples", ""), ("status", "text"))


@dataclass
class Library:
    """The charting library: its text, that as a page holds it, and the notices that go with it."""
    text: str
    packed: str
    notices: str


def find_library():
    """The Library, None where this copy of the program was given away without it. """
    if not os.path.exists(LIBRARY_PATH):
        return None
    with open(LIBRARY_PATH, "rb") as file:
        data = file.read()
    notices = "\n\n".join(_read(os.path.join(os.path.dirname(LIBRARY_PATH), name)).strip() for name in ("NOTICE", "LICENSE-d3"))
    return Library(gzip.decompress(data).decode("utf-8"), base64.b64encode(data).decode("ascii"), notices)


def write_report(run, pictures, latencies, library):
    """Writes RUN/report.html, complete or not at all."""
    samples = report_samples.read_samples(run)
    lines = report_answer.read_lines(run)
    scripts = _read_scripts()
    chapters = report_data.read_chapters(run, latencies, samples) if library else []
    whole = report_data.read_whole(run) if library else None
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    html = environment.get_template("report.html.j2").render(
        run=run, machine=run.machine, shards=machines.say(run), words=words, columns=COLUMNS, chapters=chapters, whole=whole, library=library,
        library_name=LIBRARY_NAME, notices=library.notices if library else "", library_path=os.path.relpath(LIBRARY_PATH, os.path.dirname(os.path.dirname(LIBRARY_PATH))), css=markupsafe.Markup(_read("report.css")), scripts=[markupsafe.Markup(text) for text in scripts],
        policy=_policy(scripts, library), pictures=[] if library else pictures,
        advice=advise.paragraphs(run), paragraphs=report_answer.read_paragraphs(run, lines), points=report_answer.read_points(lines), lines=lines, questions=report_answer.QUESTIONS,
        overview=_read_overview(run), steadiness=findings_steadiness.read_section(run), articles=findings.read_articles(run),
        steady_chart=report_data.read_steadiness(run) if library else None, steady_anchor=findings_steadiness.ANCHOR,
        name_experiment=report_data.name_experiment, statuses=_statuses(run), workloads=_workloads(run), allocators=_allocators(run),
        about=report_pack.pack({"samples": {str(cell): found for cell, found in samples.items()}, "run": run.name}),
        versions=words.versions(cell for experiment in run.experiments for cell in experiment.cells),
        samples=sum(map(len, samples.values())), sections=_read_sections(run))

    def write(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(html)
    style.write_file(os.path.join(run.folder, "report.html"), write)


def _read_sections(run):
    return [*findings_returned.read_sections(run), *findings_collection.read_sections(run), *findings.read_lifetimes(run),
            *findings.read_replays(run), *findings.read_idles(run), *findings_pages.read_sections(run),
            *findings_ledger.read_sections(run), *findings_census.read_sections(run), *findings.read_troubles(run)]


def _read(name):
    with open(os.path.join(TEMPLATES, name), encoding="utf-8") as file:
        return file.read()


def _read_scripts():
    """One script: what an earlier file declares, a later one uses."""
    return ["\n" + "\n".join(_read(name) for name in SCRIPTS)]


def _policy(scripts, library):
    """
    Of the page's content: nothing is loaded, and of scripts only those with these checksums run. What a run folder brings could not run
    even where it was not escaped.
    """
    texts = [*scripts, *([library.text] if library else [])]
    sums = " ".join("'sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii") + "'" for text in texts)
    return f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {sums}; base-uri 'none'; form-action 'none'"


def _statuses(run):
    return sorted({cell.status for experiment in run.experiments for cell in experiment.cells})


def _workloads(run):
    return list(dict.fromkeys(experiment.workload for experiment in run.experiments))


def _allocators(run):
    return list(dict.fromkeys(cell.allocator for experiment in run.experiments for cell in experiment.cells))


def _read_overview(run):
    """The tables of overview.py, None for a run of few experiments: {title, rows, lines: [(experiment, [(text, shade)])], mean}."""
    pairs = overview.candidates(run)
    if not pairs:
        return None
    rows, tables = overview.read_tables(pairs)
    return {"rows": rows, "tables": [{"title": title, "lines": [(experiment, [_shade(value, write) for value in values])
                                                               for (experiment, _), values in zip(pairs, table)],
                                      "mean": [_shade(value, write) for value in table[-1]] if table[-1] else None}
                                     for title, table, write in tables]}


def _shade(value, write):
    """(text, percent of the full shade, whether it is the best of its line); None where there is no value."""
    if value is None:
        return None
    return write(value), round(100 * overview.weigh(value, write)), overview.is_best(value, write)
