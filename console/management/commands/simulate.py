"""`manage.py simulate`: one scenario of the reference plant against one tenant."""

from __future__ import annotations

import logging
import os
import secrets
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import Q

from console.embedded.home import home, prepare
from console.plant.address import console_url
from console.plant.plants import BY_SLUG, plant_of_tenant
from console.plant.scenario import SCENARIOS, Scenario, play
from console.plant.sender import Sender, Tally
from console.plant.tenants import keys_ensure
from partners.models import Tenant

#: The plant that acts for a tenant without one of its own: it names no site.
_STRANGER = BY_SLUG["rockford"]


class Command(BaseCommand):
    """Sends the scenario's runs and says what was answered. Exits with 1 where anything was lost or refused."""

    help = __doc__ or ""
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True, help="name or short name of the tenant")
        parser.add_argument("--scenario", required=True, help=", ".join(SCENARIOS))
        parser.add_argument("--rate", type=float, default=2.0, help="runs a second")
        parser.add_argument("--seconds", type=float, default=10.0, help="for how long")
        parser.add_argument("--seed", type=int, default=None, help="the same seed sends the same ids")
        parser.add_argument("--url", default="", help="the console's address, if not this installation's own")

    def handle(
        self, *_: Any, tenant: str, scenario: str, rate: float, seconds: float, seed: int | None, url: str, **__: Any
    ) -> None:
        """Sends it."""
        # What went wrong is told in the summary; the exporter's own log would tell it a second time.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        if scenario not in SCENARIOS:
            known = "\n".join(f"  {name:18} {text}" for name, text in SCENARIOS.items())
            self._stop(f"There is no scenario '{scenario}'. There are:\n{known}")
        if rate <= 0 or seconds <= 0:
            self._stop("--rate and --seconds must be more than 0.")
        found = Tenant.objects.filter(Q(slug=tenant) | Q(name=tenant)).order_by("pk").first()
        if found is None:
            names = ", ".join(Tenant.objects.order_by("slug").values_list("slug", flat=True)) or "none"
            self._stop(f"There is no tenant '{tenant}'. There are: {names}.")
            return
        seed = secrets.randbelow(2**31) if seed is None else seed
        address = url or console_url(os.environ)
        key = keys_ensure(prepare(home(os.environ)), {found.slug: found})[found.slug]
        sender = Sender(address, key, gives_up=True)
        plant = plant_of_tenant(found.slug) or _STRANGER
        self.stdout.write(f"{scenario} to {found.name} at {address}, seed {seed}")
        runs = play(Scenario(scenario, plant, found.slug, rate, seconds, seed), sender)
        self._tell(runs, sender.tally)

    def _tell(self, runs: int, tally: Tally) -> None:
        answers = ", ".join(f"{count} x {answer}" for answer, count in sorted(tally.answers.items()))
        self.stdout.write(f"sent: {runs} runs, {tally.spans} spans, {tally.events} events")
        self.stdout.write(f"answered: {answers}; {tally.rejected} items rejected, {tally.lost} lost")
        if tally.lost or tally.rejected:
            self._stop(tally.last_problem)

    def _stop(self, message: str) -> None:
        self.stderr.write(message)
        sys.exit(1)
