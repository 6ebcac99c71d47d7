"""The catalogue: who owns what?"""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from console.access import tenant_page
from console.asked import number
from console.toast import toasted
from monitoring.models import Process, Workflow
from monitoring.selectors.catalogue import mapping_rules_listed, processes_listed
from monitoring.selectors.coverage import coverage
from monitoring.selectors.unowned import unowned_queue
from monitoring.services.catalogue import workflow_assign
from partners.roles import Right
from partners.viewer import Viewer


@tenant_page()
@require_safe
def show(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Show coverage, the unowned queue and the processes; their part alone where the page refetches it."""
    return _page(request, viewer)


@tenant_page(Right.EDIT_CATALOGUE)
@require_POST
def assign(request: HttpRequest, viewer: Viewer, pk: int) -> HttpResponse:
    """Give a workflow the chosen process."""
    process_id = number(request.POST, "process")
    if process_id is None:
        return toasted(_page(request, viewer), "Choose a process first, then press Assign.", "warn")
    try:
        done = workflow_assign(workflow_id=pk, process_id=process_id, viewer=viewer)
    except (Workflow.DoesNotExist, Process.DoesNotExist) as missing:
        raise Http404 from missing
    came_along = f" {done.runs} runs and {done.events} events came along." if done.runs or done.events else ""
    return toasted(_page(request, viewer), f"{done.workflow.name} now serves {done.process.name}.{came_along}")


def _page(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    now = timezone.now()
    processes = list(processes_listed(viewer).prefetch_related("workflows", "rules").order_by("name"))
    shown = {
        "coverage": coverage(viewer, now),
        "queue": unowned_queue(viewer, now),
        "processes": processes,
        "rules": mapping_rules_listed(viewer),
    }
    partial = request.headers.get("HX-Request") is not None
    return render(request, "catalogue/live.html" if partial else "catalogue/page.html", shown)
