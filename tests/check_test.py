"""`tidemark check`: bad allocators are caught by the check that is named for what they break, and good ones pass."""
import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, "tests")
from tidemark_run import TIDEMARK, tidemark  # noqa: E402

EXAMPLE = "docs/examples/kingsley.c"

# Parts of the example that the bugs below replace.
FREE = "    header->next = free_lists[header->shift];\n    free_lists[header->shift] = header;\n"
USABLE = "    return ((size_t)1 << header->shift) - sizeof *header;\n"
CAPABILITIES = "ALLOCATOR_USABLE_SIZE | ALLOCATOR_DISTINCT"
THREADED = (CAPABILITIES, CAPABILITIES + " | ALLOCATOR_THREADS")
NOT_MAPPED = "    if (chunk == MAP_FAILED)\n        return;\n"
SHRINK = "    if (size <= old_bytes)\n        return block;\n"
COPY = "        memcpy(larger, block, old_bytes);\n"
TYPES = "struct header *next;         /* on the free list of its class */\n"
HEADERS = "#include <allocator.h>\n"

# One lock around malloc and free, so that only what is planted beside it is wrong.
LOCKED = (
    THREADED,
    (HEADERS, HEADERS + "#include <pthread.h>\nstatic pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;\n"
     "static void hold(void) { pthread_mutex_lock(&lock); }\nstatic void let_go(void) { pthread_mutex_unlock(&lock); }\n"),
    ("    if (!free_lists[shift])\n        refill(shift);\n    struct header *header = free_lists[shift];\n"
     "    if (!header)\n        return NULL;\n",
     "    hold();\n    if (!free_lists[shift])\n        refill(shift);\n    struct header *header = free_lists[shift];\n"
     "    if (!header) {\n        let_go();\n        return NULL;\n    }\n"),
    ("    header->shift = shift;\n", "    header->shift = shift;\n    let_go();\n"),
)
FREE_LOCKED = (FREE, "    hold();\n" + FREE + "    let_go();\n")


class Bug:
    """Planted in the example by replacements: the check that has to catch it, and what its sentence has to say."""

    def __init__(self, check, sentence, *replacements):
        self.check = check
        self.sentence = sentence
        self.replacements = replacements


