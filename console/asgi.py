"""The ASGI application: intake beside Django, and a start that is refused where the fence would not hold."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
# Every request has a thread of its own here; a pool hands connections round between them.
os.environ.setdefault("ANDON_DATABASE_POOL", "12")

import asyncio
import gc
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import django
from django.db import DatabaseError

django.setup(set_prefix=False)

from console.handler import Handler  # noqa: E402  Models exist only once Django is set up.
from console.live import hub  # noqa: E402
from console.runtime.children import LARGE_BODIES  # noqa: E402
from console.runtime.http_protocol import HttpProtocol  # noqa: E402
from console.runtime.memory import give_back_at_once  # noqa: E402
from console.telemetry import set_up  # noqa: E402
from monitoring.receive.app import IntakeApp  # noqa: E402
from monitoring.tasks import send_soon  # noqa: E402
from partners.checks import fence_faults  # noqa: E402

#: As long as a database takes to come back from a crash.
_FENCE_PATIENCE_S = 30.0

give_back_at_once()
_django = Handler()
intake = IntakeApp(after=send_soon, large_bodies=LARGE_BODIES)
HttpProtocol.unreadable = staticmethod(intake.unreadable)
set_up()
# What stands after the start stays: the collector need not look at it again. And half a thousand spans are thousands
# of objects that soon go by themselves; looking for cycles among them every few hundred takes a tenth of the time.
gc.freeze()
# A thread that has waited for the database asks for the interpreter back after each statement. While another one works
# through a large batch it would wait five thousandths of a second each time: a tenth of one for a request of an alert.
sys.setswitchinterval(0.0001)
gc.set_threshold(50_000, 20, 50)


async def application(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[Any], Awaitable[None]],
) -> None:
    """Route one connection."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http" and IntakeApp.serves(scope["path"]):
        await intake(scope, receive, send)
    else:
        await _django(scope, receive, send)


async def _lifespan(
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[Any], Awaitable[None]],
) -> None:
    await receive()
    faults = await _faults_of_fence()
    if faults:
        await send({"type": "lifespan.startup.failed", "message": f"Andon does not start: {'; '.join(faults)}."})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await hub.close()
    await asyncio.to_thread(intake.door.outcomes.write)
    await send({"type": "lifespan.shutdown.complete"})


async def _faults_of_fence() -> list[str]:
    """Ask until the database answers: a worker that gave up at once would take the whole web server with it."""
    deadline = time.monotonic() + _FENCE_PATIENCE_S
    while True:
        try:
            return await asyncio.to_thread(fence_faults)
        except DatabaseError as error:
            # As long as it can't be told whether the fence holds, nothing is served.
            if time.monotonic() > deadline:
                return [f"the database can't be asked whether the fence between tenants holds: {error}"]
        await asyncio.sleep(0.2)
