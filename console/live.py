"""Live pages: one LISTEN connection for each process fans out to the open event streams of each tenant."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator

import orjson
import psycopg
from asgiref.sync import sync_to_async
from django.db import connections
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone

from console.access import LAST_TENANT, viewer_in
from monitoring.live import CHANNEL
from partners.models import User
from partners.viewer import tenants_of

_log = logging.getLogger(__name__)
#: A comment line this often keeps proxies from closing a quiet stream.
_HEARTBEAT_S = 15.0
#: A page is at most this old when its stream opens.
_RENDERED_S = 5.0
#: A page hears of a topic at once, and then not again for this long: it reloads its rows a few times a second at most.
_GATHER_S = 0.2
#: What somebody waits for is told with next to no delay; one burst is still one word.
_URGENT_GATHER_S = {"alerts": 0.01, "dead_letters": 0.01}


class Stream:
    """What one open page has yet to hear."""

    def __init__(self) -> None:
        self.topics: set[str] = set()
        self.woken = asyncio.Event()
        self._said: dict[str, float] = {}

    def tell(self, topics: list[str]) -> None:
        """Add topics and wake the stream; no topics, no waking."""
        self.topics.update(topics)
        if topics:
            self.woken.set()

    def _may_be_told_at(self, topic: str) -> float:
        return self._said.get(topic, 0.0) + _URGENT_GATHER_S.get(topic, _GATHER_S)

    async def next_topics(self) -> list[str]:
        """Return the topics that may be told now, as soon as there is one; empty after a quiet heartbeat."""
        while True:
            self.woken.clear()
            now = time.monotonic()
            waits = {topic: self._may_be_told_at(topic) - now for topic in self.topics}
            due = sorted(topic for topic, wait in waits.items() if wait <= 0)
            if due:
                self.topics.difference_update(due)
                self._said.update(dict.fromkeys(due, now))
                return due
            try:
                await asyncio.wait_for(self.woken.wait(), min(waits.values(), default=_HEARTBEAT_S))
            except TimeoutError:
                if not waits:
                    return []


class Hub:
    """Hears every announcement once and tells the streams of its tenant. Reconnects when the database was away."""

    def __init__(self) -> None:
        self._streams: dict[int, set[Stream]] = defaultdict(set)
        self._announced: dict[int, dict[str, float]] = defaultdict(dict)
        self._task: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def subscribed(self, tenant_id: int) -> Iterator[Stream]:
        """Give a stream that hears of one tenant."""
        stream = Stream()
        # What was announced between a page's rendering and its stream's opening would be missed otherwise.
        since = time.monotonic() - _RENDERED_S
        stream.tell([topic for topic, at in self._announced[tenant_id].items() if at > since])
        self._streams[tenant_id].add(stream)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._listen())
        try:
            yield stream
        finally:
            self._streams[tenant_id].discard(stream)

    async def close(self) -> None:
        """Stop listening; open streams end with their requests."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _listen(self) -> None:
        parameters = connections["default"].get_connection_params()
        wanted = {
            name: parameters[name] for name in ("dbname", "user", "password", "host", "port") if parameters.get(name)
        }
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(**wanted, autocommit=True) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self._tell_all()
                    async for notice in connection.notifies():
                        said = orjson.loads(notice.payload)
                        self._announced[said["tenant"]] |= dict.fromkeys(said["topics"], time.monotonic())
                        for stream in tuple(self._streams.get(said["tenant"], ())):
                            stream.tell(said["topics"])
            except psycopg.Error as error:
                _log.warning("live pages wait for the database: %s", error)
                await asyncio.sleep(1)

    def _tell_all(self) -> None:
        # Whatever was announced while nobody listened is not known, so every page looks again.
        for streams in self._streams.values():
            for stream in tuple(streams):
                stream.tell(["alerts", "board", "dead_letters", "runs"])


hub = Hub()


async def live(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Stream a tenant's announcements: events named by topic, with the time; a `pulse` when nothing happens.

    The tenant is the one named by `?tenant=`, else the one the person looked at last, else their first.
    """
    tenant_id = await sync_to_async(_tenant_id)(request)
    response = StreamingHttpResponse(_events(tenant_id), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


def _tenant_id(request: HttpRequest) -> int:
    if not isinstance(request.user, User):
        raise Http404("Sign in to follow a tenant.")
    slug = request.GET.get("tenant") or request.session.get(LAST_TENANT, "")
    if not slug and (tenants := tenants_of(request.user)):
        slug = tenants[0].slug
    return viewer_in(request.user, slug).tenant.pk


async def _events(tenant_id: int) -> AsyncIterator[bytes]:
    with hub.subscribed(tenant_id) as stream:
        yield b"retry: 1000\n\n"
        while True:
            topics = await stream.next_topics()
            data = orjson.dumps({"at": timezone.now().isoformat()}).decode()
            for topic in topics or ["pulse"]:
                yield f"event: {topic}\ndata: {data}\n\n".encode()
