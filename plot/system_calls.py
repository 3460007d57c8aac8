"""
Draws the system calls of each row, a panel per phase, a bar per row: to the right the bytes that calls took, to the left
those that they gave back, and beside it what calls these were and how long they took. It leaves out the calls outside phases.
Bars to both sides of a zero are those of a population pyramid: two amounts of a row are compared, and rows with each other.
"""
import matplotlib.patches

import style
import words

MOST_FIGURES = 24   # experiments that are drawn: those in which the calls took the most time
MOST_PANELS = 8     # phases of a figure: those in which the calls took the most time
MOST_ROWS = 16      # of a figure: those whose calls took the most time
ROW_HEIGHT, LEAST_HEIGHT, BAR = 0.25, 0.5, 0.66  # inches, inches, of the distance between rows
BARS_END = 4.85     # inches from the left of the figure, where the words begin
# Inches from there; the first four end at theirs, the last begins there.
COLUMNS = (("took", 0.72), ("gave back", 1.47), ("time", 2.12), ("of phase", 2.8), ("calls", 2.95))
CALLS_LETTERS = 43  # that are room for behind the last
COLOURS = {"mmap": style.BLUE, "brk": style.SKY, "mprotect": style.PURPLE, "mremap": style.GREEN,
           "munmap": style.VERMILLION, "madvise": style.ORANGE}
LEGEND = {"mmap": "mmap", "brk": "brk", "mprotect": "mprotect (opened, closed)", "mremap": "mremap", "munmap": "munmap",
          "madvise": "madvise (DONTNEED, FREE ...)"}


def candidates(run):
    """
    The experiments that are drawn, each with its Ledgers, those with the least time in calls first; and how many more have any
    call in a phase.
    """
    found = []
    for experiment in run.experiments:
        mine = [one for one in run.ledgers if any(one.cell is cell for cell in experiment.cells)]
        if any(one.sum("count") for one in mine):
            found.append((experiment, sorted(mine, key=lambda one: (one.sum("time_s"), one.sum("count")))))
    longest = sorted(found, key=lambda pair: sum(one.sum("time_s") for one in pair[1]))[-MOST_FIGURES:]
    return [pair for pair in found if any(pair is kept for kept in longest)], len(found) - len(longest)


def share(one, place):
    """
    The time of the calls of a phase, over the median time of that phase in the measured samples; None where there is none. It
    is above 1 where threads were in calls at the same time.
    """
    measured = one.cell.median_phases() if one.cell.good else []
    phase = one.phases[place]
    if place >= len(measured) or measured[place].name != phase.name or measured[place].wall_s <= 0:
        return None
    return phase.sum("time_s") / measured[place].wall_s


def share_of_all(one):
    """As share(), of all phases but `idle`."""
    measured = one.cell.median_phases() if one.cell.good else []
    busy = [phase for phase in one.phases if phase.name != "idle"]
    wall_s = sum(phase.wall_s for phase in measured if phase.name != "idle")
    if not wall_s or [phase.name for phase in measured] != [phase.name for phase in one.phases]:
        return None
    return sum(phase.sum("time_s") for phase in busy) / wall_s


def say(one):
    """"1,671 calls, 1.2 ms, 0.4 % of the time of the phases; took 12.6 MB, gave back 4.1 MB; most often mprotect"."""
    counts = _count([line for phase in one.phases for line in phase.lines])
    if not counts:
        return "no call in any phase"
    part = share_of_all(one)
    text = f"{words.amount(one.sum('count'), 'call')}, {words.duration(one.sum('time_s'))}"
    text += "" if part is None else f", {_write_share(part)} of the time of the phases"
    gave, unused = one.sum("gave"), sum(phase.unused for phase in one.phases)
    text += f"; took {words.memory(one.sum('took'))}, gave back " + _write_gave(gave, unused)
    return text + f"; most often {max(counts, key=counts.get)}"


def _write_gave(gave, unused):
    """"2.9 to 137.1 MB", where some of it may have been address space."""
    if unused < 0.005:
        return words.memory(gave)
    return f"{words.memory(gave - unused).removesuffix(words.NARROW + 'MB')} to {words.memory(gave)}"


def _write_share(part):
    return words.percent_small(part) if part < 1 else words.percent_short(part)


def _count(lines):
    counts = {}
    for line in lines:
        counts[line.name] = counts.get(line.name, 0) + line.count
    return counts


