"""Connect: keys, snippets to copy, and what became of what arrived."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from console.access import tenant_page
from console.asked import text
from console.refusals import advice_on
from console.snippets import PLACEHOLDER, snippets
from monitoring.selectors.outcomes import account_of_intake
from monitoring.selectors.reception import reception
from partners.access import access_key_revoke, ingest_key_make
from partners.models import IngestKey
from partners.roles import Right
from partners.selectors import visible_ingest_keys
from partners.viewer import Viewer

_MOST_REFUSALS = 200


@tenant_page(Right.VIEW_PAYLOAD)
@require_safe
def show(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Show keys, snippets and refusals; whether anything arrives alone where the page refetches it."""
    if request.headers.get("HX-Request"):
        return render(request, "connect/waiting.html", {"reception": reception(viewer, timezone.now())})
    return _page(request, viewer)


@tenant_page(Right.MANAGE_KEYS)
@require_POST
def issue(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Make a key and show it in this one answer, in every snippet."""
    label = text(request.POST, "label", 120)
    if not label:
        return _page(request, viewer, problem="Say what will send with this key, such as n8n Hamburg.", status=422)
    _, new = ingest_key_make(label=label, viewer=viewer)
    answer = _page(request, viewer, key=new.text, label=label)
    # The secret is known in this answer alone; no cache keeps it.
    answer["Cache-Control"] = "no-store"
    return answer


@tenant_page(Right.MANAGE_KEYS)
@require_POST
def revoke(request: HttpRequest, viewer: Viewer, pk: int) -> HttpResponse:
    """Make a key worthless."""
    try:
        key = visible_ingest_keys(viewer).get(pk=pk)
    except IngestKey.DoesNotExist as missing:
        raise Http404 from missing
    access_key_revoke(key=key, viewer=viewer, reason="revoked on the Connect page")
    messages.success(request, f"{key.label} is revoked. Requests with it are refused from now on.")
    return redirect("connect", tenant=viewer.tenant.slug)


def _page(
    request: HttpRequest, viewer: Viewer, *, key: str = "", label: str = "", problem: str = "", status: int = 200
) -> HttpResponse:
    now = timezone.now()
    account = account_of_intake(viewer, now)
    may_manage = viewer.may(Right.MANAGE_KEYS)
    shown = {
        "keys_live": visible_ingest_keys(viewer).filter(revoked_at=None) if may_manage else [],
        "keys_revoked": visible_ingest_keys(viewer).exclude(revoked_at=None) if may_manage else [],
        "new_key": key,
        "new_label": label,
        "problem": problem,
        "snippets": snippets(request.build_absolute_uri("/").rstrip("/"), key or PLACEHOLDER),
        "reception": reception(viewer, now),
        "account": account,
        "refusals": [(refused, advice_on(refused)) for refused in account.refused[:_MOST_REFUSALS]],
    }
    return render(request, "connect/page.html", shown, status=status)
