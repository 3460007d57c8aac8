#!/usr/bin/python3
"""
Do the verdicts of `tidemark compare` hold on this machine? Measures allocators with planted faults beside their clean twins
(allocators/planted/planted.c) by `tidemark run`, draws simulated runs out of what it measured, and lets verdict.py judge both.
It leaves out the rule itself. The idea of a tool that is tried on differences that are known is that of coz and of A/A tests.
"""
import argparse
import bisect
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace

import numpy
import scipy  # scipy.stats is read when it is first used: it takes a second

import inference
import measured
import verdict
from checked import RunError
from words import NARROW, percent

FORMAT = 1
THRESHOLD = 0.01
ALARMS, FOUND = 0.05, 0.9       # at most, at least
SHARES = (1, 2, 5, 10)          # percent that is planted
# What others' work lengthens, and what it does less; and the latter of rows that ran at once, which it meets alike.
TIMES = ("time", "cpu", "together")
DECLARED = "together"
SIMULATED = 100                 # repetitions
RESAMPLES = 999                 # of their bootstraps
GRID = tuple(range(5, 205, 5))  # thousandths more time, of the curve of what can be found
SEED = 20260207
PROBE_TURNS = 2000
# Within the cache, and as many calls of malloc as there is time: its time rises with theirs.
WORK = "glibc_simple:n=400k,live=400,size=64"
HOLD = "bulk:n=1500,size=16k"           # all is freed, last first: glibc gives it back
SURVIVE = "bulk:n=1500,size=16k,keep=50"  # one in fifty is kept: glibc keeps nearly all


@dataclass(frozen=True)
class Trial:
    """How much is measured."""
    repetitions: int
    rounds: int
    memory_repetitions: int
    memory_rounds: int
    shares: tuple
    held: tuple
    simulated_rounds: tuple
    judges_time: bool  # whether what is found of 5 % is a criterion


FULL = Trial(20, 20, 20, 6, SHARES, SHARES, (5, 10, 20, 40), True)
QUICK = Trial(1, 12, 2, 6, (100,), (10,), (20,), False)


# --- measuring --------------------------------------------------------------------------------------------------------------

class Measurer:
    """Starts `tidemark run` into folders beneath one."""

    def __init__(self, tidemark, planted, folder):
        self.tidemark, self.folder = tidemark, folder
        self.library = re.sub(r"([+,@\\])", r"\\\1", planted)

    def run(self, name, workload, rows, rounds, *options):
        """{(row, is_control): cell} of a new run; rows as {label: tunables}."""
        into = os.path.join(self.folder, name)
        words = [self.tidemark, "run", "-w", workload, "--rounds", str(rounds), "--idle", "0s", "--tick", "10ms", "--no-repeats",
                 "--no-census", "--warm-up", "256MiB", "-o", into, *options]
        for label, tunables in rows.items():
            words += ["-a", f"{label}={self.library}{tunables}"]
        tell(f"{name}: {workload}, {rounds} rounds of {len(rows)} rows and a control")
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            try:
                errors = process.communicate()[1]
            except BaseException:
                process.terminate()
                process.communicate()
                raise
        if process.returncode != 0:
            raise RunError(f"{into}: tidemark run ended with {process.returncode}: {errors.strip()[-800:]}")
        return {(cell.label, cell.is_control): cell for cell in measured.read(into).cells}


def tell(text):
    print(f"tidemark selftest: {text}", file=sys.stderr, flush=True)


def measure(measurer, trial):
    """All values that are judged: {"time": {row: [...]}, "peak": ..., "retained": ..., "kept": ...}, with how they came about."""
    probe = measurer.run("calibration", WORK, {"clean": "", "probe": f"+spin:{PROBE_TURNS}"}, 8)
    clean, slow = (inference.median(_numbers(probe[row, False], "cpu")).value for row in ("clean", "probe"))
    if slow < 1.05 * clean:
        raise RunError(f"{PROBE_TURNS} turns in each 64th malloc took {100 * (slow / clean - 1):.1f} % of its time: too little to "
                       "plant a difference by")
    turns = PROBE_TURNS / (slow / clean - 1) / 100
    slower = {f"slower{share}": f"+spin:{max(1, round(turns * share))}" for share in trial.shares}
    timed = measurer.run("time", WORK, {"clean": "", "twin": "", **slower}, trial.repetitions * trial.rounds)
    together = measurer.run("together", WORK, {"clean": "", "twin": "", **slower}, trial.repetitions * trial.rounds, "--together")
    rounds = trial.memory_repetitions * trial.memory_rounds
    held = measurer.run("memory", HOLD, {"clean": "", **{f"holds{share}": f"+hold:{share}" for share in trial.held},
                                         "never": "+return:never", "leaks": "+leak:10"}, rounds)
    kept = measurer.run("survivors", SURVIVE, {"clean": "", "at-once": "+return:at-once"}, rounds)
    return {"turns_per_percent": turns,
            "time": _all(timed, "time"), "cpu": _all(timed, "cpu"), "together": _all(together, "cpu"), "peak": _all(held, "peak"), "retained": _all(held, "retained"),
            "kept": _all(kept, "retained")}