def say_calls(phase, letters=CALLS_LETTERS):
    """"1,405 mprotect · 12 DONTNEED · 3 munmap": the most frequent first, as many as there is room for."""
    counts = _count(phase.lines)
    if not counts:
        return "none"
    failed = phase.sum("failed")
    end = f" · {words.number(failed, 0)} refused" if failed else ""
    names = sorted(counts, key=counts.get, reverse=True)
    texts = [f"{words.number(counts[name], 0)} {words.plain(name, 24)}" for name in names]
    for kept in range(len(texts), 0, -1):
        more = f" · {len(texts) - kept} more" if kept < len(texts) else ""
        text = " · ".join(texts[:kept]) + more + end
        if len(text) <= letters:
            break
    return text


def draw(run, experiment, ledgers, name):
    """Draws one experiment. Returns the path of the PNG."""
    kept = ledgers[-MOST_ROWS:]
    places, left_out = _choose_phases(kept)
    left = min(0.35 + 0.078 * max(len(words.plain(one.cell.allocator, 30)) for one in kept), 2.6)
    figure, axes = style.make_panels(
        len(places), 1, max(ROW_HEIGHT * len(kept), LEAST_HEIGHT), _title(kept), words.experiment(experiment) + "\n"
        "Right of zero the bytes that the calls of a phase took from the kernel, left of it those that they gave back.",
        _caption(run, kept, left_out, len(ledgers) - len(kept)), sharex=True, left=left, gap=0.42, head=0.78)
    figure.subplots_adjust(right=BARS_END / style.WIDTH)
    for axis, place in zip(axes, places):
        _draw_panel(axis, kept, place)
    low, high = _limits([one.phases[place] for one in kept for place in places if place < len(one.phases)])
    axes[0].set_xlim(low, high)
    axes[-1].set_xlabel("MB given back   |   MB taken")
    axes[-1].xaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    axes[-1].locator_params(axis="x", nbins=5)
    _head_columns(axes[0])
    _draw_legend(figure, [line for one in kept for phase in one.phases for line in phase.lines if line.took or line.gave])
    return style.save(figure, run.folder, name)


def _choose_phases(ledgers):
    """The places of the phases that are drawn, and the names of those that are not."""
    names, times, counts = {}, {}, {}
    for one in ledgers:
        for place, phase in enumerate(one.phases):
            names.setdefault(place, phase.name)
            times[place] = times.get(place, 0) + phase.sum("time_s")
            counts[place] = counts.get(place, 0) + phase.sum("count")
    called = [place for place in names if counts[place]]
    kept = sorted(sorted(called, key=times.get, reverse=True)[:MOST_PANELS])
    return kept, {"silent": [names[place] for place in names if not counts[place]],
                  "short": [names[place] for place in called if place not in kept]}


def _limits(phases):
    """Of the axis: what is surely memory decides, so that address space does not make the rest too small to be seen."""
    took = max([phase.sum("took") for phase in phases] + [0])
    gave = max([phase.sum("gave") - phase.unused for phase in phases] + [0])
    if not took and not gave:
        gave = max(phase.sum("gave") for phase in phases)
    most = max(took, gave) or 1
    if any(phase.unused for phase in phases):
        gave = max(gave, 0.25 * most)  # room for what is cut off
    return -1.06 * max(gave, 0.02 * most), 1.06 * max(took, 0.02 * most)


def _title(ledgers):
    if len(ledgers) == 1:
        return (f"{words.plain(ledgers[0].cell.allocator)} spends {words.duration(ledgers[0].sum('time_s'))} in "
                + words.amount(ledgers[0].sum("count"), "system call"))
    least, most = ledgers[0], ledgers[-1]
    end = f"{words.duration(most.sum('time_s'))} in {words.number(most.sum('count'), 0)}"
    if not least.sum("count"):
        return (f"{words.plain(least.cell.allocator, 24)} makes no system call, "
                f"{words.plain(most.cell.allocator, 24)} spends {end}")
    return (f"{words.plain(least.cell.allocator, 24)} spends {words.duration(least.sum('time_s'))} in "
            f"{words.amount(least.sum('count'), 'system call')}, {words.plain(most.cell.allocator, 24)} {end}")