BUGS = {
    "overlapping blocks": Bug(
        "no_overlap", r"call \d+ gives a block of \d+ usable bytes that begins at [+-]\d+ bytes from the beginning",
        ("        header->next = free_lists[shift];\n        free_lists[shift] = header;\n    }\n",
         "        if (shift == 10 && at < bytes)\n            header = (struct header *)((char *)header + 256);\n"
         "        header->next = free_lists[shift];\n        free_lists[shift] = header;\n    }\n"),
    ),
    "misaligned": Bug(
        "alignment", r"malloc\(16\) gives an address that is 8 bytes past a multiple of 16",
        ("_Alignas(16) unsigned shift;", "unsigned long pad; unsigned shift;"),
    ),
    "dirty calloc": Bug(
        "calloc_zero", r"byte 64 of calloc\(1, \d+\) is 0xff after blocks of that size were written and freed",
        ("memset(block, 0, bytes)", "memset(block, 0, bytes > 64 ? 64 : bytes)"),
    ),
    "calloc does not look at overflow": Bug(
        "calloc_overflow", r"gives a block: the product, which wraps to \d+, was not checked",
        ("__builtin_mul_overflow(count, size, &bytes)", "(bytes = count * size, 0)"),
    ),
    "realloc loses content": Bug(
        "realloc_content", r"after realloc of a block of \d+ bytes to \d+: byte \d+ of a block of \d+ is 0x",
        (COPY, "        memcpy(larger, block, old_bytes - 8);\n"),
    ),
    "realloc of large blocks loses content": Bug(
        "realloc_large", r"byte \d{8} is 0x",
        (COPY, "        memcpy(larger, block, old_bytes < 1 << 24 ? old_bytes : 1 << 24);\n"),
    ),
    "realloc frees what it cannot grow": Bug(
        "realloc_failure", r"after realloc to \d+, which gave NULL: byte 0 ",
        ("    if (larger) {\n",
         "    if (!larger)\n        kingsley_free(memset(block, 0, old_bytes));\n    if (larger) {\n"),
    ),
    "never frees": Bug(
        "memory_reused", r"\d+ KiB more are resident than before; at most 131072 KiB were due",
        (FREE, ""),
    ),
    "crashes": Bug(
        "realloc_content", r"ends with signal 11, SIGSEGV, in realloc of a block of \d+ bytes to \d+",
        (SHRINK, "    if (size <= old_bytes)\n        return old_bytes > 4096 ? *(void **)8 : block;\n"),
    ),
    "hangs": Bug(
        "realloc_content", r"has not ended after 2 s, in realloc of a block of \d+ bytes to \d+",
        (SHRINK, "    if (size <= old_bytes)\n        for (;;)\n            continue;\n"),
    ),
    "hangs and hears nothing": Bug(
        "realloc_content", r"was killed: it has not ended after 2 s, nor when it was told to",
        (HEADERS, HEADERS + "#include <signal.h>\n"),
        (SHRINK,
         "    sigset_t all;\n    sigfillset(&all);\n    sigprocmask(SIG_BLOCK, &all, NULL);\n"
         "    if (size <= old_bytes)\n        for (;;)\n            continue;\n"),
    ),
    "exits": Bug(
        "realloc_content", r"it ends with status 0",
        (SHRINK, "    if (size <= old_bytes)\n        exit(0);\n"),
    ),
    "writes into a neighbour": Bug(
        "content", r"amid random calls: byte \d+ of a block of \d+ is 0x00 and was written as 0x",
        ("memset(block, 0, bytes)", "memset(block, 0, kingsley_usable_size(block) + 48)"),
    ),
    "usable_size too large": Bug(
        "usable_size", r"with all usable bytes of all blocks written: byte",
        (USABLE, "    return ((size_t)1 << header->shift) - sizeof *header + 48;\n"),
    ),
    "usable_size too small": Bug(
        "usable_size", r"usable_size of a block of \d+ bytes is \d+",
        (USABLE, "    return ((size_t)1 << header->shift) - sizeof *header - 48;\n"),
    ),
    "not thread-safe though it says so": Bug(
        "threads_own", r"byte \d+ of a block|not zero|signal \d+|gives NULL",
        THREADED,
        # Gives way amid it, so that threads meet there on a busy machine as well.
        (HEADERS, HEADERS + "#include <sched.h>\n"),
        ("    if (!header)\n        return NULL;\n",
         "    if (!header)\n        return NULL;\n    static unsigned turn;\n    if (++turn % 16 == 0)\n        sched_yield();\n"),
    ),
    "handed out twice after another thread's free": Bug(
        "threads_handover", r"made by one thread and looked at by another: byte",
        *LOCKED,
        (TYPES, TYPES + "    unsigned long maker;\n    unsigned long pad;\n"),
        ("    header->shift = shift;\n", "    header->shift = shift;\n    header->maker = pthread_self();\n"),
        (FREE,
         "    hold();\n"
         + FREE
         + "    if (header->maker != pthread_self())\n        header->next = header;\n    let_go();\n"),
    ),
    "a lock that a fork leaves held": Bug(
        "fork_with_threads", r"it has not ended after 5 s, in the child of a fork, in (malloc|calloc|realloc|free)",
        *LOCKED,
        FREE_LOCKED,
    ),
    "keeps what short threads leave": Bug(
        "thread_churn", r"after threads have come and gone: \d+ KiB more are resident",
        *LOCKED,
        (FREE,
         "    static _Thread_local struct header *own;\n    if (own != header + 1) {\n        own = header + 1;\n"
         "        return;\n    }\n"
         + FREE),
    ),
    "aborts on out-of-memory": Bug(
        "memory_limit", r"ends with signal 6, SIGABRT, in malloc\(1048576\)",
        (NOT_MAPPED, "    if (chunk == MAP_FAILED)\n        abort();\n"),
    ),
    "exhausted for good": Bug(
        "memory_limit_small", r"after \d+ blocks of 200 bytes had been freed, only 0 could be had again",
        (NOT_MAPPED, "    if (chunk == MAP_FAILED)\n    {\n        chunk_bytes = 0;\n        return;\n    }\n"),
        (FREE, "    if (chunk_bytes == 0)\n        return;\n" + FREE),
    ),
    "prints": Bug(
        "prints_nothing", r"it prints: out of memory",
        (NOT_MAPPED, "    if (chunk == MAP_FAILED)\n        return (void)fputs(\"out of memory\\n\", stderr);\n"),
    ),
    "serves huge sizes": Bug(
        "huge_sizes", r"malloc of 9223372036854775807 bytes gives a block",
        ("    if (shift > LARGEST_SHIFT)\n        return NULL;\n",
         "    if (shift > LARGEST_SHIFT)\n        shift = 5;\n"),
    ),
    "sets a strange errno": Bug(
        "huge_sizes", r"sets errno to 5 ",
        ("    if (shift > LARGEST_SHIFT)\n        return NULL;\n",
         "    if (shift > LARGEST_SHIFT) {\n        errno = EIO;\n        return NULL;\n    }\n"),
        (HEADERS, HEADERS + "#include <errno.h>\n"),
    ),
    "free(NULL) is not taken": Bug(
        "free_null", r"ends with signal 11, SIGSEGV, in free",
        ("    if (!block)\n        return;\n    header--;\n", "    header--;\n"),
    ),
    "crashes when it is opened": Bug(
        "opens", r"ends with signal 6",
        ("    (void)raw;\n", "    (void)raw;\n    abort();\n"),
    ),
    "crashes at the end of the process": Bug(
        "opens", r"ends with signal 6",
        ("static unsigned shift_for",
         "__attribute__((destructor)) static void end(void)\n{\n    abort();\n}\n\nstatic unsigned shift_for"),
    ),
    "has libjemalloc loaded beside it": Bug(
        "no_other_malloc", r"libjemalloc\.so\.2 is loaded too",
        (HEADERS, HEADERS + "#include <dlfcn.h>\n"),
        ("    (void)raw;\n", "    (void)raw;\n    dlopen(\"libjemalloc.so.2\", RTLD_NOW | RTLD_LOCAL);\n"),
    ),
    "is served by glibc": Bug(
        "glibc_aside", r"glibc gave out \d+ bytes for 400000 that were asked of the object side; 0 to 0 were due",
        ("        .malloc = kingsley_malloc,\n", "        .malloc = malloc,\n"),
        ("        .free = kingsley_free,\n", "        .free = free,\n"),
    ),
    "is another file": Bug(
        "own_file", r"is served by .*libc\.so\.6, not by",
        ("        .malloc = kingsley_malloc,\n", "        .malloc = malloc,\n"),
    ),
    "purges live blocks": Bug(
        "purge", r"with a purge every 1000 calls: byte",
        (CAPABILITIES, CAPABILITIES + " | ALLOCATOR_PURGE"),
        ("        .malloc = kingsley_malloc,\n", "        .malloc = kingsley_malloc,\n        .purge = purge,\n"),
        ("    return header + 1;\n", "    return last = header + 1;\n"),
        ("static void *kingsley_malloc(",
         "static void *last;\n\nstatic int purge(void)\n{\n    if (last)\n        memset(last, 0, 16);\n"
         "    return 0;\n}\n\nstatic void *kingsley_malloc("),
    ),
}


