"""Messages and brokers: OpenTelemetry's messaging conventions, old names and new, and what consumers add to them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, TypeAlias

from monitoring.destinations import is_dead_letter, takes_dead_letters
from monitoring.facts import AttemptFact, Confidence, Identity, Phase, Rank, Reading
from monitoring.names import fitted
from monitoring.records import SpanKind, SpanRecord, StatusCode
from monitoring.sources import headers
from monitoring.sources.entry import stable_name
from monitoring.sources.failures import NO_FAILURE, Failure, death_note, failure_of
from monitoring.sources.message import (
    ACKNOWLEDGING,
    DELIVERIES,
    DESTINATION,
    MARKS,
    RETRY_COUNT,
    SERVICE_BUS,
    SETTLED,
    Words,
    stated_id,
    unit_id,
    words_of,
)
from monitoring.sources.trace import Trace
from monitoring.sources.values import first, flag, moment, text, whole

_DESTINATIONS = frozenset(DESTINATION)
_SUBSCRIPTION = "messaging.destination.subscription.name"
_REQUEUE = ("messaging.rabbitmq.requeue", "messaging.rabbitmq.message.requeue")
#: A queue that a client made for itself has another name in each run.
_PASSING_QUEUES = ("messaging.destination.temporary", "messaging.destination.anonymous")
_PROCESSING = frozenset({"process", "deliver", "consume"})
_TAKING = _PROCESSING | {"receive"}
_SENDING = frozenset({"send", "publish", "create"})
#: Asking an enum for a member costs as much as four comparisons.
_CONSUMER, _PRODUCER, _ERROR, _GUESS = SpanKind.CONSUMER, SpanKind.PRODUCER, StatusCode.ERROR, Rank.GUESS
_OK, _DEAD, _INFERRED = Phase.OK, Phase.DEAD, Confidence.INFERRED


class _Outcome(NamedTuple):
    """How one span left its message; `processing` where it was a try, not only a word to the broker."""

    phase: Phase
    confidence: Confidence
    failure: Failure = NO_FAILURE
    destination: str = ""
    processing: bool = False


_Said: TypeAlias = tuple[SpanRecord, Words, _Outcome]
_NOTED_DEATH = _Outcome(Phase.DEAD, Confidence.DECLARED)
_WORKED_ON = _Outcome(Phase.OK, Confidence.DECLARED, processing=True)
_FAILED_ON = _Outcome(Phase.ERROR, Confidence.DECLARED, processing=True)


class Messaging:
    """Spans of producers, consumers and settlements; each says at most one thing about its message."""

    def speaks(self, names: Collection[str]) -> bool:
        return not (MARKS.isdisjoint(names) and _DESTINATIONS.isdisjoint(names))

    def read(self, mine: Sequence[SpanRecord], trace: Trace) -> Reading | None:
        said: list[_Said] = []
        taken: list[tuple[SpanRecord, Words]] = []
        for span in mine:
            words = words_of(span)
            outcome = _outcome(span, words) if words.carried.marks else None
            if outcome is not None:
                said.append((span, words, outcome))
            if words.names_dead_letter and _takes_dead_letter(span, words):
                taken.append((span, words))
        attempts = _numbered(said, trace) if said else ()
        parked = _parked(taken, trace) if taken else ()
        return Reading("messaging", _identity(trace), (), attempts, parked=parked) if mine else None


def _parked(taken: Sequence[tuple[SpanRecord, Words]], trace: Trace) -> tuple[AttemptFact, ...]:
    """The deaths that consumers of dead-letter queues imply: what they take out somebody parked who sent no spans.

    They are told apart, so that a message whose parking was traced counts once.
    """
    # A batch is received by a span without an id, and each of its messages processed by one that has it.
    with_id = {words.destination for span, words in taken if stated_id(span, words.carried)}
    units: dict[str, _Said] = {}
    for span, words in sorted(taken, key=_by_start):
        if stated_id(span, words.carried) or words.destination not in with_id:
            outcome = _Outcome(_DEAD, Confidence.DERIVED, headers.cause(span.attributes))
            units.setdefault(unit_id(span, words), (span, words, outcome))
    # The message lay there before its handler began; what the handler does with it comes after its death.
    return tuple([fact._replace(ended_at=fact.started_at) for fact in _numbered(list(units.values()), trace)])


def _by_start(said: tuple[SpanRecord, Words] | _Said) -> tuple[int, bytes]:
    return said[0].start_ns, said[0].span_id


def _takes_dead_letter(span: SpanRecord, words: Words) -> bool:
    if not words.is_dead_letter:
        return False
    operation = words.operation
    if operation in _SENDING or operation in ACKNOWLEDGING or span.kind is _PRODUCER:
        return False
    if _settled(span, words) is not None or (span.kind is not _CONSUMER and operation not in _TAKING):
        return False
    # A look into an empty queue, or one that failed, found no message.
    empty = whole(span.attributes.get("messaging.batch.message_count")) == 0
    failed = operation == "receive" and span.status is _ERROR and not stated_id(span, words.carried)
    return not (empty or failed)


def _identity(trace: Trace) -> Identity | None:
    """The consumer that a request starts with is named by its service and queue; a producer says nothing."""
    span, rank = trace.entry, trace.rank
    if span.kind is not _CONSUMER or rank is _GUESS:
        return None
    words = words_of(span)
    system, destination = words.system[:50], stable_name(words.destination)
    if not system or not destination or any(flag(span.attributes.get(name)) for name in _PASSING_QUEUES):
        return None
    service = text(span.resource.get("service.name")) or "unknown service"
    return Identity(system, fitted(f"{service}/{destination}"), f"{service}: {destination}"[:200], "", rank)


def _outcome(span: SpanRecord, words: Words) -> _Outcome | None:
    if span.events and death_note(span) is not None:
        return _NOTED_DEATH
    kind, operation = span.kind, words.operation
    if not words.is_plain:
        settled = _settled(span, words)
        if settled is not None:
            return settled
        if operation in ACKNOWLEDGING:
            return None
    if kind is _PRODUCER or operation in _SENDING:
        return None if words.is_plain else _sent(span, words)
    if words.carried.headers:
        died = _died_by_headers(span, words)
        if died is not None:
            return died
    if words.is_dead_letter:
        return None  # How its handler ended says nothing about the message that was given up; see _parked.
    if kind is _CONSUMER or operation in _PROCESSING:
        return _FAILED_ON if span.status is _ERROR else _WORKED_ON
    return None


def _settled(span: SpanRecord, words: Words) -> _Outcome | None:
    word = words.disposition or _azure_word(span, words) or words.operation
    phase = SETTLED.get(word)
    if phase is None:
        return None
    if word in {"reject", "nack"}:
        return _refused(span, word)
    return _Outcome(phase, Confidence.DECLARED)


def _azure_word(span: SpanRecord, words: Words) -> str:
    """`deadletter` from Service Bus spans named `ServiceBusReceiver.DeadLetter`, whose operation is just `settle`."""
    if words.system.lower() != SERVICE_BUS:
        return ""
    word = span.name.strip().rpartition(".")[2].lower()
    return word if word in {"deadletter", "dead_letter"} else ""


def _refused(span: SpanRecord, word: str) -> _Outcome:
    """A reject goes to the dead-letter exchange unless it asks for another delivery; a nack only if it asks for none.

    A reject is beyond doubt only with an error beside it, for a queue need not have such an exchange.
    """
    requeue = first(span.attributes, _REQUEUE)
    if word == "nack" and requeue is None and _was_last(span):
        return _Outcome(_DEAD, Confidence.DERIVED)
    if flag(requeue) or (word == "nack" and requeue is None):
        return _Outcome(Phase.REDELIVERED, Confidence.DECLARED)
    certain = word == "reject" and (span.status is _ERROR or bool(failure_of(span).error_class))
    return _Outcome(_DEAD, Confidence.DECLARED if certain else Confidence.DERIVED, Failure("rejected"))


def _was_last(span: SpanRecord) -> bool:
    """Whether this delivery was the last one allowed; no broker's spans tell how many are, so the sender must."""
    delivery, most = whole(first(span.attributes, DELIVERIES)), whole(span.attributes.get("andon.max_attempts"))
    return delivery is not None and most is not None and delivery >= most > 0


