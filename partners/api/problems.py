"""Errors as RFC 9457 problem details: the same body for all that does not exist for the one who asks."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.core.exceptions import ValidationError as ModelError
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError
from django.db.models import ProtectedError
from django.http import Http404, HttpRequest
from django.http import HttpResponse as DjangoResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions, serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler

from partners.faults import will_pass

_log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
NOT_FOUND = "There is no such object, or it is not yours to see."


class ProblemError(serializers.Serializer[Any]):
    """One thing that was wrong, and where: `pointer` into the body (RFC 6901) or the query `parameter`."""

    detail = serializers.CharField()
    pointer = serializers.CharField(required=False)
    parameter = serializers.CharField(required=False)


class Problem(serializers.Serializer[Any]):
    """RFC 9457 problem details; `code` is stable for programs, `detail` is for people."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    errors = ProblemError(many=True, required=False)  # type: ignore[assignment]  # DRF takes declared fields away.


class Conflict(exceptions.APIException):
    """The step is allowed and came too late, or clashes with what stands there. Answered with 409."""

    status_code = HTTPStatus.CONFLICT
    default_code = "conflict"


class Unavailable(exceptions.APIException):
    """The database is away or has no room; the same request may be answered a moment later."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_code = "unavailable"
    default_detail = "The database can't be asked at the moment; try again."
    #: Seconds, for Retry-After.
    wait = 1


class BadParameter(exceptions.ValidationError):
    """A query parameter that is unknown or can't be read; `detail` maps its name to what is wrong."""


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER. What it doesn't know stays a 500 and reaches the log."""
    known = _as_api_exception(error)
    response = exception_handler(known, context)
    if response is None or not isinstance(known, exceptions.APIException):
        return response
    response.data = _body(known)
    response.content_type = CONTENT_TYPE
    return response


@csrf_exempt  # Nothing is done here: a program that writes to an address that isn't there is told just that.
def unknown_route(_request: HttpRequest, **_: Any) -> DjangoResponse:
    """Answer for addresses below the API that lead nowhere, with the body that a missing object has."""
    body = JSONRenderer().render(_body(exceptions.NotFound(NOT_FOUND)))
    return DjangoResponse(body, status=404, content_type=CONTENT_TYPE)


def unavailable() -> DjangoResponse:
    """Answer for requests below the API that failed, for a moment, before any view had them."""
    error = Unavailable()
    body = JSONRenderer().render(_body(error))
    headers = {"Retry-After": str(error.wait)}
    return DjangoResponse(body, status=error.status_code, content_type=CONTENT_TYPE, headers=headers)


def _as_api_exception(error: Exception) -> Exception:
    match error:
        case ObjectDoesNotExist() | Http404() | exceptions.NotFound():
            known: Exception = exceptions.NotFound(NOT_FOUND)
        case PermissionDenied():
            known = exceptions.PermissionDenied(str(error) or None)
        case ModelError():
            messages = error.message_dict if hasattr(error, "error_dict") else {"non_field_errors": error.messages}
            known = exceptions.ValidationError(messages)
        case ProtectedError():
            kinds = sorted({str(row._meta.verbose_name_plural or "rows") for row in error.protected_objects})
            known = Conflict(f"It is still in use by {', '.join(kinds)}; move those first.")
        case IntegrityError():
            known = Conflict(_integrity(error))
        case RecursionError():
            known = exceptions.ParseError("The body is nested too deeply.")
        case DataError():
            known = exceptions.ValidationError("A value is too long, or holds a character that can't be stored.")
        case DatabaseError() | InterfaceError() if will_pass(error):
            _log.warning("the API is waiting for the database: %s", error)
            known = Unavailable()
        case _:
            known = error
    return known


def _integrity(error: IntegrityError) -> str:
    """Say what clashed without repeating the database's message, which shows values."""
    state = getattr(error.__cause__, "sqlstate", "")
    if state == "23505":
        return "Another one has the same name or place already; choose another, or change that one."
    if state == "23503":
        return "It refers to something that does not exist, or something still refers to it."
    return "It would break a rule that the database holds."


def _body(error: exceptions.APIException) -> dict[str, Any]:
    errors = list(_errors(error))
    body = {
        "type": "about:blank",
        "title": HTTPStatus(error.status_code).phrase,
        "status": int(error.status_code),
        "code": _code(error),
        "detail": _summary(error, errors),
    }
    return {**body, "errors": errors} if errors else body


def _code(error: exceptions.APIException) -> str:
    codes = error.get_codes()
    return codes if isinstance(codes, str) else error.default_code


def _summary(error: exceptions.APIException, errors: list[dict[str, str]]) -> str:
    if not errors:
        return str(error.detail)
    first = errors[0]
    place = first.get("parameter") or first.get("pointer", "").lstrip("#/").replace("/", ".")
    rest = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{place}: {first['detail']}{rest}" if place else f"{first['detail']}{rest}"


def _errors(error: exceptions.APIException) -> Iterator[dict[str, str]]:
    if not isinstance(error, exceptions.ValidationError):
        return
    for path, detail in _leaves(error.detail, ()):
        if isinstance(error, BadParameter):
            yield {"detail": detail, "parameter": path[0] if path else ""}
        else:
            yield {"detail": detail, "pointer": "#" + "".join(f"/{part}" for part in path)}


def _leaves(detail: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """DRF nests messages like the body; a list is a list of messages, or of items with messages of their own."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _leaves(inner, path if name == "non_field_errors" else (*path, str(name)))
    elif isinstance(detail, list | tuple):
        for place, inner in enumerate(detail):
            yield from _leaves(inner, (*path, str(place)) if isinstance(inner, Mapping) else path)
    else:
        yield path, str(detail)
