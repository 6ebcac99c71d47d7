"""Alerts: what needs someone, and for each one what happened, so what, what now."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from console import asked
from console.access import tenant_page
from console.alerts.evidence import exhibits, proofs_of, runs_in
from console.alerts.filter import TABS, AlertFilter, alerts_asked, choices, tab_counts
from console.alerts.similar import similar_past
from console.alerts.steps import figure_rows, step_of
from console.alerts.story import story_of
from console.exports import MAX_ROWS, csv_answer
from console.members import members
from console.paging import numbered_page
from console.sla_clock import SlaClock, promise, sla_clock
from monitoring.models import Alert, Sla
from monitoring.selectors.alerts import alert_get, visible_alerts
from monitoring.services.alerts import (
    AlertVerdict,
    alert_acknowledge,
    alert_assign,
    alert_note,
    alert_reopen,
    alert_resolve,
)
from partners.models import User
from partners.roles import Right
from partners.viewer import Viewer

_LONGEST_NOTE = 4000
_DONE = {
    "acknowledged": "Acknowledged. Your name stands on it.",
    "assigned": "Assigned.",
    "resolved": "Resolved. If it comes back, a new alert opens and shows what you wrote.",
    "reopened": "Reopened: it is firing again.",
    "noted": "Note added.",
}


@tenant_page()
@require_safe
def alert_list(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """List alerts by what the address asks for."""
    return render(request, "console/alerts.html", _listed(request, viewer) | {"choices": choices(viewer)})


@tenant_page()
@require_safe
def alert_rows(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Show the part of the list that refetches itself."""
    return render(request, "console/alerts_rows.html", _listed(request, viewer))


