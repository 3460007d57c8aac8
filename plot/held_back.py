"""
Draws what the resident memory of each row is made of, a bar per row: asked for, rounded up, holes, held back.
It leaves out the way there, which is memory_return.py's: two instants are shown, the fullest and the last.
The end of the third part is the floor of any allocator that does not move blocks; what is right of it is a choice.
"""
import matplotlib.patches

import style
import words

REQUESTED, ROUNDING, HOLES, HELD = "#5b5b5b", "#a9a9a9", style.SKY, style.VERMILLION
ROOM = 1.62         # of the longest bar, for the words behind each
BAR = 0.62          # of the distance between rows
ROW_HEIGHT = 0.36   # inches
DOTTED = (0, (1, 1))  # the line of the second mark
LEAST_SHARE = 0.004  # of the axis: a held part that is shorter gets no words of its own


def candidates(run):
    """Each experiment that has the pages of a row, with them: lists of Pages, the least held back at the end first."""
    found = []
    for experiment in run.experiments:
        mine = [one for one in run.pages if any(one.cell is cell for cell in experiment.cells)]
        if mine:
            found.append((experiment, sorted(mine, key=lambda one: (one.last.held, one.last.resident))))
    return found


def say(one):
    """"of 52.8 MB at the end 1.0 MB was asked for, 8.2 MB cannot go back, and 44.6 MB is held back"."""
    last = one.last
    if last.floor == 0:
        return f"all of the {words.memory(last.resident)} at the end is held back: the program holds nothing there"
    text = (f"of {words.memory(last.resident)} at the end {words.memory(last.requested)} was asked for; the pages of that, "
            f"{words.memory(last.floor)}, cannot go back, {words.memory(last.held)} is held back")
    if last.held_lazily >= 0.05:
        text += f", up to {words.memory(last.held_lazily)} of it freed lazily"
    return text


def draw(run, experiment, rows, name):
    """Draws the bars of one experiment. Returns the path of the PNG."""
    figure, axes = style.make_panels(1, 2, max(ROW_HEIGHT * len(rows), 1.2), _title(rows), words.experiment(experiment),
                                     _caption(run, rows), sharey=True, left=_margin(rows), head=0.75)
    longest = max(phase.resident for one in rows for phase in (one.fullest, one.last))
    for axis, moment, what in ((axes[0], "fullest", "When the program holds most"), (axes[1], "last", "At the end")):
        phases = [getattr(one, moment) for one in rows]
        axis.set_xlim(0, ROOM * max(longest, 0.1))
        _draw_bars(axis, phases)
        axis.set_title(f"{what} ({_name_phases(phases)})", loc="left", fontweight="bold")
        axis.set_xlabel("MB resident, without what the process had at its baseline")
    axes[0].set_yticks(range(len(rows)), [words.plain(one.cell.allocator, 34) for one in rows])
    axes[0].set_ylim(len(rows) - 0.4, -0.6)
    _draw_legend(figure)
    return style.save(figure, run.folder, name)


def _margin(rows):
    """Inches for the longest of the names."""
    return min(0.35 + 0.078 * max(len(words.plain(one.cell.allocator, 34)) for one in rows), 3.0)


def _title(rows):
    if len(rows) == 1:
        return f"{words.plain(rows[0].cell.allocator)}: {say(rows[0])}"
    least, most = rows[0], rows[-1]
    return (f"At the end {words.plain(least.cell.allocator, 24)} holds {words.memory(least.last.held)} back, "
            f"{words.plain(most.cell.allocator, 24)} {words.memory(most.last.held)}")


def _caption(run, rows):
    huge = any(_is_huge(phase) for one in rows for phase in (one.fullest, one.last))
    lazy = any(phase.held_lazily >= 0.05 for one in rows for phase in one.phases)
    silent = [words.plain(one.cell.allocator, 24) for one in rows if one.fullest.usable is None]
    silent_text = f"{words.listing(silent)} tell no usable size: rounding and holes are one part there. "
    return ("Each bar is what one process had resident at the end of a phase, page by page, without what was resident "
            "before the first phase and without the process's files and stack. The black mark is the floor: pages with at "
            "least one byte that the program asked for and still holds; unless blocks are moved, they stay. Right of "
            "it: free pages, which could go back, and the allocator's own tables. "
            + ("Dotted mark: the floor by huge pages, of which a byte holds 2 MiB until they are split. " if huge else "")
            + ("Hatched: freed lazily (MADV_FREE), resident until the system is short of memory. " if lazy else "")
            + (silent_text.replace(" tell ", " tells ") if len(silent) == 1 else silent_text if silent else "")
            + "One process each, not timed. " + style.machine_caption(run, [one.cell for one in rows], count=False))


def _is_huge(phase):
    """Whether huge pages move the floor by more than 1 % of what is resident."""
    return phase.mapped is not None and phase.mapped - phase.floor > 0.01 * phase.resident


def _name_phases(phases):
    names = list(dict.fromkeys(words.plain(phase.name, 24) for phase in phases))
    return ("phase " if len(names) == 1 else "phases ") + words.listing(names[:3])


def _draw_bars(axis, phases):
    for place, phase in enumerate(phases):
        usable = phase.requested if phase.usable is None else phase.usable
        parts = ((0, phase.requested, REQUESTED), (phase.requested, usable, ROUNDING), (usable, phase.floor, HOLES),
                 (phase.floor, phase.resident, HELD))
        for begin, end, colour in parts:
            axis.barh(place, end - begin, BAR, left=begin, color=colour)
        if phase.held_lazily > 0:
            axis.barh(place, phase.held_lazily, BAR, left=phase.resident - phase.held_lazily, color="white", edgecolor=HELD,
                      hatch="////", linewidth=0.8)
        axis.plot([phase.floor] * 2, [place - 0.44, place + 0.44], color=style.INK, linewidth=1.6, solid_capstyle="butt")
        if _is_huge(phase):
            axis.plot([min(phase.mapped, phase.resident)] * 2, [place - 0.44, place + 0.44], color=style.INK, linewidth=1.6,
                      linestyle=DOTTED)
        axis.annotate(_say_bar(phase, axis.get_xlim()[1]), (phase.resident, place), xytext=(5, 0),
                      textcoords="offset points", va="center", fontsize=style.SMALL)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x", color=style.LIVE_AREA, linewidth=0.6)
    axis.set_axisbelow(True)


def _say_bar(phase, width):
    """"52.8 MB, 44.6 held back"."""
    text = words.memory(phase.resident)
    if phase.held < LEAST_SHARE * width:
        return text
    return f"{text}, {words.memory(phase.held).removesuffix(words.NARROW + 'MB')} held back"


def _draw_legend(figure):
    parts = ((REQUESTED, "asked for and still held"), (ROUNDING, "rounded up by the allocator"),
             (HOLES, "holes: the rest of those pages, cannot go back"), (HELD, "held back: could go back"))
    figure.legend(handles=[matplotlib.patches.Patch(color=colour, label=label) for colour, label in parts],
                  loc="upper left", ncols=4, frameon=False, fontsize=style.NORMAL, handlelength=1.2, columnspacing=1.6,
                  bbox_to_anchor=(0.08 / style.WIDTH, 1 - 0.68 / figure.get_figheight()))