class Scratch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.scratch = scratch.name

    def plugin(self, replacements=(), name="good.so", source=None):
        """The example of the docs with each text replaced, as a shared object."""
        if source is None:
            with open(EXAMPLE, encoding="utf-8") as file:
                source = file.read()
        for old, new in replacements:
            self.assertIn(old, source)
            source = source.replace(old, new)
        path = os.path.join(self.scratch, name)
        flags = ["-std=gnu17", "-O1", "-shared", "-fPIC", "-pthread", "-Iallocators"]
        subprocess.run(["cc", *flags, "-o", path, "-x", "c", "-"], input=source, text=True, check=True)
        return path

    def check(self, *arguments, status=0):
        """Name, status and finding of each check of the one row."""
        ran = tidemark("check", "--json", *arguments)
        self.assertEqual(ran.returncode, status, ran.stdout + ran.stderr)
        (row,) = json.loads(ran.stdout)
        return {check["name"]: (check["status"], check["finding"]) for check in row["checks"]}


class BadAllocators(Scratch):
    def found(self, number, name, bug):
        """What the check that has to catch a bug says of it."""
        path = self.plugin(bug.replacements, "bad%d.so" % number)
        time_limit = "2s" if "hangs" in name else "30s"
        return self.check("-a", path, "--only", bug.check, "--timeout", time_limit, status=1)

    def test_each_is_caught_by_name(self):
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            runs = {name: pool.submit(self.found, number, name, bug) for number, (name, bug) in enumerate(BUGS.items())}
        for name, bug in BUGS.items():
            with self.subTest(name):
                found = runs[name].result()
                self.assertEqual(found[bug.check][0], "FAIL", found)
                self.assertRegex(found[bug.check][1], bug.sentence)

    def test_the_example_that_they_are_made_of_keeps_all_of_it(self):
        found = self.check("-a", self.plugin())
        self.assertEqual({status for status, _ in found.values()}, {"ok", "n/a"})
        for name, bug in BUGS.items():
            if not bug.check.startswith(("thread", "fork", "purge")):
                self.assertEqual(found[bug.check][0], "ok", name)

    def test_the_locked_example_that_threads_are_tried_on_keeps_theirs(self):
        found = self.check("-a", self.plugin([*LOCKED, FREE_LOCKED], "locked.so"), *(
            word for name in ("threads_own", "threads_handover", "thread_churn") for word in ("--only", name)))
        self.assertEqual({status for status, _ in found.values()}, {"ok"}, found)

    def test_a_failure_leaves_the_other_checks_to_run(self):
        found = self.check("-a", self.plugin(BUGS["crashes"].replacements, "crash.so"), status=1)
        self.assertEqual(found["realloc_content"][0], "FAIL")
        self.assertEqual(found["calloc_zero"][0], "ok")
        self.assertEqual(found["memory_limit"][0], "ok")
        listed = json.loads(tidemark("check", "--list", "--json").stdout)
        self.assertEqual(sorted(found), sorted(check["name"] for check in listed))

    def test_what_a_process_starts_does_not_outlive_it(self):
        marker = os.path.join(self.scratch, "alive")
        starts = ("    (void)raw;\n",
                  "    (void)raw;\n    if (fork() == 0) {\n        for (int fd = 1; fd < 64; fd++)\n            close(fd);\n"
                  "        sleep(2);\n        fclose(fopen(\"%s\", \"w\"));\n        _exit(0);\n    }\n" % marker)
        path = self.plugin([(HEADERS, HEADERS + "#include <unistd.h>\n"), starts], "starts.so")
        self.check("-a", path, "--only", "free_null")
        time.sleep(2.5)
        self.assertFalse(os.path.exists(marker))


