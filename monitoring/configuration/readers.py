"""How one value of a configuration file is read: from the text as it stands there, so YAML guesses no types."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

import yaml
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from monitoring.configuration.faults import BadValue, nearest
from monitoring.expressions import ExpressionError, check
from monitoring.services.mapping_rules import check_keys
from partners.models.tenancy import validate_zone

Reader: TypeAlias = Callable[[yaml.Node], Any]

_NULL = "tag:yaml.org,2002:null"
_SLUG = re.compile(r"[A-Za-z0-9_-]{1,60}\Z")
_SPAN = re.compile(r"(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)m)?\s*(?:(\d+)s)?\Z")
_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d\Z")
_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def text(limit: int, *, blank: bool = True) -> Reader:
    """Return a reader of text of at most `limit` characters."""

    def read(node: yaml.Node) -> str:
        value = _scalar(node, "text")
        if len(value) > limit:
            raise BadValue(f"it has {len(value)} characters; at most {limit} are allowed.")
        if not value.strip() and not blank:
            raise BadValue("it is empty.")
        if "\x00" in value:
            raise BadValue("it holds a NUL character.")
        return value

    return read


def slug(node: yaml.Node) -> str:
    """Read a short name."""
    value = _scalar(node, "a short name")
    if not _SLUG.match(value):
        raise BadValue(f"'{value}' is no short name: letters, digits, - and _, at most 60.")
    return value


def choice(options: Iterable[str]) -> Reader:
    """Return a reader of one of the words."""
    known = [str(option) for option in options]

    def read(node: yaml.Node) -> str:
        value = _scalar(node, "a word")
        if value not in known:
            raise BadValue(f"'{value}' is unknown; {nearest(value, known)}")
        return value

    return read


def optional(reader: Reader) -> Reader:
    """Return a reader that takes null for nothing."""

    def read(node: yaml.Node) -> Any:
        return None if node.tag == _NULL else reader(node)

    return read


def flag(node: yaml.Node) -> bool:
    """Read true or false."""
    value = _FLAGS.get(_scalar(node, "true or false").lower())
    if value is None:
        raise BadValue("it must be true or false.")
    return value


def seconds(node: yaml.Node) -> int:
    """Read a number of seconds."""
    value = _scalar(node, "a number of seconds")
    if not value.isdigit() or not 0 < int(value[:12]) <= 2_147_483_647:
        raise BadValue(f"'{value}' is no number of seconds from 1 on.")
    return int(value)


def duration(node: yaml.Node) -> int:
    """Read a duration such as 90s, 15m, 2h 30m or 1d as seconds."""
    value = _scalar(node, "a duration")
    match = _SPAN.match(value.strip())
    if match is None or not any(match.groups()):
        raise BadValue(f"'{value}' is no duration; write 90s, 15m, 2h 30m or 1d.")
    days, hours, minutes, rest = (int(part or 0) for part in match.groups())
    total = ((days * 24 + hours) * 60 + minutes) * 60 + rest
    if not 0 < total <= 2_147_483_647:
        raise BadValue(f"'{value}' must be longer than nothing and shorter than 68 years.")
    return total


def clock(node: yaml.Node) -> str:
    """Read a time of day, HH:MM, or nothing."""
    value = _scalar(node, "a time of day")
    if value and not _CLOCK.match(value):
        raise BadValue(f"'{value}' is no time of day; write HH:MM, such as 06:30.")
    return value


def amount(lowest: str, highest: str) -> Reader:
    """Return a reader of a number with two decimals in this range."""

    def read(node: yaml.Node) -> Decimal:
        value = _scalar(node, "a number")
        try:
            number = Decimal(value).quantize(Decimal("0.01"))
        except InvalidOperation:
            raise BadValue(f"'{value}' is no number.") from None
        if not Decimal(lowest) <= number <= Decimal(highest):
            raise BadValue(f"{value} lies outside {lowest} to {highest}.")
        return number

    return read


def email(node: yaml.Node) -> str:
    """Read an e-mail address."""
    value = _scalar(node, "an e-mail address").lower()
    try:
        validate_email(value)
    except ValidationError:
        raise BadValue(f"'{value}' is no e-mail address.") from None
    return value


def zone(node: yaml.Node) -> str:
    """Read an IANA time zone."""
    value = _scalar(node, "a time zone")
    try:
        validate_zone(value)
    except ValidationError as error:
        raise BadValue(error.messages[0]) from None
    return value


def condition(node: yaml.Node) -> str:
    """Read a CEL condition that can be used."""
    value = _scalar(node, "a CEL condition")
    try:
        check(value)
    except ExpressionError as error:
        raise BadValue(str(error)) from None
    return value


def words(options: Iterable[str]) -> Reader:
    """Return a reader of a list of words."""
    one = choice(options)

    def read(node: yaml.Node) -> list[str]:
        return [one(item) for item in _items(node)]

    return read


def keys(node: yaml.Node) -> list[dict[str, str]]:
    """Read `[{type: order, from: erp.order}]` as a mapping rule keeps it."""
    found = []
    for item in _items(node):
        said = {_scalar(name, "a name"): _scalar(value, "text") for name, value in _pairs(item)}
        unknown = [name for name in said if name not in {"type", "from"}]
        if unknown:
            raise BadValue(f"'{unknown[0]}' is unknown; {nearest(unknown[0], ('type', 'from'))}")
        found.append({"type": said.get("type", ""), "expression": said.get("from", "")})
    try:
        check_keys(found)
    except ValidationError as error:
        raise BadValue(error.messages[0]) from None
    return found


def numbers(node: yaml.Node) -> dict[str, float]:
    """Read a mapping of names to numbers."""
    found: dict[str, float] = {}
    for name, value in _pairs(node):
        shown = _scalar(value, "a number")
        try:
            found[_scalar(name, "a name")] = float(Decimal(shown))
        except InvalidOperation:
            raise BadValue(f"'{shown}' is no number.") from None
    return found


def _scalar(node: yaml.Node, wanted: str) -> str:
    if not isinstance(node, yaml.ScalarNode) or node.tag == _NULL:
        raise BadValue(f"{wanted} is wanted here.")
    return str(node.value)


def _items(node: yaml.Node) -> list[yaml.Node]:
    if not isinstance(node, yaml.SequenceNode):
        raise BadValue("a list is wanted here.")
    return list(node.value)


def _pairs(node: yaml.Node) -> list[tuple[yaml.Node, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        raise BadValue("a mapping of names to values is wanted here.")
    return list(node.value)
