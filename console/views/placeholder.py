"""Stands in for pages that are being written."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.access import tenant_page
from partners.viewer import Viewer


@tenant_page()
def placeholder(request: HttpRequest, viewer: Viewer, **_: object) -> HttpResponse:
    return render(request, "base.html")
