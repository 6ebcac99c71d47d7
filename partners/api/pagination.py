"""Cursor pages over a queryset's own order: stable while rows arrive, and as fast on page 1,000 as on page 1."""

from __future__ import annotations

import base64
import binascii
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import orjson
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from partners.api.problems import BadParameter

CURSOR, PAGE_SIZE = "cursor", "page_size"


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins: after the row with these values of the ordering's fields, or before it."""

    backward: bool
    position: tuple[Any, ...]

    def text(self) -> str:
        """Return it as a query parameter."""
        packed = orjson.dumps([self.backward, self.position], default=str)
        return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


class CursorPages(BasePagination):
    """Pages a queryset whose ordering ends in a unique field and runs in one direction."""

    default_size = 50
    max_size = 200

    def paginate_queryset(  # type: ignore[override]  # Lists that are no queryset answer with `whole`.
        self, queryset: QuerySet[Any], request: Request, view: Any = None
    ) -> list[Any]:
        """Return the page's rows and remember its neighbours."""
        order = [str(field) for field in queryset.query.order_by]
        names = [field.lstrip("-") for field in order]
        cursor = _read(request.query_params.get(CURSOR, ""), queryset.model, names)
        size = self._size(request)
        backward = cursor is not None and cursor.backward
        rows = queryset.reverse() if backward else queryset
        if cursor is not None:
            rows = rows.filter(_beyond(order, cursor))
        found = list(rows[: size + 1])
        more, page = len(found) > size, found[:size]
        if backward:
            page.reverse()
        has_next = backward or more
        has_previous = more if backward else cursor is not None
        self._request = request
        self._next = _cursor(page[-1], names, backward=False) if has_next and page else None
        self._previous = _cursor(page[0], names, backward=True) if has_previous and page else None
        return page

    def get_paginated_response(self, data: Any) -> Response:
        """Return the page as INTERFACE.md has it."""
        return Response({"next": self._link(self._next), "previous": self._link(self._previous), "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe a page for the OpenAPI schema."""
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Describe the two parameters for the OpenAPI schema."""
        size = {"type": "integer", "minimum": 1, "maximum": self.max_size, "default": self.default_size}
        return [
            {"name": CURSOR, "in": "query", "description": "From `next` or `previous`.", "schema": {"type": "string"}},
            {"name": PAGE_SIZE, "in": "query", "description": "Rows on a page.", "schema": size},
        ]

    def _size(self, request: Request) -> int:
        text = request.query_params.get(PAGE_SIZE, str(self.default_size))
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= self.max_size):
            raise BadParameter({PAGE_SIZE: f"'{text[:40]}' is no number from 1 to {self.max_size}."})
        return int(text)

    def _link(self, cursor: Cursor | None) -> str | None:
        if cursor is None:
            return None
        return replace_query_param(self._request.build_absolute_uri(), CURSOR, cursor.text())


def whole(rows: Iterable[Any]) -> Response:
    """Return a list that is never long as its only page."""
    return Response({"next": None, "previous": None, "results": rows})


def _read(text: str, model: type[Model], names: Sequence[str]) -> Cursor | None:
    if not text:
        return None
    try:
        backward, position = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        fields = [model._meta.pk if name == "pk" else model._meta.get_field(name) for name in names]
        values = tuple(field.to_python(value) for field, value in zip(fields, position, strict=True))  # type: ignore[union-attr]
        if not isinstance(backward, bool) or None in values:
            raise ValueError(text)
    except (ValueError, TypeError, OverflowError, binascii.Error, ValidationError):
        raise BadParameter({CURSOR: "This is no cursor of this list; take it from next or previous."}) from None
    return Cursor(backward, values)


def _cursor(row: Any, names: Sequence[str], *, backward: bool) -> Cursor:
    return Cursor(backward, tuple(getattr(row, name) for name in names))


def _beyond(order: Sequence[str], cursor: Cursor) -> Q:
    """Rows after the cursor's, compared field by field: (a, b) < (x, y) is a < x, or a = x and b < y."""
    alternatives = []
    for place, (field, value) in enumerate(zip(order, cursor.position, strict=True)):
        down = field.startswith("-") is not cursor.backward
        equal = Q(*((name.lstrip("-"), known) for name, known in zip(order[:place], cursor.position, strict=False)))
        alternatives.append(equal & Q((f"{field.lstrip('-')}__{'lt' if down else 'gt'}", value)))
    return reduce(operator.or_, alternatives)
