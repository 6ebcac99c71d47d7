"""The alert pages: what needs someone first, one problem on one page, and nobody else's."""

from __future__ import annotations

import csv
import io
import json

import pytest

from monitoring.models import Alert, AlertEvent
from tests.cast import Member
from tests.console.traces import HOSTILE
from tests.console.visits import main_of, submit, submit_by_htmx, text_of, visit
from tests.rows import (
    MORNING,
    make_alert,
    make_channel,
    make_dead_letter,
    make_notification,
    make_process,
    make_run,
    make_sla,
    make_workflow,
)

pytestmark = pytest.mark.django_db


def test_it_lists_firing_alerts_first_and_resolved_ones_elsewhere(owner: Member) -> None:
    with owner.scope():
        make_alert(title="Seen to", status="acknowledged", severity="critical")
        make_alert(title="On fire", severity="low")
        make_alert(title="Long over", status="resolved", resolved_at=MORNING)
    page = main_of(visit(owner, "alerts/"))
    assert page.index("On fire") < page.index("Seen to")
    assert "Long over" not in page
    assert "Long over" in main_of(visit(owner, "alerts/?status=resolved"))


def test_an_address_narrows_the_list(owner: Member) -> None:
    with owner.scope():
        process = make_process(name="Order release")
        make_alert(make_workflow(process), title="Storm here", kind="retry_storm", assignee=owner.user)
        make_alert(title="Stuck there")
    for query in ("kind=retry_storm", f"process={process.pk}", "assignee=me", f"assignee={owner.user.pk}"):
        page = main_of(visit(owner, f"alerts/?{query}"))
        assert "Storm here" in page, query
        assert "Stuck there" not in page, query


@pytest.mark.parametrize(
    "query",
    [
        "status=none",
        "kind='--",
        "process=abc",
        "process=99999999999999999999",
        "page=-1",
        "page=x",
        "assignee=%00",
        "site=%00",
    ],
)
def test_a_senseless_address_asks_for_nothing(owner: Member, query: str) -> None:
    assert visit(owner, f"alerts/?{query}").status_code == 200


def test_the_part_that_refetches_itself_brings_the_sentence_along(owner: Member) -> None:
    with owner.scope():
        make_alert(title="On fire")
    part = text_of(visit(owner, "alerts/rows/", htmx=True))
    assert "On fire" in part
    assert "1 fires." in part
    assert "<html" not in part


def test_an_alert_says_what_so_what_and_what_now(owner: Member) -> None:
    with owner.scope():
        process = make_process(name="Order release", owner=owner.user)
        sla = make_sla(process, name="Released in time", target_s=120)
        workflow = make_workflow(process, name="ERP bridge")
        run = make_run(workflow, "order:4711", status="dead", sla_id=sla.pk, sla_state="failed", sla_due_at=MORNING)
        letter = make_dead_letter(workflow, run=run, span_id=b"\x07" * 8, keys=[{"type": "order", "value": "4711"}])
        alert = make_alert(
            workflow,
            title="Order release: 1 order stuck",
            reason="1 newly dead; threshold 1",
            figures={"open": 3, "destination": "orders.dlq", "error_class": "TimeoutError"},
            impact_score=55,
            impact_parts=[{"label": "Criticality", "points": 55, "why": "rated critical"}],
            evidence=[
                {"type": "dead_letter", "id": str(letter.pk), "note": "unit"},
                {"type": "run", "id": str(run.pk), "note": ""},
                {"type": "span", "id": "07" * 8, "note": ""},
                {"type": "sla", "id": str(sla.pk), "note": ""},
            ],
            next_step={"text": "Remove the cause.", "action": "open_dead_letters"},
        )
        make_notification(alert, make_channel(name="Shift desk"), state="failed", reason="mail server said no")
    page = main_of(visit(owner, f"alerts/{alert.pk}/"))
    assert "+55" in page
    assert "within 2 min" in page
    assert "Remove the cause." in page
    assert f"?workflow={workflow.pk}&amp;destination=orders.dlq&amp;error_class=TimeoutError" in page
    assert f"dead-letters/?letter={letter.pk}" in page
    assert f'runs/{run.pk}/?span={"07" * 8}#span"' in page
    assert "1 newly dead; threshold 1" in page
    assert "E-mail to Shift desk" in page
    assert "mail server said no" in page


def test_it_shows_what_fixed_the_same_problem_before(owner: Member) -> None:
    with owner.scope():
        alert = make_alert(fingerprint="same")
        make_alert(fingerprint="same", status="resolved", resolved_at=MORNING, resolution="Restarted the bridge")
        make_alert(fingerprint="other", status="resolved", resolved_at=MORNING, resolution="Something else")
    page = main_of(visit(owner, f"alerts/{alert.pk}/"))
    assert "Restarted the bridge" in page
    assert "Something else" not in page


