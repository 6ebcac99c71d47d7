"""Dead letters: what is stuck, since when, and what to do about it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from datetime import datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from console import asked
from console.access import tenant_page
from console.dead_letter_groups import TABS, Cause, LetterFilter, groups_asked, letters_asked, members_of
from console.exports import MAX_ROWS, csv_answer
from console.members import names_of
from console.paging import Page, newest_page
from console.runs.parts import attempt_lines
from monitoring.models import Alert, Attempt, DeadLetter
from monitoring.models.alerts import AlertStatus
from monitoring.models.telemetry import DeadLetterState
from monitoring.names import unit_digest
from monitoring.selectors.alerts import visible_alerts
from monitoring.selectors.dead_letters import dead_letter_get, visible_dead_letters
from monitoring.selectors.visibility import visible_rows
from monitoring.services.dead_letters import DeadLetterVerdict, dead_letter_accept, dead_letter_discard
from partners.roles import Right
from partners.viewer import Viewer

#: One decision settles this many at most: each is audited on its own, and all of them in one transaction.
MOST_AT_ONCE = 500
_LONGEST_REASON = 2000
_TRIES_SHOWN = 20
_SETTLE: dict[str, Callable[..., DeadLetterVerdict]] = {"accept": dead_letter_accept, "discard": dead_letter_discard}
_PAST = {"accept": "accepted as lost", "discard": "discarded"}


@tenant_page()
@require_safe
def dead_letter_list(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """List the groups, with the members of the open one; htmx gets the part that refetches itself."""
    wanted = LetterFilter.read(request.GET)
    chosen = _letter(viewer, wanted.letter) if wanted.letter is not None else None
    if chosen is not None and wanted.cause is None:
        wanted = replace(wanted, state=chosen.state, cause=_cause(chosen))
    groups = groups_asked(viewer, wanted)
    if len(groups) == 1 and wanted.cause is None:
        wanted = replace(wanted, cause=groups[0].cause)
        groups = groups_asked(viewer, wanted)
    opened = next((group for group in groups if group.is_open), None)
    letters = members_of(viewer, wanted, opened.cause) if opened else letters_asked(viewer, wanted).none()
    page: Page[DeadLetter] = newest_page(letters, "died_at", wanted.before)
    listed = {
        "wanted": wanted,
        "groups": groups,
        "opened": opened,
        "page": page,
        "total": sum(group.count for group in groups),
        "worth": sum(group.value for group in groups if group.value is not None),
        "settle_most": MOST_AT_ONCE,
        "ever": bool(groups) or visible_dead_letters(viewer).exists(),
    }
    if request.headers.get("HX-Request"):
        return render(request, "console/dead_letters_rows.html", listed)
    preview = _previewed(viewer, chosen) if chosen else {}
    return render(request, "console/dead_letters.html", listed | preview | {"tabs": TABS.items()})


@tenant_page()
@require_safe
def dead_letter_preview(request: HttpRequest, viewer: Viewer, pk: int) -> HttpResponse:
    """Show one dead letter; without htmx, in its place on the page."""
    letter = _letter(viewer, pk)
    if request.headers.get("HX-Request"):
        return render(request, "console/dead_letter.html", _previewed(viewer, letter))
    return redirect(_place(viewer, letter.state, _cause(letter), pk))


@tenant_page(right=Right.HANDLE_DEAD_LETTERS)
@require_POST
def dead_letter_settle(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Accept or discard one dead letter, or those of a group that the person had seen."""
    action, reason = request.POST.get("action", ""), asked.text(request.POST, "reason", _LONGEST_REASON)
    if action not in _SETTLE:
        raise Http404("There is no such action.")
    letters, cause = _chosen(viewer, request.POST)
    if not reason:
        return _answer(request, viewer, cause, "Nothing changed: say why. The reason stands in the audit trail.", False)
    verdicts = [_SETTLE[action](dead_letter=letter, reason=reason, viewer=viewer) for letter in letters]
    return _answer(request, viewer, cause, _said(action, verdicts), any(verdict.changed for verdict in verdicts))


