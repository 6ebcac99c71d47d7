"""The run pages: found by what the plant calls it, read back from the intake log, shown as far as one may see."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitoring.models import Run
from tests.cast import Member
from tests.console.traces import HOSTILE, SECRET, make_traced_run, span_id, wire_span
from tests.console.visits import main_of, text_of, visit
from tests.rows import MORNING, make_attempt, make_event, make_intake, make_process, make_rule, make_run, make_workflow

pytestmark = pytest.mark.django_db


def test_it_finds_runs_by_business_key(owner: Member) -> None:
    with owner.scope():
        found = make_run(key="order:4711")
        other = make_run(key="order:4712")
    for key in ("order:4711", "4711", bytes(found.trace_id).hex()):
        page = main_of(visit(owner, f"runs/?key={key}"))
        assert f'id="run-{found.pk}"' in page, key
        assert f'id="run-{other.pk}"' not in page, key


def test_an_address_narrows_the_list(owner: Member) -> None:
    with owner.scope():
        workflow = make_workflow(make_process())
        failed = make_run(workflow, status="error")
        make_run(started_at=MORNING - timedelta(days=900))
    for query in ("status=error", f"workflow={workflow.pk}", f"process={workflow.process_id}"):
        page = main_of(visit(owner, f"runs/?{query}"))
        assert page.count("data-row") == 1, query
        assert f'id="run-{failed.pk}"' in page, query


@pytest.mark.parametrize("query", ["status=x", "before=x", "before=2026-01-01~1", "range=x", "key=%00", "workflow=-1"])
def test_a_senseless_address_asks_for_nothing(owner: Member, query: str) -> None:
    assert visit(owner, f"runs/?{query}").status_code == 200


def test_older_runs_stand_on_the_next_page_each_once(owner: Member) -> None:
    with owner.scope():
        workflow = make_workflow()
        made = {make_run(workflow, started_at=MORNING).pk for _ in range(60)}
    first = visit(owner, "runs/")
    second = visit(owner, f"runs/?before={first.context['page'].older}".replace("+", "%2B"))
    shown = [row.run.pk for page in (first, second) for row in page.context["rows"]]
    assert len(shown) == 60
    assert set(shown) == made


def test_a_run_says_in_a_sentence_what_became_of_it(owner: Member) -> None:
    with owner.scope():
        workflow = make_workflow(make_process(name="Order release ERP → MES"))
        run = make_run(
            workflow,
            status="error",
            retries=2,
            attempts=3,
            started_at=MORNING,
            ended_at=MORNING + timedelta(minutes=14),
            sla_due_at=MORNING + timedelta(minutes=10),
            sla_state="breached",
        )
        for number in (1, 2, 3):
            make_attempt(workflow, run=run, unit_id="release-4711", attempt=number)
    page = main_of(visit(owner, f"runs/{run.pk}/"))
    assert "Order release ERP → MES failed after 3 attempts, 4 min past its SLA." in page


def test_a_run_that_gave_up_in_time_kept_no_promise(owner: Member) -> None:
    with owner.scope():
        run = make_run(
            make_workflow(name="Bridge"), status="dead", dead_letters=1, sla_state="failed",
            started_at=MORNING, sla_due_at=MORNING + timedelta(seconds=63),
        )  # fmt: skip
    page = main_of(visit(owner, f"runs/{run.pk}/"))
    assert "Bridge left 1 dead letter, 1 min before its SLA was due." in page
    assert "Met" not in page


def test_it_draws_the_spans_and_opens_at_the_one_that_failed(owner: Member) -> None:
    with owner.scope():
        workflow = make_workflow()
        run = make_traced_run(
            wire_span(1, name="release", end_ms=500, failed="gave up"),
            wire_span(2, 1, name="call MES", failed="timed out", attributes={"order": "4711"}),
            wire_span(3, 99, name="stray"),
            workflow=workflow,
        )
        make_attempt(workflow, run=run, attempt=2, max_attempts=3, span_id=bytes.fromhex(span_id(2)))
    page = main_of(visit(owner, f"runs/{run.pk}/"))
    assert page.count('class="wf-row"') == 3
    assert "try 2 of 3" in page
    assert "parent missing" in page
    assert '<h2 id="span-name">call MES</h2>' in page
    assert "timed out" in page
    assert "style=" not in page


def test_a_link_leads_to_one_span(owner: Member) -> None:
    with owner.scope():
        run = make_traced_run(wire_span(1, name="release"), wire_span(2, 1, name="call", attributes={"order": "4711"}))
    assert '<h2 id="span-name">call</h2>' in main_of(visit(owner, f"runs/{run.pk}/?span={span_id(2)}"))
    panel = text_of(visit(owner, f"runs/{run.pk}/spans/{span_id(2)}/", htmx=True))
    assert "4711" in panel
    assert "<html" not in panel
    assert visit(owner, f"runs/{run.pk}/spans/{span_id(9)}/").status_code == 404
    assert visit(owner, f"runs/{run.pk}/spans/zz/").status_code == 404


def test_hostile_spans_stay_words(owner: Member) -> None:
    with owner.scope():
        hostile = {
            HOSTILE: HOSTILE,
            "url": "javascript:alert(1)",
            'a"b': '"><svg onload=alert(1)>',
            "long": "A" * 50_000,
        }
        run = make_traced_run(
            wire_span(1, name=HOSTILE, failed=HOSTILE, attributes=hostile),
            service=HOSTILE,
            workflow=make_workflow(name=HOSTILE, source_key=HOSTILE),
            error_class=HOSTILE[:50],
            mapping_reason=HOSTILE,
            key=f"order:{HOSTILE}",
        )
    for path in ("runs/", f"runs/{run.pk}/", *(f"runs/{run.pk}/?tab={tab}" for tab in ("mapping", "payload", "logs"))):
        page = text_of(visit(owner, path))
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path
        assert "<svg onload" not in page, path
        assert 'href="javascript:' not in page, path
    panel = text_of(visit(owner, f"runs/{run.pk}/spans/{span_id(1)}/"))
    assert "characters more stand in the payload." in panel


def test_without_the_right_to_payloads_it_says_what_is_hidden(owner: Member, observer: Member) -> None:
    with owner.scope():
        run = make_traced_run(wire_span(1, name="release", failed=SECRET, attributes={"note": SECRET}))
    hidden = text_of(visit(observer, f"runs/{run.pk}/?span={span_id(1)}"))
    assert SECRET not in hidden
    assert "Attributes are shown to roles that may view payloads" in hidden
    assert "Logs are hidden from your role" in text_of(visit(observer, f"runs/{run.pk}/?tab=logs"))
    assert "Download raw" not in text_of(visit(observer, f"runs/{run.pk}/?tab=payload"))
    assert visit(observer, f"runs/{run.pk}/payload/{run.intakes[0]}/").status_code == 403
    assert SECRET in text_of(visit(owner, f"runs/{run.pk}/?span={span_id(1)}"))


def test_the_payload_is_handed_over_as_a_file(owner: Member) -> None:
    with owner.scope():
        run = make_traced_run(wire_span(1, name="release", attributes={"note": SECRET}))
        foreign = make_intake(b"of another run")
    answer = visit(owner, f"runs/{run.pk}/payload/{run.intakes[0]}/")
    assert SECRET.encode() in answer.content
    assert answer["Content-Disposition"] == f'attachment; filename="traces-{run.intakes[0]}.json"'
    assert answer["Content-Type"] == "application/octet-stream"
    assert visit(owner, f"runs/{run.pk}/payload/{foreign.pk}/").status_code == 404


def test_its_tabs_tell_the_rest(owner: Member) -> None:
    with owner.scope():
        process = make_process(name="Order release")
        workflow = make_workflow(process)
        rule = make_rule(process, name="ERP orders", condition='resource["service.name"] == "erp"')
        run = make_traced_run(wire_span(1), workflow=workflow, mapping_rule_id=rule.pk, mapping_reason="rule 1 held")
        make_attempt(workflow, run=run, confidence="inferred", error_class="TimeoutError")
        make_event(workflow, trace_id=run.trace_id, entity_event="order.released")
    assert "TimeoutError" in main_of(visit(owner, f"runs/{run.pk}/?tab=attempts"))
    assert "inferred" in main_of(visit(owner, f"runs/{run.pk}/?tab=attempts"))
    assert "order.released" in main_of(visit(owner, f"runs/{run.pk}/?tab=events"))
    mapping = main_of(visit(owner, f"runs/{run.pk}/?tab=mapping"))
    assert "ERP orders" in mapping
    assert "rule 1 held" in mapping


def test_a_run_whose_payload_has_expired_keeps_its_page(owner: Member) -> None:
    with owner.scope():
        run = make_run()
    assert "No span of this run is left" in main_of(visit(owner, f"runs/{run.pk}/"))


def test_a_run_says_what_of_its_payload_is_no_longer_kept(owner: Member) -> None:
    gone = 1_000_000
    with owner.scope():
        run = make_traced_run(wire_span(1))
        run.intakes = [gone, *run.intakes]
        run.save(update_fields=["intakes"])
    assert "1 of the 2 requests behind this run is no longer kept" in main_of(visit(owner, f"runs/{run.pk}/"))
    assert visit(owner, f"runs/{run.pk}/payload/{gone}/").status_code == 404


def test_another_tenants_run_does_not_exist(owner: Member, stranger: Member) -> None:
    with owner.scope():
        run: Run = make_traced_run(wire_span(1), key="order:4711")
    for path in ("", f"spans/{span_id(1)}/", f"payload/{run.intakes[0]}/", "?tab=logs", "?tab=payload"):
        assert visit(stranger, f"runs/{run.pk}/{path}").status_code == 404, path
        assert visit(stranger, f"runs/{run.pk}/{path}", tenant=owner.tenant.slug).status_code == 404, path
    assert "data-row" not in main_of(visit(stranger, "runs/?key=order:4711"))


def test_a_supplier_sees_no_run_that_was_not_granted(owner: Member, supplier: Member) -> None:
    with owner.scope():
        run = make_traced_run(wire_span(1), workflow=make_workflow(make_process()))
    assert visit(supplier, f"runs/{run.pk}/").status_code == 404
    assert visit(supplier, f"runs/{run.pk}/payload/{run.intakes[0]}/").status_code == 403
