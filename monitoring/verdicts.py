"""Which process an automation serves: a catalogue's rules, compiled once, and remembered by what they look at.

An expression costs about 8 µs, so fifty rules for each trace would cost more than all the rest. A verdict depends on
nothing but the values of the attributes that the rules name; those few values are the key under which it is kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import repeat
from threading import Lock
from types import MappingProxyType
from typing import Final, TypeAlias

from monitoring.expressions import WHOLE, Expression, ExpressionError, compiled
from monitoring.facts import Identity, MappingVerdict
from monitoring.records import EventRecord, SpanRecord
from monitoring.rules import Catalogue, KeyRule, Rule
from monitoring.sources.cloudevents import entity_event

_MISSING: Final = object()
#: A longer text is evaluated anew each time: it would fill the memory and hardly be met again.
_MAX_KEPT_CHARS = 512

#: As many as there are names beside it.
_ALL_MISSING: Final = repeat(_MISSING)

Name: TypeAlias = tuple[str, str]
Values: TypeAlias = tuple[object, ...]
Context: TypeAlias = Mapping[str, Mapping[str, object]]

_SPAN_FIELDS: Mapping[str, Callable[[SpanRecord], object]] = MappingProxyType(
    {
        "name": lambda span: span.name,
        "kind": lambda span: span.kind.name.lower(),
        "status": lambda span: span.status.name.lower(),
        "scope": lambda span: span.scope_name,
    }
)
_EVENT_FIELDS: Mapping[str, Callable[[EventRecord], object]] = MappingProxyType(
    {
        "id": lambda event: event.id,
        "type": lambda event: event.type,
        "source": lambda event: event.source,
        "subject": lambda event: event.subject,
        "dataschema": lambda event: event.dataschema,
        "entity": lambda event: entity_event(event.type),
        "data": lambda event: event.data,
    }
)


def span_context(span: SpanRecord) -> Context:
    """What an expression sees of a span: all its attributes, and its fields under their own names."""
    fields = {name: read(span) for name, read in _SPAN_FIELDS.items()}
    return {"resource": dict(span.resource), "span": {**span.attributes, **fields}, "event": {}}


def event_context(event: EventRecord) -> Context:
    """What an expression sees of an event: its extensions, its fields, and its data."""
    fields = {name: read(event) for name, read in _EVENT_FIELDS.items()}
    return {"resource": {}, "span": {}, "event": {**event.extensions, **fields}}


@dataclass(frozen=True, slots=True)
class _Ready:
    """A rule that can run; `names` in a fixed order, so that reasons read alike."""

    rule: Rule
    condition: Expression
    names: tuple[Name, ...]


class _Known:
    """Verdicts by the values that they follow from: a bounded number, of values that are likely to be met again."""

    def __init__(self, kept: int, judge: Callable[[Values], MappingVerdict]) -> None:
        self._kept = kept
        self._judge = judge
        self._verdicts: dict[Values, MappingVerdict] = {}

    def verdict(self, values: Values) -> MappingVerdict:
        """The verdict on these values, judged at their first time."""
        try:
            known = self._verdicts.get(values)
        except TypeError:  # A list or a mapping.
            return self._judge(values)
        if known is not None:
            return known
        found = self._judge(values)
        if _keepable(values):
            if len(self._verdicts) >= self._kept:
                self._verdicts.clear()
            self._verdicts[values] = found
        return found


class RuleBook:
    """One catalogue's rules, ready to judge spans and events; keeps the verdicts it gave, a bounded number."""

    def __init__(self, catalogue: Catalogue, kept: int = 2048) -> None:
        self._ready, self._unreadable = _readied(catalogue.rules)
        self._total = len(catalogue.rules)
        all_names = sorted({name for ready in self._ready for name in ready.names})
        self._resource_names = tuple(name for root, name in all_names if root == "resource")
        self._attribute_names = tuple(name for root, name in all_names if root == "span" and name not in _SPAN_FIELDS)
        self._fields = tuple(name for root, name in all_names if root == "span" and name in _SPAN_FIELDS)
        self._span_names = (
            *(("resource", name) for name in self._resource_names),
            *(("span", name) for name in (*self._attribute_names, *self._fields)),
        )
        self._event_names = tuple(name for name in all_names if name[0] == "event")
        self._span_whole = any(name == WHOLE for _, name in self._span_names)
        self._event_whole = any(name == WHOLE for _, name in self._event_names)
        self._spans_known = _Known(kept, self._judge_span_values)
        self._events_known = _Known(kept, self._judge_event_values)
        self._keys = {rule.id: rule.keys for rule in reversed(catalogue.rules)}
        self._due_attributes = {
            process_id: names
            for process_id, slas in catalogue.slas.items()
            if (names := tuple(sla.due_attribute for sla in slas if sla.due_attribute))
        }

    def for_span(self, span: SpanRecord) -> MappingVerdict:
        """The verdict of the first rule that holds for a span, from memory where its named values were met before."""
        if self._span_whole:
            return self._judged(span_context(span))
        values = (
            *map(span.resource.get, self._resource_names, _ALL_MISSING),
            *map(span.attributes.get, self._attribute_names, _ALL_MISSING),
            *[_SPAN_FIELDS[name](span) for name in self._fields],
        )
        return self._spans_known.verdict(values)

    def keys_of(self, verdict: MappingVerdict) -> tuple[KeyRule, ...]:
        """Where the rule that decided finds business keys."""
        return self._keys.get(verdict.rule_id, ()) if verdict.rule_id is not None else ()

    def due_attributes(self, verdict: MappingVerdict) -> tuple[str, ...]:
        """The attributes in which the automation itself states the due times that its process promises."""
        return self._due_attributes.get(verdict.process_id, ()) if verdict.process_id is not None else ()

    def for_event(self, event: EventRecord) -> MappingVerdict:
        """The verdict of the first rule that holds for an event, from memory where its named values were met before."""
        if self._event_whole:
            return self._judged(event_context(event))
        return self._events_known.verdict(tuple([_event_value(event, name) for _, name in self._event_names]))

    def _judge_span_values(self, values: Values) -> MappingVerdict:
        return self._judged(_context_of(self._span_names, values))

    def _judge_event_values(self, values: Values) -> MappingVerdict:
        return self._judged(_context_of(self._event_names, values))

    def _judged(self, context: Context) -> MappingVerdict:
        for ready in self._ready:
            if ready.condition.holds(context):
                rule = ready.rule
                return MappingVerdict(
                    rule.process_id, rule.id, _matched(rule, ready.names, context), rule.workflow_name, rule.site_id
                )
        return MappingVerdict(None, None, self._none_matched())

    def _none_matched(self) -> str:
        if self._total == 0:
            return "the catalogue has no mapping rules"
        reason = f"no mapping rule of {self._total} holds"
        return f"{reason}; can't be read: {'; '.join(self._unreadable)}" if self._unreadable else reason


