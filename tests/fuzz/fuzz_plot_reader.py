#!/usr/bin/python3
"""
Mutates a small run, cut from results/reference, and reads it as `tidemark plot` does: whatever a run folder holds, the
answer is a run or a RunError that names the file, and the line where the file is one of lines. Never another exception, more
than ten seconds, or more than 2 GiB. It leaves out coverage: mutations are drawn from a list of what a file can suffer.
The idea of a list of hostile values is that of radamsa and of the Big List of Naughty Strings.
"""
import argparse
import contextlib
import gzip
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "plot"))

import micro  # noqa: E402
import report  # noqa: E402
import run_folder  # noqa: E402
import style  # noqa: E402
from checked import RunError  # noqa: E402

MOST_SECONDS = 10
MOST_ADDRESSES = 2 * 2**30  # beyond what Python and matplotlib take themselves
CELLS = (0, 14, 28)         # of the reference: a plain one, one inside a real CPython, a long idle one
TICKS = 40                  # of each curve
EXAMPLE = """examples:
  tests/fuzz/fuzz_plot_reader.py --mutations 20000 --seed 7
  tests/fuzz/fuzz_plot_reader.py --mutations 300 --draw --keep /tmp/failures
"""

# In place of a JSON value, as text: wrong kinds, numbers at the edges, strings that steer.
VALUES = ("null", "true", "[]", "{}", '""', '"x"', "-1", "0", "1", "0.5", "-0.0", "1e308", "-1e308", "1e-320", "1e999",
          "NaN", "Infinity", "-Infinity", str(2**53), str(2**63 - 1), str(2**63), str(-2**63), "9" * 400, "9" * 5000, "1e3",
          '"\\u0000"', '"\\u001b[2J"', '"\\ud800"', '"\u00b2"', '"\u0663"', '"$\\\\frac{$"', '"<b>&"', '"../../x"',
          '"' + "a" * 5000 + '"', '"' + "a b " * 40000 + '"', "[[[[[]]]]]", "[" * 40 + "]" * 40, "[" * 900 + "]" * 900,
          '{"a":1,"a":2}', '{"median":1e300,"low":0,"high":1}', '"ok"', '"objects"', '"python3"')
AMOUNTS = ("", "x", "-1", "1e9", "nan", "inf", "0x10", "1_000", "\u0663", "9" * 19, "9" * 20, "9" * 400, " 1", "1.5", '"1"',
           "0")


# --- the run to mutate ------------------------------------------------------------------------------------------------------

def read_seed():
    """{name: bytes} of a small run."""
    reference = os.path.join(ROOT, "results", "reference")

    def read(name):
        with open(os.path.join(reference, name), "rb") as file:
            return file.read()
    plan, machine, summary = (json.loads(read(name)) for name in ("plan.json", "machine.json", "summary.json"))
    samples = [json.loads(line) for line in read("samples.jsonl").splitlines()]
    plan["cells"] = [plan["cells"][cell] for cell in CELLS]
    plan["order"] = []
    kept = [{**sample, "cell": CELLS.index(sample["cell"])} for sample in samples if sample["cell"] in CELLS]
    result = {json.loads(read("micro/glibc.json"))["context"]["tidemark_row"]: read("micro/glibc.json")}
    seed = {"plan.json": _dump(plan), "machine.json": _dump(machine),
            "summary.json": _dump([summary[cell] for cell in CELLS]),
            "samples.jsonl": b"".join(_dump(sample) + b"\n" for sample in kept)}
    seed.update({f"micro/{row}.json": _cut_micro(data) for row, data in result.items()})
    for sample in kept:
        name = f"curves/{sample['sample']:06d}.csv.gz"
        lines = gzip.decompress(read(name)).split(b"\n")
        seed[name] = gzip.compress(b"\n".join(lines[:TICKS] + lines[-2:]), 1, mtime=0)
    return seed


def _cut_micro(data):
    result = json.loads(data)
    result["benchmarks"] = result["benchmarks"][:6]
    return _dump(result)


def _dump(value):
    return json.dumps(value, separators=(",", ":")).encode()


# --- mutations --------------------------------------------------------------------------------------------------------------
# Each takes the bytes of a file and dice, and returns other bytes.

def cut(data, dice):
    return data[:dice.randrange(len(data) + 1)]


def flip(data, dice):
    data = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 8))):
        if data:
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return bytes(data)


def splice(data, dice):
    """A stretch left out, put twice, or moved."""
    begin, end, at = sorted(dice.randrange(len(data) + 1) for _ in range(3))
    return dice.choice((data[:begin] + data[end:], data[:end] + data[begin:end] + data[end:],
                        data[:begin] + data[end:at] + data[begin:end] + data[at:]))


