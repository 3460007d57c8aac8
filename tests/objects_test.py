"""The object runtime against real CPythons: one script (objects_script.py), played by an interpreter and by objects_replay.

It asks the interpreter that runs it; others by --python, as `tests/objects_test.py --python python2.7 --python python3.13`.
Profiles stand for versions: 2.7, 3.8, 3.11 and 3.13 are compared; a machine whose own python3 is another is not asked. Lines that
an interpreter cannot give (2.7 has no tracemalloc) are left out; how many there have to be is known.
"""
import argparse
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
REPLAY = os.environ.get("OBJECTS_REPLAY", os.path.join(HERE, "..", "build", "objects_replay"))
PROFILES = ("2.7", "3.8", "3.11", "3.13")
NUMERIC = frozenset("-0123456789")
LINES = {"2.7": 37, "3.8": 60, "3.11": 60, "3.13": 60}
pythons = []


def read_lines(text):
    """{name: numbers}; a name may have blanks, numbers begin at the first word that is one."""
    lines = {}
    for line in text.splitlines():
        words = line.split()
        first = next(i for i, word in enumerate(words) if NUMERIC.issuperset(word))
        lines[" ".join(words[:first])] = [int(word) for word in words[first:]]
    return lines


def ask(python):
    """The version of an interpreter as "3.11", and what it says. Its environment is ignored."""
    def output(*arguments):
        return subprocess.run((python, "-E", "-s") + arguments, check=True, stdout=subprocess.PIPE,
                              universal_newlines=True).stdout

    version = output("-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
    return version, read_lines(output(os.path.join(HERE, "objects_script.py")))


def replay(profile, said):
    """What the runtime says of the same, told what only the interpreter knows."""
    codes = [name.split()[1] for name in said if name.startswith("generator ")]
    command = [REPLAY, profile, str(said["tracked"][0])] + codes
    return read_lines(subprocess.run(command, check=True, stdout=subprocess.PIPE, universal_newlines=True).stdout)


class Objects(unittest.TestCase):
    """One test for each interpreter, and what is known of each."""
    maxDiff = None

    def check(self, python):
        version, said = ask(python)
        if version not in PROFILES and not pythons:
            self.skipTest("%s is %s, which is no profile" % (python, version))
        self.assertIn(version, PROFILES, "%s has no profile" % python)
        ours = replay(version, said)
        del said["tracked"]
        self.assertEqual(len(said), LINES[version], sorted(said))
        for name, numbers in said.items():
            with self.subTest(python=python, line=name):
                self.assertEqual(ours.get(name), numbers)

    def test_the_objects_are_those_of_real_cpythons(self):
        for python in pythons or [sys.executable]:
            self.check(python)

    def test_replay_says_how_it_is_used(self):
        done = subprocess.run([REPLAY, "1.5", "0", "1:1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("usage", done.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", default=[], metavar="PATH", help="an interpreter; may be repeated")
    arguments, rest = parser.parse_known_args()
    pythons.extend(arguments.python)
    unittest.main(argv=sys.argv[:1] + rest)


if __name__ == "__main__":
    main()
