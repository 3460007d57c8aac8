"""
Reads JSON with checks: every complaint is a RunError that names the file, the line or the object, and what was wanted.
It leaves out what the fields mean, which is run_folder.py's.
"""
import json

NUMBER = (int, float)
KINDS = {dict: "an object", list: "an array", str: "a string", int: "a whole number", NUMBER: "a number"}


class RunError(Exception):
    """The run folder is not as results/FORMAT.md says; the text is for the user."""


def read_text(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        raise RunError(f"{path}: missing; is this the folder of a run?") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: cannot be read: {error}") from None


def parse(text, kind, path, line=None):
    """The JSON value in `text`, of that kind; `line` is its place in a file of lines, None for a whole file."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise RunError(f"{path}:{line or 1}: nested too deeply") from None
    except ValueError as error:
        raise RunError(f"{path}:{line or getattr(error, 'lineno', 1)}: not JSON: {error}") from None
    if not isinstance(value, kind):
        raise RunError(f"{path}:{line or 1}: wanted {KINDS[kind]}, found {type(value).__name__}")
    return value


def read_json(path, kind):
    return parse(read_text(path), kind, path)


def read_lines(path):
    """
    (where, object) for each line of a file of JSON objects. A last line without its newline is what an interrupted write
    leaves: it is left out, as `tidemark show` leaves it out.
    """
    for line, text in enumerate(read_text(path).split("\n")[:-1], 1):
        if text:
            yield f"{path}:{line}", parse(text, dict, path, line)


def get_flag(record, name, where):
    """record[name], true or false; None where the field is absent, as in runs of earlier versions."""
    value = record.get(name)
    if value is not None and not isinstance(value, bool):
        raise RunError(f"{where}: '{name}' is {value!r}, wanted true or false")
    return value


def get(record, name, kind, where, optional=False):
    """record[name], checked; None only where `optional` says that the format allows null."""
    if not isinstance(record, dict):
        raise RunError(f"{where}: wanted an object, found {record!r}")
    if name not in record:
        raise RunError(f"{where}: no field '{name}'")
    value = record[name]
    if value is None and optional:
        return None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise RunError(f"{where}: '{name}' is {value!r}, wanted {KINDS[kind]}")
    return value
