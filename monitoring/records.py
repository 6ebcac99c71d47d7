"""What arrived, decoded: the records that the first stages pass on. Frozen, and free of Django.

Units: instants ending in `_ns` are integer nanoseconds since the Unix epoch (OTLP's own unit); `datetime` values are
timezone-aware UTC. Trace ids are 16 raw bytes, span ids 8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

#: An OTLP AnyValue or a CloudEvents datum in plain Python: JSON's shapes, bytes besides.
Value: TypeAlias = "str | bool | int | float | bytes | list[Value] | dict[str, Value] | None"
Attributes: TypeAlias = Mapping[str, Value]

NOTHING: Attributes = MappingProxyType({})


def _nothing() -> Attributes:
    """The default of every mapping below: Python 3.11 takes a mapping proxy for a mutable default, so not by value."""
    return NOTHING


class Signal(StrEnum):
    """Which wire contract a payload follows."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"
    EVENTS = "events"


class Encoding(StrEnum):
    """How the decompressed body is written; an answer is written the same way."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"
    CLOUDEVENT_BINARY = "binary"
    CLOUDEVENT_STRUCTURED = "application/cloudevents+json"
    CLOUDEVENT_BATCH = "application/cloudevents-batch+json"


class SpanKind(IntEnum):
    """OTLP's SpanKind numbers."""

    UNSPECIFIED = 0
    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class StatusCode(IntEnum):
    """OTLP's span status numbers."""

    UNSET = 0
    OK = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Payload:
    """One accepted request as it arrived: `body` is the decompressed body, `headers` holds what decoding needs.

    `headers` keys are lower case; for CloudEvents in binary mode they carry the `ce-` attributes.
    """

    signal: Signal
    encoding: Encoding
    body: bytes
    headers: Mapping[str, str]
    received_at: datetime


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """A timed note inside a span, such as `exception`."""

    name: str
    time_ns: int
    attributes: Attributes = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class SpanLink:
    """A reference from a span to a span of this or another trace."""

    trace_id: bytes
    span_id: bytes
    attributes: Attributes = field(default_factory=_nothing)


class SpanRecord(NamedTuple):
    """One span; `parent_span_id` is None for a root. `end_ns` is 0 where the sender left it out.

    A named tuple, because half a thousand are made for each request and a frozen dataclass costs ten times as much.
    """

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes | None
    name: str
    kind: SpanKind
    start_ns: int
    end_ns: int
    status: StatusCode = StatusCode.UNSET
    status_message: str = ""
    scope_name: str = ""
    resource: Attributes = NOTHING
    attributes: Attributes = NOTHING
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One OTLP log record; trace and span id are None where the sender gave none."""

    time_ns: int
    severity_number: int
    severity_text: str
    body: Value
    trace_id: bytes | None = None
    span_id: bytes | None = None
    event_name: str = ""
    resource: Attributes = field(default_factory=_nothing)
    attributes: Attributes = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One number of a gauge or sum; histograms keep `count` and `sum` under the names `<name>.count`, `<name>.sum`."""

    name: str
    unit: str
    time_ns: int
    value: float
    resource: Attributes = field(default_factory=_nothing)
    attributes: Attributes = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One CloudEvent 1.0. `(source, id)` names it; `time` falls back to the time of receipt.

    `extensions` holds every context attribute beyond the specification's own (`traceparent`, `correlationid`,
    `sequence`, `bamtxid`, ...); `data` is the decoded JSON value, text for text types, bytes otherwise.
    """

    id: str
    source: str
    type: str
    time: datetime
    subject: str = ""
    datacontenttype: str = ""
    dataschema: str = ""
    data: Value = None
    extensions: Attributes = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class Rejection:
    """One item of a request that was refused while the others were taken: its index in the request, and why."""

    index: int
    reason: str
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Everything a payload said. Items that are refused stand in `rejections` and nowhere else.

    `shares` says how many of the spans each payload told, where several are taken together. `warning` is what its
    sender should know though nothing was refused.
    """

    spans: tuple[SpanRecord, ...] = ()
    logs: tuple[LogRecord, ...] = ()
    metrics: tuple[MetricPoint, ...] = ()
    events: tuple[EventRecord, ...] = ()
    rejections: tuple[Rejection, ...] = field(default=())
    shares: tuple[int, ...] = ()
    warning: str = ""


class MalformedPayload(ValueError):
    """The body as a whole can't be read. The message says what was wrong and where; answered with 400."""


class PayloadTooLarge(ValueError):
    """The body, or what it expands to, passes a limit. The message names the limit; answered with 413."""


class UnsupportedPayload(ValueError):
    """A content type or content encoding that Andon does not speak; answered with 415."""
