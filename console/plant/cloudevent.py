"""CloudEvents 1.0 as a plant's systems write them, in the three modes of the HTTP binding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import orjson


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """One event; `time` is RFC 3339 with the plant's offset."""

    id: str
    source: str
    type: str
    time: str
    subject: str
    data: Mapping[str, Any]
    extensions: Mapping[str, str] = field(default_factory=dict)

    def attributes(self) -> dict[str, str]:
        """All context attributes by name."""
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "time": self.time,
            "subject": self.subject,
            **self.extensions,
        }


@dataclass(frozen=True, slots=True)
class Message:
    """Headers and body of a request."""

    headers: Mapping[str, str]
    body: bytes


def structured(event: CloudEvent) -> Message:
    """Attributes and data together in one JSON object."""
    return Message({"Content-Type": "application/cloudevents+json"}, orjson.dumps(_object(event)))


def binary(event: CloudEvent) -> Message:
    """Attributes as headers, the data as the body."""
    headers = {f"ce-{name}": quote(value, safe=" !#$&'()*+,/:;=?@[]-._~") for name, value in event.attributes().items()}
    return Message({**headers, "Content-Type": "application/json"}, orjson.dumps(event.data))


def batch(events: Iterable[CloudEvent]) -> Message:
    """Many events in one JSON array."""
    return Message(
        {"Content-Type": "application/cloudevents-batch+json"}, orjson.dumps([_object(event) for event in events])
    )


def _object(event: CloudEvent) -> dict[str, Any]:
    return {**event.attributes(), "datacontenttype": "application/json", "data": event.data}
