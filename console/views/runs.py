"""Runs: find one by what the plant calls it, and see where it failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from console import asked
from console.access import tenant_page
from console.paging import newest_page
from console.runs.filter import RunFilter, choices, runs_asked
from console.runs.parts import (
    MOST,
    attempt_lines,
    attempts_of,
    log_lines,
    mapping_of,
    marks_of,
    payload_lines,
    requests_gone,
)
from console.runs.span_panel import span_panel
from console.runs.waterfall import Waterfall, lay_out
from console.runs.words import run_duration, run_sentence, run_subject
from console.sla_clock import SlaClock, sla_clock
from monitoring.models import Alert, Attempt, Intake, Run, Sla
from monitoring.models.alerts import AlertStatus
from monitoring.records import Encoding
from monitoring.selectors.alerts import visible_alerts
from monitoring.selectors.dead_letters import visible_dead_letters
from monitoring.selectors.events import events_of_trace
from monitoring.selectors.payloads import UnreadablePayload, intake_get, payload_of
from monitoring.selectors.runs import run_get, visible_runs
from monitoring.selectors.spans import logs_of_run, spans_of_run
from partners.roles import Right
from partners.viewer import Viewer

TABS = {
    "waterfall": "Waterfall",
    "events": "Events",
    "attempts": "Attempts",
    "logs": "Logs",
    "payload": "Payload",
    "mapping": "Mapping",
}
_ENDINGS = {Encoding.PROTOBUF: "pb", Encoding.CLOUDEVENT_BINARY: "bin"}


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as the list shows it."""

    run: Run
    duration: str
    clock: SlaClock | None


