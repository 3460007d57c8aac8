"""Runs the built `tidemark` from a test: what the scripts that drive it from outside share."""
import ctypes
import errno
import json
import os
import struct
import subprocess
import tempfile
import unittest

TIDEMARK = os.path.abspath(os.environ.get("TIDEMARK", "build/tidemark"))
# Without what takes time here and shows nothing, and without what makes the number of samples depend on the machine.
PLAIN = ("--warm-up", "0", "--no-repeats", "--no-census")
SMALL = ("-w", "list_lifetime:n=20k", "--idle", "20ms", *PLAIN)  # some milliseconds a sample


class Scratch(unittest.TestCase):
    """A folder of its own for each test, gone when it ends."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = scratch.name

    def folder(self, name="run"):
        return os.path.join(self.scratch, name)


def not_run(test, reason):
    """Ends a test that this machine cannot run: by name, and as a failure where CI is set."""
    if "CI" in os.environ:
        test.fail("not run: " + reason)
    test.skipTest("not run: " + reason)


def refuse_seccomp():
    """Run in a process before it executes: seccomp(2) then fails with EPERM, as in a container that forbids it."""
    number = {"x86_64": 317, "aarch64": 277}[os.uname().machine]
    code = struct.pack("=" + "HBBI" * 4, 0x20, 0, 0, 0, 0x15, 0, 1, number, 6, 0, 0, 0x50000 | errno.EPERM, 6, 0, 0, 0x7fff0000)
    text = ctypes.create_string_buffer(code)
    libc = ctypes.CDLL(None, use_errno=True)
    program = struct.pack("HxxxxxxP", 4, ctypes.addressof(text))
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, program, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def tidemark(*arguments, **options):
    """The finished process, with stdout and stderr as text; 300 s at most unless `timeout` says otherwise."""
    options.setdefault("timeout", 300)
    return subprocess.run([TIDEMARK, *arguments], capture_output=True, text=True, check=False, **options)


def run_into(folder, *arguments, status=0):
    """Runs `tidemark run`, which ends with `status`, into a new folder beneath `folder` and returns the name of that."""
    run = os.path.join(tempfile.mkdtemp(dir=folder), "run")
    ran = tidemark("run", "-o", run, *PLAIN, *arguments)
    if ran.returncode != status:
        raise AssertionError("tidemark run %s: status %d\n%s" % (" ".join(arguments), ran.returncode, ran.stderr))
    return run


def measure(folder, *arguments):
    """The summary of a new run, read back by `show --json`."""
    return show(run_into(folder, *arguments))


def read_record(path):
    """What a file of JSON holds."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def read_samples(run):
    """The samples of a run folder, in the order measured."""
    with open(os.path.join(run, "samples.jsonl"), encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def measure_samples(folder, *arguments, status=0):
    """The samples of a new run, which ends with `status`, each with its cell of the plan; without controls."""
    run = run_into(folder, *arguments, status=status)
    cells = read_record(os.path.join(run, "plan.json"))["cells"]
    return [(cells[sample["cell"]], sample) for sample in read_samples(run) if not cells[sample["cell"]]["control"]]


def show(run):
    """The summary of a run folder."""
    shown = tidemark("show", run, "--json")
    if shown.returncode != 0:
        raise AssertionError(shown.stderr)
    return json.loads(shown.stdout)


def growth(cell, phase):
    """Resident kB above the baseline at the end of a phase."""
    for found in cell["phases"]:
        if found["name"] == phase:
            return (found["rss_bytes"] - cell["baseline_bytes"]["median"]) / 1024
    raise AssertionError("no phase %s in %s" % (phase, [found["name"] for found in cell["phases"]]))
