"""What applying files would change: what is missing is made, fields that differ are set, nothing is removed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from monitoring.configuration.document import Entry
from partners.roles import Role

_ORDER = ("sites", "members", "processes", "slas", "mapping_rules", "workflows", "detectors", "channels")
_NOUNS = {
    "sites": "site",
    "members": "member",
    "processes": "process",
    "slas": "SLA",
    "mapping_rules": "mapping rule",
    "workflows": "workflow",
    "detectors": "detector",
    "channels": "channel",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One object to make (`before` is None) or to change; `fields` holds only what is to be set."""

    entry: Entry
    before: Mapping[str, Any] | None
    fields: Mapping[str, Any]
    remark: str = field(default="", compare=False)

    @property
    def makes(self) -> bool:
        """Whether the object is new."""
        return self.before is None

    def __str__(self) -> str:
        noun, name = _NOUNS[self.entry.section], " / ".join(self.entry.key)
        remark = f" ({self.remark})" if self.remark else ""
        if self.before is None:
            said = ", ".join(f"{key} {_shown(value)}" for key, value in self.fields.items())
            return f"+ {noun} {name}{f': {said}' if said else ''}{remark}"
        before = self.before
        said = ", ".join(f"{key} {_shown(before.get(key))} -> {_shown(value)}" for key, value in self.fields.items())
        return f"~ {noun} {name}: {said}{remark}"


def difference(wanted: Sequence[Entry], known: Sequence[Entry]) -> tuple[Change, ...]:
    """Return the changes that make `wanted` true of `known`, in the order in which one needs the other."""
    wanted = [*wanted, *_owners(wanted, known)]
    stands = {entry.identity: entry for entry in known}
    changes = [change for entry in _ordered(wanted, known) if (change := _change(entry, stands.get(entry.identity)))]
    return tuple(sorted(changes, key=lambda change: _ORDER.index(change.entry.section)))


def _change(entry: Entry, stands: Entry | None) -> Change | None:
    if stands is None:
        remark = "a person unknown so far is made without a password" if entry.section == "members" else ""
        return Change(entry, None, entry.fields, remark)
    if entry.section == "members":
        # A person's name is theirs to change; the file names it for the making only.
        return None
    fields = {name: value for name, value in entry.fields.items() if stands.fields.get(name) != value}
    return Change(entry, stands.fields, fields) if fields else None


def _owners(wanted: Iterable[Entry], known: Iterable[Entry]) -> Iterator[Entry]:
    """Owners who have no role in the tenant become process owners."""
    members = {entry.key[0] for entry in (*wanted, *known) if entry.section == "members"}
    for entry in wanted:
        owner = entry.fields.get("owner") if entry.section == "processes" else None
        if owner and owner not in members:
            members.add(owner)
            yield Entry("members", (owner, Role.PROCESS_OWNER.value), {}, entry.place)


def _ordered(wanted: Sequence[Entry], known: Sequence[Entry]) -> Iterator[Entry]:
    """Entries with the positions that put mapping rules in the files' order, before those no file names.

    It is the order that counts: rules that stand in it already keep their numbers.
    """
    files = sorted((e for e in wanted if e.section == "mapping_rules"), key=lambda e: e.fields["position"])
    stand = sorted((e for e in known if e.section == "mapping_rules"), key=lambda e: e.fields["position"])
    named = {entry.key for entry in files}
    order = [entry.key for entry in files] + [entry.key for entry in stand if entry.key not in named]
    positions = _positions(order, {entry.key: entry.fields["position"] for entry in stand})
    for entry in wanted:
        if entry.section == "mapping_rules":
            yield replace(entry, fields={**entry.fields, "position": positions[entry.key]})
        else:
            yield entry
    for entry in stand if files else ():
        if entry.key not in named:
            yield Entry("mapping_rules", entry.key, {"position": positions[entry.key]})


def _positions(order: Sequence[tuple[str, ...]], stand: Mapping[tuple[str, ...], int]) -> dict[tuple[str, ...], int]:
    if order[: len(stand)] == list(stand):
        last = max(stand.values(), default=0)
        return {key: stand.get(key, last + place - len(stand)) for place, key in enumerate(order, 1)}
    return {key: place for place, key in enumerate(order, 1)}


def _shown(value: Any) -> str:
    shown = "nothing" if value is None or value in ("", []) else str(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
