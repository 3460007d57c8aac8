"""
Reads the pages of a cell: at each phase's end what the program holds, the pages that takes, and what is resident besides.
It leaves out how that looks (held_back.py). A figure that is more than the one that contains it is a RunError.
The file is pages/NNNNNN.json.gz of results/FORMAT.md.
"""
import os
from dataclasses import dataclass

from checked import RunError, get, read_json, read_packed

MB = 1e6
MOST_PHASES = 16  # PAGE_PHASES of harness/page.h
MOST_BYTES = 2**56
# A part, and what contains it; either may be null.
CONTAINED = (("requested_resident_bytes", "usable_resident_bytes"), ("requested_resident_bytes", "floor_bytes"),
             ("requested_resident_bytes", "requested_bytes"), ("usable_resident_bytes", "floor_bytes"),
             ("floor_bytes", "live_page_bytes"), ("floor_bytes", "floor_mapped_bytes"), ("floor_bytes", "resident_bytes"),
             ("lazyfree_bytes", "rss_bytes"))
OPTIONAL = ("usable_resident_bytes", "floor_mapped_bytes")


@dataclass
class Phase:
    """
    The resident memory of the allocator at a phase's end, in MB: each of `requested`, `usable`, `floor` and `resident`
    contains the one before. `usable` is None where the allocator does not tell; `lazy` is of the whole process.
    """
    name: str
    requested: float
    usable: float
    floor: float
    resident: float
    lazy: float
    untouched: float  # requested, in no resident page
    mapped: float     # as floor, a huge page counted whole; None where the kernel does not tell

    @property
    def held(self):
        return self.resident - self.floor

    @property
    def held_lazily(self):
        """As much of what is held as may be freed lazily: the kernel does not say of which pages it speaks."""
        return min(self.lazy, self.held)


@dataclass
class Pages:
    """The pages of a cell."""
    cell: object
    phases: list

    @property
    def fullest(self):
        """The first of the phases with the most asked for: the same one on every row."""
        return max(self.phases, key=lambda phase: phase.requested + phase.untouched)

    @property
    def last(self):
        return self.phases[-1]


def read_pages(folder, cells):
    """Pages for each of the cells that has a file. Raises RunError."""
    found = []
    for cell in cells:
        path = os.path.join(folder, "pages", f"{cell.index:06d}.json.gz")
        if os.path.lexists(path):
            found.append(Pages(cell, _read_file(path, cell.index)))
    return found


def _read_file(path, index):
    record = read_json(path, dict, read_packed)
    if get(record, "format", int, path) != 1:
        raise RunError(f"{path}: 'format' is {record['format']!r}; this program reads 1")
    if get(record, "cell", int, path) != index:
        raise RunError(f"{path}: 'cell' is {record['cell']!r}, wanted {index}, as the file is called")
    phases = get(record, "phases", list, path)
    if not 0 < len(phases) <= MOST_PHASES:
        raise RunError(f"{path}: 'phases' has {len(phases)}, wanted 1 to {MOST_PHASES}")
    return [_read_phase(phase, f"{path}: phase {place}") for place, phase in enumerate(phases)]


def _read_phase(record, where):
    names = sorted({name for pair in CONTAINED for name in pair} | {"held_bytes"})
    sizes = {name: get(record, name, int, where, optional=name in OPTIONAL, least=0) for name in names}
    for name, size in sizes.items():
        if size is not None and size > MOST_BYTES:
            raise RunError(f"{where}: '{name}' is {size}, wanted no more than 2**56")
    for part, whole in CONTAINED:
        if None not in (sizes[part], sizes[whole]) and sizes[part] > sizes[whole]:
            raise RunError(f"{where}: '{part}' is {sizes[part]}, more than '{whole}', {sizes[whole]}")
    if sizes["resident_bytes"] != sizes["floor_bytes"] + sizes["held_bytes"]:
        raise RunError(f"{where}: 'resident_bytes' is not the sum of 'floor_bytes' and 'held_bytes'")
    megabytes = {name: None if size is None else size / MB for name, size in sizes.items()}
    return Phase(get(record, "name", str, where), megabytes["requested_resident_bytes"], megabytes["usable_resident_bytes"],
                 megabytes["floor_bytes"], megabytes["resident_bytes"], megabytes["lazyfree_bytes"],
                 megabytes["requested_bytes"] - megabytes["requested_resident_bytes"], megabytes["floor_mapped_bytes"])
