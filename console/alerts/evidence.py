"""What an alert relied on, as links that a person can follow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict

from django.urls import reverse

from console import words
from console.asked import address
from console.words import Shown
from monitoring.models import Alert, Attempt, DeadLetter, Event, Run, Sla, Workflow
from monitoring.selectors.dead_letters import visible_dead_letters
from monitoring.selectors.events import visible_events
from monitoring.selectors.runs import visible_runs
from monitoring.selectors.visibility import visible_rows
from partners.viewer import Viewer

_TITLES = {
    "dead_letter": "Dead letter",
    "run": "Run",
    "span": "Span",
    "event": "Event",
    "attempt": "Attempt",
    "payload": "Payload",
    "sla": "SLA",
    "workflow": "Workflow",
}


class Pointer(TypedDict, total=False):
    """A piece of evidence as the alert's row keeps it."""

    type: str
    id: str
    note: str


@dataclass(frozen=True, slots=True)
class Proof:
    """One piece of evidence. Without `href` there is no page for it, or the viewer may not see it."""

    kind: str
    title: str
    note: str
    href: str = ""
    shown: Shown | None = None
    at: datetime | None = None
    run_id: int | None = None


@dataclass(frozen=True, slots=True)
class Exhibit:
    """What belongs together: a dead letter, its run and its span. The first of them speaks for all."""

    first: Proof
    others: tuple[Proof, ...]


@dataclass(slots=True)
class _Found:
    runs: dict[str, Run] = field(default_factory=dict)
    letters: dict[str, DeadLetter] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)
    workflows: dict[str, Workflow] = field(default_factory=dict)
    run_of_span: dict[str, int] = field(default_factory=dict)


def proofs_of(viewer: Viewer, alert: Alert) -> tuple[Proof, ...]:
    """Return the alert's evidence in its order, each as a link where the viewer may follow it."""
    pointers: Sequence[Pointer] = alert.evidence
    found = _find(viewer, pointers)
    return tuple(_proof(viewer, pointer, found) for pointer in pointers)


def exhibits(proofs: Iterable[Proof]) -> tuple[Exhibit, ...]:
    """Put together what comes from one run, in the order of the evidence."""
    together: dict[object, list[Proof]] = {}
    for proof in proofs:
        together.setdefault(proof.run_id or proof, []).append(proof)
    return tuple(Exhibit(first, tuple(others)) for first, *others in together.values())


def runs_in(viewer: Viewer, alert: Alert) -> list[Run]:
    """Return the runs that the evidence names, latest first."""
    return list(visible_runs(viewer).filter(pk__in=_numbers(alert.evidence, "run")))


def _find(viewer: Viewer, pointers: Sequence[Pointer]) -> _Found:
    def by_id(rows: Iterable[Any]) -> dict[str, Any]:
        return {str(row.pk): row for row in rows}

    return _Found(
        runs=by_id(visible_runs(viewer).filter(pk__in=_numbers(pointers, "run"))),
        letters=by_id(visible_dead_letters(viewer).filter(pk__in=_numbers(pointers, "dead_letter"))),
        events=by_id(visible_events(viewer).filter(pk__in=_numbers(pointers, "event"))),
        workflows=by_id(visible_rows(viewer, Workflow).filter(pk__in=_numbers(pointers, "workflow"))),
        run_of_span=_runs_of_spans(viewer, pointers),
    )


def _runs_of_spans(viewer: Viewer, pointers: Sequence[Pointer]) -> dict[str, int]:
    """A span id alone names no run: the dead letter or the attempt that recorded it does."""
    spans = [span for pointer in pointers if pointer.get("type") == "span" and (span := _hex(pointer.get("id", "")))]
    found: dict[str, int] = {}
    if spans:
        for rows in (visible_rows(viewer, Attempt), visible_rows(viewer, DeadLetter)):
            places = rows.filter(span_id__in=spans).exclude(run=None).values_list("span_id", "run_id")
            found |= {bytes(span_id or b"").hex(): run_id for span_id, run_id in places if run_id is not None}
    return found


def _proof(viewer: Viewer, pointer: Pointer, found: _Found) -> Proof:
    kind, ref, note = pointer.get("type", ""), str(pointer.get("id", "")), pointer.get("note", "")
    slug = viewer.tenant.slug
    plain = Proof(kind, f"{_TITLES.get(kind, kind.replace('_', ' ').capitalize())} {ref}", note)
    match kind:
        case "run" if run := found.runs.get(ref):
            href, shown = reverse("run", args=[slug, run.pk]), words.shown("run", run.status)
            title = _titled(f"Run of {run.workflow.name}", _keys(run))
            return Proof(kind, title, note, href, shown, run.started_at, run.pk)
        case "dead_letter" if letter := found.letters.get(ref):
            href = reverse("dead_letters", args=[slug]) + address({"state": _tab(letter), "letter": letter.pk})
            title = _titled(
                f"Dead letter in {letter.destination}" if letter.destination else "Dead letter", letter.keys
            )
            shown = words.shown("dead_letter", letter.state)
            return Proof(kind, title, note, href, shown, letter.died_at, letter.run_id)
        case "span" if run_id := found.run_of_span.get(ref):
            href = reverse("run", args=[slug, run_id]) + address({"span": ref}) + "#span"
            return Proof(kind, f"Span {ref}", note, href, run_id=run_id)
        case "event" if event := found.events.get(ref):
            return Proof(kind, event.entity_event or event.type, note, _href_of_event(slug, event), None, event.time)
        case "workflow" if workflow := found.workflows.get(ref):
            href = reverse("runs", args=[slug]) + address({"workflow": workflow.pk})
            return Proof(kind, f"Workflow {workflow.name}", note, href)
        case "sla" if sla := visible_rows(viewer, Sla).filter(pk__in=_numbers([pointer], "sla")).first():
            return Proof(kind, f"SLA {sla.name}", "")
        case _:
            return plain


def _keys(run: Run) -> list[dict[str, str]]:
    return [{"type": key.key_type, "value": key.value} for key in run.keys.all()]


def _titled(what: str, keys: Sequence[dict[str, str]]) -> str:
    """The business comes first: `Order 4711: dead letter in mes.release.dlq`."""
    key = next(iter(keys), None)
    return f"{key['type'].capitalize()} {key['value']}: {what[:1].lower()}{what[1:]}" if key else what


def _href_of_event(slug: str, event: Event) -> str:
    """An event has no page of its own: its key's runs show it."""
    key = next(iter(event.keys.all()), None)
    return reverse("runs", args=[slug]) + address({"key": str(key)}) if key else ""


def _tab(letter: DeadLetter) -> str:
    return "" if letter.state == "open" else str(letter.state)


def _numbers(pointers: Iterable[Pointer], kind: str) -> list[int]:
    ids = (_number(str(pointer.get("id", ""))) for pointer in pointers if pointer.get("type") == kind)
    return [number for number in ids if number is not None]


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
