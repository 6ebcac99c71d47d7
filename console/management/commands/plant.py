"""`manage.py plant`: the reference plant, until it is told to stop."""

from __future__ import annotations

import logging
import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from console.embedded.home import home
from console.plant.address import console_url
from console.plant.keys import read_keys
from console.plant.plants import PLANTS
from console.plant.running import Running
from console.plant.sender import Sender
from console.runtime.supervisor import Stopped, stopped_by_signals

_log = logging.getLogger(__name__)
SEED = 4711


class Command(BaseCommand):
    """Sends the opening scene, fills thirty days of history and keeps live traffic flowing."""

    help = __doc__ or ""
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, default=SEED, help="what chance starts from")
        parser.add_argument("--url", default="", help="the console's address, if not this installation's own")

    def handle(self, *_: Any, seed: int, url: str, **__: Any) -> None:
        """Runs until SIGTERM or Ctrl-C."""
        folder = home(os.environ)
        keys = read_keys(folder)
        if missing := sorted({plant.tenant_slug for plant in PLANTS} - keys.keys()):
            _log.error("No ingest key is kept for %s. Run `manage.py demo` first.", ", ".join(missing))
            sys.exit(1)
        address = url or console_url(os.environ)
        senders = {tenant: Sender(address, key) for tenant, key in keys.items()}
        try:
            with stopped_by_signals():
                Running(folder, senders, seed).run()
        except Stopped:
            _log.info("stopped")
