"""pymalloc in every profile against a model of the rules, and that against real CPythons: every address, arena and table.

The model is pymalloc_model.py; ours and the real ones are driven by pymalloc_replay.c. For 3.11 the real one is the
libpython of this machine; without it that part is not run, which is a failure with CI set. Of the other versions the figures
of one heap are recorded; --libpython compares any CPython from 2.7 to 3.11 that there happens to be.
"""
import argparse
import multiprocessing
import os
import random
import re
import subprocess
import sys
import unittest
from array import array
from dataclasses import replace

sys.path.insert(0, "tests")
import pymalloc_model as model  # noqa: E402
from pymalloc_model import PROFILES, word  # noqa: E402
from tidemark_run import TIDEMARK  # noqa: E402

REPLAY = os.path.join(os.path.dirname(TIDEMARK), "pymalloc_replay")
REGION_NAMES = ("aligned", "a quarter of a pool off", "half an arena off")
WAVE_OPERATIONS = 70_000  # of each pattern in waves, in each region


class NotRun(Exception):
    """The library cannot be opened; says why."""


def run(profile_name, operations, library=None):
    """The words that ours, or a real one, answers to these operations."""
    command = [REPLAY, profile_name] + ([library] if library else [])
    ran = subprocess.run(command, input=operations.tobytes(), capture_output=True, check=False, timeout=300)
    if ran.returncode == 2 and library and b"cannot be opened" in ran.stderr:
        raise NotRun(ran.stderr.decode().strip())
    if ran.returncode != 0:
        raise AssertionError("%s: status %d\n%s" % (" ".join(command), ran.returncode, ran.stderr.decode()))
    return array("Q", ran.stdout)


# --- Streams of operations.

class Stream:
    """Operations as they are added, for arenas of one region; a slot is never used twice."""

    def __init__(self, profile, region=0):
        self.profile = profile
        self.words = array("Q", [word(model.REGION, argument=region)])
        self.slots = 0
        self.pools_per_arena = profile.arena_bytes // profile.pool_bytes - (region != 0)

    def take(self, size, operation=model.MALLOC):
        self.slots += 1
        self.words.append(word(operation, self.slots, size))
        return self.slots

    def take_many(self, count, size):
        return [self.take(size) for _ in range(count)]

    def resize(self, slot, size):
        self.words.append(word(model.REALLOC, slot, size))

    def give(self, slots):
        self.words.extend(word(model.FREE, slot) for slot in slots)

    def count(self):
        self.words.append(word(model.STATISTICS))

    def limit_arenas(self, count):
        self.words.append(word(model.ARENA_LIMIT, argument=count))

    def per_pool(self, size):
        return (self.profile.pool_bytes - 48) // ((size + 15) // 16 * 16)


def a_size(rng):
    """Mostly pooled, at times of one class, at times 0, around the threshold, or large."""
    chosen = rng.random()
    if chosen < 0.02:
        return rng.randrange(4000)
    if chosen < 0.06:
        return rng.randrange(509, 516)
    return 64 if chosen < 0.3 else rng.randrange(513)