@tenant_page()
@require_safe
def dead_letter_csv(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Export the dead letters as they are filtered, or the open group's."""
    wanted = LetterFilter.read(request.GET)
    letters = members_of(viewer, wanted, wanted.cause) if wanted.cause else letters_asked(viewer, wanted)
    header = ["id", "state", "unit", "process", "workflow", "queue", "step", "error", "message", "attempts", "deaths"]
    header += ["keys", "value", "died", "confidence", "settled", "settled by", "reason", "run"]
    rows = [
        [
            letter.pk, letter.state, letter.unit_id, letter.process.name if letter.process else "",
            letter.workflow.name, letter.destination, letter.step, letter.error_class, letter.message,
            letter.attempts, letter.deaths, " ".join(f"{key['type']}:{key['value']}" for key in letter.keys),
            letter.value, letter.died_at, letter.confidence, letter.settled_at, letter.settled_by,
            letter.settled_reason, letter.run_id,
        ]
        for letter in letters[: MAX_ROWS + 1]
    ]  # fmt: skip
    return csv_answer("dead-letters", header, rows)


def _letter(viewer: Viewer, pk: int) -> DeadLetter:
    try:
        return dead_letter_get(viewer, pk)
    except DeadLetter.DoesNotExist:
        raise Http404("There is no such dead letter, or it isn't yours to see.") from None


def _cause(letter: DeadLetter) -> Cause:
    return Cause(letter.workflow_id, letter.destination, letter.error_class)


def _previewed(viewer: Viewer, letter: DeadLetter) -> dict[str, object]:
    told = visible_rows(viewer, Attempt).filter(unit=unit_digest(letter.unit_id), unit_id=letter.unit_id)
    # A span and a broker's notice may tell of one try; the first to end is shown.
    once = told.order_by("phase", "attempt", "ended_at", "teller").distinct("phase", "attempt")
    tries = told.filter(pk__in=once.values("pk")).order_by("ended_at", "attempt", "pk")
    return {
        "letter": letter,
        "tries": attempt_lines(tries[:_TRIES_SHOWN]),
        "span_id": bytes(letter.span_id).hex() if letter.span_id else "",
        "settled_by": names_of([letter.settled_by]).get(letter.settled_by, "") if letter.settled_by else "",
        "alert": _alert_of(viewer, letter),
    }


def _alert_of(viewer: Viewer, letter: DeadLetter) -> Alert | None:
    if not letter.fingerprint:
        return None
    return visible_alerts(viewer).filter(fingerprint=letter.fingerprint).exclude(status=AlertStatus.RESOLVED).first()


def _chosen(viewer: Viewer, form: QueryDict) -> tuple[Iterable[DeadLetter], Cause]:
    """The letters a form speaks of. Of a group, only those that had died when the person read the page."""
    pk = asked.number(form, "letter")
    if pk is not None:
        letter = _letter(viewer, pk)
        return [letter], _cause(letter)
    cause = Cause.read(form)
    if cause is None:
        raise Http404("Neither a dead letter nor a group was named.")
    letters = members_of(viewer, LetterFilter(state=DeadLetterState.OPEN, cause=cause), cause)
    return letters.filter(died_at__lte=_instant(form.get("until", "")))[:MOST_AT_ONCE], cause


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Http404("The form did not say what it had shown.") from None
    if at.tzinfo is None:
        raise Http404("The form did not say what it had shown.")
    return at


def _said(action: str, verdicts: list[DeadLetterVerdict]) -> str:
    done = sum(verdict.changed for verdict in verdicts)
    kept = Counter(verdict.reason for verdict in verdicts if not verdict.changed)
    resolved = sum(verdict.resolved_alert_id is not None for verdict in verdicts)
    parts = [
        f"{done} {'message' if done == 1 else 'messages'} {_PAST[action]}." if done or not kept else "Nothing changed."
    ]
    parts += [f"{count} left as it is: {why}." for why, count in kept.items()]
    parts += ["Their alert is resolved: nothing of it is stuck any more."] if resolved else []
    return " ".join(parts)


def _answer(request: HttpRequest, viewer: Viewer, cause: Cause, words: str, changed: bool) -> HttpResponse:
    if request.headers.get("HX-Request"):
        toast = {"toast": {"text": words, "state": "ok" if changed else "watch"}, "letters-changed": {}}
        return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(toast)})
    (messages.success if changed else messages.warning)(request, words)
    return redirect(_place(viewer, DeadLetterState.OPEN, cause))


def _place(viewer: Viewer, state: str, cause: Cause, letter: int | None = None) -> str:
    return reverse("dead_letters", args=[viewer.tenant.slug]) + asked.exact(
        {"state": state, "letter": letter, **asdict(cause)}
    )
