"""Messages and brokers: OpenTelemetry's messaging conventions, old names and new, and what consumers add to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitoring.destinations import is_dead_letter, takes_dead_letters
from monitoring.facts import AttemptFact, Confidence, Identity, Phase, Rank, Reading
from monitoring.records import SpanKind, SpanRecord, StatusCode
from monitoring.sources import headers
from monitoring.sources.entry import stable_name
from monitoring.sources.failures import NO_FAILURE, Failure, death_note, failure_of
from monitoring.sources.trace import Trace
from monitoring.sources.values import first, flag, moment, text, whole

#: The last is what consumers wrote by versions 1.17 to 1.19 of the conventions.
DESTINATION = (
    "messaging.destination.name", "messaging.destination", "messaging.destination_name", "messaging.source.name",
)  # fmt: skip
_DESTINATIONS = frozenset(DESTINATION)
_SUBSCRIPTION = "messaging.destination.subscription.name"
_REQUEUE = ("messaging.rabbitmq.requeue", "messaging.rabbitmq.message.requeue")
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
_TAKING = _PROCESSING | {"receive"}
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

    def speaks(self, names: frozenset[str]) -> bool:
        return not _MARKS.isdisjoint(names)

    def read(self, trace: Trace) -> Reading | None:
        mine = [span for span in trace if not _MARKS.isdisjoint(span.attributes)]
        if not mine:
            return None
        said = [(span, outcome) for span in mine if (outcome := _outcome(span)) is not None]
        return Reading(dialect="messaging", identity=_identity(trace), attempts=_numbered(said, trace))


class Parked:
    """Consumers of dead-letter queues: what they take out had been parked there, by somebody who sent no spans.

    Read only where nothing else in these spans tells of a death, so that a message whose parking was traced counts
    once.
    """

    def speaks(self, names: frozenset[str]) -> bool:
        return not _DESTINATIONS.isdisjoint(names)

    def read(self, trace: Trace) -> Reading | None:
        places = [name for name in DESTINATION if name in trace.names]
        taken = [span for span in trace if _names_dead_letter(span, places) and _takes_dead_letter(span)]
        if not taken:
            return None
        # A batch is received by a span without an id, and each of its messages processed by one that has it.
        named = {_destination(span) for span in taken if _stated_id(span)}
        units: dict[str, SpanRecord] = {}
        for span in sorted(taken, key=lambda span: (span.start_ns, span.span_id)):
            if _stated_id(span) or _destination(span) not in named:
                units.setdefault(_unit_id(span), span)
        said = [(span, _Outcome(Phase.DEAD, Confidence.DERIVED, headers.cause(span.attributes)))
                for span in units.values()]  # fmt: skip
        # The message lay there before its handler began; what the handler does with it comes after its death.
        facts = tuple(replace(fact, ended_at=fact.started_at) for fact in _numbered(said, trace))
        return Reading(dialect="messaging", attempts=facts)


def _names_dead_letter(span: SpanRecord, names: Sequence[str]) -> bool:
    """Whether any of the destinations that the span states is a dead-letter queue; most spans state none."""
    attributes = span.attributes
    return any(is_dead_letter(text(attributes[name])[:200]) for name in names if name in attributes)


def _takes_dead_letter(span: SpanRecord) -> bool:
    if not is_dead_letter(_destination(span)):
        return False
    operation = text(first(span.attributes, _OPERATION)).lower()
    if operation in _SENDING or operation in _ACKNOWLEDGING or span.kind is SpanKind.PRODUCER:
        return False
    if _settled(span, operation) is not None or (span.kind is not SpanKind.CONSUMER and operation not in _TAKING):
        return False
    # A look into an empty queue, or one that failed, found no message.
    empty = whole(span.attributes.get("messaging.batch.message_count")) == 0
    failed = operation == "receive" and span.status is StatusCode.ERROR and not _stated_id(span)
    return not (empty or failed)


def _identity(trace: Trace) -> Identity | None:
    """The consumer that a request starts with is named by its service and queue; a producer says nothing."""
    span, rank = trace.entry, trace.rank
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
    usual = span.attributes.get("messaging.destination.name")
    if type(usual) is str and usual:
        return usual.strip()[:200]
    return text(first(span.attributes, DESTINATION))[:200]


def _stated_id(span: SpanRecord) -> str:
    return headers.original_position(span.attributes) or text(first(span.attributes, _MESSAGE_ID))


def _unit_id(span: SpanRecord) -> str:
    """The message over all its attempts: where it first stood in Kafka, its id, else trace and queue.

    A broker that offers a message again keeps its trace context, so the trace stands in for a missing id.
    """
    stated = _stated_id(span)
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
    if is_dead_letter(_destination(span)):
        return None  # How its handler ended says nothing about the message that was given up; see Parked.
    if span.kind is SpanKind.CONSUMER or operation in _PROCESSING:
        phase = Phase.ERROR if span.status is StatusCode.ERROR else Phase.OK
        return _Outcome(phase, Confidence.DECLARED, processing=True)
    return None


def _settled(span: SpanRecord, operation: str) -> _Outcome | None:
    disposition = text(span.attributes.get("messaging.servicebus.disposition_status")).lower()
    word = disposition or _azure_word(span) or operation
    phase = _SETTLED.get(word)
    if phase is None:
        return None
    if word in {"reject", "nack"}:
        return _refused(span, word)
    return _Outcome(phase, Confidence.DECLARED)


def _azure_word(span: SpanRecord) -> str:
    """`deadletter` from Service Bus spans named `ServiceBusReceiver.DeadLetter`, whose operation is just `settle`."""
    if text(span.attributes.get("messaging.system")).lower() != "servicebus":
        return ""
    word = span.name.strip().rpartition(".")[2].lower()
    return word if word in {"deadletter", "dead_letter"} else ""


def _refused(span: SpanRecord, word: str) -> _Outcome:
    """A reject goes to the dead-letter exchange unless it asks for another delivery; a nack only if it asks for none.

    A reject is beyond doubt only with an error beside it, for a queue need not have such an exchange.
    """
    requeue = first(span.attributes, _REQUEUE)
    if word == "nack" and requeue is None and _was_last(span):
        return _Outcome(Phase.DEAD, Confidence.DERIVED)
    if flag(requeue) or (word == "nack" and requeue is None):
        return _Outcome(Phase.REDELIVERED, Confidence.DECLARED)
    certain = word == "reject" and (span.status is StatusCode.ERROR or bool(failure_of(span).error_class))
    return _Outcome(Phase.DEAD, Confidence.DECLARED if certain else Confidence.DERIVED, Failure("rejected"))


def _was_last(span: SpanRecord) -> bool:
    """Whether this delivery was the last one allowed; no broker's spans tell how many are, so the sender must."""
    delivery, most = whole(first(span.attributes, _ATTEMPT_NAMES)), whole(span.attributes.get("andon.max_attempts"))
    return delivery is not None and most is not None and delivery >= most > 0


