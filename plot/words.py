"""
How figures and text write a quantity: memory, time, share, interval, and the name of an experiment.
It leaves out every conclusion, which is findings.py's.
Memory is in MB of 1,000,000 bytes, as the articles that are replayed here write it.
"""
import math
import re
import unicodedata

MINUS = "\N{MINUS SIGN}"
NARROW = "\N{NO-BREAK SPACE}"

# One sentence per workload for a stranger; a workload that is not named here goes without.
ABOUT = {
    "del_collect": "for i in range(n): pass; then nothing (pass), del i, del i and gc.collect(), or gc.collect() alone",
    "list_lifetime": "a = [i for i in range(n)]; then the list goes in the way that `how` names, or stays",
}


def plain(text, limit=48):
    """`text` as one printable line of at most `limit` characters, cut in the middle: row names come from users."""
    text = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in str(text))
    if len(text) <= limit:
        return text
    head = (limit - 1) * 2 // 3
    return text[:head] + "…" + text[len(text) - (limit - 1 - head):]


def number(value, digits=1):
    """A number with thousands separators and a true minus; never "-0.0"."""
    text = f"{value:,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        text = text.replace("-", "")
    return text.replace("-", MINUS)


def signed(value, digits=1):
    text = number(value, digits)
    return text if text.startswith(MINUS) or not text.strip("0.,") else "+" + text


def memory(mb, sign=False):
    """Megabytes: one digit after the point below 1,000, two below 0.1, and 0 below 5 kB."""
    digits = 0 if abs(mb) >= 1000 or abs(mb) < 0.005 else 2 if abs(mb) < 0.0995 else 1
    return (signed if sign else number)(mb, digits) + NARROW + "MB"


def duration(seconds):
    """Three significant digits in the unit that fits."""
    for below, factor, unit in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (0.9995, 1e3, "ms"), (math.inf, 1, "s")):
        if abs(seconds) < below:
            scaled = seconds * factor
            text = number(scaled, 0) if abs(scaled) >= 1000 else f"{scaled:.3g}".replace("-", MINUS)
            return text + NARROW + unit
    return "n/a"


def percent(ratio):
    return number(ratio * 100) + NARROW + "%"


def percent_short(ratio):
    """For a title: digits after the point only where the share is near zero, or near the whole but not the whole."""
    scaled = ratio * 100
    return number(scaled, 1 if abs(scaled) < 10 or 99 < scaled < 99.95 else 0) + NARROW + "%"


def percent_small(ratio):
    """Of something that may be nearly nothing, or nearly all, but is not: as many digits as it takes to say so."""
    scaled = ratio * 100
    if 0 < scaled < 0.001:
        return f"less than 0.001{NARROW}%"
    digits = next((digits for digits in range(4) if abs(scaled) >= 10**(1 - digits) and abs(100 - scaled) >= 10**-digits), 3)
    return number(scaled, 0 if ratio in (0, 1) else digits) + NARROW + "%"


def amount(count_of, what):
    """1 arena, 1,234 arenas"""
    return f"{number(count_of, 0)} {what}" + ("" if count_of == 1 else "s")


def percent_difference(ratio):
    """With as many digits as a small difference needs."""
    scaled = ratio * 100
    return signed(scaled, 2 if abs(scaled) < 1 else 1 if abs(scaled) < 10 else 0) + NARROW + "%"


def interval(figure, write):
    """" [low, high]", the unit left out where it is that of the median; nothing below six samples."""
    if figure is None or figure.low is None:
        return ""
    unit = write(figure.median).rpartition(NARROW)[2]
    return f" [{', '.join(write(bound).removesuffix(NARROW + unit) for bound in (figure.low, figure.high))}]"


def value(figure, write, missing="n/a"):
    return missing if figure is None else write(figure.median)


def count(text):
    """5000000 as 5M, 500000 as 500k; anything else as it is."""
    if text.isascii() and text.isdigit() and text.strip("0"):
        for zeros, unit in ((6, "M"), (3, "k")):
            if text.endswith("0" * zeros):
                return text[:-zeros] + unit
    return text


def parameters(params):
    return ", ".join(f"{plain(name)}={plain(count(text))}" for name, text in params.items())


def way(one):
    """"return idle, active every 100 ms, THP off": empty where the way is not told."""
    return f"return {way_short(one)}" if one.told else ""


def way_short(one):
    """The same beneath a heading. Every mode but stock builds anew afterwards: only what differs from that is said."""
    parts = [plain(one.mode), f"active every {duration(one.activity_s)}" if one.activity_s else "",
             f"THP {plain(one.thp)}" if one.thp != "system" else "",
             "" if one.rebuild == (one.mode != "stock") else "rebuilt" if one.rebuild else "not rebuilt"]
    return ", ".join(filter(None, parts))


def with_way(text, one):
    return f"{text} · {way(one)}" if one.told else text


def experiment(one):
    """
    The name of an experiment: its workload, with the parameters behind it, how it gives back where that is told, and in a run
    of several machines its own.
    """
    return with_way(workload(one.workload, one.params), one.way) + (f" · on {one.machine}" if one.machine else "")


def rest_phases(run):
    """The phases that are no work of the program, and in no time."""
    told = any(one.way.told for one in run.experiments)
    return "`idle`, `purge`, `pressure` and `rebuild`" if told else "`idle`"


def workload(name, params):
    return f"{plain(name)}: {parameters(params)}" if params else plain(name)


def samples(counts):
    """n, from the different numbers of samples that the rows have."""
    if not counts:
        return "no finished sample"
    if counts[-1] == 1:
        return f"n{NARROW}={NARROW}1: one sample per row, no interval"
    return f"n{NARROW}={NARROW}{counts[0]}" + (f" to {counts[-1]}" if len(counts) > 1 else "") + " per row"


def versions(cells):
    """What was loaded, each once; "3.11 geometry over jemalloc 5.3.0" of a row pymalloc@jemalloc is two."""
    found = {}
    for cell in cells:
        above, over, beneath = cell.version.partition(" over ")
        for part in (re.split("[@+]", cell.allocator)[0] + " " + above, beneath) if over else (above,):
            found[plain(part, 60)] = None
    return [part for part in found if part]


def listing(items):
    """a / a and b / a, b and c"""
    items = list(items)
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]


def row(cell, limit=48):
    """The row as it is written, and the interpreter when it ran inside one."""
    name = plain(cell.allocator, limit)
    return name if cell.host == "objects" else f"{name} in {plain(cell.host_version, 24)}"
