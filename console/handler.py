"""Django's part of the ASGI application: each request is answered in one change of threads."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import request_started
from django.db import close_old_connections, reset_queries
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import get_resolver


class Handler(ASGIHandler):
    """As Django's own, but middleware and view run in the request's thread, without going back to the loop between.

    Django's way changes threads at each middleware that is only synchronous and again at the view, and a receiver of
    `request_started` costs a further change; while intake has the interpreter, each of them waits. A view that is
    asynchronous still runs on the loop, and what it streams too.
    """

    def __init__(self) -> None:
        self.load_middleware(is_async=False)
        # Read now, not within the first request: it takes seconds, in which the worker would take nothing in.
        _ = get_resolver().url_patterns
        for receiver in (close_old_connections, reset_queries):
            request_started.disconnect(receiver)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request in its thread."""
        response: HttpResponseBase = await sync_to_async(self._answered)(request)
        return response

    def _answered(self, request: HttpRequest) -> Any:
        close_old_connections()
        reset_queries()
        response = self.get_response(request)
        if response.streaming:
            # An open page listens for hours: a connection that it held on to would be one less for everybody.
            close_old_connections()
        return response
