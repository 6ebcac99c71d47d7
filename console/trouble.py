"""What is answered where a page could not be made: come back in a moment, or something broke."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.defaults import server_error

from partners.api.problems import unavailable
from partners.faults import will_pass


def broken(request: HttpRequest) -> HttpResponse:
    """Django's handler of what nobody caught. A database that is away is no fault of the console's."""
    if not will_pass(sys.exc_info()[1]):
        return server_error(request)
    if request.path.startswith("/api/"):
        return unavailable()
    answer = render(None, "503.html", status=503)  # Who asks can't be known without it.
    answer["Retry-After"] = "1"
    return answer
