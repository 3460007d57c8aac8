#!/usr/bin/python3
"""
Promises of plot/ on censuses: what is read and refused, the numbers behind address maps and survivors, and the files drawn.
It leaves out looks. The censuses are synthetic, for tests only: blocks fill pools and arenas in a row and survive by chance.
Run from the repository root: /usr/bin/python3 tests/plot_census_test.py
"""
import gzip
import itertools
import json
import math
import os
import random
import re
import sys
import unittest

sys.dont_write_bytecode = True

import plot_test  # noqa: E402  (puts plot/ on the path)
from plot_test import Folder, MB, cell, list_lifetime, make_run, png_size, read, run_report  # noqa: E402

import address_map  # noqa: E402
import census  # noqa: E402
import checked  # noqa: E402
import findings_census  # noqa: E402
import numpy  # noqa: E402
import report  # noqa: E402
import report_figures  # noqa: E402
import run_folder  # noqa: E402
import style  # noqa: E402
import survivors  # noqa: E402
import words  # noqa: E402

GEOMETRY = {"2.7": (256 * 1024, 4096), "3.11": (1024 * 1024, 16384)}
HEADER = 48
KEEPS = (2, 5, 10, 20, 50, 100, 200, 500, 1000)
MOST_SVG_BYTES = 300_000


# --- a synthetic census ----------------------------------------------------------------------------------------------------

def arena_of(pools, profile, number):
    """An arena at a page of its own: pools of 4 KiB fit, of those of 16 KiB one is lost three times in four."""
    arena_bytes, _ = GEOMETRY[profile]
    base = 0x7f0000000000 + number * (2 * arena_bytes + 4096)
    return {"base": f"{base:#x}", "pools": [number for pool in pools for number in pool]}


def pools_of_arena(profile, number):
    arena_bytes, pool_bytes = GEOMETRY[profile]
    return arena_bytes // pool_bytes - (number * 4096 % pool_bytes != 0)