def _sent(span: SpanRecord, words: Words) -> _Outcome | None:
    """A message sent to a dead-letter queue was parked there by its consumer; any other sending is plain work."""
    if not takes_dead_letters(words.destination):
        return None
    return _Outcome(_DEAD, Confidence.DERIVED, headers.cause(span.attributes))


def _died_by_headers(span: SpanRecord, words: Words) -> _Outcome | None:
    """What the broker wrote on a message about its earlier deaths, read by the queue that it now stands in."""
    here, attributes = words.destination, span.attributes
    cause = headers.cause(attributes)
    died = headers.last_death(attributes)
    source = headers.forwarded_from(attributes)
    if died is None and source is not None:
        # Whoever puts a message back keeps its attributes: where it was given up, it is being tried again.
        stands_in = {name.rpartition("/")[2] for name in (here, text(attributes.get(_SUBSCRIPTION)))}
        again = source and source.rpartition("/")[2] in stands_in
        return None if again else _Outcome(_DEAD, Confidence.DECLARED, cause)
    if died is None:
        dead = bool(headers.original_position(attributes) or cause.error_class)
        return _Outcome(_DEAD, Confidence.DECLARED, cause) if dead else None
    # `expired` is how retry queues with a time to live hand a message back; only in a dead-letter queue is it an end.
    # A message that is back in the queue which rejected it is being tried again.
    if not is_dead_letter(here) and (died.reason == "expired" or died.queue == here):
        return None
    destination = here if is_dead_letter(here) else died.queue
    return _Outcome(_DEAD, Confidence.DECLARED, cause.or_else(Failure(died.reason)), destination)


