"""The main line: receive -> decode -> map -> project -> detect -> alert -> notify.

Receiving and decoding come before the transaction (`monitoring/receive/`); what follows runs in the one transaction
that also keeps the payload in the intake log. So an answer of 200 means: durable, visible, and judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from opentelemetry import trace

from monitoring.alert.raising import alert
from monitoring.catalogue import last_known
from monitoring.desk import Desk
from monitoring.detect.step import detect
from monitoring.facts import EventFact, Mapped, RunFact
from monitoring.mapping import VerdictCache, map_decoded
from monitoring.notify.outbox import notify
from monitoring.project import project
from monitoring.project.workflows import WorkflowsAsked, ask_of_workflows
from monitoring.records import Decoded
from monitoring.rules import Catalogue
from monitoring.stages import Notified

#: Every step takes what the one before it returns, frozen, and the desk.
Step: TypeAlias = Callable[[Any, Desk], Any]

_tracer = trace.get_tracer("andon.monitoring")
_verdicts = VerdictCache()


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a payload means by the catalogue as this process knows it."""

    catalogue: Catalogue
    mapped: Mapped

    def ask_of_workflows(self, now: datetime) -> WorkflowsAsked:
        """Ask for its workflows; those that nobody knows are made by it."""
        facts: tuple[RunFact | EventFact, ...] = (*self.mapped.runs, *self.mapped.events)
        return ask_of_workflows(facts, self.catalogue.tenant_id, now)


def foresee(decoded: Decoded, tenant_id: int, now: datetime) -> Foreseen | None:
    """Map before the transaction begins; None where no catalogue is known yet. It holds if the transaction finds that
    very catalogue, which it mostly does."""
    known = last_known(tenant_id)
    return Foreseen(known, map_decoded(decoded, known, now, _verdicts)) if known else None


def map_records(decoded: Decoded, desk: Desk) -> Mapped:
    """Tie what was decoded to the tenant's catalogue."""
    return desk.foreseen or map_decoded(decoded, desk.catalogue, desk.now, _verdicts)


MAIN_LINE: tuple[Step, ...] = (map_records, project, detect, alert, notify)


def run_main_line(decoded: Decoded, desk: Desk) -> Notified:
    """Walk one payload along the line, inside the caller's transaction."""
    item: Any = decoded
    for step in MAIN_LINE:
        with _tracer.start_as_current_span(f"andon.{step.__name__}"):
            item = step(item, desk)
    assert isinstance(item, Notified)
    return item
