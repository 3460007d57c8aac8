"""
Keeps runs in an SQLite file, and gives back series: the values of one row on one experiment and one machine, run by run. The schema is
in results/FORMAT.md. A file may come from anywhere: one that is not as this program writes it is refused, and nothing in it is run.
It leaves out statistics (change_points.py) and drawing (history_figure.py).
"""
import contextlib
import datetime
import json
import math
import os
import re
import sqlite3
import stat
import urllib.parse
from dataclasses import dataclass, field

import words
from checked import RunError, get, parse
from processes import FIGURES

VERSION = 1
APPLICATION = 0x54696465  # "Tide": that the file is a history
WAIT_S = 5                # for another process that writes to it
MOST_BYTES = 2**30        # of a file that is read
MOST_VALUES = 2**20       # of all series that are asked for
LABEL = re.compile(r"([^=+@:,/\\]+)=", re.ASCII)
INTEGERS = [name for name in FIGURES if not name.startswith("return_")]
SHARES = [name for name in FIGURES if name.startswith("return_")]
# What makes another machine of it. Of its memory the GiB count, since a kernel keeps some for itself; libc is what some rows measure.
FACTS = ("cpu", "cores", "page_bytes", "kernel", "thp", "governor", "build_type")

SCHEMA = (
    """CREATE TABLE machine (
    id INTEGER PRIMARY KEY,
    facts TEXT NOT NULL UNIQUE
) STRICT""",
    """CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash TEXT NOT NULL UNIQUE,
    plan_hash TEXT NOT NULL,
    name TEXT NOT NULL,
    suite TEXT,
    label TEXT,
    started TEXT NOT NULL,
    added TEXT NOT NULL,
    tidemark TEXT,
    git TEXT,
    libc TEXT,
    machine INTEGER NOT NULL REFERENCES machine (id)
) STRICT""",
    """CREATE TABLE cell (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    workload TEXT NOT NULL,
    params TEXT NOT NULL,
    host TEXT NOT NULL,
    idle_ns INTEGER NOT NULL,
    return_mode TEXT NOT NULL,
    activity_ns INTEGER NOT NULL,
    rebuild INTEGER NOT NULL,
    thp TEXT NOT NULL,
    control INTEGER NOT NULL,
    allocator TEXT NOT NULL,
    row TEXT NOT NULL,
    version TEXT,
    label TEXT NOT NULL,
    not_available TEXT,
    UNIQUE (run, place)
) STRICT""",
    """CREATE TABLE sample (
    cell INTEGER NOT NULL REFERENCES cell (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    round INTEGER NOT NULL,
    repeat INTEGER NOT NULL,
    status TEXT NOT NULL,
    reason TEXT,
    dirty INTEGER NOT NULL,
    """ + "\n    ".join([f"{name} INTEGER," for name in INTEGERS] + [f"{name} REAL," for name in SHARES]) + """
    PRIMARY KEY (cell, number)
) STRICT, WITHOUT ROWID""",
    "CREATE INDEX cell_of_workload ON cell (workload, row)",
)


@dataclass
class Point:
    """What a run has of a series: the values of its good samples, in the order measured; `bad`: how many did not come to their end."""
    run: int
    name: str
    started: str
    label: str
    values: list = field(default_factory=list)
    bad: int = 0


@dataclass
class Series:
    """`key`: what is equal in all its values but the machine, a tuple of SERIES_FIELDS; `machine`: its facts; points by time."""
    key: tuple
    machine_id: int
    machine: dict
    points: list


SERIES_FIELDS = ("workload", "params", "row", "host", "idle_ns", "return_mode", "activity_ns", "rebuild", "thp")


def default_path():
    """$XDG_DATA_HOME/tidemark/history.db, or that of ~/.local/share (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_DATA_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.join(base, "tidemark", "history.db")


@contextlib.contextmanager
def opened(path, write=False):
    """A connection to the history at `path`, checked; made anew where `write` and there is none. Raises RunError."""
    is_new = not os.path.lexists(path)
    if is_new and not write:
        raise RunError(f"{path}: there is no history yet; `tidemark history add RUN` makes it")
    connection = None
    try:
        if not is_new:
            info = os.stat(path)
            if not stat.S_ISREG(info.st_mode):
                raise RunError(f"{path}: it is no regular file")
            if info.st_size > MOST_BYTES:
                raise RunError(f"{path}: it is larger than {MOST_BYTES // 2**20} MiB")
        mode = "rwc" if write else "ro"
        connection = sqlite3.connect(f"file:{urllib.parse.quote(os.path.abspath(path))}?mode={mode}", uri=True, timeout=WAIT_S,
                                     isolation_level=None)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA foreign_keys = ON")
        _check(connection, path, write)
        yield connection
    except sqlite3.Error as error:
        raise RunError(f"{path}: {_say(error, path)}") from None
    except OSError as error:
        raise RunError(f"{path}: {error.strerror}") from None
    finally:
        if connection:
            connection.close()


def make_folder(path):
    """That of the default file, which nobody has made."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except OSError as error:
        raise RunError(f"{os.path.dirname(path)}: {error.strerror}") from None


