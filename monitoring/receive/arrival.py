"""What came over the wire, before anything is believed about it, and what is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monitoring.decode.answers import content_type, failure
from monitoring.records import Encoding, Signal


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request whose sender is known: the body as received, still compressed. `headers` keys are lower case."""

    tenant_id: int
    key_prefix: str
    signal: Signal
    encoding: Encoding
    content_encoding: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back. `reason` is a short stable word for the count of refusals; empty for a 200."""

    status: int
    body: bytes
    content_type: str
    reason: str = ""
    retry_after_s: int | None = None


def refusal(encoding: Encoding, status: int, reason: str, message: str) -> Answer:
    """An error in the request's encoding. Only 429 and 503 tell the sender to come back, after one second: current
    exporters give up at once when told to wait longer than they have time."""
    wait = 1 if status in (429, 503) else None
    return Answer(status, failure(encoding, status, message), content_type(encoding), reason, wait)
