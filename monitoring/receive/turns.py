"""Whose request is worked on next: a few threads, tenants in turn, one large body at a time."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from monitoring.receive.arrival import Answer
from monitoring.receive.connections import keep_own_connection
from monitoring.receive.share import Overloaded, Share


class Stalled(RuntimeError):
    """The work on a request did not end in time, or no thread is left that could begin it."""


@dataclass(eq=False, slots=True)
class _Job:
    tenant_id: int
    call: Callable[[], Answer]
    is_large: bool
    done: asyncio.Future[Answer]
    is_running: bool = False
    is_given_up: bool = False


@dataclass(slots=True)
class _Line:
    """Jobs that wait, by tenant; tenants take turns."""

    of: OrderedDict[int, deque[_Job]] = field(default_factory=OrderedDict)

    def put(self, job: _Job) -> None:
        self.of.setdefault(job.tenant_id, deque()).append(job)

    def next(self, may: Callable[[int], bool]) -> _Job | None:
        """The first job of the first tenant that may; that tenant goes to the end of the line."""
        for tenant_id, jobs in self.of.items():
            if may(tenant_id):
                job = jobs.popleft()
                self.of.move_to_end(tenant_id)
                if not jobs:
                    del self.of[tenant_id]
                return job
        return None

    def drop(self, job: _Job) -> None:
        jobs = self.of[job.tenant_id]
        jobs.remove(job)
        if not jobs:
            del self.of[job.tenant_id]


class Turns:
    """The threads that work on requests. Used by one thread, the event loop's; only the calls run elsewhere.

    A tenant never holds the last thread, so another's request waits for nobody but itself. A thread that is stuck stays
    counted until it ends: the number of threads never grows, and when all are stuck requests are refused at once.
    """

    def __init__(self, threads: int, *, waiting: int) -> None:
        self.threads = threads
        self.waiting = Share(waiting)
        self.running: dict[int, int] = {}
        self.stuck = 0
        self._is_large_running = False
        self._small, self._large = _Line(), _Line()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="intake", initializer=keep_own_connection)

    async def run(self, tenant_id: int, call: Callable[[], Answer], *, is_large: bool, limit_s: float) -> Answer:
        """Return what `call` returns. Raises Overloaded or OverShare where too many wait, Stalled after `limit_s`."""
        if self.stuck == self.threads:
            raise Stalled("every thread of this worker is stuck")
        with self.waiting.holding(tenant_id) as place:
            place.add(1)
            job = _Job(tenant_id, call, is_large, asyncio.get_running_loop().create_future())
            (self._large if is_large else self._small).put(job)
            self._start_next()
            await asyncio.wait((job.done,), timeout=limit_s)
        if job.done.done():
            return job.done.result()
        if not job.is_running:
            (self._large if is_large else self._small).drop(job)
            raise Overloaded
        job.is_given_up = True
        self.stuck += 1
        raise Stalled(f"no answer within {limit_s:.0f} s")

    def close(self) -> None:
        """Wait for the threads to end."""
        self._pool.shutdown()

    def _start_next(self) -> None:
        while sum(self.running.values()) < self.threads:
            job = None if self._is_large_running else self._large.next(self._may_start)
            job = job or self._small.next(self._may_start)
            if job is None:
                return
            self._start(job)

    def _may_start(self, tenant_id: int) -> bool:
        return self.running.get(tenant_id, 0) < max(1, self.threads - 1)

    def _start(self, job: _Job) -> None:
        job.is_running = True
        self._is_large_running |= job.is_large
        self.running[job.tenant_id] = self.running.get(job.tenant_id, 0) + 1
        working = asyncio.get_running_loop().run_in_executor(self._pool, job.call)
        working.add_done_callback(lambda ended: self._end(job, ended))

    def _end(self, job: _Job, ended: asyncio.Future[Answer]) -> None:
        self.running[job.tenant_id] -= 1
        if not self.running[job.tenant_id]:
            del self.running[job.tenant_id]
        if job.is_large:
            self._is_large_running = False
        if job.is_given_up:
            self.stuck -= 1
        if ended.cancelled():
            job.done.cancel()
        elif (error := ended.exception()) is not None:
            if not job.is_given_up:
                job.done.set_exception(error)
        else:
            job.done.set_result(ended.result())
        self._start_next()
