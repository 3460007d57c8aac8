"""
An installation from outside: it is moved to another folder before anything is asked of it, and works there without the
build tree. Leaves out measuring well: the cells are tiny. A test whose tool is not here (man, mandoc, zsh, fish, clang) is
skipped and names it.
"""
import glob
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, "tests")
import terminals  # noqa: E402
from tidemark_run import TIDEMARK, show  # noqa: E402

BUILD = os.path.dirname(TIDEMARK)
SOURCE = os.getcwd()
COMMANDS = ("list", "run", "show", "merge", "stats", "compare", "fidelity", "plot", "advise", "history", "micro", "check", "snapshot", "exec", "record", "trace", "replay", "import", "fit", "graph", "overhead", "selftest", "doctor")
SMALL = ("-w", "list_lifetime:n=20k", "--idle", "20ms", "--rounds", "1", "-a", "pymalloc")
PARTS = ("libexec/tidemark/tidemark-child", "libexec/tidemark/tidemark-describe", "libexec/tidemark/tidemark-micro",
         "libexec/tidemark/tidemark-check", "libexec/tidemark/tidemark-graph", "libexec/tidemark/tidemark-sites",
         "lib/tidemark/libtidemark-record.so", "lib/tidemark/libtidemark-snapshot.so",
         "lib/tidemark/libtidemark-witness.so", "lib/tidemark/libtidemark-planted.so", "share/tidemark/workloads/python", "share/tidemark/workloads/programs",
         "share/tidemark/plot/report.py", "share/tidemark/plot/advise.py", "share/tidemark/plot/history.py",
         "share/tidemark/plot/compare.py", "share/tidemark/plot/selftest.py",
         "share/tidemark/recorded.json")

scratch = None  # a folder of this whole test
prefix = None  # the installation, moved


def setUpModule():
    global scratch, prefix
    scratch = tempfile.mkdtemp(prefix="tidemark-install-")
    unittest.addModuleCleanup(shutil.rmtree, scratch)
    first = os.path.join(scratch, "first")
    subprocess.run(["cmake", "--install", BUILD, "--prefix", first], check=True, stdout=subprocess.DEVNULL)
    # The blank shows who forgets to quote.
    prefix = os.path.join(scratch, "moved to")
    os.rename(first, prefix)


def run(*arguments, **options):
    return subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=300, **options)


def installed(*arguments, where=None, **options):
    """`tidemark` of the moved prefix, or of another."""
    return run(os.path.join(where or prefix, "bin/tidemark"), *arguments, **{"cwd": scratch, **options})


def read(path):
    with open(path, "rb") as file:
        return file.read()


def installation_check(finished):
    return next(check for check in json.loads(finished.stdout) if check["name"] == "installation")


