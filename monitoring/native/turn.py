"""Which thread works on: the event loop is one, and somebody waits for it; what is short goes before what is long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

#: So long what is long stands aside at a time, and in all. Beyond that it is long enough.
_MOST_S, _IN_ALL_S = 0.002, 0.03


class _Here(threading.local):
    """Whether this thread works on something short, and how much longer it stands aside for those that do."""

    is_short = False
    left_s = 0.0


_here = _Here()
_lock = threading.Lock()
#: How many threads work on something short at this moment, rather than wait for the database.
_short = 0
_none_short = threading.Event()
_none_short.set()


def give_way() -> None:
    """Let a thread that waits for the interpreter have it; next to nothing where none waits.

    The interpreter looks for such threads when it enters a function of Python's, as this one is and stays. Compiled
    code looks for none, so a loop over many spans or runs calls this in each of its rounds.
    """
    # Of two threads that work each gets a tenth of a millisecond in turn: what takes three would take six.
    if _short and _here.left_s > 0 and not _here.is_short:
        began = time.monotonic()
        _none_short.wait(_MOST_S)
        _here.left_s -= time.monotonic() - began


@contextmanager
def working_on(*, short: bool) -> Iterator[None]:
    """Say of this thread what it works on meanwhile."""
    if not short:
        _here.left_s = _IN_ALL_S
        try:
            yield
        finally:
            _here.left_s = 0.0
        return
    _here.is_short = True
    _count(1)
    try:
        yield
    finally:
        _count(-1)
        _here.is_short = False


def wait_begins() -> None:
    """Say that this thread waits for somebody else and needs the interpreter for nothing."""
    if _here.is_short:
        _count(-1)


def wait_ends() -> None:
    """Say that it goes on with its work."""
    if _here.is_short:
        _count(1)


def _count(more: int) -> None:
    global _short  # noqa: PLW0603  One number for all threads of the process.
    with _lock:
        _short += more
        if _short:
            _none_short.clear()
        else:
            _none_short.set()
