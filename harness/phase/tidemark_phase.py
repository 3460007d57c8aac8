"""Tells `tidemark exec` where a phase of this program begins. One file to copy, or a folder for PYTHONPATH.

    import tidemark_phase
    tidemark_phase.begin("load")

Where the program is not measured it does nothing.
"""
import os
import stat


def _descriptor():
    """None where nobody listens. The environment may outlive the descriptor, as in a child that subprocess started, and another file
    may have its number by now: it must be the very pipe."""
    try:
        descriptor = int(os.environ["TIDEMARK_PHASE_FD"])
        found = os.fstat(descriptor)
        return descriptor if stat.S_ISFIFO(found.st_mode) and found.st_ino == int(os.environ["TIDEMARK_PHASE_INODE"]) else None
    except (KeyError, ValueError, OSError):
        return None


def begin(name):
    """Ends the phase before and begins the one called `name`: 1 to 23 letters, digits, `_`, `-` and `.`, none called idle, purge,
    pressure or rebuild; a name may come again. Twelve phases may begin in all, later ones are part of the twelfth. Other names, and
    that of the phase that goes on, are passed over. Thread-safe."""
    descriptor = _descriptor()
    if descriptor is not None:
        try:
            os.write(descriptor, (name + "\n").encode())
        except OSError:
            pass  # nobody listens any more
