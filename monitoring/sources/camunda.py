"""Camunda 8 (Zeebe): process definitions, job retries and incidents, on spans, span events and as CloudEvents.

There is no convention for the names, so the part after `camunda.` or `zeebe.` is compared without dots, dashes,
underscores and case: `camunda.process_definition_id` and `zeebe.processDefinitionId` are one name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from monitoring.facts import AttemptFact, Confidence, Identity, Phase, Rank, Reading
from monitoring.names import fitted
from monitoring.records import Attributes, EventRecord, SpanRecord, StatusCode, Value
from monitoring.sources.failures import Failure, bounded, bounded_class, failure_of
from monitoring.sources.keys import data_keys
from monitoring.sources.trace import Trace
from monitoring.sources.values import moment, text, whole

_PREFIXES = ("camunda.", "zeebe.", "io.camunda.", "io.zeebe.")
_SEPARATORS = re.compile(r"[._\-]")
_PROCESS = ("processdefinitionid", "bpmnprocessid", "processid", "processdefinition")
_VERSION = ("processdefinitionversion", "processversion", "version")
_INSTANCE = ("processinstancekey", "processinstanceid")
_ELEMENT = ("elementid", "jobtype", "flownodeid", "activityid")
_JOB = ("jobkey", "jobid")
_RETRIES = ("jobretries", "retries", "retriesleft", "jobretriesleft", "remainingretries")
_ERROR_TYPE = ("incidenterrortype", "errortype", "incidenttype")
_ERROR_TEXT = ("incidenterrormessage", "errormessage", "incidentmessage")
_STATE = ("incidentstate", "state")
#: A job has three tries unless its model says otherwise.
_DEFAULT_TRIES = 3


class Camunda:
    """Spans and span events of workers and engines with `camunda.*` or `zeebe.*` attributes."""

    def speaks(self, names: Collection[str]) -> bool:
        return any(_field_of[name] for name in names)

    def read(self, mine: Sequence[SpanRecord], trace: Trace) -> Reading | None:
        if not mine:
            return None
        told = [(span, _said(span.attributes)) for span in mine]
        attempts = [fact for span, said in told if (fact := _span_attempt(span, said)) is not None]
        earliest = sorted(told, key=lambda pair: (pair[0].start_ns, pair[0].span_id))
        identity = next((found for _, said in earliest if (found := _identity(said)) is not None), None)
        return Reading(dialect="camunda", identity=identity, attempts=tuple(attempts))


class CamundaEvents:
    """Incidents and jobs that an exporter hands on as CloudEvents of a type that starts with Camunda's name."""

    def read(self, event: EventRecord) -> Reading | None:
        if not event.type.startswith(_PREFIXES) or not isinstance(event.data, dict):
            return None
        said = {_squeezed(name): value for name, value in event.data.items()}
        incident = _incident(said, event.time)
        return Reading(
            dialect="camunda",
            identity=_identity(said),
            keys=data_keys(event.data.get("variables")),
            attempts=(incident,) if incident is not None else (),
        )


class _FieldOf(dict[str, str]):
    """The squeezed name behind Camunda's prefix, `""` for anybody else's attribute; remembers a bounded number."""

    def __missing__(self, name: str) -> str:
        if len(self) > 8192:
            self.clear()
        prefix = next((prefix for prefix in _PREFIXES if name.startswith(prefix)), None)
        found = self[name] = "" if prefix is None else _squeezed(name.removeprefix(prefix))
        return found


_field_of = _FieldOf()


def _squeezed(name: str) -> str:
    return _SEPARATORS.sub("", name).lower()


def _said(attributes: Attributes) -> dict[str, Value]:
    field_of = _field_of
    return {field: attributes[name] for name in attributes if (field := field_of[name])}


def _first(said: Mapping[str, Value], names: Iterable[str]) -> str:
    return next((found for name in names if (found := text(said.get(name)))), "")


def _identity(said: Mapping[str, Value]) -> Identity | None:
    process = fitted(_first(said, _PROCESS))
    if not process:
        return None
    name = _first(said, ("processname", "processdefinitionname"))[:200] or process
    return Identity("camunda", process, name, _first(said, _VERSION)[:100], Rank.DECLARED)


def _span_attempt(span: SpanRecord, said: dict[str, Value]) -> AttemptFact | None:
    """One fact for each span: an incident it tells of, else the try at a job that it is."""
    for event in span.events:
        if event.name.lower() in {"incident", "incident.created", "camunda.incident", "zeebe.incident"}:
            noted = {_field_of[name] or _squeezed(name): value for name, value in event.attributes.items()}
            said = {**said, **noted}
            break
    fact = _incident(said, moment(span.end_ns) or moment(span.start_ns)) or _job(span, said)
    if fact is None:
        return None
    return _on_span(fact, span)


def _on_span(fact: AttemptFact, span: SpanRecord) -> AttemptFact:
    failure = Failure(fact.error_class, fact.message)
    if fact.phase is not Phase.OK:
        failure = failure.or_else(failure_of(span))
    return AttemptFact(
        fact.unit_id, fact.attempt, fact.phase, fact.dialect, fact.confidence, fact.step, fact.destination,
        failure.error_class, failure.message, fact.max_attempts, moment(span.start_ns), moment(span.end_ns), None,
        span.trace_id, span.span_id,
    )  # fmt: skip


def _incident(said: Mapping[str, Value], at: datetime | None) -> AttemptFact | None:
    """An incident: no error type of Camunda's heals by itself, so every one is dead until a person resolves it."""
    error_type = _first(said, _ERROR_TYPE)
    unit = _unit_id(said)
    if not error_type or not unit:
        return None
    resolved = _first(said, _STATE).upper() == "RESOLVED"
    return AttemptFact(
        unit_id=unit,
        attempt=_tries(said),
        phase=Phase.REDRIVEN if resolved else Phase.DEAD,
        dialect="camunda",
        confidence=Confidence.DECLARED,
        step=_first(said, _ELEMENT)[:200],
        destination=fitted(_first(said, _ELEMENT)),
        error_class=bounded_class(error_type),
        message=bounded(_first(said, _ERROR_TEXT)),
        max_attempts=_DEFAULT_TRIES,
        started_at=at,
        ended_at=at,
    )


def _job(span: SpanRecord, said: Mapping[str, Value]) -> AttemptFact | None:
    """A try at a job. Camunda counts downwards: `retries` is what is left when the worker takes the job."""
    left = next((found for name in _RETRIES if (found := whole(said.get(name))) is not None), None)
    unit = _unit_id(said)
    if left is None or not unit:
        return None
    phase, attempt = Phase.OK, max(1, _DEFAULT_TRIES - left + 1)
    if span.status is StatusCode.ERROR:
        phase = Phase.DEAD if left <= 1 else Phase.RETRY_SCHEDULED
    return AttemptFact(
        unit_id=unit,
        attempt=attempt,
        phase=phase,
        dialect="camunda",
        confidence=Confidence.DERIVED,
        step=_first(said, _ELEMENT)[:200],
        destination=fitted(_first(said, _ELEMENT)),
        max_attempts=max(_DEFAULT_TRIES, left),
    )


def _tries(said: Mapping[str, Value]) -> int:
    left = next((found for name in _RETRIES if (found := whole(said.get(name))) is not None), 0)
    return max(1, _DEFAULT_TRIES - left)


def _unit_id(said: Mapping[str, Value]) -> str:
    job = _first(said, _JOB)
    if job:
        return fitted(f"camunda:{job}")
    instance, element = _first(said, _INSTANCE), _first(said, _ELEMENT)
    return fitted(f"camunda:{instance}/{element}") if instance else ""