def insert(data, dice):
    at = dice.randrange(len(data) + 1)
    return data[:at] + dice.choice((b"\x00", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\n", b"\n\n",
                                    b",", b'"', b"[" * 3000, b"{", b"}", b"9" * 300, b"\xe2\x80\xa8")) + data[at:]


def empty(data, dice):
    return dice.choice((b"", b"\n", b"null", b"{}", b"[]", b'""', b"0", b"\n" + data, data + data, data + b"{}",
                        data.strip()))


def long_line(data, dice):
    return dice.choice((data, b"")) + b'{"a":"' + b"a" * (10 * 2**20) + dice.choice((b'"}\n', b"", b"\n"))


def value(data, dice):
    """One value of a JSON text replaced: numbers, strings, and what stands for nothing."""
    places = list(re.finditer(rb'(?<=[:\[,])(?:-?\d[\d.eE+-]*|"[^"\\]*"|null|true|false|\[\]|\{\})(?=[,\]}])', data))
    if not places:
        return data
    place = dice.choice(places)
    return data[:place.start()] + dice.choice(VALUES).encode() + data[place.end():]


def name(data, dice):
    """One name of an object changed, so that a field is missing, or stands twice."""
    places = list(re.finditer(rb'"([A-Za-z_]+)":', data))
    if not places:
        return data
    place = dice.choice(places)
    return data[:place.start()] + b'"' + dice.choice((b"x", b"", dice.choice(places)[1])) + b'":' + data[place.end():]


def lines(data, dice):
    """Lines left out, put twice, put in another order."""
    found = data.split(b"\n")
    index = dice.randrange(len(found))
    return b"\n".join(dice.choice((found[:index] + found[index + 1:], found[:index + 1] + found[index:],
                                   dice.sample(found, len(found)))))


def amount(data, dice):
    """One field of a curve replaced."""
    rows = [row.split(b",") for row in data.split(b"\n")]
    row = dice.choice(rows)
    row[dice.randrange(len(row))] = dice.choice(AMOUNTS).encode()
    return b"\n".join(b",".join(row) for row in rows)


def column(data, dice):
    """A column left out, put twice, or renamed."""
    rows = [row.split(b",") for row in data.split(b"\n")]
    index, what = dice.randrange(len(rows[0])), dice.randrange(3)
    for row in rows:
        if what == 0:
            del row[index:index + 1]
        elif what == 1:
            row[index:index] = row[index:index + 1]
    if what == 2:
        rows[0][index] = b"x"
    return b"\n".join(b",".join(row) for row in rows)


def bomb(data, dice):
    """64 MiB and more that pack to some kB: zeros, or lines of a curve."""
    return data + dice.choice((b"\0" * 2**26, b"0,0,0,0,0,0\n" * 2**23, b"," * 2**26, b"\n" * 2**26))


def unpacked(change):
    """The change of a text as one of its gzip file."""
    def packed(data, dice):
        return gzip.compress(change(gzip.decompress(data), dice), 1, mtime=0)
    return packed


JSON = (cut, flip, splice, insert, value, value, value, value, name, name, empty)
CURVE = (cut, flip, splice, empty, lambda data, dice: data + data, lambda data, dice: data + b"garbage",
         *map(unpacked, (cut, flip, splice, insert, lines, amount, amount, amount, column, column, empty)))
RARE = {"samples.jsonl": (long_line,), "curves": (unpacked(bomb),)}  # each costs a second


# In place of a file, something that is none. `path` does not exist; its folder does.
def put_pipe(path):
    os.mkfifo(path)


def put_device(path):
    os.symlink("/dev/zero", path)


def put_loop(path):
    os.symlink(os.path.basename(path), path)


def put_folder(path):
    os.mkdir(path)


def put_hole(path):
    """A terabyte that takes no room."""
    with open(path, "wb") as file:
        file.truncate(2**40)


def put_nothing(path):
    """A file that is missing."""
    del path


ODD_FILES = (put_pipe, put_device, put_loop, put_folder, put_hole, put_nothing)


