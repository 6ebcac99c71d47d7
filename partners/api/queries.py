"""Query parameters: declared as a serializer, read strictly. What is unknown or malformed is named in a 400."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from partners.api.problems import BadParameter
from partners.models import TenantModel

_OFFSET = re.compile(r"(?:[Zz]|[+-]\d\d:\d\d)\Z")
#: An unescaped plus sign arrives as a space.
_LOST_PLUS = re.compile(r"(T\d\d:\d\d(?::\d\d(?:\.\d+)?)?) (\d\d:\d\d)\Z", re.IGNORECASE)
_Row = TypeVar("_Row", bound=TenantModel)


class InstantField(serializers.DateTimeField):
    """An RFC 3339 time with its offset; a time without one would mean something else in each zone."""

    def to_internal_value(self, value: Any) -> datetime:
        """Return the aware time."""
        if isinstance(value, str):
            value = _LOST_PLUS.sub(r"\1+\2", value)
            if "T" not in value.upper() or not _OFFSET.search(value):
                raise ValidationError(f"'{value[:40]}' is no RFC 3339 time with offset, such as 2026-01-31T08:00:00Z.")
        return super().to_internal_value(value)


class WordsField(serializers.CharField):
    """One or several words, comma-separated, of which any may match."""

    def __init__(self, choices: Iterable[str], **options: Any) -> None:
        self.words = tuple(choices)
        super().__init__(help_text=f"Any of {', '.join(self.words)}; several are separated by commas.", **options)

    def to_internal_value(self, data: Any) -> list[str]:  # type: ignore[override]
        """Return the words."""
        wanted = [word for word in super().to_internal_value(data).split(",") if word]
        for word in wanted:
            if word not in self.words:
                raise ValidationError(f"'{word[:40]}' is none of {', '.join(self.words)}.")
        return wanted


class HexField(serializers.CharField):
    """Bytes written as hexadecimal digits, as trace ids are."""

    def __init__(self, size: int, **options: Any) -> None:
        self.size = size
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> bytes:  # type: ignore[override]
        """Return the bytes."""
        text = super().to_internal_value(data)
        if not re.fullmatch(rf"[0-9a-fA-F]{{{2 * self.size}}}", text):
            raise ValidationError(f"'{text[:40]}' is not {2 * self.size} hexadecimal digits.")
        return bytes.fromhex(text)


class Query(serializers.Serializer[Any]):
    """The parameters an action takes. Subclasses declare fields, none of them required."""


class PeriodQuery(Query):
    """The half-open period [since, until)."""

    since = InstantField(required=False, help_text="From this time on, RFC 3339 with offset.")
    until = InstantField(required=False, help_text="Before this time, RFC 3339 with offset.")


def asked(request: Request, query: type[Query], *, besides: Collection[str] = ()) -> dict[str, Any]:
    """Return the request's parameters as `query` declares them; `besides` are names that others read."""
    known = query().fields
    unknown = [name for name in request.query_params if name not in known and name not in besides]
    if unknown:
        allowed = ", ".join(sorted({*known, *besides})) or "none"
        raise BadParameter(dict.fromkeys(unknown, f"There is no such parameter here; there are: {allowed}."))
    twice = [name for name, values in request.query_params.lists() if len(values) > 1]
    if twice:
        raise BadParameter(dict.fromkeys(twice, "It is given twice; give it once."))
    # An empty parameter asks for nothing, as a form with an empty field does.
    parser = query(data={name: value for name, value in request.query_params.items() if value})
    if not parser.is_valid():
        raise BadParameter(parser.errors)
    return dict(parser.validated_data)


def referred(rows: QuerySet[_Row], text: str | None, *names: str) -> int | None:
    """Return the id of the row a parameter names, by id or by one of its names; 0, which no row has, where none is.

    A row that the viewer may not see and one that doesn't exist both filter everything out.
    """
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    for name in names:
        found: int | None = rows.filter(**{name: text}).order_by("pk").values_list("pk", flat=True).first()
        if found is not None:
            return found
    return 0