def waves(stream, rng, order, up, reallocs):
    """Rises for half of each wave and falls for the other; then frees all. `order` chooses the index to free."""
    live = []
    half = WAVE_OPERATIONS // 6
    for step in range(WAVE_OPERATIONS):
        if live and rng.random() < reallocs:
            stream.resize(rng.choice(live), a_size(rng))
        elif (rng.random() < up) == (step // half % 2 == 0) or not live:
            live.append(stream.take(a_size(rng), model.CALLOC if step % 11 == 0 else model.MALLOC))
        else:
            index = order(rng, live)
            live[index], live[-1] = live[-1], live[index]
            stream.give([live.pop()])
        if step % half == half - 1:
            stream.count()
    stream.give(live)
    stream.count()


def random_waves(stream, rng):
    waves(stream, rng, lambda rng, live: rng.randrange(len(live)), 0.7, 0.1)


def lifo_waves(stream, rng):
    waves(stream, rng, lambda rng, live: -1, 0.85, 0)


def sawtooth(stream, rng):
    waves(stream, rng, lambda rng, live: rng.randrange(len(live)), 1, 0)


def realloc_waves(stream, rng):
    waves(stream, rng, lambda rng, live: rng.randrange(len(live)), 0.9, 0.6)


def fifo_queue(stream, rng):
    """A queue that grows to 20,000 blocks and is drained from its old end, over and over."""
    queue, head = [], 0
    for depth in (20_000, 3_000, 12_000):
        while len(queue) - head < depth:
            queue.append(stream.take(a_size(rng)))
        for _ in range(depth):
            queue.append(stream.take(a_size(rng)))
            stream.give([queue[head]])
            head += 1
        stream.count()
        stream.give(queue[head:-100])
        head = len(queue) - 100
        stream.count()
    stream.give(queue[head:])
    stream.count()


def size_sweeps(stream, _rng):
    """Every size from 0 to 600 up and down: one at a time, then all at once with holes in between."""
    for size in (*range(601), *reversed(range(601))):
        stream.give([stream.take(size), stream.take(600 - size)])
    for round_ in range(1, 5):
        live = [stream.take(size) for _ in range(6) for size in (*range(601), *reversed(range(601)))]
        stream.count()
        stream.give(live[::round_ + 1])
        stream.count()
        rest = [slot for index, slot in enumerate(live) if index % (round_ + 1)]
        live = [stream.take(size) for size in range(601)]
        stream.give(rest if round_ % 2 else reversed(rest))
        stream.give(live)
        stream.count()


def realloc_sweeps(stream, _rng):
    """From around each class's size to every third size; and blocks that grow and shrink a byte at a time."""
    live = []
    for bound in range(0, 529, 16):
        for have in range(max(bound - 1, 0), bound + 2):
            for size in range(bound % 3, 601, 3):
                slot = stream.take(have)
                stream.resize(slot, size)
                live.append(slot)
            stream.give(live[1::2])
            live = live[::2][-40:] if bound % 32 else stream.give(live[::2]) or []
        stream.count()
    stream.give(live)
    live = stream.take_many(16, 1)
    for size in (*range(601), *reversed(range(601))):
        for index, slot in enumerate(live):
            stream.resize(slot, (size + 5 * index) % 601)
    stream.give(live)
    stream.count()


def holes(stream, _rng):
    """One block kept in k of a pool, one of a pool, one of an arena; the holes refilled by the same and by other classes."""
    for size, other in ((512, 496), (48, 64), (16, 256), (208, 512)):
        pool = stream.per_pool(size)
        for stride in (2, 3, pool, pool * stream.pools_per_arena):
            count = min(max(4 * stride, 4000), 6 * pool * stream.pools_per_arena, 12_000)
            live = stream.take_many(count, size)
            stream.count()
            kept = live[::stride]
            stream.give(slot for index, slot in enumerate(live) if index % stride)
            stream.count()
            kept += stream.take_many(count // 20, other)
            kept += stream.take_many(count // 20, size)
            stream.count()
            stream.give(kept[1::3] + kept[::3] + kept[2::3])
            stream.count()


def arenas_change_places(stream, rng):
    """Full arenas get back one pool each per round, in orders that make them pass each other most; some are taken again."""
    pool = stream.per_pool(512)
    arenas = max(20_000 // (pool * stream.pools_per_arena), 6)
    for order in ("forth and back", "in turn", "at random"):
        live = stream.take_many(arenas * stream.pools_per_arena * pool, 512)
        pools = [live[at:at + pool] for at in range(0, len(live), pool)]
        by_arena = [pools[at:at + stream.pools_per_arena] for at in range(0, len(pools), stream.pools_per_arena)]
        others = []
        for round_ in range(stream.pools_per_arena):
            turn = list(range(arenas))
            if order == "at random":
                rng.shuffle(turn)
            elif order == "forth and back" and round_ % 2:
                turn.reverse()
            for arena in turn:
                stream.give(by_arena[arena].pop())
            if round_ % 8 == 3:
                others = stream.take_many(3 * pool, 480)
            elif round_ % 8 == 6:
                stream.give(others)
                others = []
            if round_ % 16 == 0:
                stream.count()
        stream.give(others)
        stream.count()


def refills_by_other_classes(stream, _rng):
    """Arenas filled by one class, every second pool of it given back and filled by the next."""
    live = []
    for size in (512, 336, 144, 272, 96, 496) * 2:
        pool = stream.per_pool(size)
        taken = stream.take_many(min(3 * stream.pools_per_arena * pool, 5000), size)
        stream.count()
        stream.give(slot for index, slot in enumerate(taken) if index // pool % 2 == 0)
        live.append([slot for index, slot in enumerate(taken) if index // pool % 2])
        stream.count()
        if len(live) == 4:
            stream.give(live.pop(1))
    for taken in live:
        stream.give(taken)
    stream.count()


def too_few_arenas(stream, rng):
    """With a limit on arenas, what finds none is raw, and pooled again when there is room."""
    live = []
    for limit in (0, 1, 3, 2, 17, 0, 40):
        stream.limit_arenas(limit)
        for _ in range(3000):
            live.append(stream.take(512 - rng.randrange(20), model.CALLOC if rng.random() < 0.2 else model.MALLOC))
            stream.resize(rng.choice(live), a_size(rng))
        stream.count()
        rng.shuffle(live)
        stream.give(live[2000:])
        del live[2000:]
        stream.count()
    stream.give(live)
    stream.count()


PATTERNS = (random_waves, lifo_waves, fifo_queue, sawtooth, realloc_waves, size_sweeps, realloc_sweeps, holes,
            arenas_change_places, refills_by_other_classes, too_few_arenas)


def stream_of(pattern, profile, region):
    """The same words for the same arguments."""
    stream = Stream(profile, region)
    pattern(stream, random.Random("%s %d" % (pattern.__name__, region)))
    return stream.words


# --- Comparison.

def text_of(answer):
    """A word of an answer, for people."""
    value = answer & ~model.KIND
    name = model.KIND_NAMES[answer >> 60]
    return "place %#x of arena %d" % (value & 0xffffffff, value >> 32) if name == "place" else "%s %d" % (name, value)


def difference(operations, expected, found):
    """Where two answers to the same operations part, or None."""
    if expected == found:
        return None
    at = next((index for index, pair in enumerate(zip(expected, found)) if pair[0] != pair[1]),
              min(len(expected), len(found)))
    answered = figures = 0  # operations, and figures of the last one
    for answer in expected[:at]:
        kind = answer & model.KIND
        figures = figures + 1 if kind == model.FIGURE else 0
        if kind in (model.PLACE, model.RAW, model.NOTHING) or figures == 12 + 3 * model.CLASSES:
            answered += 1
            figures = 0
    operation = operations[answered] if answered < len(operations) else 0
    name = ("malloc", "calloc", "realloc", "free", "region", "arena limit", "statistics")[operation & 15]
    return "operation %d, %s of %d, figure %d: the model has %s, not %s" % (
        answered, name, operation >> 32, figures, *(text_of(answers[at]) if at < len(answers) else "nothing more"
                                                    for answers in (expected, found)))


def visible_to_2_7(operations):
    """Without calloc and statistics, which 2.7 has not, or not in a release build."""
    return array("Q", (operation & ~15 | model.MALLOC if operation & 15 == model.CALLOC else operation
                       for operation in operations if operation & 15 != model.STATISTICS))


def without_raw(answers):
    """2.7 has no hook either for what it asks the raw allocator for."""
    return array("Q", (answer for answer in answers if answer < model.RAW_MALLOC))


def compare(task):
    """One pattern in one region, on each of the subjects: for each, (how much was compared, difference or None)."""
    subjects, pattern, region = task
    operations = stream_of(pattern, subjects[0].profile, region)
    expected = model.replay(subjects[0].profile, operations)
    results = []
    for subject in subjects:
        asked, wanted = operations, expected
        if subject.is_2_7:
            asked = visible_to_2_7(operations)
            wanted = without_raw(model.replay(subject.profile, asked))
        kinds = [answer >> 60 for answer in wanted]
        amounts = (len(asked), kinds.count(model.PLACE >> 60), kinds.count(model.MAP >> 60) + kinds.count(model.UNMAP >> 60),
                   kinds.count(model.FIGURE >> 60))
        results.append((amounts, difference(asked, wanted, run(subject.row, asked, subject.library))))
    return results


class Subject:
    """Ours in one profile, or the CPython of a library; the profile is that of the model."""

    def __init__(self, row, library=None, profile=None):
        self.row = row  # the profile that pymalloc_replay is told
        self.library = library
        self.profile = profile or PROFILES[row]

    @property
    def is_2_7(self):
        return self.library is not None and "libpython2.7" in self.library

    def __str__(self):
        return "%s, rules of %s" % (self.library or "ours", self.profile.name)


INSTALLED = Subject("3.11", "libpython3.11.so.1.0")  # as Debian 12 has it
extra = []  # subjects from the command line


class PymallocTest(unittest.TestCase):
    def assert_equal_to_model(self, *subjects):
        """On every pattern in every region; says how much that was. All have the rules of the first."""
        tasks = [(subjects, pattern, region) for pattern in PATTERNS for region in range(model.REGIONS)]
        totals = [[0] * 4 for _ in subjects]
        with multiprocessing.Pool(len(os.sched_getaffinity(0))) as workers:
            for (_, pattern, region), results in zip(tasks, workers.imap(compare, tasks)):
                for subject, total, (amounts, found) in zip(subjects, totals, results):
                    with self.subTest(subject=str(subject), pattern=pattern.__name__, arenas=REGION_NAMES[region]):
                        self.assertIsNone(found)
                    total[:] = map(sum, zip(total, amounts))
        for subject, total in zip(subjects, totals):
            print("%s: %d operations, the places of %d blocks, %d arenas that came or went, %d figures" % (subject, *total))

    def is_there(self):
        """Whether the real 3.11 can be opened. Without it tests are not run, by name; with CI set, that is a failure."""
        try:
            run(INSTALLED.row, array("Q"), INSTALLED.library)
        except NotRun as reason:
            print("not run: %s; install libpython3.11" % reason)
            if "CI" in os.environ:
                self.fail(str(reason))
            return False
        return True


class Exactness(PymallocTest):
    def test_2_7_equals_the_model(self):
        self.assert_equal_to_model(Subject("2.7"))

    def test_3_8_equals_the_model(self):
        self.assert_equal_to_model(Subject("3.8"))

    def test_3_9_equals_the_model(self):
        self.assert_equal_to_model(Subject("3.9"))

    def test_3_11_and_the_real_one_equal_the_model(self):
        if self.is_there():
            self.assert_equal_to_model(Subject("3.11"), INSTALLED)
        else:
            self.assert_equal_to_model(Subject("3.11"))
            self.skipTest("the real one was not run")

    def test_the_real_ones_of_the_command_line_equal_the_model(self):
        if not extra:
            self.skipTest("no --libpython")
        for subject in extra:
            self.assert_equal_to_model(subject)


class RecordedFigures(PymallocTest):
    """100,001 blocks of 64 bytes on aligned arenas, what CPython 3.6 to 3.11 said of them, and blocks per pool."""
    FIGURES_OLD = [25, 6_400_064, 2_752, 12, 76_224, 25_408]
    FIGURES_NEW = [7, 6_400_064, 13_696, 55, 18_864, 6_288]
    RECORDED = {"3.8": FIGURES_OLD, "3.9": FIGURES_OLD, "3.11": FIGURES_NEW}
    BLOCKS_4_KIB = [253, 126, 84, 63, 50, 42, 36, 31, 28, 25, 23, 21, 19, 18, 16, 15, 14, 14, 13, 12, 12, 11, 11, 10, 10, 9,
                    9, 9, 8, 8, 8, 7]
    BLOCKS_16_KIB = [1021, 510, 340, 255, 204, 170, 145, 127, 113, 102, 92, 85, 78, 72, 68, 63, 60, 56, 53, 51, 48, 46, 44,
                     42, 40, 39, 37, 36, 35, 34, 32, 31]

    @staticmethod
    def fixture(profile):
        stream = Stream(profile)
        stream.take_many(100_001, 64)
        stream.count()
        return stream.words

    @staticmethod
    def chosen_figures(answers):
        """Arenas, bytes in use and available, unused pools, bytes of headers, bytes lost to quantization."""
        figures = [answer & ~model.KIND for answer in answers if answer & model.KIND == model.FIGURE]
        return [figures[index] for index in (3, 5, 6, 4, 7, 8)]

    def test_the_closed_fixture_has_the_recorded_figures(self):
        for name, figures in self.RECORDED.items():
            with self.subTest(profile=name):
                operations = self.fixture(PROFILES[name])
                self.assertEqual(self.chosen_figures(model.replay(PROFILES[name], operations)), figures)
                self.assertEqual(self.chosen_figures(run(name, operations)), figures)
                print("100,001 x 64 B, CPython %s: recorded %s; the model and ours have the same" % (name, figures))

    def test_the_closed_fixture_of_2_7_is_that_of_3_8(self):
        """No 2.7 prints statistics; its rules in this heap are those of 3.6 to 3.8."""
        operations = self.fixture(PROFILES["2.7"])
        self.assertEqual(self.chosen_figures(model.replay(PROFILES["2.7"], operations)), self.FIGURES_OLD)
        self.assertEqual(self.chosen_figures(run("2.7", operations)), self.FIGURES_OLD)

    def test_real_ones_have_the_recorded_figures(self):
        there = [INSTALLED] if self.is_there() else []
        there.extend(subject for subject in extra if not subject.is_2_7)
        if not there:
            self.skipTest("no real one was run")
        for subject in there:
            with self.subTest(subject=str(subject)):
                found = self.chosen_figures(run(subject.row, self.fixture(subject.profile), subject.library))
                self.assertEqual(found, self.FIGURES_NEW if subject.row == "3.11" else self.FIGURES_OLD)
                print("100,001 x 64 B, %s: measured here %s, as recorded" % (subject.library, found))

    def test_each_class_has_the_recorded_blocks_per_pool(self):
        for profile in PROFILES.values():
            recorded = self.BLOCKS_4_KIB if profile.pool_bytes == 4096 else self.BLOCKS_16_KIB
            for index, blocks in enumerate(recorded):
                stream = Stream(profile)
                stream.take_many(blocks, 16 * index + 1)
                stream.count()
                stream.take(16 * index + 16)
                stream.count()
                for answers in (model.replay(profile, stream.words), run(profile.name, stream.words)):
                    figures = [answer & ~model.KIND for answer in answers if answer & model.KIND == model.FIGURE]
                    half = len(figures) // 2
                    at = 12 + 3 * index
                    self.assertEqual(figures[at:at + 3], [1, blocks, 0])
                    self.assertEqual(figures[half + at:half + at + 3], [2, blocks + 1, blocks - 1])


class BehindThoseWithAsMany(model.Heap):
    """A heap whose arenas go behind those with as many free pools, not before them."""

    def put_in_wrong_order(self, arena):
        self.usable.remove(arena)
        place = sum(other.free <= arena.free for other in self.usable)
        self.usable.insert(place, arena)


class RulesTellProfilesApart(PymallocTest):
    """Ours has each rule of its own version, and would not have the same answers with its neighbour's."""

    def assert_only_own(self, operations, name, **of_the_neighbour):
        found = run(name, operations)
        self.assertIsNone(difference(operations, model.replay(PROFILES[name], operations), found), name)
        answers = model.replay(replace(PROFILES[name], **of_the_neighbour), operations)
        self.assertIsNotNone(difference(operations, answers, found), "%s with %s" % (name, of_the_neighbour))

    def test_the_last_empty_arena_goes_until_3_8_and_stays_from_3_9_on(self):
        for profile in PROFILES.values():
            stream = Stream(profile)
            for _ in range(3):
                stream.give([stream.take(64)])
            stream.count()
            goes = profile.name in ("2.7", "3.8")
            self.assert_only_own(stream.words, profile.name,
                                 empty_arena="an_empty_arena_goes_unless_last" if goes else "an_empty_arena_goes")

    def test_an_empty_arena_that_is_not_the_last_goes_in_every_profile(self):
        for profile in PROFILES.values():
            stream = Stream(profile)
            first = stream.take_many(stream.pools_per_arena * stream.per_pool(512), 512)
            stream.take(512)
            stream.give(first)
            found = run(profile.name, stream.words)
            self.assertIsNone(difference(stream.words, model.replay(profile, stream.words), found))
            self.assertIn(model.UNMAP | 0, found)

    def test_the_arena_goes_before_those_with_as_many_in_every_profile(self):
        for profile in PROFILES.values():
            operations = stream_of(arenas_change_places, profile, region=2)
            found = run(profile.name, operations)
            self.assertIsNone(difference(operations, model.replay(profile, operations), found))
            wrong = replace(profile, order="put_in_wrong_order")
            answers = model.replay(wrong, operations, BehindThoseWithAsMany)
            self.assertIsNotNone(difference(operations, answers, found))

    def test_the_search_of_2_7_and_the_fingers_of_3_8_give_one_order(self):
        """So 2.7 and 3.8 answer alike; what tells them apart is time, which pymalloc_arena_test.c takes."""
        operations = stream_of(arenas_change_places, PROFILES["2.7"], 2)
        answers = model.replay(PROFILES["2.7"], operations)
        self.assertEqual(answers, model.replay(PROFILES["3.8"], operations))
        for name in ("2.7", "3.8"):
            self.assertIsNone(difference(operations, answers, run(name, operations)))

    def test_only_3_11_asks_the_raw_allocator_for_a_tree(self):
        for profile in PROFILES.values():
            stream = Stream(profile, region=2)
            stream.take(64)
            new = profile.name == "3.11"
            self.assert_only_own(stream.words, profile.name,
                                 own_addresses="arenas_are_known_by_index" if new else "arenas_are_known_by_tree")
            asked = [answer for answer in run(profile.name, stream.words) if answer & model.KIND == model.RAW_CALLOC]
            self.assertEqual(asked, [model.RAW_CALLOC | 262144, model.RAW_CALLOC | 131072] if new else [])

    def test_pools_and_arenas_have_the_size_of_their_version(self):
        for profile in PROFILES.values():
            other = PROFILES["3.9" if profile.name == "3.11" else "3.11"]
            stream = Stream(profile)
            stream.take_many(600, 512)
            self.assert_only_own(stream.words, profile.name, pool_bytes=other.pool_bytes)
            stream = Stream(profile)
            stream.take_many(5000, 512)
            self.assert_only_own(stream.words, profile.name, arena_bytes=other.arena_bytes)


def subject_of(path):
    """The CPython of a library whose name has a version whose rules the model knows."""
    version = re.search(r"libpython(\d\.\d+)", os.path.basename(path))
    if version and version[1] == "3.10":
        return Subject("3.11", path, model.PROFILE_3_10)
    for profile in PROFILES.values():
        if version and version[1] in (profile.name, *profile.others):
            return Subject(profile.name, path)
    raise argparse.ArgumentTypeError("%r: a file named libpythonX.Y with X.Y from 2.7 to 3.11" % path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0],
                                     epilog="Further arguments are those of unittest.")
    parser.add_argument("--libpython", metavar="PATH", type=subject_of, action="append", default=[],
                        help="compare this real CPython with the model too; may be repeated")
    options, rest = parser.parse_known_args()
    extra.extend(options.libpython)
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