def mutate(seed, dice):
    """(files, odd): the files of a run, of which one or two are mutated, and {name: what stands in place of a file}."""
    files, odd = dict(seed), {}
    for _ in range(dice.choice((1, 1, 1, 2))):
        # A curve is one of many files: the kind is drawn first.
        target = dice.choice(("plan.json", "machine.json", "summary.json", "samples.jsonl", "samples.jsonl", "micro",
                              "curves"))
        target = dice.choice([path for path in files if path.startswith(target)] or [next(iter(files))])
        kind = target.split("/")[0]
        if dice.random() < 0.05:
            odd[target] = dice.choice(ODD_FILES)
        elif dice.random() < 0.01 and kind in RARE:
            files[target] = dice.choice(RARE[kind])(files[target], dice)
        else:
            changes = CURVE if kind == "curves" else (*JSON, lines) if kind == "samples.jsonl" else JSON
            with contextlib.suppress(OSError, EOFError, ValueError, IndexError):  # mutated twice: no longer what it was
                files[target] = dice.choice(changes)(files[target], dice)
    return files, odd


def write_run(folder, files, odd):
    for name_, data in files.items():
        path = os.path.join(folder, name_)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if name_ in odd:
            odd[name_](path)
        else:
            with open(path, "wb") as file:
                file.write(data)


# --- the promise ------------------------------------------------------------------------------------------------------------

class Broken(Exception):
    """What came out of the reader is no promise kept."""


# What is said of a file as a whole has no line.
WHOLE = re.compile(r"missing|no regular file|larger than|cannot be read|damaged|unpacks to|no such folder")


def read_all(folder, draw=False):
    """Everything that a report reads; with `draw` also the report."""
    run = run_folder.read_run(folder)
    for experiment in run.experiments:
        for cell in experiment.cells:
            for sample in cell.good:
                run_folder.read_curve(run, sample)
    micro.read_lines(run)
    if draw:
        report.write_report(run, list(report.draw_all(run)))


def check(folder, draw=False):
    """None when the run was read, or the text of its RunError, checked; whatever else was raised passes."""
    try:
        read_all(folder, draw)
    except RunError as error:
        text = str(error)
        if not text.startswith(folder + os.sep) and not (draw and "more than one picture" in text):
            raise Broken(f"no file is named: {text}") from None
        if re.match(r"[^:]*\.(jsonl|csv\.gz)", text) and not re.search(r"\.(jsonl|csv\.gz):\d+: ", text) \
                and not WHOLE.search(text):
            raise Broken(f"no line is named: {text}") from None
        if len(text) > 1500:
            raise Broken(f"a message of {len(text)} letters: {text[:300]}") from None
        return text
    return None


@contextlib.contextmanager
def limits():
    """A time limit that a caller sets anew by signal.alarm, and a limit of memory; both are undone."""
    def on_alarm(*_):
        raise Broken(f"not done after {MOST_SECONDS} s")
    before = signal.signal(signal.SIGALRM, on_alarm)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", encoding="ascii") as file:
        own = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (own + MOST_ADDRESSES, hard))
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _find_odd(folder, names):
    """Those that cannot be copied: pipes, and links to devices or to themselves."""
    paths = {one: os.path.join(folder, one) for one in names}
    return [one for one, path in paths.items() if not os.path.isfile(path) and not os.path.isdir(path)]


def fuzz(mutations, number, scratch, draw=False, keep=None):
    """Runs them from this seed on. Returns (how many were read, how many refused, [(mutation, traceback)])."""
    seed, read, refused, failures = read_seed(), 0, 0, []
    style.DOTS = 30  # a drawing is coarse and fast
    with limits():
        for index in range(mutations):
            files, odd = mutate(seed, random.Random(f"{number}/{index}"))
            folder = os.path.join(scratch, "run")
            write_run(folder, files, odd)
            try:
                signal.alarm(MOST_SECONDS * (6 if draw else 1))
                said = check(folder, draw)
                signal.alarm(0)
                read, refused = read + (said is None), refused + (said is not None)
            except Exception:  # whatever it is, it is a finding
                signal.alarm(0)
                failures.append((f"{number}/{index}", traceback.format_exc()))
                if keep:
                    shutil.copytree(folder, os.path.join(keep, f"{number}-{index}"), symlinks=True, ignore=_find_odd)
            style.discard()
            shutil.rmtree(folder)
    return read, refused, failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().split("\n")[0], epilog=EXAMPLE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=2000, help="how many (default 2000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same mutations (default 1)")
    parser.add_argument("--draw", action="store_true", help="draw the report of each run that can be read: seconds each")
    parser.add_argument("--keep", metavar="FOLDER", help="copy the runs that broke a promise there")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tidemark-fuzz-") as scratch:
        read, refused, failures = fuzz(options.mutations, options.seed, scratch, options.draw, options.keep)
    for which, text in failures:
        print(f"--- mutation {which}\n{text}")
    print(f"{options.mutations} mutations in {time.monotonic() - began:.0f} s: {read} read, "
          f"{refused} refused with a message, {len(failures)} broke a promise")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
