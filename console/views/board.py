"""The board: what needs me?"""

from __future__ import annotations

from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from console.access import tenant_page
from monitoring.models import Workflow
from monitoring.selectors.board import Board, board
from monitoring.selectors.reception import last_received_at
from monitoring.selectors.visibility import tenant_rows
from partners.models import IngestKey, Site
from partners.viewer import Viewer


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """What a new tenant has done on its way to a first process."""

    key: bool
    telemetry: bool
    workflows: int


@tenant_page()
def show(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Show how every process stands, worst first; the table alone where the page refetches it."""
    found = board(viewer, now=timezone.now(), site_id=_site_id(request, viewer))
    wall = request.GET.get("wall") == "1"
    shown = {
        "board": found,
        "sentence": sentence(found),
        "wall": wall,
        "first_steps": None if found.groups else _first_steps(viewer),
    }
    if request.headers.get("HX-Request"):
        return render(request, "board/wall_live.html" if wall else "board/live.html", shown)
    return render(request, "board/wall.html" if wall else "board/page.html", shown)


def sentence(found: Board) -> str:
    """Say how things stand: "11 processes run as promised; 2 need you"."""
    total = len(found.rows)
    if not total:
        return "No process is watched yet"
    if found.as_promised == total:
        return f"All {total} processes run as promised" if total > 1 else "The one process runs as promised"
    parts = [_counted(found.as_promised, "process runs as promised", "processes run as promised")]
    if found.need_you:
        parts.append(_counted(found.need_you, "needs you", "need you"))
    if found.slipping:
        parts.append(_counted(found.slipping, "is slipping", "are slipping"))
    if found.in_hand:
        parts.append(_counted(found.in_hand, "is in hand", "are in hand"))
    if found.silent:
        parts.append(_counted(found.silent, "is silent", "are silent"))
    return "; ".join(parts)


def _counted(number: int, one: str, many: str) -> str:
    return f"{number or 'No'} {many if number > 1 else one}"


def _site_id(request: HttpRequest, viewer: Viewer) -> int | None:
    slug = request.GET.get("site", "")
    if not slug:
        return None
    site = tenant_rows(viewer, Site).filter(slug=slug).first()
    if site is None:
        raise Http404("There is no such site.")
    return site.pk


def _first_steps(viewer: Viewer) -> FirstSteps:
    return FirstSteps(
        key=tenant_rows(viewer, IngestKey).filter(revoked_at=None).exists(),
        telemetry=last_received_at(viewer, timezone.now()) is not None,
        workflows=tenant_rows(viewer, Workflow).count(),
    )