@tenant_page()
@require_safe
def run_list(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """List runs by what the address asks for; htmx gets the part that refetches itself."""
    now = timezone.now()
    wanted = RunFilter.read(request.GET)
    page = newest_page(runs_asked(viewer, wanted, now), "started_at", wanted.before)
    listed = {
        "wanted": wanted,
        "page": page,
        "rows": [RunRow(run, run_duration(run), sla_clock(run, now)) for run in page.rows],
        "ever": bool(page.rows) or visible_runs(viewer).exists(),
    }
    if request.headers.get("HX-Request"):
        return render(request, "console/runs_rows.html", listed)
    return render(request, "console/runs.html", listed | {"choices": choices(viewer)})


@tenant_page()
@require_safe
def run_detail(request: HttpRequest, viewer: Viewer, pk: int) -> HttpResponse:
    """Show one run: its sentence, and the tab that the address asks for."""
    run = _run(viewer, pk)
    now = timezone.now()
    attempts = attempts_of(viewer, run)
    sla = Sla.objects.filter(pk=run.kind.sla_id).first() if run.kind.sla_id else None
    clock = sla_clock(run, now, sla)
    tab = asked.one_of(request.GET, "tab", TABS, default="waterfall")
    shown = {
        "run": run,
        "subject": run_subject(run),
        "sentence": run_sentence(run, attempts[:MOST], clock, now),
        "duration": run_duration(run),
        "clock": clock,
        "trace_id": bytes(run.trace_id).hex(),
        "alerts": _alerts_of(viewer, run),
        "letters": visible_dead_letters(viewer).filter(run=run)[:MOST],
        "tab": tab,
        "tabs": TABS.items(),
        "gone": requests_gone(run),
    }
    return render(request, "console/run.html", shown | _PARTS[tab](request, viewer, run, attempts))


@tenant_page()
@require_safe
def run_span(request: HttpRequest, viewer: Viewer, pk: int, span: str) -> HttpResponse:
    """Show the panel of one span."""
    run = _run(viewer, pk)
    picture, trouble = _picture(viewer, run, attempts_of(viewer, run), _span_id(span))
    panel = span_panel(viewer, picture, _span_id(span))
    if panel is None:
        raise Http404(trouble or "This run has no such span.")
    return render(request, "console/run_span.html", {"run": run, "panel": panel})


@tenant_page(right=Right.VIEW_PAYLOAD)
@require_safe
def run_payload(request: HttpRequest, viewer: Viewer, pk: int, intake: int) -> HttpResponse:
    """Download a request as it was received, decompressed."""
    run = _run(viewer, pk)
    if intake not in run.intakes:
        raise Http404("This run was not computed from that request.")
    try:
        row = intake_get(viewer, intake)
    except Intake.DoesNotExist:
        raise Http404("This request is no longer kept: its retention has passed.") from None
    try:
        body = payload_of(row).body
    except UnreadablePayload as damage:
        raise Http404(str(damage)) from damage
    ending = _ENDINGS.get(Encoding(row.encoding), "json")
    # Never shown by the browser: what a stranger sent is handed over as a file.
    answer = HttpResponse(body, content_type="application/octet-stream")
    answer["Content-Disposition"] = f'attachment; filename="{row.signal}-{row.pk}.{ending}"'
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "no-store"
    return answer


def _run(viewer: Viewer, pk: int) -> Run:
    try:
        return run_get(viewer, pk)
    except Run.DoesNotExist:
        raise Http404("There is no such run, or it isn't yours to see.") from None


def _span_id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _picture(viewer: Viewer, run: Run, attempts: list[Attempt], selected: bytes) -> tuple[Waterfall, str]:
    """The waterfall, and what kept it from being drawn."""
    try:
        return lay_out(spans_of_run(viewer, run.pk), marks_of(attempts), selected=selected), ""
    except UnreadablePayload as damage:
        return lay_out(()), str(damage)


def _alerts_of(viewer: Viewer, run: Run) -> list[Alert]:
    """Unresolved alerts whose evidence names the run."""
    named = visible_alerts(viewer).filter(
        workflow_id=run.workflow_id, evidence__contains=[{"type": "run", "id": str(run.pk)}]
    )
    return list(named.exclude(status=AlertStatus.RESOLVED)[:20])


def _waterfall(request: HttpRequest, viewer: Viewer, run: Run, attempts: list[Attempt]) -> dict[str, object]:
    wanted = _span_id(request.GET.get("span", ""))
    picture, trouble = _picture(viewer, run, attempts, wanted)
    # Where nobody asked for a span, the page opens at the one that failed.
    culprit = picture.culprit
    selected = wanted or (culprit.span.span_id if culprit else b"")
    return {
        "picture": picture,
        "trouble": trouble,
        "panel": span_panel(viewer, picture, selected),
        "asked": wanted.hex(),
        "selected": selected.hex(),
    }


def _events(request: HttpRequest, viewer: Viewer, run: Run, attempts: list[Attempt]) -> dict[str, object]:
    return {"events": events_of_trace(viewer, bytes(run.trace_id))[:MOST]}


def _attempts(request: HttpRequest, viewer: Viewer, run: Run, attempts: list[Attempt]) -> dict[str, object]:
    return {"attempts": attempt_lines(attempts[:MOST]), "more": len(attempts) > MOST}


def _logs(request: HttpRequest, viewer: Viewer, run: Run, attempts: list[Attempt]) -> dict[str, object]:
    if not viewer.may(Right.VIEW_PAYLOAD):
        return {"hidden": True}
    try:
        logs = logs_of_run(viewer, run.pk)
    except UnreadablePayload as damage:
        return {"trouble": str(damage)}
    return {"logs": log_lines(logs[:MOST], _nanoseconds(run.started_at)), "more": len(logs) > MOST}


def _payload(request: HttpRequest, viewer: Viewer, run: Run, attempts: list[Attempt]) -> dict[str, object]:
    return {"payloads": payload_lines(run)}


def _mapping(request: HttpRequest, viewer: Viewer, run: Run, attempts: list[Attempt]) -> dict[str, object]:
    return {"mapping": mapping_of(viewer, run)}


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000_000 + at.microsecond * 1000


_PARTS: dict[str, Callable[[HttpRequest, Viewer, Run, list[Attempt]], dict[str, object]]] = {
    "waterfall": _waterfall,
    "events": _events,
    "attempts": _attempts,
    "logs": _logs,
    "payload": _payload,
    "mapping": _mapping,
}