def _declared_attempt(span: SpanRecord, words: Words, outcome: _Outcome) -> int | None:
    attributes, carried = span.attributes, words.carried
    if carried.headers and outcome.phase is _DEAD:
        forwarded = headers.source_deliveries(attributes)
        if forwarded is not None:
            return max(1, forwarded)  # The dead-letter topic's own subscription counts its deliveries from one again.
    if carried.counts:
        stated = whole(first(attributes, DELIVERIES))
        if stated is not None:
            return max(1, stated)
        repeated = whole(attributes.get(RETRY_COUNT))
        if repeated is not None:
            return max(0, repeated) + 1
    return headers.attempt(attributes, ended=not outcome.processing) if carried.headers else None


def _numbered(said: Sequence[_Said], trace: Trace) -> tuple[AttemptFact, ...]:
    """Attempts with their numbers: as stated, else by the order in which one message was seen again."""
    above = trace.spans if trace.failed and any(outcome.phase is _DEAD for _, _, outcome in said) else ()
    by_id = {span.span_id: span for span in above}
    seen: dict[tuple[str, str], int] = {}
    facts: list[AttemptFact] = []
    for span, words, outcome in sorted(said, key=_by_start) if len(said) > 1 else said:
        unit, stated = unit_id(span, words), _declared_attempt(span, words, outcome)
        consumer = (unit, text(span.resource.get("service.name")))
        before = seen.get(consumer, 0)
        number = stated or before + (1 if outcome.processing else 0) or 1
        seen[consumer] = max(before, number)
        counted_by_us = stated is None and outcome.processing and number > 1
        failure = _failure(span, outcome, by_id) if outcome.phase is not _OK else NO_FAILURE
        facts.append(
            AttemptFact(
                unit, number, outcome.phase, "messaging", _INFERRED if counted_by_us else outcome.confidence,
                span.name[:200], fitted(outcome.destination or words.destination), failure.error_class, failure.message,
                None, moment(span.start_ns), moment(span.end_ns), None, span.trace_id, span.span_id,
            )
        )  # fmt: skip
    return tuple(facts)


def _failure(span: SpanRecord, outcome: _Outcome, by_id: dict[bytes, SpanRecord]) -> Failure:
    failure = failure_of(span).or_else(outcome.failure)
    if outcome.phase is _DEAD and not failure.error_class:
        return failure.or_else(_cause_above(span, by_id))
    return failure


def _cause_above(span: SpanRecord, by_id: dict[bytes, SpanRecord]) -> Failure:
    """Why a consumer gave a message up: the nearest failed span above the one that parked it."""
    above = span.parent_span_id
    for _ in range(16):
        parent = by_id.get(above) if above else None
        if parent is None:
            return NO_FAILURE
        if parent.status is _ERROR:
            return failure_of(parent)
        above = parent.parent_span_id
    return NO_FAILURE
