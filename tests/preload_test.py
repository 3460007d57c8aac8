"""Real programs on libtidemark-pymalloc.so: each gives what it gives without, and was served from its pools while it ran.

That it was is read from outside, in /proc/PID: the library is mapped, and its heap (the symbol `arenas`, laid out as in
allocators/pymalloc/arena.h) has arenas in the process's own memory with pools in use. So nothing is asked of the library
that a user does not ask. A program is looked at while it waits for its standard input to end.
"""
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, "tests")
from tidemark_run import Scratch  # noqa: E402

LIBRARY = os.environ["TIDEMARK_PYMALLOC"]
PROGRAM = os.environ["PRELOAD_PROGRAM"]
HELPER = os.environ["PRELOAD_LIBRARY"]
PYTHON = "/usr/bin/python3"
OUR_PYTHON_SCRIPT = os.path.abspath("tests/preload_python.py")

PATIENCE_S = 120
ARENA_BYTES = 1 << 20
RECORD = struct.Struct("=QQIIQQQ")  # struct arena: base, carve_at, pools_free, pools_total, and three pointers


def environment(preload=LIBRARY, **more):
    """Ours, with what is to be preloaded; nothing for None."""
    return {**os.environ, **({"LD_PRELOAD": preload} if preload else {}), **more}


def offset_of_the_heap():
    """Of `arenas` in the library, by its symbol table."""
    listed = subprocess.run(["nm", LIBRARY], capture_output=True, text=True, check=True).stdout
    (offset,) = re.findall(r"^([0-9a-f]+) b arenas$", listed, re.MULTILINE)
    return int(offset, 16)


def mappings(pid):
    """Of a process: start, end, offset in the file, path or ''."""
    with open("/proc/%d/maps" % pid, encoding="utf-8") as file:
        for line in file:
            words = line.split(maxsplit=5)
            start, end = (int(word, 16) for word in words[0].split("-"))
            yield start, end, int(words[2], 16), words[5].strip() if len(words) > 5 else ""


def pools_in_use(pid):
    """The pools with a block in use, of the library's heap in this process; 0 without it, or when the process has gone."""
    try:
        mapped = list(mappings(pid))
        bases = [start for start, _, offset, path in mapped if path == LIBRARY and offset == 0]
        if not bases:
            return 0
        with open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
            memory.seek(bases[0] + offset_of_the_heap())
            vector, length = struct.unpack("=QQ", memory.read(16))
            if not vector:
                return 0
            memory.seek(vector)
            records = list(RECORD.iter_unpack(memory.read(length * RECORD.size)))
    except (FileNotFoundError, ProcessLookupError, OSError, struct.error):
        return 0
    in_use = 0
    for base, carve_at, pools_free, pools_total, *_ in records:
        anonymous = any(start <= base and base + ARENA_BYTES <= end and not path for start, end, _, path in mapped)
        if base and anonymous and base <= carve_at <= base + ARENA_BYTES:
            in_use += pools_total - pools_free
    return in_use


def descendants(pid):
    """The process and all that it started, by name."""
    children, names = {}, {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % entry, encoding="utf-8", errors="replace") as file:
                name, rest = file.read().split("(", 1)[1].rsplit(")", 1)
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(rest.split()[1]), []).append(int(entry))
        names[int(entry)] = name
    found, wanted = {}, [pid]
    while wanted:
        at = wanted.pop()
        found[at] = names.get(at, "")
        wanted += children.get(at, [])
    return found


