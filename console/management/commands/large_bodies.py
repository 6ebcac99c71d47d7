"""`manage.py large_bodies`: works on what is large for the process that started it. Nobody else need call it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from console.runtime.memory import give_back_at_once
from console.telemetry import set_up
from monitoring.receive.apart import work_apart


class Command(BaseCommand):
    """Serves the pipe until its other end is closed."""

    help = __doc__ or ""
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("pipe", type=int, help="the descriptor of the pipe")

    def handle(self, *_: Any, pipe: int, **__: Any) -> None:
        """Does no more than that: who started it has looked at the fence between tenants."""
        give_back_at_once()
        set_up()
        work_apart(pipe)
