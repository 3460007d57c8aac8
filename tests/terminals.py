"""
Pseudo-terminals for tests, also where the system has none ready: a chroot often has /dev without /dev/pts. Where the test may mount it
does so, for its own process and those that it starts (mount_namespaces(7), devpts in the kernel's documentation); nothing else sees it.
It leaves out what is done with a terminal.
"""
import ctypes
import os

CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000


def find():
    """Why there is no pseudo-terminal, as a sentence; None where there is one, or where one could be had and now is."""
    lacks = _try()
    if lacks and os.geteuid() == 0:
        _mount()
        lacks = _try()
    return lacks and f"there is no pseudo-terminal here: {lacks}"


def _try():
    try:
        for descriptor in os.openpty():
            os.close(descriptor)
    except OSError as error:
        return str(error)
    return None


def _mount():
    """Nothing where it fails: _try tells. /dev is made private first, so that what is mounted in it reaches no other namespace."""
    libc = ctypes.CDLL(None)
    if libc.unshare(CLONE_NEWNS) != 0:
        return
    private = [libc.mount(b"none", where, None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None) == 0 for where in (b"/", b"/dev")]
    if any(private):
        libc.mount(b"devpts", b"/dev/pts", b"devpts", ctypes.c_ulong(0), b"newinstance,ptmxmode=0666,mode=620")
