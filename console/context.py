"""What every page's frame shows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def frame(request: HttpRequest) -> dict[str, Any]:
    """Give templates the version and the brand of the host."""
    return {"andon_version": settings.VERSION, "viewer": getattr(request, "viewer", None)}
