"""What one trace or one event means: named, tied to its process, with its keys and attempts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TypeAlias

from monitoring.expressions import ExpressionError, compiled
from monitoring.facts import BusinessKey, EventFact, Identity, Rank, RunFact
from monitoring.records import EventRecord, SpanRecord, StatusCode
from monitoring.rules import Catalogue, KeyRule
from monitoring.sources.cloudevents import chain, entity_event
from monitoring.sources.failures import failure_of
from monitoring.sources.keys import MAX_KEYS, add_keys, key_type, keys_of
from monitoring.sources.registry import read_event, read_trace, traced
from monitoring.sources.trace import Trace
from monitoring.sources.values import instant, moment
from monitoring.verdicts import Context, RuleBook, event_context, settled, span_context

#: Asking an enum for a member costs as much as four comparisons.
_ERROR, _ROOT = StatusCode.ERROR, Rank.ROOT

#: A trace's id, its spans, and the places of the payloads that told of it.
Told: TypeAlias = tuple[bytes, list[SpanRecord], tuple[int, ...]]
_UNNAMED = Identity("otel", "unknown service/unnamed", "unknown service: unnamed", rank=Rank.GUESS)


def run_fact(told: Told, catalogue: Catalogue, book: RuleBook, now: datetime) -> RunFact:
    """What the spans of one trace mean; `now` stands in where they carry no time at all."""
    trace_id, spans, parts = told
    trace = traced(spans)
    reading = read_trace(trace)
    entry, failed = trace.entry, trace.failed
    identity = reading.identity or _UNNAMED
    verdict = settled(book.for_span(entry), identity, reading.site, catalogue)
    root_seen = trace.rank is _ROOT
    started_at, ended_at = _ends(trace, now)
    rules, dues = book.keys_of(verdict), book.due_attributes(verdict)
    return RunFact(
        trace_id,
        identity,
        verdict,
        started_at,
        ended_at,
        root_seen,
        root_failed=root_seen and entry.status is _ERROR,
        span_count=len(trace.spans),
        error_count=len(failed),
        root_name=entry.name if root_seen else "",
        keys=_span_keys(reading.keys, rules, trace) if rules else reading.keys,
        attempts=reading.attempts,
        error_class=_first_error(failed) if failed else "",
        due_at=reading.due_at or (_due_at(dues, [span.attributes for span in trace.spans]) if dues else None),
        value=reading.value,
        services=trace.services,
        parts=parts,
    )


def _ends(trace: Trace, now: datetime) -> tuple[datetime, datetime]:
    ended_at = moment(trace.last_ns)
    return (moment(trace.start_ns) or ended_at or now), ended_at or now


def _first_error(failed: Sequence[SpanRecord]) -> str:
    """The class of the failure that came first, since later ones mostly follow from it."""
    for span in failed if len(failed) == 1 else sorted(failed, key=_failed_at):
        found = failure_of(span).error_class
        if found:
            return found
    return ""


def _failed_at(span: SpanRecord) -> tuple[int, bytes]:
    return span.end_ns or span.start_ns, span.span_id


def _span_keys(known: tuple[BusinessKey, ...], rules: tuple[KeyRule, ...], trace: Trace) -> tuple[BusinessKey, ...]:
    """The dialects' keys and the rule's: an attribute's name is looked up on every span, CEL on the entry span."""
    found = dict.fromkeys(known)
    context: Context | None = None
    for rule in rules:
        kind, expression = rule.type, rule.expression
        if key_type(expression) != kind:  # Else all of them are known: the dialects read the name as just this type.
            for span in trace.spans:
                if expression in span.attributes:
                    add_keys(found, kind, span.attributes[expression])
        if _is_expression(expression):
            context = context or span_context(trace.entry)
            found.update(dict.fromkeys(_evaluated(rule, context)))
    return tuple(found)[:MAX_KEYS]


@lru_cache(maxsize=4096)
def _is_expression(expression: str) -> bool:
    """A key rule is CEL where it names a root (`span[...]`, `event.data...`); anything else is an attribute's name."""
    return any(root in expression for root in ("span", "event", "resource")) and any(c in expression for c in ".[(")


def _evaluated(rule: KeyRule, context: Context) -> Iterator[BusinessKey]:
    try:
        value = compiled(rule.expression).value(context)
    except ExpressionError:
        return iter(())  # Rules are checked when they are saved; one that slipped through names no key.
    if isinstance(value, str | int | float | list) and not isinstance(value, bool):
        return keys_of(rule.type, value)
    return iter(())


def _due_at(names: tuple[str, ...], said: Sequence[Mapping[str, object]]) -> datetime | None:
    """The due time that a promise of the process reads from the automation itself."""
    for name in names:
        for attributes in said:
            stated = attributes.get(name)
            if isinstance(stated, str | int | float) and (due_at := instant(stated)) is not None:
                return due_at
    return None


def event_fact(index: int, record: EventRecord, catalogue: Catalogue, book: RuleBook) -> EventFact:
    """What one event means."""
    reading = read_event(record)
    identity = reading.identity or _UNNAMED
    verdict = settled(book.for_event(record), identity, reading.site, catalogue)
    linked = chain(record)
    data = record.data if isinstance(record.data, dict) else {}
    return EventFact(
        index=index,
        record=record,
        entity_event=entity_event(record.type),
        identity=identity,
        verdict=verdict,
        keys=_event_keys(reading.keys, book.keys_of(verdict), record),
        attempts=reading.attempts,
        trace_id=linked.trace_id,
        correlation_id=linked.correlation_id,
        causation_id=linked.causation_id,
        sequence=linked.sequence,
        process_instance=linked.process_instance,
        step=linked.step,
        due_at=reading.due_at or _due_at(book.due_attributes(verdict), [data, record.extensions]),
        value=reading.value,
    )


def _event_keys(
    known: tuple[BusinessKey, ...], rules: tuple[KeyRule, ...], record: EventRecord
) -> tuple[BusinessKey, ...]:
    """The dialects' keys and the rule's: a name is looked up in the data and the extensions, CEL sees the event."""
    if not rules:
        return known
    found = dict.fromkeys(known)
    context: Context | None = None
    data = record.data if isinstance(record.data, dict) else {}
    for rule in rules:
        for place in (data, record.extensions):
            if rule.expression in place:
                add_keys(found, rule.type, place[rule.expression])
        if _is_expression(rule.expression):
            context = context or event_context(record)
            found.update(dict.fromkeys(_evaluated(rule, context)))
    return tuple(found)[:MAX_KEYS]
