"""NATS JetStream advisories: the only words it has for a message that was refused or given up."""

from __future__ import annotations

from monitoring.facts import AttemptFact, Confidence, Identity, Phase, Rank, Reading
from monitoring.names import fitted
from monitoring.records import EventRecord
from monitoring.sources.failures import bounded, bounded_class
from monitoring.sources.values import instant, text, whole

_PREFIX = "io.nats.jetstream.advisory.v1."
_PHASES = {"max_deliver": Phase.DEAD, "terminated": Phase.DEAD, "nak": Phase.REDELIVERED}
_WHY = {"max_deliver": "max_deliver", "terminated": "terminated", "nak": ""}


class NatsAdvisories:
    """An advisory, either as the event's own type or as its data; the message stays in its stream, by sequence."""

    def read(self, event: EventRecord) -> Reading | None:
        data = event.data if isinstance(event.data, dict) else {}
        advisory = next((name for name in (event.type, text(data.get("type"))) if name.startswith(_PREFIX)), "")
        kind = advisory.removeprefix(_PREFIX)
        stream, consumer = text(data.get("stream")), text(data.get("consumer"))
        sequence = whole(data.get("stream_seq"))
        if kind not in _PHASES or not stream or sequence is None:
            return None
        where = fitted(f"{stream}/{consumer}")
        attempt = AttemptFact(
            unit_id=fitted(f"{stream}:{sequence}"),
            attempt=max(1, whole(data.get("deliveries")) or 1),
            phase=_PHASES[kind],
            dialect="nats",
            confidence=Confidence.DECLARED,
            step=consumer,
            destination=where,
            error_class=bounded_class(_WHY[kind]),
            message=bounded(text(data.get("reason"))),
            ended_at=instant(data.get("timestamp")) or event.time,
        )
        return Reading("nats", Identity("nats", where, where, rank=Rank.DECLARED), attempts=(attempt,))