class Regions(Scratch):
    """The region that is built in, as a plug-in with a bug in it."""

    def region(self, name, *replacements):
        with open("allocators/bump.c", encoding="utf-8") as file:
            source = file.read()
        source = source.replace("allocators/allocator.h", "allocator.h")
        source = source.replace("allocator_bump =", "tidemark_allocator_v3 =")
        return self.plugin(replacements, name, source)

    def test_as_it_is_it_passes(self):
        found = self.check("-a", self.region("bump.so"))
        self.assertEqual([found[name][0] for name in ("regions", "region_refusal", "region_reuse", "region_churn", "region_limit")], ["ok"] * 5)

    def test_bugs_are_caught_by_name(self):
        bugs = (
            ("regions", "is 0x", ("pad + size;", "pad + size / 2;")),
            ("regions", "past a multiple", ("(alignment - 1)", "15")),
            ("region_reuse", "were reset or destroyed", ("        munmap(chunk, chunk->mapped_bytes);\n",
                                                         "        (void)chunk;\n")),
            ("region_churn", "were destroyed", ("    munmap(bump->newest, bump->newest->mapped_bytes);\n", "")),
            ("region_limit", "could be had again", ("        munmap(chunk, chunk->mapped_bytes);\n", "        (void)chunk;\n")),
            ("region_limit", "ends with signal", ("    if (chunk == MAP_FAILED)\n        return NULL;\n", "")),
            ("region_refusal", "gives a block", ("    if (size > PTRDIFF_MAX - alignment)\n        return NULL;\n",
                                                 "    if (size > PTRDIFF_MAX - alignment)\n        return bump;\n")),
        )
        for number, (expected, sentence, replacement) in enumerate(bugs):
            with self.subTest(expected):
                found = self.check("-a", self.region("region%d.so" % number, replacement), "--only", expected, status=1)
                self.assertEqual(found[expected][0], "FAIL")
                self.assertIn(sentence, found[expected][1])

    def test_a_deviation_that_is_known_hides_nothing_else(self):
        """Under the name of an allocator that is known not to align to 512: that alone, and with something else amid it."""
        name = ('.name = "bump"', '.name = "pmr-pool"')
        place = "chunk_alloc(bump->newest, size, alignment)"
        known = (place, "chunk_alloc(bump->newest, size, alignment == 512 ? 256 : alignment)")
        both = (place, "chunk_alloc(bump->newest, size, alignment == 512 ? 256 : alignment == 1024 ? 64 : alignment)")
        content = ("chunk->used_bytes += pad + size;", "chunk->used_bytes += pad + size / 2;")
        crash = ("    bump_reset(bump);\n", "    bump_reset(bump);\n    __builtin_trap();\n")
        cases = (
            ([known], 0, "known", "aligned to 512 gives an address that is 256 bytes past a multiple"),
            ([both], 1, "FAIL", "aligned to 1024 gives an address that is"),
            ([known, content], 1, "FAIL", "is 0x"),
            ([known, crash], 1, "FAIL", "ends with signal"),
        )
        for number, (replacements, status, expected, sentence) in enumerate(cases):
            for check in ("regions",) if content in replacements else ("regions", "region_churn"):
                with self.subTest(number=number, check=check):
                    path = self.region("known%d%s.so" % (number, check), name, *replacements)
                    found = self.check("-a", path, "--only", check, status=status)
                    self.assertEqual(found[check][0], expected)
                    self.assertIn(sentence, found[check][1])


