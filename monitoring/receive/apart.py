"""Works on large bodies in a process of its own: what takes tens of milliseconds in one piece holds up no
thread of the web process, and its memory goes back when it ends.

The process starts with the first large body, goes after others where processors are short, and ends when it has been
idle, when it has grown, or when whoever started it is gone. It keeps nothing: an answer comes after the commit, so a
body whose process died is sent again, and known if it was committed.
"""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import os
import select
import signal
import subprocess
import threading
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeAlias

import psutil

from monitoring.receive.accept import After, accept_together
from monitoring.receive.arrival import Answer, Arrival, refusal
from monitoring.receive.connections import keep_own_connection

_log = logging.getLogger(__name__)

#: A command line whose last word will be the descriptor of the pipe that it is to serve.
CommandLine: TypeAlias = Sequence[str]
#: What one body led to: its answer, or what went wrong in words, and what `after` is to be told.
_Outcome: TypeAlias = tuple[Answer | str, list[tuple[int, tuple[int, ...]]]]

#: Nobody waits as long for an answer. A thread could not be stopped; a process can.
_MOST_S = 30.0
#: How much less of a busy processor it gets than those who work on small bodies: about a tenth.
_NICE = 10
#: Where Linux shares processors out by session, this says what the session gets.
_OWN_SHARE = Path("/proc/self/autogroup")
#: Memory by the megabyte comes in large pages, where Linux has such: in small ones it costs as much time to have as is
#: spent on what is written there.
_TUNABLES, _LARGE_PAGES = "GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"
_IDLE_S = 300.0
#: What it may hold between two bodies. It starts with about 100 MiB; a new one takes a second.
_MOST_HELD = 256 << 20


class WorkFailed(RuntimeError):
    """A body could not be worked on, for the reason that the process gave."""


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    pipe: Connection[Any, Any]


class Apart:
    """The side that hands bodies over, one at a time."""

    def __init__(self, command: CommandLine, after: After) -> None:
        """`after` is called in this process, for whatever was committed in the other."""
        self._command = command
        self._after = after
        self._worker: _Worker | None = None
        self._one_at_a_time = threading.Lock()

    def accept(self, arrival: Arrival) -> Answer | Exception:
        """Return the answer to one request; 503 where the process died over it."""
        with self._one_at_a_time:
            outcome = self._outcome(arrival)
        if outcome is None:
            _log.warning("the process for large bodies ended while it worked on one")
            message = "The process that worked on this body has ended; try again."
            return refusal(arrival.encoding, 503, "fault", message)
        answer, told = outcome
        for tenant_id, intended in told:
            self._after(tenant_id, intended)
        return WorkFailed(answer) if isinstance(answer, str) else answer

    def close(self) -> None:
        """Let the process end."""
        with self._one_at_a_time:
            if self._worker is not None:
                self._ended(self._worker)

    def _outcome(self, arrival: Arrival) -> _Outcome | None:
        while True:
            waiting, has_it = self._waiting(), False
            worker = waiting or self._started()
            limit = threading.Timer(_MOST_S, worker.process.kill)
            limit.start()
            try:
                # The body by itself: pickled, it would be copied.
                worker.pipe.send((replace(arrival, body=b""), len(arrival.body)))
                _hand_over(worker.pipe, arrival.body)
                has_it = True
                outcome: _Outcome = worker.pipe.recv()
            except (OSError, EOFError):
                # One that ended of itself, or before it had the whole of this body, has not begun with it.
                if self._ended(worker) != 0 and (has_it or waiting is None):
                    return None
            else:
                return outcome
            finally:
                limit.cancel()

    def _waiting(self) -> _Worker | None:
        if self._worker is not None and self._worker.process.poll() is not None:
            self._ended(self._worker)
        return self._worker

    def _started(self) -> _Worker:
        ours, its = Pipe()
        command = [*self._command, str(its.fileno())]
        # Its output is ours; so is its end, since the pipe closes with us whatever becomes of us. The session is its
        # own because Linux may share processors out by session first.
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, pass_fds=(its.fileno(),), env=_environment(), start_new_session=True
        )
        its.close()
        self._worker = _Worker(process, ours)
        return self._worker

    def _ended(self, worker: _Worker) -> int:
        """Let go of a process; how it ended."""
        self._worker = None
        worker.pipe.close()
        return worker.process.wait()


def _environment() -> dict[str, str]:
    said = os.environ.get(_TUNABLES)
    return {**os.environ, _TUNABLES: f"{said}:{_LARGE_PAGES}" if said else _LARGE_PAGES}


def work_apart(descriptor: int) -> None:
    """The other side: work on one body after the other, until none comes for a while or too much memory is held."""
    # A web server may be stopped with all that it has started; what it has begun it ends, and this ends with it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_other_side, args=(descriptor,), daemon=True).start()
    keep_own_connection()
    gc.freeze()
    # Not before: somebody waits for it to start.
    with contextlib.suppress(OSError):
        os.nice(_NICE)
        _OWN_SHARE.write_text(str(_NICE))
    pipe: Connection[_Outcome, Any] = Connection(descriptor)
    own = psutil.Process()
    while pipe.poll(_IDLE_S):
        arrival, size = pipe.recv()
        pipe.send(_worked_on(replace(arrival, body=_taken_over(pipe, size))))
        del arrival
        if own.memory_info().rss > _MOST_HELD:
            return


def _hand_over(pipe: Connection[Any, Any], body: bytes) -> None:
    with memoryview(body) as left:
        while left:
            left = left[os.write(pipe.fileno(), left) :]  # noqa: PLW2901  What is written is not left.


def _taken_over(pipe: Connection[Any, Any], size: int) -> bytes:
    """The body, in the one place that it will have: a buffer that grows would cost five times as much time."""
    body, at = io.BytesIO(bytes(size)), 0
    with body.getbuffer() as room:
        while at < size:
            came = os.readv(pipe.fileno(), [room[at:]])
            if not came:
                raise EOFError
            at += came
    return body.getvalue()


def _worked_on(arrival: Arrival) -> _Outcome:
    told: list[tuple[int, tuple[int, ...]]] = []
    answer = accept_together([arrival], lambda tenant_id, intended: told.append((tenant_id, intended)))[0]
    if isinstance(answer, Exception):
        # Not every error can be sent as it is.
        return "".join(traceback.format_exception(answer)), told
    return answer, told


def _end_with_other_side(descriptor: int) -> None:
    """Nobody is left to be answered: what is under way is rolled back, as when the other side's machine dies."""
    hang_up = select.poll()
    hang_up.register(descriptor, 0)
    hang_up.poll()
    os._exit(1)
