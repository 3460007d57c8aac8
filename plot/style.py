"""
The look that all figures share: colours, fonts, sizes, caption, and how a figure is written to the run folder.
It leaves out all data. Readable in greyscale: what is told by a hue is told by a shape, a weight or a label as well.
Colours: Okabe and Ito, "Color Universal Design" (2008).
"""
import os
import tempfile
import textwrap

if not os.access(os.path.expanduser("~"), os.W_OK):  # matplotlib would complain of it on stderr
    os.environ.setdefault("MPLCONFIGDIR", os.path.join(tempfile.gettempdir(), f"tidemark-matplotlib-{os.getuid()}"))

import matplotlib  # noqa: E402

matplotlib.use("Agg")
import matplotlib.pyplot as pyplot  # noqa: E402  (the backend comes first)

import numpy  # noqa: E402
import PIL.Image  # noqa: E402

import machines  # noqa: E402
import words  # noqa: E402
from checked import RunError  # noqa: E402

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
ROWS = (BLUE, VERMILLION, GREEN, PURPLE, BLACK, ORANGE, SKY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")

RESIDENT = "#00517f"       # Okabe-Ito blue, darker, so that it stands out from both greys in greyscale
OBJECT_AREA, LIVE_AREA = "#a9a9a9", "#dcdcdc"
PARKED = "#f7dc9f"         # Okabe-Ito orange, thinned
INK, FAINT = "#222222", "#666666"

WIDTH = 11.0               # inches; 1,650 pixels at DOTS
DOTS = 150
MOST_PIXELS = 2**16 - 1    # of a side: Agg's limit
COLOURS = 128              # of a PNG
SMALL, NORMAL, LARGE = 8.5, 9.5, 13

pyplot.rcParams.update({
    "svg.hashsalt": "tidemark", "svg.fonttype": "path", "text.parse_math": False,
    "font.family": "DejaVu Sans", "font.size": NORMAL, "axes.titlesize": 10.5, "axes.labelsize": NORMAL,
    "xtick.labelsize": SMALL, "ytick.labelsize": SMALL, "text.color": INK, "axes.labelcolor": INK,
    "axes.edgecolor": FAINT, "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False,
    "axes.titley": 1.0,  # matplotlib would look for it each time, by laying out all that stands above the axes
    "axes.spines.right": False, "axes.linewidth": 0.8, "figure.facecolor": "white", "savefig.facecolor": "white",
})


def make_panels(rows, columns, panel_height, title, subtitle, caption, gap=0.85, sharex=False, sharey=False, left=0.75,
                head=0.62):
    """Panels beneath a title, above a caption; lengths are inches. Returns the figure and a flat list of axes."""
    subtitle = [line for part in subtitle.splitlines() for line in textwrap.wrap(part, 156)]
    caption = textwrap.wrap(caption, 172)
    top = 0.5 + 0.19 * len(subtitle) + head
    bottom = 0.62 + 0.165 * len(caption) + 0.1
    height = top + rows * panel_height + (rows - 1) * gap + bottom
    if height * DOTS > MOST_PIXELS:
        raise RunError(f"{title}: {rows * columns} panels are more than one picture holds; draw a run of fewer")
    figure, axes = pyplot.subplots(rows, columns, figsize=(WIDTH, height), sharex=sharex, sharey=sharey, squeeze=False)
    figure.subplots_adjust(left=left / WIDTH, right=1 - 0.3 / WIDTH, top=1 - top / height, bottom=bottom / height,
                           hspace=gap / panel_height, wspace=0.13)
    figure.text(0.15 / WIDTH, 1 - 0.14 / height, title, fontsize=LARGE, fontweight="bold", va="top")
    figure.text(0.15 / WIDTH, 1 - 0.45 / height, "\n".join(subtitle), fontsize=NORMAL, va="top", linespacing=1.3)
    figure.text(0.15 / WIDTH, 0.1 / height, "\n".join(caption), fontsize=SMALL, color=FAINT, va="bottom", linespacing=1.3)
    return figure, list(axes.flat)


def machine_caption(run, cells=(), count=True):
    """
    Machine, kernel, libc; versions of the cells drawn and, unless `count` says that it is no matter of the figure, n of their
    samples: what a figure needs to be read away from its report.
    """
    places = [place for place in machines.several(run) if not cells or place.name in {cell.machine for cell in cells}]
    machine = places[0].record if len(places) == 1 else run.machine
    known = lambda name: words.plain(machine.get(name) or f"unknown {name}", 80)
    libraries = [version for version in words.versions(cells) if version != machine.get("libc")]
    git = machine.get("git")
    memory = machine.get("memory_bytes")
    where = ([f"Measured on {len(places)} machines, one for each experiment: "
              + "; ".join(map(machines.describe, places))] if len(places) > 1 else
             [f"{known('cpu')}, {known('cores')} cores" + (f", {memory / 2**30:.1f} GiB" if memory else ""), known("kernel")])
    parts = [*where, known("libc"), f"THP {known('thp')}", *libraries, f"tidemark {known('tidemark')}" + (f" ({git})" if git else ""),
             f"run {run.name}"]
    if cells and count:
        parts.append(words.samples(sorted({cell.count for cell in cells if cell.ran})))
    return " · ".join(" ".join(part.split()) for part in parts) + "."


def spread(middles, widths, left, right):
    """Middles moved so that labels of these widths keep clear of each other within left..right, where they can."""
    placed, edge = [], left
    for middle, width in zip(middles, widths):
        placed.append(max(middle, edge + width / 2))
        edge = placed[-1] + width / 2
    edge = right
    for index in range(len(placed) - 1, -1, -1):
        placed[index] = min(placed[index], edge - widths[index] / 2)
        edge = placed[index] - widths[index] / 2
    return placed


def leader(color=FAINT, relpos=(0, 0.5), **more):
    """For annotate(arrowprops=): a thin line from a label, from the point of its box that `relpos` says, to its point."""
    return {"arrowstyle": "-", "color": color, "linewidth": 0.7, "shrinkA": 2, "shrinkB": 3, "relpos": relpos, **more}


def row_look(index):
    """Colour and marker of the row that comes `index`-th in a figure; the pair repeats only after 63 rows."""
    return ROWS[index % len(ROWS)], MARKERS[index % len(MARKERS)]


def text_box(axis, text):
    """The box of a drawn text in pixels; costs a layout of that text."""
    return text.get_window_extent(axis.figure.canvas.get_renderer())


def write_file(path, write):
    """Calls write(temporary path in the same folder) and renames it to `path`, so that a reader never sees half a file."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".", suffix=os.path.splitext(path)[1])
    os.close(handle)
    try:
        write(temporary)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def save(figure, folder, name, colours=COLOURS):
    """Writes figures/NAME.png and .svg beneath `folder`, the same bytes each time for the same data; closes the figure."""
    figures = os.path.join(folder, "figures")
    os.makedirs(figures, exist_ok=True)
    write_file(os.path.join(figures, f"{name}.svg"),
               lambda path: figure.savefig(path, format="svg", metadata={"Date": None}))
    write_file(os.path.join(figures, f"{name}.png"), lambda path: _write_png(figure, path, colours))
    pyplot.close(figure)
    return os.path.join(figures, f"{name}.png")


def discard():
    """Closes the figures that an error left undrawn."""
    pyplot.close("all")


def _write_png(figure, path, colours):
    """With a palette: flat areas and a few hues need no more, and the file is a third of the size."""
    figure.set_dpi(DOTS)
    figure.canvas.draw()
    image = PIL.Image.fromarray(numpy.asarray(figure.canvas.buffer_rgba())).convert("RGB")
    image.quantize(colours, dither=PIL.Image.Dither.NONE).save(path, format="png")
