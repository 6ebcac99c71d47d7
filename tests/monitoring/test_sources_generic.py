"""OpenTelemetry as such, and our own `andon.*` vocabulary over it."""

from __future__ import annotations

import pytest

from monitoring.facts import Confidence, Phase, Rank
from monitoring.records import SpanEvent, SpanKind, SpanRecord, Value
from monitoring.sources.entry import stable_name
from monitoring.sources.registry import EVENT_DIALECTS, SPAN_DIALECTS, read_trace, traced
from tests.monitoring.samples import START_NS, exception, key, span


def test_it_names_a_run_by_service_and_root_operation() -> None:
    root = span(
        1, {"http.route": "/orders/{id}/release", "http.request.method": "POST"}, name="POST /orders/4711/release"
    )
    identity = read_trace([span(2, parent=1), root]).identity

    assert identity is not None
    assert (identity.source_system, identity.source_key, identity.rank) == (
        "otel", "erp-bridge/POST /orders/{id}/release", Rank.ROOT,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "stable"),
    [
        ("POST /orders/4711/release", "POST /orders/{id}/release"),
        ("GET /lots/7", "GET /lots/{id}"),
        ("release PO-123456", "release PO-{id}"),
        ("get 3f2b8c1e-1111-4222-8333-abcdefabcdef?x=1", "get {id}"),
        ("GET /api/v1/orders", "GET /api/v1/orders"),
        ("Step 2", "Step 2"),
    ],
)
def test_it_takes_out_of_a_name_what_changes_with_each_run(name: str, stable: str) -> None:
    assert stable_name(name) == stable


def test_it_prefers_a_root_then_a_called_service_then_any_orphan() -> None:
    orphan = span(1, parent=90, at_ms=0)
    called = span(2, parent=91, kind=SpanKind.SERVER, at_ms=5)
    root = span(3, at_ms=9)

    for spans, found in (
        ([orphan], (orphan, Rank.GUESS)),
        ([orphan, called], (called, Rank.ENTRY)),
        ([orphan, called, root], (root, Rank.ROOT)),
    ):
        trace = traced(spans)
        assert (trace.entry, trace.rank) == found


def test_it_counts_declared_http_resends() -> None:
    tries = [span(number, {"http.request.resend_count": number - 1, "url.full": "http://mes/release"}, parent=9,
                  name="POST", kind=SpanKind.CLIENT, failed=number < 3) for number in (2, 3)]  # fmt: skip

    assert [(fact.attempt, fact.phase.value, fact.confidence.value) for fact in read_trace(tries).attempts] == [
        (2, "error", "declared"), (3, "ok", "declared"),
    ]  # fmt: skip


def repeated(failures: list[bool], *, url: str = "http://mes/release") -> list[SpanRecord]:
    """The shape that n8n's hidden retries leave downstream: SERVER spans with one parent."""
    return [
        span(number, {"url.full": url}, parent=9, name="POST /release", kind=SpanKind.SERVER, failed=failed)
        for number, failed in enumerate(failures, start=1)
    ]


def test_it_infers_a_retry_where_the_same_step_is_done_again_after_it_failed() -> None:
    facts = read_trace(repeated([True, True, False])).attempts

    assert [(fact.attempt, fact.phase.value) for fact in facts] == [(1, "error"), (2, "error"), (3, "ok")]
    assert {fact.confidence for fact in facts} == {Confidence.INFERRED}
    assert len({fact.unit_id for fact in facts}) == 1


def test_it_takes_a_loop_over_items_for_no_retry() -> None:
    assert read_trace(repeated([False, False, False])).attempts == ()


def test_it_takes_another_order_for_no_retry() -> None:
    first = span(1, {"order.id": "1"}, parent=9, failed=True)
    second = span(2, {"order.id": "2"}, parent=9)

    assert read_trace([first, second]).attempts == ()


def test_it_starts_anew_after_a_success() -> None:
    facts = read_trace(repeated([True, False, True, False])).attempts

    assert [(fact.attempt, fact.phase.value) for fact in facts] == [(1, "error"), (2, "ok"), (1, "error"), (2, "ok")]
    assert len({fact.unit_id for fact in facts}) == 2


