"""
Reads files of a run with checks: every complaint is a RunError that names the file, the line or the object, and what was
wanted. It leaves out what the fields mean, which is run_folder.py's. A run may come from anywhere, so that sizes, numbers and
depths are bounded as the C readers bound them (harness/json_file.h), and only a regular file is read.
"""
import gzip
import io
import itertools
import json
import math
import os
import re
import reprlib
import stat
import zlib

MIB = 2**20
MOST_BYTES = 32 * MIB         # of a JSON document
MOST_OBJECTS = 2**18
MOST_LINES_BYTES = 128 * MIB  # of a file of lines
MOST_LINES_OBJECTS = 2**21
MOST_LINE_BYTES = MIB
MOST_DEPTH = 32               # of arrays and objects in each other; the format needs 4
MOST_NUMBER = 2**63           # nanoseconds and bytes are far below it; C reads no larger ones

NUMBER = (int, float)
KINDS = {dict: "an object", list: "an array", str: "a string", int: "a whole number", NUMBER: "a number"}
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
MANY_DIGITS = re.compile(r"[0-9]{19}")  # as many as MOST_NUMBER has: without them all whole numbers are small enough
CONTAINERS = frozenset((dict, list))


class RunError(Exception):
    """The run folder is not as results/FORMAT.md says; the text is for the user."""


def read_bytes(path, most_bytes, missing="missing; is this the folder of a run?"):
    """A regular file of at most `most_bytes`, as long as it is now. Never waits: a pipe or a device is refused."""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise RunError(f"{path}: it is no regular file")
            if info.st_size > most_bytes:
                raise RunError(f"{path}: it is larger than {most_bytes // MIB} MiB")
            return file.read(info.st_size) or b""
    except FileNotFoundError:
        raise RunError(f"{path}: {missing}") from None
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from None


def read_packed(path, most_bytes, missing="missing; is this the folder of a run?"):
    """What a gzip file holds. One that unpacks to more than `most_bytes` is refused before it does."""
    packed = read_bytes(path, most_bytes, missing)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            data = file.read(most_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise RunError(f"{path}: damaged: {error}") from None
    if len(data) > most_bytes:
        raise RunError(f"{path}: it unpacks to more than {most_bytes // MIB} MiB")
    return data


def _open_at_once(path, flags):
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def decode(data, path, first_line=1):
    """`data` as text; what is no UTF-8 is named with its line."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = first_line + data[:error.start].count(b"\n")
        raise RunError(f"{path}:{line}: byte 0x{data[error.start]:02x} is no UTF-8") from None


def parse(text, kind, path, line=None):
    """The JSON value in `text`, of that kind; `line` is its place in a file of lines, None for a whole file."""
    try:
        # A census has a million whole numbers, which the library reads many times as fast without a word on each.
        whole = _whole if MANY_DIGITS.search(text) else None
        value = json.loads(text, parse_int=whole, parse_float=_real, parse_constant=_no_number, object_pairs_hook=_object)
        if isinstance(value, (dict, list)):
            _check_depth(value, MOST_DEPTH)
        if SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise RunError(f"{path}:{line or 1}: nested too deeply") from None
    except UnicodeEncodeError:
        raise RunError(f"{path}:{line or 1}: not JSON: half of a surrogate pair") from None
    except ValueError as error:
        at = line or getattr(error, "lineno", None)
        raise RunError(f"{path}{f':{at}' if at else ''}: not JSON: {error}") from None
    if not isinstance(value, kind):
        raise RunError(f"{path}:{line or 1}: wanted {KINDS[kind]}, found {type(value).__name__}")
    return value


def _whole(text):
    # By length first: Python takes long for many digits, and refuses thousands in words of its own.
    if len(text) > 20 or abs(int(text)) >= MOST_NUMBER:
        raise ValueError(f"the number {reprlib.repr(text)} is too large")
    return int(text)


def _real(text):
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {reprlib.repr(text)} is too large")
    return value


def _no_number(text):
    raise ValueError(f"{text} is no number")


def _object(pairs):
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return value


def _check_depth(value, left):
    if not left:
        raise RecursionError
    inside = value.values() if isinstance(value, dict) else value
    if not CONTAINERS.isdisjoint(map(type, inside)):
        for inner in inside:
            if isinstance(inner, (dict, list)):
                _check_depth(inner, left - 1)


def read_json(path, kind, read=read_bytes):
    """The JSON value of a file, or of a gzip file where `read` is read_packed."""
    data = read(path, MOST_BYTES)
    _check_objects(data, MOST_OBJECTS, path)
    return parse(decode(data, path), kind, path)


def _check_objects(data, most, path):
    """An empty object is two bytes here and many in memory. A bracket within a string counts as well."""
    if data.count(b"{") + data.count(b"[") > most:
        excess = next(itertools.islice(re.finditer(rb"[{\[]", data), most, None))
        raise RunError(f"{path}:{1 + data[:excess.start()].count(10)}: more than {most} objects and arrays")


def read_lines(path):
    """
    (where, object) for each line of a file of JSON objects. A last line without its newline is what an interrupted write
    leaves: it is left out, as `tidemark show` leaves it out.
    """
    text = read_bytes(path, MOST_LINES_BYTES)
    _check_objects(text, MOST_LINES_OBJECTS, path)
    for line, data in enumerate(text.split(b"\n")[:-1], 1):
        if len(data) > MOST_LINE_BYTES:
            raise RunError(f"{path}:{line}: the line is longer than {MOST_LINE_BYTES // 1024} KiB")
        yield f"{path}:{line}", parse(decode(data, path, line), dict, path, line)


def get_flag(record, name, where):
    """record[name], true or false; None where the field is absent, as in runs of earlier versions."""
    value = record.get(name)
    if value is not None and not isinstance(value, bool):
        raise RunError(f"{where}: '{name}' is {value!r}, wanted true or false")
    return value


def get(record, name, kind, where, optional=False, least=-MOST_NUMBER):
    """record[name], checked; None only where `optional` says that the format allows null. Numbers are from `least` on."""
    if not isinstance(record, dict):
        raise RunError(f"{where}: wanted an object, found {reprlib.repr(record)}")
    if name not in record:
        raise RunError(f"{where}: no field '{name}'")
    value = record[name]
    if value is None and optional:
        return None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise RunError(f"{where}: '{name}' is {reprlib.repr(value)}, wanted {KINDS[kind]}")
    if isinstance(value, NUMBER) and not least <= value < MOST_NUMBER:
        raise RunError(f"{where}: '{name}' is {value!r}, wanted " + ("no less" if value < least else "less")
                       + f" than {least if value < least else '2**63'}")
    return value
