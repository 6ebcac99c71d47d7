"""The dead-letter page: what is stuck, for which cause, and what becomes of it when a person decides."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest

from monitoring.models import Alert, DeadLetter
from tests.cast import Member
from tests.console.traces import HOSTILE
from tests.console.visits import main_of, submit, text_of, visit
from tests.rows import MORNING, make_alert, make_dead_letter, make_run, make_workflow

pytestmark = pytest.mark.django_db


def _order(value: str) -> list[dict[str, str]]:
    return [{"type": "order", "value": value}]


def test_it_groups_by_cause_oldest_first(owner: Member) -> None:
    with owner.scope():
        workflow = make_workflow(name="ERP bridge")
        make_dead_letter(workflow, error_class="NewError", died_at=MORNING)
        for number in (1, 2):
            died_at = MORNING - timedelta(hours=number)
            make_dead_letter(workflow, error_class="OldError", died_at=died_at, keys=_order(str(number)), value=100)
    page = main_of(visit(owner, "dead-letters/"))
    assert page.index("OldError") < page.index("NewError")
    assert "3 messages are stuck for 2 causes" in page
    assert "2 orders" in page
    assert "200" in page


def test_a_group_opens_to_its_members(owner: Member) -> None:
    with owner.scope():
        workflow = make_workflow()
        make_dead_letter(workflow, destination="", error_class="", keys=_order("4711"))
        make_dead_letter(workflow, error_class="OtherError", keys=_order("4712"))
    assert "order 4711" not in main_of(visit(owner, "dead-letters/"))
    page = main_of(visit(owner, f"dead-letters/?workflow={workflow.pk}&destination=&error_class="))
    assert "order 4711" in page
    assert "order 4712" not in page


def test_a_letter_shows_its_error_its_run_and_its_group(owner: Member) -> None:
    with owner.scope():
        workflow = make_workflow()
        run = make_run(workflow)
        letter = make_dead_letter(workflow, message="MES said no", run=run, span_id=b"\x07" * 8, keys=_order("4711"))
    page = main_of(visit(owner, f"dead-letters/?letter={letter.pk}"))
    assert "MES said no" in page
    assert f'runs/{run.pk}/?span={"07" * 8}#span"' in page
    assert f'id="letter-{letter.pk}"' in page
    part = text_of(visit(owner, f"dead-letters/{letter.pk}/", htmx=True))
    assert "MES said no" in part
    assert "<html" not in part
    assert visit(owner, f"dead-letters/{letter.pk}/").status_code == 302


def test_it_offers_no_redrive_that_it_cannot_do(owner: Member) -> None:
    with owner.scope():
        letter = make_dead_letter()
    page = main_of(visit(owner, f"dead-letters/?letter={letter.pk}"))
    assert "needs Andon's connection to the broker" in page.replace("&#x27;", "'")
    assert 'value="redrive"' not in page


def test_accepting_one_needs_a_reason_and_resolves_the_alert_with_the_last(owner: Member) -> None:
    with owner.scope():
        workflow = make_workflow()
        alert = make_alert(workflow, fingerprint="cause")
        letter = make_dead_letter(workflow, fingerprint="cause")
    submit(owner, "dead-letters/settle/", action="accept", letter=letter.pk, reason=" ")
    with owner.scope():
        assert DeadLetter.objects.get(pk=letter.pk).state == "open"
    submit(owner, "dead-letters/settle/", action="accept", letter=letter.pk, reason="order was cancelled")
    with owner.scope():
        settled = DeadLetter.objects.get(pk=letter.pk)
        assert (settled.state, settled.settled_reason) == ("accepted", "order was cancelled")
        assert Alert.objects.get(pk=alert.pk).status == "resolved"
    assert "order was cancelled" in main_of(visit(owner, f"dead-letters/?letter={letter.pk}"))


def test_a_group_is_settled_as_far_as_the_person_had_seen_it(owner: Member) -> None:
    with owner.scope():
        workflow = make_workflow()
        seen = [make_dead_letter(workflow, died_at=MORNING - timedelta(minutes=n)) for n in range(3)]
        unseen = make_dead_letter(workflow, died_at=MORNING + timedelta(seconds=1))
        other = make_dead_letter(workflow, error_class="OtherError", died_at=MORNING - timedelta(hours=1))
    said = {"action": "discard", "reason": "test data", "until": MORNING.isoformat()}
    cause = {"workflow": str(workflow.pk), "destination": "orders.dlq", "error_class": "TimeoutError"}
    submit(owner, "dead-letters/settle/", **said, **cause)
    with owner.scope():
        states = dict(DeadLetter.objects.values_list("pk", "state"))
    assert [states[letter.pk] for letter in seen] == ["discarded"] * 3
    assert (states[unseen.pk], states[other.pk]) == ("open", "open")


def test_a_form_that_names_nothing_changes_nothing(owner: Member) -> None:
    with owner.scope():
        letter = make_dead_letter()
    for fields in (
        {"action": "redrive", "letter": letter.pk},
        {"action": "accept"},
        {"action": "accept", "workflow": 1},
    ):
        assert submit(owner, "dead-letters/settle/", reason="why not", **fields).status_code == 404


def test_who_may_only_look_gets_no_forms_and_no_way_round(owner: Member, observer: Member) -> None:
    with owner.scope():
        letter = make_dead_letter()
        make_dead_letter(letter.workflow)
    assert "settle/" not in main_of(visit(observer, f"dead-letters/?letter={letter.pk}"))
    answer = submit(observer, "dead-letters/settle/", action="accept", letter=letter.pk, reason="mine now")
    assert answer.status_code == 403


def test_hostile_words_stay_words(owner: Member) -> None:
    with owner.scope():
        letter = make_dead_letter(
            make_workflow(name=HOSTILE),
            message=HOSTILE,
            error_class=HOSTILE,
            destination=HOSTILE,
            unit_id=HOSTILE,
            step=HOSTILE,
            keys=[{"type": HOSTILE, "value": "javascript:alert(1)"}],
        )
    page = text_of(visit(owner, f"dead-letters/?letter={letter.pk}"))
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert 'href="javascript:' not in page


def test_another_tenants_letter_does_not_exist(owner: Member, stranger: Member) -> None:
    with owner.scope():
        letter = make_dead_letter(message="Ours alone")
    assert visit(stranger, f"dead-letters/{letter.pk}/").status_code == 404
    assert visit(stranger, f"dead-letters/?letter={letter.pk}").status_code == 404
    assert visit(stranger, "dead-letters/", tenant=owner.tenant.slug).status_code == 404
    answer = submit(stranger, "dead-letters/settle/", action="accept", letter=letter.pk, reason="theirs")
    assert answer.status_code == 404
    assert "Ours alone" not in text_of(visit(stranger, "dead-letters/export.csv"))


def test_the_export_carries_the_filter_and_runs_nothing(owner: Member) -> None:
    with owner.scope():
        make_dead_letter(message="+cmd", error_class="TimeoutError")
        make_dead_letter(state="accepted")
    answer = visit(owner, "dead-letters/export.csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["state"], row["message"]) for row in rows] == [("open", "'+cmd")]