class CommandLine(Scratch):
    def test_the_row_lacks_a_capability_and_the_check_says_which(self):
        found = self.check("-a", "null", "--only", "usable_size", "--only", "free_null")
        self.assertEqual(found["usable_size"], ("n/a", "needs usable_size, distinct blocks"))
        self.assertEqual(found["free_null"][0], "ok")

    def test_the_same_seed_makes_the_same_calls(self):
        bug = BUGS["overlapping blocks"]
        path = self.plugin(bug.replacements, "seeded.so")
        runs = [self.check("-a", path, "--only", bug.check, "--seed", seed, status=1)[bug.check] for seed in "556"]
        self.assertEqual(runs[0], runs[1])
        self.assertNotEqual(runs[0], runs[2])

    def test_what_is_known_of_an_allocator_is_named_and_is_no_failure(self):
        found = self.check("-a", "tcmalloc", "--only", "prints_nothing")
        self.assertEqual(found["prints_nothing"][0], "known")
        ran = tidemark("check", "-a", "tcmalloc", "--only", "prints_nothing")
        self.assertRegex(ran.stdout, r"(?m)^known prints_nothing +it prints: .*\n +tcmalloc: gperftools says on stderr")
        self.assertIn(", 1 known", ran.stdout)

    def test_another_failure_of_the_same_check_is_not_known(self):
        """A plug-in under the name of an allocator with a deviation, which fails otherwise."""
        bug = BUGS["prints"]
        path = self.plugin([*bug.replacements, ('.name = "kingsley"', '.name = "tcmalloc"')], "impostor.so")
        self.assertEqual(self.check("-a", path, "--only", bug.check, status=1)[bug.check][0], "FAIL")

    def test_a_row_that_was_asked_for_and_cannot_be_opened_fails(self):
        found = self.check("-a", "/no/such/lib.so", status=1)
        self.assertEqual(found, {"opens": ("FAIL", "/no/such/lib.so: there is no such file")})

    def test_wrong_words_are_usage_errors_that_say_what_is_accepted(self):
        for arguments, said in ((["--only", "contents"], "did you mean content?"), (["-a", "nosuch"], "nosuch"),
                                (["glibc"], "-a glibc"),
                                (["--timeout", "1ms"], "'1ms' is no whole number of seconds between 1s and 60min"),
                                (["--seed", "x"], "'x' is no number")):
            with self.subTest(arguments):
                ran = tidemark("check", *arguments)
                self.assertEqual((ran.returncode, ran.stdout), (2, ""))
                self.assertIn(said, ran.stderr)

    def test_it_ends_at_an_interrupt_and_takes_its_process_with_it(self):
        path = self.plugin(BUGS["hangs"].replacements, "hang.so")
        process = subprocess.Popen([TIDEMARK, "check", "-a", path, "--only", "realloc_content"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), path + "\n")
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
        self.assertEqual(process.returncode, 130)

    def test_the_list_needs_no_row(self):
        ran = tidemark("check", "--list")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertIn("needs malloc, free, distinct blocks, threads", ran.stdout)

    def test_no_colour_and_progress_on_stderr(self):
        ran = tidemark("check", "-a", "null", "--only", "free_null")
        self.assertNotIn("\x1b", ran.stdout + ran.stderr)
        self.assertIn("null", ran.stderr)
        self.assertRegex(ran.stdout, r"\Anull\nok    opens .*\nok    free_null .*\n2 ok, 0 FAIL, 0 n/a, 0 known ")


if __name__ == "__main__":
    unittest.main(verbosity=2)
