"""Whose requests are worked on next: a few threads, tenants in turn, what waits of one tenant together, one large body
at a time."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from monitoring.receive.connections import keep_own_connection
from monitoring.receive.share import Overloaded, Share

Item = TypeVar("Item")
Result = TypeVar("Result")

#: A tenant's requests are worked on one group at a time: meanwhile the next ones gather and share a transaction. A
#: group that takes longer than this waits for something, and holds the others up no more.
_USUAL_S = 0.25
#: What is so many times smaller than what goes together need not wait for it: an alert rarely comes in a full batch.
_SHORT = 80
#: Senders that were answered together come back within moments of each other. The next group waits this long for them:
#: begun with the first, it would be of one request each second time, and a transaction costs as much as 200 spans.
_MOMENT_S = 0.01


class Stalled(RuntimeError):
    """The work on a request did not end in time, or no thread is left that could begin it."""


@dataclass(eq=False, slots=True)
class _Job(Generic[Item, Result]):
    tenant_id: int
    item: Item
    size: int
    is_large: bool
    done: asyncio.Future[Result]
    group: _Group[Item, Result] | None = None


@dataclass(eq=False, slots=True)
class _Group(Generic[Item, Result]):
    """Jobs that one call works on."""

    jobs: list[_Job[Item, Result]]
    is_given_up: bool = False
    is_slow: bool = False


@dataclass(slots=True)
class _Line(Generic[Item, Result]):
    """Jobs that wait, by tenant; tenants take turns."""

    of: OrderedDict[int, deque[_Job[Item, Result]]] = field(default_factory=OrderedDict)

    def put(self, job: _Job[Item, Result]) -> None:
        self.of.setdefault(job.tenant_id, deque()).append(job)

    def next(self, largest: Callable[[int], float], most: int) -> list[_Job[Item, Result]]:
        """Of the first tenant that has any, the first jobs that are no larger than `largest` says of it, as many as
        are no larger than `most` together, at least one; that tenant goes to the end of the line."""
        for tenant_id, jobs in self.of.items():
            limit, size = largest(tenant_id), 0
            taken: list[_Job[Item, Result]] = []
            for job in jobs:
                if taken and size + job.size > most:
                    break
                if job.size <= limit:
                    size += job.size
                    taken.append(job)
            if taken:
                self.of.move_to_end(tenant_id)
                for job in taken:
                    self.drop(job)
                return taken
        return []

    def drop(self, job: _Job[Item, Result]) -> None:
        jobs = self.of[job.tenant_id]
        jobs.remove(job)
        if not jobs:
            del self.of[job.tenant_id]


class Turns(Generic[Item, Result]):
    """The threads that work on requests. Used by one thread, the event loop's; only `work` runs elsewhere.

    `work` is given what waited of one tenant, up to `together` in size, and returns as many results or errors. A
    tenant never holds the last thread, so another's request waits for nobody but itself. A thread that is stuck stays
    counted until it ends: the number of threads never grows, and when all are stuck requests are refused at once.
    """

    def __init__(
        self,
        threads: int,
        work: Callable[[Sequence[Item]], Sequence[Result | Exception]],
        *,
        waiting: int,
        together: int = 0,
    ) -> None:
        self.threads = threads
        self.waiting = Share(waiting)
        self.running: dict[int, list[_Group[Item, Result]]] = {}
        self.stuck = 0
        self._work = work
        self._together = together
        self._is_large_running = False
        #: By tenant how many have just been answered together, and what ends the wait for them.
        self._awaited: dict[int, tuple[int, asyncio.TimerHandle]] = {}
        self._small: _Line[Item, Result] = _Line()
        self._large: _Line[Item, Result] = _Line()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="intake", initializer=keep_own_connection)

    async def run(self, tenant_id: int, item: Item, *, size: int, is_large: bool, limit_s: float) -> Result:
        """Return what `work` makes of the item. Raises Overloaded or OverShare where too many wait, Stalled after
        `limit_s`. An item larger than what goes together is worked on alone."""
        if self.stuck == self.threads:
            raise Stalled("every thread of this worker is stuck")
        line = self._large if is_large else self._small
        with self.waiting.holding(tenant_id) as place:
            place.add(1)
            job = _Job(tenant_id, item, size, is_large, asyncio.get_running_loop().create_future())
            line.put(job)
            self._start_next()
            await asyncio.wait((job.done,), timeout=limit_s)
        if job.done.done():
            result: Result = job.done.result()
            return result
        if job.group is None:
            line.drop(job)
            raise Overloaded
        if not job.group.is_given_up:
            job.group.is_given_up = True
            self.stuck += 1
        job.done.cancel()
        raise Stalled(f"no answer within {limit_s:.0f} s")

    def close(self) -> None:
        """Wait for the threads to end."""
        self._pool.shutdown()

    def _start_next(self) -> None:
        while sum(map(len, self.running.values())) < self.threads:
            jobs = [] if self._is_large_running else self._large.next(self._largest, 0)
            jobs = jobs or self._small.next(self._largest, self._together)
            if not jobs:
                return
            self._start(_Group(jobs))

    def _largest(self, tenant_id: int) -> float:
        """The size of the largest job of this tenant that may be started now, -1 where none may."""
        running = self.running.get(tenant_id, ())
        if len(running) >= max(1, self.threads - 1):
            return -1
        short = self._together // _SHORT
        usual = [sum(job.size for job in group.jobs) for group in running if not group.is_slow]
        if not usual:
            return short if self._is_gathering(tenant_id) else math.inf
        return short if short and min(usual) > short else -1

    def _is_gathering(self, tenant_id: int) -> bool:
        """Whether more of this tenant's requests will come at once than wait by now, and there is room for them."""
        awaited, waiting = self._awaited.get(tenant_id), self._small.of.get(tenant_id, ())
        return awaited is not None and len(waiting) < awaited[0] and sum(job.size for job in waiting) < self._together

    def _await(self, tenant_id: int, count: int) -> None:
        """Wait a moment for so many requests of this tenant; one request alone has nobody to wait for."""
        known = self._awaited.pop(tenant_id, None)
        if known is not None:
            known[1].cancel()
        if count > 1:
            self._awaited[tenant_id] = count, asyncio.get_running_loop().call_later(_MOMENT_S, self._came, tenant_id)

    def _came(self, tenant_id: int) -> None:
        del self._awaited[tenant_id]
        self._start_next()

    def _start(self, group: _Group[Item, Result]) -> None:
        loop, first = asyncio.get_running_loop(), group.jobs[0]
        for job in group.jobs:
            job.group = group
        self._is_large_running |= first.is_large
        self.running.setdefault(first.tenant_id, []).append(group)
        working = loop.run_in_executor(self._pool, self._work, [job.item for job in group.jobs])
        slow = loop.call_later(_USUAL_S, self._slow, group)
        working.add_done_callback(lambda ended: self._end(group, ended, slow))

    def _slow(self, group: _Group[Item, Result]) -> None:
        group.is_slow = True
        self._start_next()

    def _end(
        self,
        group: _Group[Item, Result],
        ended: asyncio.Future[Sequence[Result | Exception]],
        slow: asyncio.TimerHandle,
    ) -> None:
        slow.cancel()
        first = group.jobs[0]
        self.running[first.tenant_id].remove(group)
        if not self.running[first.tenant_id]:
            del self.running[first.tenant_id]
        if first.is_large:
            self._is_large_running = False
        if group.is_given_up:
            self.stuck -= 1
        failed = asyncio.CancelledError() if ended.cancelled() else ended.exception()
        results = [failed] * len(group.jobs) if failed is not None else ended.result()
        for job, result in zip(group.jobs, results, strict=True):
            _settle(job.done, result)
            # What leads back to itself goes when the collector comes by, and bodies would pile up until then.
            job.group = None
        if self._together:
            self._await(first.tenant_id, len(group.jobs) + len(self._small.of.get(first.tenant_id, ())))
        self._start_next()


def _settle(done: asyncio.Future[Result], result: Result | BaseException) -> None:
    """Hand the result over, unless nobody waits for it any more."""
    if done.done():
        return
    if isinstance(result, asyncio.CancelledError):
        done.cancel()
    elif isinstance(result, BaseException):
        done.set_exception(result)
    else:
        done.set_result(result)
