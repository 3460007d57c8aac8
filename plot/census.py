"""
Reads the census of a cell: at each phase's end every arena, in it every pool, its size of blocks and how many are in use.
It leaves out how that looks (address_map.py, survivors.py). What does not add up to its own figures is a RunError.
The figures are those of CPython's sys._debugmallocstats(); the file is census/NNNNNN.json.gz of results/FORMAT.md.
"""
import os
import re
from dataclasses import dataclass

import numpy

from checked import RunError, get, read_json, read_packed

FULL, PINNED = 0.9, 0.1    # shares of an arena's room from which on it is full, and below which its blocks only pin it
MOST_PHASES = 16           # PAGE_PHASES of harness/page.h
MOST_ARENA_BYTES = 2**40
NO_POOL = -1               # in place of a block's size: an arena whose base is not aligned to a pool has one fewer
ADDRESS = re.compile(r"0x[0-9a-f]{1,16}", re.ASCII)


@dataclass
class Phase:
    """
    The pools at a phase's end. `bases` ascend; `block_bytes` and `blocks_in_use` have a row per arena and a column per pool
    from the lowest address: 0 and 0 is a wholly free pool, NO_POOL and 0 none.
    """
    name: str
    arena_bytes: int
    pool_bytes: int
    pool_header_bytes: int
    bases: numpy.ndarray
    block_bytes: numpy.ndarray
    blocks_in_use: numpy.ndarray

    def blocks_per_pool(self, block_bytes):
        return (self.pool_bytes - self.pool_header_bytes) // block_bytes

    @property
    def fill(self):
        """Of each pool the share of its blocks that is in use; of no pool 0."""
        return self.blocks_in_use / self.blocks_per_pool(numpy.maximum(self.block_bytes, 1))

    @property
    def arena_fill(self):
        """Of each arena the share of its room that is in use: the mean over its pools."""
        return self.fill.sum(axis=1) / numpy.maximum(self.pools_of, 1)

    @property
    def pools_of(self):
        """How many pools each arena has."""
        return (self.block_bytes != NO_POOL).sum(axis=1)

    @property
    def allocated_bytes(self):
        return int((self.block_bytes * self.blocks_in_use).sum())


@dataclass
class PhaseCount:
    """A phase in numbers; `arenas` is all that there are, the others are parts of it by their share in use."""
    name: str
    arenas: int
    free: int
    pinned: int
    full: int
    pinned_fill: float  # share in use of the room of the pinned arenas; 0 without one
    pinned_bytes: int   # of them, not in use
    held_bytes: int     # of all arenas with a block in use, not in use
    pools_in_use: int
    allocated_bytes: int
    blocks_per_pool: int  # of the size that the most pools have; 0 where no pool is in use
    pools_per_arena: int  # of the most arenas; 0 without one

    @property
    def arenas_in_use(self):
        return self.arenas - self.free


@dataclass
class Census:
    """The census of a cell in numbers; read_phases has the pools."""
    cell: object
    version: str
    path: str
    phases: list

    @property
    def freeing(self):
        """
        Index of a phase that has fewer bytes in use than the one before it: the one that leaves the most pinned, the last of
        equals. None when no phase has.
        """
        sizes = [phase.allocated_bytes for phase in self.phases]
        return max((index for index in range(1, len(sizes)) if sizes[index] < sizes[index - 1]),
                   key=lambda index: (self.phases[index].pinned_bytes, index), default=None)

    @property
    def before(self):
        return None if self.freeing is None else self.phases[self.freeing - 1]

    @property
    def after(self):
        """The phase to look at: the one that frees, or the last of all."""
        return self.phases[-1 if self.freeing is None else self.freeing]


def read_censuses(folder, cells):
    """A Census for each of the cells that has a file; a run of an earlier version has none. Raises RunError."""
    censuses = []
    for cell in cells:
        path = os.path.join(folder, "census", f"{cell.index:06d}.json.gz")
        if os.path.lexists(path):
            version, phases = _read_file(path, cell.index)
            censuses.append(Census(cell, version, path, [_count(phase) for phase in phases]))
    return censuses


def read_phases(census):
    """The Phases behind a Census. They may be some 100 MB: hold one at a time."""
    return _read_file(census.path, census.cell.index)[1]


def states(phase):
    """Of each arena whether it is free, pinned, full: three arrays of flags; what is neither lies between."""
    fill = phase.arena_fill
    return fill == 0, (fill > 0) & (fill < PINNED), fill >= FULL


def _count(phase):
    free, pinned, full = states(phase)
    sizes, pools = numpy.unique(phase.block_bytes[phase.block_bytes > 0], return_counts=True)
    pinned_fill = float(phase.arena_fill[pinned].mean()) if pinned.any() else 0.0
    idle_bytes = (1 - phase.arena_fill) * phase.arena_bytes
    return PhaseCount(phase.name, len(phase.bases), int(free.sum()), int(pinned.sum()), int(full.sum()), pinned_fill,
                      round(float(idle_bytes[pinned].sum())), round(float(idle_bytes[~free].sum())), int(pools.sum()),
                      phase.allocated_bytes,
                      phase.blocks_per_pool(int(sizes[pools.argmax()])) if len(sizes) else 0,
                      int(numpy.bincount(phase.pools_of).argmax()) if len(phase.bases) else 0)


