"""
Says what del, and a collection after it, give back in Python 2.7's case (workload del_collect), computed from the run.
It leaves out the other questions, which are findings.py's.
The question is the first article's; why the malloc beneath decides the answer is in docs/method.md.
"""
import words
from findings import ALIKE_MB, LITTLE, MOST, Section, absent, alike, short_idle

TITLE = "After del, and after a collection"


def read_sections(run):
    """One Section for each set of parameters but the way."""
    groups = {}
    for experiment in short_idle(run, "del_collect"):
        rest = {name: text for name, text in experiment.params.items() if name != "way"}
        name = words.with_way(words.parameters(rest), experiment.way)
        groups.setdefault((name, experiment.idle_s), {})[experiment.params.get("way")] = {
            cell.allocator: cell for cell in experiment.cells if cell.ran and cell.host == "objects"}
    if not groups:
        return [absent("collect", TITLE, "del_collect cells")]
    return [_section(f"collect-{index}" if index else "collect", f"{TITLE} (del_collect: {rest})", ways)
            for index, ((rest, _), ways) in enumerate(groups.items())]


def _section(anchor, title, ways):
    """`ways` has the cells by way and row."""
    section = Section(anchor, title, [])
    cells = [cell for rows in ways.values() for cell in rows.values()]
    if cells and all(cell.retained_mb.median < ALIKE_MB for cell in cells):
        section.paragraphs.append(f"Less than {words.memory(ALIKE_MB)} stays in every row, in each of the ways "
                                  f"{words.listing(map(words.plain, ways))}: a collection has nothing to give back.")
        return section
    if rows := _both(ways, "pass", "del"):
        section.paragraphs.append(_say_pass_and_del(ways, rows))
    section.paragraphs += _say_thread_cache(ways.get("del_collect", {}))
    section.paragraphs += _say_without_del(ways)
    for first, second in (("pass", "del"), ("del", "del_collect")):
        if not _both(ways, first, second):
            section.paragraphs.append(f"Not answered: {first} against {second}; no row of this run finished both.")
    section.items = [_say_collect(row, ways["del"][row], ways["del_collect"][row]) for row in _both(ways, "del", "del_collect")]
    return section


def _both(ways, first, second):
    return [row for row in ways.get(first, {}) if row in ways.get(second, {})]


def _kept(ways, way, row):
    return ways[way][row].retained_mb.median


def _say_pass_and_del(ways, rows):
    apart = [row for row in rows if not alike(_kept(ways, "pass", row), _kept(ways, "del", row))]
    if not apart:
        amounts = words.listing(f"{words.plain(row)} {words.memory(_kept(ways, 'del', row))}" for row in rows)
        return f"Nothing (pass) and del keep the same in every row, within 1 % or 1 MB. Kept after del: {amounts}."
    amounts = words.listing(f"{words.plain(row)} ({words.memory(_kept(ways, 'pass', row))} after pass, "
                            f"{words.memory(_kept(ways, 'del', row))} after del)" for row in apart)
    others = " The other rows keep the same." if len(apart) < len(rows) else ""
    return f"Nothing (pass) and del do not keep the same in {amounts}.{others}"


def _say_collect(row, before, after):
    """What a collection after del changes in one row."""
    kept_mb, left_mb = before.retained_mb.median, after.retained_mb.median
    provider = after.providers.get("raw")
    text = (words.plain(row) + (f" (malloc: {words.plain(str(provider).rsplit('/', 1)[-1], 30)})" if provider else "")
            + f": {words.memory(kept_mb)} stay after del, {words.memory(left_mb)}"
            f"{words.interval(after.retained_mb, words.memory)} after del and a collection. ")
    if kept_mb < ALIKE_MB:
        return text + "There was next to nothing left to give back."
    share = (kept_mb - left_mb) / kept_mb
    if abs(share) <= LITTLE:
        return text + f"The collection changes little: {words.memory(left_mb - kept_mb, sign=True)}."
    if share < 0:
        return text + f"More stays after the collection: {words.memory(left_mb - kept_mb, sign=True)}."
    verdict = "nearly all of it" if share >= MOST else "a part of it"
    return text + f"The collection gives back {verdict}: {words.memory(kept_mb - left_mb)}, {words.percent(share)}."


def _say_thread_cache(cells):
    """glibc with and without its thread cache, for each row that was run both ways."""
    said = []
    for row, tuned in cells.items():
        stripped = row.replace("+tcache_count:0", "")
        stock = cells.get(stripped) or cells.get(stripped.removesuffix("@glibc"))
        if stripped == row or stock is None:
            continue
        with_mb, without_mb = stock.retained_mb.median, tuned.retained_mb.median
        text = (f"Over glibc, del and a collection leave {words.memory(with_mb)} with malloc's thread cache "
                f"({words.plain(stock.allocator)}) and {words.memory(without_mb)} without it ({words.plain(row)}).")
        if alike(with_mb, without_mb):
            text += " In this run the thread cache makes no difference."
        elif without_mb <= LITTLE * with_mb:
            text += (" The collection frees the same blocks both times; whether they reach the system is decided by malloc, "
                     "which trims its heap only when the blocks at the top are free and none of them waits in the cache.")
        said.append(text)
    return said


def _say_without_del(ways):
    rows = _both(ways, "collect_without_del", "del_collect")
    if not rows:
        return []
    amounts = words.listing(f"{words.memory(_kept(ways, 'collect_without_del', row))} in {words.plain(row)} "
                            f"(with del {words.memory(_kept(ways, 'del_collect', row))})" for row in rows)
    return [f"A collection without del, the loop's variable still alive, leaves {amounts}."]