def phase_of(name, arenas, profile):
    """A phase whose figures and classes are those of its arenas."""
    arena_bytes, pool_bytes = GEOMETRY[profile]
    classes, allocated = {}, 0
    for arena in arenas:
        for block_bytes, in_use in zip(arena["pools"][::2], arena["pools"][1::2]):
            if block_bytes:
                counts = classes.setdefault(block_bytes, [0, 0, 0])
                for place, count in enumerate((1, in_use, (pool_bytes - HEADER) // block_bytes - in_use)):
                    counts[place] += count
                allocated += block_bytes * in_use
    names = ("pools", "blocks_in_use", "blocks_available")
    return {"name": name, "object_bytes": allocated, "live_bytes": allocated, "arenas": arenas,
            "classes": [{"block_bytes": size, **dict(zip(names, classes[size]))} for size in sorted(classes)],
            "figures": {"arena_bytes": arena_bytes, "pool_bytes": pool_bytes, "pool_header_bytes": HEADER,
                        "arenas_current": len(arenas), "allocated_bytes": allocated}}


def bulk_phases(n, size, keep, profile="3.11", seed=1):
    """`n` blocks in a row of pools and arenas; then each is kept with a chance of 1 in `keep`, all go if that is 0."""
    dice = random.Random(f"{seed} {size} {keep} {profile}")
    per_pool = (GEOMETRY[profile][1] - HEADER) // size
    before, after, left, number = [], [], n, 0
    while left:
        full, kept = [], []
        for _ in range(pools_of_arena(profile, number)):
            blocks = min(per_pool, left)
            left -= blocks
            survivors_ = sum(dice.random() * keep < 1 for _ in range(blocks)) if keep else 0
            full.append((size, blocks) if blocks else (0, 0))
            kept.append((size, survivors_) if survivors_ else (0, 0))
        before.append(arena_of(full, profile, number))
        if any(in_use for _, in_use in kept):
            after.append(arena_of(kept, profile, number))
        number += 1
    freed = phase_of("free", after, profile)
    return [phase_of("build", before, profile), freed, {**freed, "name": "idle"}]


def bulk(n, size, keep, allocator="pymalloc-3.11", idle_s=0.5):
    """A cell of bulk; its memory is made up, as only its census counts here."""
    phases = [("build", 0.1, 60.0, 60.0, 60.0), ("free", 0.05, 50.0, 1.0, 1.0), ("idle", idle_s, 50.0, 1.0, 1.0)]
    return cell("bulk", {"n": str(n), "size": str(size), "order": "random", "keep": str(keep)}, allocator, phases,
                idle_s=idle_s, rounds=1)


def put_census(folder, index, phases, version="3.11 geometry", **more):
    put_text(folder, index, json.dumps({"format": 1, "cell": index, "version": version, "phases": phases, **more}))


def put_text(folder, index, text):
    os.makedirs(os.path.join(folder, "census"), exist_ok=True)
    with gzip.open(os.path.join(folder, "census", f"{index:06d}.json.gz"), "wt", compresslevel=1) as file:
        file.write(text)


def survivors_run(folder, n=60_000, keeps=KEEPS, sizes=(32, 512), profiles=("2.7", "3.11")):
    """A run as the suite `survivors` makes it, smaller."""
    wanted = list(itertools.product(profiles, sizes, keeps))
    make_run(folder, [bulk(n, size, keep, f"pymalloc-{profile}") for profile, size, keep in wanted])
    for index, (profile, size, keep) in enumerate(wanted):
        put_census(folder, index, bulk_phases(n, size, keep, profile), f"{profile} geometry")
    return folder


def read_one(folder, index=0):
    """The Census of a cell, and its Phases."""
    run = run_folder.read_run(folder)
    one = next(one for one in run.censuses if one.cell.index == index)
    return one, census.read_phases(one)


def texts_of(path):
    """Every text of an SVG: matplotlib leaves each as a comment beside its outlines."""
    return [text.replace(words.NARROW, " ") for text in re.findall(r"<!-- (.*?) -->", read(path))]


def figures_of(folder, start):
    return sorted(name for name in os.listdir(os.path.join(folder, "figures")) if name.startswith(start))


# --- reading ---------------------------------------------------------------------------------------------------------------

class Reading(Folder):
    def setUp(self):
        super().setUp()
        make_run(self.folder, [bulk(4000, 512, 50)])

    def test_pools_and_figures_are_read_as_they_are_written(self):
        arenas = [arena_of([(32, 510), (64, 1)] + [(0, 0)] * 62, "3.11", 0), arena_of([(0, 0)] * 63, "3.11", 1)]
        put_census(self.folder, 0, [phase_of("build", arenas, "3.11")])
        one, (phase,) = read_one(self.folder)
        self.assertEqual((one.version, phase.name), ("3.11 geometry", "build"))
        self.assertEqual((phase.arena_bytes, phase.pool_bytes, phase.pool_header_bytes), (2**20, 2**14, 48))
        self.assertEqual(phase.bases.tolist(), [int(arena["base"], 16) for arena in arenas])
        self.assertEqual(phase.block_bytes[:, [0, 1, 2, 63]].tolist(), [[32, 64, 0, 0], [0, 0, 0, census.NO_POOL]])
        self.assertEqual(phase.blocks_in_use[0, :3].tolist(), [510, 1, 0])
        self.assertEqual(phase.allocated_bytes, 510 * 32 + 64)
        self.assertEqual(phase.fill[0, :3].tolist(), [1, 1 / 255, 0])
        self.assertEqual(phase.arena_fill.tolist(), [(1 + 1 / 255) / 64, 0])
        self.assertEqual(phase.pools_of.tolist(), [64, 63])

    def test_arenas_are_pinned_full_free_or_between_by_their_share_in_use(self):
        pools = lambda used, blocks: [(512, blocks)] * used + [(0, 0)] * (64 - used)
        kinds = (pools(0, 31), pools(1, 1), pools(6, 31), pools(7, 31), pools(57, 31), pools(58, 31), pools(64, 31))
        arenas = [arena_of(kind, "3.11", 4 * place) for place, kind in enumerate(kinds)]
        put_census(self.folder, 0, [phase_of("build", arenas, "3.11")])
        one, (phase,) = read_one(self.folder)
        free, pinned, full = (flags.astype(int).tolist() for flags in census.states(phase))
        self.assertEqual((free, pinned, full), ([1, 0, 0, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 1]))
        count = one.phases[0]
        self.assertEqual((count.arenas, count.free, count.pinned, count.full, count.arenas_in_use), (7, 1, 2, 2, 6))
        self.assertEqual(count.pools_in_use, 1 + 6 + 7 + 57 + 58 + 64)
        self.assertAlmostEqual(count.pinned_fill, (1 / 31 / 64 + 6 / 64) / 2)
        self.assertEqual(count.pinned_bytes, round(2**21 * (1 - count.pinned_fill)))
        self.assertEqual(count.held_bytes, round(2**20 * (6 - (1 / 31 + 6 + 7 + 57 + 58 + 64) / 64)))
        self.assertEqual((count.blocks_per_pool, count.pools_per_arena), (31, 64))

    def test_the_phase_that_tells_is_the_one_that_frees_or_the_last(self):
        put_census(self.folder, 0, bulk_phases(4000, 512, 50))
        one, phases = read_one(self.folder)
        self.assertEqual((one.freeing, one.before.name, one.after.name), (1, "build", "free"))
        put_census(self.folder, 0, bulk_phases(4000, 512, 50)[:1])
        one, _ = read_one(self.folder)
        self.assertEqual((one.freeing, one.before, one.after.name), (None, None, "build"))

    def test_of_two_phases_that_free_the_one_that_leaves_more_pinned_tells(self):
        build, free, *_ = bulk_phases(9000, 512, 50)
        put_census(self.folder, 0, [build, free, phase_of("free_rest", [], "3.11")])
        one, _ = read_one(self.folder)
        self.assertGreater(one.phases[1].pinned_bytes, 0)
        self.assertEqual((one.before.name, one.after.name), ("build", "free"))

    def test_figures_that_an_allocator_does_not_have_may_be_left_out(self):
        phases = bulk_phases(4000, 512, 50)
        for phase in phases[:2]:  # the third shares its figures with the second
            del phase["figures"]["allocated_bytes"], phase["figures"]["arenas_current"]
        put_census(self.folder, 0, phases)
        self.assertEqual(len(read_one(self.folder)[1]), 3)

    def test_an_allocator_without_an_arena_is_no_error(self):
        put_census(self.folder, 0, [phase_of(name, [], "3.11") for name in ("build", "free")])
        text = self.page().text
        self.assertIn("No allocator with a census had an arena.", text)
        self.assertEqual(figures_of(self.folder, "address-map"), [])

    def test_cells_without_a_file_have_no_census(self):
        make_run(self.folder + "2", [bulk(4000, 512, 50), bulk(4000, 512, 20)])
        put_census(self.folder + "2", 1, bulk_phases(4000, 512, 20))
        self.assertEqual([one.cell.params["keep"] for one in run_folder.read_run(self.folder + "2").censuses], ["20"])


class Refusing(Folder):
    """What is not as the format says is an error that names the file and the field, and leaves no report."""

    FILE = "census/000000.json.gz"

    def setUp(self):
        super().setUp()
        make_run(self.folder, [bulk(4000, 512, 50)])
        self.phases = bulk_phases(4000, 512, 50)
        self.phase, self.arena = self.phases[1], self.phases[1]["arenas"][0]

    def refuses(self, *wanted):
        put_census(self.folder, 0, self.phases)
        self.fails(self.FILE, *wanted)

    def test_an_odd_number_of_pools(self):
        self.arena["pools"].append(32)
        self.refuses("phase 1: arena 0: 'pools' has 129 numbers, wanted 128, two for each of 64 pools")

    def test_a_pool_too_many_in_an_arena_that_is_not_aligned(self):
        self.phase["arenas"][1]["pools"] += [0, 0]
        self.refuses("phase 1: arena 1: 'pools' has 128 numbers, wanted 126, two for each of 63 pools")

    def test_more_blocks_than_a_pool_holds(self):
        self.arena["pools"][:2] = [512, 32]
        self.refuses("phase 1: arena 0: 'pools': pool 0 has 32 blocks of 512 bytes in use, which does not fit into 16336")

    def test_pools_that_make_no_sense(self):
        for pool in ([-16, -1], [16, -1], [-16, 1], [-1, 0], [0, -1], [0, 1], [32, 0], [16384, 1], [2**62, 2**62]):
            with self.subTest(pool=pool):
                self.arena["pools"][:2] = pool
                self.refuses("arena 0: 'pools': pool 0 has")

    def test_pools_that_are_no_whole_numbers(self):
        for value in (1.0, True, None, "1", [1], {}):
            with self.subTest(value=value):
                self.arena["pools"][1] = value
                self.refuses("arena 0: 'pools' has what is no whole number")

    def test_sums_that_are_not_those_of_the_pools(self):
        for name in ("allocated_bytes", "arenas_current"):
            with self.subTest(name=name):
                self.phase["figures"][name] += 1
                self.refuses(f"phase 1: figures: '{name}' is", "but its pools add up to")
                self.phase["figures"][name] -= 1

    def test_classes_that_are_not_those_of_the_pools(self):
        for name in ("block_bytes", "pools", "blocks_in_use", "blocks_available"):
            with self.subTest(name=name):
                self.phase["classes"][0][name] += 1
                self.refuses("phase 1: class 0: 'block_bytes'", "its pools say otherwise")
                self.phase["classes"][0][name] -= 1
        self.phase["classes"].append(self.phase["classes"][0])
        self.refuses("phase 1: class 1")
        self.phase["classes"].clear()
        self.refuses("phase 1: 'classes' lacks the blocks of 512 bytes")

    def test_bases_that_are_no_ascending_addresses(self):
        for base in ("0x", "7f00", "-0x10", "0x7F00", 32512, "0xffffffffffffffff", "0x" + "1" * 4000):
            with self.subTest(base=base):
                self.arena["base"] = base
                self.refuses("phase 1: arena 0: 'base'")
        self.arena["base"] = self.phase["arenas"][1]["base"]
        self.refuses("phase 1: arena 1: 'base' is 0x", "not beyond the arena before it")

    def test_sizes_of_arenas_and_pools_that_cannot_be(self):
        for name, value in (("arena_bytes", 2**50), ("arena_bytes", 4096), ("pool_bytes", 48), ("pool_bytes", 2**21)):
            with self.subTest(name=name, value=value):
                kept, self.phase["figures"][name] = self.phase["figures"][name], value
                self.refuses(f"phase 1: figures: '", f"'{name}' ", str(value))
                self.phase["figures"][name] = kept
        for value in (0, -1, 1.5, None, True):
            self.phase["figures"]["pool_bytes"] = value
            self.refuses("phase 1: figures: 'pool_bytes'")
        del self.phase["figures"]["pool_bytes"]
        self.refuses("phase 1: figures: no field 'pool_bytes'")

    def test_pools_that_change_their_size(self):
        self.phases[2] = phase_of("idle", [], "2.7")
        self.refuses("'arena_bytes', 'pool_bytes' or 'pool_header_bytes' change")

    def test_more_phases_than_a_child_has_or_none(self):
        self.phases *= 6
        self.refuses("'phases' has 18, wanted 1 to 16")
        self.phases = []
        self.refuses("'phases' has 0")

    def test_another_cell_or_format(self):
        put_census(self.folder, 0, self.phases, format=2)
        self.fails(self.FILE, "'format' is 2")
        put_census(self.folder, 0, self.phases, cell=1)
        self.fails(self.FILE, "'cell' is 1, wanted 0")

    def test_a_file_that_unpacks_to_too_much(self):
        put_text(self.folder, 0, " " * (32 * 2**20 + 1))
        self.fails(self.FILE, "it unpacks to more than 32 MiB")

    def test_more_arrays_than_any_census_has(self):
        put_text(self.folder, 0, '{"phases": [' + "[]," * 2**18 + "[]]}")
        self.fails(self.FILE, "more than 262144 objects and arrays")

    def test_what_is_no_gzip_file_or_cut(self):
        put_census(self.folder, 0, self.phases)
        path = os.path.join(self.folder, self.FILE)
        data = read(path, mode="rb")
        for damaged in (data[:len(data) // 2], b"", b"{}", data[:40] + bytes(20) + data[60:]):
            with self.subTest(size=len(damaged)):
                with open(path, "wb") as file:
                    file.write(damaged)
                self.fails(self.FILE)

    def test_what_is_no_regular_file(self):
        path = os.path.join(self.folder, self.FILE)
        link_to = lambda target: lambda path: os.symlink(target, path)
        for put in (os.mkfifo, os.mkdir, link_to("/dev/zero"), link_to("nothing")):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            put(path)
            self.fails(self.FILE)
            (os.rmdir if os.path.isdir(path) else os.unlink)(path)

    def test_any_change_is_refused_or_drawn(self):
        """Values of a small census replaced by odd ones: a RunError, or a run whose numbers can be told."""
        dice = random.Random(11)
        odd = (None, True, -1, 0, 1, 7, 2**31, 2**62, 2**63 - 1, 0.5, "", "0x10", [], {}, [1], "x" * 50)
        refused = 0
        for _ in range(150):
            phases = bulk_phases(900, 512, 9)
            put_census(self.folder, 0, change_one(phases, dice, odd))
            try:
                findings_census.read_sections(run_folder.read_run(self.folder))
            except checked.RunError as error:
                self.assertIn(self.FILE, str(error))
                refused += 1
        self.assertGreater(refused, 75)


def change_one(value, dice, odd):
    """`value` with one of its parts, at any depth, replaced or left out."""
    if not isinstance(value, (dict, list)) or not value or dice.random() < 0.05:
        return dice.choice(odd)
    place = dice.choice(list(value) if isinstance(value, dict) else range(len(value)))
    if dice.random() < 0.1:
        del value[place]
    else:
        value[place] = change_one(value[place], dice, odd)
    return value


# --- address maps ----------------------------------------------------------------------------------------------------------

class Maps(Folder):
    def draw(self, phases, version="3.11 geometry"):
        """The texts of the map of a run with this one census."""
        make_run(self.folder, [list_lifetime("pymalloc-3.11", 20.0, rounds=1)])
        put_census(self.folder, 0, phases, version)
        self.page("--only=report")
        list(report._draw_maps(run_folder.read_run(self.folder)))
        (svg,) = (name for name in figures_of(self.folder, "address-map") if name.endswith(".svg"))
        self.assertLess(os.path.getsize(os.path.join(self.folder, "figures", svg)), MOST_SVG_BYTES)
        width, _ = png_size(os.path.join(self.folder, "figures", svg[:-4] + ".png"))
        self.assertEqual(width, round(style.WIDTH * style.DOTS))
        return texts_of(os.path.join(self.folder, "figures", svg))

    def test_the_title_says_how_many_arenas_stay_and_how_little_pins_them(self):
        phases = bulk_phases(9000, 512, 0)
        last = [phases[0]["arenas"][0], arena_of([(0, 0)] * 40 + [(512, 1)] + [(0, 0)] * 22, "3.11", 2),
                arena_of([(512, 1)] + [(0, 0)] * 63, "3.11", 4)]
        texts = self.draw([phases[0], phase_of("del", last, "3.11"), {**phase_of("del", last, "3.11"), "name": "idle"}])
        share = words.percent_small((1 / 31 / 63 + 1 / 31 / 64) / 2).replace(words.NARROW, " ")
        self.assertEqual(share, "0.051 %")
        self.assertIn(f"pymalloc-3.11 · after del: 3 of 5 arenas stay, 2 of them pinned by {share} of their blocks", texts)
        self.assertIn("after del, idle · 3 arenas: 2 pinned and 1 full", texts)
        self.assertIn("512 B: 66 pools, 97 % full", texts)
        self.assertIn("free: 125 pools", texts)

    def test_sentences_are_true_at_their_edges(self):
        full = [(512, 31)] * 64
        alone, empty = [(512, 1)] + [(0, 0)] * 63, [(0, 0)] * 64
        arenas = lambda *kinds: [arena_of(kind, "3.11", 4 * place) for place, kind in enumerate(kinds)]
        for before, after, wanted in (
                (arenas(full, full), [], "all 2 arenas went back"), (arenas(full), [], "all 1 arena went back"),
                (arenas(full), arenas(empty), "the only arena stays, empty"),
                (arenas(full, full), arenas(empty), "1 of 2 arenas stays, empty"),
                (arenas(full, full), arenas(alone), "1 of 2 arenas stays, pinned by 0.050 % of its blocks"),
                (arenas(full, full), arenas(alone, alone), "all 2 arenas stay, pinned by 0.050 % of their blocks"),
                (arenas(full, full), arenas(full), "1 of 2 arenas stays, none pinned"),
                (arenas(full, full), arenas(full, alone), "all 2 arenas stay, 1 of them pinned by 0.050 % of its blocks"),
                (arenas(full), arenas(alone, alone), "2 arenas, pinned by 0.050 % of their blocks"),
                ([], arenas(full), "1 arena"), (arenas(alone), arenas(alone), "1 arena, 1 of them pinned")):
            with self.subTest(wanted=wanted):
                self.folder += "_"
                make_run(self.folder, [list_lifetime("pymalloc-3.11", 20.0, rounds=1)])
                put_census(self.folder, 0, [phase_of("build", before, "3.11"), phase_of("del", after, "3.11")])
                said = address_map.say(read_one(self.folder)[0]).replace(words.NARROW, " ")
                self.assertEqual(said.partition(": ")[2], wanted)

    def test_thousands_of_arenas_in_many_motley_phases_stay_small_and_say_that_they_share_columns(self):
        dice = random.Random(3)
        sizes = (16, 32, 48, 64, 128, 256, 512)

        def motley(number):
            rooms = [(size, 4048 // size) for size in dice.choices(sizes, k=64)]
            return arena_of([(size, dice.randint(1, room)) for size, room in rooms], "2.7", number)
        phases = [phase_of(f"p{place}", [motley(number) for number in range(2500)], "2.7") for place in range(3)]
        texts = self.draw(phases, "2.7 geometry")
        self.assertRegex(" ".join(texts), r"There are \d+ arenas a column: a cell shows the fullest of its pools")

    def test_of_many_phases_some_are_drawn_and_the_others_named(self):
        dice = random.Random(4)
        phases = [phase_of(f"p{place}", [arena_of([(dice.choice((32, 64, 512)), dice.randint(1, 31)) for _ in range(63)]
                                                  + [(32, 1)] * (number % 4 == 0), "3.11", number) for number in range(200)],
                           "3.11") for place in range(15)]
        texts = self.draw([*phases, phase_of("gone", [], "3.11")])
        self.assertIn("pymalloc-3.11 · after gone: all 200 arenas went back", texts)
        shown = [text.split()[1] for text in texts if text.startswith("after ")]
        self.assertEqual(shown, ["p0", "p1", "p2", "p3", "p14", "gone"])
        self.assertIn("Phases left out: p4, p5, p6, p7, p8, p9, p10, p11, p12 and p13.", " ".join(texts))

    def test_a_last_phase_that_is_as_the_one_before_it_tells_with_it(self):
        arenas = [arena_of([(32, 1)] * 64, "3.11", 0)]
        texts = self.draw([phase_of(name, arenas, "3.11") for name in ("build", "keep")])
        self.assertIn("after build, keep · 1 arena: 1 pinned", texts)

    def test_a_single_arena_is_drawn(self):
        texts = self.draw([phase_of("build", [arena_of([(32, 1)] + [(0, 0)] * 63, "3.11", 0)], "3.11")])
        self.assertIn("pymalloc-3.11 · after build: 1 arena, 1 of them pinned", texts)

    def grid_of(self, phases):
        make_run(self.folder, [bulk(10, 512, 50)])
        put_census(self.folder, 0, phases)
        read_phases = read_one(self.folder)[1]
        return address_map.lay_out(read_phases), read_phases

    def test_binning_keeps_a_pinned_pool_and_its_mark(self):
        arenas = [arena_of([(0, 0)] * pools_of_arena("2.7", number), "2.7", number) for number in range(3000)]
        arenas[1234]["pools"][2 * 17:2 * 18] = [512, 1]
        grid, (phase,) = self.grid_of([phase_of("free", arenas, "2.7")])
        self.assertGreater(grid.arenas_per_column, 1)
        block_bytes, fill = address_map.bin_pools(phase, grid)
        column = 1234 // grid.arenas_per_column
        self.assertEqual(numpy.argwhere(block_bytes == 512).tolist(), [[17, column]])
        self.assertEqual(fill[17, column], 1 / 7)
        marks = address_map.bin_marks(phase, grid)
        self.assertEqual(numpy.flatnonzero(marks == address_map.PIN).tolist(), [column])
        image, thick = address_map.paint(phase, grid, address_map.choose_hues([phase]))
        seen = image[thick * 17, column].astype(int) - image[thick * 16, column]
        self.assertGreater(abs(seen).max(), 75, "one block of 7 is hardly seen beside free pools")

    def test_the_fullest_pool_of_a_cell_is_shown(self):
        arenas = [arena_of([(32, 1 + number % 126)] * 64, "2.7", number) for number in range(2800)]
        grid, (phase,) = self.grid_of([phase_of("free", arenas, "2.7")])
        _, fill = address_map.bin_pools(phase, grid)
        each = grid.arenas_per_column
        groups = [range(first, min(first + each, 2800)) for first in range(0, 2800, each)]
        self.assertEqual(fill[5].tolist(), [max((1 + number % 126) / 126 for number in group) for group in groups])

    def test_an_arena_keeps_its_column_when_others_go(self):
        arenas = [arena_of([(512, 31)] * pools_of_arena("3.11", number), "3.11", number) for number in range(5)]
        grid, (_, after) = self.grid_of([phase_of("build", arenas, "3.11"), phase_of("free", arenas[3:4], "3.11")])
        block_bytes, _ = address_map.bin_pools(after, grid)
        self.assertEqual(block_bytes[0].tolist(), [census.NO_POOL] * 3 + [512, census.NO_POOL])
        gone, filled = address_map.GONE, address_map.FILLED
        self.assertEqual(address_map.bin_marks(after, grid).tolist(), [gone, gone, gone, filled, gone])
        self.assertEqual(block_bytes[63].tolist(), [census.NO_POOL] * 5, "arena 3 has 63 pools")

    def test_a_single_block_is_told_from_free_pools_without_colour(self):
        grey = lambda colour: float(numpy.dot(colour, (0.299, 0.587, 0.114)))
        to_rgb = lambda colour: address_map._shade(colour, 1)
        self.assertGreater(grey(to_rgb(address_map.NOT_THERE)) - grey(to_rgb(address_map.FREE)), 0.05)
        for hue in (*address_map.HUES, address_map.OTHER):
            self.assertGreater(grey(to_rgb(address_map.FREE)) - grey(address_map._shade(hue, address_map.WEAKEST)), 0.1, hue)

    def test_one_map_per_workload_and_version_is_drawn_and_the_others_are_told(self):
        cells = [bulk(9000, 512, keep, row) for keep in (50, 600) for row in ("pymalloc-3.11", "pymalloc-2.7")]
        make_run(self.folder, cells)
        for index, (keep, profile) in enumerate(itertools.product((50, 600), ("3.11", "2.7"))):
            put_census(self.folder, index, bulk_phases(9000, 512, keep, profile), f"{profile} geometry")
        chosen = address_map.choose(run_folder.read_run(self.folder).censuses)
        self.assertEqual(sorted((one.cell.allocator, one.cell.params["keep"], left_out) for one, left_out in chosen),
                         [("pymalloc-2.7", "50", 1), ("pymalloc-3.11", "600", 1)])
        page = self.page()
        self.assertEqual(len([name for name in figures_of(self.folder, "address-map") if name.endswith(".png")]), 2)
        self.assertIn("show 2 cells of 4 with a census", page.text)
        self.assertEqual(page.text.count("Drawn below."), 2)
        self.assertEqual(page.text.count("not in use cannot go back"), 4)


# --- survivors -------------------------------------------------------------------------------------------------------------

class ClosedForm(unittest.TestCase):
    def test_it_has_the_known_values(self):
        known = ((2, 1, 0.5), (2, 2, 0.75), (10, 7, 0.5217031), (1000, 510, 0.399658), (1000, 126, 0.118441))
        for k, blocks, wanted in known:
            self.assertAlmostEqual(survivors.predict(k, blocks), wanted, places=5)
        self.assertAlmostEqual(survivors.predict(10**9, 1), 1e-9, delta=1e-17)

    def test_the_binomial_is_that_of_the_table(self):
        self.assertTrue(numpy.allclose(survivors.binomial(3, 2), [1 / 8, 3 / 8, 3 / 8, 1 / 8]))
        exact = [math.comb(31, kept) * (1 / 20)**kept * (19 / 20)**(31 - kept) for kept in range(32)]
        self.assertTrue(numpy.allclose(survivors.binomial(31, 20), exact))
        self.assertAlmostEqual(sum(survivors.binomial(32130, 1000)), 1, places=9)

    def test_bins_hold_every_arena_and_the_chances_of_their_own_numbers(self):
        kept = numpy.array([0, 3, 3, 4, 9])
        edges, shares, chances = survivors.bin_counts(kept, 31, 10)
        self.assertAlmostEqual(shares.sum(), 1)
        exact = survivors.binomial(31, 10)
        for low, high, share, chance in zip(edges, edges[1:], shares, chances):
            self.assertAlmostEqual(share, sum(low <= number < high for number in kept) / 5)
            self.assertAlmostEqual(chance, sum(exact[low:high]))

    def test_bins_are_few_however_wide_the_counts_are(self):
        edges, shares, _ = survivors.bin_counts(numpy.arange(0, 32131, 7), 32130, 2)
        self.assertLessEqual(len(shares), survivors.MOST_BINS)
        self.assertAlmostEqual(shares.sum(), 1)


class Survivors(unittest.TestCase):
    """One run with the cells of the suite `survivors`, smaller, drawn once for all tests here."""

    @classmethod
    def setUpClass(cls):
        holder = plot_test.tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        cls.folder = survivors_run(os.path.join(holder.name, "run"), keeps=(2, 20, 100, 1000))
        cls.status, cls.out, cls.err = run_report(cls.folder)
        cls.run_read = run_folder.read_run(cls.folder)
        (cls.series,) = survivors.find_series(cls.run_read)

    def test_figures_are_written_and_named(self):
        self.assertEqual((self.status, self.err), (0, ""))
        self.assertEqual(figures_of(self.folder, "survivors"),
                         [f"survivors-60k-random{end}" for end in ("-histogram.png", "-histogram.svg", ".png", ".svg")])
        for name in ("survivors-60k-random.png", "survivors-60k-random-histogram.png"):
            self.assertIn(os.path.join(self.folder, "figures", name), self.out.split())
        self.assertEqual(len(figures_of(self.folder, "address-map")), 4)

    def test_the_page_has_a_chart_of_how_many_blocks_hold_an_arena(self):
        (figure,) = report_figures.read_survivor_arenas(self.run_read)
        points = [point for line in survivors.find_histograms(self.series) for point in line if len(survivors.count_kept(point))]
        self.assertEqual([panel["title"] for panel in figure.data["panels"]], [f"{point.row} · {point.size} B · k {point.k:,.0f}" for point in points])
        for panel in figure.data["panels"]:
            measured, binomial = panel["series"]
            self.assertEqual(measured["x"], binomial["x"])
            self.assertAlmostEqual(sum(measured["y"]), 100, delta=0.1)
            self.assertTrue(50 < sum(binomial["y"]) < 100.1, binomial["y"])

    def test_shares_are_those_of_pools_and_arenas_that_hold_a_block(self):
        self.assertEqual((self.series.sizes, self.series.rows, len(self.series.points)),
                         ([32, 512], ["pymalloc-2.7", "pymalloc-3.11"], 16))
        for point in self.series.points:
            before, after = bulk_phases(60_000, point.size, point.k, point.row.rpartition("-")[2])[:2]
            holding = lambda phase: [sum(count > 0 for count in arena["pools"][1::2]) for arena in phase["arenas"]]
            self.assertEqual(point.pools, sum(holding(after)) / sum(holding(before)))
            arenas = [sum(pools > 0 for pools in holding(phase)) for phase in (after, before)]
            self.assertEqual(point.arenas, arenas[0] / arenas[1])

    def test_blocks_of_a_pool_and_an_arena_are_those_of_the_geometry(self):
        blocks = {(point.row, point.size): (point.blocks_per_pool, point.blocks_per_arena) for point in self.series.points}
        self.assertEqual(blocks, {("pymalloc-2.7", 32): (126, 126 * 64), ("pymalloc-2.7", 512): (7, 7 * 64),
                                  ("pymalloc-3.11", 32): (510, 510 * 63), ("pymalloc-3.11", 512): (31, 31 * 63)})

    def test_measured_shares_lie_near_the_closed_form(self):
        point, off = survivors.find_furthest(self.series, "pools", "blocks_per_pool")
        self.assertLess(off, 0.12)  # 117 pools of 510 blocks: a standard deviation is 0.045
        wanted = max(abs(point.pools - survivors.predict(point.k, point.blocks_per_pool)) for point in self.series.points)
        self.assertEqual(off, wanted)

    def test_an_empty_arena_that_stays_holds_no_block(self):
        phases = bulk_phases(9000, 512, 0)
        kept = [phases[0]["arenas"][0], arena_of([(0, 0)] * 63, "3.11", 1)]
        with plot_test.tempfile.TemporaryDirectory() as holder:
            folder = make_run(os.path.join(holder, "run"), [bulk(9000, 512, keep) for keep in (2, 5)])
            for index in range(2):
                put_census(folder, index, [phases[0], phase_of("free", kept, "3.11")])
            (series,) = survivors.find_series(run_folder.read_run(folder))
        self.assertEqual([point.arenas for point in series.points], [1 / 5] * 2)

    def test_blocks_are_counted_in_arenas_that_were_full(self):
        for size, row, k in ((512, "pymalloc-3.11", 20), (512, "pymalloc-2.7", 1000)):
            (point,) = self.series.of(size=size, row=row, k=k)
            profile = row.rpartition("-")[2]
            before, after = bulk_phases(60_000, size, k, profile)[:2]
            left = {arena["base"]: sum(arena["pools"][1::2]) for arena in after["arenas"]}
            full = [arena["base"] for arena in before["arenas"] if sum(arena["pools"][1::2]) == point.blocks_per_arena]
            self.assertGreater(len(full), 10)
            self.assertEqual(survivors.count_kept(point).tolist(), [left.get(base, 0) for base in full])

    def test_arenas_of_other_blocks_or_not_full_are_no_part_of_the_histogram(self):
        phases = bulk_phases(9000, 512, 0)
        whole = phases[0]["arenas"][1:4]
        other = arena_of([(512, 31)] * 62 + [(256, 63)], "3.11", 5)             # full, and more blocks than the others
        as_many = arena_of([(512, 31)] * 62 + [(32, 31)], "3.11", 6)            # not full, and just as many
        after = [arena_of([(512, number)] + [(0, 0)] * 62, "3.11", number) for number in (1, 3, 5, 6)]
        with plot_test.tempfile.TemporaryDirectory() as holder:
            folder = make_run(os.path.join(holder, "run"), [bulk(9000, 512, keep) for keep in (2, 5)])
            for index in range(2):
                phases = [phase_of("build", [*whole, other, as_many], "3.11"), phase_of("free", after, "3.11")]
                put_census(folder, index, phases)
            (series,) = survivors.find_series(run_folder.read_run(folder))
            self.assertEqual(survivors.count_kept(series.points[0]).tolist(), [1, 0, 3])

    def test_the_report_says_what_was_kept_and_what_the_closed_form_says(self):
        text = plot_test.References(read(self.folder, "report.html")).text.replace(words.NARROW, " ")
        (point,) = self.series.of(size=32, row="pymalloc-3.11", k=1000)
        measured = words.percent_small(point.pools).replace(words.NARROW, " ")
        self.assertIn(f"1 in 1,000 blocks of 32 bytes kept {measured} of the pools and all of the arenas in place; the "
                      "closed form says 40 % and all (pymalloc-3.11).", text)
        self.assertRegex(text, r"furthest apart by \d+\.\d percentage points for pools \(.*?\) and by \d+\.\d percentage "
                               r"points for arenas")
        self.assertRegex(text, r"\d of 1,953 blocks or fewer hold half of the arenas that stay \(pymalloc-3.11, 512 bytes, "
                               r"1 in 1,000\)\.")

    def test_svg_is_the_same_when_drawn_again(self):
        names = [name for start in ("survivors", "address-map") for name in figures_of(self.folder, start)]
        before = {name: read(self.folder, "figures", name, mode="rb") for name in names}
        run = run_folder.read_run(self.folder)
        drawn = [*report._draw_maps(run), *report._draw_survivors(run)]
        self.assertEqual(len(drawn), len(names) / 2)
        self.assertEqual({name: read(self.folder, "figures", name, mode="rb") for name in names}, before)

    def test_other_runs_have_no_such_figure(self):
        for pairs in ([(512, 50)], [(512, 0), (512, 50)], [(32, 50), (64, 50)]):
            cells = [bulk(9000, *pair) for pair in pairs]
            with plot_test.tempfile.TemporaryDirectory() as holder:
                folder = make_run(os.path.join(holder, "run"), cells)
                for index, one in enumerate(cells):
                    put_census(folder, index, bulk_phases(9000, int(one["params"]["size"]), int(one["params"]["keep"])))
                self.assertEqual(survivors.find_series(run_folder.read_run(folder)), [])

    def test_ways_to_give_back_are_series_of_their_own_and_are_named(self):
        cells = [{**bulk(900, 64, keep), "return": mode} for mode in ("stock", "eager") for keep in (2, 5)]
        with plot_test.tempfile.TemporaryDirectory() as holder:
            folder = make_run(os.path.join(holder, "run"), cells)
            for index, one in enumerate(cells):
                put_census(folder, index, bulk_phases(900, 64, int(one["params"]["keep"])))
            series = survivors.find_series(run_folder.read_run(folder))
        self.assertEqual([len(one.points) for one in series], [2, 2])
        self.assertEqual([one.name.rpartition(" · ")[2] for one in series], ["return stock", "return eager, not rebuilt"])

    def test_sizes_and_rows_that_do_not_fit_are_named(self):
        cells = [bulk(900, 16 * (1 + place % 6), keep, f"row{place // 6}") for keep in (2, 5) for place in range(48)]
        with plot_test.tempfile.TemporaryDirectory() as holder:
            folder = make_run(os.path.join(holder, "run"), cells)
            for index, one in enumerate(cells):
                put_census(folder, index, bulk_phases(900, int(one["params"]["size"]), int(one["params"]["keep"])))
            (series,) = survivors.find_series(run_folder.read_run(folder))
        self.assertEqual((len(series.sizes), len(series.rows)), (survivors.MOST_SIZES, survivors.MOST_ROWS))
        self.assertEqual(series.left_out, ["blocks of 80 bytes", "blocks of 96 bytes", "row6", "row7"])


class Told(Folder):
    def test_of_many_cells_those_that_hold_the_most_are_told(self):
        keeps = (1000, 300, 200, 150, 100, 80, 70, 60, 50, 40, 30, 20, 15, 12)
        make_run(self.folder, [bulk(30_000, 512, keep) for keep in keeps])
        for index, keep in enumerate(keeps):
            put_census(self.folder, index, bulk_phases(30_000, 512, keep))
        run = run_folder.read_run(self.folder)
        section = findings_census.read_sections(run)[0]
        self.assertEqual(len(section.items), 13)
        self.assertEqual(section.items[-1], "Not told here: 2 cells whose pinned arenas hold less.")
        self.assertIn("Drawn below.", section.items[0])
        held = {f"keep={one.cell.params['keep']},": one.after.pinned_bytes for one in run.censuses}
        told = [held[re.search(r"keep=\d+,", item)[0]] for item in section.items[1:-1]]
        self.assertEqual(told, sorted(told, reverse=True))
        self.assertLess(held["keep=1000,"], max(told), "the one drawn has to stand first though it does not hold the most")


class Without(Folder):
    def test_a_run_without_a_census_draws_and_says_nothing_of_it(self):
        make_run(self.folder, [bulk(4000, 512, 50), bulk(4000, 512, 20)])
        page = self.page()
        self.assertEqual(run_folder.read_run(self.folder).censuses, [])
        self.assertEqual(figures_of(self.folder, "address-map") + figures_of(self.folder, "survivors"), [])
        self.assertNotIn("What keeps an arena in place", page.text)


class Words(unittest.TestCase):
    def test_small_shares_keep_their_digits_and_nearly_all_is_not_all(self):
        shown = [words.percent_small(ratio).replace(words.NARROW, " ") for ratio in
                 (0, 1, 0.5, 0.123, 0.0123, 0.00123, 0.000123, 1e-9, 0.99, 0.995, 0.99999)]
        self.assertEqual(shown, ["0 %", "100 %", "50 %", "12 %", "1.2 %", "0.12 %", "0.012 %", "less than 0.001 %", "99 %",
                                 "99.5 %", "99.999 %"])


if __name__ == "__main__":
    unittest.main()
