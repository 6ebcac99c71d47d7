"""n8n, as its own OpenTelemetry module writes it (2.19 and newer).

Span names are constant, so the workflow is known by `n8n.workflow.id` alone. A node's own retries are invisible: the
only attempt n8n declares is a whole execution that repeats an earlier one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from monitoring.facts import AttemptFact, Confidence, Identity, Phase, Rank, Reading
from monitoring.names import fitted
from monitoring.records import SpanRecord, StatusCode
from monitoring.sources.failures import Failure, bounded_class, failure_of
from monitoring.sources.trace import Trace
from monitoring.sources.values import flag, moment, text

_FAILED = frozenset({"error", "crashed"})
_PHASES = {"success": Phase.OK, "canceled": Phase.CANCELLED, "cancelled": Phase.CANCELLED}


class N8n:
    """`workflow.execute` spans: the outermost one names the run, each is an attempt at its execution."""

    def speaks(self, names: Collection[str]) -> bool:
        return "n8n.workflow.id" in names and "n8n.execution.id" in names

    def read(self, mine: Sequence[SpanRecord], trace: Trace) -> Reading | None:
        if not mine:
            return None
        error_parents = {span.parent_span_id for span in mine if _mode(span) == "error"}
        return Reading(
            dialect="n8n",
            identity=_identity(mine),
            attempts=tuple(fact for span in mine if (fact := _attempt(span, error_parents)) is not None),
        )


def _mode(span: SpanRecord) -> str:
    return text(span.attributes.get("n8n.execution.mode")).lower()


def _identity(mine: Sequence[SpanRecord]) -> Identity:
    present = {span.span_id for span in mine}

    def order(span: SpanRecord) -> tuple[bool, bool, int, bytes]:
        # An error workflow and a sub-workflow serve another one; of equals, the earliest started the run.
        return _mode(span) == "error", span.parent_span_id in present, span.start_ns, span.span_id

    attributes = min(mine, key=order).attributes
    key = fitted(text(attributes["n8n.workflow.id"]))
    name = text(attributes.get("n8n.workflow.name"))[:200] or key
    return Identity("n8n", key, name, text(attributes.get("n8n.workflow.version_id"))[:100], Rank.DECLARED)


def _attempt(span: SpanRecord, error_parents: set[bytes | None]) -> AttemptFact | None:
    attributes = span.attributes
    phase = _phase(span)
    if phase is None:
        return None
    failure = _failure(span) if phase in {Phase.DEAD, Phase.ERROR} else Failure()
    first_execution = text(attributes.get("n8n.execution.retry_of"))
    repeats = flag(attributes.get("n8n.execution.is_retry")) or bool(first_execution)
    instance = text(span.resource.get("n8n.instance.id")) or "n8n"
    declared = phase is not Phase.DEAD or span.span_id in error_parents
    return AttemptFact(
        unit_id=fitted(f"n8n:{instance}:{first_execution or text(attributes['n8n.execution.id'])}"),
        attempt=2 if repeats else 1,
        phase=phase,
        dialect="n8n",
        # The error workflow that n8n starts below a failed run is its own word for dead; without it, status implies it.
        confidence=Confidence.DECLARED if declared else Confidence.DERIVED,
        step=text(attributes.get("n8n.workflow.name"))[:200],
        error_class=failure.error_class,
        message=failure.message,
        started_at=moment(span.start_ns),
        ended_at=moment(span.end_ns),
        trace_id=span.trace_id,
        span_id=span.span_id,
    )


def _phase(span: SpanRecord) -> Phase | None:
    status = text(span.attributes.get("n8n.execution.status")).lower()
    if status in _FAILED or (not status and span.status is StatusCode.ERROR):
        # n8n repeats no execution by itself, so a failed one stands until a person retries it. A run that an author
        # watches in the editor is only a try.
        return Phase.ERROR if _mode(span) == "manual" else Phase.DEAD
    return _PHASES.get(status)


def _failure(span: SpanRecord) -> Failure:
    stated = bounded_class(text(span.attributes.get("n8n.execution.error_type")))
    status = text(span.attributes.get("n8n.execution.status")).lower()
    return Failure(stated).or_else(failure_of(span)).or_else(Failure(status))
