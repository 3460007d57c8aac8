"""`tidemark run --shard` and `tidemark merge` from outside: shards are measured once, and every merge is of copies of them."""
import copy
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

sys.path.insert(0, "tests")
from tidemark_run import PLAIN, TIDEMARK, Scratch, read_record, read_samples, show, tidemark  # noqa: E402

# Three units, of two experiments each, on two rows; six rounds, so that each workload has a control.
PLAN = ("-w", "list_lifetime:n=20k|30k", "-w", "del_collect:n=20k", "-a", "pymalloc,glibc", "--return", "stock,eager",
        "--idle", "10ms", "--rounds", "6", "--warm-up", "0", "--no-repeats")
SHARDS = 3
measured = None  # a folder with the shards 1, 2 and 3


def run_shard(folder, index, of, *plan):
    ran = tidemark("run", *(plan or PLAN), "--shard", "%d/%d" % (index, of), "-o", folder)
    if ran.returncode != 0:
        raise AssertionError(ran.stderr)
    return ran


def setUpModule():
    global measured
    scratch = tempfile.TemporaryDirectory(prefix="tidemark-merge-")
    unittest.addModuleCleanup(scratch.cleanup)
    measured = scratch.name
    for index in range(1, SHARDS + 1):
        run_shard(os.path.join(measured, str(index)), index, SHARDS)


def content(folder):
    """Of every file beneath the folder, by its name there."""
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            if not os.path.isfile(path) or os.path.islink(path):
                found[os.path.relpath(path, folder)] = os.lstat(path).st_mode
                continue
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


class Merge(Scratch):
    def setUp(self):
        super().setUp()
        for index in range(1, SHARDS + 1):
            shutil.copytree(os.path.join(measured, str(index)), self.shard(index))

    def shard(self, index):
        return self.folder("shard-%d" % index)

    def shards(self):
        return [self.shard(index) for index in range(1, SHARDS + 1)]

    def merge(self, *shards, options=(), to="merged"):
        return tidemark("merge", "-o", self.folder(to), *options, *(shards or self.shards()))

    def edit(self, index, name, change):
        """Changes a file of JSON, and writes down that plan.json is that of the run."""
        path = os.path.join(self.shard(index), name)
        value = read_record(path)
        change(value)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(value, file)
        if name == "plan.json":
            with open(path, "rb") as file:
                digits = "%08x" % zlib.crc32(file.read())
            self.edit(index, "machine.json", lambda machine: machine.update(plan=digits))

    def edit_samples(self, index, change):
        samples = read_samples(self.shard(index))
        change(samples)
        with open(os.path.join(self.shard(index), "samples.jsonl"), "w", encoding="utf-8") as file:
            file.write("".join(json.dumps(sample) + "\n" for sample in samples))

    def assert_refused(self, *says, shards=(), options=()):
        before = content(self.scratch)
        refused = self.merge(*shards, options=options)
        self.assertEqual(refused.returncode, 2, refused.stdout + refused.stderr)
        for words in says:
            self.assertIn(words, refused.stderr)
        self.assertEqual(content(self.scratch), before, "a refusal writes nothing, and changes no shard")
        self.assertFalse(glob.glob(self.folder(".merged*")), "nothing is left beside it")
        return refused.stderr


