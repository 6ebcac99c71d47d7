"""How much one request may say before it is refused whole; every figure is a count, not a size."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one request may hold. Passing any of them is answered with 413 and names the limit.

    `items` are spans, log records or data points; `batch` CloudEvents, of which each may write four rows; `envelopes`
    the resource and scope groups around items; `values` what stands nested inside attribute values; `strays` fields
    that repeat or that OTLP does not know; `fields` and `json_values` bound the work of reading.
    """

    items: int = 20_000
    batch: int = 10_000
    envelopes: int = 50_000
    attributes: int = 200_000
    events: int = 50_000
    links: int = 50_000
    values: int = 100_000
    strays: int = 50_000
    fields: int = 1_000_000
    json_values: int = 500_000


LIMITS = Limits()


def refusal(noun: str, limit: int) -> str:
    """The sentence that tells a sender which limit was passed and what to do."""
    return f"The request holds more than {limit:,} {noun}; send it in smaller batches."