def test_acknowledging_answers_with_a_toast(colleague: Member) -> None:
    with colleague.scope():
        alert = make_alert()
    answer = submit_by_htmx(colleague, f"alerts/{alert.pk}/act/", action="acknowledge")
    assert answer.status_code == 204
    assert json.loads(answer["HX-Trigger"])["toast"]["state"] == "ok"
    again = submit_by_htmx(colleague, f"alerts/{alert.pk}/act/", action="acknowledge")
    assert "already acknowledged by" in json.loads(again["HX-Trigger"])["toast"]["text"]
    with colleague.scope():
        assert Alert.objects.get(pk=alert.pk).acknowledged_by == colleague.user


def test_resolving_asks_what_fixed_it(owner: Member) -> None:
    with owner.scope():
        alert = make_alert()
    submit(owner, f"alerts/{alert.pk}/act/", action="resolve", resolution="   ")
    with owner.scope():
        assert Alert.objects.get(pk=alert.pk).status == "firing"
    submit(owner, f"alerts/{alert.pk}/act/", action="resolve", resolution="Raised the time-out")
    with owner.scope():
        assert Alert.objects.get(pk=alert.pk).resolution == "Raised the time-out"
    submit(owner, f"alerts/{alert.pk}/act/", action="reopen")
    with owner.scope():
        assert Alert.objects.get(pk=alert.pk).status == "firing"


def test_it_assigns_to_a_member_and_to_nobody_else(owner: Member, colleague: Member, stranger: Member) -> None:
    with owner.scope():
        alert = make_alert()
    submit(owner, f"alerts/{alert.pk}/act/", action="assign", assignee=colleague.user.pk)
    submit(owner, f"alerts/{alert.pk}/act/", action="assign", assignee=stranger.user.pk)
    with owner.scope():
        assert Alert.objects.get(pk=alert.pk).assignee == colleague.user


def test_a_note_stands_in_the_conversation_as_it_was_written(owner: Member) -> None:
    with owner.scope():
        alert = make_alert()
    submit(owner, f"alerts/{alert.pk}/act/", action="note", note=HOSTILE)
    page = main_of(visit(owner, f"alerts/{alert.pk}/"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert HOSTILE not in page


def test_who_may_only_look_gets_no_buttons_and_no_way_round(owner: Member, observer: Member) -> None:
    with owner.scope():
        alert = make_alert()
    assert 'name="action"' not in main_of(visit(observer, "alerts/"))
    assert 'name="action"' not in main_of(visit(observer, f"alerts/{alert.pk}/"))
    assert submit(observer, f"alerts/{alert.pk}/act/", action="acknowledge").status_code == 403
    with owner.scope():
        assert not AlertEvent.objects.filter(alert=alert).exists()


def test_hostile_words_stay_words(owner: Member) -> None:
    with owner.scope():
        alert = make_alert(
            make_workflow(name=HOSTILE),
            title=HOSTILE,
            reason=HOSTILE,
            kind="<b>",
            severity="<i>",
            figures={HOSTILE: HOSTILE},
            keys=[{"type": HOSTILE, "value": "javascript:alert(1)"}],
            evidence=[{"type": HOSTILE, "id": HOSTILE, "note": HOSTILE}],
            impact_parts=[{"label": HOSTILE, "points": 1, "why": HOSTILE}],
            next_step={"text": HOSTILE, "action": "open_run"},
        )
    for path in ("alerts/", f"alerts/{alert.pk}/"):
        page = text_of(visit(owner, path))
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert 'href="javascript:' not in page


def test_another_tenants_alert_does_not_exist(owner: Member, stranger: Member) -> None:
    with owner.scope():
        alert = make_alert(title="Ours alone")
    assert visit(stranger, f"alerts/{alert.pk}/").status_code == 404
    assert visit(stranger, f"alerts/{alert.pk}/", tenant=owner.tenant.slug).status_code == 404
    assert submit(stranger, f"alerts/{alert.pk}/act/", action="acknowledge").status_code == 404
    assert "Ours alone" not in text_of(visit(stranger, "alerts/?status=all"))
    assert "Ours alone" not in text_of(visit(stranger, "alerts/export.csv?status=all"))


def test_the_export_carries_the_filter_and_runs_nothing(owner: Member) -> None:
    with owner.scope():
        make_alert(title="=cmd|' /C calc'!A0", severity="critical")
        make_alert(title="Quiet", severity="low")
    answer = visit(owner, "alerts/export.csv?severity=critical")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["title"] for row in rows] == ["'=cmd|' /C calc'!A0"]