def _all(cells, metric):
    return {"control" if is_control else label: _numbers(cell, metric) for (label, is_control), cell in cells.items()}


def _numbers(cell, metric):
    """A value a round, in the order of the rounds."""
    values = measured.values_of(cell, measured.METRICS[metric])
    if values is None or cell.failed or cell.not_available:
        raise RunError(f"the row {cell.row} did not run: {(cell.failed or [cell.not_available])[0]}")
    return [number for _, number in sorted(zip(values.places, values.numbers))]


# --- judging ----------------------------------------------------------------------------------------------------------------

def judge_repetitions(values, rounds, compute=None):
    """
    {row: [word]}: each row beside the clean one, in each stretch of so many rounds, as the one declared comparison there. Where
    there is a twin the control is the noise floor; else it is the twin. `compute`: of two rows their Difference, by default of rows
    that ran one after another.
    """
    compute = compute or _difference
    twinned = "twin" in values
    words = {row: [] for row in values if row != "clean" and not (twinned and row == "control")}
    for begin in range(0, len(values["clean"]) // rounds * rounds, rounds):
        stretch = slice(begin, begin + rounds)
        floor = verdict.noise_floor([compute(values["clean"][stretch], values["control"][stretch])]) if twinned else None
        for row, found in words.items():
            difference = compute(values["clean"][stretch], values[row][stretch])
            found.append(verdict.judge(difference, difference.probability, THRESHOLD, floor).word)
    return words


def _difference(first, second, resamples=inference.RESAMPLES):
    return inference.difference(first, second, [(index, index) for index in range(len(first))], resamples)


def _at_once(first, second, resamples=None):
    return inference.difference_at_once(first, second, [(index, index) for index in range(len(first))])


def way_of(metric):
    """How two rows of a metric are beside each other: _difference or _at_once."""
    return _at_once if metric == "together" else _difference


def simulate(values, round_counts, repetitions=SIMULATED, seed=SEED, compute=None):
    """
    {rounds: {share: how often it was found}}, of A/A (share 0: in either direction) and of the shares of GRID. A simulated run is a
    stretch of real rounds, so that it has their drift, from a random one on and around the end, in each of which the three
    identical cells change places at random.
    """
    compute = compute or _difference
    dice = numpy.random.default_rng(seed)
    cells = numpy.array([values["clean"], values["twin"], values["control"]])
    found = {}
    for rounds in round_counts:
        counts = dict.fromkeys((0, *GRID), 0)
        for _ in range(repetitions):
            at = (dice.integers(cells.shape[1]) + numpy.arange(rounds)) % cells.shape[1]
            clean, twin, control = dice.permuted(cells[:, at], axis=0)
            floor = verdict.noise_floor([compute(clean, control, RESAMPLES)])
            base = compute(clean, twin, RESAMPLES)
            counts[0] += verdict.judge(base, base.probability, THRESHOLD, floor).word in (verdict.WORSE, verdict.BETTER)
            # What is found is found with a larger share too: ratios, intervals and ranks only grow with it.
            smallest = bisect.bisect_left(GRID, True, key=lambda share: _finds(base, clean, twin, share / 1000, floor))
            for share in GRID[smallest:]:
                counts[share] += 1
        found[rounds] = counts
    return found


def _finds(base, clean, twin, share, floor):
    """Whether a twin that is slower by this share is told from the clean one. Ratios scale with it; the test does not."""
    scale = 1 + share
    ratio = base.ratio
    if ratio.known:
        ratio = inference.Interval(ratio.value * scale, ratio.low * scale, ratio.high * scale)

    def word_with(chance):
        return verdict.judge(replace(base, ratio=ratio, probability=chance), chance, THRESHOLD, floor).word

    if base.at_once:
        # Its interval inverts its test: below 5 % or not is all that matters.
        return word_with(float(ratio.known and ratio.low <= 1 <= ratio.high)) == verdict.WORSE
    # The test, which takes long, where its interval and the noise floor would have it so.
    return word_with(0.0) == verdict.WORSE and word_with(inference.probability(clean, twin * scale)) == verdict.WORSE


def detectable(counts, repetitions=SIMULATED):
    """The smallest share from which on nine of ten are found; None where none of the grid is."""
    smallest = None
    for share in reversed(GRID):
        if counts[share] < FOUND * repetitions:
            break
        smallest = share / 1000
    return smallest


# --- criteria ---------------------------------------------------------------------------------------------------------------

def criteria_of(values, words, simulated, trial):
    """What has to hold, each with how often it did, and its interval (Clopper and Pearson)."""
    listed = []
    for metric in TIMES:
        for rounds, counts in simulated[metric].items():
            listed.append(_at_most(f"{metric}: twins called different, simulated, {rounds} rounds", counts[0], SIMULATED))
        twins = words[metric]["twin"]
        listed.append(_at_most(f"{metric}: twins called different, measured, {trial.rounds} rounds", _count(twins, "better", "worse"),
                               len(twins)))
    for share in trial.shares:
        listed.append(_planted(values[DECLARED], share, trial))
    for metric in TIMES:
        # Declared are rows that ran at once: what others do to the machine between two samples is not the rule's doing, and is told beside.
        is_declared = metric == DECLARED
        for share in trial.shares:
            found = words[metric][f"slower{share}"]
            listed.append(_at_least(f"{metric}: {share} % more found, measured, {trial.rounds} rounds", _count(found, "worse"),
                                    len(found), judged=is_declared and (share == 5 if trial.judges_time else share >= 100)))
        listed.append(_at_least(f"{metric}: 5 % more found, simulated, 20 rounds", simulated[metric][20][50], SIMULATED,
                                judged=is_declared and trial.judges_time))
    for share in trial.held:
        found = words["peak"][f"holds{share}"]
        listed.append(_at_least(f"{share} % more held found in the peak", _count(found, "worse"), len(found), judged=share > 1))
    for metric, row, word, text in (("retained", "never", "worse", "never giving back found"), ("retained", "leaks", "worse", "a leak found"),
                                    ("kept", "at-once", "better", "giving back at once found")):
        listed.append(_at_least(text, _count(words[metric][row], word), len(words[metric][row])))
    for metric, text in (("peak", "the peak"), ("retained", "what is retained"), ("kept", "what is retained with survivors")):
        found = words[metric]["control"]
        listed.append(_at_most(f"twins called different in {text}", _count(found, "better", "worse"), len(found)))
    return listed


def _planted(values, share, trial):
    """Whether what was planted is there, over all rounds: a difference that is another proves nothing of who finds it."""
    ratio = _at_once(values["clean"], values[f"slower{share}"]).ratio
    is_there = abs(100 * (ratio.value - 1) - share) <= max(1, share / 4)
    return {"what": f"{DECLARED}: {share} % more as planted, over all rounds", "found": round(100 * (ratio.value - 1), 3), "of": share,
            "low": _share_of(ratio.low), "high": _share_of(ratio.high), "passes": is_there if trial.judges_time else None}


def _share_of(bound):
    return None if bound is None else round(100 * (bound - 1), 3)


def _count(words, *wanted):
    return sum(word in wanted for word in words)


def _at_most(what, found, of):
    """Fails where so many would come in less than one of twenty trials, were the share what it may be at the most."""
    return _criterion(what, found, of, found <= ALARMS * of or scipy.stats.binomtest(found, of, ALARMS, "greater").pvalue >= 0.05)


def _at_least(what, found, of, judged=True):
    return _criterion(what, found, of, (found >= FOUND * of or bool(scipy.stats.binomtest(found, of, FOUND, "less").pvalue >= 0.05))
                      if judged else None)


def _criterion(what, found, of, passes):
    bounds = scipy.stats.binomtest(found, of).proportion_ci(0.95, "exact")
    return {"what": what, "found": found, "of": of, "low": round(float(bounds.low), 4), "high": round(float(bounds.high), 4),
            "passes": None if passes is None else bool(passes)}


# --- output -----------------------------------------------------------------------------------------------------------------

def evaluate(values, trial):
    """The document of results/FORMAT.md, selftest, but for the machine: pure."""
    words = {metric: judge_repetitions(values[metric], trial.rounds if metric in TIMES else trial.memory_rounds, way_of(metric))
             for metric in (*TIMES, "peak", "retained", "kept")}
    simulated = {metric: simulate(values[metric], trial.simulated_rounds, compute=way_of(metric)) for metric in TIMES}
    listed = criteria_of(values, words, simulated, trial)
    return {"format": FORMAT, "quick": trial == QUICK, "threshold": THRESHOLD, "rounds": trial.rounds,
            "memory_rounds": trial.memory_rounds, "words": words,
            "simulated": [{"metric": metric, "rounds": rounds, "of": SIMULATED, "alarms": counts[0], "detectable": detectable(counts),
                           "found": {f"{share:g}": counts[10 * share] for share in SHARES}}
                          for metric in TIMES for rounds, counts in simulated[metric].items()],
            "spread": {metric: _spread(values[metric]) for metric in TIMES}, "criteria": listed, "passes": all(one["passes"] is not False for one in listed),
            "values": values}


def _spread(values):
    """Half the range of the middle half of the clean cell's times, as a share of their median; and how they lie in time."""
    low, high = numpy.quantile(values["clean"], (0.25, 0.75))
    course = inference.course(values["clean"])
    return {"quartiles": round(float((high - low) / 2 / numpy.median(values["clean"])), 5), "drift": course.slope,
            "autocorrelation": course.autocorrelation, "outliers": len(course.outliers), "of": len(values["clean"])}


def table(result):
    """As it is printed."""
    lines = ["simulated, 100 repetitions each of a single declared comparison, of the rounds that were measured", "",
             f"  {'metric':8} {'rounds':>6} {'false alarms':>13} " + " ".join(f"{f'{share} % found':>10}" for share in SHARES) + f" {'nine of ten from':>17}"]
    for line in result["simulated"]:
        from_on = "none to 20 %" if line["detectable"] is None else f"{100 * line['detectable']:.1f} %"
        lines.append(f"  {line['metric']:8} {line['rounds']:6} {_of(line['alarms'], line['of']):>13} "
                     + " ".join(f"{_of(line['found'][str(share)], line['of']):>10}" for share in SHARES) + f" {from_on:>17}")
    lines.append("")
    for metric, spread in result["spread"].items():
        lines.append(f"  {metric} of the clean row: half its interquartile range {percent(spread['quartiles'])} of the median, drift "
                     f"{percent(spread['drift'] or 0)}, autocorrelation {spread['autocorrelation'] or 0:.2f}, {spread['outliers']} "
                     f"outliers of {spread['of']}")
    lines.append("")
    for one in result["criteria"]:
        mark = {True: "PASS", False: "FAIL", None: "    "}[one["passes"]]
        if "as planted" in one["what"]:
            bounds = f" [{one['low']:.2f}, {one['high']:.2f}]" if one["low"] is not None else ""
            lines.append(f"  {mark}  {one['what']}: {one['found']:.2f} %{bounds}")
        else:
            lines.append(f"  {mark}  {one['what']}: {_of(one['found'], one['of'])} [{100 * one['low']:.0f} %, {100 * one['high']:.0f} %]")
    lines += ["", "the verdicts hold" if result["passes"] else "the verdicts do not hold"]
    return "\n".join(lines).replace(NARROW, " ")


def _of(found, of):
    return f"{found} of {of}"


def machine_of(folder):
    with open(os.path.join(folder, "time", "machine.json"), encoding="utf-8") as file:
        machine = json.load(file)
    return {name: machine.get(name) for name in ("tidemark", "git", "cpu", "cores", "memory_bytes", "kernel", "libc", "governor", "started")}


def try_it(asked):
    """The whole trial into a folder; returns its document."""
    trial = QUICK if asked.quick else FULL
    folder = asked.output or tempfile.mkdtemp(prefix="tidemark-selftest-")
    try:
        if asked.output:
            os.makedirs(folder, exist_ok=True)
            if os.listdir(folder):
                raise RunError(f"{folder}: it is not empty")
        values = measure(Measurer(asked.tidemark, asked.planted, folder), trial)
        tell("judging")
        result = {**evaluate(values, trial), "machine": machine_of(folder)}
        if asked.output:
            with open(os.path.join(folder, "selftest.json"), "w", encoding="utf-8") as file:
                json.dump(result, file, allow_nan=False)
                file.write("\n")
        return result
    finally:
        if not asked.output:
            shutil.rmtree(folder, ignore_errors=True)


def stop(number, frame):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tidemark", help="the program")
    parser.add_argument("planted", help="libtidemark-planted.so")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--output", help="a new folder, which is kept")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    try:
        result = try_it(asked)
    except (RunError, OSError) as error:
        print(f"tidemark selftest: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    print(json.dumps(result, indent=2, allow_nan=False) if asked.json else table(result))
    return 0 if result["passes"] else 1


if __name__ == "__main__":
    sys.exit(main())
