"""
Reads the system-call ledger of a cell: for each phase which calls took memory from the kernel or gave it back, in MB and
seconds. It leaves out how that looks (system_calls.py), and the calls outside phases. What harness/ledger_check.c refuses is
a RunError.
The file is ledger/NNNNNN.json.gz of results/FORMAT.md; the words are those of mmap(2), brk(2), mremap(2) and madvise(2).
"""
import os
import re
from dataclasses import dataclass

from checked import RunError, get, read_json, read_packed

MB = 1e6
SECOND = 1e9
MOST_PHASES = 16     # PAGE_PHASES of harness/page.h
MOST_LINES = 256     # of a phase: MOST_CALLS of harness/ledger_check.c
MOST_NUMBER = 2**50  # MOST_NUMBER of harness/ledger_check.c
CALLS = ("mmap", "munmap", "mremap", "brk", "mprotect", "madvise", "process_madvise")
KIND = re.compile(r"[A-Za-z0-9_+-]{0,95}", re.ASCII)
LEAST = {"count": 1, "failed": 0, "bytes": 0, "net_bytes": -MOST_NUMBER, "time_ns": 0, "longest_ns": 0}
# Advice after which the pages of the range hold nothing, or are on their way out of memory.
GIVES = ("MADV_DONTNEED", "MADV_DONTNEED_LOCKED", "MADV_FREE", "MADV_REMOVE", "MADV_PAGEOUT")
ADVICE = "MADV_"


@dataclass
class Line:
    """
    The calls of one kind in a phase. `took` and `gave` are what they were about, in MB; it is never both. `reserved` is mapped
    without access, where nothing can be until it is opened.
    """
    call: str
    kind: str
    count: int
    failed: int
    time_s: float
    took: float = 0
    gave: float = 0
    reserved: float = 0

    def of(self, call):
        """Whether it is of that call, or does the same to a process."""
        return self.call.removeprefix("process_") == call

    @property
    def lazily(self):
        return self.kind == ADVICE + "FREE"

    @property
    def name(self):
        """As a table has it: "mmap", "mmap none", "DONTNEED"; kinds that differ in flags alone have one name."""
        if self.of("madvise"):
            return self.kind.removeprefix(ADVICE)
        if self.call == "mmap" and self.kind.split("+")[0] == "none":
            return "mmap none"
        return "mprotect none" if (self.call, self.kind) == ("mprotect", "none") else self.call


@dataclass
class Phase:
    name: str
    lines: list

    def sum(self, name):
        return sum(getattr(line, name) for line in self.lines)

    @property
    def unused(self):
        """Of what was unmapped, how much may have been address space alone, reserved in the same phase."""
        return min(sum(line.gave for line in self.lines if line.call == "munmap"), self.sum("reserved"))


@dataclass
class Ledger:
    """The system calls of a cell; `empty_s` is what is told as the time of a call that does nothing."""
    cell: object
    empty_s: float
    phases: list

    def sum(self, name):
        return sum(phase.sum(name) for phase in self.phases)


def read_ledgers(folder, cells):
    """A Ledger for each of the cells that has a file. Raises RunError."""
    found = []
    for cell in cells:
        path = os.path.join(folder, "ledger", f"{cell.index:06d}.json.gz")
        if os.path.lexists(path):
            found.append(_read_file(path, cell))
    return found


def _read_file(path, cell):
    record = read_json(path, dict, read_packed)
    if get(record, "format", int, path) != 1:
        raise RunError(f"{path}: 'format' is {record['format']!r}; this program reads 1")
    if get(record, "cell", int, path) != cell.index:
        raise RunError(f"{path}: 'cell' is {record['cell']!r}, wanted {cell.index}, as the file is called")
    phases = get(record, "phases", list, path)
    if not 0 < len(phases) <= MOST_PHASES:
        raise RunError(f"{path}: 'phases' has {len(phases)}, wanted 1 to {MOST_PHASES}")
    return Ledger(cell, _number(record, "empty_call_ns", path) / SECOND,
                  [_read_phase(phase, f"{path}: phase {place}") for place, phase in enumerate(phases)])


def _read_phase(record, where):
    name, calls = get(record, "name", str, where), get(record, "calls", list, where)
    if len(calls) > MOST_LINES:
        raise RunError(f"{where}: 'calls' has {len(calls)} lines, wanted at most {MOST_LINES}")
    lines = [_read_line(line, f"{where}: line {place}") for place, line in enumerate(calls)]
    if len({(line.call, line.kind) for line in lines}) < len(lines):
        raise RunError(f"{where}: 'calls' has a call and its kind twice")
    return Phase(name, lines)


def _read_line(record, where):
    call, kind = get(record, "call", str, where), get(record, "kind", str, where)
    if call not in CALLS:
        raise RunError(f"{where}: 'call' is {call[:32]!r}, wanted one of {', '.join(CALLS)}")
    if not KIND.fullmatch(kind):
        raise RunError(f"{where}: 'kind' is {kind[:32]!r}, wanted fewer than 96 letters, digits, '_', '+' and '-'")
    numbers = {name: _number(record, name, where, least) for name, least in LEAST.items()}
    if numbers["failed"] > numbers["count"]:
        raise RunError(f"{where}: 'failed' is {numbers['failed']}, more than 'count', {numbers['count']}")
    old_bytes = _number(record, "old_bytes", where) if call == "mremap" else 0
    line = Line(call, kind, numbers["count"], numbers["failed"], numbers["time_ns"] / SECOND)
    return _direct(line, numbers["bytes"] / MB, old_bytes / MB)


def _number(record, name, where, least=0):
    value = get(record, name, int, where, least=least)
    if value > MOST_NUMBER:
        raise RunError(f"{where}: '{name}' is {value}, wanted no more than 2**50")
    return value


def _direct(line, size, old_size):
    """Says which way the bytes of a line went; those that were neither taken nor given (advice, read only) went nowhere."""
    first, *flags = line.kind.split("+")
    if line.call == "munmap" or (line.call, first) in (("brk", "shrink"), ("mprotect", "none")) or line.kind in GIVES:
        line.gave = size
    elif line.call == "mmap" and first == "none":
        # Over a range that was there it takes the pages away; else it is address space.
        line.gave, line.reserved = (size, 0) if "fixed" in flags else (0, size)
    elif line.call == "mremap":
        line.took, line.gave = max(size - old_size, 0), max(old_size - size, 0)
    elif line.call == "mmap" and line.kind != "other" or (line.call, first) == ("brk", "grow"):
        line.took = size
    elif line.call == "mprotect" and "w" in first and line.kind != "other":
        line.took = size
    return line
