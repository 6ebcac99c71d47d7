"""CloudEvents in our vocabulary of manufacturing events, `<reverse domain>.mfg.<entity>.<past tense>.v<major>`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from monitoring.facts import AttemptFact, BusinessKey, Confidence, Identity, Phase, Rank, Reading
from monitoring.names import fitted
from monitoring.records import EventRecord, Value
from monitoring.sources.entry import stable_name
from monitoring.sources.failures import bounded, bounded_class
from monitoring.sources.keys import MAX_VALUE_CHARS, TYPE_BY_NAME, data_keys, united
from monitoring.sources.values import first, first_text, instant, number, text, whole

_TYPE = re.compile(r"(?:^|.*\.)mfg\.(?P<entity>[a-z0-9_]+)\.(?P<event>(?!v\d+$)[a-z0-9_]+)(?:\.v\d+)?", re.IGNORECASE)
_VERSION = re.compile(r"\.v\d+$")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*", re.IGNORECASE)
_NO_TRACE = bytes(16)
#: What the subject of an event is called, by the whole name or by its entity: the subject is the primary key.
_SUBJECT_TYPES = {
    "order": "order", "lot": "lot", "quality": "hold", "quality.capa_opened": "capa", "quality.capa_closed": "capa",
    "supplier": "po", "supplier.asn_received": "asn", "supplier.asn_rejected": "asn", "shipment": "shipment",
    "maintenance": "workorder", "equipment": "asset", "service": "case", "comms": "notice", "inventory": "movement",
    "inventory.mismatch_detected": "recon",
}  # fmt: skip
_OUTCOMES = {
    "ok": Phase.OK, "success": Phase.OK, "succeeded": Phase.OK, "completed": Phase.OK,
    "error": Phase.ERROR, "failed": Phase.ERROR, "failure": Phase.ERROR,
    "dead": Phase.DEAD, "dead_lettered": Phase.DEAD, "exhausted": Phase.DEAD,
    "retry_scheduled": Phase.RETRY_SCHEDULED, "scheduled": Phase.RETRY_SCHEDULED, "cancelled": Phase.CANCELLED,
}  # fmt: skip
_MESSAGE_PHASES = {
    "integration.message_dead_lettered": Phase.DEAD,
    "integration.message_replayed": Phase.REDRIVEN,
    "integration.message_discarded": Phase.DISCARDED,
}
_RUN_PHASES = {
    "workflow.retried": Phase.RETRY_SCHEDULED,
    # A run that its engine reports as failed is over; nothing but a person or a redrive takes it up again.
    "workflow.run_failed": Phase.DEAD,
    "workflow.run_completed": Phase.OK,
    "workflow.step_completed": Phase.OK,
}
_ERROR_CLASS = ("error_class", "error_type", "error.type", "reason_code", "reason")
_ERROR_TEXT = ("message", "error_message", "error", "detail", "description")
_SITE = ("site", "plant")
_DUE = ("due_at", "promise_at", "due")
_VALUE = ("value", "order_value", "amount", "value_at_risk")


@dataclass(frozen=True, slots=True)
class Chain:
    """How an event hangs together with others: its trace, its cause, its place in a process instance."""

    trace_id: bytes | None
    correlation_id: str
    causation_id: str
    sequence: str
    process_instance: str
    step: str


@lru_cache(maxsize=4096)
def entity_event(event_type: str) -> str:
    """The vocabulary's name of a CloudEvents type: `order.released`, or `""` for a type outside of it."""
    matched = _TYPE.fullmatch(event_type)
    return f"{matched['entity']}.{matched['event']}".lower() if matched else ""


def chain(event: EventRecord) -> Chain:
    """The extensions `traceparent`, `correlationid`, `causationid`, `sequence` and the BAM ones, as one record."""
    said = event.extensions
    traceparent = _TRACEPARENT.fullmatch(text(said.get("traceparent")))
    trace_id = bytes.fromhex(traceparent["trace"]) if traceparent else None
    return Chain(
        trace_id=trace_id if trace_id != _NO_TRACE else None,
        correlation_id=fitted(text(said.get("correlationid"))),
        causation_id=fitted(text(said.get("causationid"))),
        sequence=text(said.get("sequence"))[:64],
        process_instance=fitted(text(said.get("bamtxid")), 200),
        step=text(said.get("bamptxsid"))[:200],
    )