class Programs(Scratch):
    def wait_until_served(self, process, name):
        """Until the process, or one of that name that it started, has pools in use."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if any(pools_in_use(pid) for pid, has in descendants(process.pid).items() if name in (None, has)):
                return
            if process.poll() is not None:
                break
            time.sleep(0.01)
        process.kill()
        with open(self.folder("out"), "ab+") as out:
            out.seek(0)
            self.fail("%s was not served from the library's pools (status %s): %r" % (name or process.args, process.wait(),
                                                                                     out.read()[-500:]))

    def run_held(self, argv, text=b"", name=None, preload=LIBRARY, served=True, cwd=None, **more):
        """Its status and outputs. It gets `text`, and the end of its input only after it was seen to be served."""
        with open(self.folder("out"), "w+b") as out, open(self.folder("err"), "w+b") as err:
            process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=out, stderr=err, cwd=cwd,
                                       env=environment(preload, **more))
            try:
                with process.stdin:
                    process.stdin.write(text)
                    process.stdin.flush()
                    if served:
                        self.wait_until_served(process, name)
                status = process.wait(timeout=PATIENCE_S)
            except BrokenPipeError:
                self.fail("%s ended before its input did, with status %d" % (argv, process.wait()))
            finally:
                process.kill()
                process.wait()
            out.seek(0)
            err.seek(0)
            return status, out.read(), err.read()

    def assert_same_as_without(self, argv, text=b"", name=None, status=0, **more):
        """Runs it on the library and without; returns what it wrote."""
        on_it = self.run_held(argv, text, name, **more)
        without = self.run_held(argv, text, preload=None, served=False, **more)
        self.assertEqual(without[0], status, without)
        self.assertEqual(on_it, without)
        return on_it[1]

    def needs(self, *programs):
        for program in programs:
            if not shutil.which(program):
                self.skipTest("not run: there is no %s" % program)


class Proof(Programs):
    """The tests below mean nothing if this is wrong."""

    def test_a_program_on_glibc_is_not_taken_for_one_on_the_library(self):
        process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, env=environment(None))
        time.sleep(0.2)
        self.assertEqual(pools_in_use(process.pid), 0)
        process.communicate()

    def test_the_library_alone_is_not_enough(self):
        """Loaded, but after a library that has every malloc of the program: nothing comes from the pools."""
        process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, env=environment("libmimalloc.so.2.0 " + LIBRARY))
        time.sleep(0.2)
        self.assertIn(LIBRARY, [path for *_, path in mappings(process.pid)])
        self.assertEqual(pools_in_use(process.pid), 0)
        process.communicate()

    def test_only_the_malloc_family_is_exported(self):
        listed = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], capture_output=True, text=True, check=True).stdout
        self.assertEqual({line.split()[-1] for line in listed.splitlines()},
                         {"malloc", "calloc", "realloc", "reallocarray", "free", "aligned_alloc", "posix_memalign",
                          "memalign", "valloc", "pvalloc", "malloc_usable_size"})


class Promises(Programs):
    """preload_program.c, which holds any malloc to what glibc's manual promises."""

    def test_the_malloc_family(self):
        self.assert_same_as_without([PROGRAM, "family"])

    def test_two_hundred_threads_come_and_go(self):
        self.assert_same_as_without([PROGRAM, "threads"])

    def test_a_program_forks_while_its_threads_allocate(self):
        self.assert_same_as_without([PROGRAM, "fork"])

    def test_the_environment_is_there(self):
        for variable in ("A_VARIABLE", "PATH"):
            self.assert_same_as_without(["sh", "-c", "echo $%s; cat" % variable], name="sh", A_VARIABLE="with a value")

    def test_a_library_is_opened_later(self):
        self.assert_same_as_without([PROGRAM, "dlopen", HELPER])

    def test_fork_handlers_of_a_library_that_is_initialised_early_may_call_malloc(self):
        status, out, err = self.run_held([PROGRAM, "fork"], preload=LIBRARY + " " + HELPER)
        self.assertEqual((status, out, err), (0, b"fork: as promised\n", b""))

    def test_what_comes_next_may_be_another_malloc(self):
        """jemalloc leaves glibc's names alone, so that glibc is beneath; the other two take them over, and are. Those align
        small blocks to 8, and do not keep all of glibc's promises."""
        for other in ("libjemalloc.so.2", "libmimalloc.so.2.0", "libtcmalloc_minimal.so.4"):
            for check in ("family", "threads", "fork")[other != "libjemalloc.so.2":]:
                with self.subTest(other=other, check=check):
                    status, out, err = self.run_held([PROGRAM, check], preload=LIBRARY + " " + other)
                    self.assertEqual((status, out, err), (0, b"%s: as promised\n" % check.encode(), b""))