def _say(error, path):
    text = str(error)
    if "locked" in text:
        return f"another process holds it (waited {WAIT_S} s)"
    if "unable to open" in text:
        folder = os.path.dirname(os.path.abspath(path))
        return "it cannot be opened" + ("" if os.path.isdir(folder) else f": no folder {folder}")
    if "readonly" in text:
        return "it cannot be written to"
    if "not a database" in text:
        return "it is no SQLite file"
    if "malformed" in text:
        return "it is damaged (" + text + ")"
    return words.plain(text, 200)


@contextlib.contextmanager
def _transaction(connection):
    """All of it or nothing; from its begin on nobody else writes."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _check(connection, path, write):
    """Refuses what is no history, what is damaged, and what a newer tidemark wrote; makes the tables of an empty file."""
    application, version = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if not tables and not application and not version:
        if not write:
            raise RunError(f"{path}: it is empty")
        _make(connection)
        return
    if application != APPLICATION:
        raise RunError(f"{path}: it is an SQLite file, but no history of tidemark's")
    if version != VERSION:
        raise RunError(f"{path}: its schema has version {version}; this program reads {VERSION}"
                       + (", a newer tidemark wrote it" if version > VERSION else ""))
    if _is_cut_off(connection, path):
        raise RunError(f"{path}: it is damaged (cut off)")
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise RunError(f"{path}: it is damaged ({words.plain(found, 120)})")
    if _statements(connection) != _wanted():
        raise RunError(f"{path}: its tables are not those of version {VERSION}")


def _is_cut_off(connection, path):
    """SQLite itself takes what a last page lacks for zeros. Nobody can write between the two looks."""
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    cut = os.stat(path).st_size < pages * size
    connection.execute("COMMIT")
    return cut


def _make(connection):
    with _transaction(connection):
        # Another process may have made them while this one waited.
        if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            return
        for statement in SCHEMA:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _statements(connection):
    return sorted(row[0] or "" for row in connection.execute("SELECT sql FROM sqlite_schema"))


def _wanted():
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as memory:
        for statement in SCHEMA:
            memory.execute(statement)
        return _statements(memory)


# --- Runs. -----------------------------------------------------------------------------------------------------------------

def add(connection, run, label=None):
    """Keeps a run as processes.py read it. Returns (its number, whether it is new): one that is there is left as it is."""
    with _transaction(connection):
        there = connection.execute("SELECT id FROM run WHERE hash = ?", (run.hash,)).fetchone()
        if there:
            return there[0], False
        number = connection.execute(
            "INSERT INTO run (hash, plan_hash, name, suite, label, started, added, tidemark, git, libc, machine) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (run.hash, run.plan_hash, run.name, run.suite, label, _text(run.machine, "started") or "",
             datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), *(
                 _text(run.machine, name) for name in ("tidemark", "git", "libc")), _add_machine(connection, run.machine))).lastrowid
        for cell, row in zip(run.cells, _name_rows(run.cells)):
            _add_cell(connection, number, run, cell, row, label)
        return number, True


def _add_machine(connection, machine):
    facts = {name: machine.get(name) for name in FACTS}
    memory = machine.get("memory_bytes")
    facts["memory_gib"] = None if memory is None else round(memory / 2**30)
    text = json.dumps(facts, sort_keys=True)
    connection.execute("INSERT OR IGNORE INTO machine (facts) VALUES (?)", (text,))
    return connection.execute("SELECT id FROM machine WHERE facts = ?", (text,)).fetchone()[0]


def _name_rows(cells):
    """A row is called by its label where it has one, as the file that it loads may lie elsewhere each time; all of it where two would be one."""
    names = []
    for cell in cells:
        found = LABEL.match(cell.allocator)
        names.append(found[1] if found else cell.row)
    seen = {}
    for cell, name in zip(cells, names):
        seen.setdefault((cell.key, cell.control, name), []).append(cell)
    return [name if len(seen[cell.key, cell.control, name]) == 1 else cell.allocator for cell, name in zip(cells, names)]


def _add_cell(connection, number, run, cell, row, label):
    versions = ", ".join(dict.fromkeys(process.version for process in cell.processes if process.version)) or None
    way = cell.way
    inserted = connection.execute(
        "INSERT INTO cell (run, place, workload, params, host, idle_ns, return_mode, activity_ns, rebuild, thp, control, allocator, "
        "row, version, label, not_available) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (number, cell.index, cell.workload, json.dumps(cell.params, sort_keys=True), cell.host, int(cell.idle_ns), way.mode,
         round(way.activity_s * 1e9), int(way.rebuild), way.thp, int(cell.control), cell.allocator, row, versions,
         label if label is not None else default_label(run, cell, versions), cell.not_available))
    connection.executemany(
        f"INSERT INTO sample (cell, number, round, repeat, status, reason, dirty, {', '.join(INTEGERS + SHARES)}) "
        f"VALUES ({', '.join('?' * (7 + len(FIGURES)))})",
        [(inserted.lastrowid, process.number, *process.block, process.status, process.reason, int(process.dirty),
          *(None if process.figures[name] is None else int(process.figures[name]) for name in INTEGERS),
          *(process.figures[name] for name in SHARES)) for process in cell.processes])


def default_label(run, cell, versions):
    """The version that the row recorded; of tidemark's own allocators, whose versions are not those of their code, its revision too."""
    revision = _text(run.machine, "git") or _text(run.machine, "tidemark")
    own = revision and any(process.own for process in cell.processes)
    return ", ".join(filter(None, (versions, f"tidemark {revision}" if own else None))) or _text(run.machine, "started") or run.name


