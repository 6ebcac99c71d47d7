"""Starts a program with no more rights than it needs, bound to the life of its parent.

Run as a script it is the step between fork and exec: it drops root, keeps the one capability that a folder closed to
others calls for, asks the kernel for a signal when the parent dies, and becomes the program. Linux only.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
NO_CAPABILITY = -1
KEEP_ACCOUNT = -1

_PR_SET_PDEATHSIG = 1
_PR_GET_SECUREBITS = 27
_PR_SET_SECUREBITS = 28
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_CAPABILITY_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Sets(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


def permitted(capability: int) -> bool:
    """Whether this process may hand on the capability."""
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - pathlib costs the launcher 10 ms
        held = next((line.split()[1] for line in status if line.startswith("CapPrm:")), "0")
    return bool(int(held, 16) >> capability & 1)


def drop(uid: int, gid: int, capability: int = NO_CAPABILITY) -> None:
    """Becomes the account for good, with no capability but the one named."""
    if capability != NO_CAPABILITY:
        # Without this bit access(2), which PostgreSQL asks about its own files, ignores capabilities of other users.
        _prctl(_PR_SET_SECUREBITS, _prctl(_PR_GET_SECUREBITS) | _SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if capability != NO_CAPABILITY:
        _keep_only(capability)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def die_with_parent(parent: int, last_signal: int) -> None:
    """Asks for the signal when the parent ends, and ends at once where it already has."""
    _prctl(_PR_SET_PDEATHSIG, last_signal)
    if os.getppid() != parent:
        sys.exit(128 + last_signal)


def wrap(
    argv: list[str],
    *,
    uid: int = KEEP_ACCOUNT,
    gid: int = KEEP_ACCOUNT,
    capability: int = NO_CAPABILITY,
    last_signal: signal.Signals = signal.SIGTERM,
) -> list[str]:
    """The command line that starts `argv` under these rights, as a child of this process."""
    rights = (os.getpid(), uid, gid, capability, int(last_signal))
    return [sys.executable, "-I", "-S", os.path.realpath(__file__), *map(str, rights), *argv]


def _keep_only(capability: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    header = _Header(_CAPABILITY_VERSION_3, 0)
    bit = 1 << capability
    sets = (_Sets * 2)(_Sets(bit, bit, bit), _Sets(0, 0, 0))
    if libc.capset(ctypes.byref(header), sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def _prctl(option: int, argument: int = 0, further: int = 0) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    unsigned = [ctypes.c_ulong(value) for value in (argument, further, 0, 0)]
    result: int = libc.prctl(option, *unsigned)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")
    return result


def main(arguments: list[str]) -> None:
    """`PARENT UID GID CAPABILITY SIGNAL PROGRAM ARGUMENT...`, -1 standing for "as it is"."""
    parent, uid, gid, capability, last_signal = map(int, arguments[:5])
    program = arguments[5:]
    if uid != KEEP_ACCOUNT:
        drop(uid, gid, capability)
    # After the change of account, which would clear it.
    die_with_parent(parent, last_signal)
    os.execv(program[0], program)  # noqa: S606 - becoming the program without a shell is the point


if __name__ == "__main__":
    main(sys.argv[1:])
