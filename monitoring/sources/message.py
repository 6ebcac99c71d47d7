"""A span that is about a message: which queue, which word of the broker's, which message, by all their names."""

from __future__ import annotations

from typing import NamedTuple

from monitoring.destinations import is_dead_letter, takes_dead_letters
from monitoring.facts import Phase
from monitoring.names import fitted
from monitoring.records import Attributes, SpanRecord, Value
from monitoring.sources import headers
from monitoring.sources.by_names import ByNames, Names
from monitoring.sources.values import first, first_text, text, whole

#: The last is what consumers wrote by versions 1.17 to 1.19 of the conventions.
DESTINATION = (
    "messaging.destination.name", "messaging.destination", "messaging.destination_name", "messaging.source.name",
)  # fmt: skip
DELIVERIES = ("messaging.servicebus.message.delivery_count", "messaging.gcp_pubsub.message.delivery_attempt")
RETRY_COUNT = "messaging.message.retry.count"
DISPOSITION = "messaging.servicebus.disposition_status"
#: What a consumer said to the broker about one message. RabbitMQ's nack and Service Bus' abandon offer it again.
SETTLED = {
    "dead_letter": Phase.DEAD, "deadletter": Phase.DEAD, "dead-letter": Phase.DEAD, "reject": Phase.DEAD,
    "nack": Phase.REDELIVERED, "abandon": Phase.REDELIVERED, "release": Phase.REDELIVERED,
    "defer": Phase.PARKED,
}  # fmt: skip
#: A consumer also acknowledges a message that it has parked elsewhere, so these words prove no success.
ACKNOWLEDGING = frozenset({"ack", "complete", "settle"})
SERVICE_BUS = "servicebus"
_SYSTEM = "messaging.system"
#: Any of these attributes says that a span is about what became of a message.
MARKS: frozenset[str] = frozenset({
    _SYSTEM, "messaging.operation", "messaging.operation.name", "messaging.operation.type", DISPOSITION, *DELIVERIES,
}) | headers.MARKS  # fmt: skip
_OPERATION = ("messaging.operation.name", "messaging.operation", "messaging.operation.type")
_MESSAGE_ID = ("messaging.message.id", "messaging.message_id", "messaging.id")
_OFFSET = ("messaging.kafka.offset", "messaging.kafka.message.offset")
_PARTITION = ("messaging.destination.partition.id", "messaging.kafka.partition")
_MOST_KNOWN, _MOST_CHARS = 4096, 512


class Carried(NamedTuple):
    """Those of the names above that a span carries, so that the others need not be asked for."""

    #: The names whose values are a broker's few words, and those that say which message it is.
    words: Names
    message_id: Names
    #: Whether it is about what became of the message, whether headers of the message were captured, and whether the
    #: span counts its deliveries or retries.
    marks: bool
    headers: bool
    counts: bool


class Words(NamedTuple):
    """What a span says of its message, but for which one it is; texts are empty where it says nothing."""

    system: str
    operation: str
    destination: str
    #: What Service Bus was told to do with the message.
    disposition: str
    #: Whether its queue holds dead letters, and whether any of the queues does that it states by several names.
    is_dead_letter: bool
    names_dead_letter: bool
    #: Whether it says no more than that a message was sent to, or taken from, a queue of the usual kind.
    is_plain: bool
    carried: Carried


def words_of(span: SpanRecord) -> Words:
    """What the span says of its message; found out once for the same words, for a plant has few of them."""
    attributes = span.attributes
    carried = _carried[tuple(attributes)]
    key = (carried, tuple(map(attributes.__getitem__, carried.words)))
    try:
        known = _known.get(key)
    except TypeError:  # A list or a mapping among the values.
        return _words(attributes, carried)
    if known is not None:
        return known
    found = _words(attributes, carried)
    # No other value is equal to a text, so what is known of texts is never taken for what other values say.
    if all(isinstance(value, str) and len(value) <= _MOST_CHARS for value in key[1]):
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[key] = found
    return found


def stated_id(span: SpanRecord, carried: Carried) -> str:
    """What names the message: where it first stood in Kafka, else its id; empty where it has neither."""
    position = headers.original_position(span.attributes) if carried.headers else ""
    return position or first_text(span.attributes, carried.message_id)


def unit_id(span: SpanRecord, words: Words) -> str:
    """The message over all its attempts: where it first stood in Kafka, its id, else trace and queue.

    A broker that offers a message again keeps its trace context, so the trace stands in for a missing id.
    """
    stated = stated_id(span, words.carried)
    if stated:
        return fitted(stated)
    offset = whole(first(span.attributes, _OFFSET))
    if offset is not None:
        partition = first_text(span.attributes, _PARTITION)
        return fitted(f"{words.destination}:{partition}:{offset}")
    return fitted(f"{span.trace_id.hex()}/{words.destination}")


def _carried_by(names: Names) -> Carried:
    return Carried(
        words=tuple([name for name in (_SYSTEM, *_OPERATION, *DESTINATION, DISPOSITION) if name in names]),
        message_id=tuple([name for name in _MESSAGE_ID if name in names]),
        marks=not MARKS.isdisjoint(names),
        headers=not headers.MARKS.isdisjoint(names),
        counts=any(name in names for name in (*DELIVERIES, RETRY_COUNT)),
    )


def _words(attributes: Attributes, carried: Carried) -> Words:
    system, operation = text(attributes.get(_SYSTEM)), first_text(attributes, _OPERATION).lower()
    disposition = text(attributes.get(DISPOSITION)).lower()
    destination = fitted(first_text(attributes, DESTINATION))
    special = disposition or carried.headers or system.lower() == SERVICE_BUS or takes_dead_letters(destination)
    named = [text(attributes[name]) for name in DESTINATION if name in attributes]
    return Words(
        system=system,
        operation=operation,
        destination=destination,
        disposition=disposition,
        is_dead_letter=is_dead_letter(destination),
        names_dead_letter=any(map(is_dead_letter, named)),
        is_plain=not special and operation not in SETTLED and operation not in ACKNOWLEDGING,
        carried=carried,
    )


_carried = ByNames(_carried_by)
_known: dict[tuple[Carried, tuple[Value, ...]], Words] = {}
