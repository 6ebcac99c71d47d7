"""Storage: what is kept of what arrived, how fast it grows, and what is held beyond its retention."""

from __future__ import annotations

from datetime import date

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_POST, require_safe

from console.access import tenant_page
from console.asked import text
from monitoring.models import LegalHold
from monitoring.selectors.legal_holds import visible_holds
from monitoring.selectors.reception import last_received_at
from monitoring.selectors.storage import GROWTH_DAYS, storage, storage_of_tenants
from monitoring.services.legal_holds import hold_place, hold_release
from monitoring.storage.partitions import LEAST_RETENTION_DAYS
from partners.actors import actor_names
from partners.roles import Right
from partners.viewer import Viewer


@tenant_page()
@require_safe
def show(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Show sizes, growth and holds."""
    return _page(request, viewer)


@tenant_page(Right.PLACE_HOLDS)
@require_POST
def place(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Place a hold; what is wrong with it stands beside its fields."""
    since, until, reason = _date(request, "since"), _date(request, "until"), text(request.POST, "reason", 2000)
    faults = {}
    if since is None:
        faults["since"] = "Say from which day on."
    if until is None and request.POST.get("until"):
        faults["until"] = "This is no date; leave it empty to hold whatever comes."
    if not reason:
        faults["reason"] = "Say what it is for; the audit trail shows it."
    if since is not None and not faults:
        try:
            hold_place(since=since, until=until, reason=reason, viewer=viewer)
        except ValidationError as error:
            faults = {name: " ".join(told) for name, told in error.message_dict.items()}
    if faults:
        return _page(request, viewer, faults=faults, status=422)
    messages.success(request, "The hold is placed. Retention leaves these days alone until it is released.")
    return redirect("storage", tenant=viewer.tenant.slug)


@tenant_page(Right.PLACE_HOLDS)
@require_POST
def release(request: HttpRequest, viewer: Viewer, pk: int) -> HttpResponse:
    """Release a hold."""
    try:
        hold: LegalHold = visible_holds(viewer).get(pk=pk)
    except LegalHold.DoesNotExist as missing:
        raise Http404 from missing
    reason = text(request.POST, "reason", 2000) or "released on the Storage page"
    verdict = hold_release(hold=hold, reason=reason, viewer=viewer)
    messages.success(request, f"The hold: {verdict.reason}.")
    return redirect("storage", tenant=viewer.tenant.slug)


def _date(request: HttpRequest, name: str) -> date | None:
    try:
        return parse_date(text(request.POST, name, 10))
    except ValueError:
        return None


def _page(
    request: HttpRequest, viewer: Viewer, *, faults: dict[str, str] | None = None, status: int = 200
) -> HttpResponse:
    today = timezone.now().date()
    stored = storage(viewer, today)
    holds = list(visible_holds(viewer)[:200])
    retention: int = max(int(settings.INTAKE_RETENTION_DAYS), LEAST_RETENTION_DAYS)
    shown = {
        "stored": stored,
        "is_arriving": not stored.days and last_received_at(viewer, timezone.now()) is not None,
        "most": max((row.bytes_stored for row in stored.days), default=0),
        "today": today,
        "retention": retention,
        "at_retention": stored.growth * retention,
        "growth_days": GROWTH_DAYS,
        "tenants_stored": storage_of_tenants(viewer, today),
        "holds": holds,
        "names": actor_names(hold.placed_by for hold in holds),
        "in_force": sum(1 for hold in holds if hold.released_at is None),
        "faults": faults or {},
        "said": request.POST,
    }
    return render(request, "storage/page.html", shown, status=status)
