"""alerts/ and dead-letters/: their shapes, and the steps people take, of which the second to come changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from governance.models import AuditEntry
from monitoring.models import Alert, DeadLetter, Notification
from tests import rows
from tests.cast import Member

_ALERT = {
    *("id", "kind", "severity", "status", "title", "fingerprint", "tenant", "site", "process", "workflow", "owner"),
    *("sla", "count", "first_seen_at", "last_seen_at", "acknowledged_by", "impact", "evidence", "next_step", "url"),
}


@pytest.fixture
def alert(owner: Member) -> Alert:
    """A firing alert of a process with an owner and a promise."""
    with owner.scope():
        process = rows.make_process(name="Order release", owner=owner.user)
        sla = rows.make_sla(process)
        return rows.make_alert(
            rows.make_workflow(process),
            sla_id=sla.pk,
            impact_score=30,
            impact_priority="P2",
            impact_parts=[{"label": "Criticality", "points": 30, "why": "high"}],
            evidence=[{"type": "run", "id": "1", "note": ""}],
            next_step={"text": "Open the dead letter.", "action": "open_dead_letters"},
        )


def test_an_alert_has_the_shape_that_is_promised(owner: Member, alert: Alert) -> None:
    body = owner.get(f"alerts/{alert.pk}/").json()
    assert body.keys() >= _ALERT
    assert body["tenant"]["slug"] == "aster-foods"
    assert body["owner"]["email"] == "owner@aster.example"
    assert body["sla"] == {"id": alert.sla_id, "name": "In time", "kind": "duration", "target_s": 900}
    assert body["impact"] == {
        "score": 30,
        "priority": "P2",
        "parts": [{"label": "Criticality", "points": 30, "why": "high"}],
    }
    assert body["next_step"] == {"text": "Open the dead letter.", "action": "open_dead_letters"}
    assert body["url"] == f"http://127.0.0.1:8000/t/aster-foods/alerts/{alert.pk}/"


def test_alerts_are_filtered_by_any_of_several_words(owner: Member, alert: Alert) -> None:
    with owner.scope():
        rows.make_alert(kind="retry_storm", status="resolved")
    kinds = owner.get("alerts/", status="firing,acknowledged", kind="dead_letter,retry_storm").json()["results"]
    assert [row["id"] for row in kinds] == [alert.pk]
    assert len(owner.get("alerts/", kind="retry_storm").json()["results"]) == 1


def test_an_alert_is_acknowledged_once(owner: Member, colleague: Member, alert: Alert) -> None:
    done = colleague.post(f"alerts/{alert.pk}/acknowledge/", {"note": "on it"})
    assert (done.status_code, done.json()["status"]) == (200, "acknowledged")
    assert done.json()["acknowledged_by"]["email"] == "colleague@aster.example"
    assert [(line["action"], line["note"]) for line in done.json()["history"]] == [("acknowledged", "on it")]
    late = owner.post(f"alerts/{alert.pk}/acknowledge/")
    assert late.status_code == 409
    assert late.json()["detail"].startswith("Nothing changed: already acknowledged by colleague@aster.example at ")


def test_a_resolved_alert_says_by_whom(owner: Member, colleague: Member, alert: Alert) -> None:
    assert owner.post(f"alerts/{alert.pk}/resolve/", {"resolution": "fixed"}).json()["status"] == "resolved"
    for step, body in (("acknowledge", {}), ("resolve", {}), ("assign", {"assignee": owner.user.email})):
        late = colleague.post(f"alerts/{alert.pk}/{step}/", body)
        assert late.status_code == 409
        assert "already resolved by owner@aster.example" in late.json()["detail"]


def test_an_alert_is_assigned_to_who_handles_alerts(owner: Member, colleague: Member, alert: Alert) -> None:
    done = owner.post(f"alerts/{alert.pk}/assign/", {"assignee": "colleague@aster.example"})
    assert done.json()["assignee"]["id"] == colleague.user.pk
    assert owner.post(f"alerts/{alert.pk}/assign/", {"assignee": str(colleague.user.pk)}).status_code == 409
    assert owner.post(f"alerts/{alert.pk}/assign/", {"assignee": None}).json()["assignee"] is None


def test_an_alert_is_not_assigned_to_who_may_not_act(
    owner: Member, observer: Member, stranger: Member, alert: Alert
) -> None:
    refused = owner.post(f"alerts/{alert.pk}/assign/", {"assignee": "observer@aster.example"})
    assert (refused.status_code, "has no role here that handles alerts" in refused.json()["detail"]) == (409, True)
    for nobody in ("stranger@borealis.example", "nobody@aster.example"):
        assert owner.post(f"alerts/{alert.pk}/assign/", {"assignee": nobody}).status_code == 400


def test_resolving_writes_the_outbox(owner: Member, alert: Alert) -> None:
    with owner.scope():
        rows.make_channel(min_severity="low")
    owner.post(f"alerts/{alert.pk}/resolve/", {"resolution": "fixed"})
    with owner.scope():
        assert Notification.objects.filter(alert=alert, event="resolved").count() == 1


def test_a_resolution_can_be_undone_unless_it_fires_again(owner: Member, alert: Alert) -> None:
    owner.post(f"alerts/{alert.pk}/resolve/", {"resolution": "fixed"})
    assert owner.post(f"alerts/{alert.pk}/reopen/").json()["status"] == "firing"
    owner.post(f"alerts/{alert.pk}/resolve/", {"resolution": "fixed"})
    with owner.scope():
        again = rows.make_alert(fingerprint=alert.fingerprint)
    refused = owner.post(f"alerts/{alert.pk}/reopen/")
    assert refused.json()["detail"] == f"Nothing changed: the same problem fires again as alert {again.pk}."


@pytest.mark.parametrize("step", ["acknowledge", "assign", "resolve", "reopen", "note"])
def test_who_only_looks_changes_no_alert(observer: Member, owner: Member, alert: Alert, step: str) -> None:
    body = {"assignee": "owner@aster.example", "note": "x", "resolution": "x"}
    assert observer.get(f"alerts/{alert.pk}/").status_code == 200
    refused = observer.post(f"alerts/{alert.pk}/{step}/", body)
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert owner.get(f"alerts/{alert.pk}/").json()["history"] == []


@pytest.fixture
def letters(owner: Member) -> list[DeadLetter]:
    """Two dead letters of one alert."""
    with owner.scope():
        workflow = rows.make_workflow()
        rows.make_alert(workflow, fingerprint="dead_letter:orders")
        return [rows.make_dead_letter(workflow, fingerprint="dead_letter:orders") for _ in range(2)]


def _alert_of(owner: Member) -> Any:
    return owner.get("alerts/", fingerprint="dead_letter:orders").json()["results"][0]


def test_with_its_last_dead_letter_an_alert_resolves(owner: Member, letters: list[DeadLetter]) -> None:
    first = owner.post(f"dead-letters/{letters[0].pk}/accept/", {"reason": "customer cancelled"})
    assert (first.status_code, first.json()["state"]) == (200, "accepted")
    assert _alert_of(owner)["status"] == "firing"
    owner.post(f"dead-letters/{letters[1].pk}/discard/", {"reason": "a test"})
    settled = _alert_of(owner)
    assert settled["status"] == "resolved"
    assert settled["resolution"] == "No dead letter of it is stuck any more: 1 accepted as lost, 1 discarded."


def test_a_dead_letter_is_settled_once_and_with_a_reason(owner: Member, letters: list[DeadLetter]) -> None:
    path = f"dead-letters/{letters[0].pk}"
    assert owner.post(f"{path}/discard/").json()["errors"][0]["pointer"] == "#/reason"
    assert owner.post(f"{path}/discard/", {"reason": "a test"}).json()["settled_reason"] == "a test"
    late = owner.post(f"{path}/accept/", {"reason": "lost"})
    assert (late.status_code, late.json()["code"]) == (409, "conflict")
    assert late.json()["detail"] == "Nothing changed: already discarded by owner@aster.example."
    with owner.scope():
        entry = AuditEntry.objects.filter(object_type="monitoring_deadletter").get()
    assert (entry.reason, entry.after["state"]) == ("a test", "discarded")


def test_who_only_looks_settles_nothing(observer: Member, letters: list[DeadLetter]) -> None:
    assert observer.post(f"dead-letters/{letters[0].pk}/discard/", {"reason": "x"}).status_code == 403
