"""Gives each request an id that its log lines and its answer carry."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from console.logs import request_id

_GIVEN = re.compile(r"[A-Za-z0-9-]{8,64}\Z")


def _identify(request: HttpRequest) -> str:
    given = request.headers.get("X-Request-Id", "")
    identifier = given if _GIVEN.match(given) else secrets.token_hex(8)
    request_id.set(identifier)
    return identifier


@sync_and_async_middleware
def RequestIdMiddleware(  # noqa: N802  Named like the classes it stands among.
    get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]],
) -> Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]:
    """Take over a caller's well-formed X-Request-Id or make one."""
    if iscoroutinefunction(get_response):

        async def asynchronous(request: HttpRequest) -> HttpResponseBase:
            identifier = _identify(request)
            response: HttpResponseBase = await get_response(request)
            response["X-Request-Id"] = identifier
            return response

        return asynchronous

    def synchronous(request: HttpRequest) -> HttpResponseBase:
        identifier = _identify(request)
        response = get_response(request)
        response["X-Request-Id"] = identifier  # type: ignore[index]
        return response  # type: ignore[return-value]

    return synchronous
