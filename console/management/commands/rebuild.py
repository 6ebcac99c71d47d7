"""`manage.py rebuild`: what is projected of a tenant, compared with its intake log and put right."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from monitoring.selectors.payloads import UnreadablePayload
from monitoring.settle.rebuild import PHASES, Progress, RebuildRunning, rebuild
from partners.selectors import tenant_named

_EVERY_S = 1.0
#: What a phase counts as it goes.
_COUNTED = {"log": "requests", "runs": "runs", "events": "events"}


class Command(BaseCommand):
    """Computes runs, keys, attempts, dead letters, events and figures anew from the intake log, in place.

    Intake goes on meanwhile and nothing disappears. Mapping rules and promises are those of now, so after a change of
    rules this maps the past by them. Alerts stay as they were decided, and nobody is told anything. What the log no
    longer holds in full is left as it is, and counted. A rebuild that was stopped goes on where it was; a second one
    changes nothing.
    """

    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True, help="the tenant's short name or name")
        parser.add_argument("--dry-run", action="store_true", help="count what differs and change nothing")
        parser.add_argument("--restart", action="store_true", help="begin anew, even if an earlier one was stopped")

    def handle(self, *_: Any, tenant: str, dry_run: bool, restart: bool, **__: Any) -> None:
        """Rebuilds, printing how far it is about once a second, and at the end what differed."""
        found = tenant_named(tenant)
        if found is None:
            raise CommandError(f"There is no tenant '{tenant}'; `manage.py provision` makes one.")
        progress = Progress("log")
        said_at, begun = 0.0, _Begun("", 0.0, 0, 0.0)
        try:
            for progress in rebuild(found.pk, dry_run=dry_run, anew=restart):
                if progress.resumed and not begun.phase:
                    self.stdout.write(f"Going on where an earlier rebuild stopped, in {progress.phase}.")
                if progress.phase != begun.phase:
                    begun = _Begun(progress.phase, progress.share, _rows(progress), time.monotonic())
                elif time.monotonic() - said_at >= _EVERY_S:
                    said_at = time.monotonic()
                    self.stdout.write(_line(progress, begun))
        except RebuildRunning as error:
            raise CommandError(str(error), returncode=2) from None
        except UnreadablePayload as error:
            raise CommandError(f"{error}. Nothing after it was rebuilt.", returncode=3) from None
        except DatabaseError as error:
            raise CommandError(
                f"The database gave up in {progress.phase}: {error}. Run this again; it goes on where it stopped.",
                returncode=4,
            ) from None
        for name, count in progress.counts.items():
            if count:
                self.stdout.write(f"{count:>10,}  {name}")
        differing = [count for name, count in progress.counts.items() if count and _is_difference(name)]
        verb = "would be changed" if dry_run else "were changed"
        self.stdout.write(f"{sum(differing):,} rows {verb}." if differing else "Everything was as the log says.")


@dataclass(frozen=True, slots=True)
class _Begun:
    """Where a phase began here, and when."""

    phase: str
    share: float
    rows: int
    at: float


def _line(progress: Progress, begun: _Begun) -> str:
    elapsed = max(time.monotonic() - begun.at, 1e-6)
    number = [phase.name for phase in PHASES].index(progress.phase) + 1
    said = f"{progress.phase} ({number} of {len(PHASES)}): {progress.share:.0%}"
    if rows := _rows(progress) - begun.rows:
        said += f", {rows / elapsed:,.0f} {_COUNTED[progress.phase]}/s"
    gained = progress.share - begun.share
    left = elapsed * (1 - progress.share) / gained if gained > 0 else 0.0
    return f"{said}, about {timedelta(seconds=round(left))} left in it" if left else said


def _rows(progress: Progress) -> int:
    return progress.counts.get(_COUNTED.get(progress.phase, ""), 0)


def _is_difference(name: str) -> bool:
    return name.endswith(("missing", "corrected", "removed"))
