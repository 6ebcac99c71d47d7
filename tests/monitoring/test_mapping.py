"""Mapping: the rule that decides and why, the facts of a run, and that memory never changes a verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.facts import Mapped, RunFact
from monitoring.mapping import VerdictCache, map_decoded
from monitoring.records import SpanKind, SpanRecord, Value
from monitoring.rules import Catalogue, KeyRule, Rule, SlaRule
from tests.monitoring.samples import NOW, decoded, event, exception, key, span, told

ERP = Rule(1, 1, "ERP order release", 'resource["service.name"] == "erp-bridge"', process_id=3, workflow_name="Release")
EVENTS = Rule(2, 2, "MES orders", 'event.entity == "order.released" && event.plant == "ulm"', process_id=4, site_id=9)
CATALOGUE = Catalogue(tenant_id=1, version=1, rules=(ERP, EVENTS))


def mapped(*spans: SpanRecord, catalogue: Catalogue = CATALOGUE, cache: VerdictCache | None = None) -> Mapped:
    return map_decoded(decoded(*spans), catalogue, NOW, cache or VerdictCache())


def run(*spans: SpanRecord, catalogue: Catalogue = CATALOGUE) -> RunFact:
    (found,) = mapped(*spans, catalogue=catalogue).runs
    return found


def test_it_says_which_rule_decided_and_by_which_values() -> None:
    verdict = run(span(1)).verdict

    assert (verdict.process_id, verdict.rule_id, verdict.workflow_name) == (3, 1, "Release")
    assert verdict.reason == 'rule 1 \'ERP order release\': resource["service.name"] = "erp-bridge"'


def test_it_says_that_no_rule_holds() -> None:
    verdict = run(span(1, service="wms")).verdict

    assert not verdict.matched
    assert verdict.reason == "no mapping rule of 2 holds"
    assert run(span(1), catalogue=Catalogue(1, 1)).verdict.reason == "the catalogue has no mapping rules"


def test_it_lets_the_first_rule_that_holds_decide() -> None:
    later = replace(ERP, id=9, position=9, process_id=99)
    catalogue = replace(CATALOGUE, rules=(later, EVENTS, ERP))

    assert run(span(1), catalogue=catalogue).verdict.process_id == 3


def test_it_follows_a_persons_assignment_where_no_rule_holds() -> None:
    catalogue = replace(CATALOGUE, assigned={("otel", "wms/release order"): 6})
    verdict = run(span(1, service="wms"), catalogue=catalogue).verdict

    assert verdict.process_id == 6
    assert verdict.reason.startswith("assigned by a person to otel 'wms/release order'")


def test_it_judges_by_the_entry_span() -> None:
    inner = span(2, {"order.id": "4711"}, parent=1, service="erp-bridge")
    root = span(1, service="portal")

    assert not run(inner, root).verdict.matched
    assert run(inner).verdict.matched


def test_it_passes_over_a_rule_that_cannot_be_read_and_says_so() -> None:
    broken = Rule(5, 0, "half", "span.name ==", process_id=8)
    verdict = run(span(1, service="wms"), catalogue=replace(CATALOGUE, rules=(broken, ERP))).verdict

    assert not verdict.matched
    assert "can't be read: rule 0 'half' (Line 1, column 13" in verdict.reason


def test_it_takes_the_site_from_the_source_unless_the_rule_names_one() -> None:
    catalogue = replace(CATALOGUE, sites={"ulm": 5})
    stated = span(1, {"andon.site": "ulm"})

    assert run(stated, catalogue=catalogue).verdict.site_id == 5
    assert run(stated, catalogue=replace(catalogue, rules=(replace(ERP, site_id=8),))).verdict.site_id == 8
    assert run(stated).verdict.site_id is None


def test_it_adds_the_rules_keys_to_those_that_are_known() -> None:
    rules = (
        KeyRule("pallet", "app.pallet"), KeyRule("line", 'span["line"]'), KeyRule("plant", 'resource["plant"]'),
        KeyRule("never", 'span["missing"]'), KeyRule("broken", "span.("),
    )  # fmt: skip
    catalogue = replace(CATALOGUE, rules=(replace(ERP, keys=rules),))
    root = span(1, {"order.id": "4711", "line": "L2"}, resource={"service.name": "erp-bridge", "plant": "ulm"})
    inner = span(2, {"app.pallet": " P-7 "}, parent=1)

    assert set(run(root, inner, catalogue=catalogue).keys) == {
        key("order", "4711"), key("pallet", "P-7"), key("line", "L2"), key("plant", "ulm"),
    }  # fmt: skip


def test_it_states_the_facts_of_a_run() -> None:
    root = span(1, name="POST /orders/4711", at_ms=0, lasts_ms=90, failed=True, message="late")
    first = span(2, parent=1, service="mes", at_ms=10, failed=True, events=[exception("SapDown", "no route")])
    later = span(3, parent=1, at_ms=30, failed=True, events=[exception("Cancelled", "")])
    fact = run(later, first, root)

    assert (fact.started_at.isoformat(), fact.ended_at.isoformat()) == (
        "2026-11-21T09:00:00+00:00", "2026-11-21T09:00:00.090000+00:00",
    )  # fmt: skip
    assert (fact.span_count, fact.error_count, fact.error_class) == (3, 3, "SapDown")
    assert (fact.root_seen, fact.root_failed, fact.root_name) == (True, True, "POST /orders/4711")
    assert fact.services == ("erp-bridge", "mes")


def test_it_knows_nothing_of_a_root_that_has_not_come() -> None:
    fact = run(span(2, parent=1, failed=True))

    assert (fact.root_seen, fact.root_failed, fact.root_name) == (False, False, "")


def test_it_stands_a_span_without_times_at_its_receipt() -> None:
    timeless = span(1)._replace(start_ns=0, end_ns=0)

    assert (run(timeless).started_at, run(timeless).ended_at) == (NOW, NOW)


def test_it_reads_the_due_time_that_the_processes_promise_names() -> None:
    promise = SlaRule(1, 3, "in time", "due_time", None, due_attribute="order.due")
    catalogue = replace(CATALOGUE, slas={3: (promise,)})
    fact = run(span(1), span(2, {"order.due": "2026-11-21T12:00:00+01:00"}, parent=1), catalogue=catalogue)

    assert fact.due_at is not None
    assert fact.due_at.isoformat() == "2026-11-21T11:00:00+00:00"


def test_it_makes_a_run_of_each_trace() -> None:
    found = mapped(span(1, trace=1), span(2, trace=2), span(3, trace=1, parent=1)).runs

    assert [(fact.trace_id[-1], fact.span_count) for fact in found] == [(1, 2), (2, 1)]


def test_it_ties_an_event_to_its_process_with_keys_and_chain() -> None:
    said: dict[str, Value] = {"plant": "ulm", "correlationid": "c-1", "sequence": "7"}
    record = event("dev.andon.mfg.order.released.v1", {"order_id": "4711"}, extensions=said)
    catalogue = replace(CATALOGUE, rules=(ERP, replace(EVENTS, keys=(KeyRule("serial", "event.subject"),))))
    (fact,) = map_decoded(decoded(events=[replace(record, subject="S-1")]), catalogue, NOW, VerdictCache()).events

    assert (fact.entity_event, fact.verdict.process_id, fact.verdict.site_id) == ("order.released", 4, 9)
    assert fact.verdict.reason == (
        'rule 2 \'MES orders\': event["entity"] = "order.released", event["plant"] = "ulm"'
    )  # fmt: skip
    assert (fact.correlation_id, fact.sequence, fact.index) == ("c-1", "7", 0)
    assert key("order", "4711") in fact.keys
    assert key("serial", "S-1") in fact.keys


@pytest.mark.parametrize(
    ("condition", "data", "true"),
    [
        ('event.data.order_id == "1"', {"order_id": "1"}, True),
        ("event.data.order.id == 1", {"order": {"id": 1}}, True),
        ('event.data["order.id"] == 1', {"order.id": 1}, True),
        ("event.data.lines.exists(line, line == 2)", {"lines": [1, 2]}, True),
        ("has(event.data.order_id)", {"lot": "1"}, False),
        ('event.data.order_id == "1"', "just text", False),
        ("size(event.data) == 2", [1, 2], True),
    ],
)
def test_it_evaluates_rules_over_an_events_data(condition: str, data: Value, true: bool) -> None:
    catalogue = Catalogue(1, 1, rules=(Rule(1, 1, "data", condition, process_id=3),))
    (fact,) = map_decoded(decoded(events=[event("x", data)]), catalogue, NOW, VerdictCache()).events

    assert fact.verdict.matched is true


VALUES = st.one_of(st.sampled_from(["a", "b", ""]), st.sampled_from([0, 1, 1.0, True, False, None]), st.just(["a"]))


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=12))
def test_it_remembers_no_verdict_for_values_that_merely_look_alike(pairs: list[tuple[Value, Value]]) -> None:
    rules = tuple(
        Rule(number, number, f"r{number}", condition, process_id=number)
        for number, condition in enumerate(
            ['span["x"] == 1 && span["y"] == "a"', 'span["x"] == true', "has(span.y) && !has(span.x)",
             'span["y"] in ["b", ""]', 'size(span["x"]) == 1'], start=1,
        )
    )  # fmt: skip
    catalogue, warm = Catalogue(1, 1, rules=rules), VerdictCache()
    for x, y in pairs:
        said: dict[str, Value] = {} if x is None else {"x": x}
        one = span(1, {**said, "y": y})
        remembered = mapped(one, catalogue=catalogue, cache=warm).runs[0].verdict
        fresh = mapped(one, catalogue=catalogue).runs[0].verdict

        assert (remembered.process_id, remembered.reason) == (fresh.process_id, fresh.reason)


def test_it_forgets_what_it_remembered_when_the_catalogue_changes() -> None:
    cache = VerdictCache()
    changed = replace(CATALOGUE, version=2, rules=(replace(ERP, process_id=30),))

    assert mapped(span(1), cache=cache).runs[0].verdict.process_id == 3
    assert mapped(span(1), catalogue=changed, cache=cache).runs[0].verdict.process_id == 30


def test_it_never_gives_one_tenants_verdict_to_another() -> None:
    cache = VerdictCache()
    other = replace(CATALOGUE, tenant_id=2, rules=(replace(ERP, process_id=77),))

    assert mapped(span(1), cache=cache).runs[0].verdict.process_id == 3
    assert mapped(span(1), catalogue=other, cache=cache).runs[0].verdict.process_id == 77
    assert mapped(span(1), cache=cache).runs[0].verdict.process_id == 3


def test_it_keeps_a_bounded_number_of_rule_books() -> None:
    cache = VerdictCache(tenants=2)
    books = [cache.book(replace(CATALOGUE, tenant_id=tenant)) for tenant in (1, 2, 3)]

    assert cache.book(replace(CATALOGUE, tenant_id=3)) is books[2]
    assert cache.book(replace(CATALOGUE, tenant_id=1)) is not books[0]


@given(st.lists(st.booleans(), min_size=6, max_size=6), st.permutations(range(6)))
def test_it_finds_the_same_attempts_in_a_trace_that_comes_in_two_requests(early: list[bool], order: list[int]) -> None:
    def tried(number: int, unit: str, attempt: int, **more: Value) -> SpanRecord:
        said: dict[str, Value] = {"andon.unit_id": unit, "andon.attempt": attempt, "andon.max_attempts": 3, **more}
        return span(number, said, parent=9, kind=SpanKind.CONSUMER, failed=attempt > 0 and unit == "u-1")

    spans = [
        tried(1, "u-1", 1), tried(2, "u-1", 2), tried(3, "u-1", 3), tried(4, "u-2", 1), tried(5, "u-2", 2), span(9),
    ]  # fmt: skip
    shuffled = [spans[place] for place in order]
    parts = [
        [one for one, is_early in zip(shuffled, early, strict=True) if is_early is which] for which in (True, False)
    ]
    split = {fact for part in parts for found in mapped(*part).runs for fact in found.attempts}
    whole = run(*spans).attempts

    assert split == set(whole)
    assert sorted(told(whole)) == [
        ("u-1", 1, "retry_scheduled"), ("u-1", 2, "retry_scheduled"), ("u-1", 3, "dead"),
        ("u-2", 1, "ok"), ("u-2", 2, "ok"),
    ]  # fmt: skip
