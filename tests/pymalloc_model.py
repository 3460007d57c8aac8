"""A model of CPython's small-object allocator, slow and plain: the rules one by one, each with the version it comes from.

Written from CPython's Objects/obmalloc.c and its comments, not from allocators/pymalloc/: a pool is a stack of the blocks
that came back and a count of those ever handed out, a size class is a dict of pools, the arenas are a sorted list, and no
address is ever looked at. What it leaves out is memory itself. pymalloc_model_test.py compares it with the real ones and
with ours, through the protocol of pymalloc_replay.c.
"""
from array import array
from bisect import bisect_left
from dataclasses import dataclass, replace

SMALL_REQUEST_MAX = 512
ALIGNMENT = 16
CLASSES = SMALL_REQUEST_MAX // ALIGNMENT
POOL_HEADER_BYTES = 48
ARENA_OBJECT_BYTES = 48
FIRST_ARENA_OBJECTS = 16

# The protocol of pymalloc_replay.c.
MALLOC, CALLOC, REALLOC, FREE, REGION, ARENA_LIMIT, STATISTICS = range(7)
PLACE, RAW, NOTHING, FIGURE, MAP, UNMAP, RAW_MALLOC, RAW_CALLOC, RAW_REALLOC, RAW_FREE = (kind << 60 for kind in range(10))
KIND = 15 << 60
KIND_NAMES = ("place", "raw", "nothing", "figure", "map", "unmap", "raw malloc", "raw calloc", "raw realloc", "raw free")
REGIONS, REGION_ARENAS = 3, 1024


def word(operation, slot=0, argument=0):
    """One operation of a stream."""
    return operation | slot << 4 | argument << 32


@dataclass(frozen=True)
class Profile:
    """What a CPython has of the rules that differ; the names of the rules are those of methods of Heap."""
    name: str
    pool_bytes: int
    arena_bytes: int
    order: str  # of the usable arenas when one has got a pool back
    empty_arena: str  # when an arena without a block in use goes
    own_addresses: str  # what it costs to know one's own arenas
    others: tuple = ()  # versions with the same rules


KIB = 1024
PROFILES = {profile.name: profile for profile in (
    Profile("2.7", 4 * KIB, 256 * KIB, "order_by_search", "an_empty_arena_goes", "arenas_are_known_by_index",
            ("3.6", "3.7")),
    Profile("3.8", 4 * KIB, 256 * KIB, "order_by_fingers", "an_empty_arena_goes", "arenas_are_known_by_index"),
    Profile("3.9", 4 * KIB, 256 * KIB, "order_by_fingers", "an_empty_arena_goes_unless_last", "arenas_are_known_by_index"),
    Profile("3.11", 16 * KIB, 1024 * KIB, "order_by_fingers", "an_empty_arena_goes_unless_last", "arenas_are_known_by_tree"),
)}
# A version with a rule of its own, but without a row of ours.
PROFILE_3_10 = replace(PROFILES["3.11"], name="3.10", own_addresses="arenas_are_known_by_small_tree")


class Pool:
    """A pool: of no size class until it first serves one."""
    __slots__ = ("arena", "place", "size_class", "in_use", "returned", "handed_out", "capacity", "block_bytes")

    def __init__(self, arena, place):
        self.arena = arena
        self.place = place  # of its first byte
        self.size_class = None
        self.in_use = 0
        self.returned = []  # numbers of the blocks that were freed, the last freed last
        self.handed_out = 0  # how many blocks were ever in use since the pool took this class
        self.capacity = 0
        self.block_bytes = 0


class Arena:
    """An arena: pools that came back, and those never carved."""
    __slots__ = ("ordinal", "base", "pools_total", "carved", "returned", "free", "pools")

    def __init__(self, ordinal, base, pools_total):
        self.ordinal = ordinal
        self.base = base
        self.pools_total = pools_total
        self.carved = 0
        self.returned = []  # the last freed last
        self.free = pools_total  # len(returned) + pools_total - carved
        self.pools = []


