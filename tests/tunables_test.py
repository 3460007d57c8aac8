"""Every documented tunable takes effect, and what says so can also say that it did not."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, "tests")
from tidemark_run import TIDEMARK, tidemark  # noqa: E402

JEMALLOC = {"dirty_decay_ms": "0", "muzzy_decay_ms": "-1", "background_thread": "true", "narenas": "3", "tcache": "false",
            "tcache_max": "4096", "retain": "false", "thp": "never", "metadata_thp": "auto", "percpu_arena": "percpu",
            "oversize_threshold": "0"}
MIMALLOC = {"decommit_delay": "77", "page_reset": "1", "eager_commit": "0", "eager_commit_delay": "9", "large_os_pages": "1",
            "use_numa_nodes": "3"}
BOEHM = {"free_space_divisor": "7", "full_frequency": "5", "initial_heap_size": "10000000", "dont_gc": "1",
         "force_unmap_on_gcollect": "1", "unmap_threshold": "2"}

# A value that is not the default, for each tunable of `tidemark list allocators`.
UNUSUAL = {
    "glibc": {"tcache_count": "0", "tcache_max": "200", "mxfast": "0", "trim_threshold": "1048576", "mmap_threshold": "1000000",
              "top_pad": "1048576", "arena_max": "1", "hugetlb": "1"},
    "jemalloc": JEMALLOC,
    "jemalloc-arena": JEMALLOC,
    "mimalloc": MIMALLOC,
    "mimalloc-heap": MIMALLOC,
    "tcmalloc": {"aggressive_decommit": "1", "release_rate": "3", "max_total_thread_cache_bytes": "1000000", "heap_limit_mb": "300",
                 "skip_sbrk": "1", "skip_mmap": "1", "large_alloc_report_threshold": "5000000"},
    "boehm": BOEHM,
    "boehm-collected": BOEHM,
    "glib-slice": {"slice": "always-malloc"},
    "tbb": {"use_huge_pages": "1", "set_huge_size_threshold": "1000000"},
}
# Neither told nor to be seen: these rest on trust, and a run says so.
UNPROVED = {("glibc", "hugetlb"), ("tcmalloc", "release_rate"), ("tcmalloc", "skip_mmap"), ("tcmalloc", "large_alloc_report_threshold"),
            ("boehm", "unmap_threshold"), ("boehm-collected", "unmap_threshold"),
            ("tbb", "use_huge_pages"), ("tbb", "set_huge_size_threshold")}
TINY = ("-w", "list_lifetime:n=20k", "--dry-run")


# Rows that no workload runs on: how a tunable is set in the environment.
REGIONS = {"jemalloc-arena": lambda name, value: {"MALLOC_CONF": "%s:%s" % (name, value)},
           "mimalloc-heap": lambda name, value: {"MIMALLOC_" + name.upper(): value}}


def describe(allocator, assignment, environment=None):
    """What is found in a process in which the tunable is *not* set, but for what `environment` sets."""
    program = os.path.join(os.path.dirname(TIDEMARK), "tidemark-describe")
    ran = subprocess.run([program, "--object", allocator, "--prove-object", assignment], capture_output=True, text=True, check=False,
                         env={"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=4096", **(environment or {})})
    if ran.returncode != 0:
        raise AssertionError(ran.stderr)
    return json.loads(ran.stdout)


class Tunables(unittest.TestCase):
    def test_each_that_is_documented_is_tried_here(self):
        listed = {entry["name"]: {tunable["name"] for tunable in entry["tunables"]}
                  for entry in json.loads(tidemark("list", "allocators", "--json").stdout) if entry["tunables"]}
        self.assertEqual(listed, {allocator: set(tunables) for allocator, tunables in UNUSUAL.items()})

    def test_each_takes_effect_as_far_as_can_be_known(self):
        for allocator, tunables in UNUSUAL.items():
            if allocator in REGIONS:
                continue
            for name, value in tunables.items():
                with self.subTest(allocator=allocator, tunable=name):
                    ran = tidemark("run", *TINY, "-a", "%s+%s:%s" % (allocator, name, value))
                    self.assertEqual(ran.returncode, 0, ran.stderr)
                    self.assertNotIn("n/a", ran.stdout)
                    self.assertEqual("not proved" in ran.stderr, (allocator, name) in UNPROVED, ran.stderr)

    def test_each_of_a_region_takes_effect(self):
        for allocator, environment in REGIONS.items():
            for name, value in UNUSUAL[allocator].items():
                with self.subTest(allocator=allocator, tunable=name):
                    found = describe(allocator, "%s=%s" % (name, value), environment(name, value))
                    self.assertEqual((found["proof"], found["value"]), ("told", value))

    def test_one_that_was_not_set_is_found_out(self):
        for allocator, tunables in UNUSUAL.items():
            for name, value in tunables.items():
                if (allocator, name) in UNPROVED:
                    continue
                with self.subTest(allocator=allocator, tunable=name):
                    found = describe(allocator, "%s=%s" % (name, value))
                    self.assertIn(found["proof"], ("told", "seen"))
                    self.assertNotEqual(found["value"], value)

    def test_a_count_of_the_cache_is_seen_exactly(self):
        for count in ("0", "1", "7", "300", "65535"):
            ran = tidemark("run", *TINY, "-a", "glibc+tcache_count:" + count)
            self.assertNotIn("n/a", ran.stdout)
        self.assertEqual(describe("glibc", "tcache_count=300")["value"], "7")

    def test_a_value_that_the_allocator_ignores_makes_the_row_not_available(self):
        # glibc caches at most 1032 bytes (MAX_TCACHE_SIZE), and ignores a larger wish.
        ran = tidemark("run", *TINY, "-a", "glibc+tcache_max:100000")
        self.assertIn("n/a: tcache_max:100000 did not take effect: glibc behaves as with 1032", ran.stdout)

    def test_a_run_records_what_every_tunable_was_as_told(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "run")
            ran = tidemark("run", "-w", "list_lifetime:n=20k", "--rounds", "1", "-o", path, "-a", "glibc", "-a",
                           "pymalloc@jemalloc+dirty_decay_ms:0", "-a", "mimalloc", "-a", "boehm+dont_gc:1", "-a", "null")
            self.assertEqual(ran.returncode, 0, ran.stderr)
            with open(os.path.join(path, "machine.json"), encoding="utf-8") as file:
                settings = json.load(file)["settings"]
        self.assertEqual(set(settings), {"pymalloc@jemalloc+dirty_decay_ms:0", "mimalloc", "boehm+dont_gc:1"})
        told = {row: {one["name"]: one["value"] for one in found} for row, found in settings.items()}
        self.assertEqual(told["pymalloc@jemalloc+dirty_decay_ms:0"]["dirty_decay_ms"], "0")
        self.assertEqual(told["pymalloc@jemalloc+dirty_decay_ms:0"]["muzzy_decay_ms"], "0")
        self.assertEqual(told["pymalloc@jemalloc+dirty_decay_ms:0"]["tcache"], "true")
        self.assertEqual(told["mimalloc"]["decommit_delay"], "25")
        self.assertEqual(told["boehm+dont_gc:1"], {"dont_gc": "1", "force_unmap_on_gcollect": "0", "free_space_divisor": "3",
                                                   "full_frequency": "19"})
        self.assertEqual({one["allocator"] for one in settings["pymalloc@jemalloc+dirty_decay_ms:0"]}, {"jemalloc"})

    def test_the_list_tells_what_is_set_with_nothing_asked(self):
        listed = {entry["name"]: {one["name"]: one["default"] for one in entry["tunables"]}
                  for entry in json.loads(tidemark("list", "allocators", "--json").stdout)}
        self.assertEqual(listed["jemalloc"]["dirty_decay_ms"], "10000")
        self.assertEqual(listed["mimalloc"]["decommit_delay"], "25")
        self.assertIsNone(listed["glibc"]["tcache_count"])
        self.assertRegex(tidemark("list", "allocators").stdout, r"(?m)\+dirty_decay_ms .*; here 10000$")

    def test_micro_measures_no_row_whose_tunable_did_not_take(self):
        with tempfile.TemporaryDirectory() as folder:
            ran = tidemark("micro", "-a", "glibc+tcache_max:100000", "-o", os.path.join(folder, "run"))
            self.assertEqual(ran.returncode, 1)
            self.assertIn("n/a: glibc+tcache_max:100000: tcache_max:100000 did not take effect", ran.stderr)
            self.assertEqual(os.listdir(os.path.join(folder, "run/micro")), [])

    def test_a_tunable_beneath_is_proved_too(self):
        ran = tidemark("run", *TINY, "-a", "pymalloc@glibc+tcache_max:100000", "-a", "pymalloc@jemalloc+narenas:2")
        self.assertEqual(ran.stdout.count("n/a: "), 1)
        self.assertIn("row pymalloc@glibc+tcache_max:100000", ran.stdout.splitlines()[0])


if __name__ == "__main__":
    unittest.main(verbosity=2)
