"""OpenTelemetry as such: any service's spans, named by service and operation, read last of all dialects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from monitoring.facts import AttemptFact, BusinessKey, Confidence, Identity, Phase, Reading
from monitoring.records import SpanEvent, SpanRecord, StatusCode
from monitoring.sources.entry import stable_name
from monitoring.sources.failures import NO_FAILURE, death_note, failure_of
from monitoring.sources.keys import span_keys
from monitoring.sources.trace import Trace
from monitoring.sources.values import first, moment, text, whole

_RESENDS = ("http.request.resend_count", "http.resend_count")
_RESENDS_SET = frozenset(_RESENDS)
_TARGETS = ("url.full", "http.url", "url.path", "http.target", "rpc.method", "messaging.destination.name")
_DESTINATIONS = ("messaging.destination.name", "messaging.destination", "server.address", "net.peer.name")
#: A failed step that is done again within this time is a retry; later it is new work that looks alike.
_RETRY_WITHIN_NS = 600 * 1_000_000_000


class Generic:
    """The reading every trace gets: an identity from its entry span, its business keys, and attempts that show."""

    def speaks(self, names: frozenset[str]) -> bool:
        return True

    def read(self, trace: Trace) -> Reading | None:
        return Reading("otel", _identity(trace), span_keys(trace, trace.names), _attempts(trace))


def _identity(trace: Trace) -> Identity:
    span, rank = trace.entry, trace.rank
    service = text(span.resource.get("service.name")) or "unknown service"
    operation = stable_name(_operation(span)) or "unnamed"
    return Identity("otel", f"{service}/{operation}"[:200], f"{service}: {operation}"[:200], "", rank)


def _operation(span: SpanRecord) -> str:
    route = span.attributes.get("http.route")
    if not route:
        return span.name
    method = text(first(span.attributes, ("http.request.method", "http.method")))
    return f"{method} {text(route)}".strip()


def _attempts(trace: Trace) -> tuple[AttemptFact, ...]:
    """Declared resends and dead-letter notes; a step done again after it failed only where something failed."""
    resends = not _RESENDS_SET.isdisjoint(trace.names)
    if not resends and not trace.noted and not trace.failed:
        return ()
    facts: list[AttemptFact] = []
    for span in trace:
        if resends and not _RESENDS_SET.isdisjoint(span.attributes):
            facts.append(_resend(span))
        elif span.events and (note := death_note(span)) is not None:
            facts.append(_noted_death(span, note))
    if trace.failed and len(trace) > 1:
        told = {fact.span_id for fact in facts}
        facts.extend(_repeated([span for span in trace if span.span_id not in told]))
    return tuple(facts)


def _resend(span: SpanRecord) -> AttemptFact:
    number = max(0, whole(first(span.attributes, _RESENDS)) or 0) + 1
    return _fact(span, unit_id=_unit_of_step(span), number=number, confidence=Confidence.DECLARED)


def _noted_death(span: SpanRecord, note: SpanEvent) -> AttemptFact:
    """A dead letter that a span event tells of; what the note says of it goes before what the span says."""
    noted = note.attributes
    unit = text(first(noted, ("messaging.message.id", "message.id", "message_id"))) or _unit_of_step(span)
    number = max(1, whole(first(noted, ("attempts", "attempt", "message.attempts"))) or 1)
    fact = _fact(span, unit_id=unit[:200], number=number, confidence=Confidence.DECLARED, died=True)
    destination = text(first(noted, (*_DESTINATIONS, "destination", "queue")))[:200]
    reason = text(first(noted, ("error.type", "exception.type", "reason")))[:200]
    return replace(fact, destination=destination or fact.destination, error_class=reason or fact.error_class)


def _repeated(spans: Sequence[SpanRecord]) -> list[AttemptFact]:
    """The same step below the same parent for the same key, done again after it failed: counted by order."""
    groups: defaultdict[tuple[object, ...], list[SpanRecord]] = defaultdict(list)
    for span in spans:
        if span.parent_span_id is not None:
            groups[(span.parent_span_id, span.name, span.kind)].append(span)
    facts: list[AttemptFact] = []
    for alike in groups.values():
        if len(alike) > 1 and any(span.status is StatusCode.ERROR for span in alike):
            facts.extend(_tries(alike))
    return facts


def _tries(alike: list[SpanRecord]) -> list[AttemptFact]:
    by_target: defaultdict[tuple[str, tuple[BusinessKey, ...]], list[SpanRecord]] = defaultdict(list)
    for span in sorted(alike, key=lambda span: (span.start_ns, span.span_id)):
        by_target[(text(first(span.attributes, _TARGETS)), span_keys((span,), frozenset(span.attributes)))].append(span)
    facts: list[AttemptFact] = []
    for same in by_target.values():
        chain: list[SpanRecord] = []
        for span in same:
            if chain and not _follows(chain[-1], span):
                facts.extend(_chain_facts(chain))
                chain = []
            chain.append(span)
        facts.extend(_chain_facts(chain))
    return facts


def _follows(earlier: SpanRecord, later: SpanRecord) -> bool:
    gap = later.start_ns - earlier.start_ns
    return earlier.status is StatusCode.ERROR and later.start_ns >= earlier.end_ns and gap <= _RETRY_WITHIN_NS


def _chain_facts(chain: list[SpanRecord]) -> list[AttemptFact]:
    if len(chain) < 2:
        return []
    unit = f"{_unit_of_step(chain[0])}/{chain[0].span_id.hex()}"[:200]
    return [
        _fact(span, unit_id=unit, number=number, confidence=Confidence.INFERRED)
        for number, span in enumerate(chain, start=1)
    ]


def _unit_of_step(span: SpanRecord) -> str:
    parent = span.parent_span_id.hex() if span.parent_span_id else "root"
    target = text(first(span.attributes, _TARGETS))
    return f"{span.trace_id.hex()}/{parent}/{span.name} {target}".strip()[:180]


def _fact(span: SpanRecord, *, unit_id: str, number: int, confidence: Confidence, died: bool = False) -> AttemptFact:
    phase = Phase.ERROR if span.status is StatusCode.ERROR else Phase.OK
    phase = Phase.DEAD if died else phase
    failure = NO_FAILURE if phase is Phase.OK else failure_of(span)
    return AttemptFact(
        unit_id=unit_id,
        attempt=number,
        phase=phase,
        dialect="otel",
        confidence=confidence,
        step=span.name[:200],
        destination=text(first(span.attributes, _DESTINATIONS))[:200],
        error_class=failure.error_class,
        message=failure.message,
        started_at=moment(span.start_ns),
        ended_at=moment(span.end_ns),
        trace_id=span.trace_id,
        span_id=span.span_id,
    )