class Heap:
    """One heap. A block is (pool, number in it), or None for one of the raw allocator's; `words` collects what happened."""

    def __init__(self, profile):
        self.profile = profile
        self.words = array("Q")
        self.used = [{} for _ in range(CLASSES)]  # pools with free and used blocks; of a dict's order, the last is the front
        self.usable = []  # arenas with a free pool, the fewest free first
        self.arenas = {}  # by ordinal
        self.arena_objects = 0  # that the vector has room for
        self.nodes = set()  # of the radix tree
        self.allocated = self.highwater = 0
        self.region = 0
        self.arena_limit = 1 << 32
        # The rules of this profile.
        self.put_in_order = getattr(self, profile.order)
        self.goes_when_empty = getattr(self, profile.empty_arena)
        self.know_arena = getattr(self, profile.own_addresses)

    # --- The outside: which requests are small. All versions.

    def malloc(self, size):
        """1 to 512 bytes are small; everything else, and what finds no arena, is for the raw allocator."""
        if 0 < size <= SMALL_REQUEST_MAX:
            block = self.take_block((size - 1) // ALIGNMENT)
            if block is not None:
                return block
        self.words.append(RAW_MALLOC | (size or 1))
        return None

    def calloc(self, size):
        """3.5: the same, cleared. 2.7 has none; there it stands for what our rows offer."""
        if 0 < size <= SMALL_REQUEST_MAX:
            block = self.take_block((size - 1) // ALIGNMENT)
            if block is not None:
                return block
        self.words.append(RAW_CALLOC | (size or 1))
        return None

    def realloc(self, block, size):
        """A small block stays where it is if the new size fills more than 3/4 of it; a raw block stays raw."""
        if block is None:
            self.words.append(RAW_REALLOC | (size or 1))
            return None
        have = block[0].block_bytes
        if size <= have and 4 * size > 3 * have:
            return block
        copy = self.malloc(size)
        self.free(block)
        return copy

    def free(self, block):
        """A block goes back to its pool; the pool moves when it was full or is empty."""
        if block is None:
            self.words.append(RAW_FREE | 1)
            return
        pool, number = block
        was_full = pool.in_use == pool.capacity
        pool.returned.append(number)
        pool.in_use -= 1
        if was_full:
            self.a_full_pool_goes_to_the_front(pool)
        elif pool.in_use == 0:
            self.an_empty_pool_goes_to_its_arena(pool)

    # --- Blocks and pools. All versions.

    def take_block(self, size_class):
        """From the front pool of the class; (pool, number), or None without an arena."""
        used = self.used[size_class]
        if used:
            pool = next(reversed(used))
        else:
            pool = self.take_pool()
            if pool is None:
                return None
            self.a_pool_keeps_its_blocks_for_its_own_class(pool, size_class)
            used[pool] = True
        number = self.the_last_freed_block_or_the_next_uncarved(pool)
        pool.in_use += 1
        if pool.in_use == pool.capacity:
            del used[pool]
        return pool, number

    def the_last_freed_block_or_the_next_uncarved(self, pool):
        """Blocks that came back are a stack; below it lies the part of the pool that was never handed out, lowest first."""
        if pool.returned:
            return pool.returned.pop()
        pool.handed_out += 1
        return pool.handed_out - 1

    def a_pool_keeps_its_blocks_for_its_own_class(self, pool, size_class):
        """An empty pool that gets its old class again goes on as it was left; for another class it starts anew."""
        if pool.size_class == size_class:
            return
        pool.size_class = size_class
        pool.block_bytes = (size_class + 1) * ALIGNMENT
        pool.capacity = (self.profile.pool_bytes - POOL_HEADER_BYTES) // pool.block_bytes
        pool.returned = []
        pool.handed_out = 0

    def a_full_pool_goes_to_the_front(self, pool):
        """... of the list of its class, so that the freed block is the next to be used."""
        self.used[pool.size_class][pool] = True

    def an_empty_pool_goes_to_its_arena(self, pool):
        """... in front of the other free pools there; then its arena finds its place."""
        del self.used[pool.size_class][pool]
        arena = pool.arena
        arena.returned.append(pool)
        arena.free += 1
        if arena.free == 1:
            self.usable.insert(0, arena)  # it was full and in no list: to the head, before all others with one
        elif arena.free == arena.pools_total and self.goes_when_empty(arena):
            self.usable.remove(arena)
            self.unmap_arena(arena)
        else:
            self.put_in_order(arena)

    # --- Arenas.

    def take_pool(self):
        """From the arena with the fewest free pools: the last that came back, else the next that was never carved."""
        if not self.usable:
            arena = self.map_arena()
            if arena is None:
                return None
            self.usable.append(arena)
        arena = self.usable[0]
        arena.free -= 1
        if arena.free == 0:
            self.usable.pop(0)
        if arena.returned:
            return arena.returned.pop()
        at = -arena.base % self.profile.pool_bytes + arena.carved * self.profile.pool_bytes
        arena.carved += 1
        pool = Pool(arena, arena.ordinal << 32 | at)
        arena.pools.append(pool)
        return pool

    def order_by_search(self, arena):
        """2.7: from its old place past all that have fewer free pools, one by one."""
        old = self.usable.index(arena)
        new = old
        while new + 1 < len(self.usable) and self.usable[new + 1].free < arena.free:
            new += 1
        self.usable.insert(new, self.usable.pop(old))

    def order_by_fingers(self, arena):
        """3.8, bpo-37029: right behind the last that has as many as it had before, which nfp2lasta points to."""
        self.usable.remove(arena)
        behind = bisect_left(self.usable, arena.free, key=lambda other: other.free)
        self.usable.insert(behind, arena)

    def an_empty_arena_goes(self, _arena):
        """2.7: always, and at once."""
        return True

    def an_empty_arena_goes_unless_last(self, arena):
        """3.9, bpo-37257: not the last of the list, so that a program on the edge does not map and unmap for ever."""
        return self.usable[-1] is not arena

    def map_arena(self):
        """A record in the vector, the arena, and the nodes of the tree, in this order; None without an arena."""
        if len(self.arenas) == self.arena_objects:
            self.arena_objects = 2 * self.arena_objects or FIRST_ARENA_OBJECTS
            self.words.append(RAW_REALLOC | self.arena_objects * ARENA_OBJECT_BYTES)
        if len(self.arenas) >= self.arena_limit:
            return None
        first = self.region * REGION_ARENAS
        ordinal = next(ordinal for ordinal in range(first, first + REGION_ARENAS) if ordinal not in self.arenas)
        self.words.append(MAP | ordinal)
        base = base_of(self.profile, ordinal)
        self.know_arena(base)
        # An arena off a pool's boundary loses a pool: part of it in front of the first, the rest behind the last.
        pools = self.profile.arena_bytes // self.profile.pool_bytes - (base % self.profile.pool_bytes != 0)
        arena = self.arenas[ordinal] = Arena(ordinal, base, pools)
        self.allocated += 1
        self.highwater = max(self.highwater, len(self.arenas))
        return arena

    def unmap_arena(self, arena):
        """All its pools are free."""
        self.words.append(UNMAP | arena.ordinal)
        del self.arenas[arena.ordinal]

    def arenas_are_known_by_index(self, _base):
        """To 3.9: the header of a pool names the arena's record, nothing else is kept."""

    def arenas_are_known_by_small_tree(self, base):
        """3.10, bpo-37448: a tree over 48 bits of an address, 10, 10 and 8 above the 20 of an arena."""
        self.reach_nodes(base, 10, 8)

    def arenas_are_known_by_tree(self, base):
        """3.11: over all 64 bits, 15, 15 and 14."""
        self.reach_nodes(base, 15, 14)

    def reach_nodes(self, base, mid_bits, bottom_bits):
        """A node where an arena's first or last byte needs one; a node stays for ever."""
        for address in (base, base + self.profile.arena_bytes - 1):
            bottom = address // self.profile.arena_bytes >> bottom_bits
            for node, bits in (("mid", bottom >> mid_bits), mid_bits), (("bottom", bottom), bottom_bits):
                if node not in self.nodes:
                    self.nodes.add(node)
                    self.words.append(RAW_CALLOC | 8 << bits)

    # --- What sys._debugmallocstats() prints.

    def statistics(self):
        """The figures in the order of struct pymalloc_statistics."""
        profile = self.profile
        classes = [[0, 0, 0] for _ in range(CLASSES)]  # pools, blocks in use, blocks available
        for arena in self.arenas.values():
            for pool in arena.pools:
                if pool.in_use:
                    figures = classes[pool.size_class]
                    figures[0] += 1
                    figures[1] += pool.in_use
                    figures[2] += pool.capacity - pool.in_use
        sizes = [(index + 1) * ALIGNMENT for index in range(CLASSES)]
        room = profile.pool_bytes - POOL_HEADER_BYTES
        mid_nodes = sum(level == "mid" for level, _ in self.nodes)
        return [self.allocated, self.allocated - len(self.arenas), self.highwater, len(self.arenas),
                sum(arena.free for arena in self.arenas.values()),
                sum(figures[1] * size for figures, size in zip(classes, sizes)),
                sum(figures[2] * size for figures, size in zip(classes, sizes)),
                sum(figures[0] for figures in classes) * POOL_HEADER_BYTES,
                sum(figures[0] * (room % size) for figures, size in zip(classes, sizes)),
                sum(arena.base % profile.pool_bytes != 0 for arena in self.arenas.values()) * profile.pool_bytes,
                mid_nodes, len(self.nodes) - mid_nodes,
                *(figure for figures in classes for figure in figures)]


def base_of(profile, ordinal):
    """An address such as pymalloc_replay.c might have given: every region begins with a bottom node of the tree."""
    region, index = divmod(ordinal, REGION_ARENAS)
    quarter = profile.pool_bytes // 4
    skew = (0, quarter, profile.arena_bytes // 2 + quarter)[region]
    return (region + 1 << 36) + index * profile.arena_bytes + skew


def replay(profile, operations, heap_class=Heap):
    """What pymalloc_replay would answer to this stream of operations, as an array of words."""
    heap = heap_class(profile)
    words = heap.words
    blocks = {}
    for operation in operations:
        what, slot, argument = operation & 15, operation >> 4 & 0xfffffff, operation >> 32
        if what == FREE:
            heap.free(blocks.pop(slot))
            words.append(NOTHING)
        elif what <= REALLOC:
            if what == MALLOC:
                block = heap.malloc(argument)
            elif what == CALLOC:
                block = heap.calloc(argument)
            else:
                block = heap.realloc(blocks[slot], argument)
            blocks[slot] = block
            if block is None:
                words.append(RAW)
            else:
                pool, number = block
                words.append(PLACE | pool.place + POOL_HEADER_BYTES + number * pool.block_bytes)
        elif what == STATISTICS:
            words.extend(FIGURE | figure for figure in heap.statistics())
        else:
            if what == REGION:
                heap.region = argument
            else:
                heap.arena_limit = argument
            words.append(NOTHING)
    return words
