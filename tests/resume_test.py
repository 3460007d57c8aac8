"""`tidemark run --resume` from outside: what it finishes, and what it refuses and leaves as it was."""
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import unittest
import zlib

sys.path.insert(0, "tests")
from tidemark_run import PLAIN, SMALL, TIDEMARK, Scratch, read_samples, tidemark  # noqa: E402


class Resume(Scratch):
    """Two rows, four rounds: eight samples, of which the first is there when the run is stopped."""
    PLAN = ("-w", "list_lifetime:n=20k", "--idle", "150ms", "-a", "glibc", "-a", "pymalloc", "--rounds", "4", *PLAIN)

    def stop(self, with_signal, *arguments):
        """Starts a run and stops it after its first sample; returns what it said on stderr."""
        with subprocess.Popen([TIDEMARK, "run", *(arguments or self.PLAN), "-o", self.folder()],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            samples = self.folder("run/samples.jsonl")
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and not (os.path.exists(samples) and os.path.getsize(samples)):
                time.sleep(0.01)
            process.send_signal(with_signal)
            return process.communicate(timeout=30)[1]

    def resume(self, *arguments):
        return tidemark("run", "--resume", self.folder(), *arguments)

    def read(self, name):
        with open(self.folder("run/" + name), encoding="utf-8") as file:
            return json.load(file)

    def edit(self, name, **fields):
        edited = {**self.read(name), **fields}
        with open(self.folder("run/" + name), "w", encoding="utf-8") as file:
            json.dump(edited, file)

    def edit_plan(self, **fields):
        """Another plan of which machine.json knows."""
        self.edit("plan.json", **fields)
        with open(self.folder("run/plan.json"), "rb") as file:
            self.edit("machine.json", plan="%08x" % zlib.crc32(file.read()))

    def set_version(self, row, version):
        """As if the row had loaded another version before."""
        cells = self.read("plan.json")["cells"]
        samples = [{**sample, "version": version} if cells[sample["cell"]]["allocator"] == row else sample
                   for sample in self.samples()]
        with open(self.folder("run/samples.jsonl"), "w", encoding="utf-8") as file:
            file.write("".join(json.dumps(sample) + "\n" for sample in samples))
        self.edit("machine.json", libraries={**self.read("machine.json")["libraries"], row: version})

    def resume_read_only(self):
        """Of the same folder, mounted once more where nobody else sees it."""
        if os.geteuid() != 0 and not os.environ.get("CI"):
            self.skipTest("it needs root, to mount a folder read-only")
        # In a chroot "/" is no mount point: then the mount is seen outside until it is taken away here.
        script = ('mount --make-rprivate / 2>/dev/null; mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && '
                  '"$2" run --resume "$1"; status=$?; umount "$1"; exit $status')
        return subprocess.run(["unshare", "--mount", "--propagation", "unchanged", "sh", "-c", script, "sh", self.folder(),
                               TIDEMARK], capture_output=True, text=True, check=False)

    def samples(self):
        return read_samples(self.folder())

    def content(self):
        found = {}
        for folder, _, names in os.walk(self.folder()):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    found[os.path.join(folder, name)] = file.read()
        return found

    def assert_whole(self):
        samples = self.samples()
        self.assertEqual([sample["sample"] for sample in samples], list(range(8)))
        self.assertEqual(sorted((sample["cell"], sample["round"]) for sample in samples),
                         [(cell, turn) for cell in range(2) for turn in range(4)])
        self.assertEqual(sorted(os.listdir(self.folder("run/curves"))), ["%06d.csv.gz" % number for number in range(8)])
        self.assertEqual([cell["samples"] for cell in self.read("summary.json")], [4, 4])
        order = [cell for turn in self.read("plan.json")["order"] for cell in turn]
        self.assertEqual([sample["cell"] for sample in samples], order)

    def assert_refused(self, *says):
        before = self.content()
        refused = self.resume()
        self.assertEqual(refused.returncode, 2, refused.stdout + refused.stderr)
        for words in says:
            self.assertIn(words, refused.stderr)
        self.assertEqual(self.content(), before, "a refusal writes nothing")
        return refused.stderr

    def test_an_interrupted_run_is_finished_and_no_sample_repeated(self):
        said = self.stop(signal.SIGINT)
        hint = "finish it with: tidemark run --resume %s\n" % self.folder()
        self.assertIn(hint, said)
        self.assertIn(hint, tidemark("show", self.folder()).stderr)
        started, before = self.read("machine.json")["started"], self.samples()
        resumed = self.resume()
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        left = 8 - len(before)
        self.assertIn("resumed: %d samples are here, %d are left" % (len(before), left), resumed.stderr)
        self.assertIn("[%d/%d]" % (left, left), resumed.stderr)
        self.assert_whole()
        self.assertEqual(self.samples()[:len(before)], before)
        machine = self.read("machine.json")
        self.assertEqual((machine["started"], machine["interrupted"]), (started, False))
        self.assertEqual(len(machine["resumed"]), 1)
        self.assertGreaterEqual(machine["finished"], machine["resumed"][0])
        self.assertEqual(tidemark("show", self.folder()).stderr, "")

    def test_a_killed_run_is_finished(self):
        self.stop(signal.SIGKILL)
        self.assertIsNone(self.read("machine.json")["finished"])
        resumed = self.resume()
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        self.assert_whole()
        machine = self.read("machine.json")
        self.assertEqual(set(machine["libraries"]), {"glibc", "pymalloc (pymalloc-3.11)"})
        self.assertEqual(len(machine["resumed"]), 1)

    def test_what_a_torn_write_left_is_removed(self):
        self.stop(signal.SIGKILL)
        stored = len(self.samples())
        with open(self.folder("run/samples.jsonl"), "a", encoding="utf-8") as file:
            file.write('{"sample": %d, "cell"' % stored)
        for name in ("%06d.csv.gz" % stored, "000042.csv.gz"):
            with open(self.folder("run/curves/" + name), "wb") as file:
                file.write(b"torn")
        self.assertEqual(self.resume().returncode, 0)
        self.assert_whole()

    def test_no_link_is_followed_out_of_the_folder(self):
        """It cuts a last line and removes curves: those of this run, whatever its folder links to."""
        self.stop(signal.SIGINT)
        os.mkdir(self.folder("mine"))
        for name in ("mine/000099.csv.gz", "thesis"):
            with open(self.folder(name), "w", encoding="utf-8") as file:
                file.write("no newline at the end")
        for name, target in (("samples.jsonl", "../thesis"), ("curves", "../mine")):
            with self.subTest(name=name):
                shutil.move(self.folder("run/" + name), self.folder("kept"))
                os.symlink(target, self.folder("run/" + name))
                self.assertNotEqual(self.resume().returncode, 0)
                os.remove(self.folder("run/" + name))
                shutil.move(self.folder("kept"), self.folder("run/" + name))
        for name in ("mine/000099.csv.gz", "thesis"):
            with open(self.folder(name), encoding="utf-8") as file:
                self.assertEqual(file.read(), "no newline at the end")
        self.assertEqual(self.resume().returncode, 0)

    def test_a_run_can_be_resumed_twice(self):
        self.stop(signal.SIGINT)
        with subprocess.Popen([TIDEMARK, "run", "--resume", self.folder()], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            time.sleep(0.1)
            process.send_signal(signal.SIGKILL)
        self.assertEqual(self.resume().returncode, 0)
        self.assert_whole()
        self.assertIn(len(self.read("machine.json")["resumed"]), (1, 2))

    def test_a_complete_run_says_so_and_stays_as_it_is(self):
        tidemark("run", *SMALL, "-a", "glibc", "--rounds", "1", "-o", self.folder())
        before = self.content()
        resumed = self.resume()
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        self.assertIn("is complete", resumed.stderr)
        self.assertIn("glibc", resumed.stdout)
        self.assertEqual(self.content(), before)

    def test_a_run_that_was_killed_before_its_end_was_written_is_ended(self):
        tidemark("run", *SMALL, "-a", "glibc", "--rounds", "1", "-o", self.folder())
        libraries = self.read("machine.json")["libraries"]
        self.edit("machine.json", finished=None, libraries={})
        os.remove(self.folder("run/summary.json"))
        self.assertEqual(self.resume().returncode, 0)
        self.assertEqual(self.read("machine.json")["libraries"], libraries)
        self.assertEqual(self.read("summary.json")[0]["samples"], 1)
        self.assertIsInstance(self.read("machine.json")["finished"], str)

    def test_a_cell_that_was_given_up_stays_so(self):
        tidemark("run", "-w", "list_lifetime:n=2M", "-a", "glibc", "--rounds", "5", "--memory-limit", "32MiB", "-o",
                 self.folder())
        self.edit("machine.json", finished=None)
        self.assertEqual(self.resume().returncode, 1, "its samples broke a limit")
        self.assertEqual(len(self.samples()), 2)

    def test_an_edited_plan_is_refused_also_where_its_order_stays(self):
        self.stop(signal.SIGINT)
        for change in ({"memory_limit_bytes": 1 << 40}, {"timeout_ns": 1}, {"tick_ns": 2000000}, {}):
            with self.subTest(change=change):  # the last one is the same plan in other white space
                stored = self.content()[self.folder("run/plan.json")]
                self.edit("plan.json", **change)
                self.assert_refused("plan.json has changed since the run began", "nothing was written")
                with open(self.folder("run/plan.json"), "wb") as file:
                    file.write(stored)
        self.assertEqual(self.resume().returncode, 0)

    def test_a_plan_that_does_not_fit_this_build_is_refused_by_field(self):
        """As a tidemark would have written it that shuffles otherwise, or knows another workload."""
        self.stop(signal.SIGINT)
        self.edit_plan(seed=2)
        self.assert_refused("plan.json", "order")
        plan = self.read("plan.json")
        plan["cells"][0]["workload"] = "del_colect"
        self.edit_plan(**plan)
        self.assert_refused("cells[0].workload", "del_colect")

    def test_another_build_or_machine_is_refused_with_all_that_differs(self):
        self.stop(signal.SIGINT)
        programs = self.read("machine.json")["programs"]
        self.assertEqual(set(programs), {"tidemark", "tidemark-child"})
        for digits in programs.values():
            self.assertRegex(digits, "^[0-9a-f]{8}$")
        self.edit("machine.json", programs={**programs, "tidemark-child": "00000000"})
        self.assert_refused("the programs have changed since: the CRC-32 of tidemark-child was \"00000000\", and is "
                            "\"%s\" now" % programs["tidemark-child"])
        self.edit("machine.json", programs={"tidemark": "11111111", "tidemark-child": "00000000"}, kernel="Linux 1.0",
                  cpu="Z80", cores=77)
        refused = self.assert_refused("tidemark was", "11111111", "00000000", "kernel", "Linux 1.0", "Z80", "77")
        self.assertEqual(refused.count("\n  "), 5, "each difference is a line")

    def test_another_script_for_a_real_python_is_refused(self):
        self.stop(signal.SIGINT, "-w", "list_lifetime:n=20k", "--host", "python3", "-a", "pymalloc", "--rounds", "4")
        programs = self.read("machine.json")["programs"]
        self.assertEqual(set(programs), {"tidemark", "tidemark-child", "list_lifetime.py", "tidemark_host.py"})
        for script in ("list_lifetime.py", "tidemark_host.py"):
            with self.subTest(script=script):
                self.edit("machine.json", programs={**programs, script: "00000000"})
                self.assert_refused("the CRC-32 of %s was \"00000000\"" % script)
        self.edit("machine.json", programs=programs)
        self.assertEqual(self.resume().returncode, 0)

    def test_a_run_without_checksums_is_refused_with_the_reason_and_shown_as_before(self):
        """As a tidemark that recorded neither wrote its runs."""
        self.stop(signal.SIGINT)
        machine = self.read("machine.json")
        del machine["plan"], machine["programs"]
        with open(self.folder("run/machine.json"), "w", encoding="utf-8") as file:
            json.dump({**machine, "binary": "12345678"}, file)
        self.assert_refused("whether plan.json has changed is not known", "whether the programs have changed is not known")
        self.assertEqual(tidemark("show", self.folder()).returncode, 0)

    def test_the_reference_run_is_complete(self):
        shutil.copytree("results/reference", self.folder())
        before = self.content()
        self.assertIn("is complete", self.resume().stderr)
        self.assertEqual(self.content(), before)

    def test_another_version_of_a_library_is_refused(self):
        self.stop(signal.SIGINT)
        self.set_version("glibc", "glibc 1.0")
        refused = self.assert_refused("the version that row glibc loads was \"glibc 1.0\"")
        self.assertEqual(refused.count("\n  "), 1, "the other row loads what it did")

    def test_a_version_that_changes_meanwhile_is_told_and_both_are_kept(self):
        """tidemark-describe says before the first sample what a row loads; here it says what is no longer so."""
        build = os.path.dirname(TIDEMARK)
        for program in ("tidemark", "tidemark-child", "tidemark-micro", "tidemark-check", "tidemark-graph", "tidemark-sites",
                        "libtidemark-record.so", "libtidemark-snapshot.so", "libtidemark-witness.so", "libtidemark-planted.so"):
            shutil.copy(os.path.join(build, program), self.scratch)
        os.symlink(os.path.join(build, "share"), self.folder("share"))
        with open(self.folder("tidemark-describe"), "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nif [ $2 = glibc ]; then echo '{\"version\": \"glibc 1.0\"}'; exit; fi\n"
                       "exec '%s/tidemark-describe' \"$@\"\n" % build)
        os.chmod(self.folder("tidemark-describe"), 0o755)
        self.stop(signal.SIGINT)
        self.set_version("glibc", "glibc 1.0")
        resumed = subprocess.run([self.folder("tidemark"), "run", "--resume", self.folder()], capture_output=True, text=True,
                                 check=False)
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        libraries = self.read("machine.json")["libraries"]
        self.assertEqual(libraries["glibc"][0], "glibc 1.0")
        self.assertEqual(len(libraries["glibc"]), 2)
        self.assertIsInstance(libraries["pymalloc (pymalloc-3.11)"], str)
        self.assertEqual(resumed.stderr.count("row glibc now loads %s, another version" % libraries["glibc"][1]), 1)

    def test_a_complete_run_on_a_read_only_disk_says_so(self):
        tidemark("run", *SMALL, "-a", "glibc", "--rounds", "1", "-o", self.folder())
        resumed = self.resume_read_only()
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        self.assertIn("is complete", resumed.stderr)

    def test_an_unfinished_run_on_a_read_only_disk_is_refused(self):
        self.stop(signal.SIGINT)
        before = self.content()
        resumed = self.resume_read_only()
        self.assertEqual(resumed.returncode, 2, resumed.stderr)
        self.assertIn("Read-only file system", resumed.stderr)
        self.assertEqual(self.content(), before)

    def test_a_path_is_quoted_where_it_is_to_be_pasted(self):
        name = "it's a run"
        with subprocess.Popen([TIDEMARK, "run", *self.PLAN, "-o", self.folder(name)], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as process:
            samples = self.folder(name + "/samples.jsonl")
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and not (os.path.exists(samples) and os.path.getsize(samples)):
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=30)[1]
        for text in (said, tidemark("show", self.folder(name)).stderr):
            words = shlex.split(text[text.index("tidemark run --resume"):].splitlines()[0])
            self.assertEqual(words, ["tidemark", "run", "--resume", self.folder(name)])

    def test_another_python_is_refused(self):
        self.stop(signal.SIGINT, "-w", "list_lifetime:n=20k", "--host", "python3", "-a", "pymalloc", "--rounds", "4")
        self.edit("machine.json", python={"python3": {"path": "/usr/bin/python3", "version": "CPython 2.7.18"}})
        self.assert_refused("python3", "CPython 2.7.18")

    def test_a_sample_that_is_there_twice_is_refused(self):
        self.stop(signal.SIGINT)
        first = self.samples()[0]
        with open(self.folder("run/samples.jsonl"), "a", encoding="utf-8") as file:
            file.write(json.dumps({**first, "sample": len(self.samples())}) + "\n")
        self.assert_refused("samples.jsonl:", "there twice")

    def test_a_run_that_is_still_measured_is_refused(self):
        with subprocess.Popen([TIDEMARK, "run", *SMALL[:2], "--idle", "60s", "-a", "glibc", "--rounds", "1", "-o",
                               self.folder()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and not os.path.exists(self.folder("run/samples.jsonl")):
                time.sleep(0.01)
            time.sleep(0.2)
            try:
                self.assert_refused("still being measured")
            finally:
                process.kill()

    def test_what_is_no_run_is_refused(self):
        os.mkdir(self.folder())
        self.assert_refused("is no run")

    def test_options_of_a_new_run_are_refused_by_name(self):
        self.stop(signal.SIGINT)
        before = self.content()
        for words in (["quick"], ["--workload", "del_collect"], ["--allocator", "glibc"], ["--host", "python3"],
                      ["--rounds", "1"], ["--idle", "1s"], ["--seed", "1"], ["--tick", "1ms"], ["--timeout", "1s"],
                      ["--memory-limit", "1GiB"], ["--output", "elsewhere"], ["--dry-run"]):
            with self.subTest(words=words):
                refused = self.resume(*words)
                self.assertEqual(refused.returncode, 2)
                self.assertIn("--resume", refused.stderr)
                self.assertIn(words[0], refused.stderr)
        self.assertEqual(self.content(), before)

    def test_a_report_can_be_asked_for(self):
        self.stop(signal.SIGINT)
        resumed = self.resume("--report")
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        self.assertTrue(os.path.exists(self.folder("run/report.html")))


if __name__ == "__main__":
    unittest.main(verbosity=2)
