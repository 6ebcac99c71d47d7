"""Messages and brokers: OpenTelemetry's messaging conventions, old names and new, and what consumers add to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitoring.destinations import is_dead_letter
from monitoring.facts import AttemptFact, Confidence, Identity, Phase, Rank, Reading
from monitoring.records import SpanKind, SpanRecord, StatusCode
from monitoring.sources import headers
from monitoring.sources.entry import entry_span, stable_name
from monitoring.sources.failures import NO_FAILURE, Failure, death_note, failure_of
from monitoring.sources.values import first, flag, moment, text, whole

DESTINATION = ("messaging.destination.name", "messaging.destination", "messaging.destination_name")
_OPERATION = ("messaging.operation.name", "messaging.operation", "messaging.operation.type")
#: A queue that a client made for itself has another name in each run.
_PASSING_QUEUES = ("messaging.destination.temporary", "messaging.destination.anonymous")
_MESSAGE_ID = ("messaging.message.id", "messaging.message_id", "messaging.id")
_MARKS = frozenset({
    "messaging.system", "messaging.operation", "messaging.operation.name", "messaging.operation.type",
    "messaging.servicebus.disposition_status", "messaging.servicebus.message.delivery_count",
    "messaging.gcp_pubsub.message.delivery_attempt",
}) | headers.MARKS  # fmt: skip
#: What a consumer said to the broker about one message. RabbitMQ's nack and Service Bus' abandon offer it again.
_SETTLED = {
    "dead_letter": Phase.DEAD, "deadletter": Phase.DEAD, "dead-letter": Phase.DEAD, "reject": Phase.DEAD,
    "nack": Phase.REDELIVERED, "abandon": Phase.REDELIVERED, "release": Phase.REDELIVERED,
    "defer": Phase.PARKED,
}  # fmt: skip
#: A consumer also acknowledges a message that it has parked elsewhere, so these words prove no success.
_ACKNOWLEDGING = frozenset({"ack", "complete", "settle"})
_PROCESSING = frozenset({"process", "deliver", "consume"})
_SENDING = frozenset({"send", "publish", "create"})
_ATTEMPT_NAMES = ("messaging.servicebus.message.delivery_count", "messaging.gcp_pubsub.message.delivery_attempt")
_RETRY_COUNT = "messaging.message.retry.count"


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How one span left its message; `processing` where it was a try, not only a word to the broker."""

    phase: Phase
    confidence: Confidence
    failure: Failure = NO_FAILURE
    destination: str = ""
    processing: bool = False


class Messaging:
    """Spans of producers, consumers and settlements; each says at most one thing about its message."""

    def read(self, spans: Sequence[SpanRecord]) -> Reading | None:
        mine = [span for span in spans if not _MARKS.isdisjoint(span.attributes)]
        if not mine:
            return None
        said = [(span, outcome) for span in mine if (outcome := _outcome(span)) is not None]
        return Reading(dialect="messaging", identity=_identity(spans), attempts=_numbered(said, spans))


def _identity(spans: Sequence[SpanRecord]) -> Identity | None:
    """The consumer that a request starts with is named by its service and queue; a producer says nothing."""
    span, rank = entry_span(spans)
    attributes = span.attributes
    system = text(attributes.get("messaging.system"))[:50]
    destination = stable_name(_destination(span))
    if span.kind is not SpanKind.CONSUMER or rank is Rank.GUESS or not system or not destination:
        return None
    if any(flag(attributes.get(name)) for name in _PASSING_QUEUES):
        return None
    service = text(span.resource.get("service.name")) or "unknown service"
    return Identity(system, f"{service}/{destination}"[:200], f"{service}: {destination}"[:200], rank=rank)


def _destination(span: SpanRecord) -> str:
    return text(first(span.attributes, DESTINATION))[:200]


def _unit_id(span: SpanRecord) -> str:
    """The message over all its attempts: where it first stood in Kafka, its id, else trace and queue.

    A broker that offers a message again keeps its trace context, so the trace stands in for a missing id.
    """
    stated = headers.original_position(span.attributes) or text(first(span.attributes, _MESSAGE_ID))
    if stated:
        return stated[:200]
    offset = whole(first(span.attributes, ("messaging.kafka.offset", "messaging.kafka.message.offset")))
    destination = _destination(span)
    if offset is not None:
        partition = text(first(span.attributes, ("messaging.destination.partition.id", "messaging.kafka.partition")))
        return f"{destination}:{partition}:{offset}"[:200]
    return f"{span.trace_id.hex()}/{destination}"[:200]


def _outcome(span: SpanRecord) -> _Outcome | None:
    if death_note(span) is not None:
        return _Outcome(Phase.DEAD, Confidence.DECLARED)
    operation = text(first(span.attributes, _OPERATION)).lower()
    settled = _settled(span, operation)
    if settled is not None:
        return settled
    if operation in _ACKNOWLEDGING:
        return None
    if span.kind is SpanKind.PRODUCER or operation in _SENDING:
        return _sent(span)
    died = _died_by_headers(span)
    if died is not None:
        return died
    if span.kind is SpanKind.CONSUMER or operation in _PROCESSING:
        phase = Phase.ERROR if span.status is StatusCode.ERROR else Phase.OK
        return _Outcome(phase, Confidence.DECLARED, processing=True)
    return None