class Shards(Merge):
    def test_each_shard_has_the_whole_plan_and_its_own_part_of_the_samples(self):
        plans = [read_record(os.path.join(shard, "plan.json")) for shard in self.shards()]
        taken = []
        for index, (plan, shard) in enumerate(zip(plans, self.shards()), 1):
            self.assertEqual((plan["shard"]["index"], plan["shard"]["count"]), (index, SHARDS))
            self.assertEqual((plan["cells"], plan["order"]), (plans[0]["cells"], plans[0]["order"]))
            samples = read_samples(shard)
            self.assertTrue(samples)
            self.assertEqual({plan["cells"][sample["cell"]]["shard"] for sample in samples}, {index})
            # The order of the whole plan's rounds, without the other shards' cells.
            self.assertEqual([(sample["round"], sample["cell"]) for sample in samples],
                             [(number, cell) for number, turn in enumerate(plan["order"]) for cell in turn
                              if plan["cells"][cell]["shard"] == index])
            taken += [(sample["cell"], sample["round"]) for sample in samples]
        self.assertEqual(sorted(taken), sorted((cell, number) for number, turn in enumerate(plans[0]["order"])
                                               for cell in turn))

    def test_the_plan_is_that_of_a_run_without_shards(self):
        planned = tidemark("run", *PLAN, "--dry-run").stdout.splitlines()
        sharded = tidemark("run", *PLAN, "--dry-run", "--shard", "2/3").stdout.splitlines()
        self.assertEqual([line.rsplit("  shard ", 1)[0] for line in sharded[:len(planned)]], planned)
        self.assertRegex(sharded[-1], r"^shard 2 of 3: \d+ of %d samples; .* in 1 of 3 units$"
                         % len(read_samples(self.shard(1)) + read_samples(self.shard(2)) + read_samples(self.shard(3))))

    def test_what_another_shard_has_is_said_to_be_there(self):
        cells = read_record(os.path.join(self.shard(2), "plan.json"))["cells"]
        for cell, shown in zip(cells, show(self.shard(2))):
            self.assertEqual((shown["status"], shown["reason"]), ("ok", None) if cell["shard"] == 2 else
                             ("n/a", "not measured here: shard %d of 3 has it" % cell["shard"]))
        shown = tidemark("show", self.shard(2))
        self.assertEqual(shown.stderr, "")
        self.assertIn("shard 2 of 3: %d of %d cells are measured here. Other shards have the rest"
                      % (sum(cell["shard"] == 2 for cell in cells), len(cells)), shown.stdout)

    def test_a_report_of_a_shard_says_what_is_not_in_it(self):
        drawn = tidemark("plot", "--only=report", self.shard(2))
        self.assertEqual(drawn.returncode, 0, drawn.stderr)
        with open(os.path.join(self.shard(2), "report.html"), encoding="utf-8") as file:
            report = file.read()
        self.assertTrue("This is shard 2 of 3" in report)
        self.assertTrue("not measured here: shard 1 of 3 has it" in report)
        self.assertFalse(os.path.exists(os.path.join(self.shard(2), "figures")))

    def test_a_shard_that_was_stopped_is_resumed_as_that_shard(self):
        folder = self.folder("stopped")
        with subprocess.Popen([TIDEMARK, "run", *PLAN, "--shard", "2/3", "-o", folder], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and not len(glob.glob(folder + "/curves/*")) > 2:
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
        before = read_samples(folder)
        stopped = tidemark("show", folder)
        self.assertIn("did not finish: %d of %d samples" % (len(before), len(read_samples(self.shard(2)))), stopped.stderr)
        resumed = tidemark("run", "--resume", folder)
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        place = lambda sample: (sample["sample"], sample["cell"], sample["round"])
        self.assertEqual([place(sample) for sample in read_samples(folder)],
                         [place(sample) for sample in read_samples(self.shard(2))])
        self.assertEqual(read_samples(folder)[:len(before)], before)
        self.assertIn("is complete", tidemark("run", "--resume", folder).stderr)
        self.assertEqual(self.merge(self.shard(1), folder, self.shard(3)).returncode, 0)

    def test_a_shard_is_resumed_on_its_own_host_alone(self):
        self.edit(2, "machine.json", lambda machine: machine.update(finished=None, host_name="elsewhere"))
        refused = tidemark("run", "--resume", self.shard(2))
        self.assertEqual(refused.returncode, 2)
        self.assertIn('host_name was "elsewhere"', refused.stderr)

    def test_an_empty_shard_ends_well_says_so_and_is_merged(self):
        small = ("-w", "list_lifetime:n=20k", "-a", "glibc", "--idle", "10ms", "--rounds", "2", *PLAIN)
        said = [run_shard(self.folder("small-%d" % index), index, 3, *small).stderr for index in (1, 2, 3)]
        self.assertNotIn("is empty", said[0])
        for index in (2, 3):
            self.assertIn("shard %d of 3 is empty: the plan has 1 units" % index, said[index - 1])
            self.assertEqual(read_samples(self.folder("small-%d" % index)), [])
        merged = self.merge(*(self.folder("small-%d" % index) for index in (3, 1, 2)))
        self.assertEqual(merged.returncode, 0, merged.stderr)
        self.assertEqual([cell["samples"] for cell in show(self.folder("merged"))], [2])

    def test_shards_of_one_second_do_not_meet_in_a_folder(self):
        small = ("-w", "list_lifetime:n=20k", "-a", "glibc", "--idle", "10ms", "--rounds", "1", *PLAIN)
        ran = tidemark("run", *small, "--shard", "1/2", cwd=self.scratch)
        self.assertRegex(ran.stdout, r"run folder: results/\S+Z-run-1of2\n")

    def test_what_is_no_part_is_refused(self):
        for part in ("0/2", "3/2", "2", "1/5000", "a/b", "1/2/3"):
            refused = tidemark("run", *PLAN, "--shard", part, "-o", self.folder("none"))
            self.assertEqual(refused.returncode, 2)
            self.assertIn("--shard: '%s' is no part I/N" % part, refused.stderr)
        refused = tidemark("run", "--resume", self.shard(1), "--shard", "1/2")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("not with --shard", refused.stderr)


class Merged(Merge):
    def test_a_merged_run_has_every_sample_of_the_plan_with_its_curve_and_passes(self):
        merged = self.merge()
        self.assertEqual(merged.returncode, 0, merged.stderr)
        plan, samples = read_record(self.folder("merged/plan.json")), read_samples(self.folder("merged"))
        self.assertEqual(sorted((sample["cell"], sample["round"]) for sample in samples),
                         sorted((cell, number) for number, turn in enumerate(plan["order"]) for cell in turn))
        self.assertEqual([sample["sample"] for sample in samples], list(range(len(samples))))
        number = 0
        for shard in self.shards():
            for sample in read_samples(shard):
                self.assertEqual({**samples[number], "sample": sample["sample"]}, sample)
                names = [os.path.join(where, "curves/%06d.csv.gz" % place)
                         for where, place in ((shard, sample["sample"]), (self.folder("merged"), number))]
                with open(names[0], "rb") as own, open(names[1], "rb") as copied:
                    self.assertEqual(own.read(), copied.read())
                number += 1
        self.assertEqual(len(os.listdir(self.folder("merged/curves"))), number)
        censuses = sorted(name for shard in self.shards() for name in os.listdir(shard + "/census"))
        self.assertTrue(censuses)
        self.assertEqual(sorted(os.listdir(self.folder("merged/census"))), censuses)
        self.assertEqual({cell["status"] for cell in show(self.folder("merged"))}, {"ok"})
        stats = tidemark("stats", self.folder("merged"))
        self.assertEqual(stats.returncode, 0, stats.stderr)

    def test_its_summary_has_the_figures_of_the_shards(self):
        self.merge()
        wanted = [next(cell for cell in cells if cell["status"] == "ok")
                  for cells in zip(*(show(shard) for shard in self.shards()))]
        found = show(self.folder("merged"))
        for cell in wanted + found:
            del cell["curves"]
        self.assertEqual(found, wanted)
        for cell in found:
            self.assertEqual(cell["beside_stock"] is None, cell["return"] == "stock")
            self.assertEqual(cell["noise_floor"] is None, not cell["control"])

    def test_its_plan_is_that_of_the_shards_and_says_which_were_merged(self):
        self.merge()
        plan, own = read_record(self.folder("merged/plan.json")), read_record(os.path.join(self.shard(1), "plan.json"))
        limits = [read_record(os.path.join(shard, "plan.json"))["memory_limit_bytes"] for shard in self.shards()]
        self.assertEqual(plan["shard"], {"count": 3, "limit_is_default": True, "merged": [1, 2, 3]})
        self.assertEqual(plan["memory_limit_bytes"], min(limits))
        for each in (plan, own):
            del each["shard"], each["memory_limit_bytes"]
        self.assertEqual(plan, own)
        with open(self.folder("merged/plan.json"), "rb") as file:
            self.assertEqual(read_record(self.folder("merged/machine.json"))["plan"], "%08x" % zlib.crc32(file.read()))

    def test_any_order_gives_the_same_bytes(self):
        for to, order in (("merged", (1, 2, 3)), ("again", (3, 1, 2)), ("once-more", (2, 3, 1))):
            merged = self.merge(*(self.shard(index) for index in order), to=to)
            self.assertEqual(merged.returncode, 0, merged.stderr)
        self.assertEqual(content(self.folder("again")), content(self.folder("merged")))
        self.assertEqual(content(self.folder("once-more")), content(self.folder("merged")))

    def test_no_shard_is_changed_and_the_folder_is_as_any_other(self):
        before = [content(shard) for shard in self.shards()]
        self.merge(to="new/parents/merged")
        self.assertEqual([content(shard) for shard in self.shards()], before)
        mask = os.umask(0)
        os.umask(mask)
        self.assertEqual(os.stat(self.folder("new/parents/merged")).st_mode & 0o777, 0o777 & ~mask)
        self.assertEqual(sorted(os.listdir(self.folder("new/parents"))), ["merged"])

    def test_every_machine_is_kept_and_named(self):
        for index, name in ((1, "north"), (2, "south"), (3, "north")):
            self.edit(index, "machine.json", lambda machine: machine.update(host_name=name))
        self.edit(2, "machine.json", lambda machine: machine.update(cpu="Z80 \x1b[31m", cores=1))
        merged = self.merge()
        self.assertEqual(merged.returncode, 0, merged.stderr)
        self.assertIn("warning: cpu is", merged.stderr)
        self.assertIn("warning: cores is", merged.stderr)
        machine = read_record(self.folder("merged/machine.json"))
        own = read_record(os.path.join(self.shard(1), "machine.json"))
        self.assertEqual(machine["cpu"], own["cpu"])
        self.assertEqual(machine["machines"], 2)
        self.assertEqual([(shard["shard"], shard["host_name"], shard["machine"], shard["cores"])
                          for shard in machine["shards"]],
                         [(1, "north", 1, own["cores"]), (2, "south", 2, 1), (3, "north", 1, own["cores"])])
        shown = tidemark("show", self.folder("merged")).stdout
        self.assertIn("measured on 2 machines, 3 of 3 shards merged:\n  1: north, ", shown)
        self.assertIn("; shards 1, 3\n  2: south, Z80 ?[31m, 1 cores", shown)
        self.assertIn("times and amounts differ by their machines too", shown)

    def test_rounds_that_were_added_are_merged_too(self):
        plan = ("-w", "bulk:n=1k,size=64|128", "-a", "glibc", "--rounds", "6", "--idle", "0s", "--warm-up", "0", "--no-census",
                "--no-repeats", "--until", "0.01%", "--until-rounds", "7")
        shards = [self.folder("until-%d" % index) for index in (1, 2)]
        for index, shard in enumerate(shards, 1):
            run_shard(shard, index, 2, *plan)
        further = [sum(sample["round"] == 6 for sample in read_samples(shard)) for shard in shards]
        self.assertEqual(further, [1, 1])
        merged = self.merge(*shards)
        self.assertEqual(merged.returncode, 0, merged.stderr)
        self.assertEqual(sorted(sample["round"] for sample in read_samples(self.folder("merged"))), sorted(2 * list(range(7))))

    def test_a_report_names_the_machine_of_each_experiment(self):
        for index, name in ((1, "north"), (2, "south"), (3, "north")):
            self.edit(index, "machine.json", lambda machine: machine.update(host_name=name))
        self.merge()
        drawn = tidemark("plot", self.folder("merged"))
        self.assertEqual(drawn.returncode, 0, drawn.stderr)
        with open(self.folder("merged/report.html"), encoding="utf-8") as file:
            report = file.read()
        self.assertTrue("Measured on 2 machines" in report)
        for cell in read_record(self.folder("merged/plan.json"))["cells"]:
            self.assertTrue("on %s" % ("south" if cell["shard"] == 2 else "north") in report)
        self.assertTrue("other machines than each other" in report)

    def test_a_merged_run_is_neither_resumed_nor_merged_again(self):
        self.merge()
        refused = tidemark("run", "--resume", self.folder("merged"))
        self.assertEqual(refused.returncode, 2)
        self.assertIn("this run was merged: finish its shards", refused.stderr)
        self.assert_refused_again()

    def assert_refused_again(self):
        refused = self.merge(self.folder("merged"), to="twice")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("it was merged: name the shards", refused.stderr)
        self.assertFalse(os.path.exists(self.folder("twice")))


class Partial(Merge):
    def test_a_missing_shard_is_refused_unless_partial(self):
        self.assert_refused("2 of 3 shards are missing: 1, 3", shards=(self.shard(2),))
        merged = self.merge(self.shard(2), options=("--partial",))
        self.assertEqual(merged.returncode, 0, merged.stderr)
        self.assertIn("warning: 2 of 3 shards are missing: 1, 3", merged.stderr)
        cells = read_record(self.folder("merged/plan.json"))["cells"]
        self.assertEqual([cell["reason"] for cell in show(self.folder("merged"))],
                         [None if cell["shard"] == 2 else "not measured here: shard %d of 3 was not merged" % cell["shard"]
                          for cell in cells])
        self.assertIsNone(read_record(self.folder("merged/machine.json"))["finished"])
        self.assertIn("this run was merged of a part of its shards", tidemark("show", self.folder("merged")).stderr)

    def test_an_unfinished_shard_is_refused_unless_partial(self):
        planned = len(read_samples(self.shard(3)))
        self.edit_samples(3, lambda samples: samples.__delitem__(slice(4, None)))
        self.edit(3, "machine.json", lambda machine: machine.update(interrupted=True))
        self.assert_refused("shard 3 of 3 did not finish: 4 of %d samples are in %s" % (planned, self.shard(3)),
                            "tidemark run --resume " + self.shard(3))
        self.assertEqual(self.merge(options=("--partial",)).returncode, 0)
        self.assertEqual(len(read_samples(self.folder("merged"))),
                         len(read_samples(self.shard(1)) + read_samples(self.shard(2))) + 4)

    def test_samples_that_lack_although_the_shard_says_that_it_ended_are_missed(self):
        self.edit_samples(1, lambda samples: samples.pop())
        self.assert_refused("shard 1 of 3 did not finish")

    def test_a_torn_last_line_is_left_out(self):
        with open(os.path.join(self.shard(1), "samples.jsonl"), "ab") as file:
            file.write(b'{"sample": 99, "ce')
        self.assertEqual(self.merge().returncode, 0)

    def test_a_cell_that_was_given_up_is_complete(self):
        """Twice at a limit, and its other rounds are left out: nothing is missing."""
        def give_up(samples):
            cell = samples[-1]["cell"]
            own = [sample for sample in samples if sample["cell"] == cell]
            for sample in own[:2]:
                sample.update(status="timeout", reason="it hung")
            kept = [sample for sample in samples if sample not in own[2:]]
            samples[:] = [{**sample, "sample": number} for number, sample in enumerate(kept)]
        self.edit_samples(1, give_up)
        self.assertEqual(self.merge().returncode, 0)


class Refused(Merge):
    def test_another_plan_is_refused_with_what_differs(self):
        self.edit(2, "plan.json", lambda plan: plan.update(seed=9, tick_ns=5))
        self.edit(3, "plan.json", lambda plan: plan["cells"][1].update(rounds=7))
        said = self.assert_refused("plan.json: seed is 1 in %s, and 9 in %s" % (self.shard(1), self.shard(2)),
                                   "plan.json: tick_ns is 1000000 in", "plan.json: cells[1].rounds is 6 in")
        self.assertNotIn("scale", said)

    def test_a_plan_with_other_cells_is_refused(self):
        self.edit(3, "plan.json", lambda plan: plan["cells"].pop())
        self.assert_refused("plan.json: the number of cells is")

    def test_a_row_that_cannot_run_on_one_machine_is_another_plan(self):
        self.edit(2, "plan.json", lambda plan: plan["cells"][0].update(not_available="there is no libjemalloc"))
        self.assert_refused("plan.json: cells[0].not_available is null in", "there is no libjemalloc")

    def test_another_number_of_shards_is_another_plan(self):
        run_shard(self.folder("of-four"), 3, 4)
        self.assert_refused("plan.json: shard.count is 3 in", shards=(self.shard(1), self.shard(2), self.folder("of-four")))

    def test_a_limit_that_was_asked_for_is_of_the_plan_and_one_that_suited_the_machine_is_not(self):
        for index in (1, 2, 3):
            self.edit(index, "plan.json", lambda plan: plan.update(memory_limit_bytes=index << 30))
        merged = self.merge()
        self.assertEqual(merged.returncode, 0, merged.stderr)
        self.assertIn("memory_limit_bytes was chosen on each machine, from 1073741824 to 3221225472", merged.stderr)
        shutil.rmtree(self.folder("merged"))
        for index in (1, 2, 3):
            self.edit(index, "plan.json", lambda plan: plan["shard"].update(limit_is_default=False))
        self.assert_refused("plan.json: memory_limit_bytes is 1073741824 in")

    def test_another_binary_is_refused(self):
        programs = read_record(os.path.join(self.shard(2), "machine.json"))["programs"]
        self.edit(2, "machine.json", lambda machine: machine["programs"].update({"tidemark-child": "00000000"}))
        self.assert_refused("machine.json: programs: the CRC-32 of tidemark-child is \"%s\" in" % programs["tidemark-child"],
                            "and \"00000000\" in")
        self.edit(2, "machine.json", lambda machine: machine.update(programs={}))
        self.assert_refused("machine.json: programs: the CRC-32 of tidemark is")
        self.edit(2, "machine.json", lambda machine: machine.pop("programs"))
        self.assert_refused("machine.json: programs is")

    def test_other_versions_of_libraries_and_interpreters_are_refused_between_any_two(self):
        for index, versions in ((2, {"only-there": "1"}), (3, {"only-there": "2"})):
            self.edit(index, "machine.json", lambda machine: machine["libraries"].update(versions))
        self.assert_refused('machine.json: libraries: only-there is "1" in %s, and "2" in %s'
                            % (self.shard(2), self.shard(3)))
        for index, version in ((2, "1"), (3, "1")):
            self.edit(index, "machine.json", lambda machine: machine["libraries"].update({"only-there": version}))
        self.edit(1, "machine.json", lambda machine: machine["libraries"].update(glibc="glibc 1.0"))
        self.assert_refused("machine.json: libraries: glibc is \"glibc 1.0\" in")
        self.edit(1, "machine.json", lambda machine: machine["libraries"].pop("glibc"))
        for index, version in ((1, "3.11.2"), (3, "3.12.1")):
            self.edit(index, "machine.json", lambda machine: machine.update(
                python={"python3": {"path": "/usr/bin/python3", "version": "CPython " + version}}))
        self.assert_refused('machine.json: python: python3 is "CPython 3.11.2" in')

    def test_a_shard_that_is_there_twice_is_refused(self):
        shutil.copytree(self.shard(2), self.folder("copy"))
        self.assert_refused("shard 2 of 3 is there twice: ", shards=(*self.shards(), self.folder("copy")))

    def test_a_sample_that_is_there_twice_is_refused(self):
        def repeat_last(samples):
            samples.append({**samples[-1], "sample": len(samples)})
        self.edit_samples(2, repeat_last)
        self.assert_refused("samples.jsonl:%d: its cell and round are there twice" % len(read_samples(self.shard(2))))

    def test_a_sample_of_another_shard_s_cell_is_refused(self):
        foreign = read_samples(self.shard(1))[0]["cell"]
        self.edit_samples(2, lambda samples: samples[0].update(cell=foreign))
        self.assert_refused("%s/samples.jsonl:1: a cell that another shard has" % self.shard(2))

    def test_an_experiment_on_two_machines_is_refused(self):
        for index in (1, 2, 3):
            self.edit(index, "plan.json", lambda plan: plan["cells"][0].update(shard=plan["cells"][0]["shard"] % 3 + 1))
        self.assert_refused("its experiment is of two shards")

    def test_a_run_without_shards_and_a_folder_that_is_no_run_are_refused(self):
        self.edit(1, "plan.json", lambda plan: plan.pop("shard"))
        self.assert_refused(self.shard(1) + ": it is no shard: it was measured without --shard")
        os.mkdir(self.folder("empty"))
        self.assert_refused("is no run: it has no plan.json", shards=(self.folder("empty"),))
        self.assert_refused("No such file or directory", shards=(self.folder("nowhere"),))

    def test_a_plan_that_was_edited_afterwards_is_refused(self):
        path = os.path.join(self.shard(3), "plan.json")
        with open(path, "a", encoding="utf-8") as file:
            file.write("\n")
        self.assert_refused(self.shard(3) + ": plan.json has changed since the run began")

    def test_a_folder_that_exists_is_never_written_to(self):
        for make in (lambda path: os.mkdir(path), lambda path: open(path, "w", encoding="utf-8").close(),
                     lambda path: os.symlink("nowhere", path)):
            with self.subTest(make=make):
                make(self.folder("merged"))
                self.assert_refused("merged: File exists")
                (os.rmdir if os.path.isdir(self.folder("merged")) else os.remove)(self.folder("merged"))

    def test_usage(self):
        for arguments, says in ((("merge", "-o", self.folder("merged")), "which shards?"),
                                (("merge", self.shard(1)), "where to?")):
            refused = tidemark(*arguments)
            self.assertEqual(refused.returncode, 2)
            self.assertIn(says, refused.stderr)


class Hostile(Merge):
    """What is in a shard's folder is read with nothing believed, and no file outside it comes into the merged run."""

    def test_fields_that_are_not_as_they_should_be_are_refused(self):
        good = read_record(os.path.join(self.shard(1), "plan.json"))
        for change in (lambda plan: plan.update(shard=7), lambda plan: plan["shard"].update(index=0),
                       lambda plan: plan["shard"].update(index=4), lambda plan: plan["shard"].update(count=10**12),
                       lambda plan: plan["shard"].update(index="1"), lambda plan: plan["cells"][0].pop("shard"),
                       lambda plan: plan["cells"][0].update(shard=-1), lambda plan: plan["cells"][0].update(shard="1"),
                       lambda plan: plan["cells"][0].update(rounds=10**15)):
            plan = copy.deepcopy(good)
            change(plan)
            self.edit(1, "plan.json", lambda stored: (stored.clear(), stored.update(plan)))
            self.assert_refused(self.shard(1))
        self.edit(1, "plan.json", lambda stored: (stored.clear(), stored.update(good)))
        self.assertEqual(self.merge().returncode, 0)

    def test_samples_that_do_not_fit_are_refused(self):
        good = read_samples(self.shard(1))
        for change in ({"round": 6}, {"round": -1}, {"repeat": 2}, {"repeat": -1}, {"sample": 5}, {"cell": 10**9},
                       {"round": 10**15}):
            with self.subTest(change=change):
                self.edit_samples(1, lambda samples: samples.__setitem__(0, {**good[0], **change}))
                self.assert_refused(self.shard(1) + "/samples.jsonl:1: ")

    def test_links_pipes_and_what_is_no_curve_are_refused(self):
        curve = os.path.join(self.shard(2), "curves/000003.csv.gz")
        shutil.copy(curve, self.folder("elsewhere"))
        for make in (lambda: None, lambda: os.symlink(self.folder("elsewhere"), curve), lambda: os.mkfifo(curve),
                     lambda: os.mkdir(curve), lambda: self.write(curve, b"no gzip"),
                     lambda: self.write(curve, self.read(self.folder("elsewhere"))[:-4])):
            self.remove(curve)
            make()
            self.assert_refused(self.shard(2) + "/curves: 000003.csv.gz: ")
        self.remove(curve)
        shutil.copy(self.folder("elsewhere"), curve)
        os.rename(self.shard(2) + "/curves", self.folder("curves"))
        os.symlink(self.folder("curves"), self.shard(2) + "/curves")
        self.assert_refused(self.shard(2) + "/curves: Not a directory")

    def test_a_census_that_is_none_is_refused(self):
        path = glob.glob(self.shard(2) + "/census/*")[0]
        self.write(path, b"no gzip")
        self.assert_refused(os.path.basename(path), "it is damaged, or no gzip")

    def write(self, path, text):
        with open(path, "wb") as file:
            file.write(text)

    def read(self, path):
        with open(path, "rb") as file:
            return file.read()

    def remove(self, path):
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        elif os.path.lexists(path):
            os.remove(path)


class Killed(Merge):
    """A pipe in place of nothing: strace stops the merge at a file, so that it can be ended between two of them."""

    def stop_and(self, number):
        """Ends a merge by the signal while it copies curves; returns its exit status."""
        with subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=openat", "-e",
                               "inject=openat:delay_enter=30000:when=40+", TIDEMARK, "merge", "-o", self.folder("merged"),
                               *self.shards()], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              start_new_session=True) as process:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and not len(glob.glob(self.folder(".merged.merge-*/curves/*"))) > 1:
                time.sleep(0.005)
            self.assertFalse(os.path.exists(self.folder("merged")), "it ended before it could be stopped")
            os.killpg(process.pid, number)
            process.communicate(timeout=60)
            return process.returncode

    def setUp(self):
        super().setUp()
        if not shutil.which("strace"):
            self.skipTest("not run: strace is not here")

    def test_an_interrupted_merge_leaves_nothing(self):
        self.assertNotEqual(self.stop_and(signal.SIGTERM), 0)
        self.assertEqual(sorted(os.listdir(self.scratch)), ["shard-1", "shard-2", "shard-3"])

    def test_a_killed_merge_leaves_no_run_and_the_next_one_is_whole(self):
        self.stop_and(signal.SIGKILL)
        self.assertFalse(os.path.exists(self.folder("merged")))
        for left in glob.glob(self.folder(".merged.merge-*")):
            self.assertFalse(os.path.exists(left + "/plan.json"))
            self.assertEqual(tidemark("show", left).returncode, 1)
        self.assertEqual(self.merge().returncode, 0)
        self.assertEqual(self.merge(to="again").returncode, 0)
        self.assertEqual(content(self.folder("again")), content(self.folder("merged")))


if __name__ == "__main__":
    unittest.main()
