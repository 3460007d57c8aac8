"""Tells `tidemark exec` where a phase of this program begins. One file to copy, or a folder for PYTHONPATH.

    import tidemark_phase
    tidemark_phase.begin("load")

Where the program is not measured it does nothing.
"""
import os

_DESCRIPTOR = os.environ.get("TIDEMARK_PHASE_FD")


def begin(name):
    """Ends the phase before and begins the one called `name`: 1 to 23 letters, digits, `_`, `-` and `.`; twelve different phases in
    all, and none called idle, purge, pressure or rebuild. Other names are passed over. Thread-safe."""
    if _DESCRIPTOR:
        os.write(int(_DESCRIPTOR), (name + "\n").encode())