@tenant_page()
@require_safe
def alert_csv(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Export the list as it is filtered."""
    header = ["id", "status", "severity", "kind", "title", "process", "workflow", "owner", "assignee", "count"]
    header += ["impact", "priority", "first seen", "last seen", "resolved", "what fixed it", "keys", "fingerprint"]
    rows = [
        [
            alert.pk, alert.status, alert.severity, alert.kind, alert.title,
            alert.process.name if alert.process else "", alert.workflow.name if alert.workflow else "",
            str(alert.process.owner) if alert.process and alert.process.owner else "", str(alert.assignee or ""),
            alert.count, alert.impact_score, alert.impact_priority, alert.first_seen_at, alert.last_seen_at,
            alert.resolved_at, alert.resolution, " ".join(f"{key['type']}:{key['value']}" for key in alert.keys),
            alert.fingerprint,
        ]
        for alert in alerts_asked(viewer, AlertFilter.read(request.GET))[: MAX_ROWS + 1]
    ]  # fmt: skip
    return csv_answer("alerts", header, rows)


@tenant_page()
@require_safe
def alert_detail(request: HttpRequest, viewer: Viewer, pk: int) -> HttpResponse:
    """Show one alert whole."""
    alert = _alert(viewer, pk)
    proofs = proofs_of(viewer, alert)
    sla, clock = _promise(viewer, alert)
    return render(
        request,
        "console/alert.html",
        {
            "alert": alert,
            "exhibits": exhibits(proofs),
            "step": step_of(viewer, alert, proofs),
            "figures": figure_rows(alert),
            "sla": sla,
            "promised": promise(sla) if sla else "",
            "clock": clock,
            "similar": similar_past(viewer, alert),
            "story": story_of(viewer, alert),
            "members": members(viewer) if viewer.may(Right.HANDLE_ALERTS) else [],
        },
    )


@tenant_page(right=Right.HANDLE_ALERTS)
@require_POST
def alert_act(request: HttpRequest, viewer: Viewer, pk: int) -> HttpResponse:
    """Do one of the things people do about an alert, and say what became of it."""
    act = _ACTS.get(request.POST.get("action", ""))
    if act is None:
        raise Http404("There is no such action.")
    verdict = act(_alert(viewer, pk), request.POST, viewer)
    words = _DONE.get(verdict.reason, verdict.reason) if verdict.changed else f"Nothing changed: {verdict.reason}."
    state = "ok" if verdict.changed else "watch"
    if request.headers.get("HX-Request"):
        toast = {"toast": {"text": words, "state": state}, "alerts-changed": {}}
        return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(toast)})
    (messages.success if verdict.changed else messages.warning)(request, words)
    return redirect(reverse("alert", args=[viewer.tenant.slug, pk]))


def _listed(request: HttpRequest, viewer: Viewer) -> dict[str, object]:
    wanted = AlertFilter.read(request.GET)
    page = numbered_page(alerts_asked(viewer, wanted), request.GET.get("page", ""))
    counts = tab_counts(viewer, wanted)
    return {
        "wanted": wanted,
        "page": page,
        "counted": counts,
        "tabs": [(name, label) for name, (label, _) in TABS.items()],
        "ever": bool(page.rows) or visible_alerts(viewer).exists(),
    }


def _alert(viewer: Viewer, pk: int) -> Alert:
    try:
        return alert_get(viewer, pk)
    except Alert.DoesNotExist:
        raise Http404("There is no such alert, or it isn't yours to see.") from None


def _promise(viewer: Viewer, alert: Alert) -> tuple[Sla | None, SlaClock | None]:
    """The promise that the alert is about, else the process's first; its clock is that of the run that is due first."""
    slas = Sla.objects.filter(process_id=alert.process_id) if alert.process_id else Sla.objects.none()
    sla: Sla | None = slas.filter(pk=alert.sla_id).first() or slas.order_by("pk").first()
    now = timezone.now()
    runs = [run for run in runs_in(viewer, alert) if run.sla_due_at is not None]
    # A clock that still runs matters more than one that has stopped.
    first = min(runs, key=lambda run: (run.root_seen, run.sla_due_at), default=None)
    return sla, sla_clock(first, now, sla) if first is not None else None


def _acknowledge(alert: Alert, form: QueryDict, viewer: Viewer) -> AlertVerdict:
    return alert_acknowledge(alert=alert, viewer=viewer, note=asked.text(form, "note", _LONGEST_NOTE))


def _assign(alert: Alert, form: QueryDict, viewer: Viewer) -> AlertVerdict:
    person = _person(form)
    if person is None and form.get("assignee") != "nobody":
        return AlertVerdict(alert, False, "choose a person, or nobody")
    return alert_assign(alert=alert, assignee=person, viewer=viewer, note=asked.text(form, "note", _LONGEST_NOTE))


def _person(form: QueryDict) -> User | None:
    pk = asked.number(form, "assignee")
    return User.objects.filter(pk=pk, is_active=True).first() if pk is not None else None


def _resolve(alert: Alert, form: QueryDict, viewer: Viewer) -> AlertVerdict:
    resolution = asked.text(form, "resolution", _LONGEST_NOTE)
    if not resolution:
        return AlertVerdict(alert, False, "say what fixed it; the next person to meet it will read that")
    return alert_resolve(alert=alert, resolution=resolution, viewer=viewer)


def _reopen(alert: Alert, form: QueryDict, viewer: Viewer) -> AlertVerdict:
    return alert_reopen(alert=alert, viewer=viewer, note=asked.text(form, "note", _LONGEST_NOTE))


def _note(alert: Alert, form: QueryDict, viewer: Viewer) -> AlertVerdict:
    note = asked.text(form, "note", _LONGEST_NOTE)
    return (
        alert_note(alert=alert, note=note, viewer=viewer) if note else AlertVerdict(alert, False, "the note is empty")
    )


_ACTS: dict[str, Callable[[Alert, QueryDict, Viewer], AlertVerdict]] = {
    "acknowledge": _acknowledge,
    "assign": _assign,
    "resolve": _resolve,
    "reopen": _reopen,
    "note": _note,
}
