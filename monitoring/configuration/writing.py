"""Writes a tenant's catalogue as a file that, applied, changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import yaml

from monitoring.configuration.document import Entry
from monitoring.configuration.sections import SECTIONS, Section

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def written(entries: Iterable[Entry]) -> str:
    """Return the entries as YAML. Fields that say nothing are left out; secrets were never in them."""
    content: dict[str, list[dict[str, Any]]] = {}
    processes: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry.section == "slas":
            item = _item(SECTIONS["processes"].inner["slas"], entry.key[1:], entry.fields)
            processes[entry.key[0]].setdefault("slas", []).append(item)
            continue
        item = _item(SECTIONS[entry.section], entry.key, entry.fields)
        content.setdefault(entry.section, []).append(item)
        if entry.section == "processes":
            processes[entry.key[0]] = item
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)) if content else ""


def _item(section: Section, key: tuple[str, ...], fields: Mapping[str, Any]) -> dict[str, Any]:
    names = {kept: said for said, kept in section.aliases.items()}
    item: dict[str, Any] = dict(zip(section.key, key, strict=True))
    for name, value in fields.items():
        # The order of mapping rules is their position.
        if name != "position" and value not in (None, "", [], {}):
            item[names.get(name, name)] = _value(name, value)
    return item


def _value(name: str, value: Any) -> Any:
    if name == "target_s":
        return _duration(value)
    if name == "keys":
        return [{"type": key["type"], "from": key["expression"]} for key in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if name == "thresholds":
        return {key: int(number) if float(number).is_integer() else number for key, number in value.items()}
    return value


def _duration(seconds: int) -> str:
    parts = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts)
