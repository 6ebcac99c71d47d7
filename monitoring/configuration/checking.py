"""What a single value can't show: that entries fit together and with what stands in the tenant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError

from monitoring.configuration.difference import Change
from monitoring.configuration.document import Entry
from monitoring.configuration.faults import ConfigurationError, Fault, nearest
from monitoring.configuration.sections import SECTIONS
from monitoring.detect.dead_letter import DeadLetterThresholds
from monitoring.detect.retry_storm import RetryStormThresholds
from monitoring.detect.sla import SlaThresholds
from monitoring.detect.thresholds import Thresholds, described
from monitoring.detect.unmapped import UnmappedThresholds
from monitoring.findings import Kind
from monitoring.models.catalogue import SlaKind
from monitoring.promise import SlaRuleError, check
from monitoring.rules import SlaRule
from monitoring.services.channels import check_target

_THRESHOLDS: Mapping[str, Thresholds] = {
    Kind.DEAD_LETTER: DeadLetterThresholds(),
    Kind.RETRY_STORM: RetryStormThresholds(),
    Kind.SLA_BREACH: SlaThresholds(),
    Kind.UNMAPPED: UnmappedThresholds(),
}
#: Which fields name an entry of which section.
_REFERENCES = {
    "processes": {"site": "sites"},
    "mapping_rules": {"process": "processes"},
    "workflows": {"process": "processes"},
}


def refuse_misfits(changes: Sequence[Change], known: Sequence[Entry], wanted: Sequence[Entry]) -> None:
    """Raise ConfigurationError, with all faults, where the changes can't be made."""
    faults = [*_dangling(wanted, known)]
    for change in changes:
        faults += _missing(change)
        faults += [Fault(change.entry.place, message) for message in _refused(change)]
    if faults:
        raise ConfigurationError(faults)


def _dangling(wanted: Sequence[Entry], known: Sequence[Entry]) -> Iterator[Fault]:
    there = {section: sorted({e.key[0] for e in (*wanted, *known) if e.section == section}) for section in SECTIONS}
    for entry in wanted:
        for field, section in _REFERENCES.get(entry.section, {}).items():
            name = entry.fields.get(field)
            if name is not None and name not in there[section]:
                told = nearest(name, there[section]) if there[section] else "there is none."
                yield Fault(entry.place.below(field, entry.place.line), f"There is no {field} '{name}'; {told}")


def _missing(change: Change) -> Iterator[Fault]:
    section = SECTIONS.get(change.entry.section)
    for field in section.required if section and change.makes else ():
        if change.fields.get(section.aliases.get(field, field)) is None:  # type: ignore[union-attr]
            yield Fault(change.entry.place, f"'{field}' is missing; a new {section.noun} needs it.")  # type: ignore[union-attr]


def _refused(change: Change) -> Iterator[str]:
    fields = {**(change.before or {}), **change.fields}
    match change.entry.section:
        case "slas":
            yield from _sla(change.entry.key[-1], fields)
        case "detectors":
            yield from _thresholds(change.entry.key[0], fields)
        case "channels" if {"kind", "target"} & set(change.fields) and fields.get("kind") and fields.get("target"):
            try:
                check_target(fields["kind"], fields["target"])
            except ValidationError as error:
                yield error.messages[0]


def _sla(name: str, fields: Mapping[str, Any]) -> Iterator[str]:
    kind = fields.get("kind", SlaKind.DURATION.value)
    due = fields.get("due_attribute", ""), fields.get("due_local", "")
    try:
        check(SlaRule(0, 0, name, kind, fields.get("target_s"), *due))
    except SlaRuleError as error:
        yield str(error)


def _thresholds(kind: str, fields: Mapping[str, Any]) -> Iterator[str]:
    known = tuple(name for name, _, _ in described(_THRESHOLDS[Kind(kind)])) if kind in _THRESHOLDS else ()
    for name in fields.get("thresholds", {}):
        if name not in known:
            told = nearest(name, known) if known else f"{kind} has none."
            yield f"'{name}' is no threshold of {kind}; {told}"
