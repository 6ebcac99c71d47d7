"""What came over the wire, before anything is believed about it, and what is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monitoring.decode.answers import content_type, failure
from monitoring.records import Encoding, Signal


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request whose sender is known: the body as received, still compressed. `headers` keys are lower case.

    `room` is how large the body may be once decompressed before it counts as a large one; None where it may be any.
    """

    tenant_id: int
    key_prefix: str
    signal: Signal
    encoding: Encoding
    content_encoding: str
    headers: Mapping[str, str]
    body: bytes
    room: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back. `reason` is a short stable word for the counts of outcomes; a 200 has none, unless the
    request was known already (`repeated`). `items` shared the request's fate, 0 where it was refused unread;
    `rejected` were refused out of a request that was taken."""

    status: int
    body: bytes
    content_type: str
    reason: str = ""
    retry_after_s: int | None = None
    items: int = 0
    rejected: int = 0


def refusal(encoding: Encoding, status: int, reason: str, message: str, *, items: int = 0) -> Answer:
    """An error in the request's encoding. Only 429 and 503 tell the sender to come back, after one second: current
    exporters give up at once when told to wait longer than they have time."""
    wait = 1 if status in (429, 503) else None
    return Answer(status, failure(encoding, status, message), content_type(encoding), reason, wait, items)
