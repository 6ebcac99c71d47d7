"""Reads configuration files into entries, and names everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from monitoring.configuration.faults import BadValue, ConfigurationError, Fault, Place, nearest
from monitoring.configuration.sections import SECTIONS, Section

#: Where a tenant's own state stands, as opposed to a file.
NOWHERE = Place("", 0)


@dataclass(frozen=True, slots=True)
class Entry:
    """One object as a file or the database has it: only the fields named, under the models' names."""

    section: str
    key: tuple[str, ...]
    fields: Mapping[str, Any]
    place: Place = field(default=NOWHERE, compare=False)

    @property
    def identity(self) -> tuple[str, tuple[str, ...]]:
        """What it is found by."""
        return self.section, self.key


def parse(files: Iterable[tuple[str, str]]) -> tuple[Entry, ...]:
    """Return the entries of `(file name, text)` in their order; raises ConfigurationError with all faults."""
    faults: list[Fault] = []
    entries: list[Entry] = []
    for name, text in files:
        entries += _entries(name, text, faults)
    _refuse_repeats(entries, faults)
    if faults:
        raise ConfigurationError(faults)
    return tuple(_placed(entries))


def _entries(name: str, text: str, faults: list[Fault]) -> Iterator[Entry]:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) or "it can't be read"
        faults.append(Fault(Place(name, mark.line + 1 if mark else 1), f"This is no YAML: {said}."))
        return
    except RecursionError:
        faults.append(Fault(Place(name, 1), "The file is nested too deeply to be read; a configuration never is."))
        return
    if root is None:
        faults.append(Fault(Place(name, 1), f"The file is empty. It names sections: {', '.join(SECTIONS)}."))
        return
    if not isinstance(root, yaml.MappingNode):
        faults.append(Fault(Place(name, 1), f"The file must name sections: {', '.join(SECTIONS)}."))
        return
    here = Place(name, 1)
    for section, node in _named(root, here, tuple(SECTIONS), faults):
        yield from _list(SECTIONS[section], section, node, here.below(section, _line(node)), faults)


def _list(
    section: Section, name: str, node: yaml.Node, place: Place, faults: list[Fault], *, above: tuple[str, ...] = ()
) -> Iterator[Entry]:
    if not isinstance(node, yaml.SequenceNode):
        faults.append(Fault(place, f"A list of {section.noun} entries is wanted here, each beginning with '- '."))
        return
    for number, item in enumerate(node.value):
        yield from _entry(section, name, item, place.below(number, _line(item)), faults, above=above)


def _entry(
    section: Section, name: str, node: yaml.Node, place: Place, faults: list[Fault], *, above: tuple[str, ...]
) -> Iterator[Entry]:
    if not isinstance(node, yaml.MappingNode):
        faults.append(Fault(place, f"A {section.noun} with its fields is wanted here."))
        return
    known = (*section.fields, *section.inner)
    fields: dict[str, Any] = {}
    inner: list[tuple[str, yaml.Node]] = []
    for field_name, value in _named(node, place, known, faults):
        if field_name in section.inner:
            inner.append((field_name, value))
            continue
        kept = section.aliases.get(field_name, field_name)
        if kept in fields:
            faults.append(Fault(place.below(field_name, _line(value)), f"It is said twice, also as '{kept}'."))
        try:
            fields[kept] = section.fields[field_name](value)
        except BadValue as error:
            faults.append(Fault(place.below(field_name, _line(value)), str(error)))
            fields[kept] = None
    missing = [part for part in section.key if not fields.get(part)]
    if missing:
        if all(part not in fields for part in missing):
            faults.append(Fault(place, f"'{missing[0]}' is missing; it names the {section.noun}."))
        return
    key = (*above, *(str(fields.pop(part)) for part in section.key))
    yield Entry(name, key, fields, place)
    for list_name, value in inner:
        yield from _list(
            section.inner[list_name], list_name, value, place.below(list_name, _line(value)), faults, above=key
        )


def _named(
    node: yaml.MappingNode, place: Place, known: tuple[str, ...], faults: list[Fault]
) -> Iterator[tuple[str, yaml.Node]]:
    seen: set[str] = set()
    for name_node, value in node.value:
        name = str(name_node.value)
        here = place.below(name, _line(name_node))
        if name not in known:
            faults.append(Fault(here, f"'{name}' is unknown here; {nearest(name, known)}"))
        elif name in seen:
            faults.append(Fault(here, f"'{name}' is said twice."))
        else:
            yield name, value
        seen.add(name)


def _refuse_repeats(entries: Iterable[Entry], faults: list[Fault]) -> None:
    first: dict[tuple[str, tuple[str, ...]], Entry] = {}
    for entry in entries:
        known = first.setdefault(entry.identity, entry)
        if known is not entry:
            told = f"{known.place.file}:{known.place.line}"
            faults.append(Fault(entry.place, f"'{' '.join(entry.key)}' stands there already, at {told}."))


def _placed(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The order of mapping rules is their position, over all files."""
    position = 0
    for entry in entries:
        if entry.section == "mapping_rules":
            position += 1
            yield Entry(entry.section, entry.key, {**entry.fields, "position": position}, entry.place)
        else:
            yield entry


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
