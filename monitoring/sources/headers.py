"""Message headers of RabbitMQ, Kafka, Service Bus and Pub/Sub where instrumentations copy them into span attributes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from monitoring.records import Attributes, Value
from monitoring.sources.failures import Failure, bounded, bounded_class
from monitoring.sources.values import first, first_text, text, whole

_ENTRY = re.compile(r"\{([^{}]*)\}")
_FIELD = re.compile(r"""["']?\b(count|reason|queue)["']?\s*[:=]\s*["']?([^"',}\]]+)""")


def _spellings(header: str) -> tuple[str, ...]:
    """How a header's name turns up: captured by OpenTelemetry (dashes may become underscores), or bare."""
    lower = header.lower()
    snake = re.sub(r"[-.]", "_", lower)
    broker = ("messaging.rabbitmq.", "messaging.rabbitmq.message.") if header.startswith("x-") else ()
    prefixes = ("messaging.header.", "messaging.message.header.", *broker, "")
    names = (f"{prefix}{name}" for prefix in prefixes for name in (header, lower, snake))
    # A bare snake-case word could be anybody's attribute; a bare header name could not.
    return tuple(dict.fromkeys(name for name in names if name != snake or snake == header))


_X_DEATH = _spellings("x-death")
_X_FIRST_DEATH_REASON = _spellings("x-first-death-reason")
_X_FIRST_DEATH_QUEUE = _spellings("x-first-death-queue")
_X_LAST_DEATH_REASON = _spellings("x-last-death-reason")
_X_LAST_DEATH_QUEUE = _spellings("x-last-death-queue")
_X_DELIVERY_COUNT = _spellings("x-delivery-count")
_ORIGINAL_TOPIC = (*_spellings("kafka_dlt-original-topic"), *_spellings("__connect.errors.topic"),
                   *_spellings("__streams.errors.topic"))  # fmt: skip
_ORIGINAL_PARTITION = (*_spellings("kafka_dlt-original-partition"), *_spellings("__connect.errors.partition"),
                       *_spellings("__streams.errors.partition"))  # fmt: skip
_ORIGINAL_OFFSET = (*_spellings("kafka_dlt-original-offset"), *_spellings("__connect.errors.offset"),
                    *_spellings("__streams.errors.offset"))  # fmt: skip
_CAUSE_CLASS = (
    *_spellings("kafka_dlt-exception-cause-fqcn"), *_spellings("kafka_dlt-exception-fqcn"),
    *_spellings("__connect.errors.exception.class.name"), *_spellings("__streams.errors.exception"),
    *_spellings("__streams.errors.exception.class.name"), *_spellings("DeadLetterReason"),
    *_spellings("MT-Fault-ExceptionType"), *_spellings("NServiceBus.ExceptionInfo.ExceptionType"),
)  # fmt: skip
_CAUSE_TEXT = (
    *_spellings("kafka_dlt-exception-message"), *_spellings("__connect.errors.exception.message"),
    *_spellings("__streams.errors.message"), *_spellings("DeadLetterErrorDescription"),
    *_spellings("MT-Fault-Message"), *_spellings("NServiceBus.ExceptionInfo.Message"),
)  # fmt: skip
_KAFKA_ATTEMPT = (*_spellings("kafka_deliveryAttempt"), *_spellings("retry_topic-attempts"))
_SOURCE_DELIVERIES = _spellings("CloudPubSubDeadLetterSourceDeliveryCount")
_SOURCE_SUBSCRIPTION = _spellings("CloudPubSubDeadLetterSourceSubscription")
_FORWARDED = (*_SOURCE_DELIVERIES, *_SOURCE_SUBSCRIPTION)
_DEATHS = (*_X_DEATH, *_X_FIRST_DEATH_REASON, *_X_LAST_DEATH_REASON)
#: Any of these attributes says that a message's headers were captured.
MARKS: frozenset[str] = frozenset(
    (*_DEATHS, *_X_DELIVERY_COUNT, *_ORIGINAL_TOPIC, *_CAUSE_CLASS, *_KAFKA_ATTEMPT, *_FORWARDED)
)


@dataclass(frozen=True, slots=True)
class Death:
    """One entry of RabbitMQ's `x-death`: how often a message died in this queue for this reason."""

    queue: str
    reason: str  # rejected, expired, maxlen, delivery_limit
    count: int


def deaths(value: Value) -> tuple[Death, ...]:
    """The entries of `x-death`, newest first, from a list or from its text as JSON, Python or Java print it."""
    return tuple(_entries(value))[:32]


def _entries(value: Value) -> Iterator[Death]:
    if isinstance(value, list):
        for item in value:
            yield from _entries(item)
    elif isinstance(value, dict):
        yield Death(text(value.get("queue")), text(value.get("reason")).lower(), whole(value.get("count")) or 1)
    elif isinstance(value, str):
        for entry in _ENTRY.findall(value[:16_384]):
            yield from _entries({name: found.strip() for name, found in _FIELD.findall(entry)})


def last_death(attributes: Attributes) -> Death | None:
    """The latest death of a message, where its headers tell of one."""
    entries = deaths(first(attributes, _X_DEATH))
    if entries:
        return entries[0]
    reason = first_text(attributes, (*_X_LAST_DEATH_REASON, *_X_FIRST_DEATH_REASON)).lower()
    if not reason:
        return None
    return Death(first_text(attributes, (*_X_LAST_DEATH_QUEUE, *_X_FIRST_DEATH_QUEUE)), reason, 1)


def attempt(attributes: Attributes, *, ended: bool) -> int | None:
    """The number of the attempt that these headers imply; `ended` says that the counted deaths are all there is.

    `x-death` counts one death for each queue and reason, and a retry cycle adds one to several entries at once, so
    the highest count is the number of attempts that failed.
    """
    if MARKS.isdisjoint(attributes):
        return None
    stated = whole(first(attributes, _KAFKA_ATTEMPT))
    if stated is not None:
        return max(1, stated)
    failed = whole(first(attributes, _X_DELIVERY_COUNT))
    if failed is None:
        failed = max((entry.count for entry in deaths(first(attributes, _X_DEATH))), default=None)
    if failed is None:
        return None
    return max(1, failed if ended else failed + 1)


def forwarded_from(attributes: Attributes) -> str | None:
    """The subscription that Pub/Sub gave this message up in, `""` where only its count is told, None if in none."""
    if first(attributes, _FORWARDED) is None:
        return None
    return first_text(attributes, _SOURCE_SUBSCRIPTION)


def source_deliveries(attributes: Attributes) -> int | None:
    """How often Pub/Sub delivered the message before it forwarded it to the dead-letter topic."""
    return None if MARKS.isdisjoint(attributes) else whole(first(attributes, _SOURCE_DELIVERIES))


def original_position(attributes: Attributes) -> str:
    """Where a dead-lettered Kafka record first stood: `topic:partition:offset`, or `""`."""
    if MARKS.isdisjoint(attributes):
        return ""
    topic = first_text(attributes, _ORIGINAL_TOPIC)
    partition, offset = whole(first(attributes, _ORIGINAL_PARTITION)), whole(first(attributes, _ORIGINAL_OFFSET))
    if not topic or offset is None:
        return ""
    return f"{topic}:{partition if partition is not None else ''}:{offset}"


def cause(attributes: Attributes) -> Failure:
    """Why the message was given up, as its headers tell it."""
    return Failure(bounded_class(first_text(attributes, _CAUSE_CLASS)), bounded(first_text(attributes, _CAUSE_TEXT)))