def _read_file(path, index):
    """(version, Phases) of one file."""
    record = read_json(path, dict, read_packed)
    if get(record, "format", int, path) != 1:
        raise RunError(f"{path}: 'format' is {record['format']!r}; this program reads 1")
    if get(record, "cell", int, path) != index:
        raise RunError(f"{path}: 'cell' is {record['cell']!r}, wanted {index}, as the file is called")
    phases = get(record, "phases", list, path)
    if not 0 < len(phases) <= MOST_PHASES:
        raise RunError(f"{path}: 'phases' has {len(phases)}, wanted 1 to {MOST_PHASES}")
    phases = [_read_phase(phase, f"{path}: phase {place}") for place, phase in enumerate(phases)]
    if len({(phase.arena_bytes, phase.pool_bytes, phase.pool_header_bytes) for phase in phases}) > 1:
        raise RunError(f"{path}: 'arena_bytes', 'pool_bytes' or 'pool_header_bytes' change from phase to phase")
    return get(record, "version", str, path), phases


def _read_phase(record, where):
    figures = get(record, "figures", dict, where)
    sizes = _read_sizes(figures, f"{where}: figures")
    arenas = get(record, "arenas", list, where)
    places = [f"{where}: arena {place}" for place in range(len(arenas))]
    bases = [_read_base(arena, sizes[0], place) for arena, place in zip(arenas, places)]
    for place, base, following in zip(places[1:], bases, bases[1:]):
        if following < base + sizes[0]:
            raise RunError(f"{place}: 'base' is {following:#x}, which is not beyond the arena before it")
    rows = [_read_pools(arena, base, sizes, place) for arena, base, place in zip(arenas, bases, places)]
    pools = numpy.stack(rows) if rows else numpy.zeros((0, 0, 2), numpy.int64)
    phase = Phase(get(record, "name", str, where), *sizes, numpy.array(bases, numpy.int64), pools[:, :, 0], pools[:, :, 1])
    _check_sums(phase, figures, get(record, "classes", list, where), where)
    return phase


def _read_sizes(figures, where):
    """Bytes of an arena, of a pool and of a pool's head."""
    arena, pool, header = (get(figures, name, int, where, least=least) for name, least in
                           (("arena_bytes", 1), ("pool_bytes", 1), ("pool_header_bytes", 0)))
    if not header < pool <= arena <= MOST_ARENA_BYTES:
        raise RunError(f"{where}: 'arena_bytes' is {arena}, 'pool_bytes' {pool}, 'pool_header_bytes' {header}: wanted each "
                       "less than the one before it, and no arena above 1 TiB")
    return arena, pool, header


def _read_base(arena, arena_bytes, where):
    text = get(arena, "base", str, where)
    base = int(text, 16) if ADDRESS.fullmatch(text) else None
    if base is None or base >= 2**63 - arena_bytes:
        raise RunError(f"{where}: 'base' is {text[:40]!r}, wanted an address such as 0x7f0123400000")
    return base


def _read_pools(arena, base, sizes, where):
    """A row of block_bytes and blocks_in_use for each pool that an arena may have, from its flat array `pools`."""
    flat = get(arena, "pools", list, where)
    most = sizes[0] // sizes[1]
    pools = most - (base % sizes[1] != 0)
    if len(flat) != 2 * pools:
        raise RunError(f"{where}: 'pools' has {len(flat)} numbers, wanted {2 * pools}, two for each of {pools} pools")
    if not set(map(type, flat)) <= {int}:  # a float, or a boolean, which is an int by inheritance alone
        raise RunError(f"{where}: 'pools' has what is no whole number")
    rows = numpy.array(flat + [NO_POOL, 0] * (most - pools), numpy.int64).reshape(most, 2)
    _check_pools(*rows[:pools].T, sizes[1] - sizes[2], where)
    return rows


def _check_pools(block_bytes, in_use, room, where):
    # A negative size would make nonsense of the quotient.
    sound = (block_bytes >= 0) & (in_use >= 0) & ((block_bytes > 0) == (in_use > 0))
    sound[sound] = in_use[sound] <= room // numpy.maximum(block_bytes[sound], 1)
    if not sound.all():
        pool = int(numpy.argmin(sound))
        raise RunError(f"{where}: 'pools': pool {pool} has {in_use[pool]} blocks of {block_bytes[pool]} bytes in use, which "
                       f"does not fit into {room} bytes; a free pool is 0,0")


def _check_sums(phase, figures, classes, where):
    """The pools have to add up to the figures that an allocator has, and to its classes."""
    for name, sum_of in (("allocated_bytes", phase.allocated_bytes), ("arenas_current", len(phase.bases))):
        if name in figures and get(figures, name, int, f"{where}: figures", least=0) != sum_of:
            raise RunError(f"{where}: figures: '{name}' is {figures[name]}, but its pools add up to {sum_of}")
    counted = _count_classes(phase)
    for place, record in enumerate(classes):
        told = [get(record, name, int, f"{where}: class {place}", least=0)
                for name in ("block_bytes", "pools", "blocks_in_use", "blocks_available")]
        if counted.pop(told[0], None) != told[1:]:
            raise RunError(f"{where}: class {place}: 'block_bytes' {told[0]}: its pools say otherwise")
    if counted:
        raise RunError(f"{where}: 'classes' lacks the blocks of {next(iter(counted))} bytes, which its pools have")


def _count_classes(phase):
    """{bytes of a block: [pools, blocks in use, blocks available]} of the classes with a pool in use."""
    used = phase.block_bytes > 0
    sizes, classes, pools = numpy.unique(phase.block_bytes[used], return_inverse=True, return_counts=True)
    in_use = numpy.zeros_like(sizes)
    numpy.add.at(in_use, classes, phase.blocks_in_use[used])
    available = pools * phase.blocks_per_pool(numpy.maximum(sizes, 1)) - in_use
    return {size: list(numbers) for size, *numbers in zip(*map(numpy.ndarray.tolist, (sizes, pools, in_use, available)))}