class VerdictCache:
    """The rule books in use, one for each tenant, each with the verdicts it remembers; safe to share by threads.

    A book belongs to one version of the catalogue, so a changed rule forgets every verdict of before.
    """

    def __init__(self, tenants: int = 128, verdicts: int = 2048) -> None:
        self._books: OrderedDict[int, tuple[int, RuleBook]] = OrderedDict()
        self._tenants = tenants
        self._verdicts = verdicts
        self._lock = Lock()

    def book(self, catalogue: Catalogue) -> RuleBook:
        """The rule book of this catalogue, compiled at its first use."""
        with self._lock:
            found = self._books.get(catalogue.tenant_id)
            if found is not None and found[0] == catalogue.version:
                self._books.move_to_end(catalogue.tenant_id)
                return found[1]
        book = RuleBook(catalogue, self._verdicts)
        with self._lock:
            self._books[catalogue.tenant_id] = (catalogue.version, book)
            self._books.move_to_end(catalogue.tenant_id)
            while len(self._books) > self._tenants:
                self._books.popitem(last=False)
        return book


def settled(verdict: MappingVerdict, identity: Identity, site: str, catalogue: Catalogue) -> MappingVerdict:
    """The rules' verdict completed: a person's assignment where no rule holds, and the site that the source states."""
    process_id, reason = verdict.process_id, verdict.reason
    if process_id is None:
        process_id = catalogue.assigned.get((identity.source_system, identity.source_key))
        if process_id is not None:
            reason = f"assigned by a person to {identity.source_system} '{identity.source_key}'; {reason}"
    site_id = verdict.site_id if verdict.site_id is not None else catalogue.sites.get(site) if site else None
    if process_id == verdict.process_id and site_id == verdict.site_id:
        return verdict
    return MappingVerdict(process_id, verdict.rule_id, reason, verdict.workflow_name, site_id)


def _readied(rules: Iterable[Rule]) -> tuple[tuple[_Ready, ...], tuple[str, ...]]:
    """Rules in the order in which they decide. One that can't be read never holds, and the reason says so."""
    ready: list[_Ready] = []
    unreadable: list[str] = []
    for rule in sorted(rules, key=lambda rule: (rule.position, rule.id)):
        try:
            condition = compiled(rule.condition)
        except ExpressionError as error:
            unreadable.append(f"rule {rule.position} '{rule.name}' ({error})")
            continue
        ready.append(_Ready(rule, condition, tuple(sorted(condition.names))))
    return tuple(ready), tuple(unreadable)


def _keepable(values: Values) -> bool:
    """Whether all are short texts. Among other values some are equal that no rule takes for the same: 1, 1.0, true."""
    return all(isinstance(value, str) and len(value) <= _MAX_KEPT_CHARS for value in values if value is not _MISSING)


def _event_value(event: EventRecord, name: str) -> object:
    if name.startswith("data."):
        return event.data.get(name[5:], _MISSING) if isinstance(event.data, dict) else _MISSING
    field = _EVENT_FIELDS.get(name)
    return event.extensions.get(name, _MISSING) if field is None else field(event)


def _context_of(names: Iterable[Name], values: Iterable[object]) -> Context:
    context: dict[str, dict[str, object]] = {"resource": {}, "span": {}, "event": {}}
    data: dict[str, object] = {}
    for (root, name), value in zip(names, values, strict=True):
        if value is _MISSING:
            continue
        if root == "event" and name.startswith("data."):
            data[name[5:]] = value
        else:
            context[root][name] = value
    if data:
        context["event"].setdefault("data", data)
    return context


def _matched(rule: Rule, names: Iterable[Name], context: Context) -> str:
    values = [
        f'{root}["{name}"] = {_shown(found)}'
        for root, name in names
        if (found := _looked_up(context, root, name)) is not _MISSING
    ]
    because = ", ".join(values) or rule.condition
    return f"rule {rule.position} '{rule.name}': {because}"[:500]


def _looked_up(context: Context, root: str, name: str) -> object:
    if root == "event" and name.startswith("data."):
        data = context["event"].get("data")
        return data.get(name[5:], _MISSING) if isinstance(data, dict) else _MISSING
    return context[root].get(name, _MISSING)


def _shown(value: object) -> str:
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