def _settled(span: SpanRecord, operation: str) -> _Outcome | None:
    disposition = text(span.attributes.get("messaging.servicebus.disposition_status")).lower()
    word = disposition or operation
    phase = _SETTLED.get(word)
    if phase is None:
        return None
    if word == "reject":
        if flag(first(span.attributes, ("messaging.rabbitmq.requeue", "messaging.rabbitmq.message.requeue"))):
            return _Outcome(Phase.REDELIVERED, Confidence.DECLARED)
        # A reject usually means the dead-letter exchange; only with an error beside it is it beyond doubt.
        certain = span.status is StatusCode.ERROR or bool(failure_of(span).error_class)
        return _Outcome(Phase.DEAD, Confidence.DECLARED if certain else Confidence.DERIVED, Failure("rejected"))
    return _Outcome(phase, Confidence.DECLARED)


def _sent(span: SpanRecord) -> _Outcome | None:
    """A message sent to a dead-letter queue was parked there by its consumer; any other sending is plain work."""
    if not is_dead_letter(_destination(span)):
        return None
    return _Outcome(Phase.DEAD, Confidence.DERIVED, headers.cause(span.attributes))


def _died_by_headers(span: SpanRecord) -> _Outcome | None:
    """What the broker wrote on a message about its earlier deaths, read by the queue that it now stands in."""
    if headers.MARKS.isdisjoint(span.attributes):
        return None
    here = _destination(span)
    cause = headers.cause(span.attributes)
    died = headers.last_death(span.attributes)
    if died is None:
        dead = bool(headers.original_position(span.attributes) or cause.error_class)
        return _Outcome(Phase.DEAD, Confidence.DECLARED, cause) if dead else None
    # `expired` is how retry queues with a time to live hand a message back; only in a dead-letter queue is it an end.
    # A message that is back in the queue which rejected it is being tried again.
    if not is_dead_letter(here) and (died.reason == "expired" or died.queue == here):
        return None
    destination = here if is_dead_letter(here) else died.queue
    return _Outcome(Phase.DEAD, Confidence.DECLARED, cause.or_else(Failure(died.reason)), destination)


def _declared_attempt(span: SpanRecord, outcome: _Outcome) -> int | None:
    stated = whole(first(span.attributes, _ATTEMPT_NAMES))
    if stated is not None:
        return max(1, stated)
    repeated = whole(span.attributes.get(_RETRY_COUNT))
    if repeated is not None:
        return max(0, repeated) + 1
    return headers.attempt(span.attributes, ended=not outcome.processing)


def _numbered(said: list[tuple[SpanRecord, _Outcome]], spans: Sequence[SpanRecord]) -> tuple[AttemptFact, ...]:
    """Attempts with their numbers: as stated, else by the order in which one message was seen again."""
    by_id = {span.span_id: span for span in spans} if said else {}
    seen: defaultdict[tuple[str, str], int] = defaultdict(int)
    facts: list[AttemptFact] = []
    for span, outcome in sorted(said, key=lambda pair: (pair[0].start_ns, pair[0].span_id)):
        unit_id = _unit_id(span)
        consumer = (unit_id, text(span.resource.get("service.name")))
        stated = _declared_attempt(span, outcome)
        number = stated or seen[consumer] + (1 if outcome.processing else 0) or 1
        seen[consumer] = max(seen[consumer], number)
        fact = _fact(span, outcome, unit_id, number, by_id)
        counted_by_us = stated is None and outcome.processing and number > 1
        facts.append(replace(fact, confidence=Confidence.INFERRED) if counted_by_us else fact)
    return tuple(facts)


def _fact(
    span: SpanRecord, outcome: _Outcome, unit_id: str, number: int, by_id: dict[bytes, SpanRecord]
) -> AttemptFact:
    failure = NO_FAILURE
    if outcome.phase is not Phase.OK:
        failure = failure_of(span).or_else(outcome.failure)
    if outcome.phase is Phase.DEAD and not failure.error_class:
        failure = failure.or_else(_cause_above(span, by_id))
    return AttemptFact(
        unit_id=unit_id,
        attempt=number,
        phase=outcome.phase,
        dialect="messaging",
        confidence=outcome.confidence,
        step=span.name[:200],
        destination=outcome.destination or _destination(span),
        error_class=failure.error_class,
        message=failure.message,
        started_at=moment(span.start_ns),
        ended_at=moment(span.end_ns),
        trace_id=span.trace_id,
        span_id=span.span_id,
    )


def _cause_above(span: SpanRecord, by_id: dict[bytes, SpanRecord]) -> Failure:
    """Why a consumer gave a message up: the nearest failed span above the one that parked it."""
    above = span.parent_span_id
    for _ in range(16):
        parent = by_id.get(above) if above else None
        if parent is None:
            return NO_FAILURE
        if parent.status is StatusCode.ERROR:
            return failure_of(parent)
        above = parent.parent_span_id
    return NO_FAILURE