def test_it_reads_a_dead_letter_note_on_any_span() -> None:
    note = SpanEvent("message.dead_lettered", START_NS, {"messaging.destination.name": "mes.dlq", "attempts": 4,
                                                         "reason": "schema"})  # fmt: skip
    (fact,) = read_trace([span(1, events=[note])]).attempts

    assert (fact.phase, fact.attempt, fact.destination, fact.error_class) == (Phase.DEAD, 4, "mes.dlq", "schema")


def test_it_gathers_keys_of_all_spans_by_exact_names_only() -> None:
    spans = [
        span(1, {"order.id": "4711", "reorder.id": "x", "andon.key.pallet": "P-1"}),
        span(2, {"order_id": 4711, "shipment.id": " S-1 ", "lot": "", "andon.key.Bad Type": "x"}, parent=1),
    ]

    assert read_trace(spans).keys == (key("pallet", "P-1"), key("order", "4711"), key("shipment", "S-1"))


def own(more: dict[str, Value], *, failed: bool = False) -> SpanRecord:
    said: dict[str, Value] = {"andon.workflow": "order-release", "andon.workflow.version": "7", **more}
    return span(1, said, parent=9, failed=failed, events=[exception("SapDown", "no route")] if failed else ())


def test_it_lets_a_sender_name_its_workflow_over_everything_else() -> None:
    root = span(9, name="cron")
    reading = read_trace([root, own({"andon.site": "ulm", "andon.due_at": "2026-11-21T10:00:00Z", "andon.value": 250})])

    assert reading.identity is not None
    assert (reading.identity.source_system, reading.identity.source_key, reading.identity.version) == (
        "andon", "order-release", "7",
    )  # fmt: skip
    assert (reading.site, reading.value) == ("ulm", 250.0)
    assert reading.due_at is not None
    assert reading.due_at.isoformat() == "2026-11-21T10:00:00+00:00"


@pytest.mark.parametrize(
    ("said", "failed", "expected"),
    [
        ({"andon.attempt": 2}, False, (2, "ok", "declared")),
        ({"andon.attempt": 2}, True, (2, "error", "declared")),
        ({"andon.attempt": 2, "andon.max_attempts": 5}, True, (2, "retry_scheduled", "derived")),
        ({"andon.attempt": 5, "andon.max_attempts": 5}, True, (5, "dead", "derived")),
        ({"andon.phase": "dead", "andon.attempt": "3"}, False, (3, "dead", "declared")),
        ({"andon.phase": "redriven"}, False, (1, "redriven", "declared")),
    ],
)
def test_it_reads_our_own_vocabulary(said: dict[str, Value], failed: bool, expected: tuple[int, str, str]) -> None:
    (fact,) = read_trace([own({**said, "andon.unit_id": "u-1"}, failed=failed)]).attempts

    assert (fact.attempt, fact.phase.value, fact.confidence.value) == expected
    assert fact.unit_id == "u-1"


@pytest.mark.parametrize("value", [None, b"\xff", [], {}, [[1]], True, float("nan"), float("inf"), -1, 10**30, "x" * 9])
@pytest.mark.parametrize("name", ["andon.attempt", "celery.retries", "messaging.servicebus.message.delivery_count",
                                  "http.request.resend_count", "camunda.job.retries", "messaging.header.x-death",
                                  "andon.due_at", "andon.value", "order.id", "service.name"])  # fmt: skip
def test_it_survives_any_value_a_sender_may_write(name: str, value: Value) -> None:
    said: dict[str, Value] = {"celery.task_name": "t", "celery.action": "run", "celery.state": "RETRY",
                              "messaging.message.id": "m", "messaging.system": "kafka", "camunda.job.key": 1,
                              "andon.phase": "error", name: value}  # fmt: skip

    assert all(1 <= fact.attempt <= 1_000_000 for fact in read_trace([span(1, said, resource={name: value})]).attempts)


def test_it_reads_the_generic_dialect_last_so_that_a_more_specific_one_wins() -> None:
    assert type(SPAN_DIALECTS[-1]).__name__ == "Generic"
    assert type(EVENT_DIALECTS[-1]).__name__ == "CloudEvents"