def _caption(run, ledgers, left_out, rows_left_out):
    lines = [line for one in ledgers for phase in one.phases for line in phase.lines]
    unused = any(phase.unused for one in ledgers for phase in one.phases)
    return ("What calls were about, in whole pages, whether there was memory in them or not: mapped memory comes page by page as "
            "it is touched. Address space reserved without access (mmap none) is not drawn"
            + (", and what was unmapped in the same phase may be of it: hatched in grey, cut off where it is longer than the axis, "
               "and not in the numbers. " if unused else ". ")
            + ("Hatched in orange: MADV_FREE, of which the kernel takes the pages when it is short of memory. "
               if any(line.lazily for line in lines) else "")
            + "Time is that of the calls alone, of all threads; its share is of the phase's median time in the measured samples, "
            "which are others, so that it may pass 100 %. "
            + _name_phases("No call in", left_out["silent"]) + _name_phases("Not drawn", left_out["short"])
            + (f"Left out: {words.amount(rows_left_out, 'row')} with less time in calls. " if rows_left_out else "")
            + "One process each, not timed otherwise. "
            + style.machine_caption(run, [one.cell for one in ledgers], count=False))


def _name_phases(what, names):
    return f"{what}: {words.listing(words.plain(name, 24) for name in names)}. " if names else ""


def _draw_panel(axis, ledgers, place):
    phases = [one.phases[place] if place < len(one.phases) else None for one in ledgers]
    axis.set_title(f"phase {words.plain(next(phase for phase in phases if phase).name, 24)}", loc="left", fontweight="bold")
    axis.set_yticks(range(len(ledgers)), [words.plain(one.cell.allocator, 30) for one in ledgers])
    axis.set_ylim(len(ledgers) - 0.45, -0.55)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x", color=style.LIVE_AREA, linewidth=0.6)
    axis.set_axisbelow(True)
    axis.axvline(0, color=style.INK, linewidth=0.9)
    for height, (one, phase) in enumerate(zip(ledgers, phases)):
        if phase:
            _draw_bar(axis, height, phase)
            _write_row(axis, height, phase, share(one, place))


def _draw_bar(axis, height, phase):
    took = gave = 0
    for call, colour in COLOURS.items():
        for lazily in (False, True):
            lines = [line for line in phase.lines if line.of(call) and line.lazily == lazily]
            right, left = sum(line.took for line in lines), sum(line.gave for line in lines)
            grey = phase.unused if call == "munmap" and not lazily else 0
            _add_part(axis, height, took, right, colour, lazily)
            _add_part(axis, height, -gave, -(left - grey), colour, lazily)
            took, gave = took + right, gave + left - grey
    if phase.unused:
        axis.barh(height, -phase.unused, BAR, left=-gave, color="white", edgecolor=style.FAINT, hatch="////", linewidth=0.6)


def _add_part(axis, height, begin, length, colour, hatched):
    if length:
        look = {"color": "white", "edgecolor": colour, "hatch": "////", "linewidth": 0.8} if hatched else {"color": colour}
        axis.barh(height, length, BAR, left=begin, **look)


def _put(axis, column, height, text, **more):
    """Words in a column behind the bars; `height` is a row's."""
    box = axis.get_position()
    place = ((COLUMNS[column][1] + BARS_END) / style.WIDTH - box.x0) / box.width
    axis.text(place, height, text, transform=axis.get_yaxis_transform(), va="center",
              ha="left" if column == len(COLUMNS) - 1 else "right", fontsize=style.SMALL, **more)


def _write_row(axis, height, phase, part):
    if not phase.lines:
        _put(axis, len(COLUMNS) - 1, height, "none", color=style.FAINT)
        return
    took, gave = phase.sum("took"), phase.sum("gave")
    sizes = (_write_size(took) if took else "",
             ("≥" + words.NARROW if phase.unused else "") + _write_size(gave - phase.unused) if gave else "")
    for column, text in enumerate((*sizes, words.duration(phase.sum("time_s")), "n/a" if part is None else _write_share(part),
                                   say_calls(phase))):
        _put(axis, column, height, text)


def _write_size(mb):
    return f"<{words.NARROW}0.01{words.NARROW}MB" if 0 < mb < 0.01 else words.memory(max(mb, 0))


def _head_columns(axis):
    """Above the first panel."""
    step = axis.get_ylim()[0] - axis.get_ylim()[1]
    height = axis.get_ylim()[1] - 0.13 * step / (axis.get_position().height * axis.figure.get_figheight())
    for column, (title, _) in enumerate(COLUMNS):
        _put(axis, column, height, title, fontweight="bold")


def _draw_legend(figure, lines):
    figure.legend(handles=[matplotlib.patches.Patch(color=colour, label=LEGEND[call]) for call, colour in COLOURS.items()
                           if any(line.of(call) for line in lines)],
                  loc="upper left", ncols=6, frameon=False, fontsize=style.NORMAL, handlelength=1.2, columnspacing=1.6,
                  bbox_to_anchor=(0.08 / style.WIDTH, 1 - 0.9 / figure.get_figheight()))