class CloudEvents:
    """The reading every event gets: who sent it, its keys, and what it says about attempts and dead letters."""

    def read(self, event: EventRecord) -> Reading | None:
        name = entity_event(event.type)
        data = event.data if isinstance(event.data, dict) else {}
        attempt = _attempt(event, name, data)
        return Reading(
            dialect="cloudevents",
            identity=_identity(event, name, data),
            keys=united((tuple(_subject_keys(event.subject, name)), data_keys(data))),
            attempts=(attempt,) if attempt is not None else (),
            site=text(first(event.extensions, _SITE) or first(data, _SITE)),
            due_at=instant(first(data, _DUE)),
            value=_money(first(data, _VALUE)),
        )


def _identity(event: EventRecord, name: str, data: Mapping[str, Value]) -> Identity:
    process_model = fitted(text(event.extensions.get("bampid")))
    if process_model:
        return Identity("cloudevents", process_model, process_model, rank=Rank.DECLARED)
    workflow = fitted(text(data.get("workflow_id")))
    if workflow:
        named, version = text(data.get("workflow_name"))[:200], text(data.get("workflow_version"))[:100]
        return Identity("cloudevents", workflow, named or workflow, version, Rank.DECLARED)
    source = stable_name(event.source)
    # A source's events about one entity belong together: released, held and completed are one automation's words.
    about = name.split(".", 1)[0] if name else _VERSION.sub("", event.type)
    return Identity("cloudevents", fitted(f"{source} {about}"), f"{about} events of {source}"[:200], rank=Rank.ENTRY)


def _subject_keys(subject: str, name: str) -> Iterator[BusinessKey]:
    """The subject as a key: `order/4711` says its own type, a bare `4711` takes the type of the event's entity."""
    stripped = subject.strip()
    if not stripped:
        return
    kind, slash, value = stripped.rpartition("/")
    stated = TYPE_BY_NAME.get(kind.rpartition("/")[2]) if slash else None
    if stated is not None and value:
        yield BusinessKey(stated, value.strip()[:MAX_VALUE_CHARS])
        return
    known = _SUBJECT_TYPES.get(name) or _SUBJECT_TYPES.get(name.split(".", 1)[0])
    if known is not None:
        yield BusinessKey(known, stripped[:MAX_VALUE_CHARS])


def _money(value: Value) -> float | None:
    """Money is written `{amount, currency}`; a bare number is taken as it stands."""
    return number(value.get("amount")) if isinstance(value, dict) else number(value)


def _attempt(event: EventRecord, name: str, data: Mapping[str, Value]) -> AttemptFact | None:
    if name in _MESSAGE_PHASES:
        unit, phase = text(data.get("message_ref")) or event.subject or event.id, _MESSAGE_PHASES[name]
    elif name in _RUN_PHASES:
        run, step = text(data.get("run_id")) or event.subject or event.id, text(data.get("step"))
        unit, phase = f"{run}/{step}" if step else run, _run_phase(name, data)
    else:
        return None
    stated = whole(first(data, ("attempt", "attempts")))
    linked = chain(event)
    failed = phase is not Phase.OK
    return AttemptFact(
        unit_id=fitted(unit),
        attempt=max(1, stated if stated is not None else 1),
        phase=phase,
        dialect="cloudevents",
        confidence=Confidence.DECLARED,
        step=(text(data.get("step")) or linked.step)[:200],
        destination=fitted(first_text(data, ("queue", "topic", "destination", "endpoint"))),
        error_class=bounded_class(first_text(data, _ERROR_CLASS)) if failed else "",
        message=bounded(first_text(data, _ERROR_TEXT)) if failed else "",
        max_attempts=whole(data.get("max_attempts")),
        started_at=instant(data.get("started_at")),
        ended_at=event.time,
        next_at=instant(data.get("next_at")),
        trace_id=linked.trace_id,
    )


def _run_phase(name: str, data: Mapping[str, Value]) -> Phase:
    stated = _OUTCOMES.get(text(data.get("outcome")).lower())
    if name == "workflow.run_failed":
        return stated if stated in {Phase.RETRY_SCHEDULED, Phase.CANCELLED} else Phase.DEAD
    return stated or _RUN_PHASES[name]
