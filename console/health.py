"""Is the process alive, is it ready to serve, and how old is what waits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.utils import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from console.celery import app as celery

#: Timers that are due longer than this mean that no worker is dealing with them.
_LATE_S = 60


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that the console needs, and how it is."""

    name: str
    ok: bool
    detail: str


async def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 as long as the process turns."""
    return JsonResponse({"status": "alive", "version": settings.VERSION})


async def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 when requests can be served in full, else 503 and what is missing. A late queue is told, not fatal."""
    parts = await asyncio.gather(asyncio.to_thread(_database), asyncio.to_thread(_broker))
    queue = await asyncio.to_thread(queue_age_s) if parts[0].ok else None
    ready = all(part.ok for part in parts)
    answer = {
        "status": "ready" if ready else "not ready",
        **{part.name: part.detail for part in parts},
        "queue": "unknown" if queue is None else f"oldest due timer {queue:.0f} s" if queue else "nothing late",
        "queue_late": queue is not None and queue > _LATE_S,
    }
    return JsonResponse(answer, status=200 if ready else 503)


def queue_age_s() -> float:
    """Return for how long the oldest due timer has been waiting, 0 when none is."""
    oldest = _asked("SELECT min(due_at) FROM monitoring_timer WHERE due_at <= now()")
    return 0.0 if oldest is None else max(0.0, (timezone.now() - oldest).total_seconds())


def _database() -> Part:
    try:
        read_only = _asked("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'")
    except DatabaseError as error:
        return Part("database", ok=False, detail=f"unreachable: {error.__class__.__name__}")
    return Part("database", ok=not read_only, detail="read-only" if read_only else "ok")


def _asked(question: str) -> Any:
    """The one value of the answer. What this thread kept of an earlier connection is not trusted, and nothing kept."""
    connection.close()
    try:
        with connection.cursor() as cursor:
            cursor.execute(question)
            return cursor.fetchone()[0]
    finally:
        connection.close()


def _broker() -> Part:
    try:
        with celery.connection_for_read(connect_timeout=2) as broker:
            broker.ensure_connection(max_retries=1, timeout=2)
    except Exception as error:  # noqa: BLE001  Every transport has errors of its own; any means: not reachable.
        return Part("broker", ok=False, detail=f"unreachable: {error.__class__.__name__}")
    return Part("broker", ok=True, detail="ok")
