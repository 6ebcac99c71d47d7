"""Why intake turned something away, and what to do about it, in words."""

from __future__ import annotations

from dataclasses import dataclass

from monitoring.selectors.outcomes import Answered


@dataclass(frozen=True, slots=True)
class Advice:
    """What happened, and the next step of the person who runs the sender."""

    what: str
    step: str


_ADVICE = {
    "malformed": Advice(
        "The body could not be read.",
        "Check that Content-Type and Content-Encoding say what is sent, and that no proxy cuts the body short.",
    ),
    "too_large": Advice(
        "The body, or what it unpacks to, passes a limit.",
        "Send smaller batches: max_export_batch_size of an SDK, send_batch_max_size of the Collector.",
    ),
    "unsupported": Advice(
        "The content type or encoding is not spoken here.", "Send OTLP as protobuf or JSON, plain, gzip or zstd."
    ),
    "path": Advice(
        "It was sent where nothing is taken in.",
        "Send to /v1/traces, /v1/logs, /v1/metrics or /v1/events; an SDK adds these to its general endpoint.",
    ),
    "method": Advice(
        "It was asked for, or put, instead of posted.", "POST telemetry; a health check may ask /healthz."
    ),
    "unreadable": Advice(
        "It was no HTTP that can be read.",
        "Look at what lies between sender and Andon: a proxy, say.",
    ),
    "slow": Advice(
        "The body did not arrive in time.", "Look at the network between sender and Andon; send smaller batches."
    ),
    "quota": Advice(
        "More was sent than the quota allows. The sender was asked to come back, and exporters do.",
        "Sample or batch more at the source, or ask who runs Andon for a larger quota.",
    ),
    "share": Advice(
        "This tenant held its share of what can be taken at once. The sender was asked to come back, and exporters do.",
        "Nothing, if it was a burst. If it stays: fewer senders at once, or another web worker.",
    ),
    "overloaded": Advice(
        "All tenants together sent more than can be taken at once. The sender was asked to come back; exporters do.",
        "Who runs Andon may add web workers or memory.",
    ),
    "stalled": Advice(
        "It took longer than an exporter waits. The sender was asked to come back, and exporters do.",
        "Who runs Andon should look at the database: locks, disk, and load.",
    ),
    "database": Advice(
        "The database could not be written to. The sender was asked to come back, and exporters do.",
        "Who runs Andon should look at the database: is it up, writable, with room on its disk and connections left?",
    ),
    "fault": Advice(
        "Something failed inside Andon. The sender was asked to come back.", "Its log says what; please report it."
    ),
}


def advice_on(refused: Answered) -> Advice:
    """Return the words for a refusal; a reason without words stands for itself."""
    return _ADVICE.get(refused.reason, Advice(refused.reason, ""))
