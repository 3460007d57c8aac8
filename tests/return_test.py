"""How memory goes back, of allocators of which it is known: one that never gives back, at once, after 200 ms by a thread."""
import json
import os
import re
import sys
import unittest

sys.path.insert(0, "tests")
from tidemark_run import Scratch, measure_samples, not_run, read_samples, run_into, show, tidemark  # noqa: E402

RETURNING = os.environ["RETURNING"]
NEVER, AT_ONCE, LATER = RETURNING, RETURNING + "+after_ms:0", RETURNING + "+after_ms:200"
BULK = ("-w", "bulk:n=100k,size=500", "--rounds", "1", "--no-control")
MB = 1e6
TAKEN_MB = 100_000 * (16 + 512) / MB  # with its header, each block is 528 bytes
SECOND = 10**9


def without_groups():
    """Why a sample can have no memory group of its own; None where it can."""
    planned = tidemark("run", *BULK, "-a", "glibc", "--return", "pressure", "--dry-run").stdout
    found = re.search(r"n/a: (pressure needs .*)", planned)
    return found.group(1) if found else None


def need_huge_pages(test):
    with open("/sys/kernel/mm/transparent_hugepage/enabled", encoding="ascii") as file:
        enabled = file.read().strip()
    if "[never]" in enabled:
        not_run(test, f"this system has no transparent huge pages: {enabled}")


def by_mode(measured):
    return {cell["return"]: sample for cell, sample in measured}


