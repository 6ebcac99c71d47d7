"""OpenTelemetry as such: any service's spans, named by service and operation, read last of all dialects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from monitoring.facts import AttemptFact, BusinessKey, Confidence, Identity, Phase, Reading
from monitoring.names import fitted
from monitoring.records import SpanEvent, SpanRecord, StatusCode
from monitoring.sources.entry import stable_name
from monitoring.sources.failures import NO_FAILURE, death_note, failure_of
from monitoring.sources.keys import keys_of_span, span_keys
from monitoring.sources.trace import Trace
from monitoring.sources.values import first, first_text, moment, text, whole

_RESENDS = ("http.request.resend_count", "http.resend_count")
_RESENDS_SET = frozenset(_RESENDS)
_TARGETS = ("url.full", "http.url", "url.path", "http.target", "rpc.method", "messaging.destination.name")
_DESTINATIONS = ("messaging.destination.name", "messaging.destination", "server.address", "net.peer.name")
#: A failed step that is done again within this time is a retry; later it is new work that looks alike.
_RETRY_WITHIN_NS = 600 * 1_000_000_000


class Generic:
    """The reading every trace gets: an identity from its entry span, its business keys, and attempts that show."""

    def speaks(self, names: Collection[str]) -> bool:
        """Whether a span says how often its request was sent again; what else is read stands in all spans."""
        return not _RESENDS_SET.isdisjoint(names)

    def read(self, mine: Sequence[SpanRecord], trace: Trace) -> Reading | None:
        keys = span_keys(trace.keyed) if trace.keyed else ()
        attempts = _attempts(mine, trace) if mine or trace.noted or trace.failed else ()
        return Reading("otel", _identity(trace), keys, attempts)


def _identity(trace: Trace) -> Identity:
    span, rank = trace.entry, trace.rank
    service = text(span.resource.get("service.name")) or "unknown service"
    operation = stable_name(_operation(span)) or "unnamed"
    return Identity("otel", fitted(f"{service}/{operation}"), f"{service}: {operation}"[:200], "", rank)


def _operation(span: SpanRecord) -> str:
    route = span.attributes.get("http.route")
    if not route:
        return span.name
    method = first_text(span.attributes, ("http.request.method", "http.method"))
    return f"{method} {text(route)}".strip()


def _attempts(resent: Sequence[SpanRecord], trace: Trace) -> tuple[AttemptFact, ...]:
    """Declared resends and dead-letter notes; a step done again after it failed only where something failed."""
    deaths = any(death_note(span) is not None for span in trace.noted)
    facts: list[AttemptFact] = []
    for span in trace.spans if deaths else resent:
        if not _RESENDS_SET.isdisjoint(span.attributes):
            facts.append(_resend(span))
        elif (note := death_note(span)) is not None:
            facts.append(_noted_death(span, note))
    if trace.failed and len(trace.spans) > 1:
        told = {fact.span_id for fact in facts}
        below = {span.parent_span_id for span in trace.failed if span.span_id not in told} - {None}
        facts.extend(_repeated([s for s in trace.spans if s.parent_span_id in below and s.span_id not in told]))
    return tuple(facts)


def _resend(span: SpanRecord) -> AttemptFact:
    number = max(0, whole(first(span.attributes, _RESENDS)) or 0) + 1
    return _fact(span, unit_id=_unit_of_step(span), number=number, confidence=Confidence.DECLARED)


def _noted_death(span: SpanRecord, note: SpanEvent) -> AttemptFact:
    """A dead letter that a span event tells of; what the note says of it goes before what the span says."""
    noted = note.attributes
    unit = first_text(noted, ("messaging.message.id", "message.id", "message_id")) or _unit_of_step(span)
    number = max(1, whole(first(noted, ("attempts", "attempt", "message.attempts"))) or 1)
    fact = _fact(span, unit_id=fitted(unit), number=number, confidence=Confidence.DECLARED, died=True)
    destination = fitted(first_text(noted, (*_DESTINATIONS, "destination", "queue")))
    reason = first_text(noted, ("error.type", "exception.type", "reason"))[:200]
    return fact._replace(destination=destination or fact.destination, error_class=reason or fact.error_class)


def _repeated(spans: Sequence[SpanRecord]) -> list[AttemptFact]:
    """The same step below the same parent for the same key, done again after it failed: counted by order."""
    groups: defaultdict[tuple[object, ...], list[SpanRecord]] = defaultdict(list)
    for span in spans:
        groups[(span.parent_span_id, span.name, span.kind)].append(span)
    facts: list[AttemptFact] = []
    for alike in groups.values():
        if len(alike) > 1 and any(span.status is StatusCode.ERROR for span in alike):
            facts.extend(_tries(alike))
    return facts


def _tries(alike: list[SpanRecord]) -> list[AttemptFact]:
    by_target: defaultdict[tuple[str, tuple[BusinessKey, ...]], list[SpanRecord]] = defaultdict(list)
    for span in sorted(alike, key=lambda span: (span.start_ns, span.span_id)):
        by_target[(first_text(span.attributes, _TARGETS), keys_of_span(span))].append(span)
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
    unit = fitted(f"{_unit_of_step(chain[0])}/{chain[0].span_id.hex()}")
    return [
        _fact(span, unit_id=unit, number=number, confidence=Confidence.INFERRED)
        for number, span in enumerate(chain, start=1)
    ]


def _unit_of_step(span: SpanRecord) -> str:
    parent = span.parent_span_id.hex() if span.parent_span_id else "root"
    target = first_text(span.attributes, _TARGETS)
    return fitted(f"{span.trace_id.hex()}/{parent}/{span.name} {target}".strip())


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
        destination=fitted(first_text(span.attributes, _DESTINATIONS)),
        error_class=failure.error_class,
        message=failure.message,
        started_at=moment(span.start_ns),
        ended_at=moment(span.end_ns),
        trace_id=span.trace_id,
        span_id=span.span_id,
    )