class Python(Programs):
    def test_collections_threads_forks_and_ctypes(self):
        self.assert_same_as_without([PYTHON, "-B", OUR_PYTHON_SCRIPT], name="python3", PYTHONMALLOC="malloc")

    def test_blocks_have_the_sizes_of_pymalloc(self):
        script = ("import ctypes, sys\nlibc = ctypes.CDLL(None)\nlibc.malloc.restype = ctypes.c_void_p\n"
                  "libc.malloc_usable_size.argtypes = [ctypes.c_void_p]\n"
                  "print([libc.malloc_usable_size(libc.malloc(size)) for size in (1, 24, 100, 512)])\nsys.stdin.read()")
        status, out, err = self.run_held([PYTHON, "-c", script])
        self.assertEqual((status, out, err), (0, b"[16, 32, 112, 512]\n", b""))

    def test_its_own_regression_tests(self):
        modules = ["test_gc", "test_list", "test_dict", "test_set", "test_fork1", "test_thread", "test_threading"]
        found = subprocess.run([PYTHON, "-c", "import " + ", ".join("test." + module for module in modules)],
                               capture_output=True, check=False)
        if found.returncode != 0:
            self.skipTest("not run: CPython's own %s are not installed (libpython3.11-testsuite)" % ", ".join(modules))
        # That one waits for ever where PYTHONPATH alone leads to these modules: it starts a python3 that does not read it.
        status, out, err = self.run_held([PYTHON, "-B", "-m", "test", "-v", "-i", "test_4_daemon_threads", *modules],
                                         name="python3", PYTHONMALLOC="malloc")
        self.assertEqual(status, 0, (out + err).decode()[-5000:])
        self.assertIn(b"All %d tests OK" % len(modules), out)