def _sent(span: SpanRecord) -> _Outcome | None:
    """A message sent to a dead-letter queue was parked there by its consumer; any other sending is plain work."""
    if not takes_dead_letters(_destination(span)):
        return None
    return _Outcome(Phase.DEAD, Confidence.DERIVED, headers.cause(span.attributes))


def _died_by_headers(span: SpanRecord) -> _Outcome | None:
    """What the broker wrote on a message about its earlier deaths, read by the queue that it now stands in."""
    if headers.MARKS.isdisjoint(span.attributes):
        return None
    here = _destination(span)
    cause = headers.cause(span.attributes)
    died = headers.last_death(span.attributes)
    source = headers.forwarded_from(span.attributes)
    if died is None and source is not None:
        # Whoever puts a message back keeps its attributes: where it was given up, it is being tried again.
        stands_in = {name.rpartition("/")[2] for name in (here, text(span.attributes.get(_SUBSCRIPTION)))}
        again = source and source.rpartition("/")[2] in stands_in
        return None if again else _Outcome(Phase.DEAD, Confidence.DECLARED, cause)
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
    if outcome.phase is Phase.DEAD and (forwarded := headers.source_deliveries(span.attributes)) is not None:
        return max(1, forwarded)  # The dead-letter topic's own subscription counts its deliveries from one again.
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
