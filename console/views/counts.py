"""The counts of the rail, one by one, as they refetch themselves."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from console.access import tenant_page
from partners.viewer import Viewer

_PARTS = {"alerts": "components/count_alerts.html", "dead-letters": "components/count_dead_letters.html"}


@tenant_page()
def counts(request: HttpRequest, viewer: Viewer, what: str) -> HttpResponse:
    """Show one count."""
    if what not in _PARTS:
        raise Http404
    return render(request, _PARTS[what])
