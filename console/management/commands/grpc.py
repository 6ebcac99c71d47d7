"""`manage.py grpc`: takes OTLP over gRPC, beside the web processes that take it over HTTP."""

from __future__ import annotations

import asyncio
import signal
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from console.runtime.children import GRACE_S, LARGE_BODIES
from console.runtime.memory import give_back_at_once
from console.telemetry import set_up
from monitoring.receive.door import Door
from monitoring.receive.grpc_server import serve
from monitoring.tasks import send_soon
from partners.checks import fence_faults


class Command(BaseCommand):
    """Listens until it is told to stop."""

    help = __doc__ or ""
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=settings.GRPC_PORT or 4317)

    def handle(self, *_: Any, host: str, port: int, **__: Any) -> None:
        """Refuses to start where the fence between tenants would not hold, as the web processes do."""
        faults = fence_faults()
        connections.close_all()
        if faults:
            raise CommandError(f"Andon does not start: {'; '.join(faults)}.")
        give_back_at_once()
        set_up()
        asyncio.run(_listen(f"{host}:{port}"))


async def _listen(address: str) -> None:
    door = Door(after=send_soon, large_bodies=LARGE_BODIES)
    try:
        server, _ = await serve(door, address)
    except RuntimeError as error:
        raise CommandError(f"OTLP/gRPC can't listen on {address}: {error}") from error
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    await asked.wait()
    await server.stop(GRACE_S)
    await asyncio.to_thread(door.outcomes.write)
