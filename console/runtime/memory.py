"""What a process that reads large bodies gives back to the machine, and when."""

from __future__ import annotations

import contextlib
import ctypes

#: From malloc.h of glibc.
_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 512 << 10


def give_back_at_once() -> None:
    """Have memory of half a MiB and more go back as soon as it is freed. Does nothing where the C library is another.

    Left to itself glibc raises this bound to whatever was freed last, up to 32 MiB, and keeps it: after an hour of
    large bodies every thread holds on to some. And what lies in a mapping of its own grows without being copied.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