def _text(machine, name):
    value = machine.get(name)
    return value if isinstance(value, str) and value else None


def runs(connection):
    """A dict for each run, in the order in which they were added."""
    names = ("id", "name", "suite", "label", "started", "added", "git", "hash", "machine", "cells", "samples")
    found = connection.execute(
        "SELECT run.id, run.name, run.suite, run.label, run.started, run.added, run.git, run.hash, run.machine, count(DISTINCT cell.id), "
        "count(sample.number) FROM run LEFT JOIN cell ON cell.run = run.id LEFT JOIN sample ON sample.cell = cell.id "
        "GROUP BY run.id ORDER BY run.id")
    return [dict(zip(names, row)) for row in found]


def machines(connection):
    """{number: facts}"""
    return {number: _read_json(text, "machine") for number, text in connection.execute("SELECT id, facts FROM machine ORDER BY id")}


def remove(connection, number):
    """Whether there was such a run, which is gone then, as is its machine where it was the last of it."""
    with _transaction(connection):
        if not connection.execute("DELETE FROM run WHERE id = ?", (number,)).rowcount:
            return False
        connection.execute("DELETE FROM machine WHERE id NOT IN (SELECT machine FROM run)")
        return True


# --- Series. ---------------------------------------------------------------------------------------------------------------

def read_series(connection, value_of, is_asked):
    """
    The Series of all cells for which is_asked(workload, params, row) holds, points in the order of their runs' times.
    `value_of(figures)`: the number of a sample, None where it has none. Raises RunError.
    """
    known = machines(connection)
    found, count = {}, 0
    columns = ", ".join(f"cell.{name}" for name in SERIES_FIELDS)
    for number, name, started, machine, cell, label, *key in connection.execute(
            f"SELECT run.id, run.name, run.started, run.machine, cell.id, cell.label, {columns} FROM cell JOIN run ON run.id = cell.run "
            "WHERE cell.control = 0 ORDER BY run.started, run.id, cell.place"):
        params = _read_json(key[1], "params")
        if not is_asked(key[0], params, key[2]):
            continue
        point = Point(number, name, started, label)
        for status, *figures in connection.execute(f"SELECT status, {', '.join(FIGURES)} FROM sample WHERE cell = ? ORDER BY number",
                                                   (cell,)):
            value = value_of(dict(zip(FIGURES, figures))) if status == "ok" else None
            if value is not None and math.isfinite(value):
                point.values.append(float(value))
            point.bad += status != "ok"
        count += len(point.values)
        if count > MOST_VALUES:
            raise RunError(f"more than {MOST_VALUES} values are asked for; ask for fewer series")
        series = found.setdefault((*key, machine), Series(tuple(key), machine, known.get(machine, {}), []))
        series.points.append(point)
    return list(found.values())


def _read_json(text, what):
    value = parse(text, dict, f"the history's {what}")
    if what == "params":
        for name in value:
            get(value, name, str, f"the history's {what}")
    return value
