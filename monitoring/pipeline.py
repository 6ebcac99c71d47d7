"""The main line: receive -> decode -> map -> project -> detect -> alert -> notify.

Receiving and decoding come before the transaction (`monitoring/receive/`); what follows runs in the one transaction
that also keeps the payload in the intake log. So an answer of 200 means: durable, visible, and judged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from opentelemetry import trace

from monitoring.alert.raising import alert
from monitoring.desk import Desk
from monitoring.detect.step import detect
from monitoring.facts import Mapped
from monitoring.mapping import VerdictCache, map_decoded
from monitoring.notify.outbox import notify
from monitoring.project import project
from monitoring.records import Decoded
from monitoring.stages import Notified

#: Every step takes what the one before it returns, frozen, and the desk.
Step: TypeAlias = Callable[[Any, Desk], Any]

_tracer = trace.get_tracer("andon.monitoring")
_verdicts = VerdictCache()


def map_records(decoded: Decoded, desk: Desk) -> Mapped:
    """Tie what was decoded to the tenant's catalogue."""
    return map_decoded(decoded, desk.catalogue, desk.now, _verdicts)


MAIN_LINE: tuple[Step, ...] = (map_records, project, detect, alert, notify)


def run_main_line(decoded: Decoded, desk: Desk) -> Notified:
    """Walk one payload along the line, inside the caller's transaction."""
    item: Any = decoded
    for step in MAIN_LINE:
        with _tracer.start_as_current_span(f"andon.{step.__name__}"):
            item = step(item, desk)
    assert isinstance(item, Notified)
    return item
