"""Our own vocabulary, `andon.*`: what a sender says on purpose, so it outranks everything that is derived."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from monitoring.facts import AttemptFact, Confidence, Identity, Phase, Rank, Reading
from monitoring.names import fitted
from monitoring.records import SpanRecord, StatusCode, Value
from monitoring.sources.failures import death_note, failure_of
from monitoring.sources.keys import keys_of_span
from monitoring.sources.trace import Trace
from monitoring.sources.values import first_text, instant, moment, number, text, whole

_DESTINATIONS = ("andon.destination", "messaging.destination.name", "messaging.destination")
_UNITS = ("andon.unit_id", "messaging.message.id", "messaging.message_id")
_NAMES = frozenset({
    "andon.workflow", "andon.workflow.version", "andon.workflow.name", "andon.site", "andon.due_at", "andon.value",
    "andon.attempt", "andon.max_attempts", "andon.unit_id", "andon.phase",
})  # fmt: skip
_PHASES = {phase.value: phase for phase in Phase}


class Andon:
    """Spans that name their workflow, attempt, phase, site, due time or value themselves."""

    def speaks(self, names: Collection[str]) -> bool:
        return not _NAMES.isdisjoint(names)

    def read(self, mine: Sequence[SpanRecord], trace: Trace) -> Reading | None:
        resource = next((said for said in trace.resources if not _NAMES.isdisjoint(said)), None)
        if not mine and resource is None:
            return None
        ordered = sorted(mine, key=lambda span: (span.start_ns, span.span_id))

        def said(name: str) -> Value:
            values = (span.attributes[name] for span in ordered if name in span.attributes)
            return next(values, None if resource is None else resource.get(name))

        return Reading(
            dialect="andon",
            identity=_identity(said("andon.workflow"), said("andon.workflow.name"), said("andon.workflow.version")),
            attempts=tuple(fact for span in ordered if (fact := _attempt(span)) is not None),
            site=text(said("andon.site")),
            due_at=instant(said("andon.due_at")),
            value=number(said("andon.value")),
        )


def _identity(workflow: Value, name: Value, version: Value) -> Identity | None:
    key = fitted(text(workflow))
    if not key:
        return None
    return Identity("andon", key, text(name)[:200] or key, text(version)[:100], Rank.DECLARED)


def _attempt(span: SpanRecord) -> AttemptFact | None:
    attributes = span.attributes
    if "andon.attempt" not in attributes and "andon.phase" not in attributes:
        return None
    attempt = max(1, whole(attributes.get("andon.attempt")) or 1)
    max_attempts = whole(attributes.get("andon.max_attempts"))
    phase, confidence = _phase(span, attempt, max_attempts)
    failure = failure_of(span)
    return AttemptFact(
        unit_id=_unit_id(span),
        attempt=attempt,
        phase=phase,
        dialect="andon",
        confidence=confidence,
        step=span.name,
        destination=fitted(first_text(attributes, _DESTINATIONS)),
        error_class=failure.error_class,
        message=failure.message,
        max_attempts=max_attempts,
        started_at=moment(span.start_ns),
        ended_at=moment(span.end_ns),
        trace_id=span.trace_id,
        span_id=span.span_id,
    )


def _phase(span: SpanRecord, attempt: int, max_attempts: int | None) -> tuple[Phase, Confidence]:
    stated = _PHASES.get(text(span.attributes.get("andon.phase")).lower())
    if stated is not None:
        return stated, Confidence.DECLARED
    if death_note(span) is not None:
        return Phase.DEAD, Confidence.DECLARED
    if span.status is not StatusCode.ERROR:
        return Phase.OK, Confidence.DECLARED
    if max_attempts is None:
        return Phase.ERROR, Confidence.DECLARED
    # A failed try that was the last one allowed leaves the unit standing; an earlier one says that another follows.
    return (Phase.DEAD if attempt >= max_attempts else Phase.RETRY_SCHEDULED), Confidence.DERIVED


def _unit_id(span: SpanRecord) -> str:
    stated = first_text(span.attributes, _UNITS)
    if stated:
        return fitted(stated)
    keys = keys_of_span(span)
    unit = f"{keys[0].type}:{keys[0].value}" if keys else span.trace_id.hex()
    return fitted(f"{unit}/{span.name}")