class Tools(Programs):
    def test_sqlite(self):
        self.needs("sqlite3")
        rows = "".join("INSERT INTO t VALUES(%d, '%s', %d);\n" % (i, "v%d " % (i * 7919 % 10_007) * (i % 60), i * 31 % 977)
                       for i in range(20_000))
        script = """CREATE TABLE t(id INTEGER PRIMARY KEY, words TEXT, number INTEGER);
            BEGIN;\n%s COMMIT;
            CREATE INDEX by_words ON t(words); CREATE INDEX by_number ON t(number, words);
            DELETE FROM t WHERE number %% 3 = 0; VACUUM; ANALYZE; PRAGMA integrity_check;
            SELECT count(*), sum(number), sum(length(words)), max(words) FROM t;
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
              SELECT count(*), sum(length(joined)) FROM (SELECT group_concat(words) AS joined FROM t JOIN n ON n.i = t.id
              GROUP BY number);\n""" % rows
        written = self.assert_same_as_without(["sqlite3", "-bail", ":memory:"], script.encode(), "sqlite3")
        self.assertTrue(written.startswith(b"ok\n"), written)

    def test_sort_with_threads(self):
        lines = "".join("%d %s\n" % (i * 7919 % 400_009, "x" * (i % 30)) for i in range(400_000)).encode()
        written = self.assert_same_as_without(["sort", "--parallel=4", "-S", "64M", "-k1,1n"], lines, "sort", LC_ALL="C")
        self.assertEqual(len(written), len(lines))

    def test_gcc_compiles(self):
        source = "#include <stdio.h>\n" + "".join("int f%d(int a) { switch (a) { %s } return a * %d; }\n" % (
            i, "".join("case %d: return %d;" % (c, c * i) for c in range(20)), i) for i in range(300))
        argv = ["gcc", "-O2", "-x", "c", "-S", "-o", "-", "-"]
        self.assertIn(b"f299", self.assert_same_as_without(argv, source.encode(), "cc1"))

    CPLUSPLUS = r"""
        #include <algorithm>
        #include <cstdint>
        #include <iostream>
        #include <map>
        #include <memory>
        #include <new>
        #include <stdexcept>
        #include <string>
        #include <thread>
        #include <vector>
        struct alignas(64) Wide { char bytes[192]; };
        struct Base { virtual ~Base() = default; };
        struct Derived : Base { std::string text = std::string(300, 'd'); };
        static std::map<std::string, int> table; /* constructed before main, destroyed after it */
        static void work(int seed, std::size_t *sum)
        {
            std::vector<std::unique_ptr<std::string>> kept;
            for (int i = 0; i < 20000; i++) {
                kept.push_back(std::make_unique<std::string>((i * 31 + seed) % 700, 'a' + i % 26));
                if (i % 3 == 0) kept.erase(kept.begin() + kept.size() / 2, kept.begin() + kept.size() / 2 + 1);
            }
            for (auto &text : kept) *sum += text->size();
        }
        int main()
        {
            for (int i = 0; i < 1000; i++) {
                std::unique_ptr<Wide> one(new Wide);
                std::unique_ptr<Wide[]> many(new Wide[i % 7 + 1]);
                auto misaligned = [](void *block) { return reinterpret_cast<std::uintptr_t>(block) % 64 != 0; };
                if (misaligned(one.get()) || misaligned(many.get())) return 3;
                std::unique_ptr<Base> base(new Derived); /* a sized delete */
                void *raw = ::operator new(i, std::align_val_t(4096));
                ::operator delete(raw, std::size_t(i), std::align_val_t(4096));
                ::operator delete(::operator new(i), std::size_t(i));
                table[std::to_string(i)] = i;
            }
            int caught = 0;
            for (int i = 0; i < 500; i++)
                try { throw std::runtime_error(std::string(i, 'e')); }
                catch (const std::exception &e) { caught += e.what()[0] != 1; }
            volatile std::size_t huge = SIZE_MAX / 2 - 1000;
            try { delete[] new char[huge]; } catch (const std::bad_alloc &) { caught++; }
            if (new (std::nothrow) char[huge]) return 4;
            std::size_t sums[4] = {};
            std::vector<std::thread> threads;
            for (int i = 0; i < 4; i++) threads.emplace_back(work, i, &sums[i]);
            for (auto &thread : threads) thread.join();
            std::cout << table.size() << ' ' << caught;
            for (auto sum : sums) std::cout << ' ' << sum;
            std::cout << std::endl << std::cin.rdbuf();
        }
        """

    def test_gplusplus_compiles_a_program_which_then_runs(self):
        built = [self.folder("on_it"), self.folder("without")]
        argv = ["g++", "-std=c++17", "-O1", "-pthread", "-Wno-deprecated", "-x", "c++", "-o"]
        status, _, err = self.run_held([*argv, built[0], "-"], self.CPLUSPLUS.encode(), "cc1plus")
        self.assertEqual(status, 0, err)
        self.run_held([*argv, built[1], "-"], self.CPLUSPLUS.encode(), preload=None, served=False)
        with open(built[0], "rb") as one, open(built[1], "rb") as other:
            self.assertEqual(one.read(), other.read())
        written = self.assert_same_as_without([built[0]], b"end of input")
        self.assertTrue(written.startswith(b"1000 501 "), written)

    def git(self, repository, preload, *arguments, **held):
        """git in a home and with a clock of its own, so that commits are the same each time."""
        return self.run_held(["git", *arguments], preload=preload, cwd=repository, HOME=self.scratch,
                             GIT_CONFIG_NOSYSTEM="1", GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@example.org",
                             GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@example.org",
                             GIT_AUTHOR_DATE="2020-01-01T00:00:00Z", GIT_COMMITTER_DATE="2020-01-01T00:00:00Z", LC_ALL="C",
                             **held)

    def git_history(self, name, preload):
        """Makes a repository of three commits; returns what the commands wrote."""
        repository, written = self.folder(name), []
        os.mkdir(repository)

        def git(*arguments, **held):
            status, out, err = self.git(repository, preload, *arguments, **{"served": False, **held})
            self.assertEqual(status, 0, (arguments, err))
            written.append((arguments, out))

        git("init", "-q", "-b", "main")
        for commit in range(3):
            for i in range(200):
                with open(os.path.join(repository, "file%d" % (i + 50 * commit)), "w", encoding="utf-8") as file:
                    file.write("".join("line %d of %d in %d\n" % (line, i, commit) for line in range(i)))
            git("add", ".")
            git("commit", "-q", "-m", "commit %d" % commit)
        git("repack", "-a", "-d", "-f", "-q", "--threads=2")
        git("fsck", "--full", "--strict", "--no-progress")
        git("log", "--stat", "-p")
        git("count-objects", "-v")
        git("cat-file", "--batch-check", text=b"HEAD\nHEAD^{tree}\nHEAD:file299\n", served=preload is not None, name="git")
        return written

    def test_git(self):
        self.assertEqual(self.git_history("on_it", LIBRARY), self.git_history("without", None))


