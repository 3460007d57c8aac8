"""Rows by path: any malloc library, plug-ins against the public header, and what is neither."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, "tests")
from tidemark_run import TIDEMARK, Scratch, measure, tidemark  # noqa: E402

EXAMPLE = "docs/examples/kingsley.c"
TINY = ("-w", "list_lifetime:n=20k", "--idle", "0s", "--rounds", "1")


class Files(Scratch):
    def build(self, name, source):
        """A shared object from C that may include the public header alone."""
        path = self.folder(name)
        subprocess.run(["cc", "-std=gnu17", "-shared", "-fPIC", "-Iallocators", "-o", path, "-x", "c", "-"], input=source, text=True,
                       check=True)
        return path

    def plugin(self, name="kingsley.so", old="", new=""):
        """The example of the docs, with `old` replaced."""
        with open(EXAMPLE, encoding="utf-8") as file:
            source = file.read()
        self.assertIn(old, source)
        return self.build(name, source.replace(old, new) if old else source)


def planned(*rows):
    """What a dry run says of each row after `n/a: `, or an empty string."""
    words = [word for row in rows for word in ("-a", row)]
    ran = tidemark("run", "--dry-run", *TINY, *words)
    if ran.returncode != 0:
        raise AssertionError(ran.stderr)
    lines = ran.stdout.splitlines()[:len(rows)]
    return [line.partition("  n/a: ")[2] for line in lines]


class NoAllocators(Files):
    def refused(self, path, reason):
        """The row is n/a, with the path and the reason."""
        [said] = planned(path)
        self.assertTrue(said.startswith(path + ": "), said)
        self.assertRegex(said, reason)

    def test_a_missing_file_says_so(self):
        self.refused("/no/such/lib.so", "there is no such file")

    def test_a_folder_is_no_regular_file(self):
        self.refused(self.scratch, "no regular file")

    def test_a_pipe_is_no_regular_file_and_is_not_waited_for(self):
        os.mkfifo(self.folder("pipe.so"))
        self.refused(self.folder("pipe.so"), "no regular file")

    def test_a_text_is_no_elf_file(self):
        self.refused(os.path.abspath("README.md"), "no ELF file")

    def test_an_empty_file_is_no_elf_file(self):
        open(self.folder("empty.so"), "wb").close()
        self.refused(self.folder("empty.so"), "no ELF file")

    def test_another_architecture_is_named(self):
        for machine, name in ((183, "arm64"), (3, "i386"), (62, "x86-64")):
            with self.subTest(name), open(self.folder("other.so"), "wb") as file:
                own = {"x86_64": 62, "aarch64": 183}[os.uname().machine]
                file.write(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\0" + machine.to_bytes(2, "little") + bytes(44))
                file.flush()
                self.refused(self.folder("other.so"), "built for " + name if machine != own else ".")

    def test_a_cut_library_is_a_row_with_the_loader_s_reason(self):
        with open(self.plugin(), "rb") as whole, open(self.folder("cut.so"), "wb") as cut:
            cut.write(whole.read()[:3000])
        self.refused(self.folder("cut.so"), ".")

    def test_a_library_without_malloc_says_what_it_lacks(self):
        self.refused(self.build("no.so", "int zero(void) { return 0; }"), "no malloc of its own")
        self.refused(self.build("half.so", "void *malloc(unsigned long n) { return (void *)n; }"), "no free of its own")

    def test_a_library_that_dies_when_it_is_loaded_is_a_row(self):
        dies = "#include <stdlib.h>\n__attribute__((constructor)) static void f(void) { abort(); }"
        self.refused(self.build("dies.so", dies), "ends with signal 6")

    def test_a_library_that_prints_does_not_disturb_the_answer(self):
        prints = '#include <stdio.h>\n__attribute__((constructor)) static void f(void) { puts("{\\"name\\": 1}"); }\n'
        with open(EXAMPLE, encoding="utf-8") as file:
            self.assertEqual(planned(self.build("prints.so", prints + file.read())), [""])

    def test_what_stands_beneath_or_above_it_is_not_guessed(self):
        self.assertRegex(planned("/no/such.so@jemalloc")[0], "no such file")
        self.assertRegex(planned("pymalloc@/no/such.so+x:1")[0], "no such file")

    def test_a_relative_path_is_refused_with_the_full_one(self):
        ran = tidemark("run", "--dry-run", *TINY, "-a", "./README.md")
        self.assertEqual(ran.returncode, 2)
        self.assertIn(os.path.abspath("README.md"), ran.stderr)

    def test_a_run_of_nothing_else_has_the_reason_in_its_table(self):
        [cell] = measure(self.scratch, *TINY, "-a", "/no/such/lib.so")
        self.assertEqual((cell["status"], cell["samples"]), ("n/a", 0))
        self.assertIn("/no/such/lib.so: there is no such file", cell["reason"])


class Plugins(Files):
    def test_a_plugin_serves_objects_and_what_is_beneath_pymalloc(self):
        path = self.plugin()
        alone, beneath = measure(self.scratch, *TINY, "-a", path, "-a", "pymalloc@" + path)
        self.assertEqual((alone["status"], alone["version"]), ("ok", "kingsley 1.0"))
        self.assertEqual(alone["providers"], {"object": path, "raw": path})
        self.assertEqual(beneath["status"], "ok")
        self.assertEqual(beneath["providers"], {"object": "tidemark-child", "raw": path})

    def test_its_tunables_are_checked_and_reach_it(self):
        path = self.plugin()
        folder = self.folder("run")
        ran = tidemark("run", "-o", folder, *TINY, "-a", path + "+chunk_kib:128")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        with open(os.path.join(folder, "machine.json"), encoding="utf-8") as file:
            found = json.load(file)["tunables"]
        self.assertEqual(found, {path + "+chunk_kib:128": [
            {"allocator": "kingsley", "name": "chunk_kib", "asked": "128", "value": "128", "proof": "told"}]})
        for wrong, said in (("chunk_kib:3", "between 4 and"), ("chunk:64", "no tunable 'chunk'")):
            refused = tidemark("run", "--dry-run", *TINY, "-a", path + "+" + wrong)
            self.assertEqual(refused.returncode, 2)
            self.assertIn(said, refused.stderr)

    def test_one_that_ignores_its_tunable_is_not_measured_under_its_name(self):
        path = self.plugin("deaf.so", 'getenv("KINGSLEY_CHUNK_KIB")', "NULL")
        self.assertEqual(planned(path, path + "+chunk_kib:64"), ["", ""])
        self.assertEqual(planned(path + "+chunk_kib:128"),
                         ["chunk_kib:128 did not take effect: kingsley says that it is 64"])

    def test_one_that_cannot_open_with_its_tunable_is_no_row_of_unproved_tunables(self):
        path = self.plugin("shut.so", "    if (chunk_kib)\n", "    if (chunk_kib)\n        return -1;\n    if (chunk_kib)\n")
        ran = tidemark("run", "--dry-run", *TINY, "-a", path + "+chunk_kib:128")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))

    def test_one_of_another_version_is_refused_by_both_names(self):
        for other in ("tidemark_allocator_v2", "tidemark_allocator_v4"):
            [said] = planned(self.plugin(other + ".so", "tidemark_allocator_v3", other))
            self.assertRegex(said, "exports %s; this program takes tidemark_allocator_v3" % other)

    def test_one_that_breaks_the_contract_is_refused_with_the_part(self):
        for old, new, said in ((".version = kingsley_version,", "", "lacks version"),
                               ('.name = "kingsley"', '.name = "King sley"', "lacks name"),
                               ("ALLOCATOR_DISTINCT", "ALLOCATOR_DISTINCT | ALLOCATOR_PURGE", "promises purge"),
                               ("ALLOCATOR_CALLOC | ", "", "does not promise it")):
            with self.subTest(new):
                self.assertRegex(planned(self.plugin("bad.so", old, new))[0], said)

    def test_one_that_cannot_open_says_why(self):
        path = self.plugin("closed.so", "    (void)reason;\n",
                           '    snprintf(reason, ALLOCATOR_TEXT_BYTES, "the moon is not full");\n    if (reason[0])\n        return -1;\n')
        self.assertEqual(planned(path), [path + ": the moon is not full"])

    def test_a_pool_plugin_stands_on_another(self):
        path = self.plugin("pool.so", "ALLOCATOR_GENERAL", "ALLOCATOR_POOL")
        self.assertEqual(planned(path, path + "@jemalloc"), ["", ""])

    def test_a_capability_that_it_lacks_is_named_by_the_plan(self):
        path = self.plugin("small.so", "ALLOCATOR_REALLOC | ", "").replace("", "")
        self.assertRegex(planned(path)[0], "realloc")

    def test_no_cpython_runs_on_a_plugin(self):
        path = self.plugin()
        ran = tidemark("run", "--dry-run", *TINY, "--host", "python3", "-a", path)
        self.assertRegex(ran.stdout, "no library holds its malloc")


class Libraries(Files):
    def library(self):
        """A malloc library of no kind that is known: the example behind malloc's own names."""
        with open(EXAMPLE, encoding="utf-8") as file:
            source = re.sub(r"(static )?const struct allocator tidemark_allocator_v3 = \{.*?\n\};\n", "", file.read(), flags=re.S)
        source = re.sub(r"static const struct allocator_tunable .*", "", source, flags=re.S)
        source = re.sub(r"/\* A tunable comes as environment.*", "", source, flags=re.S)
        names = {"malloc": "void *malloc(size_t n) { return kingsley_malloc(n); }",
                 "free": "void free(void *p) { kingsley_free(p); }",
                 "realloc": "void *realloc(void *p, size_t n) { return kingsley_realloc(p, n); }",
                 "calloc": "void *calloc(size_t c, size_t n) { return kingsley_calloc(c, n); }"}
        return self.build("libany.so", source + "\n".join(names.values()) + "\nsize_t unused(void *p) { return kingsley_usable_size(p); }\n")

    def jemalloc(self):
        """The path of Debian's, as the loader finds it."""
        described = json.loads(subprocess.run([os.path.join(os.path.dirname(TIDEMARK), "tidemark-describe"), "--object", "jemalloc"],
                                              env={"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=4096"},
                                              capture_output=True, text=True, check=True).stdout)
        return described["object_provider"]

    def test_any_library_with_a_malloc_is_a_row(self):
        path = self.library()
        [cell] = measure(self.scratch, *TINY, "-a", "mine=" + path)
        self.assertEqual(cell["status"], "ok", cell["reason"])
        self.assertEqual(cell["allocator"], "mine=" + path)
        self.assertEqual(cell["providers"]["object"], path)
        self.assertTrue(cell["version"].startswith("libany.so, build "), cell["version"])

    def test_it_has_no_tunables_that_could_be_guessed(self):
        ran = tidemark("run", "--dry-run", *TINY, "-a", self.library() + "+dirty_decay_ms:0")
        self.assertEqual(ran.returncode, 2)
        self.assertIn("libany.so has no tunables", ran.stderr)

    def test_a_library_of_a_known_kind_has_its_version_and_tunables(self):
        path = os.path.join(self.scratch, "renamed.so")
        shutil.copy(self.jemalloc(), path)
        [cell] = measure(self.scratch, *TINY, "-a", path + "+dirty_decay_ms:0")
        self.assertEqual(cell["status"], "ok", cell["reason"])
        self.assertTrue(cell["version"].startswith("jemalloc "))
        self.assertEqual(cell["providers"]["object"], path)

    def test_a_cpython_runs_on_it(self):
        path = self.jemalloc()
        [cell] = measure(self.scratch, *TINY, "--host", "python3", "-a", path)
        self.assertEqual(cell["status"], "ok", cell["reason"])
        self.assertEqual(os.path.realpath(cell["providers"]["raw"]), os.path.realpath(path))

    def test_a_table_calls_it_by_the_last_part_of_its_path_where_that_tells_it_apart(self):
        path, other = self.library(), self.folder("deeper/libany.so")
        os.mkdir(os.path.dirname(other))
        shutil.copy(path, other)
        for rows, names in (((path, "mine=" + path, "pymalloc@" + path), ("libany.so", "mine=libany.so", "pymalloc@libany.so")),
                            ((path, other), (path, other))):
            words = [word for row in rows for word in ("-a", row)]
            ran = tidemark("run", "-o", tempfile.mkdtemp(dir=self.scratch), *TINY, *words)
            self.assertEqual(ran.returncode, 0, ran.stderr)
            found = [line.split()[0] for line in ran.stdout.splitlines() if line.startswith("  ")][1:]
            self.assertEqual(tuple(found), names)

    def test_micro_takes_it(self):
        folder = self.folder("micro")
        ran = tidemark("micro", "-o", folder, "-a", "mine=" + self.library(), "--", "--benchmark_filter=pair/size:64$",
                       "--benchmark_min_time=0.01")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(len(os.listdir(os.path.join(folder, "micro"))), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