class Curves(Scratch):
    """One run of the planted rows, which all tests here look at."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        import tempfile
        cls.kept = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.kept.cleanup)
        cls.run_folder = run_into(cls.kept.name, *BULK, "-a", ",".join((NEVER, AT_ONCE, LATER)), "--return", "idle", "--idle", "1.2s")
        samples = read_samples(cls.run_folder)
        with open(os.path.join(cls.run_folder, "plan.json"), encoding="utf-8") as plan:
            rows = [cell["allocator"] for cell in json.load(plan)["cells"]]
        cls.samples = {rows[sample["cell"]]: sample for sample in samples}

    def test_what_never_goes_back_is_not_reached_and_stays_for_all_of_the_rest(self):
        sample = self.samples[NEVER]
        self.assertIsNone(sample["give_back_50_ns"])
        self.assertIsNone(sample["give_back_90_ns"])
        self.assertGreater(sample["watched_ns"], 1.2 * SECOND)
        self.assertAlmostEqual(sample["returnable_bytes"] / MB, TAKEN_MB, delta=1)
        for moment in sample["moments"]:
            excess = TAKEN_MB * moment["after_ns"] / SECOND
            self.assertAlmostEqual(moment["excess_byte_seconds"] / MB, excess, delta=0.5 + excess / 50)
            self.assertAlmostEqual((moment["rss_bytes"] - sample["baseline_bytes"]) / MB, TAKEN_MB, delta=1)

    def test_what_goes_back_with_the_last_free_took_no_time(self):
        sample = self.samples[AT_ONCE]
        self.assertEqual(sample["give_back_50_ns"] // 10_000_000, 0)  # a tick, and some on a loaded machine
        self.assertEqual(sample["give_back_90_ns"] // 10_000_000, 0)
        for moment in sample["moments"]:
            self.assertLess(moment["excess_byte_seconds"] / MB, 2)
            self.assertLess((moment["rss_bytes"] - sample["baseline_bytes"]) / MB, 1)

    def test_what_goes_back_after_200_ms_took_200_ms(self):
        sample = self.samples[LATER]
        for share in ("give_back_50_ns", "give_back_90_ns"):
            self.assertGreater(sample[share], 0.19 * SECOND)
            self.assertLess(sample[share], 0.4 * SECOND)
        held = {moment["after_ns"]: (moment["rss_bytes"] - sample["baseline_bytes"]) / MB for moment in sample["moments"]}
        self.assertAlmostEqual(held[SECOND // 10], TAKEN_MB, delta=1)
        self.assertLess(held[SECOND], 1)
        [last] = [moment for moment in sample["moments"] if moment["after_ns"] == SECOND]
        self.assertAlmostEqual(last["excess_byte_seconds"] / MB, TAKEN_MB * sample["give_back_50_ns"] / SECOND, delta=1)

    def test_moments_are_those_that_fit_the_rest_and_are_read_at_their_time(self):
        for row, sample in self.samples.items():
            with self.subTest(row=row):
                self.assertEqual([moment["after_ns"] for moment in sample["moments"]], [0, SECOND // 10, SECOND])
                last_free = sample["moments"][0]["at_ns"]
                self.assertEqual(last_free, sample["phases"][1]["end_ns"])
                for moment in sample["moments"][1:]:
                    # Where the child got no processor to begin its rest, the moment waits for it.
                    late = moment["at_ns"] - max(last_free + moment["after_ns"], sample["phases"][2]["begin_ns"])
                    self.assertTrue(0 <= late < 0.2 * SECOND, late)

    def test_a_moment_at_the_end_of_the_rest_is_read(self):
        for idle, expected in (("100ms", [0, SECOND // 10]), ("1s", [0, SECOND // 10, SECOND])):
            measured = measure_samples(self.scratch, *BULK, "-a", ",".join((NEVER, AT_ONCE)), "--return", "idle", "--idle", idle)
            for cell, sample in measured:
                with self.subTest(row=cell["allocator"], idle=idle):
                    self.assertEqual([moment["after_ns"] for moment in sample["moments"]], expected)
                    self.assertIsNotNone(sample["moments"][-1]["excess_byte_seconds"])

    def test_running_once_more_faults_in_what_was_given_back_and_no_more(self):
        pages = TAKEN_MB * MB / 4096
        self.assertLess(self.samples[NEVER]["rebuild_minor_faults"], pages / 20)
        for row in (AT_ONCE, LATER):
            self.assertGreater(self.samples[row]["rebuild_minor_faults"], pages * 0.95)
        for row, sample in self.samples.items():
            with self.subTest(row=row):
                self.assertEqual([phase["name"] for phase in sample["phases"]], ["build", "free", "idle", "rebuild"])
                self.assertEqual(sample["rebuild_ns"], sample["phases"][-1]["wall_ns"])
                self.assertEqual(sample["phases"][-1]["operations"], sample["operations"])

    def test_the_table_says_it(self):
        shown = tidemark("show", self.run_folder, "--return")
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        lines = {name: line for line in shown.stdout.splitlines() for name in [line.split()[0] if line.split() else ""]}
        self.assertEqual(lines["returning.so"].count(" never"), 2)
        self.assertNotIn(" never", lines["returning.so+after_ms:0"])
        self.assertRegex(lines["returning.so+after_ms:200"], r" 2\d\d ms +2\d\d ms| 3\d\d ms")
        table = json.loads(tidemark("show", self.run_folder, "--return", "--json").stdout)
        self.assertEqual([line["allocator"] for line in table], [NEVER, AT_ONCE, LATER])
        self.assertEqual(table[0]["give_back_50_ns"], {"median": None, "low": None, "high": None, "reached": 0, "of": 1})


class Ways(Scratch):
    def test_each_way_has_its_phases(self):
        taken = by_mode(measure_samples(self.scratch, *BULK, "-a", "glibc", "--return", "stock,idle,eager,purge", "--idle", "20ms"))
        names = {mode: [phase["name"] for phase in sample["phases"]] for mode, sample in taken.items()}
        self.assertEqual(names, {"stock": ["build", "free", "idle"], "idle": ["build", "free", "idle", "rebuild"],
                                 "eager": ["build", "free", "idle", "rebuild"],
                                 "purge": ["build", "free", "purge", "idle", "rebuild"]})
        self.assertEqual(taken["purge"]["give_back_ns"], taken["purge"]["phases"][2]["wall_ns"])
        self.assertEqual(len({sample["checksum"] for sample in taken.values()}), 1)
        self.assertEqual(len({sample["operations"] for sample in taken.values()}), 1)

    def test_a_purge_gives_back_what_stock_keeps(self):
        rows = ("jemalloc", "mimalloc", "tcmalloc")
        measured = measure_samples(self.scratch, *BULK, "-a", ",".join(rows), "--return", "stock,purge", "--idle", "0s")
        retained = {(cell["allocator"], cell["return"]): sample["retained_bytes"] / MB for cell, sample in measured}
        for row in rows:
            with self.subTest(row=row):
                self.assertGreater(retained[row, "stock"], 45)
                self.assertLess(retained[row, "purge"], 15)

    def test_eager_gives_back_what_stock_keeps_and_is_proved(self):
        run = run_into(self.scratch, *BULK, "-a", "jemalloc," + NEVER, "--return", "stock,eager", "--idle", "0s")
        retained = {(cell["allocator"], cell["return"]): cell["retained_bytes"]["median"] / MB for cell in show(run)}
        self.assertGreater(retained["jemalloc", "stock"], 45)
        self.assertLess(retained["jemalloc", "eager"], 15)
        self.assertGreater(retained[NEVER, "stock"], 50)
        self.assertLess(retained[NEVER, "eager"], 1)
        with open(os.path.join(run, "machine.json"), encoding="utf-8") as file:
            tunables = json.load(file)["tunables"]
        self.assertEqual([(found["name"], found["value"], found["proof"]) for found in tunables["jemalloc (eager)"]],
                         [("dirty_decay_ms", "0", "told"), ("muzzy_decay_ms", "0", "told")])
        self.assertNotIn("jemalloc", tunables)
        [beside] = [cell["beside_stock"] for cell in show(run) if (cell["allocator"], cell["return"]) == ("jemalloc", "eager")]
        self.assertEqual(beside["pairs"], 1)

    def test_what_a_row_cannot_do_is_not_available_with_the_reason(self):
        planned = tidemark("run", *BULK, "-a", "tbb," + NEVER, "--return", "eager,purge", "--dry-run")
        said = {re.search(r"row (\S+)", line).group(1) + " " + re.search(r"return (\w+)", line).group(1): line.partition("n/a: ")[2]
                for line in planned.stdout.splitlines() if "row " in line}
        self.assertIn("no tunables that make it give back sooner", said["tbb eager"])
        self.assertEqual(said["tbb purge"], "")
        self.assertEqual(said[NEVER + " eager"], "")
        self.assertIn("has no purge", said[NEVER + " purge"])

    def test_activity_uses_the_row_while_it_rests(self):
        measured = measure_samples(self.scratch, *BULK, "-a", "glibc", "--return", "idle", "--idle", "0.3s", "--activity", "off,2ms")
        [still, active] = [[phase for phase in sample["phases"] if phase["name"] == "idle"][0] for _, sample in measured] \
            if measured[0][0]["activity_ns"] == 0 else \
            [[phase for phase in sample["phases"] if phase["name"] == "idle"][0] for _, sample in reversed(measured)]
        self.assertLess(still["voluntary_switches"], 20)
        self.assertGreater(active["voluntary_switches"], 60)  # 150 ticks, of which a loaded machine may miss some
        self.assertGreaterEqual(active["wall_ns"], 0.3 * SECOND)

    def test_a_decay_by_the_clock_goes_on_with_activity_alone(self):
        """jemalloc 5.3 looks at its clock at each thousandth use past its threads' caches (DECAY_NTICKS_PER_UPDATE): each half second here, or some
        times that on a loaded machine. Half is due after 5 of 10 s."""
        row = "jemalloc+dirty_decay_ms:10000"
        measured = measure_samples(self.scratch, *BULK, "-a", row, "--return", "idle", "--idle", "12s", "--activity", "off,1ms")
        for cell, sample in measured:
            # The frees are a use of it too: an extent of 8 MiB goes whole with the first of its pages that is due, after some fiftieth of the
            # decay. On a loaded machine one has gone by the last of them; what is said here is of the rest.
            freed, kept = sample["moments"][0]["rss_bytes"] - sample["baseline_bytes"], sample["retained_bytes"]
            with self.subTest(activity=cell["activity_ns"]):
                self.assertGreater(freed, 40 * MB)
                if cell["activity_ns"]:
                    self.assertLess(kept, 0.5 * freed)
                else:
                    self.assertAlmostEqual(kept / MB, freed / MB, delta=1)

    def test_a_decay_by_ticks_waits_for_activity(self):
        row = RETURNING + "+after_ms:0"  # gives back with each last free, that of a tick included
        [(_, sample)] = measure_samples(self.scratch, *BULK, "-a", row, "--return", "idle", "--idle", "0.2s", "--activity", "10ms")
        self.assertEqual(sample["status"], "ok")

    def test_pressure_takes_what_was_freed_lazily(self):
        reason = without_groups()
        if reason:
            not_run(self, reason)
        lazy = "jemalloc+dirty_decay_ms:50+muzzy_decay_ms:-1+background_thread:true"
        [(_, sample)] = measure_samples(self.scratch, *BULK, "-a", lazy, "--return", "pressure", "--idle", "1.2s")
        phases = {phase["name"]: phase for phase in sample["phases"]}
        self.assertEqual(list(phases), ["build", "free", "idle", "pressure", "rebuild"])
        self.assertGreater(sample["moments"][-1]["lazyfree_bytes"], 20 * MB)
        self.assertGreater(phases["idle"]["rss_bytes"] - phases["pressure"]["rss_bytes"], 20 * MB)
        self.assertGreater(phases["idle"]["charge_bytes"] - phases["pressure"]["charge_bytes"], 20 * MB)
        self.assertLess(phases["pressure"]["lazyfree_bytes"], MB)
        self.assertEqual(sample["limited_by"], "cgroup")
        self.assertEqual(sample["status"], "ok")  # and so the limit was given back: it builds once more

    def test_pressure_leaves_what_is_only_kept(self):
        reason = without_groups()
        if reason:
            not_run(self, reason)
        [(_, sample)] = measure_samples(self.scratch, *BULK, "-a", NEVER, "--return", "pressure", "--idle", "0s")
        self.assertGreater(sample["retained_bytes"] / MB, TAKEN_MB - 1)
        self.assertIsNotNone(sample["give_back_ns"])

    def test_without_huge_pages_there_are_none(self):
        need_huge_pages(self)
        rows = ("glibc+hugetlb:1", "jemalloc+thp:always", "mimalloc+large_os_pages:1")
        measured = measure_samples(self.scratch, *BULK, "-a", ",".join(rows), "--thp", "system,off", "--idle", "0s")
        huge = {(cell["allocator"], cell["thp"]): max(phase["anon_huge_bytes"] for phase in sample["phases"])
                for cell, sample in measured}
        for row in rows:
            with self.subTest(row=row):
                self.assertGreater(huge[row, "system"], 0)
                self.assertEqual(huge[row, "off"], 0)

    def test_a_huge_page_of_which_a_part_went_back_is_charged_whole(self):
        need_huge_pages(self)
        reason = without_groups()
        if reason:
            not_run(self, reason)
        measured = measure_samples(self.scratch, "-w", "bulk:n=100k,size=500,keep=50", "--rounds", "1", "--no-control", "-a",
                                   "glibc+hugetlb:1", "--return", "purge", "--thp", "system,off", "--idle", "0.2s")
        for cell, sample in measured:
            with self.subTest(thp=cell["thp"]):
                [purge] = [phase for phase in sample["phases"] if phase["name"] == "purge"]
                self.assertLess((purge["rss_bytes"] - sample["baseline_bytes"]) / MB, 0.4 * TAKEN_MB)
                held = (purge["charge_bytes"] - purge["rss_bytes"]) / MB
                if cell["thp"] == "system":
                    self.assertGreater(held, 0.5 * TAKEN_MB)  # until the kernel is short of memory and splits them
                else:
                    self.assertLess(held, 0.1 * TAKEN_MB)

    def test_huge_pages_for_all_are_not_available_unless_the_system_says_so(self):
        with open("/sys/kernel/mm/transparent_hugepage/enabled", encoding="ascii") as file:
            enabled = file.read().strip()
        planned = tidemark("run", *BULK, "-a", "glibc", "--thp", "on", "--dry-run").stdout
        self.assertEqual(enabled in planned, "[always]" not in enabled)

    def test_a_real_cpython_rests_and_is_looked_at(self):
        measured = measure_samples(self.scratch, "-w", "list_lifetime:n=200k", "--rounds", "1", "--no-control", "-a", "pymalloc",
                                   "--host", "python3", "--return", "idle,purge", "--idle", "0.2s")
        [(cell, sample)] = measured
        self.assertEqual((cell["return"], cell["rebuild"]), ("idle", False))
        self.assertEqual([moment["after_ns"] for moment in sample["moments"]], [0, SECOND // 10])
        self.assertIsNone(sample["rebuild_ns"])

    def test_an_interrupted_run_goes_on_in_its_ways(self):
        run = run_into(self.scratch, *BULK, "-a", "jemalloc", "--return", "eager,purge", "--idle", "0s", "--thp", "off")
        path = os.path.join(run, "samples.jsonl")
        with open(path, encoding="utf-8") as file:
            first = file.readline()
        with open(path, "w", encoding="utf-8") as file:
            file.write(first)
        resumed = tidemark("run", "--resume", run)
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        retained = {cell["return"]: cell["retained_bytes"]["median"] / MB for cell in show(run)}
        self.assertLess(max(retained["eager"], retained["purge"]), 15)


class Words(Scratch):
    def test_what_is_no_way_is_refused_with_what_is_accepted(self):
        for arguments, said in (
                (("--return", "idel"), "'idel' is no mode; did you mean idle? (accepted: stock, idle, eager, purge, pressure)"),
                (("--return", ""), "'' is no mode"),
                (("--return", "idle,"), "'' is no mode"),
                (("--return", "idle,idle"), "idle is given twice"),
                (("--return", "idle", "--return", "idle"), "idle is given twice"),
                (("--return", "i" * 5000), "is no mode"),
                (("--activity", "1ms"), "name that mode too"),
                (("--return", "idle", "--activity", "1us"), "no time between 1ms and 10s"),
                (("--return", "idle", "--activity", "of"), "'of' is no time"),
                (("--return", "idle", "--activity", "1ms,1ms"), "given twice"),
                (("--thp", "always"), "'always' is neither on nor off nor system"),
                (("--thp", "off,off"), "off is given twice"),
                (("--resume", "x", "--rebuild"), "not with --rebuild")):
            with self.subTest(arguments=arguments):
                ran = tidemark("run", *([] if "--resume" in arguments else BULK), *arguments, "-o", self.folder())
                self.assertEqual((ran.returncode, ran.stdout), (2, ""))
                self.assertIn(said, ran.stderr)
                self.assertFalse(os.path.exists(self.folder()))

    def test_one_table_at_a_time(self):
        ran = tidemark("show", "results/reference", "--return", "--phases")
        self.assertEqual(ran.returncode, 2)
        self.assertIn("--return or --phases", ran.stderr)

    def test_a_run_of_before_the_ways_has_a_table_all_in_stock(self):
        shown = tidemark("show", "results/layers", "--return")
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        self.assertIn(" stock ", shown.stdout)
        self.assertNotIn("never", shown.stdout.partition("Medians")[0])

    def test_all_ways_multiply_out(self):
        planned = tidemark("run", *BULK, "-a", "glibc", "--return", "stock,idle", "--activity", "off,5ms", "--thp", "system,off", "--rebuild",
                           "--dry-run").stdout
        ways = [line.partition("  return ")[2].partition("  ")[0] for line in planned.splitlines() if " row " in line]
        self.assertEqual(ways, ["stock, rebuilt", "stock, THP off, rebuilt", "idle, rebuilt", "idle, active each 5.00 ms, rebuilt",
                                "idle, THP off, rebuilt", "idle, active each 5.00 ms, THP off, rebuilt"])
        rests = re.findall(r"idle (\S+ \S+)  rounds", planned)
        self.assertEqual(rests, ["500 ms"] * 2 + ["30.0 s"] * 4)


class Hostile(Scratch):
    """A run folder from anywhere: what does not fit is refused by name, and nothing is read beyond it."""

    def test_moments_that_are_none_are_refused(self):
        run = run_into(self.scratch, *BULK, "-a", "glibc", "--idle", "0s")
        path = os.path.join(run, "samples.jsonl")
        with open(path, encoding="utf-8") as file:
            good = json.loads(file.readline())
        for moments, said in (({}, "moments"), ([7], "moments[0]"), ([{"after_ns": "0"}], "after_ns"),
                              ([{"after_ns": 0, "rss_bytes": []}], "rss_bytes"),
                              ([{"after_ns": 0, "rss_bytes": 1}] * 6, "more than 5 moments")):
            with self.subTest(moments=moments):
                with open(path, "w", encoding="utf-8") as file:
                    file.write(json.dumps({**good, "moments": moments}) + "\n")
                shown = tidemark("show", run, "--return")
                self.assertEqual((shown.returncode, shown.stdout), (1, ""))
                self.assertIn(said, shown.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