class Redis(Programs):
    """redis-tools holds the server's program too, under another name, and starts no service. It is linked with jemalloc."""

    COMMANDS = b"""CONFIG GET maxmemory
        DBSIZE
        RPUSH list a b c d
        LRANGE list 0 -1
        HSET hash one 1 two 2
        HGETALL hash
        SADD set x y z
        SCARD set
        APPEND text %s
        APPEND text %s
        STRLEN text
        ZADD sorted 3 c 1 a 2 b
        ZRANGE sorted 0 -1 WITHSCORES
        EVAL "local t = {} for i = 1, 1000 do t[i] = string.rep('l', i) end return #table.concat(t)" 0
        LASTSAVE_IS_NO_COMMAND
        """ % (b"q" * 3000, b"r" * 300)

    def setUp(self):
        super().setUp()
        self.needs("redis-cli", "redis-benchmark")
        program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
        self.server_program, self.socket = self.folder("redis-server"), self.folder("s")
        os.symlink(os.path.realpath(program), self.server_program)

    def client(self, preload, *arguments, text=b""):
        ran = subprocess.run(["redis-cli", "-s", self.socket, *arguments], input=text, capture_output=True, check=True,
                             timeout=PATIENCE_S, env=environment(preload))
        return ran.stdout

    def start(self, preload):
        folder = tempfile.mkdtemp(dir=self.scratch)
        server = subprocess.Popen([self.server_program, "--port", "0", "--unixsocket", self.socket, "--dir", folder,
                                   "--save", "", "--logfile", "log"], stdin=subprocess.DEVNULL, cwd=folder,
                                  env=environment(preload))
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        end = time.monotonic() + PATIENCE_S
        while not os.path.exists(self.socket) and server.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        return server

    def serve(self, preload):
        """A server's life; returns its answers."""
        server = self.start(preload)
        answers = [self.client(preload, text=self.COMMANDS)]
        benchmark = subprocess.run(["redis-benchmark", "-s", self.socket, "-n", "5000", "-r", "3000", "-d", "200", "-q",
                                    "-t", "set,get,incr,lpush,rpop,sadd,hset,zadd,lrange_100,mset"], capture_output=True,
                                   check=False, timeout=PATIENCE_S, env=environment(preload))
        self.assertEqual(benchmark.returncode, 0, benchmark.stderr)
        if preload:
            self.wait_until_served(server, None)
        self.client(preload, "BGSAVE")  # forks
        while b"rdb_bgsave_in_progress:0" not in self.client(preload, "INFO", "persistence"):
            time.sleep(0.05)
        self.assertIn(b"rdb_last_bgsave_status:ok", self.client(preload, "INFO", "persistence"))
        answers.append(self.client(preload, "FLUSHALL"))
        answers.append(self.client(preload, "DBSIZE"))
        self.client(preload, "SHUTDOWN", "NOSAVE")
        self.assertEqual(server.wait(timeout=PATIENCE_S), 0)
        return answers

    def test_redis_under_its_benchmark(self):
        on_it = self.serve(LIBRARY)
        self.assertEqual(on_it, self.serve(None))
        self.assertIn(b"500500", on_it[0])


if __name__ == "__main__":
    print("# the library: %s" % LIBRARY, file=sys.stderr)
    unittest.main(verbosity=2)
