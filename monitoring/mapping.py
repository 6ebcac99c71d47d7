"""From decoded records to facts: each trace and event named, tied to its process, with its keys and attempts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from monitoring.expressions import ExpressionError, compiled
from monitoring.facts import BusinessKey, EventFact, Identity, Mapped, MappingVerdict, Rank, RunFact
from monitoring.records import Decoded, EventRecord, SpanRecord, StatusCode
from monitoring.rules import Catalogue, KeyRule
from monitoring.sources.cloudevents import chain, entity_event
from monitoring.sources.failures import failure_of
from monitoring.sources.keys import MAX_KEYS, keys_of
from monitoring.sources.registry import read_event, read_trace
from monitoring.sources.trace import Trace
from monitoring.sources.values import instant
from monitoring.spans_once import spans_once
from monitoring.verdicts import Context, RuleBook, VerdictCache, event_context, settled, span_context

__all__ = ["VerdictCache", "map_decoded"]

#: A trace's id, its spans, and the places of the payloads that told of it.
_Told: TypeAlias = tuple[bytes, list[SpanRecord], tuple[int, ...]]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNNAMED = Identity("otel", "unknown service/unnamed", "unknown service: unnamed", rank=Rank.GUESS)


def map_decoded(decoded: Decoded, catalogue: Catalogue, now: datetime, cache: VerdictCache) -> Mapped:
    """What one payload means to one tenant. Pure: the same records, catalogue and `now` give the same facts.

    `now` is the time of receipt; it stands in where a span carries no time at all.
    """
    book = cache.book(catalogue)
    return Mapped(
        runs=tuple([_run(told, catalogue, book, now) for told in _by_trace(decoded)]),
        events=tuple(_event(index, record, catalogue, book) for index, record in enumerate(decoded.events)),
        logs=decoded.logs,
        metrics=decoded.metrics,
        rejections=decoded.rejections,
    )


def _by_trace(decoded: Decoded) -> Iterator[_Told]:
    """The spans of each trace, and which of the payloads that were taken together told of it."""
    if len(decoded.shares) < 2:
        return ((trace_id, spans, (0,)) for trace_id, spans in _gathered(decoded.spans, {}).items())
    traces: dict[bytes, list[SpanRecord]] = {}
    parts: dict[bytes, tuple[int, ...]] = {}
    start = 0
    for part, share in enumerate(decoded.shares):
        shared = decoded.spans[start : start + share]
        start += share
        for trace_id in {span.trace_id for span in shared}:
            parts[trace_id] = (*parts.get(trace_id, ()), part)
        _gathered(shared, traces)
    return ((trace_id, spans, parts[trace_id]) for trace_id, spans in traces.items())


def _gathered(spans: Sequence[SpanRecord], traces: dict[bytes, list[SpanRecord]]) -> dict[bytes, list[SpanRecord]]:
    for span in spans:
        trace = traces.get(span.trace_id)
        if trace is None:
            traces[span.trace_id] = [span]
        else:
            trace.append(span)
    return traces


def _run(told: _Told, catalogue: Catalogue, book: RuleBook, now: datetime) -> RunFact:
    trace_id, spans, parts = told
    trace = Trace(spans_once(spans) if len(spans) > 1 else spans)
    reading = read_trace(trace)
    entry = trace.entry
    identity = reading.identity or _UNNAMED
    verdict = settled(book.for_span(entry), identity, reading.site, catalogue)
    root_seen = trace.rank is Rank.ROOT
    started_at, ended_at = _ends(trace, now)
    return RunFact(
        trace_id=trace_id,
        identity=identity,
        verdict=verdict,
        started_at=started_at,
        ended_at=ended_at,
        root_seen=root_seen,
        root_failed=root_seen and entry.status is StatusCode.ERROR,
        span_count=len(trace),
        error_count=len(trace.failed),
        root_name=entry.name if root_seen else "",
        keys=_span_keys(reading.keys, _key_rules(verdict, catalogue), entry, trace),
        attempts=reading.attempts,
        error_class=_first_error(trace.failed) if trace.failed else "",
        due_at=reading.due_at or _due_at_of_spans(verdict, catalogue, trace),
        value=reading.value,
        services=trace.services,
        parts=parts,
    )


def _ends(trace: Trace, now: datetime) -> tuple[datetime, datetime]:
    first, last = trace.start_ns, trace.last_ns
    if last <= 0:
        return now, now
    ended_at = _EPOCH + timedelta(microseconds=last // 1_000)
    return (_EPOCH + timedelta(microseconds=first // 1_000) if first else ended_at), ended_at


def _first_error(failed: Sequence[SpanRecord]) -> str:
    """The class of the failure that came first, since later ones mostly follow from it."""
    for span in sorted(failed, key=lambda span: (span.end_ns or span.start_ns, span.span_id)):
        found = failure_of(span).error_class
        if found:
            return found
    return ""


def _key_rules(verdict: MappingVerdict, catalogue: Catalogue) -> tuple[KeyRule, ...]:
    if verdict.rule_id is None:
        return ()
    return next((rule.keys for rule in catalogue.rules if rule.id == verdict.rule_id), ())


def _span_keys(
    known: tuple[BusinessKey, ...], rules: tuple[KeyRule, ...], entry: SpanRecord, spans: Sequence[SpanRecord]
) -> tuple[BusinessKey, ...]:
    """The dialects' keys and the rule's: an attribute's name is looked up on every span, CEL on the entry span."""
    if not rules:
        return known
    found = dict.fromkeys(known)
    context: Context | None = None
    for rule in rules:
        for span in spans:
            if rule.expression in span.attributes:
                found.update(dict.fromkeys(keys_of(rule.type, span.attributes[rule.expression])))
        if _is_expression(rule.expression):
            context = context or span_context(entry)
            found.update(dict.fromkeys(_evaluated(rule, context)))
    return tuple(found)[:MAX_KEYS]


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


def _due_at_of_spans(verdict: MappingVerdict, catalogue: Catalogue, spans: Sequence[SpanRecord]) -> datetime | None:
    if verdict.process_id is None or not any(sla.due_attribute for sla in catalogue.slas.get(verdict.process_id, ())):
        return None
    return _due_at(verdict, catalogue, [span.attributes for span in spans])


def _due_at(verdict: MappingVerdict, catalogue: Catalogue, said: Sequence[Mapping[str, object]]) -> datetime | None:
    """The due time that a promise of the process reads from the automation itself."""
    if verdict.process_id is None:
        return None
    for sla in catalogue.slas.get(verdict.process_id, ()):
        if not sla.due_attribute:
            continue
        for attributes in said:
            stated = attributes.get(sla.due_attribute)
            if isinstance(stated, str | int | float) and (due_at := instant(stated)) is not None:
                return due_at
    return None


def _event(index: int, record: EventRecord, catalogue: Catalogue, book: RuleBook) -> EventFact:
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
        keys=_event_keys(reading.keys, _key_rules(verdict, catalogue), record),
        attempts=reading.attempts,
        trace_id=linked.trace_id,
        correlation_id=linked.correlation_id,
        causation_id=linked.causation_id,
        sequence=linked.sequence,
        process_instance=linked.process_instance,
        step=linked.step,
        due_at=reading.due_at or _due_at(verdict, catalogue, [data, record.extensions]),
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
                found.update(dict.fromkeys(keys_of(rule.type, place[rule.expression])))
        if _is_expression(rule.expression):
            context = context or event_context(record)
            found.update(dict.fromkeys(_evaluated(rule, context)))
    return tuple(found)[:MAX_KEYS]