class Scratch(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(dir=scratch)

    def copy_of_prefix(self):
        copy = os.path.join(self.folder, "copy")
        shutil.copytree(prefix, copy)
        return copy

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def need(self, *tools):
        for tool in tools:
            if not shutil.which(tool):
                self.skipTest("not run: %s is not here" % tool)


class Programs(Scratch):
    def test_what_is_installed_holds_no_path_of_the_build_or_of_the_first_prefix(self):
        """Debug information apart, which names the sources."""
        for folder, _, names in os.walk(prefix):
            for name in names:
                path = os.path.join(folder, name)
                if read(path)[:4] == b"\x7fELF":
                    stripped = os.path.join(self.folder, name)
                    subprocess.run(["strip", "-o", stripped, path], check=True)
                    path = stripped
                for foreign in (SOURCE, BUILD, os.path.join(scratch, "first")):
                    self.assertNotIn(foreign.encode(), read(path), name)

    def test_version_and_lists(self):
        self.assertRegex(installed("--version").stdout, r"^tidemark \d+\.\d+\.\d+")
        listed = json.loads(installed("list", "allocators", "--json").stdout)
        self.assertIn("pymalloc", [entry["name"] for entry in listed])

    def test_a_cell_on_objects_and_on_a_real_cpython_is_measured_and_drawn_by_the_prefix_s_own_scripts(self):
        copy, ran = self.copy_of_prefix(), os.path.join(self.folder, "script-ran")
        with open(copy + "/share/tidemark/plot/templates/report.html.j2", "a", encoding="utf-8") as file:
            file.write("<!-- drawn by the copy -->\n")
        script = copy + "/share/tidemark/workloads/python/list_lifetime.py"
        with open(script, "a", encoding="utf-8") as file:
            file.write("open(%r, 'w').close()\n" % ran)
        run_folder = os.path.join(self.folder, "run")
        finished = installed("run", *SMALL, "--host", "objects", "--host", "python3", "--report", "-o", run_folder,
                             where=copy)
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertEqual([(cell["host"], cell["status"]) for cell in show(run_folder)],
                         [("objects", "ok"), ("python3", "ok")])
        self.assertTrue(os.path.exists(ran), "another list_lifetime.py ran")
        report = read(run_folder + "/report.html")
        self.assertTrue(b"drawn by the copy" in report)
        self.assertTrue(b'id="library"' in report, "the charting library was not installed")

    def test_the_malloc_to_preload_serves_a_program(self):
        (library,) = glob.glob(self.copy_of_prefix() + "/lib*/**/libtidemark-pymalloc.so", recursive=True)
        self.assertEqual(os.path.basename(os.path.dirname(library)), "tidemark")
        sizes = run("/usr/bin/python3", "-c", "import ctypes; c = ctypes.CDLL(None); c.malloc.restype = ctypes.c_void_p\n"
                    "print(c.malloc_usable_size(ctypes.c_void_p(c.malloc(24))))", env={**os.environ, "LD_PRELOAD": library})
        self.assertEqual((sizes.returncode, sizes.stdout, sizes.stderr), (0, "32\n", ""))

    def test_micro_measures(self):
        folder = os.path.join(self.folder, "run")
        ran = installed("micro", "-a", "null", "-o", folder, "--", "--benchmark_filter=pair/size:64$",
                        "--benchmark_min_time=0.01")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertTrue(os.path.exists(folder + "/micro/null.json"))

    def test_doctor_says_which_parts_are_used(self):
        check = installation_check(installed("doctor", "--json"))
        self.assertEqual(check["status"], "ok")
        self.assertIn(prefix + "/libexec/tidemark/tidemark-child", check["finding"])
        self.assertIn(prefix + "/share/tidemark/workloads/python", check["finding"])
        check = installation_check(run(TIDEMARK, "doctor", "--json"))
        self.assertIn("samples run by " + BUILD + "/tidemark-child", check["finding"])

    def test_a_missing_part_is_named_and_that_of_the_build_is_not_taken(self):
        copy = self.copy_of_prefix()
        for part in PARTS:
            path = os.path.join(copy, part)
            os.rename(path, path + ".away")
            for command in (["run", *SMALL], ["micro", "-a", "null"], ["overhead"], ["plot", SOURCE + "/results/reference"]):
                with self.subTest(part=part, command=command[0]):
                    # A report writes beside its run: a copy of that too.
                    if command[0] == "plot":
                        command = ["plot", shutil.copytree(command[1], tempfile.mkdtemp(dir=self.folder) + "/run")]
                    refused = installed(*command, where=copy, cwd=self.folder)
                    self.assertEqual(refused.returncode, 1)
                    self.assertIn("a part of this installation is missing: %s\n" % path, refused.stderr)
                    self.assertFalse(os.path.exists(self.folder + "/results"))
            check = installation_check(installed("doctor", "--json", where=copy))
            self.assertEqual((check["status"], check["finding"].endswith(": " + path)), ("fail", True), check)
            os.rename(path + ".away", path)

    def test_the_memory_resources_are_found_beside_the_programs(self):
        checked = installed("check", "-a", "pmr-monotonic", "--only", "own_file", cwd=self.folder)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        self.assertIn("libtidemark-pmr.so over libc.so.6", checked.stdout)

    def test_a_link_to_the_program_finds_its_parts(self):
        link = os.path.join(self.folder, "tidemark")
        os.symlink(prefix + "/bin/tidemark", link)
        ran = run(link, "run", *SMALL, "-o", self.folder + "/run", cwd=self.folder)
        self.assertEqual(ran.returncode, 0, ran.stderr)

    def test_the_header_and_the_module_of_phases_are_there(self):
        source = self.folder + "/phases.c"
        with open(source, "w", encoding="utf-8") as file:
            file.write("#include <tidemark_phase.h>\nint main(void)\n{\n    tidemark_phase(\"one\");\n    return 0;\n}\n")
        built = run("gcc", "-I", prefix + "/include/tidemark", source, "-o", self.folder + "/phases")
        self.assertEqual(built.returncode, 0, built.stderr)
        for command in ([self.folder + "/phases"], ["/usr/bin/python3", "-B", "-c", "import tidemark_phase; tidemark_phase.begin('one')"]):
            reader, writer = os.pipe()
            ran = run(*command, pass_fds=(writer,), env={**os.environ, "PYTHONPATH": prefix + "/share/tidemark/python", "TIDEMARK_PHASE_FD": str(writer),
                                                         "TIDEMARK_PHASE_INODE": str(os.fstat(writer).st_ino)})
            os.close(writer)
            with os.fdopen(reader) as told:
                self.assertEqual((ran.returncode, told.read()), (0, "one\n"), ran.stderr)

    def test_the_documents_hold_a_run_that_can_be_shown(self):
        documents = prefix + "/share/doc/tidemark"
        for name in ("README.md", "docs/method.md", "results/FORMAT.md"):
            self.assertTrue(os.path.getsize(os.path.join(documents, name)))
        shown = installed("show", documents + "/results/reference")
        self.assertEqual(shown.returncode, 0, shown.stderr)


class ManualPages(Scratch):
    FOLDER = "share/man/man1"

    def setUp(self):
        super().setUp()
        self.need("help2man")
        self.folder_of_pages = os.path.join(prefix, self.FOLDER)

    def pages(self):
        return [os.path.join(self.folder_of_pages, name) for name in sorted(os.listdir(self.folder_of_pages))]

    def test_each_command_has_a_page_with_each_of_its_options(self):
        commands = [line.split("\t")[0] for line in installed("--complete", "").stdout.splitlines()]
        self.assertEqual(sorted(commands), sorted(COMMANDS))
        names = ["tidemark"] + ["tidemark-" + command for command in commands]
        self.assertEqual([os.path.basename(page) for page in self.pages()], sorted(name + ".1" for name in names))
        for command in commands:
            text = read(self.folder_of_pages + "/tidemark-%s.1" % command).decode()
            self.assertIn(r".SH OPTIONS", text)
            for line in installed("--complete", command, "--").stdout.splitlines():
                with self.subTest(command=command, option=line):
                    self.assertIn(line.split("\t")[0].replace("-", r"\-"), text)
            for section in ("NAME", "SYNOPSIS", "DESCRIPTION", '"EXIT STATUS"', "EXAMPLES", '"SEE ALSO"'):
                self.assertIn("\n.SH %s\n" % section, text, command)

    def test_examples_and_statuses_are_those_of_the_help_text(self):
        self.need("groff")
        for command in COMMANDS:
            source = self.folder_of_pages + "/tidemark-%s.1" % command
            page = run("groff", "-man", "-Tascii", "-P-cbou", source).stdout
            helped = installed(command, "--help").stdout
            examples = re.search(r"^Example:\n((?:  .*\n)+)", helped, re.MULTILINE).group(1)
            for example in examples.splitlines():
                with self.subTest(command=command, example=example):
                    self.assertIn("       " + example[2:] + "\n", page)
            statuses = re.search(r"^Exit status: (.*?)\.?\n*\Z", helped, re.MULTILINE | re.DOTALL)
            for status in " ".join(statuses.group(1).split()).split("; ") if statuses else ():
                number, meaning = status.split(" ", maxsplit=1)
                self.assertIn(".B %s\n%s\n" % (number, meaning), read(source).decode().replace(r"\-", "-"))

    def assert_silent(self, *command):
        for page in self.pages():
            with self.subTest(page=os.path.basename(page)):
                checked = run(*command, page, env={**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"})
                self.assertEqual((checked.returncode, checked.stderr), (0, ""))
                if command[0] == "mandoc":
                    self.assertEqual(checked.stdout, "")

    def test_man_has_no_warning(self):
        self.need("man")
        self.assert_silent("man", "--warnings", "-E", "UTF-8", "-l")

    def test_groff_has_no_warning(self):
        self.need("groff")
        self.assert_silent("groff", "-man", "-ww", "-z")

    def test_mandoc_has_no_warning(self):
        self.need("mandoc")
        self.assert_silent("mandoc", "-Tlint", "-Wwarning")

    def test_the_same_program_and_date_make_the_same_page(self):
        again = os.path.join(self.folder, "tidemark-run.1")
        version = re.search(r"\d+\.\d+\.\d+", installed("--version").stdout).group()
        made = run(sys.executable, "-B", "packaging/man_page.py", "--help2man", "help2man", "--program",
                   prefix + "/bin/tidemark", "--command", "run", "--include", "packaging/man/tidemark-run.h2m", "--version",
                   version, "--date", "2000-01-01", again, env={**os.environ, "SOURCE_DATE_EPOCH": "86400"})
        self.assertEqual(made.returncode, 0, made.stderr)
        text = read(again).decode()
        self.assertIn('"1970-01-02"', text)
        first = read(self.folder_of_pages + "/tidemark-run.1").decode()
        self.assertEqual([line for line in text.splitlines() if not line.startswith(".TH")],
                         [line for line in first.splitlines() if not line.startswith(".TH")])


class Completion(Scratch):
    """What is typed at a shell, and the words that the program gets after TAB and Enter."""
    LINES = (
        ("ru", ["run"]),
        ("run -a pymalloc@gl", ["run", "-a", "pymalloc@glibc"]),
        ("run -a base=jemalloc+background_thread:tr", ["run", "-a", "base=jemalloc+background_thread:true"]),
        ("run -a jemalloc+dirty", ["run", "-a", "jemalloc+dirty_decay_ms:"]),
        ("run -w del_collect:way=coll", ["run", "-w", "del_collect:way=collect_without_del"]),
        ("run -w 'del_collect:way=pass|coll", ["run", "-w", "del_collect:way=pass|collect_without_del"]),
        ("run -w del_collect:n=1k,so", ["run", "-w", "del_collect:n=1k,source="]),
        ("run --host=obj", ["run", "--host=objects"]),
        ("run -a glibc --repo", ["run", "-a", "glibc", "--report"]),
        ("run qui", ["run", "quick"]),
        ("list wo", ["list", "workloads"]),
        ("show resu", ["show", "results/"]),
        ("show results/my", ["show", "results/my-run"]),
        ("run -o elsew", ["run", "-o", "elsewhere/"]),
        # What is typed on after TAB: a blank is there where a word has ended, and none where it goes on.
        ("run -a jemalloc+dirty\t5", ["run", "-a", "jemalloc+dirty_decay_ms:5"]),
        ("run -w del_collect:so\trange", ["run", "-w", "del_collect:source=range"]),
        ("run -o elsew\tdeep", ["run", "-o", "elsewhere/deep"]),
        ("list wo\t--js", ["list", "workloads", "--json"]),
    )
    PLACES = {"bash": "share/bash-completion/completions/tidemark", "zsh": "share/zsh/site-functions",
              "fish": "share/fish/vendor_completions.d/tidemark.fish"}
    SHELLS = {
        "bash": (["bash", "--norc", "--noprofile", "-i"], "source '%s'\n"),
        "zsh": (["zsh", "-f", "-i"], "fpath=('%s' $fpath); autoload -Uz compinit; compinit -u -D\n"),
        "fish": (["fish", "--no-config", "-i"], "source '%s'\n"),
    }

    def setUp(self):
        super().setUp()
        os.makedirs(self.folder + "/results/my-run")
        os.makedirs(self.folder + "/elsewhere")
        self.write("results/my-run/plan.json", "{}")
        os.mkdir(self.folder + "/bin")
        # In place of the program: it completes, and else writes down the words that it got.
        self.write("bin/tidemark", "#!/bin/sh\n[ \"$1\" != --complete ] || exec '%s/bin/tidemark' \"$@\"\n"
                   "printf '%%s\\n' \"$@\" >'%s/words.new'\nmv '%s/words.new' '%s/words'\n"
                   % (prefix, self.folder, self.folder, self.folder))
        os.chmod(self.folder + "/bin/tidemark", 0o755)
        self.environment = {"PATH": self.folder + "/bin:" + os.environ["PATH"], "HOME": self.folder, "TERM": "vt100",
                            "LC_ALL": "C.UTF-8"}

    def type_at(self, shell, line):
        """The words that the program got, and what the terminal showed."""
        command, load = self.SHELLS[shell]
        words = self.folder + "/words"
        process, terminal = pty.fork()
        if process == 0:
            try:
                os.chdir(self.folder)
                os.execvpe(command[0], command, self.environment)
            finally:
                os._exit(127)
        shown = b""
        try:
            os.write(terminal, (load % os.path.join(prefix, self.PLACES[shell])).encode())
            os.write(terminal, ("tidemark " + line + "\t\r").encode())
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and not os.path.exists(words):
                if select.select([terminal], [], [], 0.05)[0]:
                    shown += os.read(terminal, 4096)
        finally:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            os.close(terminal)
        got = read(words).decode().splitlines() if os.path.exists(words) else None
        if got is not None:
            os.unlink(words)
        return got, shown

    def need_a_terminal(self):
        """A container may have none that can be had; what a shell is told is tested without one too."""
        if lacks := terminals.find():
            self.skipTest("not run: " + lacks)

    def assert_completes(self, shell):
        self.need(shell)
        self.need_a_terminal()
        for line, words in self.LINES:
            with self.subTest(shell=shell, line=line):
                got, shown = self.type_at(shell, line)
                self.assertEqual(got, words, shown)

    def test_bash(self):
        self.assert_completes("bash")

    def test_zsh(self):
        self.assert_completes("zsh")

    def test_fish(self):
        self.assert_completes("fish")

    def ask_bash(self, line, words, **variables):
        """COMPREPLY for a line whose words are as bash splits them."""
        settings = {"COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_CWORD": str(len(words) - 1), **variables}
        program = "".join("%s=%s\n" % (name, shlex.quote(value)) for name, value in settings.items())
        program += "COMP_WORDS=(%s)\nsource %s\n_tidemark\nprintf '%%s\\n' \"${COMPREPLY[@]}\"" % (
            " ".join(map(shlex.quote, words)), shlex.quote(os.path.join(prefix, self.PLACES["bash"])))
        asked = run("bash", "--norc", "-c", program, cwd=self.folder, env=self.environment)
        self.assertEqual(asked.stderr, "")
        return asked.stdout.split("\n")[:-1]

    def test_bash_lists_what_may_follow_and_leaves_what_readline_keeps(self):
        breaks = " \t\n\"'@><=;|&(:"
        ways = ["pass", "del", "del_collect", "collect_without_del"]
        self.assertEqual(self.ask_bash("tidemark ", ["tidemark", ""], COMP_WORDBREAKS=breaks), list(COMMANDS))
        line, words = "tidemark run -w del_collect:way=", ["tidemark", "run", "-w", "del_collect", ":", "way", "="]
        self.assertEqual(self.ask_bash(line, words, COMP_WORDBREAKS=breaks), ways)
        self.assertEqual(self.ask_bash(line, words[:3] + ["del_collect:way="], COMP_WORDBREAKS=" \t\n"),
                         ["del_collect:way=" + way for way in ways])
        line, words = "tidemark run -w 'del_collect:way=", ["tidemark", "run", "-w", "'del_collect:way="]
        self.assertEqual(self.ask_bash(line, words, COMP_WORDBREAKS=breaks), ["del_collect:way=" + way for way in ways])
        line, words = "tidemark run -a pymalloc@gl", ["tidemark", "run", "-a", "pymalloc", "@gl"]
        self.assertEqual(self.ask_bash(line, words, COMP_WORDBREAKS=breaks), ["@glibc"])

    def test_bash_completes_at_the_cursor(self):
        self.assertEqual(self.ask_bash("tidemark li allocators", ["tidemark", "li"], COMP_POINT="11"), ["list"])
        self.assertEqual(self.ask_bash("tidemark lix", ["tidemark", "lix"], COMP_POINT="11"), ["list"])


class PlugIns(Scratch):
    EXAMPLE = "docs/examples/kingsley.c"  # of the installed documents

    def pkg_config(self, *arguments):
        self.need("pkg-config")
        asked = run("pkg-config", *arguments, "tidemark",
                    env={**os.environ, "PKG_CONFIG_PATH": prefix + "/lib/pkgconfig"})
        self.assertEqual(asked.returncode, 0, asked.stderr)
        return shlex.split(asked.stdout)

    def assert_compiles_by(self, compiler):
        self.need(compiler)
        source = os.path.join(prefix, "share/doc/tidemark", self.EXAMPLE)
        compiled = run(compiler, "-std=c17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", *self.pkg_config("--cflags"),
                       "-shared", "-fPIC", "-Wl,-z,defs", "-o", self.folder + "/example.so", source, cwd=self.folder)
        self.assertEqual((compiled.returncode, compiled.stderr), (0, ""))
        return self.folder + "/example.so"

    def test_one_is_a_row(self):
        built = self.assert_compiles_by("cc")
        folder = self.folder + "/run"
        ran = installed("run", "-w", "list_lifetime:n=20k", "--idle", "0s", "--rounds", "1", "-a", built, "-o", folder)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        (cell,) = show(folder)
        self.assertEqual((cell["status"], cell["version"], cell["providers"]["object"]), ("ok", "kingsley 1.0", built))

    def test_one_compiles_by_gcc(self):
        self.assert_compiles_by("gcc")

    def test_one_compiles_by_clang(self):
        self.assert_compiles_by("clang")

    def test_pkg_config_follows_the_prefix_and_links_nothing(self):
        (flag,) = self.pkg_config("--cflags")
        self.assertEqual(os.path.realpath(flag[2:]), prefix + "/include/tidemark")
        self.assertEqual(self.pkg_config("--libs"), [])
        (folder,) = self.pkg_config("--variable=plugindir")
        self.assertEqual(os.path.normpath(folder), prefix + "/lib/tidemark")
        self.assertIn(self.pkg_config("--modversion")[0], installed("--version").stdout)

    def test_one_is_built_by_cmake(self):
        shutil.copy(os.path.join(prefix, "share/doc/tidemark", self.EXAMPLE), self.folder + "/example.c")
        self.write("CMakeLists.txt", "cmake_minimum_required(VERSION 3.25)\nproject(example C)\n"
                   "find_package(tidemark 0.1 REQUIRED)\nadd_library(example MODULE example.c)\n"
                   "target_link_libraries(example PRIVATE tidemark::plugin)\n"
                   "message(STATUS \"plug-ins: ${tidemark_PLUGIN_DIR}\")\n")
        configured = run("cmake", "-G", "Ninja", "-S", self.folder, "-B", self.folder + "/build", "-DCMAKE_PREFIX_PATH=" + prefix)
        self.assertEqual(configured.returncode, 0, configured.stderr)
        self.assertIn("plug-ins: %s/lib/tidemark\n" % prefix, configured.stdout)
        built = run("cmake", "--build", self.folder + "/build")
        self.assertEqual(built.returncode, 0, built.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
