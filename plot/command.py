"""
How a script ends that a command of tidemark hands its words to: what went wrong is a sentence on stderr with the command's name,
and an exit status. It leaves out what the words mean, which is each script's.
"""
import os
import sys

from checked import RunError


class Usage(Exception):
    """What was asked for is not there, or is no request; the text is for the user."""


def run(name, work, usage=2, failed=1):
    """The exit status of work(), that of `usage`, or `failed` where a run or a file cannot be read or written."""
    try:
        status = work()
        sys.stdout.flush()
        return status
    except Usage as error:
        return _tell(name, error, usage)
    except RunError as error:
        return _tell(name, error, failed)
    except OSError as error:
        # What is left in its buffer would be written, and complained of, once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _tell(name, f"cannot write to stdout: {error.strerror}", failed)


def _tell(name, error, status):
    print(f"tidemark {name}: {error}", file=sys.stderr)
    return status
